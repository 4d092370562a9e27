"""Profit over time, from fills and the prices between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import cached_property
from math import ceil, log10
from typing import Any, Final

import attrs
import numpy as np

from strategykit.report.metrics import Floats, Times
from strategykit.runtime.collector import Collected

__all__ = ["Curve", "Market", "PositionLine", "as_floats"]

_DIGITS: Final = 12
"""Of an amount: doubles have 15, and sums of ten thousand of them lose two."""


def as_floats(values: Sequence[Any]) -> Floats:
    """Give numbers as doubles; None is NaN."""
    return np.array([np.nan if value is None else float(value) for value in values], dtype=np.float64)


def _settled(sums: Floats, largest: float) -> Floats:
    """Give sums of doubles up to `largest` so that those which are equal but for rounding are equal.

    Else a profit that comes back to its peak stays a billionth of a kopeck below, and the fall never ends.
    """
    if not largest:
        return sums
    return np.asarray(np.round(sums, _DIGITS - ceil(log10(largest))))


@attrs.frozen(eq=False)
class Curve:
    """Profit of one strategy, or of all, in one currency, since the run began; fees are off."""

    times: Times
    """The samples' and the fills', rising."""
    pnl: Floats
    gross: Floats
    """What the positions are worth, longs and shorts added up."""


@attrs.frozen(eq=False)
class PositionLine:
    """Lots that one strategy holds of one instrument, as steps."""

    times: Times
    """The begin of the run, and each fill."""
    lots: Sequence[Decimal]
    """From each of `times` on."""


@attrs.define(eq=False)
class Market:
    """What a run's strategies held, and what that was worth, at all times that are known."""

    collected: Collected

    @cached_property
    def times(self) -> Times:
        """Those of the samples and the fills, and both ends of the run."""
        ours = self.collected
        both = np.array([ours.started, ours.ended, *ours.times, *ours.fills["time"]], dtype=np.int64)
        return np.unique(both)

    @cached_property
    def _fill_columns(self) -> dict[str, Any]:
        fills = self.collected.fills
        prices, marks = as_floats(fills["price"]), as_floats(fills["mark"])
        sides = np.array([1.0 if side == "buy" else -1.0 for side in fills["side"]], dtype=np.float64)
        return {
            "time": np.array(fills["time"], dtype=np.int64),
            "strategy": np.array(fills["strategy"], dtype=object),
            "instrument": np.array(fills["instrument"], dtype=object),
            "lots": sides * as_floats(fills["quantity"]),
            "price": prices,
            "mark": np.where(np.isnan(marks), prices, marks),
        }

    @cached_property
    def _prices(self) -> dict[str, Floats]:
        return {}

    def prices(self, symbol: str) -> Floats:
        """Give the last known price at each of `times`; before the first one that, NaN if there is none at all."""
        if symbol not in self._prices:
            self._prices[symbol] = self._find_prices(symbol)
        return self._prices[symbol]

    def _find_prices(self, symbol: str) -> Floats:
        fills = self._fill_columns
        mine = fills["instrument"] == symbol
        sampled = np.array(self.collected.prices.get(symbol, [np.nan] * len(self.collected.times)), dtype=np.float64)
        times = np.concatenate((fills["time"][mine], np.array(self.collected.times, dtype=np.int64)))
        prices = np.concatenate((fills["mark"][mine], sampled))
        known = ~np.isnan(prices)
        times, prices = times[known], prices[known]
        if not len(times):
            return np.full(len(self.times), np.nan)
        order = np.argsort(times, kind="stable")  # A sample was taken after the fills of its moment.
        found = np.searchsorted(times[order], self.times, side="right") - 1
        return np.asarray(prices[order][np.maximum(found, 0)])

    def held(self, strategy: str) -> list[str]:
        """Give the instruments that a strategy traded or held, in the order in which it came to them."""
        begin, fills = self.collected.begin, self.collected.fills
        pairs = [*zip(begin["strategy"], begin["instrument"], strict=True)]
        pairs += zip(fills["strategy"], fills["instrument"], strict=True)
        return list(dict.fromkeys(symbol for name, symbol in pairs if name == strategy))

    def position(self, strategy: str, symbol: str) -> PositionLine:
        """Give the lots that a strategy held of an instrument."""
        begin, fills = self.collected.begin, self.collected.fills
        lots = Decimal(0)
        for name, instrument, quantity in zip(
            *(begin[key] for key in ("strategy", "instrument", "quantity")), strict=True
        ):
            if (name, instrument) == (strategy, symbol):
                lots += quantity
        times, steps = [self.collected.started], [lots]
        keys = ("strategy", "instrument", "time", "side", "quantity")
        for name, instrument, time, side, quantity in zip(*(fills[key] for key in keys), strict=True):
            if (name, instrument) == (strategy, symbol):
                lots += quantity if side == "buy" else -quantity
                times.append(time)
                steps.append(lots)
        return PositionLine(np.array(times, dtype=np.int64), steps)

    def curve(self, strategies: Sequence[str], currency: str) -> Curve:
        """Give the profit of `strategies` together."""
        pnl, gross, moved = np.zeros(len(self.times)), np.zeros(len(self.times)), np.zeros(len(self.times))
        known = {item.symbol: item for item in self.collected.instruments}
        for strategy in strategies:
            for symbol in self.held(strategy):
                instrument = known[symbol]
                if instrument.currency == currency:
                    unit = float(instrument.lot * instrument.multiplier)
                    worth, cash = self._worth(strategy, symbol, unit)
                    pnl += worth + cash
                    gross += np.abs(worth)
                    moved += np.abs(worth) + np.abs(cash)
        fees = self._fees(strategies, currency)
        pnl -= fees
        moved += np.abs(fees)
        return Curve(self.times, _settled(pnl, float(np.max(moved))), gross)

    def _worth(self, strategy: str, symbol: str, unit: float) -> tuple[Floats, Floats]:
        """Give what the position is worth at each of `times`, and what it has brought in in cash."""
        fills, begin = self._fill_columns, self.collected.begin
        mine = (fills["instrument"] == symbol) & (fills["strategy"] == strategy)
        lots, cost = 0.0, 0.0
        for name, instrument, quantity, paid in zip(*begin.values(), strict=True):
            if (name, instrument) == (strategy, symbol):
                lots, cost = lots + float(quantity), cost + float(paid)
        # Rounded, so that sums of doubles come back to 0 where the lots do.
        held = np.round(lots + self._summed(fills["time"][mine], fills["lots"][mine]), 12)
        paid = cost + self._summed(fills["time"][mine], fills["lots"][mine] * fills["price"][mine] * unit)
        prices = self.prices(symbol)
        if np.isnan(prices).all():  # What was held before, and has been of no known price since: worth what it cost.
            return paid, -paid
        return np.where(held == 0.0, 0.0, held * prices * unit), -paid

    def _fees(self, strategies: Sequence[str], currency: str) -> Floats:
        fills = self.collected.fills
        known = {item.symbol: item.currency for item in self.collected.instruments}
        wanted = frozenset(strategies)
        keys = ("time", "strategy", "instrument", "fee", "fee_currency")
        rows = [
            (time, float(fee))
            for time, strategy, symbol, fee, paid_in in zip(*(fills[key] for key in keys), strict=True)
            if fee is not None and strategy in wanted and (paid_in or known[symbol]) == currency
        ]
        times = np.array([time for time, _ in rows], dtype=np.int64)
        return self._summed(times, np.array([fee for _, fee in rows], dtype=np.float64))

    def _summed(self, times: Times, amounts: Floats) -> Floats:
        """Give at each of `times` what `amounts` have come to by then."""
        sums = np.concatenate(([0.0], np.cumsum(amounts)))
        return np.asarray(sums[np.searchsorted(times, self.times, side="right")])

    def window(self, symbol: str) -> Callable[[int, int], tuple[float, float]]:
        """Give what finds the lowest and highest known price of an instrument between two times."""
        prices, times = self.prices(symbol), self.times

        def find(since: int, until: int) -> tuple[float, float]:
            first, last = np.searchsorted(times, [since, until])
            part = prices[first : last + 1]
            return float(np.min(part)), float(np.max(part))

        return find

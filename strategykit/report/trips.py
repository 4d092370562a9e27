"""Round trips: what was entered by which order and left by which, first in, first out.

Sums are exact: for each strategy and instrument, the trips' profits, those still open at their mark included, add up to
what the portfolio has realised and has open, to the last digit; and their fees to the fees that were paid.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from decimal import Context, Decimal, localcontext
from typing import Any, Final

import attrs

from strategykit.model.instruments import Instrument
from strategykit.runtime.collector import Collected

__all__ = ["Trip", "round_trips"]

_EXACT: Final = Context(prec=200)
"""Sums and products of prices and quantities never have that many digits, so none of them is rounded."""

_GRAIN: Final = Decimal("1e-12")
"""Of a currency unit. Parts of a fee are rounded to it; what that cuts off goes to the last part."""

_ZERO: Final = Decimal(0)


@attrs.define(kw_only=True)
class Trip:
    """Lots that one order entered and another one left. Money is in the instrument's currency."""

    strategy: str
    instrument: str
    currency: str
    side: str
    """``"long"`` or ``"short"``."""
    lots: Decimal
    entry_order: str
    """Empty where an earlier run had entered."""
    exit_order: str
    """Empty while it is open."""
    entry_time: int
    """Of the first fill, nanoseconds UTC; the run's begin where an earlier run had entered."""
    exit_time: int
    """Of the last fill; the run's end while it is open."""
    entry_price: Decimal
    """Mean, per unit, to 28 digits."""
    exit_price: Decimal | None
    """Mean, per unit; the mark while it is open, None if there is none."""
    pnl: Decimal
    """Profit before fees: realised, or at the mark while it is open. 0 where there's no mark."""
    fees: dict[str, Decimal]
    """Those of both ends' lots, by the currency in which they were paid."""
    open: bool

    @property
    def net(self) -> Decimal:
        """Profit less the fees that were paid in the same currency."""
        with localcontext(_EXACT):
            return self.pnl - self.fees.get(self.currency, _ZERO)

    @property
    def duration(self) -> int:
        """Nanoseconds."""
        return self.exit_time - self.entry_time


@attrs.define
class _Lots:
    """What is left of one fill, or of what was held before."""

    order: str
    time: int
    lots: Decimal
    worth: Decimal
    """Money that they cost, without a sign."""
    fees: dict[str, Decimal]

    def take(self, lots: Decimal) -> _Lots:
        """Split off `lots`, with their parts of worth and fees."""
        whole = self.lots
        if lots == whole:
            part = attrs.evolve(self, fees=dict(self.fees))
            self.lots = self.worth = _ZERO
            self.fees = {}
            return part
        worth = (self.worth * lots / whole).quantize(_GRAIN)
        fees = {currency: (fee * lots / whole).quantize(_GRAIN) for currency, fee in self.fees.items()}
        self.lots -= lots
        self.worth -= worth
        for currency, fee in fees.items():
            self.fees[currency] -= fee
        return _Lots(self.order, self.time, lots, worth, fees)


def round_trips(collected: Collected) -> list[Trip]:
    """Give the trips of all strategies, in the order of their ends; those that are still open come last."""
    with localcontext(_EXACT):
        known = {item.symbol: item for item in collected.instruments}
        books: dict[tuple[str, str], _Book] = {}

        def book(strategy: str, symbol: str) -> _Book:
            key = (strategy, symbol)
            if key not in books:
                books[key] = _Book(strategy, known[symbol])
            return books[key]

        for row in _rows(collected.begin):
            if row["quantity"]:
                # What was held may be worth less than nothing by its cost: gains of before are in it.
                held = _Lots("", collected.started, abs(row["quantity"]), row["cost"] * _sign(row["quantity"]), {})
                book(row["strategy"], row["instrument"]).enter(_sign(row["quantity"]), held)
        for row in _rows(collected.fills):
            instrument = known[row["instrument"]]
            fees = {} if row["fee"] is None else {row["fee_currency"] or instrument.currency: row["fee"]}
            worth = instrument.value(row["price"], row["quantity"])
            lots = _Lots(row["order"], row["time"], row["quantity"], worth, fees)
            book(row["strategy"], row["instrument"]).fill(1 if row["side"] == "buy" else -1, lots)
        closed = [trip for one in books.values() for trip in one.closed.values()]
        closed.sort(key=lambda trip: (trip.exit_time, trip.entry_time))
        left = [trip for one in books.values() for trip in one.left(collected.ended, collected.marks)]
        return closed + left


def _sign(quantity: Decimal) -> int:
    return 1 if quantity > 0 else -1


def _rows(columns: Mapping[str, Iterable[Any]]) -> Iterator[dict[str, Any]]:
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


class _Book:
    """Open lots of one strategy in one instrument, oldest first."""

    def __init__(self, strategy: str, instrument: Instrument) -> None:
        self.closed: dict[tuple[str, str], Trip] = {}
        self._strategy = strategy
        self._instrument = instrument
        self._sign = 0
        self._open: deque[_Lots] = deque()

    def enter(self, sign: int, lots: _Lots) -> None:
        self._sign = sign
        self._open.append(lots)

    def fill(self, sign: int, coming: _Lots) -> None:
        while coming.lots and self._open and sign != self._sign:
            oldest = self._open[0]
            lots = min(oldest.lots, coming.lots)
            entry, leaving = oldest.take(lots), coming.take(lots)
            if not oldest.lots:
                self._open.popleft()
            self._add(entry, leaving)
        if coming.lots:
            self.enter(sign, coming)

    def left(self, now: int, marks: Mapping[str, Decimal]) -> Iterator[Trip]:
        """Give what is still open, valued at the mark, an order each."""
        mark = marks.get(self._instrument.symbol)
        merged: dict[str, Trip] = {}
        for lots in self._open:
            worth = lots.worth if mark is None else self._instrument.value(mark, lots.lots)
            trip = self._trip(lots, _Lots("", now, lots.lots, worth, {}), still=True)
            trip.exit_price = mark
            merged[lots.order] = _joined(merged[lots.order], trip) if lots.order in merged else trip
        yield from merged.values()

    def _add(self, entry: _Lots, leaving: _Lots) -> None:
        key, trip = (entry.order, leaving.order), self._trip(entry, leaving, still=False)
        before = self.closed.get(key)
        self.closed[key] = trip if before is None else _joined(before, trip)

    def _trip(self, entry: _Lots, leaving: _Lots, *, still: bool) -> Trip:
        unit = self._instrument.value(Decimal(1), entry.lots)
        fees = dict(entry.fees)
        for currency, fee in leaving.fees.items():
            fees[currency] = fees.get(currency, _ZERO) + fee
        return Trip(
            strategy=self._strategy,
            instrument=self._instrument.symbol,
            currency=self._instrument.currency,
            side="long" if self._sign > 0 else "short",
            lots=entry.lots,
            entry_order=entry.order,
            exit_order=leaving.order,
            entry_time=entry.time,
            exit_time=leaving.time,
            entry_price=_shorter(entry.worth / unit),
            exit_price=_shorter(leaving.worth / unit),
            pnl=(leaving.worth - entry.worth) * self._sign,
            fees=fees,
            open=still,
        )


def _joined(one: Trip, other: Trip) -> Trip:
    """Give two parts of one trip as one."""
    lots = one.lots + other.lots

    def mean(first: Decimal | None, second: Decimal | None) -> Decimal | None:
        if first is None or second is None:
            return None
        return _shorter((first * one.lots + second * other.lots) / lots)

    fees = dict(one.fees)
    for currency, fee in other.fees.items():
        fees[currency] = fees.get(currency, _ZERO) + fee
    entry = mean(one.entry_price, other.entry_price)
    assert entry is not None
    return attrs.evolve(
        one,
        lots=lots,
        exit_time=max(one.exit_time, other.exit_time),
        entry_price=entry,
        exit_price=mean(one.exit_price, other.exit_price),
        pnl=one.pnl + other.pnl,
        fees=fees,
    )


def _shorter(price: Decimal) -> Decimal:
    return Context(prec=28).plus(price)

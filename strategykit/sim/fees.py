"""What trading costs."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from types import MappingProxyType
from typing import Any, Final

import attrs

from strategykit.errors import ConfigError
from strategykit.model.instruments import Instrument

__all__ = ["NO_FEES", "FeeBook", "FeeModel", "FeeTier", "Paid", "check_fees_of", "round_money"]

_NOTHING: Final = Decimal(0)
_ONE: Final = Decimal(1)

TIER_WINDOW: Final = 30 * 86_400_000_000_000
"""Nanoseconds: what was traded in the last 30 days decides on a tier, as venues of currencies have it."""


def _finite(_: object, attribute: attrs.Attribute[Any], value: Decimal | None) -> None:
    if value is not None and not value.is_finite():
        raise ConfigError(f"fee {attribute.name} must be a finite number, not {value}")


def _above_zero(_: FeeModel, attribute: attrs.Attribute[Decimal], value: Decimal) -> None:
    if not value.is_finite() or value <= 0:
        raise ConfigError(f"fee {attribute.name} must be above 0, not {value}")


def _rising(_: FeeModel, __: attrs.Attribute[Any], value: tuple[FeeTier, ...]) -> None:
    volumes = [tier.volume for tier in value]
    if volumes != sorted(set(volumes)):
        raise ConfigError("fee tiers must be in the order of their volumes, each with a volume of its own")


def round_money(money: Decimal, step: Decimal, rounding: str = ROUND_HALF_EVEN) -> Decimal:
    """Round to a multiple of `step` by one of the `decimal` module's rounding modes."""
    return (money / step).quantize(_ONE, rounding=rounding) * step


@attrs.frozen(kw_only=True)
class FeeTier:
    """The rates of those who trade much."""

    volume: Decimal = attrs.field(validator=_finite)
    """Value traded in the last 30 days, in the instrument's currency, from which on they hold."""
    maker_rate: Decimal = attrs.field(validator=_finite)
    taker_rate: Decimal = attrs.field(validator=_finite)


@attrs.frozen(kw_only=True)
class FeeModel:
    """A share of the value, a sum a lot, or both; a negative rate is a rebate.

    A maker's order rested when it was filled; a taker's order met one that did.
    """

    maker_rate: Decimal = attrs.field(default=_NOTHING, validator=_finite)
    """Share of the traded value: 0.001 is 0.1 %."""
    taker_rate: Decimal = attrs.field(default=_NOTHING, validator=_finite)
    maker_per_lot: Decimal = attrs.field(default=_NOTHING, validator=_finite)
    """Money a lot, in the instrument's currency."""
    taker_per_lot: Decimal = attrs.field(default=_NOTHING, validator=_finite)
    order_minimum: Decimal = attrs.field(default=_NOTHING, validator=_finite)
    """Money that an order costs at least, all its fills together."""
    most_rate: Decimal | None = attrs.field(default=None, validator=_finite)
    """Share of the traded value that the rest comes to at most, but for the minimum; None: no bound."""
    tiers: tuple[FeeTier, ...] = attrs.field(default=(), validator=_rising)
    """Rates by volume, smallest first; below the first one's volume, those above hold."""
    step: Decimal = attrs.field(default=Decimal("0.01"), validator=_above_zero)
    """The smallest money unit; each fill's fee is rounded to it."""
    rounding: str = ROUND_HALF_EVEN
    """One of the `decimal` module's rounding modes."""

    def fee(self, instrument: Instrument, price: Decimal, quantity: Decimal, *, maker: bool) -> Decimal:
        """Give the fee of a fill of `quantity` lots, in the instrument's currency; no order's minimum is in it."""
        return self.rounded(self.exact(instrument, price, quantity, maker=maker))

    def exact(
        self,
        instrument: Instrument,
        price: Decimal,
        quantity: Decimal,
        *,
        maker: bool,
        volume: Decimal = _NOTHING,
    ) -> Decimal:
        """Give it unrounded.

        Args:
            instrument: What was traded.
            price: A unit's.
            quantity: Lots.
            maker: Whether the order rested.
            volume: What was traded in the last 30 days.
        """
        rate = self.maker_rate if maker else self.taker_rate
        for tier in self.tiers:
            if volume >= tier.volume:
                rate = tier.maker_rate if maker else tier.taker_rate
        per_lot = self.maker_per_lot if maker else self.taker_per_lot
        value = instrument.value(price, quantity)
        exact = value * rate + quantity * per_lot
        return exact if self.most_rate is None else min(exact, abs(value) * self.most_rate)

    @property
    def is_free(self) -> bool:
        """Whether nothing costs anything."""
        rates = (self.maker_rate, self.taker_rate, self.maker_per_lot, self.taker_per_lot, self.order_minimum)
        return not any(rates) and not self.tiers and self.most_rate is None

    def rounded(self, money: Decimal) -> Decimal:
        return round_money(money, self.step, self.rounding)


NO_FEES: Final = FeeModel()
"""Trading for nothing."""


def check_fees_of(
    fees_of: Iterable[str], instruments: Collection[Instrument], *, where: str, symbols: Iterable[str] = ()
) -> None:
    """See that fees of single instruments are of such as are there.

    Args:
        fees_of: What they're of: symbols, or exchanges.
        instruments: Those that are there.
        where: Where that is, for the message: ``"the tape"``.
        symbols: Of further ones, of which no more is known.

    Raises:
        ConfigError: Some aren't there; says which, and what there is.
    """
    known = sorted({item.symbol for item in instruments} | set(symbols))
    exchanges = sorted({item.exchange for item in instruments if item.exchange})
    unknown = sorted(set(fees_of).difference(known, exchanges))
    if unknown:
        names = ", ".join(f"fees_of.{name}" for name in unknown)
        have = f"{', '.join(known) or 'none'}" + (f"; exchanges: {', '.join(exchanges)}" if exchanges else "")
        raise ConfigError(f"{names}: {where} has no such instrument or exchange; its instruments: {have}")


@attrs.define(eq=False)
class Paid:
    """What one order has come to so far."""

    exact: Decimal = _NOTHING
    """By its fills alone."""
    charged: Decimal = _NOTHING


@attrs.define(eq=False)
class FeeBook:
    """The fees of one account: which model holds for what, and how much was traded lately."""

    default: FeeModel
    models: Mapping[str, FeeModel] = attrs.field(factory=lambda: MappingProxyType({}))
    """By symbol, or else by exchange."""
    _traded: dict[str, deque[tuple[int, Decimal]]] = attrs.field(factory=dict, init=False)
    _volume: dict[str, Decimal] = attrs.field(factory=dict, init=False)
    always: Decimal | None = attrs.field(init=False)
    """What every fill costs, where that is nothing; None: it has to be counted."""

    @always.default
    def _find_always(self) -> Decimal | None:
        return self.default.rounded(_NOTHING) if self.default.is_free and not self.models else None

    def of(self, instrument: Instrument) -> FeeModel:
        """Give the model that holds for an instrument."""
        if not self.models:
            return self.default
        return self.models.get(instrument.symbol) or self.models.get(instrument.exchange) or self.default

    def charge(
        self, instrument: Instrument, price: Decimal, quantity: Decimal, now: int, *, maker: bool, paid: Paid
    ) -> Decimal:
        """Give the fee of a fill, and note it in its order's `paid`."""
        if self.always is not None:
            return self.always
        model = self.of(instrument)
        volume = self._lately(instrument.currency, now) if model.tiers else _NOTHING
        exact = model.exact(instrument, price, quantity, maker=maker, volume=volume)
        if model.tiers:
            value = abs(instrument.value(price, quantity))
            self._traded.setdefault(instrument.currency, deque()).append((now, value))
            self._volume[instrument.currency] = volume + value
        if not model.order_minimum:
            return model.rounded(exact)
        paid.exact += exact
        charged = model.rounded(max(paid.exact, model.order_minimum)) - paid.charged
        paid.charged += charged
        return charged

    def _lately(self, currency: str, now: int) -> Decimal:
        traded, volume = self._traded.get(currency, ()), self._volume.get(currency, _NOTHING)
        while traded and traded[0][0] <= now - TIER_WINDOW:
            volume -= traded.popleft()[1]
        return volume

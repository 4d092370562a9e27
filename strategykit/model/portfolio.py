"""What fills have made of an account: positions, cash, fees and profit, exact to the last digit.

For every instrument, whatever the fills and the mark price::

    realised + open - fees == change of cash + worth of the position

Each currency is counted by itself; nothing is converted unless somebody gives the rates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Context, Decimal, getcontext, setcontext
from typing import Final

import attrs

from strategykit.errors import LocalProtocolError
from strategykit.model.events import Fill, Side
from strategykit.model.exactly import Exactly
from strategykit.model.instruments import Instrument

__all__ = ["Portfolio", "Position"]

_ZERO: Final = Decimal(0)
_ONE: Final = Decimal(1)

_BUY: Final = Side.BUY  # A look-up of a member costs more than a call on Python 3.11.

_EXACT: Final = Context(prec=200)
"""Sums and products of prices and quantities never have that many digits, so none of them is rounded."""

_GRAIN: Final = Decimal("1e-12")
"""Of a currency unit. The one division, cost a lot, is rounded to it; what it cuts off stays in the position."""


@attrs.define(eq=False)
class Position:
    """One instrument's part of a portfolio. Money is in the instrument's currency, but for fees."""

    instrument: Instrument
    quantity: Decimal = attrs.field(default=_ZERO, init=False)
    """Lots; negative is short."""
    realised: Decimal = attrs.field(default=_ZERO, init=False)
    """Profit of what has been closed, before fees."""
    fees: dict[str, Decimal] = attrs.field(factory=dict, init=False)
    """Paid, by currency; a rebate is negative."""
    turnover: Decimal = attrs.field(default=_ZERO, init=False)
    """Money that changed hands, both directions added up."""
    fills: int = attrs.field(default=0, init=False)
    fills_without_fee: int = attrs.field(default=0, init=False)
    """Fills whose fee the venue didn't say: what they cost is unknown, not 0."""
    _cost: Decimal = attrs.field(default=_ZERO, init=False)
    """What the open lots cost; negative for a short position, which was paid for."""
    _entry_cost: Decimal = attrs.field(default=_ZERO, init=False)
    """`_cost` when the position last grew, at `_entry_quantity` lots. What is left of it is always counted from
    these two, so that closing in parts rounds as closing at once does."""
    _entry_quantity: Decimal = attrs.field(default=_ZERO, init=False)
    _unit: Decimal = attrs.field(
        init=False, default=attrs.Factory(lambda self: self.instrument.value(_ONE, _ONE), takes_self=True)
    )
    """Money that a lot is worth at a price of 1."""

    @property
    def cost(self) -> Decimal:
        """What the open lots cost; negative for a short position, which was paid for."""
        return self._cost

    def carry(self, quantity: Decimal, cost: Decimal) -> None:
        """Begin with lots that were entered earlier, at what they cost."""
        self.quantity = quantity
        self._enter(quantity, cost)

    @property
    def average_price(self) -> Decimal | None:
        """Price per unit at which the open lots were entered, to 28 digits; None while flat."""
        if not self.quantity:
            return None
        return self._entry_cost / self.instrument.value(Decimal(1), self._entry_quantity)

    def worth(self, price: Decimal) -> Decimal:
        """Give the money that the open lots are worth at `price`; negative for a short position."""
        with Exactly(_EXACT):
            return self.instrument.value(price, self.quantity)

    def open_pnl(self, price: Decimal) -> Decimal:
        """Give the profit that closing at `price` would realise, before fees."""
        with Exactly(_EXACT):
            return self.worth(price) - self._cost

    def apply(self, fill: Fill) -> Decimal:
        """Fold a fill in; give the change of cash that it makes, without its fee. `Portfolio.apply` counts once."""
        with Exactly(_EXACT):
            return self.fold(fill)

    def fold(self, fill: Fill) -> Decimal:
        """As `apply`, for whoever counts exactly already."""
        signed, held = fill.quantity if fill.side is _BUY else -fill.quantity, self.quantity
        after = held + signed
        paid = fill.price * signed * self._unit
        if held * signed >= _ZERO:
            self._enter(after, self._cost + paid)
        elif held * after >= _ZERO:
            left = (self._entry_cost * after / self._entry_quantity).quantize(_GRAIN)
            self.realised += left - self._cost - paid
            self._cost = left
        else:
            opened = fill.price * after * self._unit
            self.realised += opened - self._cost - paid
            self._enter(after, opened)
        self.quantity = after
        self.turnover += abs(paid)
        self.fills += 1
        return -paid

    def _enter(self, quantity: Decimal, cost: Decimal) -> None:
        self._cost = self._entry_cost = cost
        self._entry_quantity = quantity


class Portfolio:
    """Fold fills into positions and cash. A fill counts once, however often it is told.

    Args:
        instruments: What may be traded; `add` takes more.
        currency: The base currency: that of `total`.
        cash: What there was before the first fill, by currency.
    """

    def __init__(
        self,
        instruments: Iterable[Instrument] = (),
        *,
        currency: str = "RUB",
        cash: Mapping[str, Decimal] | None = None,
    ) -> None:
        self.currency = currency
        self.cash: dict[str, Decimal] = dict(cash or {})
        """By currency; fees are off already."""
        self.positions: dict[str, Position] = {}
        """By symbol; flat ones too."""
        self.duplicates = 0
        """Fills that were told again."""
        self._seen: set[tuple[str, str, Side]] = set()
        for instrument in instruments:
            self.add(instrument)

    def add(self, instrument: Instrument) -> None:
        """Let `instrument` be traded; one that is known already stays as it is."""
        self.positions.setdefault(instrument.symbol, Position(instrument))

    def carry(self, instrument: Instrument, quantity: Decimal, cost: Decimal) -> None:
        """Begin with lots that were entered before the first fill; cash isn't touched by them.

        Raises:
            LocalProtocolError: Something of the instrument is held or was traded already.
        """
        self.add(instrument)
        position = self.positions[instrument.symbol]
        if position.fills or position.quantity:
            raise LocalProtocolError(f"{instrument.symbol} is held already; what was held before comes first")
        position.carry(quantity, cost)

    def apply(self, fill: Fill) -> bool:
        """Fold a fill in; give False if it was counted before.

        Raises:
            LocalProtocolError: Nobody added its instrument, or its numbers can't be. Nothing has changed then.
        """
        # The side belongs to it: when two orders of one account meet, both fills carry the same trade id.
        symbol, quantity, fee = fill.instrument, fill.quantity, fill.fee
        key, seen = (symbol, fill.trade_id, fill.side), self._seen
        if key in seen:
            self.duplicates += 1
            return False
        position = self.positions.get(symbol)
        if position is None:
            raise LocalProtocolError(f"fill {fill.trade_id} of {symbol!r}, whose lot and currency nobody gave")
        # What is no number is above nothing; it is asked first, as comparing it may raise.
        if not (
            fill.price.is_finite() and quantity.is_finite() and quantity > _ZERO and (fee is None or fee.is_finite())
        ):
            raise LocalProtocolError(
                f"fill {fill.trade_id} of {symbol!r} can't be: {quantity} lots at {fill.price}, fee {fee}"
            )
        currency = position.instrument.currency
        cash, before = self.cash, getcontext()
        setcontext(_EXACT)  # As by `Exactly`: this is done at every fill.
        try:
            cash[currency] = cash.get(currency, _ZERO) + position.fold(fill)
            if fee is None:
                position.fills_without_fee += 1
            else:
                paid_in, fees = fill.fee_currency or currency, position.fees
                if fee or paid_in not in fees:
                    fees[paid_in] = fees.get(paid_in, _ZERO) + fee
                    cash[paid_in] = cash.get(paid_in, _ZERO) - fee
        finally:
            setcontext(before)
        seen.add(key)  # Last: a fill that couldn't be applied may come again.
        return True

    def quantity(self, instrument: str) -> Decimal:
        """Give the open lots, negative for a short position; 0 for what was never traded."""
        position = self.positions.get(instrument)
        return _ZERO if position is None else position.quantity

    def realised(self) -> dict[str, Decimal]:
        """Give the realised profit by currency, before fees."""
        return self._summed((p.instrument.currency, p.realised) for p in self.positions.values())

    def fees(self) -> dict[str, Decimal]:
        """Give the fees paid, by the currency in which they were."""
        return self._summed(item for position in self.positions.values() for item in position.fees.items())

    def open_pnl(self, marks: Mapping[str, Decimal]) -> dict[str, Decimal | None]:
        """Give the open profit by currency at `marks`, prices by symbol; None where a price is missing."""
        return self._marked({}, {symbol: p.open_pnl(marks[symbol]) for symbol, p in self._open() if symbol in marks})

    def equity(self, marks: Mapping[str, Decimal]) -> dict[str, Decimal | None]:
        """Give cash and worth of the positions by currency at `marks`; None where a price is missing."""
        return self._marked(
            self.cash, {symbol: p.worth(marks[symbol]) for symbol, p in self._open() if symbol in marks}
        )

    def total(self, marks: Mapping[str, Decimal], rates: Mapping[str, Decimal] | None = None) -> Decimal | None:
        """Give the equity in the base currency, or None where a price or a rate is missing.

        Args:
            marks: Prices by symbol.
            rates: What one unit of each other currency is worth in the base currency.
        """
        known = {**(rates or {}), self.currency: Decimal(1)}
        total = _ZERO
        for currency, amount in self.equity(marks).items():
            if amount is None or (amount and currency not in known):
                return None
            with Exactly(_EXACT):
                total += amount * known.get(currency, _ZERO)
        return total

    def _open(self) -> list[tuple[str, Position]]:
        return [(symbol, position) for symbol, position in self.positions.items() if position.quantity]

    def _summed(self, amounts: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
        total: dict[str, Decimal] = {}
        with Exactly(_EXACT):
            for currency, amount in amounts:
                total[currency] = total.get(currency, _ZERO) + amount
        return total

    def _marked(self, begin: Mapping[str, Decimal], worth: Mapping[str, Decimal]) -> dict[str, Decimal | None]:
        """Add up by currency; one open position that has no worth makes its whole currency unknown."""
        found: dict[str, Decimal | None] = dict(begin)
        for position in self.positions.values():
            found.setdefault(position.instrument.currency, _ZERO)
        for symbol, position in self._open():
            currency = position.instrument.currency
            before, amount = found[currency], worth.get(symbol)
            with Exactly(_EXACT):
                found[currency] = None if before is None or amount is None else before + amount
        return found

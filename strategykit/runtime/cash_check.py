"""Does the account's cash move as our fills say? A difference is told; where that can't be known, why is told.

Cash can be compared where the venue tells it as a holding of its own, which each fill changes at once by its value: of
shares and currencies at ALOR. Fees may be booked with the fill or later, so that both are right. It can't be where the
venue tells no fees (futures), where cash stands still until the day is settled (T4), and from the moment on at which
somebody else trades on the account: what his fills cost nobody tells us.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Final

import attrs
import trio

from strategykit.model.events import PositionUpdate
from strategykit.model.portfolio import Portfolio

__all__ = ["CashCheck", "Paid", "paid_by"]

ZERO: Final = Decimal(0)

_GRAIN: Final = Decimal("0.01")
"""Money by which a fill's value, or its fee, may be rounded."""


@attrs.frozen(kw_only=True)
class Paid:
    """What fills of this run have moved."""

    cash: Mapping[str, Decimal]
    """By currency, with fees."""
    fees: Mapping[str, Decimal]
    fills: int
    unknown: int = 0
    """Those whose fee, or whose strategy's books, nobody has."""


def paid_by(portfolios: Iterable[Portfolio], *, elsewhere: int = 0) -> Paid:
    """Add up what `portfolios` have paid and got, beside fills of strategies that have none here."""
    cash: dict[str, Decimal] = {}
    fees: dict[str, Decimal] = {}
    fills = unknown = 0
    for book in portfolios:
        for currency, amount in book.cash.items():
            cash[currency] = cash.get(currency, ZERO) + amount
        for currency, amount in book.fees().items():
            fees[currency] = fees.get(currency, ZERO) + amount
        for position in book.positions.values():
            fills, unknown = fills + position.fills, unknown + position.fills_without_fee
    return Paid(cash=cash, fees=fees, fills=fills + elsewhere, unknown=unknown + elsewhere)


@attrs.define(eq=False, kw_only=True)
class CashCheck:
    """Compares the venue's cash with what there was at the start and what fills have moved since."""

    positions: Mapping[str, PositionUpdate]
    """The venue's newest word on each holding; currencies among them."""
    paid: Callable[[], Paid]
    foreign: Callable[[], Mapping[str, Decimal] | None]
    """Gives the lots that fills of other people's orders on the account have added up to; None: too many to count."""
    tell: Callable[[str], None]
    """Takes a line for each difference."""
    keep: Callable[[Mapping[str, Decimal]], None] = lambda _: None
    """Takes the venue's cash when the run ends, for the next one's `before`."""
    note: Callable[[str], None] = lambda _: None
    """Takes a line about what changed between two runs, which is nobody's mistake: people pay in and out."""
    before: Mapping[str, Decimal] | None = None
    """What there was when the last run ended, by its journal; None: nobody knows."""
    _start: dict[str, Decimal] = attrs.field(factory=dict, init=False)
    """By currency: what there would be without our fills."""
    _foreign: dict[str, Decimal] | None = attrs.field(default=None, init=False)
    """What there was of these at the start, or since the last look."""
    _mixed: bool = attrs.field(default=False, init=False)
    """Whether somebody else has traded since the start."""
    _begun: bool = attrs.field(default=False, init=False)
    _last: dict[str, Decimal] = attrs.field(factory=dict, init=False)
    _told: dict[str, Decimal] = attrs.field(factory=dict, init=False)

    @property
    def cash(self) -> dict[str, Decimal]:
        """What the venue counts, by currency, as far as it told."""
        return {name: row.quantity for name, row in self.positions.items() if row.is_currency}

    @property
    def unchecked(self) -> str:
        """Why that can't be held against our fills; empty: it is."""
        if not self._begun:
            return ""
        paid = self.paid()
        untold = sorted(name for name, amount in paid.cash.items() if amount and name not in self._start)
        if not paid.fills:
            return ""
        if untold:
            return f"the venue tells no cash in {', '.join(untold)} that fills change at once"
        if paid.unknown:
            return f"the venue doesn't tell what {paid.unknown} of {paid.fills} fills have cost"
        if self._mixed:
            return "somebody else has traded on the account, and what that has cost isn't told"
        return ""

    def begin(self) -> None:
        """Take what is there now for what there was before our fills. The venue has just told."""
        cash, paid = self.cash, self.paid()
        self._start = {name: amount - paid.cash.get(name, ZERO) for name, amount in cash.items()}
        self._foreign, self._begun = self._lots(), True
        for name in sorted({*cash, *(self.before or {})} if self.before is not None else ()):
            if changed := cash.get(name, ZERO) - (self.before or {}).get(name, ZERO):
                self.note(f"the account has {changed:+,f} {name} more than when the last run ended")

    def look(self) -> dict[str, Decimal]:
        """Give the money that the venue has more, or less, than it should, by currency."""
        self._mixed = self._mixed or (self._begun and self._lots() != self._foreign)
        if not self._begun or self.unchecked:
            return {}
        paid, found = self.paid(), dict[str, Decimal]()
        for name, amount in self.cash.items():
            difference = amount - self._start.get(name, ZERO) - paid.cash.get(name, ZERO)
            fees, grain = paid.fees.get(name, ZERO), _GRAIN * paid.fills
            # Without the fees there is more: they may be booked later.
            if not min(ZERO, fees) - grain <= difference <= max(ZERO, fees) + grain:
                found[name] = difference
        return found

    def untold(self) -> dict[str, Decimal]:
        """Give what differs and hasn't been told, by currency."""
        return {name: amount for name, amount in self.look().items() if self._told.get(name) != amount}

    def _lots(self) -> dict[str, Decimal] | None:
        foreign = self.foreign()
        return None if foreign is None else {symbol: lots for symbol, lots in foreign.items() if lots}

    def look_twice(self) -> None:
        """Tell what differs now as it did the last time."""
        found = self.look()
        for name, amount in found.items():
            if self._last.get(name) == amount != self._told.get(name):
                self._told[name] = amount
                self.tell(f"the venue counts {amount:+,f} {name} besides what our fills and their fees come to")
        self._last = found

    async def settle(self, seconds: float) -> None:
        """Wait until nothing differs but what has been told, so long at most; then tell it, and keep what there is."""
        with trio.move_on_after(seconds):
            while self.untold():  # noqa: ASYNC110 - cash comes by a stream of its own
                await trio.sleep(0.05)
        self._last = self.look()
        self.look_twice()
        if self._begun and self.cash:
            self.keep(self.cash)

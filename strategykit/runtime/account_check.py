"""Does the account hold what our fills say? A difference is told; nobody ever makes it good by inventing a trade."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

import attrs
import trio

from strategykit.model.events import PositionUpdate

__all__ = ["AccountCheck"]

ZERO: Final = Decimal(0)

ASK_AFTER: Final = 0.25
"""Seconds at the end of a run after which the venue is asked about what differs."""


@attrs.define(eq=False, kw_only=True)
class AccountCheck:
    """Compares the venue's positions with what others held at the start and what fills have changed since."""

    positions: Mapping[str, PositionUpdate]
    """The venue's newest word on each holding."""
    held: Callable[[], Mapping[str, Decimal]]
    """Gives the lots that all our strategies hold, by instrument."""
    foreign: Callable[[], Mapping[str, Decimal] | None]
    """Gives the lots that fills of other people's orders on the account have added up to; None: too many to count."""
    tell: Callable[[str], None]
    """Takes a line for each difference."""
    keep: Callable[[Mapping[str, Decimal]], None] = lambda _: None
    """Takes what isn't ours, for the next run's `before`."""
    certain: Callable[[], bool] = lambda: True
    """Whether none of our own fills can be what makes the difference: only then what isn't ours is kept."""
    before: Mapping[str, Decimal] | None = None
    """What others held when the last run was looked at, by its journal; None: nobody knows."""
    others: dict[str, Decimal] = attrs.field(factory=dict, init=False)
    """What isn't ours, by instrument: known once `begin` was called."""
    _begun: bool = attrs.field(default=False, init=False)
    _told: dict[str, Decimal] = attrs.field(factory=dict, init=False)
    _last: dict[str, Decimal] = attrs.field(factory=dict, init=False)
    _besides_last: dict[str, Decimal] | None = attrs.field(default=None, init=False)
    _kept: dict[str, Decimal] | None = attrs.field(default=None, init=False)

    def begin(self) -> None:
        """Take what is there now, besides our own, for other people's. The venue has just told."""
        found, foreign = self._besides(), self.foreign() or {}
        self.others = {symbol: found.get(symbol, ZERO) - foreign.get(symbol, ZERO) for symbol in {*found, *foreign}}
        self._begun = True
        if self.before is not None:
            for symbol in sorted({*self.before, *found}):
                if lots := found.get(symbol, ZERO) - self.before.get(symbol, ZERO):
                    self.tell(
                        f"the account holds {lots:+} {symbol} besides what the journal knows of: somebody else has "
                        "traded on it since, or fills of ours are missing; look before you trust a position"
                    )
        self._keep(found)

    def amiss(self) -> dict[str, Decimal] | None:
        """Give what `look` does; None where the account can't be compared with our fills."""
        return self.look() if self._begun and self.foreign() is not None else None

    def look(self) -> dict[str, Decimal]:
        """Give the lots that the venue has more, or less, than it should, by instrument."""
        foreign = self.foreign()
        if not self._begun or foreign is None:
            return {}
        found = self._besides()
        expected = {
            symbol: self.others.get(symbol, ZERO) + foreign.get(symbol, ZERO)
            for symbol in {*found, *self.others, *foreign}
        }
        differences = {symbol: found.get(symbol, ZERO) - lots for symbol, lots in expected.items()}
        return {symbol: lots for symbol, lots in differences.items() if lots}

    def look_twice(self) -> None:
        """Tell what differs now as it did the last time."""
        found, besides = self.look(), self._besides_for_sure()
        for symbol, lots in found.items():
            if self._last.get(symbol) == lots != self._told.get(symbol):
                self._told[symbol] = lots
                self.tell(f"the venue counts {lots:+} {symbol} besides our fills and other people's that it told us of")
        if besides is not None and besides == self._besides_last:
            self._keep(besides)
        self._last, self._besides_last = found, besides

    async def settle(self, seconds: float, *, ask: Callable[[], object] = lambda: None) -> None:
        """Wait until nothing differs but what has been told, so long at most; then tell what does.

        Args:
            seconds: To wait at the most.
            ask: Has fills, orders and positions asked for once more: called if something goes on differing.
        """
        with trio.move_on_after(seconds):
            with trio.move_on_after(ASK_AFTER):
                await self._agreed()
            if self.untold():
                ask()
            await self._agreed()
        self._last, self._besides_last = self.look(), self._besides_for_sure()
        self.look_twice()

    def untold(self) -> dict[str, Decimal]:
        """Give what differs and hasn't been told, by instrument."""
        return {symbol: lots for symbol, lots in self.look().items() if self._told.get(symbol) != lots}

    async def _agreed(self) -> None:
        while self.untold():  # noqa: ASYNC110 - positions come by a stream of their own
            await trio.sleep(0.05)

    def _besides(self) -> dict[str, Decimal]:
        """Give what the venue counts besides our own, by instrument."""
        ours = self.held()
        theirs = {symbol: row.quantity for symbol, row in self.positions.items() if not row.is_currency}
        found = {symbol: theirs.get(symbol, ZERO) - ours.get(symbol, ZERO) for symbol in sorted({*theirs, *ours})}
        return {symbol: lots for symbol, lots in found.items() if lots}

    def _besides_for_sure(self) -> dict[str, Decimal] | None:
        """Give the same, or None while it may yet turn out to be ours: the next run would miss it at the account."""
        return self._besides() if self.certain() else None

    def _keep(self, besides: dict[str, Decimal]) -> None:
        if self._begun and besides != self._kept:
            self._kept = besides
            self.keep(besides)

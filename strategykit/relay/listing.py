"""What a relay's venue lists: asked for when a client wants to know, and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import trio

from strategykit.model.instruments import Instrument
from strategykit.relay.channels import is_symbol
from strategykit.relay.upstream import CallRefused, CantBeAsked, Upstream, ask_venue
from strategykit.venues.dialect import AskInstrument, AskInstruments

__all__ = ["Listing"]

_MOST: Final = 5_000
"""Instruments that were asked for one by one, and are kept."""

_SECOND: Final = 1_000_000_000
_FRESH: Final = 600 * _SECOND
"""Nanoseconds for which a list is good: large venues' are tens of megabytes."""

_AGAIN: Final = 5 * _SECOND
"""Nanoseconds before a list that didn't come is asked for again, whoever wants it."""


class Listing:
    """Instruments of one venue.

    Args:
        upstream: The run that has it.
        exchange: Which of its exchanges.
        now: The time, nanoseconds UTC.
        wanted: Gives symbols that somebody has use for: all that can be told of where a venue gives no list.
    """

    def __init__(
        self, upstream: Upstream, *, exchange: str | None, now: Callable[[], int], wanted: Callable[[], Iterable[str]]
    ) -> None:
        self._upstream = upstream
        self._exchange = exchange
        self._now = now
        self._wanted = wanted
        self._known: dict[str, Instrument] = {}
        self._listed: Sequence[Instrument] | None = None
        self._asked_at: int | None = None
        self._trouble: CallRefused | None = None
        self._one = trio.Lock()

    async def find(self, symbol: str) -> Instrument:
        """Give one instrument, asked for once.

        Raises:
            CallRefused: The venue doesn't know it, or gave no answer.
        """
        await trio.lowlevel.checkpoint()
        if symbol not in self._known:
            rows = await ask_venue(self._upstream, AskInstrument(instrument=symbol, exchange=self._exchange))
            found = [row for row in rows if isinstance(row, Instrument) and row.symbol == symbol]
            if not found:
                raise CallRefused(404, f"the venue doesn't know {symbol}")
            if len(self._known) >= _MOST:
                del self._known[next(iter(self._known))]
            self._known[symbol] = found[0]
        return self._known[symbol]

    async def all(self) -> Sequence[Instrument]:
        """Give all that the venue lists; the same object as long as it is the same list.

        A list that doesn't come leaves the one of before. Where the venue can't be asked for one, it is what somebody
        has use for, or has asked about.

        Raises:
            CallRefused: The venue gave no answer, and never gave one before.
        """
        try:
            async with self._one:  # Who comes while one asks gets the same answer.
                await self._refresh()
        except CantBeAsked:
            return await self._some()
        if self._listed is None:
            assert self._trouble is not None
            raise CallRefused(self._trouble.status, str(self._trouble))
        return self._listed

    async def _refresh(self) -> None:
        good = _FRESH if self._trouble is None else _AGAIN
        if self._asked_at is not None and self._now() - self._asked_at < good:
            return
        try:
            rows = await ask_venue(self._upstream, AskInstruments(exchange=self._exchange))
        except CantBeAsked:
            raise
        except CallRefused as exc:
            self._trouble = exc
        else:
            self._trouble = None
            self._listed = [row for row in rows if isinstance(row, Instrument) and is_symbol(row.symbol)]
        self._asked_at = self._now()

    async def _some(self) -> Sequence[Instrument]:
        for symbol in dict.fromkeys(self._wanted()):
            try:
                await self.find(symbol)
            except CallRefused:
                continue
        return list(self._known.values())

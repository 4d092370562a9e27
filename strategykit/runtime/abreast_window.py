"""A window of several runs: events from one position to another, with no deadline of any run between them."""

from __future__ import annotations

from collections.abc import Sequence
from operator import length_hint
from typing import Any, Final

from strategykit.runtime.abreast_loops import WayOfOne, give_abreast, give_lanes_abreast
from strategykit.runtime.abreast_turn import SharedEvents, TurnOfOne
from strategykit.runtime.clock import ReplayClock
from strategykit.runtime.courses import ignore

__all__ = ["Window"]

RESTLESS: Final = 32
"""Times in a window that a run may have something to do between two events, before it gets the rest by itself."""


class Window:
    """Gives each run its events."""

    def __init__(
        self, turns: Sequence[TurnOfOne], shared: SharedEvents, clock: ReplayClock, position: int, stop: int
    ) -> None:
        self._turns = turns
        self._shared = shared
        self._clock = clock
        self._position = position
        self._stop = stop
        self._together: list[TurnOfOne | None] = []
        """Those that get events side by side; None: one that has left them."""

    async def play(self) -> None:
        clock, began = self._clock, self._clock.reading
        for turn in self._turns:
            turn.restless //= 2
            if turn.may_share(self._position, self._stop):
                self._together.append(turn)
            else:
                clock.reading = began
                await turn.play_between(self._position, self._stop)
        clock.reading = began
        together = [turn for turn in self._together if turn is not None]
        if together:
            known = together[0].known()
            for turn in together:
                turn.follow(known)
            await self._play_together(together[0])
        clock.reading = max(clock.reading, self._shared.times[self._stop - 1])

    async def _play_together(self, first: TurnOfOne) -> None:
        shared, stop, position = self._shared, self._stop, self._position
        # Once, whoever leaves: what the first one would note is what all would.
        meets = [lane.meet for lane in first.lanes]
        failures = first.engine.failures
        while position < stop and any(turn is not None for turn in self._together):
            ways = self._ways()
            ticks = iter(shared.times[position:stop])
            events = iter(shared.events[position:stop])
            if shared.codes:
                coded = zip(ticks, shared.codes[position:stop], events, strict=False)
                found = give_lanes_abreast(coded, meets, ways, self._clock, failures, self._raised)
            else:
                batch = zip(ticks, events, strict=False)
                found = give_abreast(batch, meets[0], ways[0], self._clock, failures, self._raised)
            position = stop - length_hint(ticks)
            if found is not None:
                part = shared.codes[position - 1] if shared.codes else 0
                await self._go_on(found, ways[part], position)

    def _ways(self) -> list[list[WayOfOne]]:
        """Give the ways of each part's events, run by run."""
        return [
            [
                (sink, call, (place, feed))
                for place, turn in enumerate(self._together)
                if turn is not None
                for sink, call, feed in turn.lanes[part].ways
            ]
            for part in range(len(self._shared.stretch.parts))
        ]

    async def _go_on(self, found: tuple[Any, WayOfOne], ways: Sequence[WayOfOne], position: int) -> None:
        """Have happen what follows from the event before `position`, in the run that got it last; then give it on."""
        failures, last = self._turns[0].engine.failures, ways.index(found[1])
        # Not the event's own time: one that waited for others comes later than it was received.
        turn = self._shared.times[position - 1], found[0]
        while True:
            place = ways[last][2][0]
            while last + 1 < len(ways) and ways[last + 1][2][0] == place:  # The other feeds of the same run.
                last += 1
                give_abreast(iter([turn]), ignore, [ways[last]], self._clock, failures, self._raised)
            await self._follow_up(place, position)
            rest = ways[last + 1 :]
            again = give_abreast(iter([turn]), ignore, rest, self._clock, failures, self._raised)
            if again is None:
                return
            last += 1 + rest.index(again[1])

    async def _follow_up(self, place: int, position: int) -> None:
        turn = self._together[place]
        assert turn is not None
        now = self._clock.reading
        await turn.quiet()
        turn.restless += 1
        if position < self._stop and turn.restless < RESTLESS and turn.may_share(position, self._stop):
            return
        self._together[place] = None
        if position < self._stop:
            await turn.play_between(position, self._stop)
            self._clock.reading = now

    def _raised(self, owner: tuple[int, Any], error: BaseException) -> None:
        turn = self._together[owner[0]]
        assert turn is not None
        turn.raised(owner[1], error)

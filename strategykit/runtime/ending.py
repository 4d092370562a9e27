"""How a live run ends: when its time is over, by a signal, by a refused login, by an error of the program's own.

Whatever the reason, it is told to stop, gets some time, is hurried, and ends without those that are still there.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import attrs
import trio

from strategykit.errors import ConfigError, ConnectionLost, LoginRefused
from strategykit.net.inbox import Inbox
from strategykit.net.venue import LiveVenue
from strategykit.runtime.assembly import Run
from strategykit.runtime.compare import compare_books, loose_ends
from strategykit.runtime.kill import KILL_WITHIN
from strategykit.runtime.recording import NullLedger, stop_input
from strategykit.runtime.stops import Stops

__all__ = ["FOREIGN", "LEAVE_WITHIN", "Ending", "Failure"]

STOP_WITHIN: Final = 3.0
"""Seconds that an interrupted run gives its strategies to leave; then clean-up is cut short."""

LEAVE_WITHIN: Final = 20.0
"""The same where nobody waits at a terminal: one clean-up of 10 s, and as long for orders in doubt."""

FAULT_WITHIN: Final = 2.0
"""The same after an error of the program's own, when nothing is done but to withdraw orders."""

HURRY_WITHIN: Final = 0.3
"""Seconds from there, or from the second signal, to the end of all tasks."""

COMPARE_WITHIN: Final = 0.5
"""Seconds that are left then to compare books, whatever strategies have done with theirs: a question and its answer
over a slow network."""

COMPARE_AT_ONCE: Final = 0.2
"""The same after the second signal."""


FOREIGN: Final = (LoginRefused, ConfigError, ConnectionLost)
"""Errors that are no fault of the program's: with them a run can't begin, and they are raised."""


class Failure:
    """The first error of the program's own that a run met.

    Args:
        note: Takes a source and a line for the run's record.
        kinds: What may go wrong without ending the whole program.
    """

    def __init__(self, note: Callable[[str, str], None], kinds: tuple[type[BaseException], ...]) -> None:
        self._note = note
        self.kinds = kinds
        self.error: BaseException | None = None
        self.came = trio.Event()

    def note(self, error: BaseException) -> None:
        """Keep it, or the first one of a group, unless there was one before."""
        if self.error is None:
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            self.error = error
            self._note("run", f"is ended by {self}")
        self.came.set()

    async def guard(self, function: Callable[..., Awaitable[object]], *arguments: object) -> None:
        """Run a part of the program; if it fails, that is kept, and nothing else is cancelled."""
        try:
            await function(*arguments)
        except* FOREIGN:
            raise
        except* self.kinds as group:
            self.note(group)

    def __str__(self) -> str:
        """Say which error it was, and where it came from, in one line."""
        frames = [] if self.error is None else traceback.extract_tb(self.error.__traceback__)[-3:]
        where = ", ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
        first = str(self.error).partition("\n")[0]
        return f"an error of the program's own: {type(self.error).__name__}: {first} ({where})"


@attrs.define(eq=False, kw_only=True)
class Ending:
    """Ends one run. Its tasks run beside it, until `everything` is cancelled, by one of them or because it is over."""

    run: Run
    everything: trio.CancelScope
    venue: LiveVenue
    stops: Stops
    ledger: NullLedger
    inbox: Inbox
    wall: Callable[[], int]
    failure: Failure
    leave_within: float
    """Seconds that strategies get to leave when nobody waits."""
    refusal: str = attrs.field(default="", init=False)
    """Why the venue won't have us any more; empty while it does."""
    must_end: float = attrs.field(default=math.inf, init=False)
    """On Trio's clock: when a run that was told to stop by a signal has to be over."""

    async def when_refused(self) -> None:
        """End while the last token lives: orders can still be cancelled, which they couldn't be later."""
        self.refusal = f"the run was ended, because its login can't be renewed: {await self.venue.wait_refused()}"
        self.ledger.note("venue", self.refusal)
        # Where orders go is closed for good, too, when the venue has ended its session: then nothing can be withdrawn.
        is_closed = self.venue.is_closed(self.run.engine.command_connection)
        await self._end(FAULT_WITHIN if is_closed else self.leave_within)

    async def when_failed(self) -> None:
        """End when something of ours has failed: only to withdraw the orders."""
        await self.failure.came.wait()
        self.run.supervisor.abort()
        await self._end(FAULT_WITHIN)

    async def when_killed(self) -> None:
        """End when the kill switch was pulled and has had its time, or has come to its end before."""
        await self.run.kill.pulled.wait()
        with trio.move_on_after(KILL_WITHIN):
            await self.run.kill.settled.wait()
        await self._end(FAULT_WITHIN)

    async def after(self, seconds: float) -> None:
        """End when the time is over.

        Raises:
            ConnectionLost: The run hasn't begun by then.
        """
        await trio.sleep(seconds)
        reason = self.venue.trouble()
        if reason or (self.run.supervisor.seats and not self.run.ready):
            raise ConnectionLost(f"the venue wasn't ready within {seconds:g} s" + (f": {reason}" if reason else ""))
        await self._end(self.leave_within)

    async def when_signalled(self) -> None:
        """End at the first signal, with time to clean up; at once at the second.

        The process is left by force where even that takes too long: a strategy may never give the thread back.
        """
        self.stops.why = self._why
        await self.stops.wait(1)
        self.must_end = trio.current_time() + STOP_WITHIN + HURRY_WITHIN + COMPARE_WITHIN
        self.stops.abandon_in(STOP_WITHIN + HURRY_WITHIN + COMPARE_WITHIN, self._why)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._end, STOP_WITHIN)
            await self.stops.wait(2)
            self.stops.abandon_in(HURRY_WITHIN + COMPARE_AT_ONCE, self._why)

    async def compare(self) -> list[str]:
        """Compare our books with the venue's, for as long as there is time; give a line for each difference."""
        lines = [*loose_ends(self.run), "stopped before the venue's orders came"]
        async with trio.open_nursery() as nursery:
            nursery.cancel_scope.deadline = self.must_end
            nursery.start_soon(self._cut_short, nursery.cancel_scope)
            lines = await compare_books(self.run, self.venue, self.inbox)
            nursery.cancel_scope.cancel()
        return lines

    def reasons(self) -> list[str]:
        """Say what ended the run, where that is nothing one wants: a line each."""
        failed = [] if self.failure.error is None else [f"the run was ended by {self.failure}"]
        return [*failed, self.refusal] if self.refusal else failed

    async def _end(self, within: float) -> None:
        stop_input(self.ledger, self.inbox, self.wall(), "stop")
        with trio.move_on_after(within):
            await self.stops.wait(2)
        stop_input(self.ledger, self.inbox, self.wall(), "hurry")
        await trio.sleep(HURRY_WITHIN)
        self.everything.cancel()

    def _why(self) -> str:
        stuck = self.run.supervisor.stuck()
        left = [order for order in self.run.gateway.orders.values() if order.is_open]
        who = f"{', '.join(stuck)} didn't end when told to" if stuck else "the run didn't end when told to"
        return f"{who}; left without it, with {len(left)} orders open or in doubt"

    async def _cut_short(self, scope: trio.CancelScope) -> None:
        await self.stops.wait(2)
        scope.deadline = min(scope.deadline, trio.current_time() + COMPARE_AT_ONCE)

"""A run on real wires: from a checked session to a report, with a tape of all of it."""

from __future__ import annotations

import math
import platform
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import attrs
import trio

from strategykit.errors import ConnectionLost, StrategykitError, only_error
from strategykit.model.codec import make_converter
from strategykit.net.inbox import Inbox
from strategykit.net.recorder import Recorder
from strategykit.net.venue import LiveVenue
from strategykit.runtime.assembly import ACCOUNT, READY_WITHIN, Identity, Run, assemble
from strategykit.runtime.clock import WallClock
from strategykit.runtime.compare import compare_books, loose_ends
from strategykit.runtime.lag import Lag
from strategykit.runtime.prices import LastPrices
from strategykit.runtime.recording import Notes, NullLedger, RunLedger, RunRecorder, Unrecorded, stop_input
from strategykit.runtime.report import ConnectionReport, Digest, RunReport, report
from strategykit.runtime.stops import Stops
from strategykit.runtime.waking import Doorbell, Wakes
from strategykit.runtime.watchdog import LIMIT, Watchdog
from strategykit.runtime.wires import LivePort, LiveWires, PaperPort
from strategykit.sim.paper import PaperExchange
from strategykit.strategy import Strategy
from strategykit.tape.format import TapeHeader
from strategykit.tape.redact import Redactor
from strategykit.tape.writer import TapeWriter, open_tape_writer
from strategykit.venues.dialect import Dialect
from strategykit.venues.streams import Stream

__all__ = ["LivePlan", "Progress", "run_live"]

REACH_WITHIN: Final = 5.0
"""Seconds for any of the venue's doors to open at the start. Later outages are waited for, however long."""

STOP_WITHIN: Final = 3.5
"""Seconds that an interrupted run gives its strategies to leave; then clean-up is cut short."""

HURRY_WITHIN: Final = 0.4
"""Seconds from there, or from the second signal, to the end of all tasks."""

COMPARE_WITHIN: Final = 0.3
"""Seconds that are left then to compare books."""


@attrs.frozen(kw_only=True)
class Progress:
    """Where a run stands, for whoever watches."""

    elapsed: float
    """Seconds."""
    events: int
    orders: int
    fills: int
    connections: Mapping[str, str]
    waiting: int
    """Inputs that have come and aren't dispatched yet."""


@attrs.frozen(kw_only=True)
class LivePlan:
    """All that a live run needs to know."""

    dialect: Dialect
    connect: Callable[[Inbox, Recorder, Callable[[], int], Any], LiveVenue]
    """Makes the venue's wires from an inbox, a recorder, the time and a random generator."""
    account: str
    exchange: str | None
    market_connections: int
    strategies: Sequence[tuple[str, Strategy]] = ()
    record: Sequence[Stream] = ()
    """Streams to record whether or not a strategy wants them."""
    duration: int | None = None
    """Nanoseconds; None: until stopped."""
    seed: int | None = None
    tape: Path | None = None
    """Folder of the tape; None: nothing is recorded."""
    facts: Mapping[str, Any] = attrs.field(factory=dict)
    """What a re-run needs besides: kept in the tape's header."""
    keep_orders: bool = False
    paper: Callable[[Mapping[str, Any]], PaperExchange] | None = None
    """Makes an exchange that answers the orders instead of the venue."""
    on_progress: Callable[[Progress], None] = lambda _: None
    meanwhile: Callable[[Run], Any] | None = None
    """An async function that runs beside, such as one that breaks wires in a demonstration."""
    handle_signals: bool = True
    hold_limit: float = LIMIT
    """Seconds that a strategy may hold the thread before it is interrupted."""


def wall_time() -> Callable[[], int]:
    """Make a clock that gives nanoseconds UTC and never goes back: the origin is read once."""
    origin = time.time_ns() - time.perf_counter_ns()
    counter = time.perf_counter_ns
    return lambda: origin + counter()


def run_live(plan: LivePlan) -> RunReport:
    """Run a session on real wires until its time is over, it is stopped, or its strategies have ended.

    Raises:
        LoginRefused: The venue doesn't accept us.
        ConfigError: An address, token or parameter is wrong.
        ConnectionLost: The venue wasn't ready in time.
    """
    wall = wall_time()
    watchdog = Watchdog(plan.hold_limit)
    clock = WallClock(wall, watchdog)
    redactor = Redactor()  # For all that leaves the run: tape, report and errors.
    with watchdog.watching(), redactor.errors():
        return trio.run(_main, plan, clock, wall, watchdog, redactor, clock=clock, instruments=[clock])


async def _main(
    plan: LivePlan, clock: WallClock, wall: Callable[[], int], watchdog: Watchdog, redactor: Redactor
) -> RunReport:
    try:
        with Stops() as stops:
            async with trio.open_nursery() as listening:
                if plan.handle_signals:
                    await listening.start(stops.listen)
                result = await _record_run(plan, clock, wall, watchdog, redactor, stops)
                listening.cancel_scope.cancel()
    except* StrategykitError as group:
        raise only_error(group) from None
    return result


async def _record_run(
    plan: LivePlan,
    clock: WallClock,
    wall: Callable[[], int],
    watchdog: Watchdog,
    redactor: Redactor,
    stops: Stops,
) -> RunReport:
    identity = Identity(plan.seed if plan.seed is not None else secrets.randbits(63), clock.start)
    notes = Notes(redactor)
    async with _open_tape(plan, identity, wall, redactor) as writer:
        converter = make_converter()
        ledger = NullLedger(notes, wall) if writer is None else RunLedger(notes, wall, writer, converter)
        recorder: Recorder = Unrecorded(redactor) if writer is None else RunRecorder(writer, converter)
        session = _Session(plan, clock, wall, watchdog, stops, identity, notes, ledger, recorder, converter)
        result = redactor.report(await session.run())
        if writer is not None:
            writer.summary({"digest": result.digest, "events": result.events})
            failure = "" if writer.failed is None else str(writer.failed)
            result = attrs.evolve(result, tape=str(plan.tape), tape_failure=failure)
    return result


@asynccontextmanager
async def _open_tape(
    plan: LivePlan, identity: Identity, wall: Callable[[], int], redactor: Redactor
) -> AsyncGenerator[TapeWriter | None]:
    if plan.tape is None:
        yield None
        return
    header = TapeHeader(
        created=identity.start,
        venue=plan.dialect.name,
        seed=identity.seed,
        clock_origin=identity.start,
        strategykit_version=version("strategykit"),
        python_version=platform.python_version(),
        session=dict(plan.facts),
    )
    async with open_tape_writer(plan.tape, header, now=wall, redactor=redactor) as writer:
        yield writer


class _Session:
    """The tasks of one live run."""

    def __init__(
        self,
        plan: LivePlan,
        clock: WallClock,
        wall: Callable[[], int],
        watchdog: Watchdog,
        stops: Stops,
        identity: Identity,
        notes: Notes,
        ledger: NullLedger,
        recorder: Recorder,
        converter: Any,
    ) -> None:
        self.plan = plan
        self.clock = clock
        self.wall = wall
        self.watchdog = watchdog
        self.stops = stops
        self.must_end = math.inf
        """On Trio's clock: when a run that was told to stop has to be over."""
        self.identity = identity
        self.notes = notes
        self.ledger = ledger
        self.bell = Doorbell()
        self.inbox = Inbox(self.bell.ring)
        self.venue = plan.connect(self.inbox, recorder, wall, identity.random("net"))
        self.converter = converter
        self.digest = Digest()
        self.prices = LastPrices()
        self.done = trio.Event()
        self.refusal = ""
        """Why the venue won't have us any more; empty while it does."""

    async def run(self) -> RunReport:
        """Run everything; the venue outlives the strategies, so that their clean-up gets its answers."""
        async with trio.open_nursery() as wires:
            wires.start_soon(self.venue.run, ())
            async with trio.open_nursery() as outer:
                run, lag = await outer.start(self._play)
                outer.start_soon(self._watch, run)
                outer.start_soon(self._obey_signals, run, outer.cancel_scope)
                outer.start_soon(self._give_up)
                outer.start_soon(self._stop_when_refused)
                if self.plan.duration is not None:
                    outer.start_soon(self._stop_after, self.plan.duration * 1e-9, run)
                if self.plan.meanwhile is not None:
                    outer.start_soon(self.plan.meanwhile, run)
                # Not a moment longer than the run, and not in the midst of a slice: a re-run dispatches whole ones.
                await run.driver.follow(self.inbox, self.bell, self.clock, self.ledger, self.done)
                outer.cancel_scope.cancel()
            self.stops.stay()
            unaccounted = await self._compare(run)
            if self.refusal:
                unaccounted = [self.refusal, *unaccounted]
            connections = self._connections(lag)
            wires.cancel_scope.cancel()
        return report(
            run,
            notes=self.notes,
            digest=self.digest,
            connections=connections,
            marks=self.prices.prices,
            unaccounted=unaccounted,
            tape=None,
            tape_failure="",
        )

    async def _play(self, *, task_status: trio.TaskStatus[tuple[Run, Lag]]) -> None:
        """Assemble the run and play it. This task and all below it are the run's own: the clock waits for them."""
        self.clock.adopt()
        # Time may have moved while the tape was opened: a re-run begins at this reading, too.
        self.ledger.mark(self.clock.reading, 0)
        plan = self.plan
        wakes = Wakes(self.bell.ring)
        try:
            async with trio.open_nursery() as nursery:
                port: LivePort | PaperPort
                if plan.paper is None:
                    port = LivePort(self.venue, plan.dialect, self.ledger, self.converter, lambda: run.engine)
                else:
                    port = PaperPort(self.ledger, self.converter, lambda: run.engine, self.clock, self.bell.ring)
                run = assemble(
                    identity=self.identity,
                    clock=self.clock,
                    wakes=wakes,
                    dialect=plan.dialect,
                    market_connections=plan.market_connections,
                    wires=LiveWires(self.venue, plan.dialect),
                    port=port,
                    ledger=self.ledger,
                    strategies=plan.strategies,
                    instruments={},
                    account=plan.account,
                    exchange=plan.exchange,
                    nursery=nursery,
                    paper=plan.paper,
                    trades_at_venue=plan.paper is None and bool(plan.strategies),
                    live=True,
                    require_history=True,
                    keep_orders=plan.keep_orders,
                    watchers=[self.digest, self.prices],
                    watchdog=self.watchdog,
                )
                lag = Lag(run.engine.table)
                run.engine.watchers.append(lag)
                task_status.started((run, lag))
                for stream in plan.record:
                    run.engine.want(stream, ACCOUNT, None)
                await run.play()
                if not plan.strategies and not run.supervisor.stopping:
                    run.supervisor.opening = trio.CancelScope()  # `play` has used the one before.
                    with run.supervisor.opening:
                        await trio.sleep_forever()
                self._finish()
                # What is still dispatched may start tasks: the nursery goes after the driver.
                await trio.sleep_forever()
        finally:
            self._finish()

    def _finish(self) -> None:
        self.done.set()
        self.bell.ring()

    async def _watch(self, run: Run) -> None:
        """Tell progress twice a second."""
        while True:
            gateway = run.gateway
            self.plan.on_progress(
                Progress(
                    elapsed=(self.wall() - self.clock.start) * 1e-9,
                    events=self.digest.events,
                    orders=len(gateway.orders),
                    fills=sum(len(order.fills_seen) for order in gateway.orders.values()),
                    connections={item.name: item.state for item in self.venue.statistics()},
                    waiting=len(self.inbox.waiting),
                )
            )
            await trio.sleep(0.5)

    async def _give_up(self) -> None:
        """End a run that can't begin, because nothing at all can be reached."""
        await trio.sleep(REACH_WITHIN)
        for _ in range(round(READY_WITHIN - REACH_WITHIN)):
            trouble = self.venue.trouble()
            if trouble:
                raise ConnectionLost(f"the venue isn't there: {trouble}")
            await trio.sleep(1.0)

    async def _stop_when_refused(self) -> None:
        """Stop while the last token lives: orders can still be cancelled, which they couldn't be later."""
        self.refusal = f"the run was ended, because its login can't be renewed: {await self.venue.wait_refused()}"
        self.ledger.note("venue", self.refusal)
        stop_input(self.ledger, self.inbox, self.wall(), "stop")

    async def _stop_after(self, seconds: float, run: Run) -> None:
        await trio.sleep(seconds)
        reason = self.venue.trouble()
        if reason or (self.plan.strategies and not run.ready):
            raise ConnectionLost(f"the venue wasn't ready within {seconds:g} s" + (f": {reason}" if reason else ""))
        stop_input(self.ledger, self.inbox, self.wall(), "stop")

    async def _obey_signals(self, run: Run, everything: trio.CancelScope) -> None:
        """Stop on the first signal, with time to clean up; at once on the second."""

        def why() -> str:
            stuck, left = run.supervisor.stuck(), [order for order in run.gateway.orders.values() if order.is_open]
            who = f"{', '.join(stuck)} didn't end when told to" if stuck else "the run didn't end when told to"
            return f"{who}; left without it, with {len(left)} orders open or in doubt"

        await self.stops.wait(1)
        self.must_end = trio.current_time() + STOP_WITHIN + HURRY_WITHIN + COMPARE_WITHIN
        self.stops.abandon_in(STOP_WITHIN + HURRY_WITHIN + COMPARE_WITHIN, why)
        stop_input(self.ledger, self.inbox, self.wall(), "stop")
        with trio.move_on_after(STOP_WITHIN):
            await self.stops.wait(2)
            self.stops.abandon_in(HURRY_WITHIN + COMPARE_WITHIN, why)
        stop_input(self.ledger, self.inbox, self.wall(), "hurry")
        await trio.sleep(HURRY_WITHIN)
        everything.cancel()

    async def _compare(self, run: Run) -> list[str]:
        """Compare our books with the venue's, for as long as there is time."""
        lines = [*loose_ends(run), "stopped before the venue's orders came"]
        async with trio.open_nursery() as nursery:
            nursery.cancel_scope.deadline = self.must_end
            nursery.start_soon(self._cut_short, nursery.cancel_scope)
            lines = await compare_books(run, self.venue, self.inbox)
            nursery.cancel_scope.cancel()
        return lines

    async def _cut_short(self, scope: trio.CancelScope) -> None:
        await self.stops.wait(2)
        scope.deadline = min(scope.deadline, trio.current_time() + COMPARE_WITHIN)

    def _connections(self, lag: Lag) -> list[ConnectionReport]:
        return [
            ConnectionReport(
                name=item.name,
                lane=item.lane,
                state=item.state,
                frames_in=item.frames_in,
                frames_out=item.frames_out,
                reconnects=max(item.sessions - 1, 0),
                lag_p50=lag.percentile(item.name, 0.5),
                lag_p99=lag.percentile(item.name, 0.99),
            )
            for item in self.venue.statistics()
        ]

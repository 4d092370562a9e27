"""A run on real wires: from a checked session to a report, with a tape of all of it."""

from __future__ import annotations

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

from strategykit.errors import (
    STRATEGY_FAILURES,
    ConnectionLost,
)
from strategykit.model.codec import make_converter
from strategykit.net.inbox import Inbox
from strategykit.net.recorder import Recorder
from strategykit.net.venue import LiveVenue
from strategykit.runtime.assembly import ACCOUNT, READY_WITHIN, Identity, Run, assemble
from strategykit.runtime.clock import WallClock
from strategykit.runtime.ending import FOREIGN, LEAVE_WITHIN, Ending, Failure
from strategykit.runtime.home import run_with_home
from strategykit.runtime.lag import Lag
from strategykit.runtime.prices import LastPrices
from strategykit.runtime.recording import Notes, NullLedger, RunLedger, RunRecorder, Unrecorded, stop_input
from strategykit.runtime.report import ConnectionReport, Digest, RunReport, report
from strategykit.runtime.stops import Stops
from strategykit.runtime.waking import Doorbell, Wakes
from strategykit.runtime.watchdog import LIMIT, Watchdog
from strategykit.runtime.wires import DurableJournal, LivePort, LiveWires, PaperPort
from strategykit.sim.paper import PaperExchange
from strategykit.strategy import Strategy
from strategykit.tape.format import TapeHeader
from strategykit.tape.redact import Redactor
from strategykit.tape.writer import TapeWriter, open_tape_writer
from strategykit.venues.dialect import Dialect
from strategykit.venues.streams import Stream

__all__ = ["LivePlan", "Progress", "live_main", "run_live", "wall_time"]

REACH_WITHIN: Final = 5.0
"""Seconds for any of the venue's doors to open at the start. Later outages are waited for, however long."""


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
    """An async function that runs beside, such as one that breaks wires in a demonstration. What it raises ends the run
    and is raised."""
    handle_signals: bool = True
    leave_within: float = LEAVE_WITHIN
    """Seconds that strategies get to leave when the duration is over; the run goes on without those that don't."""
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
        return run_with_home(clock, lambda home: live_main(home, plan, clock, wall, watchdog, redactor, Stops()))


async def live_main(
    home: trio.Nursery,
    plan: LivePlan,
    clock: WallClock,
    wall: Callable[[], int],
    watchdog: Watchdog,
    redactor: Redactor,
    stops: Stops,
) -> RunReport:
    """Do what `run_live` does, in a loop that runs already, by `clock`; its strategies live in `home`."""
    with stops:
        async with trio.open_nursery() as listening:
            if plan.handle_signals:
                await listening.start(stops.listen)
            result = await _record_run(home, plan, clock, wall, watchdog, redactor, stops)
            listening.cancel_scope.cancel()
    return result


async def _record_run(
    home: trio.Nursery,
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
        session = _Session(home, plan, clock, wall, watchdog, stops, identity, notes, ledger, recorder, converter)
        result = redactor.report(await session.run())
        redactor.error(result.fault)
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
        home: trio.Nursery,
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
        self.home = home
        self.plan = plan
        self.clock = clock
        self.wall = wall
        self.watchdog = watchdog
        self.stops = stops
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
        self.journal: DurableJournal | None = None
        # Where signals are taken care of, a KeyboardInterrupt is nobody's Ctrl-C: somebody has raised it by himself.
        kinds = (*STRATEGY_FAILURES, KeyboardInterrupt) if plan.handle_signals else STRATEGY_FAILURES
        self.failure = Failure(ledger.note, kinds)

    async def run(self) -> RunReport:
        """Run everything; the venue outlives the strategies, so that their clean-up gets its answers."""
        async with trio.open_nursery() as wires:
            wires.start_soon(self.failure.guard, self.venue.run, ())
            async with trio.open_nursery() as outer:
                run, lag = await outer.start(self._play)
                outer.start_soon(self.failure.guard, self._watch, run)
                outer.start_soon(self._give_up)
                ending = Ending(
                    run=run,
                    everything=outer.cancel_scope,
                    venue=self.venue,
                    stops=self.stops,
                    ledger=self.ledger,
                    inbox=self.inbox,
                    wall=self.wall,
                    failure=self.failure,
                    leave_within=self.plan.leave_within,
                )
                for way in (ending.when_signalled, ending.when_refused, ending.when_failed):
                    outer.start_soon(way)
                if self.plan.duration is not None:
                    outer.start_soon(ending.after, self.plan.duration * 1e-9)
                if self.plan.meanwhile is not None:
                    outer.start_soon(self.plan.meanwhile, run)
                await self._drive(run)
                outer.cancel_scope.cancel()
            self.stops.stay()
            unaccounted = [*ending.reasons(), *await ending.compare()]
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
            fault=self.failure.error,
        )

    async def _drive(self, run: Run) -> None:
        """Dispatch what comes until the run is over.

        Not a moment longer than the run, and not in the midst of a slice: a re-run dispatches whole ones. An input that
        we fail over isn't the last one: the venue's words on what is withdrawn then count as before.
        """
        while not self.done.is_set():
            try:
                await run.driver.follow(self.inbox, self.bell, self.clock, self.ledger, self.done)
            except self.failure.kinds as exc:
                run.supervisor.abort()
                self.failure.note(exc)

    async def _play(self, *, task_status: trio.TaskStatus[tuple[Run, Lag]]) -> None:
        """Assemble the run and play it. This task and all below it are the run's own: the clock waits for them."""
        self.clock.adopt()
        # Time may have moved while the tape was opened: a re-run begins at this reading, too.
        self.ledger.mark(self.clock.reading, 0)
        played: list[Run] = []
        try:
            async with trio.open_nursery() as nursery:
                run = self._assemble(nursery)
                lag = Lag(run.engine.table)
                run.engine.watchers.append(lag)
                played.append(run)
                task_status.started((run, lag))
                for stream in self.plan.record:
                    run.engine.want(stream, ACCOUNT, None)
                await run.play()
                if not self.plan.strategies and not run.supervisor.stopping:
                    run.supervisor.opening = trio.CancelScope()  # `play` has used the one before.
                    with run.supervisor.opening:
                        await trio.sleep_forever()
                self._finish()
                # What is still dispatched may start tasks: the nursery goes after the driver.
                await trio.sleep_forever()
        except* FOREIGN:
            raise
        except* self.failure.kinds as group:
            if not played:
                raise
            self.failure.note(group)
            # Strategies are still leaving, and the venue is telling what becomes of their orders.
            await played[0].supervisor.wait_gone()
        finally:
            for run in played:
                run.supervisor.abandon()
            self._finish()

    def _assemble(self, nursery: trio.Nursery) -> Run:
        plan = self.plan
        port: LivePort | PaperPort
        if plan.paper is None:
            port = LivePort(
                self.venue, plan.dialect, self.ledger, self.converter, lambda: run.engine, self.journal, self._tell
            )
        else:
            port = PaperPort(self.ledger, self.converter, lambda: run.engine, self.clock, self.bell.ring)
        run = assemble(
            identity=self.identity,
            clock=self.clock,
            wakes=Wakes(self.bell.ring),
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
            home=self.home,
            paper=plan.paper,
            trades_at_venue=plan.paper is None and bool(plan.strategies),
            live=True,
            require_history=True,
            keep_orders=plan.keep_orders,
            watchers=[self.digest, self.prices],
            watchdog=self.watchdog,
            failures=self.failure.kinds,
        )
        return run

    def _tell(self, word: str) -> None:
        stop_input(self.ledger, self.inbox, self.wall(), word)

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

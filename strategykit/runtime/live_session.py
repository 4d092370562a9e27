"""The tasks of one run on real wires, from the first connection to the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

import trio

from strategykit.errors import (
    STRATEGY_FAILURES,
    ConnectionLost,
)
from strategykit.model.instruments import Instrument
from strategykit.net.inbox import Inbox
from strategykit.net.recorder import Recorder
from strategykit.runtime.alarms import Alarms
from strategykit.runtime.assembly import ACCOUNT, READY_WITHIN, Identity, Run, assemble
from strategykit.runtime.carried import Carried, CarriedTrip
from strategykit.runtime.clock import WallClock
from strategykit.runtime.collector import Collector
from strategykit.runtime.ending import FOREIGN, Ending, Failure
from strategykit.runtime.guard_link import GuardLink
from strategykit.runtime.identity import parameters_of
from strategykit.runtime.lag import Lag
from strategykit.runtime.live_plan import LivePlan, Progress
from strategykit.runtime.order_journal import OpenedJournal, RunJournal
from strategykit.runtime.prices import LastPrices
from strategykit.runtime.pulls import Pulls
from strategykit.runtime.recording import Notes, NullLedger, stop_input
from strategykit.runtime.report import ConnectionReport, Digest, RunReport, report
from strategykit.runtime.stops import Stops
from strategykit.runtime.waking import Doorbell, Wakes
from strategykit.runtime.watchdog import Watchdog
from strategykit.runtime.why import explain_decision, explain_parameters
from strategykit.runtime.wires import LivePort, LiveWires, PaperPort

__all__ = ["LiveSession"]

FINEST: Final = 100_000_000
"""Nanoseconds between two samples of prices at the least: a live run has other things to do."""

REACH_WITHIN: Final = 5.0
"""Seconds for any of the venue's doors to open at the start. Later outages are waited for, however long."""


class LiveSession:
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
        journal: OpenedJournal | None,
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
        self.alarms = Alarms(ledger.note)
        self.carried = Carried() if journal is None else journal.carried
        self.instruments: dict[str, Instrument] = {}
        self.journal = None if journal is None else self._journal(journal)
        self.guard = GuardLink(plan.guard, self.alarms)
        self.pulls = Pulls(folder=plan.journal, wall=wall, alarms=self.alarms, note=ledger.note, tell=self._tell)
        self.playing: Run | None = None
        self.hurried: Callable[[], bool] = lambda: False
        """Says whether an order is on its way to the wire."""
        # Where signals are taken care of, a KeyboardInterrupt is nobody's Ctrl-C: somebody has raised it by himself.
        kinds = (*STRATEGY_FAILURES, KeyboardInterrupt) if plan.handle_signals else STRATEGY_FAILURES
        self.failure = Failure(ledger.note, kinds)

    async def run(self) -> RunReport:
        """Run everything, guarded where that is wanted."""
        async with self.guard.open():
            return await self._run()

    async def _run(self) -> RunReport:
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
                for way in (ending.when_signalled, ending.when_refused, ending.when_failed, ending.when_killed):
                    outer.start_soon(way)
                outer.start_soon(self.pulls.when_signalled, self.stops)
                # Nothing outside moves a clock that isn't the world's; and what withdraws comes after a kill switch.
                if not (self.plan.in_loop or self.plan.withdraw):
                    outer.start_soon(self.pulls.when_file)
                    outer.start_soon(self.pulls.outlive)
                if self.plan.duration is not None:
                    outer.start_soon(ending.after, self.plan.duration * 1e-9)
                if self.plan.meanwhile is not None:
                    outer.start_soon(self.plan.meanwhile, run)
                await self._drive(run)
                outer.cancel_scope.cancel()
            run.kill.give_up()
            self.stops.stay()
            unaccounted = [*ending.reasons(), *await ending.compare()]
            connections = self._connections(lag)
            wires.cancel_scope.cancel()
        if run.kill.proof or not run.kill.reason:
            self.guard.leave()
        if self.journal is not None:
            self.journal.ended(run.gateway.open_orders(), unaccounted)
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
            alarms=self.alarms.lines,
        )

    async def _drive(self, run: Run) -> None:
        """Dispatch what comes until the run is over.

        Not a moment longer than the run, and not in the midst of a slice: a re-run dispatches whole ones. An input that
        we fail over isn't the last one: the venue's words on what is withdrawn then count as before.
        """
        while not self.done.is_set():
            try:
                await run.driver.follow(self.inbox, self.bell, self.clock, self.ledger, self.done, hurried=self.hurried)
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
                if not (self.plan.strategies or self.plan.withdraw or run.supervisor.stopping):
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
            port = wire = LivePort(
                self.venue, plan.dialect, self.ledger, self.converter, lambda: run.engine, self.journal, self._tell
            )
            self.hurried = lambda: wire.hurries
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
            instruments=self.instruments,
            account=plan.account,
            exchange=plan.exchange,
            nursery=nursery,
            home=self.home,
            paper=plan.paper,
            trades_at_venue=plan.paper is None and (plan.withdraw or bool(plan.strategies)),
            live=True,
            require_history=True,
            keep_orders=plan.keep_orders,
            limits=plan.limits,
            prices=self.prices,
            watchers=[self.digest, self.prices],
            watchdog=self.watchdog,
            alarms=self.alarms,
            latch=self._latch,
            proven=self._proven,
            flatten=plan.flatten,
            others=self._keep_others,
            cash=self._keep_cash,
            trips=self._keep_trip,
            journal=self.journal,
            carried=self.carried,
            failures=self.failure.kinds,
            collector=Collector(plan.duration, plan.capital, FINEST) if plan.collect else None,
        )
        self.playing = run
        return run

    def _journal(self, opened: OpenedJournal) -> RunJournal:
        if opened.writer.recovered:
            self.alarms.sound("journal", opened.writer.recovered)
        held, left = len(opened.carried.positions), len(opened.carried.orders)
        if held or left:
            self.ledger.note("journal", f"the run before left {held} positions and {left} orders that hadn't ended")
        journal = RunJournal(
            writer=opened.writer,
            converter=self.converter,
            alarms=self.alarms,
            why=self._why,
            instruments=self.instruments,
            parameters={name: explain_parameters(parameters_of(item)) for name, item in self.plan.strategies},
            closes=lambda order: self.playing is not None and self.playing.risk.only_closes(order),
        )
        self.alarms.told.append(journal.alarm)
        return journal

    def _why(self, strategy: str) -> Mapping[str, Any]:
        """Give the facts behind what a strategy is just now doing."""
        if self.playing is None:
            return {}
        desks = (seat.desk for seat in self.playing.supervisor.seats if seat.name == strategy)
        return explain_decision(next(desks, None), self.playing.kill.because)

    def _latch(self, reason: str, by: str) -> None:
        """Write down that the kill switch was pulled, and keep it pulled beyond the run."""
        if self.journal is not None:
            self.journal.killed(reason, by)
        self.pulls.keep(reason, by)

    def _proven(self, proof: str) -> None:
        if self.journal is not None:
            self.journal.proven("kill", proof)
        self.guard.confirm()

    def _keep_others(self, lots: Mapping[str, Decimal]) -> None:
        if self.journal is not None:
            self.journal.others(lots)

    def _keep_cash(self, amounts: Mapping[str, Decimal]) -> None:
        if self.journal is not None:
            self.journal.cash(amounts)

    def _keep_trip(self, trip: CarriedTrip) -> None:
        if self.journal is not None:
            self.journal.tripped(trip)

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
                    doubtful=len(gateway.doubtful()),
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

"""What a backtest needs, whatever it runs on: the run itself, what watches it, and its report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import attrs
import trio

from strategykit.model.codec import make_converter
from strategykit.model.instruments import Instrument
from strategykit.model.risk_limits import DEFAULT_PLAN, RiskPlan
from strategykit.runtime.assembly import Identity, Run, assemble
from strategykit.runtime.clock import ReplayClock
from strategykit.runtime.collector import Collector
from strategykit.runtime.decisions import DecisionLog, LoggingPort
from strategykit.runtime.driver import LEAVE_WITHIN
from strategykit.runtime.outside import Watcher, Wires
from strategykit.runtime.ports import OrderPort
from strategykit.runtime.prices import LastPrices
from strategykit.runtime.recording import Notes, NullLedger
from strategykit.runtime.report import ConnectionReport, RunReport, report
from strategykit.runtime.run_digest import RunDigest, TellingPort
from strategykit.runtime.waking import Wakes
from strategykit.runtime.wires import PaperPort
from strategykit.sim.models.fill_models import DEFAULT_MODELS, FillModels
from strategykit.sim.paper import PaperExchange
from strategykit.strategy import Strategy
from strategykit.tape.reader import Tape
from strategykit.venues.dialect import Dialect

if TYPE_CHECKING:  # An archive needs numpy, which a backtest on a tape doesn't.
    from strategykit.runtime.column_source import ColumnSource

__all__ = ["BacktestPlan", "Bench"]


@attrs.frozen(kw_only=True)
class BacktestPlan:
    """A backtest on one recording."""

    source: Tape | ColumnSource
    """A tape, an archive, or columns in memory."""
    dialect: Dialect | None = None
    """The language of a tape; nothing else needs one."""
    strategies: Sequence[tuple[str, Strategy]]
    cash: Decimal = Decimal(1_000_000)
    """At the start, in each instrument's currency."""
    models: FillModels = DEFAULT_MODELS
    """What is assumed of fills."""
    account: str = "PAPER"
    limits: RiskPlan = DEFAULT_PLAN
    """Of risk."""
    seed: int | None = None
    """None: the recording's own."""
    on_progress: Callable[[float], None] = lambda _: None
    """Takes the part of the recording that is done, 0 to 1."""
    collect: bool = False
    """Whether the report brings what a result is made of."""
    decisions: DecisionLog | None = None
    """Takes every order command, if somebody wants to know."""


@attrs.define(eq=False)
class Bench:
    """One backtest that is being run.

    Args:
        plan: What is wanted.
        clock: Of the run.
        span: Nanoseconds of the recording.
    """

    plan: BacktestPlan
    clock: ReplayClock
    span: int
    notes: Notes = attrs.field(factory=Notes, init=False)
    marks: LastPrices = attrs.field(factory=LastPrices, init=False)
    digest: RunDigest = attrs.field(factory=RunDigest, init=False)
    collector: Collector | None = attrs.field(init=False)
    _done: trio.Event = attrs.field(factory=trio.Event, init=False)

    @collector.default
    def _make_collector(self) -> Collector | None:
        return Collector(self.span, self.plan.cash) if self.plan.collect else None

    def put_together(
        self,
        nursery: trio.Nursery,
        home: trio.Nursery,
        *,
        identity: Identity,
        dialect: Dialect,
        wires: Wires,
        instruments: Mapping[str, Instrument],
        watchers: Sequence[Watcher],
    ) -> Run:
        """Make the run; `begin` begins it."""
        plan, clock = self.plan, self.clock
        ledger = NullLedger(self.notes, lambda: clock.reading)

        def make_paper(known: Mapping[str, Instrument]) -> PaperExchange:
            cash = {item.currency: plan.cash for item in known.values()}
            return PaperExchange(known, account=plan.account, cash=cash, models=plan.models, tells_account=False)

        port = PaperPort(ledger, make_converter(), lambda: run.engine, clock, clock.poke)
        telling: OrderPort = TellingPort(port, self.digest, lambda: clock.reading)
        if plan.decisions is not None:
            telling = LoggingPort(telling, plan.decisions, lambda: clock.reading)
        run = assemble(
            identity=identity,
            clock=clock,
            wakes=Wakes(clock.poke),
            dialect=dialect,
            market_connections=1,
            wires=wires,
            port=telling,
            answered=port.answered,
            ledger=ledger,
            strategies=list(plan.strategies),
            instruments=dict(instruments),
            account=plan.account,
            exchange=None,
            nursery=nursery,
            home=home,
            paper=make_paper,
            trades_at_venue=False,
            live=False,
            require_history=False,
            keep_orders=False,
            limits=plan.limits,
            prices=self.marks,
            watchers=watchers,
            collector=self.collector,
        )
        return run

    def begin(self, run: Run, nursery: trio.Nursery) -> None:
        """Have the strategies start at the driver's first move."""
        nursery.start_soon(run.play_and_tell, self._done)

    @property
    def over(self) -> bool:
        """Whether the strategies have left."""
        return self._done.is_set()

    def stop(self, run: Run) -> None:
        """The data are over: tell the strategies to leave."""
        if self.plan.decisions is not None:
            self.plan.decisions.until = self.clock.reading
        if self.collector is not None:
            self.collector.stop()
        run.supervisor.stop()

    async def end(self, run: Run) -> None:
        """The data are over: have the strategies leave, in the time that the clock still takes."""
        if self.plan.decisions is not None:
            await run.driver.advance(self.plan.decisions.through or self.clock.reading)
        self.stop(run)
        await run.driver.finish(self._done, within=LEAVE_WITHIN)
        run.supervisor.abandon()

    def report(self, run: Run, *, connections: Sequence[ConnectionReport], source: str | None) -> RunReport:
        """Give what came of it."""
        return report(
            run,
            notes=self.notes,
            digest=self.digest,
            connections=connections,
            marks=self.marks.prices,
            unaccounted=[f"{order!r} never ended" for order in run.gateway.orders.values() if order.is_open],
            tape=source,
            tape_failure="",
        )

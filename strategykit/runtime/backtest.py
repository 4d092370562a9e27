"""Backtests: strategies on a tape, with orders answered from its market data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal

import attrs
import trio

from strategykit.errors import StrategyError
from strategykit.model.codec import make_converter
from strategykit.model.events import Event
from strategykit.model.instruments import Instrument
from strategykit.model.risk_limits import DEFAULT_PLAN, RiskPlan
from strategykit.net.connection import CLOSED_BY_US
from strategykit.net.inbox import Input, InputKind
from strategykit.runtime.assembly import Identity, assemble
from strategykit.runtime.built_bars import BarsFromTrades, trades_for
from strategykit.runtime.clock import ReplayClock
from strategykit.runtime.collector import Collector
from strategykit.runtime.driver import LEAVE_WITHIN
from strategykit.runtime.engine import Engine
from strategykit.runtime.home import run_with_home
from strategykit.runtime.prices import LastPrices
from strategykit.runtime.recorded import Contents, TapeWires, inputs, scan
from strategykit.runtime.recording import Notes, NullLedger
from strategykit.runtime.report import ConnectionReport, Digest, RunReport, report
from strategykit.runtime.waking import Wakes
from strategykit.runtime.wires import PaperPort
from strategykit.sim.fees import FeeModel
from strategykit.sim.paper import FillRule, PaperExchange
from strategykit.strategy import Strategy
from strategykit.tape.reader import Tape
from strategykit.venues.dialect import AskBook, Dialect
from strategykit.venues.streams import PRIVATE, Stream, StreamKind

__all__ = ["BacktestPlan", "backtest"]


@attrs.frozen(kw_only=True)
class BacktestPlan:
    """A backtest on one tape."""

    tape: Tape
    dialect: Dialect
    strategies: Sequence[tuple[str, Strategy]]
    cash: Decimal = Decimal(1_000_000)
    """At the start, in each instrument's currency."""
    fees: FeeModel = attrs.field(factory=FeeModel)
    rule: FillRule = FillRule.TOUCH
    latency: int = 0
    """Nanoseconds from an order to its taking effect."""
    account: str = "PAPER"
    limits: RiskPlan = DEFAULT_PLAN
    """Of risk."""
    seed: int | None = None
    """None: the tape's own."""
    on_progress: Callable[[float], None] = lambda _: None
    """Takes the part of the tape that is done, 0 to 1."""
    collect: bool = False
    """Whether the report brings what a result is made of."""


def backtest(plan: BacktestPlan) -> RunReport:
    """Run strategies on a tape; the market moves as recorded, orders are answered by a fill model.

    Raises:
        StrategyError: A strategy wants a stream that the tape doesn't have.
        TapeError: The tape is damaged.
    """
    contents = scan(plan.tape)
    clock = ReplayClock(contents.first)
    return run_with_home(clock, lambda home: _backtest(home, plan, contents, clock))


async def _backtest(home: trio.Nursery, plan: BacktestPlan, contents: Contents, clock: ReplayClock) -> RunReport:
    notes, marks, digest = Notes(), LastPrices(), Digest()
    ledger = NullLedger(notes, lambda: clock.reading)
    seed = plan.tape.header.seed if plan.seed is None else plan.seed
    identity = Identity(seed, plan.tape.header.clock_origin)
    wires = TapeWires(contents)
    strategies = list(plan.strategies)

    def make_paper(instruments: Mapping[str, Instrument]) -> PaperExchange:
        cash = {item.currency: plan.cash for item in instruments.values()}
        return PaperExchange(
            instruments, account=plan.account, cash=cash, fees=plan.fees, rule=plan.rule, latency=plan.latency
        )

    collector = Collector(contents.last - contents.first, plan.cash) if plan.collect else None
    done = trio.Event()
    async with trio.open_nursery() as nursery:
        port = PaperPort(ledger, make_converter(), lambda: run.engine, clock, clock.poke)
        run = assemble(
            identity=identity,
            clock=clock,
            wakes=Wakes(clock.poke),
            dialect=plan.dialect,
            market_connections=1,
            wires=wires,
            port=port,
            ledger=ledger,
            strategies=strategies,
            instruments={},
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
            prices=marks,
            watchers=[digest, marks],
            collector=collector,
        )
        engine = run.engine
        available = _Available(contents, engine)
        available.restore({stream.instrument for stream in _wanted(strategies, clock.reading)})
        run.engine.serve_from(available.find)
        nursery.start_soon(run.play_and_tell, done)
        await run.driver.replay(_frames(plan, contents, wires, available), clock)
        if collector is not None:
            collector.stop()
        run.supervisor.stop()
        await run.driver.finish(done, within=LEAVE_WITHIN)
        run.supervisor.abandon()
        nursery.cancel_scope.cancel()
    lanes = [
        ConnectionReport(
            name=name,
            lane=lane,
            state="replayed",
            frames_in=available.frames.get(name, 0),
            frames_out=0,
            reconnects=max(available.opened.get(name, 1) - 1, 0),
            lag_p50=None,
            lag_p99=None,
        )
        for name, lane in engine.lanes.items()
        if name in available.opened
    ]
    return report(
        run,
        notes=notes,
        digest=digest,
        connections=lanes,
        marks=marks.prices,
        unaccounted=[f"{order!r} never ended" for order in run.gateway.orders.values() if order.is_open],
        tape=str(plan.tape.path),
        tape_failure="",
    )


def _wanted(strategies: Sequence[tuple[str, Strategy]], now: int) -> list[Stream]:
    return [item.stream(strategy, now=now) for _, strategy in strategies for item in strategy.declarations()]


class _Available:
    """The subscriptions of the tape, and which of them serves what a strategy wants."""

    def __init__(self, contents: Contents, engine: Engine) -> None:
        self._rows = [row for row in contents.rows if row.stream.kind not in PRIVATE]
        self._engine = engine
        self.frames: dict[str, int] = {}
        self.opened: dict[str, int] = {}

    def restore(self, instruments: set[str | None]) -> None:
        """Put the tape's rows of `instruments` in the guid table: market data of others isn't decoded."""
        for row in self._rows:
            if row.stream.instrument in instruments and row.guid not in self._engine.table.by_guid:
                self._engine.table.restore(row.guid, row.stream, row.connection)

    def find(
        self, wanted: Stream, receive: Callable[[Event], None] | None
    ) -> tuple[Stream, Callable[[Event], None] | None]:
        """Give the recorded stream that serves `wanted`, and who should get its events."""
        same = [row for row in self._rows if _serves(row.stream, wanted)]
        if same:
            return same[0].stream, receive
        trades = [row for row in self._rows if _serves(row.stream, trades_for(wanted))]
        if wanted.kind is StreamKind.BARS and trades and receive is not None:
            return trades[0].stream, BarsFromTrades(wanted, receive)
        have = ", ".join(sorted({row.stream.label for row in self._rows})) or "no market data"
        raise StrategyError(f"the tape has no {wanted.label}; it has {have}")


def _serves(recorded: Stream, wanted: Stream) -> bool:
    return (
        recorded.kind is wanted.kind
        and recorded.instrument == wanted.instrument
        and recorded.interval == wanted.interval
        and (wanted.exchange is None or recorded.exchange is None or recorded.exchange == wanted.exchange)
    )


def _frames(plan: BacktestPlan, contents: Contents, wires: TapeWires, available: _Available) -> Iterator[Input]:
    """Yield market inputs of the tape, and between them the answers that the strategies asked for."""
    carrying = {plan.dialect.lane(row.stream) for row in contents.rows if row.stream.kind not in PRIVATE}
    lanes: set[str] = set()
    span = max(contents.last - contents.first, 1)
    count = 0
    for item in inputs(plan.tape):
        while wires.early:
            yield wires.early.popleft()
        if not isinstance(item, Input):
            continue
        kind, name = item.kind, item.connection
        if kind is InputKind.OPENED:
            if item.payload not in carrying:
                continue
            lanes.add(name)
            available.opened[name] = available.opened.get(name, 0) + 1
        elif kind is InputKind.ANSWER:
            if not isinstance(item.ask, AskBook):
                continue  # Strategies that run on the tape ask for themselves.
        elif name not in lanes or kind is InputKind.CONTROL:
            continue
        elif kind is InputKind.CLOSED and item.payload == CLOSED_BY_US:
            continue  # The recording ended there; the market didn't.
        elif kind is InputKind.FRAME:
            available.frames[name] = available.frames.get(name, 0) + 1
        wires.now = max(wires.now, item.receive_time)
        count += 1
        if not count % 2_048:
            plan.on_progress((item.receive_time - contents.first) / span)
        yield item
    plan.on_progress(1.0)

"""Running strategies on a tape: as a backtest, with orders answered from market data, or as the recorded run again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs
import trio

from strategykit.errors import StrategyError, StrategykitError, TapeError
from strategykit.model.bars import BarBuilder
from strategykit.model.codec import make_converter
from strategykit.model.events import Bar, BookSnapshot, Event, Gap, Quote, Trade
from strategykit.model.instruments import Instrument
from strategykit.model.orders import Command
from strategykit.net.inbox import Input, InputKind
from strategykit.runtime.assembly import Identity, Run, assemble
from strategykit.runtime.clock import ReplayClock
from strategykit.runtime.engine import Engine
from strategykit.runtime.recorded import Contents, inputs, scan, slices
from strategykit.runtime.recording import Notes, NullLedger, command_facts
from strategykit.runtime.report import ConnectionReport, Digest, RunReport, report
from strategykit.runtime.waking import Wakes
from strategykit.runtime.wires import PaperPort
from strategykit.sim.fees import FeeModel
from strategykit.sim.paper import FillRule, PaperExchange
from strategykit.strategy import Strategy
from strategykit.tape.reader import Tape
from strategykit.venues.dialect import Ask, AskBars, AskInstrument, Dialect
from strategykit.venues.streams import PRIVATE, Stream, StreamKind
from strategykit.venues.subscriptions import Subscription

__all__ = ["BacktestPlan", "CommandDifference", "RerunPlan", "RerunReport", "backtest", "rerun"]


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
    seed: int | None = None
    """None: the tape's own."""
    on_progress: Callable[[float], None] = lambda _: None
    """Takes the part of the tape that is done, 0 to 1."""


class _Marks:
    """Last price of each instrument, for open PnL."""

    def __init__(self) -> None:
        self.prices: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        match event:
            case Trade(instrument=symbol, price=price):
                self.prices[symbol] = price
            case Bar(instrument=symbol, close=price):
                self.prices[symbol] = price
            case Quote(instrument=symbol, bid=bid, ask=ask) if bid is not None and ask is not None:
                self.prices[symbol] = (bid + ask) / 2
            case BookSnapshot(instrument=symbol, bid_prices=[bid, *_], ask_prices=[ask, *_]):
                self.prices.setdefault(symbol, (bid + ask) / 2)


class _TapeWires:
    """The engine's requests, answered from what the tape has."""

    def __init__(self, contents: Contents) -> None:
        self.contents = contents
        self.early: deque[Input] = deque()
        """Answers to be dispatched before the next frame."""
        self.now = contents.first

    def open(self, connection: str, lane: str) -> None:
        """The tape tells when its connections open."""

    def subscribe(self, row: Subscription, session: int) -> None:
        """The tape has the answer, or it hasn't."""

    def unsubscribe(self, row: Subscription, session: int) -> None:
        """Its data go on being on the tape."""

    def drop(self, connection: str, reason: str) -> None:
        """Nothing to drop."""

    def refresh_token(self) -> None:
        """Nothing to refresh."""

    def ask(self, ask: Ask) -> None:
        for asked, status, body in self.contents.answers:
            if _alike(asked, ask):
                self.early.append(Input(InputKind.ANSWER, "http", self.now, body, ask=ask, status=status))
                return
        self.early.append(Input(InputKind.ANSWER, "http", self.now, b"the tape has no answer to this", ask=ask))


def _alike(recorded: Ask, wanted: Ask) -> bool:
    """Whether a recorded answer serves: the same bars whatever their count, the same instrument."""
    if isinstance(recorded, AskBars) and isinstance(wanted, AskBars):
        return recorded.instrument == wanted.instrument and recorded.interval == wanted.interval
    if isinstance(recorded, AskInstrument) and isinstance(wanted, AskInstrument):
        return recorded.instrument == wanted.instrument
    return recorded == wanted


def backtest(plan: BacktestPlan) -> RunReport:
    """Run strategies on a tape; the market moves as recorded, orders are answered by a fill model.

    Raises:
        StrategyError: A strategy wants a stream that the tape doesn't have.
        TapeError: The tape is damaged.
    """
    contents = scan(plan.tape)
    clock = ReplayClock(contents.first)
    return trio.run(_backtest, plan, contents, clock, clock=clock, instruments=[clock], strict_exception_groups=True)


async def _backtest(plan: BacktestPlan, contents: Contents, clock: ReplayClock) -> RunReport:
    notes, marks, digest = Notes(), _Marks(), Digest()
    ledger = NullLedger(notes, lambda: clock.reading)
    seed = plan.tape.header.seed if plan.seed is None else plan.seed
    identity = Identity(seed, plan.tape.header.clock_origin)
    wires = _TapeWires(contents)
    strategies = list(plan.strategies)

    def make_paper(instruments: Mapping[str, Instrument]) -> PaperExchange:
        cash = {item.currency: plan.cash for item in instruments.values()}
        return PaperExchange(
            instruments, account=plan.account, cash=cash, fees=plan.fees, rule=plan.rule, latency=plan.latency
        )

    done = trio.Event()
    try:
        async with trio.open_nursery() as nursery:
            port = PaperPort(ledger, make_converter(), lambda: run.engine, clock, clock.poke)
            run = assemble(
                identity=identity,
                clock=clock,
                wakes=Wakes(clock.poke),
                dialect=plan.dialect,
                connections={"market": 1, "orders": 1},
                wires=wires,
                port=port,
                ledger=ledger,
                strategies=strategies,
                instruments={},
                account=plan.account,
                exchange=None,
                nursery=nursery,
                paper=make_paper,
                trades_at_venue=False,
                live=False,
                require_history=False,
                keep_orders=False,
                watchers=[digest, marks],
            )
            engine = run.engine
            available = _Available(contents, engine)
            available.restore({stream.instrument for stream in _wanted(strategies, clock.reading)})
            run.engine.serve_from(available.find)
            nursery.start_soon(_play, run, done)
            await run.driver.replay(_frames(plan, contents, wires, available), clock)
            run.supervisor.stop()
            await run.driver.finish(done)
            nursery.cancel_scope.cancel()
    except* StrategykitError as group:
        raise _first(group) from None
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
        if lane == "market"
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


async def _play(run: Run, done: trio.Event) -> None:
    try:
        await run.play()
    finally:
        done.set()


def _first(group: BaseExceptionGroup[StrategykitError]) -> StrategykitError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, StrategykitError)
    return error


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
        trades = [
            row
            for row in self._rows
            if row.stream.kind is StreamKind.TRADES and row.stream.instrument == wanted.instrument
        ]
        if wanted.kind is StreamKind.BARS and trades and wanted.interval is not None and receive is not None:
            return trades[0].stream, _Bars(wanted.instrument or "", wanted.interval, receive)
        have = ", ".join(sorted({row.stream.label for row in self._rows})) or "no market data"
        raise StrategyError(f"the tape has no {wanted.label}; it has {have}")


def _serves(recorded: Stream, wanted: Stream) -> bool:
    return (
        recorded.kind is wanted.kind
        and recorded.instrument == wanted.instrument
        and recorded.interval == wanted.interval
        and (wanted.exchange is None or recorded.exchange is None or recorded.exchange == wanted.exchange)
    )


class _Bars:
    """Bars built from recorded trades, for a strategy that wants bars."""

    def __init__(self, instrument: str, interval: int, receive: Callable[[Event], None]) -> None:
        self._builder = BarBuilder(instrument, interval)
        self._receive = receive
        self.__self__ = getattr(receive, "__self__", None)
        """Whose feed it is, as of the bound method that it stands for."""

    def __call__(self, event: Event) -> None:
        if isinstance(event, Trade):
            if not event.snapshot:
                for bar in self._builder.apply(event):
                    self._receive(bar)
        elif isinstance(event, Gap):
            self._receive(event)


def _frames(plan: BacktestPlan, contents: Contents, wires: _TapeWires, available: _Available) -> Iterator[Input]:
    """Yield market inputs of the tape, and between them the answers that the strategies asked for."""
    lanes: set[str] = set()
    span = max(contents.last - contents.first, 1)
    count = 0
    for item in inputs(plan.tape, plan.dialect):
        while wires.early:
            yield wires.early.popleft()
        if not isinstance(item, Input):
            continue
        kind, name = item.kind, item.connection
        if kind is InputKind.OPENED:
            if item.payload != "market":
                continue
            lanes.add(name)
            available.opened[name] = available.opened.get(name, 0) + 1
        elif name not in lanes or kind is InputKind.ANSWER or kind is InputKind.CONTROL:
            continue
        elif kind is InputKind.FRAME:
            available.frames[name] = available.frames.get(name, 0) + 1
        wires.now = max(wires.now, item.receive_time)
        count += 1
        if not count % 2_048:
            plan.on_progress((item.receive_time - contents.first) / span)
        yield item
    plan.on_progress(1.0)


# The recorded run again


@attrs.frozen
class CommandDifference:
    """One order command that came out otherwise."""

    strategy: str
    number: int
    """Which of the strategy's commands, counted from 1."""
    recorded: Mapping[str, Any] | None
    """None: the recorded run had no such command."""
    again: Mapping[str, Any] | None
    """None: the re-run had no such command."""


@attrs.frozen(kw_only=True)
class RerunPlan:
    """A recorded run, to be run again."""

    tape: Tape
    dialect: Dialect
    strategies: Sequence[tuple[str, Strategy]]
    account: str
    exchange: str | None
    market_connections: int
    record: Sequence[Stream] = ()
    keep_orders: bool = False
    paper: Callable[[Mapping[str, Instrument]], PaperExchange] | None = None


@attrs.frozen(kw_only=True)
class RerunReport:
    """How the re-run compares."""

    recorded: int
    """Order commands on the tape."""
    equal: int
    differences: Sequence[CommandDifference]
    run: RunReport

    @property
    def ok(self) -> bool:
        return not self.differences


class _Comparison:
    """The port of a re-run: commands go nowhere but to the comparison with the recorded ones."""

    def __init__(self, contents: Contents) -> None:
        self._recorded: dict[str, deque[Mapping[str, Any]]] = {}
        for facts in contents.commands:
            self._recorded.setdefault(str(facts.get("strategy")), deque()).append(facts)
        self._numbers: dict[str, int] = {}
        self._converter = make_converter()
        self.total = len(contents.commands)
        self.equal = 0
        self.differences: list[CommandDifference] = []

    def command(self, strategy: str, command: Command) -> bool:
        facts = command_facts(strategy, command, self._converter)
        waiting = self._recorded.get(strategy)
        recorded = waiting.popleft() if waiting else None
        number = self._numbers[strategy] = self._numbers.get(strategy, 0) + 1
        if recorded is not None and recorded.get("command") == facts["command"]:
            self.equal += 1
        else:
            self.differences.append(CommandDifference(strategy, number, recorded, facts))
        return recorded is None or bool(recorded.get("sent", True))

    def suspect(self, reason: str) -> None:
        """The tape tells what became of the lane."""

    def finish(self) -> None:
        """Count recorded commands that didn't come again."""
        for strategy, waiting in self._recorded.items():
            for facts in waiting:
                number = self._numbers[strategy] = self._numbers.get(strategy, 0) + 1
                self.differences.append(CommandDifference(strategy, number, facts, None))


class _Silence(_TapeWires):
    """The wires of a re-run: whatever is asked, the tape's own answer comes in its own place."""

    def ask(self, ask: Ask) -> None:
        """Its answer stands on the tape."""


class _PaperComparison(_Comparison):
    """The same for a run whose orders a paper exchange answered: it answers again."""

    def __init__(self, contents: Contents, engine: Callable[[], Engine], clock: ReplayClock) -> None:
        super().__init__(contents)
        self._engine = engine
        self._clock = clock

    def command(self, strategy: str, command: Command) -> bool:
        super().command(strategy, command)
        engine = self._engine()
        if engine.paper is None:
            return False
        engine.local.extend(engine.paper.command(command, self._clock.reading))
        return True


def rerun(plan: RerunPlan) -> RerunReport:
    """Run a recorded run again: its frames answer, and its decisions are compared with the recorded ones.

    Raises:
        TapeError: The tape is damaged, or isn't of a run.
    """
    contents = scan(plan.tape)
    clock = ReplayClock(plan.tape.header.clock_origin)
    return trio.run(_rerun, plan, contents, clock, clock=clock, instruments=[clock], strict_exception_groups=True)


async def _rerun(plan: RerunPlan, contents: Contents, clock: ReplayClock) -> RerunReport:
    notes, digest, marks = Notes(), Digest(), _Marks()
    ledger = NullLedger(notes, lambda: clock.reading)
    header = plan.tape.header
    comparison = _Comparison(contents) if plan.paper is None else _PaperComparison(contents, lambda: run.engine, clock)
    done = trio.Event()
    try:
        async with trio.open_nursery() as nursery:
            run = assemble(
                identity=Identity(header.seed, header.clock_origin),
                clock=clock,
                wakes=Wakes(clock.poke),
                dialect=plan.dialect,
                connections={"market": plan.market_connections, "orders": 1},
                wires=_Silence(contents),
                port=comparison,
                ledger=ledger,
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
                watchers=[digest, marks],
            )
            for stream in plan.record:
                run.engine.want(stream, "(account)", None)
            nursery.start_soon(_play, run, done)
            await run.driver.rerun(slices(plan.tape, plan.dialect))
            # The last clean-up may go by deadlines that came after the last input.
            with trio.CancelScope():
                await run.driver.finish_by(done, contents.last)
            nursery.cancel_scope.cancel()
    except* StrategykitError as group:
        raise _first(group) from None
    comparison.finish()
    result = report(
        run,
        notes=notes,
        digest=digest,
        connections=(),
        marks=marks.prices,
        unaccounted=(),
        tape=str(plan.tape.path),
        tape_failure="",
    )
    if not contents.commands and not contents.rows:
        raise TapeError(f"{plan.tape.path}: this tape holds no run to repeat; it was recorded without strategies")
    return RerunReport(
        recorded=comparison.total, equal=comparison.equal, differences=tuple(comparison.differences), run=result
    )

"""Running strategies on events that are at hand: for tests, benchmarks and data that never was frames."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Final

import attrs
import trio

from strategykit.model.codec import make_converter
from strategykit.model.events import (
    AssetUpdate,
    Bar,
    BookDelta,
    BookSnapshot,
    ByOrderDelta,
    ByOrderSnapshot,
    Event,
    Quote,
    Rate,
    Ticker,
    Trade,
    Volume,
)
from strategykit.model.instruments import Instrument
from strategykit.model.risk_limits import DEFAULT_PLAN, RiskPlan
from strategykit.net.inbox import Input, InputKind
from strategykit.runtime.assembly import Identity, Run, assemble
from strategykit.runtime.built_bars import build_missing
from strategykit.runtime.clock import ReplayClock
from strategykit.runtime.collector import Collector
from strategykit.runtime.direct import Direct
from strategykit.runtime.driver import LEAVE_WITHIN
from strategykit.runtime.home import run_with_home
from strategykit.runtime.outside import NoWires
from strategykit.runtime.recording import Notes, NullLedger
from strategykit.runtime.waking import Wakes
from strategykit.runtime.wires import PaperPort
from strategykit.sim.fees import check_fees_of
from strategykit.sim.models.fill_models import DEFAULT_MODELS, FillModels
from strategykit.sim.paper import PaperExchange
from strategykit.strategy import Strategy
from strategykit.venues.dialect import Ask, AskBars, Offers
from strategykit.venues.streams import Stream, StreamKind
from strategykit.venues.subscriptions import Subscriptions

__all__ = ["Simulation", "kind_of", "simulate", "stream_guid"]

_KINDS: Final[dict[type, StreamKind]] = {
    Trade: StreamKind.TRADES,
    Quote: StreamKind.QUOTES,
    BookSnapshot: StreamKind.BOOK,
    BookDelta: StreamKind.BOOK,
    ByOrderSnapshot: StreamKind.BOOK_BY_ORDER,
    ByOrderDelta: StreamKind.BOOK_BY_ORDER,
    Bar: StreamKind.BARS,
    Ticker: StreamKind.TICKER,
    Rate: StreamKind.RATE,
    Volume: StreamKind.VOLUME,
    AssetUpdate: StreamKind.ASSET,
}


def stream_guid(kind: StreamKind, instrument: str, interval: int | None = None) -> str:
    """Give the guid under which a simulation delivers a stream; events that carry it need no copying."""
    return f"{kind.value}:{instrument}" if interval is None else f"{kind.value}:{instrument}:{interval}"


class _Wires(NoWires):
    """The engine's requests: history is given at once, the rest comes of itself."""

    def __init__(self) -> None:
        self.early: list[Input] = []

    def ask(self, ask: Ask) -> None:
        self.early.append(Input(InputKind.ANSWER, "http", ask.until if isinstance(ask, AskBars) else 0, b"", ask, 200))


@attrs.define(eq=False, kw_only=True)
class Simulation:
    """What a simulation left behind."""

    run: Run
    notes: Notes


def simulate(
    strategies: Sequence[tuple[str, Strategy]],
    events: Iterable[Event],
    *,
    instruments: Mapping[str, Instrument],
    start: int,
    streams: Collection[StreamKind] = frozenset(StreamKind),
    history: Sequence[Bar] = (),
    cash: Decimal = Decimal(1_000_000),
    models: FillModels = DEFAULT_MODELS,
    paper: bool = True,
    seed: int = 0,
    account: str = "PAPER",
    limits: RiskPlan = DEFAULT_PLAN,
    ready: Callable[[Run], None] = lambda _: None,
    collector: Collector | None = None,
) -> Simulation:
    """Run strategies over events, oldest first, each carrying the guid that `stream_guid` gives for its stream.

    Args:
        strategies: Pairs of name and strategy.
        events: Market data; their `receive_time` is what the run's clock reads.
        instruments: Reference data by symbol.
        start: What the clock reads at first, nanoseconds UTC.
        streams: What kinds the events are of; bars that aren't among them are built from trades.
        history: Past bars, for `Bars` that ask for them.
        cash: At the start, in each instrument's currency.
        models: What is assumed of fills.
        paper: False: nothing answers orders, and each is refused at once.
        seed: Of ids and `Strategy.random`.
        account: Name of the account.
        limits: Of risk.
        ready: Called with the run before its first event.
        collector: Notes what a result is made of.

    Raises:
        ConfigError: `models` have fees of an instrument that isn't among `instruments`.
    """
    check_fees_of(models.fees_of, instruments.values(), where="the simulation")
    clock = ReplayClock(start)
    plan = (
        strategies,
        events,
        instruments,
        Direct(tuple(history), Offers(streams=frozenset(streams))),
        cash,
        models,
        paper,
        seed,
        account,
        limits,
        ready,
        collector,
    )
    return run_with_home(clock, lambda home: _main(home, clock, *plan))


async def _main(
    home: trio.Nursery,
    clock: ReplayClock,
    strategies: Sequence[tuple[str, Strategy]],
    events: Iterable[Event],
    instruments: Mapping[str, Instrument],
    dialect: Direct,
    cash: Decimal,
    models: FillModels,
    paper: bool,  # noqa: FBT001 - `trio.run` passes no keywords
    seed: int,
    account: str,
    limits: RiskPlan,
    ready: Callable[[Run], None],
    collector: Collector | None,
) -> Simulation:
    notes, wires, done = Notes(), _Wires(), trio.Event()
    ledger = NullLedger(notes, lambda: clock.reading)

    def make_paper(known: Mapping[str, Instrument]) -> PaperExchange:
        money = {item.currency: cash for item in known.values()}
        return PaperExchange(known, account=account, cash=money, models=models, tells_account=False)

    port = PaperPort(ledger, make_converter(), lambda: run.engine, clock, clock.poke)
    async with trio.open_nursery() as nursery:
        run = assemble(
            identity=Identity(seed, clock.start),
            clock=clock,
            wakes=Wakes(clock.poke),
            dialect=dialect,
            market_connections=1,
            wires=wires,
            port=port,
            answered=port.answered,
            ledger=ledger,
            strategies=strategies,
            instruments=dict(instruments),
            account=account,
            exchange=None,
            nursery=nursery,
            home=home,
            paper=make_paper if paper else None,
            trades_at_venue=False,
            live=False,
            require_history=False,
            keep_orders=False,
            limits=limits,
            collector=collector,
        )
        _serve(run)
        if any(item.fresh_within is not None for _, strategy in strategies for item in strategy.declarations()):
            # Elsewhere the dialect notes what came; here nothing is decoded.
            run.engine.watchers.append(partial(_note_datum, run.engine.table))
        nursery.start_soon(run.play_and_tell, done)
        await run.driver.quiet()
        while wires.early:
            await run.driver.dispatch(wires.early.pop(0))
        ready(run)
        await run.driver.replay_events(events, clock)
        if collector is not None:
            collector.stop()
        run.supervisor.stop()
        await run.driver.finish(done, within=LEAVE_WITHIN)
        run.supervisor.abandon()
        nursery.cancel_scope.cancel()
    return Simulation(run=run, notes=notes)


def _serve(run: Run) -> None:
    """Give every stream that a strategy wants the guid under which its events come."""
    engine, table = run.engine, run.engine.table
    canonical: dict[str, Stream] = {}
    build = build_missing(engine.dialect.offers)

    def find(stream: Stream, receive: Callable[[Event], None] | None) -> tuple[Stream, Callable[[Event], None] | None]:
        stream, receive = build(stream, receive)
        guid = stream_guid(stream.kind, stream.instrument or "", stream.interval)
        if guid not in canonical:
            canonical[guid] = stream
            row = table.restore(guid, stream, "market-0")
            table.asked(row.guid)
            table.confirmed(row.guid, run.clock.reading)
        return canonical[guid], receive

    engine.sessions["market-0"] = 1
    engine.lanes["market-0"] = "market"
    engine.serve_from(find)


def _note_datum(table: Subscriptions, event: Event) -> None:
    row = table.by_guid.get(event.guid)
    if row is not None and type(event) in _KINDS:
        table.datum(row, event.receive_time)


def kind_of(event: Event) -> StreamKind | None:
    """Give the kind of stream that carries such an event; None for those of an account."""
    return _KINDS.get(type(event))

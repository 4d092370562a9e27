"""Backtests on columns: an archive, or arrays in memory. Nothing is decoded, and what nobody wants isn't even read."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

import trio

from strategykit.columns.columns import Columns
from strategykit.columns.merging import Stretch, merge
from strategykit.model.events import Event
from strategykit.net.inbox import Input, InputKind
from strategykit.runtime.assembly import Identity, Run
from strategykit.runtime.bench import BacktestPlan, Bench
from strategykit.runtime.clock import ReplayClock
from strategykit.runtime.column_replay import ColumnReplay
from strategykit.runtime.column_source import ColumnSource
from strategykit.runtime.direct import Direct
from strategykit.runtime.home import run_with_home
from strategykit.runtime.lanes import Lane
from strategykit.runtime.outside import NoWires
from strategykit.runtime.report import RunReport
from strategykit.runtime.served import find_served, refuse_missing, wanted_streams
from strategykit.sim.fees import check_fees_of
from strategykit.venues.dialect import Ask, Offers
from strategykit.venues.streams import PRIVATE, Stream, StreamKind
from strategykit.venues.subscriptions import Subscription

__all__ = ["ColumnWires", "backtest_columns", "check_fees", "matters", "put_together"]

_CONNECTION: Final = "market-0"

_PRICES: Final = frozenset(
    {
        *(StreamKind.TRADES, StreamKind.QUOTES, StreamKind.BOOK, StreamKind.BOOK_BY_ORDER),
        *(StreamKind.BARS, StreamKind.TICKER),
    }
)
"""Streams that the paper exchange fills orders by, whether strategies want them or not: as on a tape."""


def backtest_columns(plan: BacktestPlan, source: ColumnSource) -> RunReport:
    """Run strategies on columns; see `backtest`."""
    clock = ReplayClock(source.first)
    streams = [stream for stream in source.streams if stream.kind not in PRIVATE]
    refuse_missing(streams, plan.strategies, clock.reading, where="the recording")
    check_fees(plan, source)
    return run_with_home(clock, lambda home: _run(home, plan, source, clock))


def check_fees(plan: BacktestPlan, source: ColumnSource) -> None:
    """See that fees of single instruments are of such as the recording has.

    Raises:
        ConfigError: Some aren't.
    """
    symbols = [stream.instrument or "" for stream in source.streams]
    check_fees_of(plan.models.fees_of, source.instruments.values(), where="the recording", symbols=symbols)


class ColumnWires(NoWires):
    """No history is kept: whoever asks is told so."""

    def __init__(self, now: Callable[[], int]) -> None:
        self.early: deque[Input] = deque()
        self._now = now

    def ask(self, ask: Ask) -> None:
        self.early.append(Input(InputKind.ANSWER, "http", self._now(), b"columns have no answer to this", ask=ask))


async def _run(home: trio.Nursery, plan: BacktestPlan, source: ColumnSource, clock: ReplayClock) -> RunReport:
    bench = Bench(plan, clock, source.last - source.first)
    async with trio.open_nursery() as nursery:
        run, wires, rows = put_together(bench, source, nursery, home)
        bench.begin(run, nursery)
        await run.driver.quiet()
        while wires.early:
            await run.driver.dispatch(wires.early.popleft())
        lanes = [Lane(run.engine, clock, row, bench.digest) for row in rows if matters(run, row)]
        replay = ColumnReplay(driver=run.driver, clock=clock, lanes=lanes, marks=bench.marks)
        await replay.replay(_stretches(lanes, source, plan.on_progress))
        await run.driver.advance(source.last)
        await bench.end(run)
        nursery.cancel_scope.cancel()
    return bench.report(run, connections=(), source=str(getattr(source, "path", "")) or None)


def put_together(
    bench: Bench, source: ColumnSource, nursery: trio.Nursery, home: trio.Nursery
) -> tuple[Run, ColumnWires, list[Subscription]]:
    """Make a run on columns; give what it asks, too, and the streams that it may get."""
    plan, clock = bench.plan, bench.clock
    wires = ColumnWires(lambda: clock.reading)
    streams = [stream for stream in source.streams if stream.kind not in PRIVATE]
    symbols = dict.fromkeys(stream.instrument or "" for stream in wanted_streams(plan.strategies, clock.reading))
    run = bench.put_together(
        nursery,
        home,
        identity=Identity(source.seed if plan.seed is None else plan.seed, source.clock_origin),
        dialect=Direct((), Offers(streams=frozenset(stream.kind for stream in streams))),
        wires=wires,
        instruments={symbol: source.instruments[symbol] for symbol in symbols if symbol in source.instruments},
        watchers=[],
    )
    rows = [_restore(run, source, stream) for stream in streams if stream.instrument in symbols]
    _serve(run, streams)
    return run, wires, rows


def _restore(run: Run, source: ColumnSource, stream: Stream) -> Subscription:
    table = run.engine.table
    row = table.restore(source.guid(stream), stream, _CONNECTION)
    table.asked(row.guid)
    table.confirmed(row.guid, run.clock.reading)
    return row


def _serve(run: Run, streams: list[Stream]) -> None:
    """Have what strategies want served by the streams that there are."""
    engine = run.engine

    def find(wanted: Stream, receive: Callable[[Event], None] | None) -> tuple[Stream, Callable[[Event], None] | None]:
        return find_served(streams, wanted, receive, where="the recording")

    engine.sessions[_CONNECTION] = 1
    engine.lanes[_CONNECTION] = "market"
    engine.serve_from(find)


def matters(run: Run, row: Subscription) -> bool:
    """Whether somebody wants it, or it says at what prices orders are filled."""
    return row.guid in run.engine.routes or row.stream.kind in _PRICES


def _stretches(lanes: list[Lane], source: ColumnSource, on_progress: Callable[[float], None]) -> Iterator[Stretch]:
    first, span = source.first, max(source.last - source.first, 1)
    for stretch in merge([_while_wanted(lane, source) for lane in lanes]):
        yield stretch
        on_progress((int(stretch.times[-1]) - first) / span)
    on_progress(1.0)


def _while_wanted(lane: Lane, source: ColumnSource) -> Iterator[Columns]:
    for columns in source.chunks(lane.row.stream):
        if lane.over:
            return
        yield columns

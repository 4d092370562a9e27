"""Backtests on columns: an archive, or arrays in memory. Nothing is decoded, and what nobody wants isn't even read."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

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
from strategykit.runtime.served import find_served, wanted_streams
from strategykit.venues.dialect import Ask, Offers
from strategykit.venues.streams import PRIVATE, Stream
from strategykit.venues.subscriptions import Subscription

__all__ = ["backtest_columns"]

_CONNECTION = "market-0"


def backtest_columns(plan: BacktestPlan, source: ColumnSource) -> RunReport:
    """Run strategies on columns; see `backtest`."""
    clock = ReplayClock(source.first)
    return run_with_home(clock, lambda home: _run(home, plan, source, clock))


class _Wires(NoWires):
    """No history is kept: whoever asks is told so."""

    def __init__(self, now: Callable[[], int]) -> None:
        self.early: deque[Input] = deque()
        self._now = now

    def ask(self, ask: Ask) -> None:
        self.early.append(Input(InputKind.ANSWER, "http", self._now(), b"columns have no answer to this", ask=ask))


async def _run(home: trio.Nursery, plan: BacktestPlan, source: ColumnSource, clock: ReplayClock) -> RunReport:
    bench = Bench(plan, clock, source.last - source.first)
    wires = _Wires(lambda: clock.reading)
    streams = [stream for stream in source.streams if stream.kind not in PRIVATE]
    symbols = dict.fromkeys(stream.instrument or "" for stream in wanted_streams(plan.strategies, clock.reading))
    async with trio.open_nursery() as nursery:
        run = bench.put_together(
            nursery,
            home,
            identity=Identity(source.seed if plan.seed is None else plan.seed, source.clock_origin),
            dialect=Direct((), Offers(streams=frozenset(stream.kind for stream in streams))),
            wires=wires,
            instruments={symbol: source.instruments[symbol] for symbol in symbols if symbol in source.instruments},
            watchers=[],
        )
        rows = _serve(run, source, streams)
        bench.begin(run, nursery)
        await run.driver.quiet()
        while wires.early:
            await run.driver.dispatch(wires.early.popleft())
        lanes = [Lane(run.engine, row, bench.digest) for row in _in_order(rows, streams)]
        replay = ColumnReplay(driver=run.driver, clock=clock, lanes=lanes, marks=bench.marks)
        await replay.replay(_stretches(lanes, source, plan.on_progress))
        await run.driver.advance(source.last)
        await bench.end(run)
        nursery.cancel_scope.cancel()
    return bench.report(run, connections=(), source=str(getattr(source, "path", "")) or None)


def _serve(run: Run, source: ColumnSource, streams: list[Stream]) -> dict[Stream, Subscription]:
    """Have what strategies want served by the streams that there are; the rows come with the wanting."""
    engine, table = run.engine, run.engine.table
    rows: dict[Stream, Subscription] = {}

    def find(wanted: Stream, receive: Callable[[Event], None] | None) -> tuple[Stream, Callable[[Event], None] | None]:
        stream, receive = find_served(streams, wanted, receive, where="the recording")
        if stream not in rows:
            row = rows[stream] = table.restore(source.guid(stream), stream, _CONNECTION)
            table.asked(row.guid)
            table.confirmed(row.guid, run.clock.reading)
        return stream, receive

    engine.sessions[_CONNECTION] = 1
    engine.lanes[_CONNECTION] = "market"
    engine.serve_from(find)
    return rows


def _in_order(rows: dict[Stream, Subscription], streams: list[Stream]) -> list[Subscription]:
    """Give the subscriptions in the order of the recording's streams: it decides where times are equal."""
    return [rows[stream] for stream in streams if stream in rows]


def _stretches(lanes: list[Lane], source: ColumnSource, on_progress: Callable[[float], None]) -> Iterator[Stretch]:
    first, span = source.first, max(source.last - source.first, 1)
    for stretch in merge([_while_wanted(lane, source) for lane in lanes]):
        yield stretch
        on_progress((int(stretch.times[-1]) - first) / span)
    on_progress(1.0)


def _while_wanted(lane: Lane, source: ColumnSource) -> Iterator[Columns]:
    for columns in source.chunks(lane.row.stream):
        if lane.left:
            return
        yield columns

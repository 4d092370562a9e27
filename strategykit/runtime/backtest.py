"""Backtests: strategies on a recording, with orders answered from its market data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

import trio

from strategykit.errors import ConfigError, TapeError
from strategykit.model.events import Event
from strategykit.model.instruments import Instrument
from strategykit.runtime.assembly import Identity
from strategykit.runtime.bench import BacktestPlan, Bench
from strategykit.runtime.clock import ReplayClock
from strategykit.runtime.engine import Engine
from strategykit.runtime.frame_replay import FrameReplay
from strategykit.runtime.home import run_with_home
from strategykit.runtime.recorded import Contents, TapeWires, scan
from strategykit.runtime.recorded_events import recorded_instruments
from strategykit.runtime.report import ConnectionReport, RunReport
from strategykit.runtime.served import find_served, refuse_missing, wanted_streams
from strategykit.sim.fees import check_fees_of
from strategykit.tape.reader import Tape
from strategykit.venues.dialect import Dialect
from strategykit.venues.streams import PRIVATE, Stream

__all__ = ["BacktestPlan", "backtest"]


def backtest(plan: BacktestPlan) -> RunReport:
    """Run strategies on a recording; the market moves as recorded, orders are answered by a fill model.

    Raises:
        ConfigError: A tape without a dialect; or fees of an instrument that the recording doesn't have.
        StrategyError: A strategy wants a stream that the recording doesn't have.
        TapeError: The recording is damaged.
    """
    if not isinstance(plan.source, Tape):
        from strategykit.runtime.column_backtest import backtest_columns  # It needs numpy; a tape doesn't.

        return backtest_columns(plan, plan.source)
    if plan.dialect is None:
        raise ConfigError("a backtest on a tape needs the dialect that it was recorded in")
    contents = scan(plan.source)
    tape, dialect, clock = plan.source, plan.dialect, ReplayClock(contents.first)
    streams = [row.stream for row in contents.rows if row.stream.kind not in PRIVATE]
    refuse_missing(streams, plan.strategies, clock.reading, where="the tape")
    _check_fees(plan, tape, dialect, contents)
    return run_with_home(clock, lambda home: _backtest(home, plan, tape, dialect, contents, clock))


def _check_fees(plan: BacktestPlan, tape: Tape, dialect: Dialect, contents: Contents) -> None:
    if not plan.models.fees_of:
        return
    symbols = [row.stream.instrument or "" for row in contents.rows if row.stream.kind not in PRIVATE]
    known: Mapping[str, Instrument] = {}
    with suppress(TapeError):  # It has no reference data: symbols are what is known.
        known = recorded_instruments(tape, dialect, contents)
    check_fees_of(plan.models.fees_of, known.values(), where="the tape", symbols=symbols)


async def _backtest(
    home: trio.Nursery, plan: BacktestPlan, tape: Tape, dialect: Dialect, contents: Contents, clock: ReplayClock
) -> RunReport:
    bench = Bench(plan, clock, contents.last - contents.first)
    wires = TapeWires(contents)
    async with trio.open_nursery() as nursery:
        run = bench.put_together(
            nursery,
            home,
            identity=Identity(tape.header.seed if plan.seed is None else plan.seed, tape.header.clock_origin),
            dialect=dialect,
            wires=wires,
            instruments={},
            watchers=[bench.digest, bench.marks],
        )
        engine = run.engine
        bench.digest.watch(lambda guid: engine.table.by_guid.get(guid) if guid in engine.routes else None)
        available = _Available(contents, engine)
        available.restore({stream.instrument for stream in wanted_streams(plan.strategies, clock.reading)})
        engine.serve_from(available.find)
        bench.begin(run, nursery)
        replay = FrameReplay(
            tape=tape,
            engine=engine,
            clock=clock,
            wires=wires,
            digest=bench.digest,
            marks=bench.marks,
            on_progress=plan.on_progress,
        )
        await run.driver.replay(replay.inputs(), clock)
        await run.driver.advance(contents.last)  # Whichever stream the last word was of.
        await bench.end(run)
        nursery.cancel_scope.cancel()
    lanes = [
        ConnectionReport(
            name=name,
            lane=lane,
            state="replayed",
            frames_in=replay.frames[name],
            frames_out=0,
            reconnects=replay.opened[name] - 1,
            lag_p50=None,
            lag_p99=None,
        )
        for name, lane in engine.lanes.items()
        if name in replay.opened
    ]
    return bench.report(run, connections=lanes, source=str(tape.path))


class _Available:
    """The subscriptions of the tape, and which of them serves what a strategy wants."""

    def __init__(self, contents: Contents, engine: Engine) -> None:
        self._rows = [row for row in contents.rows if row.stream.kind not in PRIVATE]
        self._engine = engine

    def restore(self, instruments: set[str | None]) -> None:
        """Put the tape's rows of `instruments` in the guid table: market data of others isn't decoded."""
        for row in self._rows:
            if row.stream.instrument in instruments and row.guid not in self._engine.table.by_guid:
                self._engine.table.restore(row.guid, row.stream, row.connection)

    def find(
        self, wanted: Stream, receive: Callable[[Event], None] | None
    ) -> tuple[Stream, Callable[[Event], None] | None]:
        """Give the recorded stream that serves `wanted`, and who should get its events."""
        return find_served([row.stream for row in self._rows], wanted, receive, where="the tape")

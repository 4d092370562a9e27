"""Several backtests in one pass over columns: each comes out as it would have alone.

Every run has a gateway, an exchange, books and an account of its own; what they have in common is the clock, and the
events, which are built once. Time goes on in windows that no deadline of any run lies in. In a window, runs whose
orders no event can meet get each event one after the other, at the price of a call. One that has something to do
between two events does it there and then; one that goes on having something, such as an order at the exchange, gets
the rest of the window by itself, and the clock is set back for the others: nothing that one does is seen by another.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

import attrs
import trio

from strategykit.columns.columns import Columns
from strategykit.columns.merging import merge
from strategykit.errors import StrategykitError
from strategykit.runtime.abreast_turn import SharedEvents, TurnOfOne
from strategykit.runtime.abreast_window import Window
from strategykit.runtime.assembly import Run
from strategykit.runtime.bench import BacktestPlan, Bench
from strategykit.runtime.clock import NEVER, ReplayClock
from strategykit.runtime.collector import Collector
from strategykit.runtime.column_backtest import ColumnWires, backtest_columns, check_fees, matters, put_together
from strategykit.runtime.column_source import ColumnSource
from strategykit.runtime.driver import LEAVE_WITHIN
from strategykit.runtime.home import run_with_home
from strategykit.runtime.lanes import Lane
from strategykit.runtime.report import RunReport
from strategykit.runtime.served import find_served, wanted_streams
from strategykit.sim.recorded import RecordedMarket
from strategykit.venues.streams import PRIVATE, Stream
from strategykit.venues.subscriptions import Subscription

__all__ = ["backtest_abreast"]

WINDOW: Final = 512
"""Events, at most, that one run may be ahead of another."""


def backtest_abreast(
    source: ColumnSource,
    makers: Sequence[Callable[[], BacktestPlan]],
    *,
    on_progress: Callable[[float], None] = lambda _: None,
) -> list[RunReport | StrategykitError]:
    """Run backtests side by side; each report is what `backtest` gives for its plan.

    Args:
        source: What all of them are on.
        makers: Each gives a plan with strategies that haven't run yet. It may be asked twice.
        on_progress: Takes the part that is done, 0 to 1; it begins anew where runs need passes of their own.

    Returns:
        In the order of `makers`: a report, or why there is none.
    """
    found: dict[int, RunReport | StrategykitError] = {}
    groups: dict[tuple[Stream, ...], list[int]] = {}
    for place, maker in enumerate(makers):
        try:
            wanted = _served(source, maker())
        except StrategykitError as exc:
            found[place] = exc
        else:
            groups.setdefault(wanted, []).append(place)
    done = len(found)
    for places in groups.values():
        each = 1 / len(makers)
        together = partial(_share, on_progress, done * each, len(places) * each)
        reports = _try_abreast(source, [makers[place] for place in places], together) if len(places) > 1 else None
        if reports is None:
            reports = [
                _alone(source, makers[place], partial(_share, on_progress, (done + number) * each, each))
                for number, place in enumerate(places)
            ]
        found.update(zip(places, reports, strict=True))
        done += len(places)
    return [found[place] for place in range(len(makers))]


def _share(on_progress: Callable[[float], None], begin: float, size: float, part: float) -> None:
    on_progress(begin + size * part)


def _served(source: ColumnSource, plan: BacktestPlan) -> tuple[Stream, ...]:
    """Give the recorded streams that serve a plan's strategies: only runs with the same ones go side by side."""
    check_fees(plan, source)
    streams = _public(source)
    wanted = wanted_streams(plan.strategies, source.first)
    serving = [find_served(streams, stream, lambda _: None, where="the recording")[0] for stream in wanted]
    return tuple(dict.fromkeys(serving))


def _public(source: ColumnSource) -> list[Stream]:
    return [stream for stream in source.streams if stream.kind not in PRIVATE]


def _alone(
    source: ColumnSource, maker: Callable[[], BacktestPlan], on_progress: Callable[[float], None]
) -> RunReport | StrategykitError:
    try:
        return backtest_columns(attrs.evolve(maker(), source=source, on_progress=on_progress), source)
    except StrategykitError as exc:
        return exc


class _Apart(StrategykitError):
    """These runs can't go side by side."""


def _try_abreast(
    source: ColumnSource, makers: Sequence[Callable[[], BacktestPlan]], on_progress: Callable[[float], None]
) -> list[RunReport | StrategykitError] | None:
    """Give the reports, or None where each run has to go by itself, if only so that it is seen which one fails."""
    clock = ReplayClock(source.first)
    plans = [maker() for maker in makers]
    try:
        reports = run_with_home(clock, lambda home: _run(home, plans, source, clock, on_progress))
    except StrategykitError:
        return None
    return list(reports)


@attrs.define(eq=False)
class _One:
    """One of the runs."""

    bench: Bench
    run: Run
    nursery: trio.Nursery
    rows: Sequence[Subscription]
    """The streams that it may get."""
    lanes: Sequence[Lane] = ()
    markets: dict[str, RecordedMarket] = attrs.field(factory=dict)
    """Those that its exchange shares with others."""
    left: bool = False
    """Whether it wants no more events."""
    report: RunReport | None = None

    async def quiet(self) -> None:
        if self.bench.clock.woken or self.run.driver.wakes or self.run.engine.local:
            await self.run.driver.quiet()


async def _hold_nursery(*, task_status: trio.TaskStatus[trio.Nursery]) -> None:
    async with trio.open_nursery() as nursery:
        task_status.started(nursery)
        await trio.sleep_forever()


async def _run(
    home: trio.Nursery,
    plans: Sequence[BacktestPlan],
    source: ColumnSource,
    clock: ReplayClock,
    on_progress: Callable[[float], None],
) -> list[RunReport]:
    ones: list[_One] = []
    async with trio.open_nursery() as nursery:
        asked: list[ColumnWires] = []
        for plan in plans:
            bench = Bench(plan, clock, source.last - source.first)
            if bench.collector is not None:
                bench.collector.driven = True
            own: trio.Nursery = await nursery.start(_hold_nursery)
            run, wires, rows = put_together(bench, source, own, home)
            ones.append(_One(bench, run, own, rows))
            asked.append(wires)

        def parked(task: trio.lowlevel.Task) -> None:
            for one in ones:
                one.run.supervisor.parked(task)

        clock.turns.parked = parked
        for one in ones:
            one.bench.begin(one.run, one.nursery)
        for one, wires in zip(ones, asked, strict=True):
            await one.run.driver.quiet()
            while wires.early:
                await one.run.driver.dispatch(wires.early.popleft())
        for one in ones:
            one.lanes = [
                Lane(one.run.engine, clock, row, one.bench.digest) for row in one.rows if matters(one.run, row)
            ]
        abreast = _Abreast(ones, clock)
        await abreast.replay(source, on_progress)
        await abreast.advance(source.last)
        await abreast.end(str(getattr(source, "path", "")) or None)
        nursery.cancel_scope.cancel()
    return [one.report for one in ones if one.report is not None]


@attrs.define(eq=False)
class _Abreast:
    """Moves all runs."""

    ones: Sequence[_One]
    clock: ReplayClock
    _samplers: Sequence[Collector] = attrs.field(init=False)
    _sample: int = attrs.field(default=0, init=False)
    """Time of the next sample: the same for all, so that no run is left for it."""
    _sample_at: int = attrs.field(default=NEVER, init=False)
    """What the clock reads then."""

    @_samplers.default
    def _find_samplers(self) -> Sequence[Collector]:
        return [one.bench.collector for one in self.ones if one.bench.collector is not None]

    def __attrs_post_init__(self) -> None:
        self._plan_sample(self.clock.reading)

    def _plan_sample(self, time: int) -> None:
        if self._samplers:
            self._sample = self._samplers[0].next_sample(max(self._sample, time))
            self._sample_at = self.clock.reading_at(self._sample)

    def _sample_until(self, time: int) -> None:
        """Take the samples up to `time`. Nobody sees them, and prices stand still: the clock is set back."""
        clock = self.clock
        now = clock.reading
        while self._sample_at <= time:
            clock.reading = self._sample_at
            for sampler in self._samplers:
                sampler.sample()
            self._plan_sample(clock.reading)
        clock.reading = now

    async def quiet(self) -> None:
        """Return when all that follows from what has happened so far has happened, in every run."""
        again = True
        while again:
            for one in self.ones:
                await one.quiet()
            again = any(self.clock.woken or one.run.driver.wakes or one.run.engine.local for one in self.ones)

    async def advance(self, time: int) -> None:
        """Pass every deadline up to `time` of any run, one at a time, with all that follows from each."""
        clock = self.clock
        self._sample_until(time)
        await self._settle()
        while True:
            due, answer, whose = clock.next_due(), *self._answer()
            if whose is not None and answer <= min(due, time):
                await self._answered(whose, answer)
                continue
            if due > time:
                break
            await clock.step(due)
            await self.quiet()
        clock.reading = max(clock.reading, time)

    async def replay(self, source: ColumnSource, on_progress: Callable[[float], None]) -> None:
        await self._settle()
        lanes = [one.lanes for one in self.ones]
        for lane in (lane for each in lanes for lane in each):
            lane.look()
            if lane.batchers:
                raise _Apart("batch handlers get columns, not events")
        if len({tuple(lane.row.guid for lane in each) for each in lanes}) != 1:
            raise _Apart("they go by different streams")
        guids = [lane.row.guid for lane in lanes[0]]
        first, span = source.first, max(source.last - source.first, 1)
        for stretch in merge([_while_wanted(each, source) for each in zip(*lanes, strict=True)]):
            shared = SharedEvents.build(stretch, [guids[place] for place, _ in stretch.parts])
            await self._play(shared)
            on_progress((shared.times[-1] - first) / span)
            if all(one.left for one in self.ones):
                break
        on_progress(1.0)

    async def end(self, source: str | None) -> None:
        """Have all strategies leave, and make each run's report when they have."""
        clock, last = self.clock, self.clock.reading + LEAVE_WITHIN
        for one in self.ones:
            one.bench.stop(one.run)
        await self._settle()
        while True:
            await self._close([one for one in self.ones if one.bench.over], source)
            left = [one for one in self.ones if one.report is None]
            answer, whose = self._answer()
            due = min(clock.next_due(), answer)
            if not left or due == NEVER or due > last:
                await self._close(left, source)
                return
            if whose is not None and answer == due:
                await self._answered(whose, answer)
            else:
                await clock.step(due)
                await self.quiet()

    async def _close(self, ones: Sequence[_One], source: str | None) -> None:
        for one in ones:
            if one.report is None:
                one.run.supervisor.abandon()
                one.nursery.cancel_scope.cancel()
                await self._settle()
                one.report = one.bench.report(one.run, connections=(), source=source)

    async def _settle(self) -> None:
        for one in self.ones:
            await one.run.driver.quiet()
        await self.quiet()

    def _answer(self) -> tuple[int, _One | None]:
        """Give when the first exchange has something to do, and whose it is."""
        found: tuple[int, _One | None] = (NEVER, None)
        for one in self.ones:
            due = None if one.run.engine.paper is None else one.run.engine.paper.due()
            if due is not None and due < found[0] and one.report is None:
                found = due, one
        return found

    async def _answered(self, one: _One, time: int) -> None:
        clock, paper = self.clock, one.run.engine.paper
        assert paper is not None
        clock.reading = max(clock.reading, time)
        one.run.engine.local.extend(paper.run_due(clock.reading))
        await self.quiet()

    async def _play(self, shared: SharedEvents) -> None:
        clock, times, position = self.clock, shared.times, 0
        turns = [
            TurnOfOne(one.run.driver, clock, one.bench.marks, one.lanes, shared=shared, markets=one.markets)
            for one in self.ones
            if not one.left
        ]
        while position < len(times):
            if times[position] >= clock.due:
                for turn in turns:
                    turn.came(position)
                await self.advance(times[position])
            elif times[position] >= self._sample_at:
                self._sample_until(times[position])
            stop = bisect_left(times, min(clock.due, self._sample_at), position, min(position + WINDOW, len(times)))
            await Window(turns, shared, clock, position, stop).play()
            position = stop
        for turn in turns:
            await turn.end()
        for one in self.ones:
            one.left = all(lane.left for lane in one.lanes)


def _while_wanted(lanes: Sequence[Lane], source: ColumnSource) -> Iterator[Columns]:
    for columns in source.chunks(lanes[0].row.stream):
        if all(lane.over for lane in lanes):
            return
        yield columns

"""Replay of columns: the same order of everything as event by event, and only what somebody wants."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit import Bar, Bars, Gap, Quotes, Strategy, Trade, Trades, define
from strategykit.columns.columns import Columns
from strategykit.errors import ConfigError, StrategyError
from strategykit.model.events import Event, Quote
from strategykit.runtime.backtest import BacktestPlan, backtest
from strategykit.runtime.column_source import MemoryColumns
from strategykit.runtime.simulate import stream_guid
from strategykit.testing import START, make_trades
from strategykit.venues.streams import Stream, StreamKind
from tests.runtime.columnar import (
    INSTRUMENTS,
    Diarist,
    Reader,
    Trader,
    make_market,
    make_source,
    replay_columns,
    replay_events,
    seen_by,
)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(2, 150), latency=st.sampled_from([0, 5_000_000, 30_000_000]))
def test_whatever_comes_strategies_see_and_do_the_same_on_columns_and_event_by_event(
    seed: int, count: int, latency: int
) -> None:
    events = make_market(seed, count)

    def make() -> dict[str, Diarist]:
        return {"a": Trader(), "b": Reader(), "c": Trader(every=5), "d": Reader()}

    columns = seen_by(make, partial(replay_columns, events=events, latency=latency))

    assert columns == seen_by(make, partial(replay_events, events=events, latency=latency))
    assert columns == seen_by(make, partial(replay_events, events=events, latency=latency, watched=True))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(2, 150), latency=st.sampled_from([0, 5_000_000]))
def test_an_async_for_that_takes_events_itself_sees_and_does_what_one_that_is_woken_does(
    seed: int, count: int, latency: int
) -> None:
    """Trap (e): whatever it calls of Trio meanwhile belongs to its own task, and comes at its own time."""
    events = [event for event in make_market(seed, count) if type(event) is Trade] or list(make_trades("X", [1.0]))
    run_columns = partial(replay_columns, events=events, latency=latency)
    run_events = partial(replay_events, events=events, latency=latency)

    woken = seen_by(lambda: {"a": Reader(hidden=False)}, run_events)

    assert seen_by(lambda: {"a": Reader()}, run_events) == woken
    assert seen_by(lambda: {"a": Reader()}, run_columns) == woken
    assert seen_by(lambda: {"a": Reader(hidden=False)}, run_columns) == woken


@pytest.mark.parametrize("seed", range(3))
def test_a_feed_that_is_late_comes_in_the_same_order_on_columns(seed: int) -> None:
    events = make_market(seed, 60)

    def make() -> dict[str, Diarist]:
        return {"a": Trader(), "b": Reader()}

    columns = seen_by(make, partial(replay_columns, events=events, feed=7_000_000, latency=1_000_000))

    assert columns == seen_by(make, partial(replay_events, events=events, feed=7_000_000, latency=1_000_000))
    assert len(columns[0]) > 60


def test_ten_strategies_side_by_side_see_what_each_sees_alone() -> None:
    events = make_market(5, 400)
    alone = seen_by(lambda: {"s3": Trader(every=10**6)}, partial(replay_columns, events=events))

    together = seen_by(
        lambda: {f"s{number}": Trader(every=10**6) for number in range(10)}, partial(replay_columns, events=events)
    )

    assert together == alone * 10


def test_a_strategy_that_raises_ends_alone_and_the_others_see_all_of_the_event() -> None:
    @define
    class Faulty(Diarist):
        trades = Trades("X")

        def on_trade(self, trade: Trade) -> None:
            self.note("trade", trade.price)
            if len(self.seen) == 3:
                raise LookupError("enough")

    events: list[Event] = list(make_trades("X", range(1, 8)))
    faulty, last = Faulty(), Reader()

    report = replay_columns({"first": faulty, "last": last}, events)

    assert [price for _, price, _ in faulty.seen] == [1, 2, 3]
    assert [price for kind, price, _ in last.seen if kind == "read"] == list(range(1, 8))
    assert [one.error for one in report.strategies] == ["LookupError: enough", ""]


def test_what_nobody_wants_is_neither_read_nor_counted() -> None:
    @define
    class Narrow(Diarist):
        trades = Trades("X")

        def on_trade(self, trade: Trade) -> None:
            self.note("trade", trade.price)

    events = [event for event in make_market(3, 200) if event.instrument == "Y" or type(event) is Trade]
    source = make_source(events)
    asked: list[Stream] = []

    class Watched(MemoryColumns):
        def chunks(self, stream: Stream, *, since: int | None = None, until: int | None = None) -> Iterator[Columns]:
            asked.append(stream)
            return super().chunks(stream, since=since, until=until)

    narrow, alone = Narrow(), Narrow()
    report = backtest(BacktestPlan(source=Watched(source.columns, INSTRUMENTS), strategies=[("a", narrow)]))
    (trades,) = [stream for stream in source.streams if stream.kind is StreamKind.TRADES]
    only = backtest(
        BacktestPlan(source=MemoryColumns({trades: source.columns[trades]}, INSTRUMENTS), strategies=[("a", alone)])
    )

    assert asked == [trades]
    assert report.events == len(narrow.seen) == sum(map(len, source.columns[trades]))
    assert narrow.seen == alone.seen
    assert report.digest == only.digest


def test_no_more_is_read_once_nobody_is_left() -> None:
    @define
    class Brief(Strategy):
        trades = Trades("X")

        async def run(self) -> None:
            async for _ in self.trades:
                raise LookupError("enough")

    events: list[Event] = list(make_trades("X", range(1, 40_000), every=0.001))
    source = make_source(events)
    given_out: list[int] = []

    class Watched(MemoryColumns):
        def chunks(self, stream: Stream, *, since: int | None = None, until: int | None = None) -> Iterator[Columns]:
            for columns in super().chunks(stream, since=since, until=until):
                given_out.append(len(columns))
                yield columns

    report = backtest(BacktestPlan(source=Watched(source.columns, INSTRUMENTS), strategies=[("a", Brief())]))

    assert len(given_out) == 1
    assert report.events == 1


def test_a_stream_that_is_not_there_is_refused_before_the_run_and_what_is_there_is_named() -> None:
    @define
    class Picky(Strategy):
        bars = Bars("Y", "1m")

    with pytest.raises(StrategyError) as caught:
        replay_columns({"a": Picky()}, make_market(1, 50, ties=False))

    assert str(caught.value) == ("strategy a: the recording has no bars Y 1m; it has quotes X, quotes Y, trades X")


def test_bars_are_built_from_trades_where_there_are_no_bars() -> None:
    @define
    class Barred(Diarist):
        bars = Bars("X", "1m")

        def on_bar(self, bar: Bar) -> None:
            self.note("bar", (bar.open, bar.close))

    events: list[Event] = list(make_trades("X", [1, 2, 3, 4, 5, 6, 7, 8], every=20.0))

    seen = seen_by(lambda: {"a": Barred()}, partial(replay_columns, events=events))

    assert seen == [[("bar", (4, 6), 120_000_000_000)]]


def test_gaps_among_the_columns_are_told_in_their_place() -> None:
    @define
    class Careful(Diarist):
        trades = Trades("X")

        def on_trade(self, trade: Trade) -> None:
            self.note("trade", trade.price)

        def on_gap(self, gap: Gap) -> None:
            self.note("gap", gap.reason)

    trades = make_trades("X", [1.0, 2.0, 3.0])
    gap = Gap("X", START, trades[1].receive_time, "lost", None, trades[1].receive_time, trades[0].guid)
    stream = Stream(kind=StreamKind.TRADES, instrument="X")
    rows = make_source([trades[0]]).columns[stream][0], make_source(trades[1:]).columns[stream][0]
    times = np.array([gap.receive_time], dtype=np.int64)
    facts = {"since": gap.since, "until": gap.until, "reason": "lost", "event_time": None, "receive_time": times}
    middle = Columns(stream=stream, kind=Gap, arrays=facts)
    careful = Careful()

    report = backtest(
        BacktestPlan(
            source=MemoryColumns({stream: [rows[0], middle, rows[1]]}, INSTRUMENTS), strategies=[("a", careful)]
        )
    )

    assert [what for _, what, _ in careful.seen] == [1.0, "lost", 2.0, 3.0]
    assert [gap.reason for gap in report.subscriptions[0].gaps] == ["lost"]


def test_a_silent_stream_of_columns_is_told_to_be_stale_and_becomes_fresh_again() -> None:
    @define
    class Watchful(Diarist):
        trades = Trades("X", fresh=2)

        def on_stale(self, stale: object) -> None:
            self.note("stale", None)

        def on_trade(self, trade: Trade) -> None:
            self.note("trade", trade.price)

    first, second = make_trades("X", [1.0, 2.0, 3.0]), make_trades("X", [4.0], start=START + 10_000_000_000)

    (seen,) = seen_by(lambda: {"a": Watchful()}, partial(replay_columns, events=[*first, *second]))

    assert [kind for kind, _, _ in seen] == ["trade", "trade", "trade", "stale", "trade"]


def test_the_report_knows_what_open_positions_are_worth_at_the_end() -> None:
    @define
    class Holder(Strategy):
        quotes = Quotes("X")

        async def run(self) -> None:
            await self.buy(2)
            await trio.sleep_forever()

    guid = stream_guid(StreamKind.QUOTES, "X")
    prices = [(10.0, 11.0), (12.0, 13.0), (12.5, None)]
    events: list[Event] = [
        Quote("X", bid, 1.0, ask, 5.0, None, None, START + second, guid) for second, (bid, ask) in enumerate(prices)
    ]

    report = replay_columns({"a": Holder()}, events)

    assert [str(value) for value in report.strategies[0].open_pnl.values()] == ["3.0"], "2 lots from 11 to 12.5"


def test_columns_without_a_single_event_are_no_source() -> None:
    with pytest.raises(ConfigError, match="no events"):
        MemoryColumns({Stream(kind=StreamKind.TRADES, instrument="X"): []}, INSTRUMENTS)


def test_a_part_of_columns_in_memory_can_be_had_by_time() -> None:
    source = make_source(make_trades("X", range(10)))
    (stream,) = source.streams
    times = [source.first + second * 1_000_000_000 for second in (3, 6)]

    parts = list(source.chunks(stream, since=times[0], until=times[1]))

    assert [int(time) for columns in parts for time in columns.times] == [
        source.first + second * 1_000_000_000 for second in (3, 4, 5)
    ]


@pytest.mark.parametrize("strategies", [1, 2])
def test_an_order_after_long_waiting_meets_the_newest_event_of_every_stream(strategies: int) -> None:
    """While no order lives, the exchange isn't shown each event; it knows the newest ones all the same."""

    @define
    class Late(Diarist):
        trades = Trades("X")

        def on_trade(self, trade: Trade) -> None:
            if trade.price in (150.0, 190.0):
                self.buy_nowait(1)

    @define
    class Quoted(Late):
        quotes = Quotes("X")

    events: list[Event] = list(make_trades("X", range(100, 200)))
    quotes: list[Event] = [
        Quote(
            "X", trade.price - 0.5, 5.0, trade.price + 0.5, 5.0, None, trade.receive_time, trade.receive_time + 1, "q"
        )
        for trade in events
        if isinstance(trade, Trade)
    ]
    both = sorted([*events, *quotes], key=lambda event: event.receive_time)

    def prices(kind: type[Diarist], of: list[Event]) -> list[list[float]]:
        many = {f"s{number}": kind() for number in range(strategies)}
        replay_columns(many, of)
        return [[float(what[1]) for name, what, _ in one.seen if name == "fill"] for one in many.values()]  # type: ignore[index]

    assert prices(Late, events) == [[150.0, 190.0]] * strategies
    assert prices(Quoted, both) == [[149.5, 189.5]] * strategies

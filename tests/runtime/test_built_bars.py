"""Bars where there are only trades: whole or not at all, by either way through the driver, let go of like others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit import Bar, Bars, Gap, Stale, Strategy, Trade, Trades, define, sma
from strategykit.model.events import Event
from strategykit.model.instruments import Instrument
from strategykit.runtime.built_bars import BarsFromTrades, build_missing, trades_for
from strategykit.runtime.simulate import Simulation, simulate, stream_guid
from strategykit.testing import START, make_bars, make_trades, run_strategy
from strategykit.venues.dialect import Offers
from strategykit.venues.streams import Stream, StreamKind

SECOND = 1_000_000_000
ONLY_TRADES = {StreamKind.TRADES}
GUID = stream_guid(StreamKind.TRADES, "X")
WANTED = Stream(kind=StreamKind.BARS, instrument="X", interval=SECOND)

Seen = tuple[str, float, float, bool]


@define
class Watcher(Strategy):
    """Writes down its bars, and the forming ones of another stream."""

    fails_at: int = 0

    bars = Bars("X", "2s")
    changes = Bars("X", "3s", forming=True)

    def __attrs_post_init__(self) -> None:
        self.seen: list[Seen] = []
        self.told: list[str] = []

    def on_bar(self, bar: Bar) -> None:
        self.seen.append((f"{bar.interval // SECOND}s", (bar.open_time - START) / SECOND, bar.close, bar.closed))
        if len(self.seen) == self.fails_at:
            raise LookupError("enough")

    def on_gap(self, gap: Gap) -> None:
        self.told.append(f"gap: {gap.reason}")

    def on_stale(self, stale: Stale) -> None:
        self.told.append("stale")


@define
class Both(Strategy):
    """Wants trades as well."""

    trades = Trades("X")
    bars = Bars("X", "2s")

    def __attrs_post_init__(self) -> None:
        self.prices: list[float] = []

    def on_trade(self, trade: Trade) -> None:
        self.prices.append(trade.price)


def run(strategies: Sequence[Strategy], events: Sequence[Event], **how: Any) -> Simulation:
    return simulate(
        [(f"s{number}", each) for number, each in enumerate(strategies)],
        events,
        instruments={"X": Instrument("X")},
        start=START,
        streams=ONLY_TRADES,
        **how,
    )


def gap(time: int) -> Gap:
    return Gap("X", time, time, "lost", None, time, GUID)


def test_bars_are_built_from_trades_and_each_closes_with_the_first_trade_of_a_later_interval() -> None:
    watcher, both = Watcher(), Both()
    events = make_trades("X", range(10, 18))

    done = run([watcher, both], events)

    assert [seen for seen in watcher.seen if seen[0] == "2s"] == [("2s", 2, 13, True), ("2s", 4, 15, True)]
    assert [seen for seen in watcher.seen if seen[0] == "3s"] == [
        ("3s", 3, 13, False),
        ("3s", 3, 14, False),
        ("3s", 3, 15, False),
        ("3s", 3, 15, True),
        ("3s", 6, 16, False),
        ("3s", 6, 17, False),
    ]
    forming = watcher.bars.forming
    assert forming is not None
    assert (forming.open_time - START, forming.close) == (6 * SECOND, 17)
    assert both.prices == list(range(10, 18))
    assert [(row.stream, row.owners) for row in done.run.engine.table] == [
        (trades_for(WANTED), ["s0", "s0", "s1", "s1"])
    ], "all share one subscription, with whoever wants trades"


def test_a_bar_of_which_trades_were_missed_is_not_told_and_the_gap_is() -> None:
    watcher = Watcher()
    trades = make_trades("X", range(10, 30), every=0.5)
    late = Trade("X", 99.0, 1.0, None, None, START + 6 * SECOND, START + 7 * SECOND, GUID, snapshot=True)
    # The bar of 4 s to 6 s misses its end, the one of 6 s to 8 s its beginning.
    events: list[Event] = [*trades[:10], gap(START + 7 * SECOND), late, *trades[14:]]

    run([watcher], events)

    assert [seen[1] for seen in watcher.seen if seen[0] == "2s"] == [2]
    assert [seen[1] for seen in watcher.seen if seen[0] == "3s" and seen[3]] == []
    assert watcher.told == ["gap: lost", "gap: lost"]

    again = Watcher()
    run([again], [*events, *make_trades("X", range(4), every=1.0, start=START + 10 * SECOND)])
    assert [seen[1] for seen in again.seen if seen[0] == "2s"] == [2, 8, 10]


@settings(max_examples=60, deadline=None)
@given(
    drawn=st.lists(st.tuples(st.integers(0, 2_500), st.sampled_from(("trade",) * 6 + ("past", "gap", "stale")))),
    fails_at=st.integers(0, 20),
)
def test_whatever_comes_the_short_way_through_the_driver_builds_what_the_long_one_builds(
    drawn: list[tuple[int, str]], fails_at: int
) -> None:
    time, events = START, list[Event]()
    for number, (pause, kind) in enumerate(drawn):
        time += pause * 1_000_000
        if kind == "gap":
            events.append(gap(time))
        elif kind == "stale":
            events.append(Stale("X", 1, None, time, GUID))
        else:
            events.append(Trade("X", 1.0 + number, 1.0, None, None, time, time, GUID, kind == "past"))

    found = []
    for paper in (False, True):
        watchers = [Watcher(fails_at=fails_at), Watcher()]
        both = Both()
        done = run([*watchers, both], events, paper=paper)
        failures = [type(seat.failure) for seat in done.run.supervisor.seats]
        found.append(([(each.seen, each.told) for each in watchers], both.prices, failures))

    assert found[0] == found[1]


def test_a_handler_that_fails_over_a_built_bar_fails_its_strategy_only() -> None:
    for paper in (False, True):
        bad, good = Watcher(fails_at=1), Watcher()
        done = run([bad, good], make_trades("X", range(10, 20)), paper=paper)
        assert [type(seat.failure) for seat in done.run.supervisor.seats] == [LookupError, type(None)]
        assert (len(bad.seen), len(good.seen) > 5) == (1, True)


def test_a_strategy_that_leaves_lets_go_of_its_trades() -> None:
    @define
    class Brief(Strategy):
        bars = Bars("X", "1s")

        async def run(self) -> None:
            await self.when(self.bars.close > 11)

    brief = Brief()
    done = run([brief, Both()], make_trades("X", range(10, 20)))

    (row,) = done.run.engine.table
    assert row.owners == ["s1", "s1"]
    assert len(done.run.engine.routes[row.guid]) == 2
    assert brief.bars.last is not None
    assert brief.bars.last.close == 12


def test_history_goes_before_built_bars() -> None:
    @define
    class Warm(Strategy):
        bars = Bars("X", "1s", history=3)

        def __attrs_post_init__(self) -> None:
            self.averages: list[float | None] = []

        async def run(self) -> None:
            average = sma(self.bars, 3)
            self.averages.append(average.value)
            async for _ in self.bars:
                self.averages.append(average.value)

    warm = Warm()
    past = make_bars("X", [1, 2, 3], interval="1s", start=START - 3 * SECOND)

    outcome = run_strategy(warm, make_trades("X", [7, 7, 4, 5]), history=past).check()

    assert warm.averages == [2.0, 4.0, pytest.approx(14 / 3)]
    assert not outcome.notes


def test_what_is_no_trade_and_no_gap_is_handed_on() -> None:
    told: list[Event] = []
    built = BarsFromTrades(WANTED, told.append)
    stale = Stale("X", 1, None, 1, GUID)

    built(stale)

    assert told == [stale]


def test_it_stands_for_its_receiver() -> None:
    mine, others = list[Event](), list[Event]([gap(1)])
    built = BarsFromTrades(WANTED, mine.append)

    assert built == mine.append
    assert built == built
    assert built != others.append
    assert hash(built) == hash(mine.append)
    assert built.__self__ is mine
    assert BarsFromTrades(WANTED, lambda _: None).__self__ is None


@pytest.mark.parametrize(
    ("kinds", "built"),
    [
        ({StreamKind.TRADES, StreamKind.BOOK}, True),
        ({StreamKind.TRADES, StreamKind.BARS}, False),
        ({StreamKind.BOOK}, False),
    ],
)
def test_bars_are_built_only_where_there_are_trades_and_no_bars(kinds: set[StreamKind], built: bool) -> None:
    find = build_missing(Offers(streams=frozenset(kinds)))
    receive = list[Event]().append

    stream, receiver = find(WANTED, receive)

    assert stream == (trades_for(WANTED) if built else WANTED)
    assert isinstance(receiver, BarsFromTrades) is built
    book = Stream(kind=StreamKind.BOOK, instrument="X")
    assert find(book, receive) == (book, receive)
    assert find(WANTED, None) == (WANTED, None), "what is only recorded is told to be missing"

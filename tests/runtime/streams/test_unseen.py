"""Streams of which nothing comes at a venue that answers no subscriptions: told, asked for again, had in the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import pytest

from strategykit import Books, Stale, Strategy, Trades, define
from strategykit.net.inbox import Input, InputKind
from strategykit.runtime.assembly import Run
from strategykit.venues.coinapi.dialect import CoinApi
from strategykit.venues.dialect import LaneSpec
from strategykit.venues.stream.dialect import StreamFamily
from strategykit.venues.streams import Stream, StreamKind

SECOND = 1_000_000_000
LOOK = 0.25
"""Seconds between two looks: nothing is noticed sooner than by the next one."""

SEED = StreamFamily("seed")
TRADE = '{"stream":"trade.X","data":{"t":1,"p":"1","q":"1","m":true,"T":1748000000000}}'
DEPTH = '{"stream":"depth.X","data":{"b":[["1","1"]],"a":[]}}'


@define
class Watching(Strategy):
    """Keeps what it is told of silences, with the second in which it was."""

    def __attrs_post_init__(self) -> None:
        self.silences: list[tuple[float, Stale]] = []
        self.trades_seen = 0

    def on_stale(self, stale: Stale) -> None:
        self.silences.append(((self.now() - 10**18) / SECOND, stale))

    def on_trade(self, trade: Any) -> None:
        self.trades_seen += 1


@define
class Patient(Watching):
    trades = Trades("X")


@define
class Hurried(Watching):
    trades = Trades("X", fresh=2)


async def pass_seconds(run: Run, seconds: float) -> None:
    await run.driver.advance(run.clock.reading + int(seconds * SECOND))


async def frame(run: Run, text: str) -> None:
    await run.driver.dispatch(Input(InputKind.FRAME, "market-0", run.clock.reading, text))


@pytest.mark.parametrize(("kind", "within"), [(Patient, 10.0), (Hurried, 2.0)])
def test_a_stream_of_which_nothing_comes_is_told_once_within_its_limit(play: Any, kind: Any, within: float) -> None:
    strategy = kind()

    async def say_nothing(run: Run, wires: Any) -> None:
        await pass_seconds(run, 60)

    run, _ = play([("s", strategy)], say_nothing, dialect=SEED)

    ((second, stale),) = strategy.silences
    assert within <= second <= within + LOOK
    assert (stale.instrument, stale.silent_for) == ("X", within * SECOND)
    assert run.supervisor.seats[0].failure is None


def test_it_is_asked_for_again_after_longer_and_longer_pauses(play: Any) -> None:
    async def say_nothing(run: Run, wires: Any) -> None:
        await pass_seconds(run, 1_300)

    _, wires = play([("s", Patient())], say_nothing, dialect=SEED)

    due = [0, 10, 30, 70, 150, 310, 610, 910, 1_210]
    assert len(wires.asked_at) == len(due)
    for number, (second, least) in enumerate(zip(wires.asked_at, due, strict=True)):
        assert least <= second <= least + number * LOOK
    assert [second for second, _ in wires.ended] == wires.asked_at[1:], "a server that did hear might tell all twice"


def test_it_recovers_when_the_venue_listens_again(play: Any) -> None:
    strategy = Hurried()

    async def listen_late(run: Run, wires: Any) -> None:
        await pass_seconds(run, 3)
        assert len(wires.requests) == 2
        await frame(run, TRADE)
        assert strategy.trades_seen == 1
        await pass_seconds(run, 1.5)

    run, wires = play([("s", strategy)], listen_late, dialect=SEED)

    (row,) = run.engine.table
    assert row.state.value == "active"
    assert len(wires.asked_at) == 2
    assert len(strategy.silences) == 1


def test_a_new_session_has_the_same_time_and_tells_again(play: Any) -> None:
    strategy = Hurried()

    async def cut(run: Run, wires: Any) -> None:
        await pass_seconds(run, 3)
        await run.driver.dispatch(Input(InputKind.CLOSED, "market-0", run.clock.reading, "cut", status=1))
        await run.driver.dispatch(Input(InputKind.OPENED, "market-0", run.clock.reading, "market", status=2))
        await pass_seconds(run, 2 + 2 * LOOK)

    play([("s", strategy)], cut, dialect=SEED)

    assert len(strategy.silences) == 2


def test_rows_that_are_one_stream_to_the_venue_are_asked_for_together(play: Any) -> None:
    """Each alone would be held by the other, and no request would leave."""

    @define
    class Deep(Watching):
        book = Books("X", depth=50)

    @define
    class Shallow(Watching):
        book = Books("X", depth=30, fresh=4)

    async def say_nothing(run: Run, wires: Any) -> None:
        assert len(wires.requests) == 2
        await pass_seconds(run, 5)

    _, wires = play([("deep", Deep()), ("shallow", Shallow())], say_nothing, dialect=SEED)

    assert len(wires.ended) == 2
    assert len(wires.requests) == 4


def test_a_stream_that_the_venue_is_known_to_send_is_left_alone(play: Any) -> None:
    strategy = Watching()

    async def join_late(run: Run, wires: Any) -> None:
        await frame(run, DEPTH)
        more = Stream(kind=StreamKind.BOOK, instrument="X", depth=7)
        run.engine.want(more, "s", None, fresh_within=2 * SECOND)
        await pass_seconds(run, 9)

    @define
    class Deep(Watching):
        book = Books("X", depth=50)

    run, wires = play([("s", strategy), ("deep", Deep())], join_late, dialect=SEED)

    assert [row.state.value for row in run.engine.table] == ["active", "asked"]
    assert (len(wires.asked_at), wires.ended) == (2, [])


def test_many_quiet_streams_are_asked_for_a_few_at_a_time(play: Any) -> None:
    async def say_nothing(run: Run, wires: Any) -> None:
        for number in range(25):
            run.engine.want(Stream(kind=StreamKind.TRADES, instrument=f"Y{number}"), "s", None)
        del wires.asked_at[:]
        await pass_seconds(run, 12)

    _, wires = play([("s", Patient())], say_nothing, dialect=SEED)

    assert len(wires.asked_at) == 26
    assert max(wires.asked_at.count(second) for second in set(wires.asked_at)) == 10


@attrs.frozen
class Touchy(StreamFamily):
    """A venue that takes a second request amiss."""

    @property
    def lanes(self) -> Mapping[str, LaneSpec]:
        return {name: attrs.evolve(spec, asks_unseen=False) for name, spec in super().lanes.items()}


def test_where_asking_again_does_harm_it_is_told_only(play: Any) -> None:
    strategy = Patient()

    async def say_nothing(run: Run, wires: Any) -> None:
        await pass_seconds(run, 100)

    _, wires = play([("s", strategy)], say_nothing, dialect=Touchy("seed"))

    assert len(strategy.silences) == 1
    assert (wires.asked_at, wires.ended) == ([0.0], [])


COINAPI = CoinApi()


def coin_trade(symbol: str) -> str:
    return (
        f'{{"type":"trade","symbol_id":"{symbol}","sequence":1,"time_exchange":"2025-05-23T11:33:20.1000000Z",'
        '"time_coinapi":"2025-05-23T11:33:20.2000000Z","uuid":"00000000-0000-0000-0000-000000000001","price":1.5,'
        '"size":2.0,"taker_side":"BUY"}'
    )


@pytest.mark.parametrize("heard", [False, True])
def test_a_wire_that_carries_only_what_others_asked_for_is_left(play: Any, heard: bool) -> None:
    left: list[float] = []

    async def override(run: Run, wires: Any) -> None:
        await frame(run, coin_trade("X"))
        for second in range(60):
            await pass_seconds(run, 1)
            if not wires.drops:
                await frame(run, coin_trade("SOMEBODY_ELSES"))
            if heard and second % 10 == 5:
                await frame(run, coin_trade("X"))
            if wires.drops and not left:
                left.append(wires.elapsed)

    _, wires = play([("s", Patient())], override, dialect=COINAPI)

    if heard:
        assert not wires.drops, "our words arrive: it answers each time"
    else:
        assert set(wires.drops) == {"asked 3 times, the venue goes on with data that nobody wants"}
        assert 30 <= left[0] <= 33, "ten seconds for each time"

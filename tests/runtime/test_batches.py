"""Batch handlers: the same events as one by one, as arrays, and in step with everything else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, cast

import attrs
import numpy as np
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit import Fill, Gap, Order, Quote, Quotes, Strategy, Trade, Trades, define
from strategykit.columns.batch import QuoteBatch, TradeBatch
from strategykit.columns.columns import CHUNK
from strategykit.columns.gathering import columns_of, columns_of_all
from strategykit.columns.values import Coded
from strategykit.config import StrategySpec
from strategykit.model.events import Event, Side
from strategykit.runtime.backtest import BacktestPlan, backtest
from strategykit.runtime.column_source import MemoryColumns
from strategykit.runtime.run import rerun_tape
from strategykit.testing import START, make_quotes, make_trades
from strategykit.testing.world import World, run_world
from strategykit.venues.streams import Stream, StreamKind
from tests.columns.some_events import TRADES
from tests.runtime.columnar import INSTRUMENTS, Diarist, make_market, replay_columns, replay_events, seen_by

Run = Callable[[Mapping[str, Strategy]], object]


@define
class Single(Diarist):
    """Takes events one by one."""

    trades = Trades("X")
    quotes = Quotes("X")

    def on_trade(self, trade: Trade) -> None:
        self.note("trade", (trade.price, trade.quantity, trade.receive_time))

    def on_quote(self, quote: Quote) -> None:
        self.note("quote", (quote.bid, quote.ask, quote.receive_time))


@define
class Many(Diarist):
    """Takes them in batches."""

    trades = Trades("X")
    quotes = Quotes("X")

    def on_trades(self, batch: TradeBatch) -> None:
        assert batch.receive_time[-1] <= self.now()
        rows = zip(batch.price.tolist(), batch.quantity.tolist(), batch.receive_time.tolist(), strict=True)
        for row in rows:
            self.note("trade", row)

    def on_quotes(self, batch: QuoteBatch) -> None:
        rows = zip(batch.bid.tolist(), batch.ask.tolist(), batch.receive_time.tolist(), strict=True)
        for row in rows:
            self.note("quote", row)


def told(seen: list[tuple[str, Any, int]]) -> list[tuple[str, Any]]:
    return [(kind, what) for kind, what, _ in seen]


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(2, 120))
def test_batches_hold_what_comes_one_by_one_in_its_order(seed: int, count: int) -> None:
    events = [event for event in make_market(seed, count) if event.instrument == "X"] + make_ends(seed)

    (single,) = seen_by(lambda: {"a": Single()}, partial(replay_columns, events=events))
    (columns,) = seen_by(lambda: {"a": Many()}, partial(replay_columns, events=events))
    (simulated,) = seen_by(lambda: {"a": Many()}, partial(replay_events, events=events))

    assert told(columns) == told(single)
    assert told(simulated) == told(single)


def interleaved(pattern: str) -> list[Event]:
    """Give a trade for each ``t`` and a quote for each ``q``, a second apart."""
    trades, quotes = make_trades("X", range(1, 60)), make_quotes("X", range(1, 60), spread=0.01)
    return [(trades if kind == "t" else quotes)[second] for second, kind in enumerate(pattern)]


def test_another_stream_that_is_wanted_ends_a_batch() -> None:
    @define
    class Counts(Diarist):
        trades = Trades("X")
        quotes = Quotes("X")

        def on_trades(self, batch: TradeBatch) -> None:
            self.note("trades", len(batch))

        def on_quotes(self, batch: QuoteBatch) -> None:
            self.note("quotes", len(batch))

    (seen,) = seen_by(lambda: {"a": Counts()}, partial(replay_columns, events=interleaved("ttqtqqqtt")))

    # A batch ends with a chunk of any of the streams, too.
    runs = [(kind, sum(size for _, size in each)) for kind, each in groupby(told(seen), key=itemgetter(0))]
    assert runs == [("trades", 2), ("quotes", 1), ("trades", 1), ("quotes", 3), ("trades", 2)]


def test_a_stream_for_the_exchange_alone_ends_no_batch_and_prices_orders_all_the_same() -> None:
    @define
    class Buyer(Sized):
        def on_fill(self, fill: Fill) -> None:
            self.note("fill", fill.price)

    (seen,) = seen_by(lambda: {"a": Buyer(buys_at=1.0)}, partial(replay_columns, events=interleaved("tqtqtqttqttt")))

    # Of the eight trades, the last three come when the quotes are over; the limit of 1 is below every offer by then.
    assert [one for one in told(seen) if one[0] == "batch"] == [("batch", 5), ("batch", 3)]
    assert not [one for one in told(seen) if one[0] == "fill"]


def test_gaps_stand_between_batches() -> None:
    @define
    class Careful(Diarist):
        trades = Trades("X")

        def on_trades(self, batch: TradeBatch) -> None:
            self.note("batch", len(batch))

        def on_gap(self, gap: Gap) -> None:
            self.note("gap", gap.reason)

    trades = make_trades("X", range(1, 6))
    gap = Gap("X", START, trades[2].receive_time, "lost", None, trades[2].receive_time, trades[0].guid)
    stream = Stream(kind=StreamKind.TRADES, instrument="X")
    parts = [*columns_of_all(stream, [*trades[:2], gap, *trades[2:]])]
    careful = Careful()

    report = backtest(BacktestPlan(source=MemoryColumns({stream: parts}, INSTRUMENTS), strategies=[("a", careful)]))

    assert told(careful.seen) == [("batch", 2), ("gap", "lost"), ("batch", 3)]
    assert report.events == 5


def test_past_trades_among_others_are_told_to_the_exchange_one_by_one() -> None:
    trades: list[Event] = list(make_trades("X", range(1, 6)))
    past = [attrs.evolve(cast("Any", trade), snapshot=number < 2) for number, trade in enumerate(trades)]

    (seen,) = seen_by(lambda: {"a": Sized()}, partial(replay_columns, events=past))

    assert told(seen) == [("batch", 5)]


@pytest.mark.parametrize("run", [replay_columns, replay_events])
def test_batches_of_a_feed_that_is_late_hold_the_same_later(run: Callable[..., object]) -> None:
    (seen,) = seen_by(lambda: {"a": Many()}, partial(run, events=interleaved("ttqqt"), feed=250_000_000))

    # The last one comes when the recording has ended.
    assert [kind for kind, _, _ in seen] == ["trade", "trade", "quote", "quote"]
    assert [time / 1e9 for _, _, time in seen] == [0.25, 1.25, 2.25, 3.25]


def make_ends(seed: int) -> list[Event]:
    """Give a trade and a quote of X that come last: both streams are there."""
    late = START + 10**12 + seed
    return [*make_trades("X", [1.0], start=late), *make_quotes("X", [1.0], spread=0.01, start=late + 1)]


def test_a_batch_and_an_event_strategy_on_one_stream_see_the_same_side_by_side() -> None:
    events = [*make_trades("X", range(1, 40)), *make_ends(0)]

    single, many = seen_by(lambda: {"a": Single(), "b": Many()}, partial(replay_columns, events=events))

    assert told(single) == told(many)


@define
class Sized(Diarist):
    """Notes how many there are in a batch, with timers and orders in between."""

    trades = Trades("X")
    sleeps: bool = False
    buys_at: float = -1.0

    def on_trades(self, batch: TradeBatch) -> None:
        self.note("batch", len(batch))
        if self.buys_at in batch.price:
            self.buy_nowait(1, limit=1.0)

    async def run(self) -> None:
        while self.sleeps:
            await trio.sleep(2.5)
            self.note("tick", None)
        await trio.sleep_forever()


def test_a_batch_is_as_long_as_nothing_comes_between() -> None:
    events: list[Event] = list(make_trades("X", range(1, CHUNK + 11), every=0.001))

    (seen,) = seen_by(lambda: {"a": Sized()}, partial(replay_columns, events=events))

    assert [what for _, what, _ in seen] == [CHUNK, 10]


def test_a_timer_ends_a_batch_at_its_own_time() -> None:
    events: list[Event] = list(make_trades("X", range(1, 9)))

    (seen,) = seen_by(lambda: {"a": Sized(sleeps=True)}, partial(replay_columns, events=events))

    assert [(kind, what, time / 1e9) for kind, what, time in seen] == [
        *[("batch", 3, 2), ("tick", None, 2.5), ("batch", 2, 4), ("tick", None, 5), ("batch", 3, 7)],
    ]


def test_news_of_an_order_end_a_batch_at_the_event_that_made_them() -> None:
    prices = [5.0, 4.0, 3.0, 2.0, 1.0, 2.0, 3.0, 4.0]
    events: list[Event] = list(make_trades("X", prices, every=1.0))

    @define
    class Timed(Sized):
        def on_order(self, order: Order) -> None:
            self.note("order", order.state.value)

    (seen,) = seen_by(lambda: {"a": Timed(sleeps=True, buys_at=4.0)}, partial(replay_columns, events=events))

    kinds = [(kind, what, time / 1e9) for kind, what, time in seen]
    assert kinds[0] == ("batch", 3, 2.0), "it decides at the end of its batch"
    filled = kinds.index(("order", "filled", 4.0))
    assert [one for one in kinds if one[0] == "batch"][1] == ("batch", 2, 4.0)
    assert kinds.index(("batch", 2, 4.0)) < filled, "the batch comes before the news that ended it"


def test_a_strategy_that_raises_in_a_batch_handler_ends_alone() -> None:
    @define
    class Faulty(Diarist):
        trades = Trades("X")

        def on_trades(self, batch: TradeBatch) -> None:
            self.note("batch", len(batch))
            raise LookupError("enough")

    events: list[Event] = list(make_trades("X", range(1, 9)))
    faulty, other = Faulty(), Sized()

    report = replay_columns({"faulty": faulty, "other": other}, events)

    assert [one.error for one in report.strategies] == ["LookupError: enough", ""]
    assert len(faulty.seen) == 1
    assert sum(what for _, what, _ in other.seen if isinstance(what, int)) == 8


@pytest.mark.parametrize("run", [replay_columns, replay_events])
def test_a_strategy_with_both_kinds_of_handler_is_refused(run: Callable[..., object]) -> None:
    @define
    class Both(Diarist):
        trades = Trades("X")

        def on_trade(self, trade: Trade) -> None:
            self.note("trade", None)

        def on_trades(self, batch: TradeBatch) -> None:
            self.note("batch", None)

    both = Both()
    done = run({"a": both}, make_trades("X", [1.0]))

    assert both.seen == []
    failure = getattr(done, "strategies", None)
    if failure is not None:
        assert failure[0].error == "ConfigError: Both has both on_trade and on_trades; events go to one of them"


def test_batches_and_single_events_give_one_digest_of_events() -> None:
    events = [*make_trades("X", range(1, 40)), *make_ends(0)]

    first = replay_columns({"a": Single()}, events)
    second = replay_columns({"a": Many()}, events)

    assert first.digest == second.digest
    assert first.events == second.events == 41


def test_an_array_of_a_batch_is_what_the_events_have_and_cannot_be_written_to() -> None:
    events: list[Event] = [
        Trade("X", 1.0, 2.0, Side.BUY, "a", None, 1, "g"),
        Trade("X", 2.0, 2.0, None, "b", None, 2, "g", open_interest=5.0),
        Trade("X", 3.0, 2.0, Side.SELL, "c", 7, 3, "g"),
    ]
    batch = TradeBatch(columns_of(TRADES, events), "g")

    assert batch.sign.tolist() == [1, 0, -1]
    assert batch.quantity.tolist() == [2.0, 2.0, 2.0]
    assert batch.array("trade_id").tolist() == ["a", "b", "c"]
    assert batch.array("event_time").tolist() == [None, None, 7]
    assert batch.array("snapshot").tolist() == [False] * 3
    assert np.isnan(batch.array("open_interest")).tolist() == [True, False, True]
    assert batch.instrument == "X"
    assert repr(batch) == "<3 of trades SBER>"
    assert [event.receive_time for event in batch.events()] == [1, 2, 3]
    with pytest.raises(ValueError, match="read-only"):
        batch.price[0] = 9.0


@pytest.mark.parametrize(("side", "sign"), [(None, 0), (Side.BUY, 1), (Side.SELL, -1)])
def test_one_side_of_all_trades_is_a_sign_of_all(side: Side | None, sign: int) -> None:
    events: list[Event] = [Trade("X", 1.0, 1.0, side, None, None, time, "g") for time in range(3)]

    assert TradeBatch(columns_of(TRADES, events), "g").sign.tolist() == [sign] * 3


def test_sides_as_objects_are_signs_too() -> None:
    columns = columns_of(TRADES, [Trade("X", 1.0, 1.0, Side.BUY, None, None, time, "g") for time in range(2)])
    sides = np.array([Side.SELL, None], dtype=object)
    other = type(columns)(stream=columns.stream, kind=Trade, arrays={**columns.arrays, "side": sides})

    assert TradeBatch(other, "g").sign.tolist() == [-1, 0]
    assert isinstance(Coded(np.array([0]), (None,)).tolist(), list)


def test_quotes_without_a_side_are_nan() -> None:
    quotes: list[Event] = [Quote("X", None, None, 2.0, 5.0, None, None, time, "g") for time in range(2)]
    batch = QuoteBatch(columns_of(TRADES, quotes), "g")

    assert np.isnan(batch.bid).all()
    assert np.isnan(batch.bid_size).all()
    assert batch.ask.tolist() == [2.0, 2.0]
    assert batch.ask_size.tolist() == [5.0, 5.0]


def test_strategies_without_batch_handlers_need_no_numpy() -> None:
    script = """
import sys
sys.modules["numpy"] = None
from strategykit import Strategy, Trades, define
from strategykit.testing import make_trades, run_strategy

@define
class One(Strategy):
    trades = Trades("X")
    def on_trade(self, trade): print(trade.price)

@define
class Many(Strategy):
    trades = Trades("X")
    def on_trades(self, batch): print("never")

run_strategy(One(), make_trades("X", [5.0])).check()
print(run_strategy(Many(), make_trades("X", [5.0])).error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout == "5.0\nbatch handlers need numpy: pip install 'strategykit[archive]'\n"


LIVE = """
from strategykit import Quotes, Strategy, Trades, define

@define
class Batched(Strategy):
    trades = Trades("SBER")
    quotes = Quotes("SBER")

    def __attrs_post_init__(self):
        self.count = 0

    def on_trades(self, batch):
        self.count += len(batch)
        self.log(f"trades {self.count} {batch.price[-1]:g} {self.now()}")
        if self.count % 5 == 0:
            self.buy_nowait(1)

    def on_quotes(self, batch):
        self.log(f"quotes {len(batch)} {batch.bid[-1]:g}")
"""


def test_batches_of_a_live_run_come_again_when_it_is_run_again(tmp_path: Path) -> None:
    (tmp_path / "batched.py").write_text(LIVE)
    world = World(
        venue="alor",
        instruments=("SBER",),
        strategies=(StrategySpec(name="batched", file=str(tmp_path / "batched.py"), params={}),),
        seconds=5.0,
        rate=20.0,
        seed=1,
    )

    outing = run_world(world, tape=tmp_path / "tape")

    assert outing.error is None
    assert outing.report is not None
    assert outing.report.strategies[0].orders > 0
    again = rerun_tape(tmp_path / "tape")
    assert (again.differences, again.digest_equal) == ((), True)
    said = [text for _, source, text in outing.report.notes if source == "batched"]
    assert [text for _, source, text in again.run.notes if source == "batched"] == said
    assert len(said) > 10

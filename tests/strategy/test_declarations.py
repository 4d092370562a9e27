"""Streams that a strategy declares: what is subscribed to, and what may be done with the feeds, where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from strategykit import Bars, Books, Gap, Quotes, Stale, Strategy, Trade, Trades, define, sma
from strategykit.declarations import Declaration
from strategykit.errors import ConfigError, StrategyError
from strategykit.model.events import Bar, Event
from strategykit.testing import START, make_bars, make_books, make_quotes, make_trades, run_strategy
from strategykit.venues.streams import Stream, StreamKind

SECOND = 1_000_000_000
MINUTE = 60 * SECOND


@define
class Many(Strategy):
    """One stream of each kind."""

    instrument: str
    second: str = "GAZP"
    interval: str = "1m"
    _prefix: str = "S"

    trades = Trades("{instrument}", past=5)
    quotes = Quotes("{prefix}BER", exchange="SPBX")
    book = Books("{instrument}-{second}", depth=7, every=50)
    bars = Bars("LKOH", "{interval}", history=10, fresh=1.5)

    _own: int = attrs.field(default=3, init=False)


def streams_of(strategy: Strategy, now: int = START) -> dict[str, Stream]:
    return {item.name: item.stream(strategy, now=now) for item in strategy.declarations()}


def test_declarations_become_streams_with_the_parameters_filled_in() -> None:
    found = streams_of(Many(instrument="SBER"), now=START + 90 * SECOND)

    assert found == {
        "trades": Stream(kind=StreamKind.TRADES, instrument="SBER", depth=5),
        "quotes": Stream(kind=StreamKind.QUOTES, instrument="SBER", exchange="SPBX"),
        "book": Stream(kind=StreamKind.BOOK, instrument="SBER-GAZP", depth=7, frequency=50_000_000),
        # With history, two intervals back, so that the two overlap.
        "bars": Stream(kind=StreamKind.BARS, instrument="LKOH", interval=MINUTE, since=START - MINUTE),
    }


def test_bars_without_history_begin_with_the_interval_that_is_running() -> None:
    @define
    class Plain(Strategy):
        bars = Bars("X", "1m")

    assert streams_of(Plain(), now=START + 90 * SECOND)["bars"].since == START + MINUTE


def test_trades_without_past_begin_now() -> None:
    @define
    class Plain(Strategy):
        trades = Trades("X")

    stream = streams_of(Plain())["trades"]

    assert stream.skip_history
    assert stream.depth == 0


def test_freshness_is_given_in_seconds() -> None:
    assert Many.bars.fresh_within == 1_500_000_000
    assert Many.trades.fresh_within is None


def test_on_the_class_a_declaration_is_itself() -> None:
    assert isinstance(Many.trades, Trades)
    assert [item.name for item in Many.declarations()] == ["trades", "quotes", "book", "bars"]


def test_a_class_has_the_streams_of_its_bases_and_may_replace_them() -> None:
    @define
    class Child(Many):
        quotes = Quotes("OTHER")
        more = Trades("MORE")

    found = streams_of(Child(instrument="SBER"))

    assert list(found) == ["trades", "quotes", "book", "bars", "more"]
    assert found["quotes"].instrument == "OTHER"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{symbol}", r"Wrong\.trades: '\{symbol\}' names 'symbol', which is no parameter of the strategy; it has inst"),
        ("{own}", "names 'own'"),
        ("{_own}", "names '_own'"),
        ("{_desk}", "names '_desk'"),
        ("{instrument", "can't be filled in: expected '}' before end of string"),
        ("{}", "can't be filled in: .*; write a parameter's name in braces"),
        ("{0}", "can't be filled in"),
        ("{instrument.none}", "can't be filled in: 'str' object has no attribute 'none'"),
        ("{instrument[none]}", "can't be filled in"),
        ("{instrument:x}", "can't be filled in"),
    ],
)
def test_a_text_that_names_no_parameter_is_refused_with_its_name(text: str, words: str) -> None:
    @define
    class Wrong(Strategy):
        instrument: str
        trades = Trades(text)
        _own: int = attrs.field(default=1, init=False)

    outcome = run_strategy(Wrong(instrument="X"), make_trades("X", [1.0]))

    assert isinstance(outcome.error, ConfigError)
    with pytest.raises(ConfigError, match=words):
        outcome.check()


def test_an_interval_that_is_none_is_refused_with_what_would_be_right() -> None:
    outcome = run_strategy(Many(instrument="X", interval="soon"), make_trades("X", [1.0]))

    with pytest.raises(ConfigError, match="interval 'soon' isn't understood; give a whole number and s, m"):
        outcome.check()


@pytest.mark.parametrize(
    ("declare", "words"),
    [
        (lambda: Bars("X", "1m", history=-1), "history=-1 must be at least 0"),
        (lambda: Trades("X", past=-2), "past=-2 must be at least 0"),
        (lambda: Books("X", depth=0), "depth=0 must be at least 1"),
        (lambda: Books("X", every=0), "every=0 must be at least 1"),
        (lambda: Quotes("X", fresh=0), "fresh=0: give seconds above 0"),
        (lambda: Quotes("X", fresh=float("nan")), "fresh=nan"),
    ],
)
def test_what_no_stream_can_be_is_refused_where_it_is_written(declare: Callable[[], object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        declare()


def test_a_declaration_without_a_kind_makes_no_feed() -> None:
    with pytest.raises(NotImplementedError):
        Declaration("X").make_feed(Many(instrument="X"), Stream(kind=StreamKind.TRADES), None)  # type: ignore[arg-type]  # never looked at


# Outside a run

OUTSIDE: list[Callable[[Many], object]] = [
    lambda many: many.trades,
    lambda many: many.bars.close,
    lambda many: many.position(),
    lambda many: many.portfolio,
    lambda many: many.random,
    lambda many: many.now(),
    lambda many: many.buy_nowait(1),
    lambda many: many.log("x"),
    lambda many: many.start(many.run),
    lambda many: many.instrument_of(),
]


@pytest.mark.parametrize("touch", OUTSIDE)
def test_outside_a_run_there_are_no_streams_and_no_orders(touch: Callable[[Many], object]) -> None:
    with pytest.raises(StrategyError, match="Many isn't running: streams and orders exist only inside a run"):
        touch(Many(instrument="X"))


# Inside


@define
class Watcher(Strategy):
    """Keeps what its handlers get, and what an indicator has."""

    history: int = 0

    bars = Bars("X", "1m", history=3, fresh=90)
    trades = Trades("X")
    quotes = Quotes("X")
    book = Books("X")

    _got: list[Any] = attrs.field(factory=list, init=False)

    def on_bar(self, bar: Bar) -> None:
        self._got.append(("bar", bar.close))

    def on_stale(self, stale: Stale) -> None:
        self._got.append(("stale", stale.silent_for // SECOND, (self.now() - START) // SECOND))

    def on_gap(self, gap: Gap) -> None:
        self._got.append(("gap", gap.reason))

    async def run(self) -> None:
        mean = sma(self.bars, 3)
        self.log(f"{mean.value} after {self.bars.last}" if mean.ready else "cold")
        async for bar in self.bars:
            self.log(f"{bar.close}: {mean.value}, {self.trades.last is not None}")


def notes(*events: Any, history: list[Bar] | None = None) -> tuple[list[str], list[Any]]:
    watcher = Watcher()
    outcome = run_strategy(watcher, events, history=history or []).check()
    return [note.removeprefix("strategy: ") for note in outcome.notes], watcher._got


def test_indicators_begin_with_history_and_handlers_with_the_first_live_bar() -> None:
    past = make_bars("X", [1, 2, 3, 6], start=START - 4 * MINUTE)

    told, got = notes(*make_bars("X", [9, 12]), history=past)

    assert told[0].startswith(f"{11 / 3} after Bar(")
    assert told[1:] == ["9: 6.0, False", "12: 9.0, False"]
    assert got == [("bar", 9), ("bar", 12)]


def test_without_history_indicators_begin_cold() -> None:
    told, _ = notes(*make_bars("X", [9, 12, 15]))

    assert told[-3:] == ["9: None, False", "12: None, False", "15: 12.0, False"]


def test_bars_that_are_history_and_come_again_count_once() -> None:
    past = make_bars("X", [1, 2, 3], start=START - 3 * MINUTE)

    _, got = notes(past[-1], *make_bars("X", [9]), history=past)

    assert got == [("bar", 9)]


def test_a_silent_stream_is_told_once_a_silence() -> None:
    bars = make_bars("X", [1, 2, 3, 4, 5, 6, 7])

    _, got = notes(*bars[:2], *bars[4:5], bars[6])

    assert [item for item in got if item[0] == "stale"] == [("stale", 90, 210), ("stale", 90, 390)]


def test_feeds_hold_the_latest_of_each_kind() -> None:
    @define
    class Reader(Strategy):
        trades = Trades("X")
        quotes = Quotes("X")
        book = Books("X")
        seen: list[Any] = attrs.field(factory=list, init=False)

        def on_trade(self, trade: Trade) -> None:
            quote = self.quotes.last
            assert quote is not None
            self.seen.append((trade.price, quote.bid, self.book.best_bid, self.book.best_ask, self.book.mid))

    reader = Reader()
    events: list[Event] = [
        *make_quotes("X", [9.0], spread=1.0),
        *make_books("X", [9.5], spread=0.5),
        *make_trades("X", [10.0], start=START + 1),
    ]
    run_strategy(reader, events).check()

    assert reader.seen == [(10.0, 9.0, 9.25, 9.75, 9.5)]


def test_a_condition_in_a_test_of_truth_fails_the_strategy_with_what_to_write_instead() -> None:
    @define
    class Hasty(Strategy):
        quotes = Quotes("X")

        async def run(self) -> None:
            if self.quotes.bid > 3:
                self.log("never")

    with pytest.raises(TypeError, match=r"await self\.when"):
        run_strategy(Hasty(), make_quotes("X", [1.0], spread=1.0)).check()


def test_waiting_wants_a_condition() -> None:
    @define
    class Wrong(Strategy):
        quotes = Quotes("X")

        async def run(self) -> None:
            await self.when(self.quotes.last is None)  # type: ignore[arg-type]  # the mistake that is tested

    with pytest.raises(TypeError, match="`when` takes a condition such as `fast > slow`, not True"):
        run_strategy(Wrong(), make_quotes("X", [1.0], spread=1.0)).check()

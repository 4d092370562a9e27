"""From events to messages: numbers, holes, books."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.model.book import Book
from strategykit.model.events import Bar, BookDelta, BookSnapshot, Event, Gap, Quote, Side, Ticker, Trade
from strategykit.relay.channels import read_channel
from strategykit.relay.tellers import Teller, make_teller
from strategykit.relay.wording import Hole, digits, hole_of, mark

NOON = 1_773_000_000_000_000_000
US = NOON // 1_000
DAY = 86_400 * 10**9


def teller(name: str) -> Teller:
    channel = read_channel(name)
    assert channel is not None
    return make_teller(channel, NOON)


def told(what: Teller, event: Event) -> dict[str, Any]:
    message = what.tell(event)
    assert message is not None
    found: dict[str, Any] = json.loads(message)
    return found


def trade(side: Side | None = Side.SELL) -> Trade:
    return Trade("SBER", 300.5, 2.0, side, 77, NOON, NOON + 5_000, "g")


@settings(max_examples=150, deadline=None)
@given(st.floats(min_value=0, max_value=1e15))
def test_digits_mean_the_number_and_have_no_exponent(number: float) -> None:
    text = digits(number)

    assert float(text) == number
    assert "e" not in text


def test_a_trade_is_numbered_by_the_relay_and_says_who_was_the_maker() -> None:
    words = teller("trade.SBER")

    first = told(words, trade())
    second = told(words, trade(None))

    assert first == {
        "stream": "trade.SBER",
        "data": {
            "e": "trade",
            "E": US + 5,
            "s": "SBER",
            "p": "300.5",
            "q": "2",
            "t": US + 1,
            "T": US,
            "m": True,
        },
    }
    assert second["data"]["t"] == US + 2
    assert second["data"]["m"] is None


def test_after_a_hole_a_number_is_left_out_and_the_next_message_says_so_once() -> None:
    words = teller("trade.SBER")
    told(words, trade())

    words.missed(hole_of(Gap("SBER", NOON, NOON + 2_000_000, "cut", None, NOON, "g")))
    words.missed(Hole("again", until=US + 9_000))
    after, later = told(words, trade()), told(words, trade())

    assert after["gap"] == {"reason": "cut", "since": US, "until": US + 9_000}
    assert after["data"]["t"] == US + 3
    assert "gap" not in later
    assert later["data"]["t"] == US + 4


def test_of_two_holes_in_one_message_the_first_stays() -> None:
    message = mark(b'{"stream":"trade.X","data":{}}', "trade.X", Hole("one"))

    assert mark(message, "trade.X", Hole("two")) == message
    assert json.loads(message) == {"stream": "trade.X", "gap": {"reason": "one"}, "data": {}}


def test_quotes_say_what_is_known() -> None:
    message = told(teller("bookTicker.X"), Quote("X", 1.5, 2.0, None, None, None, None, NOON, "g"))

    assert message["data"] == {
        "e": "bookTicker",
        "E": US,
        "s": "X",
        "a": None,
        "A": None,
        "b": "1.5",
        "B": "2",
        "u": str(US + 1),
        "T": US,
    }


def test_the_day_so_far_is_told_when_it_has_changed() -> None:
    words = teller("ticker.X")

    def quote(last: float | None) -> Quote:
        return Quote("X", 1.0, 1.0, 2.0, 1.0, last, NOON, NOON, "g", open=1.0, high=3.0, low=0.5, volume=7.0)

    assert words.tell(quote(None)) is None
    assert told(words, quote(2.0))["data"] == {
        "e": "ticker",
        "E": US,
        "s": "X",
        "o": "1",
        "c": "2",
        "h": "3",
        "l": "0.5",
        "v": "7",
    }
    assert words.tell(quote(2.0)) is None
    assert words.tell(quote(2.5)) is not None


def test_the_last_24_hours_are_told_with_all_that_the_venue_says() -> None:
    words = teller("ticker.X")
    ticker = Ticker("X", 2.0, 1.0, 3.0, 0.5, 7.0, 14.5, 9, NOON, NOON, "g")

    data = told(words, ticker)["data"]

    assert [data[name] for name in "ochlvVn"] == ["1", "2", "3", "0.5", "7", "14.5", 9]
    assert words.tell(ticker) is None
    assert words.tell(Ticker("X", None, None, None, None, 0.0, 0.0, 0, NOON, NOON, "g")) is None


def test_a_bar_of_a_day_says_how_the_day_went() -> None:
    bar = Bar("X", NOON - NOON % DAY, DAY, 1.0, 3.0, 0.5, 2.0, 9.0, False, None, NOON, "g")

    data = told(teller("ticker.X"), bar)["data"]

    assert [data[name] for name in "ochlv"] == ["1", "2", "3", "0.5", "9"]


def test_after_a_hole_the_day_is_told_again_though_it_hasn_t_changed() -> None:
    words = teller("ticker.X")
    ticker = Ticker("X", 2.0, 1.0, 3.0, 0.5, 7.0, None, None, NOON, NOON, "g")
    words.tell(ticker)

    words.missed(Hole("the wire broke"))

    assert told(words, ticker)["gap"] == {"reason": "the wire broke"}


def test_bars_are_told_as_backpack_words_them() -> None:
    bar = Bar("X", NOON - NOON % 60_000_000_000, 60_000_000_000, 1.0, 3.0, 0.5, 2.0, 9.0, True, None, NOON, "g")

    data = told(teller("kline.1m.X"), bar)["data"]

    assert (data["o"], data["h"], data["l"], data["c"], data["v"], data["X"]) == ("1", "3", "0.5", "2", "9", True)
    assert data["t"].endswith(":00")
    assert data["t"] < data["T"]


def test_events_of_another_kind_are_no_message() -> None:
    quote = Quote("X", 1.0, 1.0, 2.0, 1.0, None, None, NOON, "g")

    assert [teller(name).tell(quote) for name in ("trade.X", "depth.X", "kline.1m.X")] == [None, None, None]
    assert [teller(name).tell(trade()) for name in ("bookTicker.X", "ticker.X")] == [None, None]


PRICES = st.integers(1, 6).map(float)
SIZES = st.integers(0, 3).map(float)
SIDE = st.dictionaries(PRICES, SIZES, max_size=5)
STEP = st.tuples(st.sampled_from(["whole", "change", "gap"]), SIDE, SIDE)


@settings(max_examples=150, deadline=None)
@given(st.lists(STEP, max_size=12))
def test_whatever_a_book_goes_through_its_messages_fold_to_it(steps: list[tuple[str, Any, Any]]) -> None:
    words, book = teller("depth.X"), Book("X")
    bids: dict[str, str] = {}
    asks: dict[str, str] = {}
    last = None
    for kind, buy, sell in steps:
        event: BookSnapshot | BookDelta | Gap
        if kind == "whole":
            event = BookSnapshot(
                "X", *_tuples(_whole(buy, best=max)), *_tuples(_whole(sell, best=min)), NOON, NOON, "g"
            )
        elif kind == "change":
            event = BookDelta("X", *_tuples(buy), *_tuples(sell), NOON, NOON, "g")
        else:
            event = Gap("X", NOON, NOON, "cut", None, NOON, "g")
            words.missed(hole_of(event))
        book.apply(event)
        message = words.tell(event)
        if message is None:
            continue
        data = json.loads(message)["data"]
        assert (last is None or data["U"] == last + 1) or "gap" in json.loads(message)
        last = data["u"]
        bids.update(data["b"])
        asks.update(data["a"])
        assert _levels(bids) == dict(book.levels(Side.BUY))
        assert _levels(asks) == dict(book.levels(Side.SELL))


def _whole(side: dict[float, float], *, best: Callable[..., float]) -> dict[float, float]:
    found = {price: size for price, size in side.items() if size}
    return dict(sorted(found.items(), reverse=best is max))


def _tuples(side: dict[float, float]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return tuple(side), tuple(side.values())


def _levels(side: dict[str, str]) -> dict[float, float]:
    return {float(price): float(size) for price, size in side.items() if float(size)}

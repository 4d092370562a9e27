from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.errors import ConfigError
from strategykit.indicators import (
    Condition,
    Latest,
    Source,
    Value,
    atr,
    crosses_above,
    crosses_below,
    ema,
    highest,
    lowest,
    rsi,
    sma,
)
from strategykit.model.events import Bar, BookSnapshot, Gap, Quote, Trade

MINUTE = 60_000_000_000


class Tap:
    """A stream that the test turns on; it holds `held` from before."""

    def __init__(self, *held: Any) -> None:
        self.held = list(held)
        self.callbacks: list[Callable[[Any], None]] = []

    def listen(self, callback: Callable[[Any], None], /) -> None:
        for event in self.held:
            callback(event)
        self.callbacks.append(callback)

    def send(self, *events: Any) -> None:
        for event in events:
            self.held.append(event)
            for callback in self.callbacks:
                callback(event)


class RememberingTap(Tap):
    """A stream that also says what came last, and can be left, as the streams of a running strategy do."""

    last: Any = None

    def unwatch(self, callback: Callable[[Any], None]) -> None:
        self.callbacks.remove(callback)

    def send(self, *events: Any) -> None:
        for event in events:
            self.last = event
            super().send(event)


def bar(close: float, minute: int = 0, *, closed: bool = True, instrument: str = "SBER") -> Bar:
    return Bar(
        instrument, minute * MINUTE, MINUTE, close, close + 2, close - 3, close, 10.0 * close, closed, None, 7, "g"
    )


def bars(*closes: float) -> list[Bar]:
    return [bar(close, minute) for minute, close in enumerate(closes)]


def trade(price: float, time: int | None = None) -> Trade:
    return Trade("SBER", price, 5.0, None, None, time, 1, "g")


def quote(bid: float | None, ask: float | None) -> Quote:
    return Quote("SBER", bid, 1.0, ask, 2.0, None, None, 1, "g")


def test_a_value_is_ready_once_there_was_enough() -> None:
    stream = Tap()
    mean = sma(stream, 2)
    stream.send(bar(1.0))
    before = (mean.value, mean.ready)
    stream.send(bar(2.0))

    assert before == (None, False)
    assert (mean.value, mean.ready) == (1.5, True)
    assert mean.roots == (stream,)


def test_an_indicator_begins_with_what_the_stream_holds() -> None:
    stream = Tap(*bars(1.0, 2.0))
    mean = sma(stream, 2)
    assert mean.value == 1.5
    stream.send(bar(4.0))

    assert mean.value == 3.0


def test_forming_bars_move_nothing() -> None:
    stream = Tap(*bars(1.0, 2.0))
    mean, spread, latest = sma(stream, 2), atr(stream, 2), Latest(stream, "close")
    before = (mean.value, spread.value)
    stream.send(bar(50.0, 2, closed=False))

    assert (mean.value, spread.value) == before
    assert latest.value == 50.0, "the latest is the latest"


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda source: sma(source, 1), 5.0),
        (lambda source: sma(source, 1, of="volume"), 50.0),
        (lambda source: ema(source, 1, of="open"), 5.0),
        (lambda source: highest(source, 2), 11.0),
        (lambda source: highest(source, 2, of="close"), 9.0),
        (lambda source: lowest(source, 2), 2.0),
        (lambda source: lowest(source, 2, of="close"), 5.0),
        (lambda source: atr(source, 1), 7.0),
        (lambda source: rsi(source, 1), 0.0),
    ],
)
def test_bars_give_their_close_and_extremes_their_highs_and_lows(
    make: Callable[[Source], Value], expected: float
) -> None:
    """The bars are 9 (high 11, low 6), then 5 (high 7, low 2)."""
    assert make(Tap(*bars(9.0, 5.0))).value == expected


@pytest.mark.parametrize(
    ("event", "of", "expected"),
    [
        (trade(5.5), None, 5.5),
        (trade(5.5), "quantity", 5.0),
        (quote(1.0, 2.0), None, 1.5),
        (quote(1.0, 2.0), "bid", 1.0),
        (quote(1.0, 2.0), "ask_size", 2.0),
        (quote(None, 2.0), None, None),
        (quote(1.0, None), None, None),
        (quote(1.0, 2.0), "last", None),
        (BookSnapshot("S", (5.0, 4.0), (1.0, 1.0), (7.0,), (1.0,), None, 1, "g"), None, 6.0),
        (BookSnapshot("S", (5.0, 4.0), (1.0, 1.0), (7.0,), (1.0,), None, 1, "g"), "bid", 5.0),
        (BookSnapshot("S", (5.0, 4.0), (1.0, 1.0), (7.0,), (1.0,), None, 1, "g"), "ask", 7.0),
        (BookSnapshot("S", (), (), (7.0,), (1.0,), None, 1, "g"), None, None),
        (BookSnapshot("S", (), (), (7.0,), (1.0,), None, 1, "g"), "bid", None),
        (BookSnapshot("S", (5.0,), (1.0,), (), (), None, 1, "g"), "ask", None),
    ],
)
def test_other_streams_give_their_price_or_mid(event: Any, of: str | None, expected: float | None) -> None:
    assert sma(Tap(event), 1, of=of).value == expected


def test_what_is_no_number_is_left_out() -> None:
    """One infinite price would stay in every sum for ever."""
    stream = Tap(trade(1.0), trade(float("inf")), trade(float("nan")), trade(3.0))

    assert sma(stream, 2).value == 2.0


@pytest.mark.parametrize("n", [0, -1, 1.5, "3", True, None])
@pytest.mark.parametrize("make", [sma, ema, rsi, atr, highest, lowest])
def test_a_window_needs_a_whole_number_above_zero(make: Callable[[Any, Any], Value], n: object) -> None:
    with pytest.raises(ConfigError, match=f"{make.__name__}: n must be a whole number above 0"):
        make(Tap(), n)


def test_an_indicator_needs_a_stream() -> None:
    with pytest.raises(ConfigError, match=r"sma needs a stream, such as self\.bars"):
        sma([1.0, 2.0], 2)  # type: ignore[arg-type]  # that's the point


def test_an_unknown_field_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match=r"no event has a field 'closing'; there are ask, .* close"):
        sma(Tap(), 2, of="closing")
    with pytest.raises(ConfigError, match="no event has a field 'biid'"):
        Latest(Tap(), "biid")


def test_a_field_that_the_stream_lacks_is_refused_when_it_shows() -> None:
    with pytest.raises(ConfigError, match="Trade has no field 'close'; it has price, quantity"):
        sma(Tap(trade(1.0)), 2, of="close")
    with pytest.raises(ConfigError, match="Gap has no number to take"):
        sma(Tap(Gap("S", 1, 2, "reset", None, 2, "g")), 2)
    with pytest.raises(ConfigError, match="atr needs a stream of bars; this one gives Trade"):
        atr(Tap(trade(1.0)), 2)
    with pytest.raises(ConfigError, match="a value has no field 'close'; leave `of` out"):
        sma(sma(Tap(*bars(1.0)), 1), 1, of="close")


def test_an_indicator_over_an_indicator_is_as_warm_as_over_the_stream() -> None:
    closes = [1.0, 4.0, 9.0, 16.0, 25.0, 36.0]
    live, held = Tap(), Tap(*bars(*closes))
    early = sma(sma(ema(live, 2), 2), 2)
    live.send(*bars(*closes))
    inner = sma(ema(held, 2), 2)

    late = sma(inner, 2)

    assert late.value == early.value
    assert late.value is not None
    assert late.roots == (held,)
    held.send(bar(49.0, 6))
    live.send(bar(49.0, 6))
    assert late.value == early.value


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(1, 9).map(float), max_size=25), st.integers(0, 25), st.integers(1, 4))
def test_whatever_the_stream_held_before_indicators_come_out_the_same(prices: list[float], cut: int, n: int) -> None:
    def all_of(stream: Source) -> list[Value]:
        fast, slow = ema(stream, n), sma(stream, n + 1)
        return [fast, highest(stream, n), rsi(stream, n), sma(fast - slow, n), lowest(sma(rsi(stream, n), 2), n)]

    minutes = bars(*prices)
    live, mixed = Tap(), Tap(*minutes[:cut])
    expected, found = all_of(live), all_of(mixed)
    live.send(*minutes)
    mixed.send(*minutes[cut:])

    assert [one.value for one in found] == [one.value for one in expected]


def test_forming_bars_reach_no_indicator_over_a_value() -> None:
    stream, heard = Tap(*bars(1.0, 3.0)), list[float]()
    (ema(stream, 1) * 2).listen(heard.append)
    stream.send(bar(50.0, 2, closed=False), bar(5.0, 2))

    assert heard == [2.0, 6.0, 10.0]


def test_a_value_calls_back_with_its_past_and_then_with_what_comes() -> None:
    stream, heard = Tap(*bars(1.0, 3.0, 5.0)), list[float]()
    sma(stream, 2).listen(heard.append)
    stream.send(bar(7.0))

    assert heard == [2.0, 4.0, 6.0]


def test_the_latest_and_derived_values_call_back_too() -> None:
    stream = Tap(quote(1.0, 2.0), quote(None, 3.0))
    bid, ask = Latest(stream, "bid"), Latest(stream, "ask")
    bids, spreads = list[float](), list[float]()
    bid.listen(bids.append)
    (ask - bid).listen(spreads.append)
    stream.send(quote(4.0, 4.5))

    assert bids == [1.0, 4.0]
    assert spreads == [1.0, 0.5]


def test_a_number_never_calls_back() -> None:
    heard = list[float]()
    constant = (Latest(Tap(), "bid") + 5)._right  # type: ignore[attr-defined]  # a number as a value isn't public
    constant.listen(heard.append)

    assert (constant.value, constant.roots, constant.ready, heard) == (5.0, (), True, [])


def test_a_value_of_two_streams_sees_their_past_in_the_order_of_time() -> None:
    """Each stream tells its history whole; taken one after the other, the difference would be of wrong times."""
    one = Tap(bar(10.0, 0), bar(20.0, 2))
    two = Tap(bar(1.0, 1), bar(2.0, 3))
    heard = list[float]()
    difference = Latest(one, "close") - Latest(two, "close")
    difference.listen(heard.append)
    two.send(bar(5.0, 4))

    assert heard == [9.0, 19.0, 18.0, 15.0]
    assert difference.roots == (one, two)


def test_trades_and_bars_are_ordered_by_when_they_were_true() -> None:
    trades, minutes, heard = Tap(trade(1.0, MINUTE // 2), trade(2.0, MINUTE + 1)), Tap(bar(10.0, 0)), list[float]()
    (Latest(minutes, "close") + Latest(trades, "price")).listen(heard.append)

    assert heard == [11.0, 12.0]


def test_arithmetic_follows_both_sides() -> None:
    stream = Tap(quote(8.0, 10.0))
    bid, ask = Latest(stream, "bid"), Latest(stream, "ask")
    made = [bid + ask, ask - bid, bid * ask, ask / bid, bid + 1, 1 + bid, ask - 1, 1 - ask, 2 * bid, bid * 2, bid / 2]
    made += [16 / bid, bid + Decimal("0.5")]

    assert [one.value for one in made] == [18, 2, 80, 1.25, 9, 9, 9, -9, 16, 16, 4, 2, 8.5]
    assert all(one.roots == (stream,) for one in made)


def test_a_side_without_a_number_leaves_none() -> None:
    stream = Tap(quote(None, 10.0))
    bid, ask = Latest(stream, "bid"), Latest(stream, "ask")

    assert [(bid + ask).value, (ask + bid).value, (ask / 0).value, (ask - ask).value] == [None, None, None, 0.0]


def test_the_latest_of_a_remembering_stream_costs_it_nothing() -> None:
    """`self.quotes.bid` makes a new one at each look: a listener for each would pile up."""
    stream = RememberingTap()
    assert Latest(stream, "bid").value is None
    stream.send(quote(1.0, 2.0))

    assert Latest(stream, "bid").value == 1.0
    assert (Latest(stream, "bid") > 0.5).now
    assert stream.callbacks == []


@pytest.mark.parametrize("other", ["5", None, True, [1]])
def test_values_meet_only_numbers_and_values(other: Any) -> None:
    value = Latest(Tap(), "bid")
    for attempt in (lambda: value > other, lambda: value + other, lambda: crosses_above(value, other)):
        with pytest.raises(TypeError, match="with values and numbers"):
            attempt()


def test_nothing_is_compared_with_nan() -> None:
    with pytest.raises(ConfigError, match="nan"):
        crosses_above(Latest(Tap(), "bid"), float("nan"))


def test_comparisons_hold_as_of_the_latest_event() -> None:
    stream = Tap(quote(5.0, 6.0))
    bid = Latest(stream, "bid")

    assert [(bid < 5).now, (bid <= 5).now, (bid > 5).now, (bid >= 5).now] == [False, True, False, True]
    assert [(4 < bid).now, (5 <= bid).now, (4 > bid).now, (5 >= bid).now] == [True, True, False, True]  # noqa: SIM300 - mirrored operators are meant
    below = bid < Latest(stream, "ask")
    seen = [below.now]
    stream.send(quote(7.0, 6.0))
    seen.append(below.now)

    assert seen == [True, False]
    assert below.roots == (stream,)


def test_nobody_asks_a_value_or_a_condition_for_its_truth() -> None:
    value = Latest(Tap(), "bid")
    with pytest.raises(TypeError, match=r"use `await self.when\(fast > slow\)`, or read its `.value`"):
        bool(value)
    with pytest.raises(TypeError, match=r"use `await self.when\(fast > slow\)`, or `.now`"):
        bool(value > 1)
    with pytest.raises(TypeError, match="not with and, or, not"):
        _ = 1 < value < 2


def conditions(now: str) -> list[Condition]:
    """Give conditions that are true (t), false (f) or not known (u)."""
    value = {"t": 1.0, "f": -1.0, "u": None}
    return [Latest(Tap(quote(value[letter], None)), "bid") > 0 for letter in now]


@pytest.mark.parametrize(
    ("sides", "both", "either"),
    [
        ("tt", True, True),
        ("tf", False, True),
        ("ff", False, False),
        ("tu", None, True),
        ("uf", False, None),
        ("uu", None, None),
    ],
)
def test_conditions_join_without_guessing(sides: str, both: bool | None, either: bool | None) -> None:
    for left, right in (conditions(sides), conditions(sides[::-1])):
        assert (left & right).truth() is both
        assert (left | right).truth() is either
        assert (~(left & right)).truth() is (None if both is None else not both)
        assert (left & right).now is (both is True)
        assert (left | right).roots == left.roots + right.roots
    one, other = conditions(sides)
    assert (one & other).roots == (*one.roots, *other.roots)
    assert (~one).roots == one.roots


def test_ignorance_turned_round_is_still_ignorance() -> None:
    (unknown,) = conditions("u")

    assert not unknown.now
    assert not (~unknown).now


def test_conditions_join_with_conditions_only() -> None:
    (holds,) = conditions("t")
    with pytest.raises(TypeError, match="joined with conditions, not with True"):
        _ = holds & True  # type: ignore[operator]  # that's the point
    with pytest.raises(TypeError, match="joined with conditions, not with 1"):
        _ = holds | 1  # type: ignore[operator]  # as above


def crossings(condition: Condition, stream: Tap, *prices: float | None) -> list[bool]:
    found = []
    for price in prices:
        stream.send(quote(price, None))
        found.append(condition.now)
    return found


def test_a_cross_holds_for_the_event_that_made_it() -> None:
    stream = Tap()
    above = crosses_above(Latest(stream, "bid"), 5)

    assert not above.now
    assert crossings(above, stream, 4, 5, 6, 7, 5, 6) == [False, False, True, False, False, True]
    assert above.roots == (stream,)


def test_crossing_below_is_the_mirror_image() -> None:
    stream = Tap()

    assert crossings(crosses_below(Latest(stream, "bid"), 5), stream, 6, 5, 4, 3, 5, 4) == [
        False,
        False,
        True,
        False,
        False,
        True,
    ]


def test_the_first_number_crosses_nothing() -> None:
    stream = Tap()

    assert crossings(crosses_above(Latest(stream, "bid"), 5), stream, 6, 7) == [False, False]


def test_a_cross_reaches_over_events_without_a_number() -> None:
    stream = Tap()

    assert crossings(crosses_above(Latest(stream, "bid"), 5), stream, 4, None, 6) == [False, False, True]


def test_a_cross_knows_where_things_stood_when_it_was_made() -> None:
    """What the stream holds is history: the values have seen it, and an old crossing is no news."""
    stream = Tap(quote(4.0, None), quote(6.0, None), quote(4.0, None))
    above = crosses_above(Latest(stream, "bid"), 5)

    assert not above.now
    assert crossings(above, stream, 6) == [True]


def test_a_cross_is_not_made_or_unmade_by_a_forming_bar() -> None:
    stream = Tap(bar(4.0, 0))
    above = crosses_above(sma(stream, 1), 5)
    stream.send(bar(6.0, 1))
    stream.send(bar(3.0, 2, closed=False))

    assert above.now


def test_a_cross_sees_both_sides_of_one_event() -> None:
    """Both averages move with one bar; between the two updates they may seem to cross, and that is no crossing."""
    stream = Tap()
    fast, slow = sma(stream, 1), sma(stream, 2)
    above = crosses_above(fast, slow)
    heard = []
    for minute, close in enumerate((10.0, 10.0, 8.0, 9.0, 7.0, 7.0, 9.0)):
        stream.send(bar(close, minute))
        heard.append(above.now)

    assert heard == [False, False, False, True, False, False, True]


def test_crosses_that_are_made_in_a_loop_leave_nothing_behind() -> None:
    stream = RememberingTap(quote(4.0, None))
    value = sma(stream, 1)
    listening = len(stream.callbacks)
    gc.freeze()  # What the other tests have left is none of ours: going through it a hundred times takes seconds.
    for price in range(100):
        crosses_above(value, price)
        stream.send(quote(float(price), None))
        gc.collect()
    gc.unfreeze()
    assert len(stream.callbacks) == listening


def test_not_crossing_is_known_only_with_numbers() -> None:
    stream = Tap()
    above = crosses_above(Latest(stream, "bid"), 5)
    assert not (~above).now
    stream.send(quote(4.0, None))

    assert (~above).now


def test_a_cross_that_nobody_keeps_goes_away() -> None:
    """Conditions are made in loops; the streams that they listen to live for days."""
    stream = Tap()
    reference = weakref.ref(crosses_above(Latest(stream, "bid"), 5))
    gc.collect()

    stream.send(quote(1.0, None))

    assert reference() is None


def test_a_condition_says_its_numbers() -> None:
    tap = Tap()
    close = Latest(tap, "close")
    condition = (close > 100) & ~(close <= 99.5)
    assert condition.words() == "(? > 100) and (not (? <= 99.5))"

    crossed = crosses_above(close, 101)
    tap.send(bar(100.25))

    assert condition.words() == "(100.25 > 100) and (not (100.25 <= 99.5))"
    assert crossed.words() == "crossed: 100.25 > 101"


def test_a_condition_names_what_is_compared_where_the_streams_say_how_they_are_called() -> None:
    class Named(Tap):
        title = "SBER bars"

    tap = Named()
    close, slow = Latest(tap, "close"), sma(highest(tap, 1), 2)
    spread = (close - slow) / 2 > sma(tap, 1, of="low") * 3
    tap.send(bar(8.0))

    assert (close > 7).words() == "SBER bars.close > 7 (8 > 7)"
    assert spread.words().startswith(
        "((SBER bars.close - sma(highest(SBER bars, 1), 2)) / 2) > (sma(SBER bars.low, 1) * 3) (? > "
    )
    assert (slow > close).words().startswith("sma(highest(SBER bars, 1), 2) > SBER bars.close (? > 8)")
    assert (close + Latest(Tap(), "close") > 1).words() == "? > 1", "a name for half of it says nothing"
    assert (sma(Tap(), 2) > 1).words() == "? > 1"

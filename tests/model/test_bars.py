from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.errors import ConfigError
from strategykit.model.bars import BarBuilder, TickBars, VolumeBars, interval
from strategykit.model.events import Bar, Side, Trade

S = 1_000_000_000
M = 60 * S


def trade(
    price: float, time: int | None, *, quantity: float = 1.0, received: int | None = None, past: bool = False
) -> Trade:
    return Trade(
        "SBER", price, quantity, Side.BUY, None, time, received if received is not None else time or 0, "g", past
    )


def ohlcv(bar: Bar) -> tuple[float, ...]:
    return (bar.open, bar.high, bar.low, bar.close, bar.volume)


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [("1s", S), ("15s", 15 * S), ("1m", M), ("5m", 5 * M), ("1h", 60 * M), ("1d", 1440 * M)],
)
def test_intervals_are_read(text: str, nanoseconds: int) -> None:
    assert interval(text) == nanoseconds


@pytest.mark.parametrize(
    "text", ["", "m", "1", "0m", "-1m", "1.5m", "1M", "1w", " 1m", "1m ", "١m", "1000000s", "1m\n"]
)
def test_other_intervals_are_refused_with_what_would_be_right(text: str) -> None:
    with pytest.raises(ConfigError, match="such as '1s', '15s', '1m'"):
        interval(text)


def test_a_bar_closes_with_the_first_trade_of_a_later_interval() -> None:
    builder = BarBuilder("SBER", M)
    for price, second in ((10.0, 60), (12.0, 61), (9.0, 70), (11.0, 119)):
        assert builder.apply(trade(price, second * S, quantity=2)) == []

    (bar,) = builder.apply(trade(20.0, 185 * S, received=186 * S))

    assert ohlcv(bar) == (10, 12, 9, 11, 8)
    assert (bar.instrument, bar.open_time, bar.interval, bar.closed) == ("SBER", M, M, True)
    assert (bar.event_time, bar.receive_time, bar.guid, bar.snapshot) == (119 * S, 186 * S, "g", False)


def test_empty_intervals_give_no_bars() -> None:
    builder = BarBuilder("SBER", M)
    builder.apply(trade(10.0, 0))
    (first,) = builder.apply(trade(11.0, 10 * M))
    (second,) = builder.apply(trade(12.0, 11 * M))

    assert (first.open_time, second.open_time) == (0, 10 * M)


def test_the_forming_bar_comes_after_the_closed_one_if_asked_for() -> None:
    builder = BarBuilder("SBER", M, show_forming=True)
    assert [bar.closed for bar in builder.apply(trade(10.0, 0))] == [False]

    closed, forming = builder.apply(trade(11.0, M))

    assert (closed.closed, forming.closed) == (True, False)
    assert (forming.open_time, ohlcv(forming)) == (M, (11, 11, 11, 11, 1))


def test_time_closes_a_bar_once() -> None:
    builder = BarBuilder("SBER", M)
    assert builder.close(5 * M) == []
    builder.apply(trade(10.0, M))
    assert builder.close(2 * M - 1) == []

    (bar,) = builder.close(2 * M)

    assert (bar.open_time, bar.receive_time) == (M, 2 * M)
    assert builder.close(3 * M) == []


def test_trades_for_a_closed_bar_are_counted_and_left_out() -> None:
    """A venue's times go back across streams; a bar that was told can't be taken back."""
    builder = BarBuilder("SBER", M, show_forming=True)
    builder.apply(trade(10.0, M))
    builder.close(2 * M)

    assert builder.apply(trade(99.0, M + 1)) == []
    (forming,) = builder.apply(trade(11.0, 2 * M))
    assert builder.apply(trade(98.0, M + 2)) == []

    assert builder.late == 2
    assert ohlcv(forming) == (11, 11, 11, 11, 1)


def test_trades_without_a_venue_time_count_by_arrival() -> None:
    builder = BarBuilder("SBER", M)
    builder.apply(trade(10.0, None, received=M + 5))

    (bar,) = builder.close(2 * M)

    assert (bar.open_time, bar.event_time) == (M, M + 5)


def test_a_bar_of_past_trades_only_is_a_snapshot() -> None:
    builder = BarBuilder("SBER", M)
    builder.apply(trade(10.0, 0, past=True))
    builder.apply(trade(10.0, 1, past=True))
    (old,) = builder.apply(trade(10.0, M, past=True))
    builder.apply(trade(10.0, M + 1))
    (new,) = builder.close(2 * M)

    assert (old.snapshot, new.snapshot) == (True, False)


@pytest.mark.parametrize("length", [0, -1])
def test_a_bar_needs_a_length(length: int) -> None:
    with pytest.raises(ConfigError, match="above 0 ns"):
        BarBuilder("SBER", length)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(1, 100)), min_size=1, max_size=60),
    st.integers(1, 7),
)
def test_whatever_the_trades_nothing_is_lost_between_bars(steps: list[tuple[int, int]], length: int) -> None:
    time, trades = 0, []
    for wait, price in steps:
        time += wait
        trades.append(trade(float(price), time))
    builder = BarBuilder("SBER", length)

    bars = [bar for one in trades for bar in builder.apply(one)] + builder.close(time + length)

    expected: dict[int, list[float]] = {}
    for one in trades:
        assert one.event_time is not None
        expected.setdefault(one.event_time // length * length, []).append(one.price)
    assert {bar.open_time: ohlcv(bar) for bar in bars} == {
        start: (prices[0], max(prices), min(prices), prices[-1], len(prices)) for start, prices in expected.items()
    }
    assert len(bars) == len(expected)
    assert builder.late == 0


def test_intervals_in_which_trades_were_missed_give_no_bars() -> None:
    builder = BarBuilder("SBER", M, show_forming=True)
    builder.apply(trade(10.0, 10 * S))
    builder.missed()

    assert builder.close(M) == []
    assert builder.apply(trade(11.0, 20 * S, past=True)) == [], "what is told afterwards may have holes, too"
    assert builder.apply(trade(12.0, 70 * S)) == []
    assert builder.apply(trade(13.0, 119 * S)) == []
    (forming,) = builder.apply(trade(14.0, 120 * S))
    assert builder.apply(trade(15.0, 119 * S)) == []
    (bar,) = builder.close(180 * S)

    assert (forming.closed, bar.closed) == (False, True)
    assert (bar.open_time, ohlcv(bar)) == (120 * S, (14, 14, 14, 14, 1))
    assert builder.late == 0, "they weren't late, they were left out"


def test_past_trades_that_come_with_nothing_missed_are_in_their_bars() -> None:
    builder = BarBuilder("SBER", M)
    builder.apply(trade(10.0, 10 * S))
    builder.apply(trade(11.0, 20 * S, past=True))

    (bar,) = builder.apply(trade(12.0, 60 * S))

    assert (ohlcv(bar), bar.snapshot) == ((10, 11, 10, 11, 2), False)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(1, 100), st.booleans()), min_size=1, max_size=60),
    st.integers(1, 7),
)
def test_whatever_is_missed_a_bar_has_all_trades_of_its_interval(
    steps: list[tuple[int, int, bool]], length: int
) -> None:
    builder, bars, time = BarBuilder("SBER", length), list[Bar](), 0
    expected: dict[int, list[float]] = {}
    for wait, price, missed in steps:
        time += wait
        expected.setdefault(time // length * length, []).append(float(price))
        if missed:
            builder.missed()
        else:
            bars += builder.apply(trade(float(price), time))
    bars += builder.close(time + length)

    assert all(
        ohlcv(bar) == (prices[0], max(prices), min(prices), prices[-1], len(prices))
        for bar in bars
        for prices in [expected[bar.open_time]]
    )


def test_tick_bars_close_after_their_count() -> None:
    builder = TickBars("SBER", 3)
    found = [bar for n, price in enumerate((5.0, 7.0, 4.0, 6.0)) for bar in builder.apply(trade(price, n * S))]

    (bar,) = found
    assert ohlcv(bar) == (5, 7, 4, 4, 3)
    assert (bar.open_time, bar.interval, bar.closed) == (0, 2 * S, True)


def test_volume_bars_close_when_enough_was_traded() -> None:
    builder = VolumeBars("SBER", 5)
    found = [bar for price in (5.0, 6.0, 7.0) for bar in builder.apply(trade(price, 1, quantity=3))]

    (bar,) = found
    assert ohlcv(bar) == (5, 6, 5, 6, 6)


def test_counted_bars_need_something_to_count() -> None:
    with pytest.raises(ConfigError, match="at least 1 trade"):
        TickBars("SBER", 0)
    for volume in (0, -1, float("nan")):
        with pytest.raises(ConfigError, match="more than 0 lots"):
            VolumeBars("SBER", volume)

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strategykit.errors import LocalProtocolError, RemoteProtocolError
from strategykit.model.events import Bar, Gap
from strategykit.venues.asks import AskBars
from strategykit.venues.dialect import Decoded
from strategykit.venues.stream.asking import MOST_HELD
from strategykit.venues.stream.bars import BarCursor
from strategykit.venues.stream.variants import VARIANTS
from strategykit.venues.streams import Stream, StreamKind
from strategykit.venues.subscriptions import Subscription

MS = 1_000_000
MINUTE = 60_000 * MS
ZERO = 1_747_999_980_000 * MS
"""When bar 0 began, nanoseconds UTC."""


def kline(number: int, *, closed: bool = True, close: str = "2.0", at: int = 0) -> dict[str, Any]:
    opened = (ZERO + number * MINUTE + at) // MS
    bar = {"t": opened, "T": opened + 59_999, "s": "BTCUSDT", "i": "1m", "f": 1, "L": 2, "o": "2", "c": close}
    bar |= {"h": "3.5", "l": "1", "v": "7.5", "n": 2, "x": closed, "q": "9", "V": "1", "Q": "1", "B": "0"}
    return {"e": "kline", "E": opened + 60_000, "s": "BTCUSDT", "k": bar}


def past(*numbers: int) -> list[list[Any]]:
    return [[(ZERO + number * MINUTE) // MS, "2", "3", "1", "2", "5", 0, "0", 0, "0", "0", "0"] for number in numbers]


def told(things: Sequence[Decoded]) -> list[Any]:
    """Give closed bars by their numbers, past ones below 0, forming ones as text, and all else by its type."""
    found: list[Any] = []
    for thing in things:
        if isinstance(thing, Bar):
            number = (thing.open_time - ZERO) // MINUTE
            found.append(-number if thing.snapshot else number if thing.closed else f"{number}…")
        else:
            found.append(type(thing).__name__)
    return found


def want(desk: Any, **more: Any) -> Subscription:
    row: Subscription = desk.want(StreamKind.BARS, "BTCUSDT", interval=MINUTE, **more)
    return row


def test_a_bar_is_told_as_it_came(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)
    assert row.key == "btcusdt@kline_1m"

    (found,) = bench.data(row, kline(1, closed=False))

    assert (found.open_time, found.interval, found.closed) == (ZERO + MINUTE, MINUTE, False)
    assert (found.open, found.high, found.low, found.close, found.volume) == (2.0, 3.5, 1.0, 2.0, 7.5)
    assert (found.event_time, found.receive_time, found.guid) == (ZERO + 2 * MINUTE, bench.now, row.guid)
    assert not found.snapshot


def test_backpacks_bars_have_times_without_a_zone(desk: Callable[..., Any]) -> None:
    bench = desk("backpack")
    row = bench.want(StreamKind.BARS, "SOL_USDC", interval=MINUTE)
    assert row.key == "kline.1m.SOL_USDC"
    opened = datetime.fromtimestamp(ZERO / 1e9, UTC).replace(tzinfo=None).isoformat()
    data = {"e": "kline", "E": 1_748_000_000_000_000, "s": "SOL_USDC", "t": opened, "T": opened, "n": 3, "X": True}
    data |= {"o": "2", "c": "2", "h": "3", "l": "1", "v": "7.5"}

    (found,) = bench.data(row, data)

    assert (found.open_time, found.closed, found.event_time) == (ZERO, True, 1_748_000_000_000 * MS)
    assert bench.data(row, data | dict.fromkeys("ochl")) == [], "nothing was traded: there are no prices"
    for wrong in ({"o": None}, {"t": opened + "Z"}, {"t": "1969-12-31T00:00:00"}, {"t": "2300-01-01"}, {"l": "2.5"}):
        with pytest.raises(RemoteProtocolError):
            bench.data(row, data | wrong)


def test_closed_is_closed(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)
    bars = (kline(1, closed=False), kline(1), kline(1), kline(1, closed=False), kline(2, closed=False), kline(1))

    assert [told(bench.data(row, bar)) for bar in bars] == [["1…"], [1], [], [], ["2…"], []]


def test_bars_before_the_first_one_are_asked_for_from_when_they_are_wanted(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench, since=ZERO)

    assert bench.data(row, kline(2, closed=False)) == []
    assert bench.needs[0].ask == AskBars(instrument="BTCUSDT", interval=MINUTE, count=2, until=ZERO + 2 * MINUTE)
    found = bench.body(past(-1, 0, 1, 2))

    assert told(found) == [0, -1, "2…"]
    assert [bar.snapshot for bar in found] == [True, True, False]
    assert all(bar.closed for bar in found[:2])
    assert told(bench.data(row, kline(2))) == [2]


def test_nothing_is_asked_for_where_nothing_is_missing(desk: Callable[..., Any]) -> None:
    bench = desk()

    assert told(bench.data(want(bench, since=ZERO + MINUTE), kline(1, closed=False))) == ["1…"]


def test_bars_begin_on_the_venues_grid(desk: Callable[..., Any]) -> None:
    """Weeks begin on Mondays, 1970 on a Thursday: what is wanted from then on may begin within a bar."""
    bench = desk()
    row = want(bench, since=ZERO + MINUTE // 2)

    assert bench.data(row, kline(2, closed=False)) == []
    assert told(bench.body(past(0, 1))) == [0, -1, "2…"]


def test_what_was_missed_while_a_wire_was_cut_is_told_first(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)
    bench.data(row, kline(1))
    bench.cut()

    assert told(bench.data(row, kline(4, closed=False))) == ["Gap"]
    assert told(bench.data(row, kline(4))) == []
    assert told(bench.body(past(1, 2, 3))) == [-2, -3, "4…", 4]


def test_a_missing_end_of_a_bar_is_found_out(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)
    bench.data(row, kline(1, closed=False))

    assert told(bench.data(row, kline(2, closed=False))) == []
    assert told(bench.body(past(1))) == [-1, "2…"]


def test_without_an_answer_a_hole_is_told(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)
    bench.data(row, kline(1))
    heard = bench.now
    bench.data(row, kline(4, closed=False))

    found = bench.answer(None, "no")

    assert told(found) == ["Gap", "4…"]
    assert isinstance(found[0], Gap)
    assert (found[0].since, found[0].until) == (heard, bench.now)
    assert told(bench.data(row, kline(4))) == [4]


def test_without_an_answer_a_reconnects_gap_says_enough(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)
    bench.data(row, kline(1))
    bench.cut()
    bench.data(row, kline(4, closed=False))

    assert told(bench.answer(None, "no")) == ["4…"]


def test_times_without_trades_may_have_no_bars(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)
    bench.data(row, kline(1))
    bench.data(row, kline(4))

    assert told(bench.body([])) == [4]


def test_more_than_one_answer_can_hold_is_a_gap(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench, since=ZERO - 2_000 * MINUTE)
    bench.data(row, kline(0))

    assert bench.needs[0].ask.count == 1_000
    assert told(bench.body(past(-2, -1))) == ["Gap", 2, 1, 0]


def test_another_hole_soon_after_is_told_and_not_asked_about(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)
    bench.data(row, kline(1))
    bench.data(row, kline(3))
    bench.body(past(2))

    assert told(bench.data(row, kline(5))) == ["Gap", 5]


def test_what_waits_is_bounded(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)
    bench.data(row, kline(1))
    for _ in range(MOST_HELD):
        bench.data(row, kline(3, closed=False))

    assert told(bench.data(row, kline(3)))[:2] == ["Gap", "3…"]
    assert bench.body(past(2)) == []


def test_a_successor_follows_from_where_nothing_is_missing(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)
    bench.data(row, kline(1, closed=False))
    bench.table.replace("market-0", "market-0~2")

    assert told(bench.data(row, kline(2, closed=False), by="market-0~2")) == []
    assert told(bench.data(row, kline(1))) == [1]
    assert told(bench.data(row, kline(2, closed=False), by="market-0~2")) == ["2…"]
    assert row.connection == "market-0~2"


def test_a_bar_cursor_needs_an_interval() -> None:
    with pytest.raises(LocalProtocolError, match="needs an interval"):
        BarCursor("g", Stream(kind=StreamKind.BARS, instrument="BTCUSDT"), VARIANTS["binance"])


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_lost_and_repeated_every_bar_is_closed_once_in_order(
    desk: Callable[..., Any], data: st.DataObject
) -> None:
    """Messages are lost and come twice, wires are cut; an answer comes at once, and holds all that ended."""
    bench = desk()
    row = want(bench)
    closed: list[int] = []
    current = 0
    steps = data.draw(st.lists(st.sampled_from(["forming", "end", "lost", "cut", "repeat"])))
    for step in ["forming", *steps, "end"]:
        found: list[Any] = []
        if step == "forming":
            found = bench.data(row, kline(current, closed=False), after=11_000 * MS)
        elif step == "end":
            found = bench.data(row, kline(current), after=11_000 * MS)
        elif step == "repeat":
            found = bench.data(row, kline(data.draw(st.integers(0, current)), closed=False), after=11_000 * MS)
        elif step == "cut":
            bench.cut()
        if bench.needs:
            found += bench.body(past(*range(current)))
        closed += [(bar.open_time - ZERO) // MINUTE for bar in found if isinstance(bar, Bar) and bar.closed]
        current += step in ("end", "lost")

    assert closed == list(range(current))

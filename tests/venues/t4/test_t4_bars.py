"""Bars: made of trades, with what was cut or missed asked for over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from strategykit.errors import LocalProtocolError
from strategykit.model.events import Bar, VenueError
from strategykit.venues.asks import AskBars
from strategykit.venues.dialect import Need
from strategykit.venues.streams import Stream, StreamKind
from strategykit.venues.t4.bars import BarCursor
from strategykit.venues.t4.market import Depth, Figures, Print
from strategykit.venues.t4.proto import enums_pb2 as enums

ES = "CME_Eq/ES/XCME_Eq ES (Z26)"
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
START = 1_000 * MINUTE


class Tape:
    """A cursor, and trades with growing totals."""

    def __init__(self, **fields: Any) -> None:
        values = {"kind": StreamKind.BARS, "instrument": ES, "interval": MINUTE, **fields}
        self.cursor = BarCursor("g", Stream(**values))
        self.total = 0

    def trade(self, at: float, price: float, *, volume: float = 1.0, snapshot: bool = False) -> list[Any]:
        self.total += int(volume)
        time = START + int(at * SECOND)
        part = Print(price, volume, None, time, self.total, self.total, snapshot)
        return list(self.cursor.take((part,), time))

    def book(self, at: float | None) -> list[Any]:
        time = None if at is None else START + int(at * SECOND)
        half: tuple[Any, Any] = ((), ())
        buffer = enums.DEPTH_BUFFER_SMART
        part = Depth(half, half, half, half, 2, 0, buffer, False, time, None, False)
        return list(self.cursor.take((part, Figures(None, None, None, None)), START + 200 * SECOND))

    def chart(self, *bars: tuple[int, float]) -> list[Bar]:
        """Bars of a chart, by minute and price."""
        return [
            Bar(ES, START + at * MINUTE, MINUTE, price, price, price, price, 9.0, False, None, 1, "", True)
            for at, price in bars
        ]


def told(events: list[Any]) -> list[tuple[int, float, float, bool]]:
    """Minute, close, volume and whether it is over."""
    return [
        ((bar.open_time - START) // MINUTE, bar.close, bar.volume, bar.closed) for bar in events if isinstance(bar, Bar)
    ]


@pytest.fixture
def tape() -> Tape:
    """One whose first, cut bar has come."""
    tape = Tape()
    tape.trade(10, 100)
    (need,) = tape.book(60)
    tape.cursor.answered(tape.chart((0, 101)), "", START)
    assert isinstance(need, Need)
    return tape


def test_the_interval_in_which_a_stream_begins_is_asked_for_when_it_is_over() -> None:
    tape = Tape()

    assert tape.trade(10, 100) == []
    (need,) = tape.trade(61, 102)
    assert isinstance(need, Need)
    assert need.ask == AskBars(instrument=ES, interval=MINUTE, count=1, until=START + MINUTE, since=START)
    found: list[Any] = list(tape.cursor.answered(tape.chart((-1, 99), (0, 101), (1, 102)), "", START))
    assert told(found) == [(0, 101, 9.0, True)]
    assert (found[0].snapshot, found[0].guid) == (False, "g")


def test_bars_are_formed_by_trades_and_closed_by_time(tape: Tape) -> None:
    assert told(tape.trade(61, 102)) == [(1, 102, 1.0, False)]
    assert told(tape.trade(62, 104, volume=2)) == [(1, 104, 3.0, False)]
    assert told(tape.book(119)) == []
    assert told(tape.book(120)) == [(1, 104, 3.0, True)]
    assert told(tape.trade(130, 105)) == [(2, 105, 1.0, False)]
    assert told(tape.trade(181, 106)) == [(2, 105, 1.0, True), (3, 106, 1.0, False)]


def test_bars_that_close_meanwhile_wait_for_the_answer() -> None:
    tape = Tape()
    tape.trade(10, 100)
    assert [type(thing) for thing in tape.trade(61, 102)] == [Need]

    assert tape.trade(121, 103) == []
    found = tape.cursor.answered(tape.chart((0, 101)), "", START)

    assert told(list(found)) == [(0, 101, 9.0, True), (1, 102, 1.0, True)]
    assert told(tape.book(180)) == [(2, 103, 1.0, True)]


def test_history_begins_where_the_stream_was_wanted_from() -> None:
    tape = Tape(since=START - 2 * MINUTE)
    tape.trade(10, 100)

    (need,) = tape.book(60)

    assert (need.ask.since, need.ask.count) == (START - 2 * MINUTE, 3)
    found = tape.cursor.answered(tape.chart((-3, 1), (-2, 2), (-1, 3), (0, 4)), "", START)
    assert [bar[0] for bar in told(list(found))] == [-2, -1, 0]


def test_what_a_reconnect_cost_is_asked_for(tape: Tape) -> None:
    tape.trade(61, 102)
    tape.book(120)

    tape.cursor.reconnected()
    assert tape.trade(250, 107) == []
    (need,) = tape.book(300)

    assert (need.ask.since, need.ask.until) == (START + 2 * MINUTE, START + 5 * MINUTE)
    assert tape.cursor.answered((), "", START) == ()
    assert told(tape.trade(301, 108)) == [(5, 108, 1.0, False)]


def test_an_answer_to_what_was_asked_before_a_reconnect_is_dropped() -> None:
    tape = Tape()
    tape.trade(10, 100)
    assert len(tape.book(60)) == 1

    tape.cursor.reconnected()

    assert tape.cursor.answered(tape.chart((0, 101)), "", START) == ()
    tape.trade(70, 100)
    (need,) = tape.book(120)
    assert need.ask.since == START, "it is asked for again"


def test_bars_that_cant_be_had_are_told_and_the_next_ones_go_on() -> None:
    tape = Tape()
    tape.trade(10, 100)
    tape.trade(61, 102)
    tape.trade(121, 103)

    error, bar = tape.cursor.answered(None, "503: busy", START)

    assert isinstance(error, VenueError)
    assert error.message.endswith("can't be had: 503: busy")
    assert told([bar]) == [(1, 102, 1.0, True)]
    assert tape.book(180) != []


def test_past_trades_and_repeats_are_in_no_bar(tape: Tape) -> None:
    assert tape.trade(61, 50, snapshot=True) == []
    tape.total -= 1
    assert tape.trade(62, 50) == []

    assert told(tape.trade(63, 102)) == [(1, 102, 1.0, False)]


def test_where_the_venue_says_no_time_ours_counts(tape: Tape) -> None:
    tape.trade(61, 102)

    assert told(tape.book(None)) == [(1, 102, 1.0, True)]
    found = tape.cursor.take((Print(105.0, 1.0, None, None, 99, 99, False),), START + 250 * SECOND)
    assert told(list(found)) == [(4, 105, 1.0, False)]


@pytest.mark.parametrize("interval", [None, 0, SECOND // 2, 7 * SECOND, 2 * 3_600 * SECOND, 86_400 * SECOND])
def test_bars_that_cant_be_made_here_are_refused_with_what_could(interval: int | None) -> None:
    with pytest.raises(LocalProtocolError, match="so many of them make an hour"):
        Tape(interval=interval)


def test_a_cursor_follows_whatever_comes(tape: Tape) -> None:
    assert tape.cursor.follows(())

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strategykit.errors import RemoteProtocolError
from strategykit.model.events import Gap, Side, Trade
from strategykit.venues.asks import AskPastTrades
from strategykit.venues.dialect import Decoded
from strategykit.venues.stream.asking import MOST_HELD
from strategykit.venues.streams import StreamKind
from strategykit.venues.subscriptions import Subscription

MS = 1_000_000
START_MS = 1_748_000_000_000


def trade(number: int, *, price: str = "96.41", sold: bool = False, at: int | None = None) -> dict[str, Any]:
    time = START_MS + number if at is None else at
    return {"e": "trade", "E": time, "s": "BTCUSDT", "t": number, "p": price, "q": "0.0300", "T": time, "m": sold}


def past(*numbers: int, at: int | None = None) -> list[dict[str, Any]]:
    return [
        {
            "id": number,
            "price": "1.5",
            "qty": "2",
            "time": START_MS + number if at is None else at,
            "isBuyerMaker": number % 2 == 0,
        }
        for number in numbers
    ]


def told(things: Sequence[Decoded]) -> list[Any]:
    """Give trades by their numbers, past ones as negative numbers, and all else by its type."""
    return [
        (-1 if thing.snapshot else 1) * int(thing.trade_id or 0) if isinstance(thing, Trade) else type(thing).__name__
        for thing in things
    ]


def want(desk: Any, **more: Any) -> Subscription:
    row: Subscription = desk.want(StreamKind.TRADES, "BTCUSDT", **more)
    return row


def test_a_trade_is_told_as_it_was_printed(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)

    (found,) = bench.data(row, trade(7, sold=True))

    assert (found.instrument, found.price, found.quantity, found.side) == ("BTCUSDT", 96.41, 0.03, Side.SELL)
    assert (found.trade_id, found.event_time, found.receive_time) == (7, (START_MS + 7) * MS, bench.now)
    assert (found.guid, found.snapshot) == (row.guid, False)
    assert bench.confirmed == [row.guid]


def test_times_may_be_microseconds(desk: Callable[..., Any]) -> None:
    bench = desk("backpack")
    row = bench.want(StreamKind.TRADES, "SOL_USDC")

    (found,) = bench.data(row, trade(7, at=1_748_000_000_123_456) | {"a": "1", "b": "2"})

    assert found.event_time == 1_748_000_000_123_456_000
    assert found.side is Side.BUY


def test_aggregates_are_told_by_their_own_numbers(desk: Callable[..., Any]) -> None:
    bench = desk("binance_usdm")
    row = want(bench)
    assert row.key == "btcusdt@aggTrade"

    data = trade(7) | {"e": "aggTrade", "a": 70, "f": 7, "l": 9}

    assert told(bench.data(row, data)) == [70]


def test_repeats_are_told_once(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)

    assert [told(bench.data(row, trade(number))) for number in (1, 2, 2, 1, 3)] == [[1], [2], [], [], [3]]


def test_the_past_comes_first_where_it_was_asked_for(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench, depth=2)

    assert bench.data(row, trade(5)) == []
    assert bench.data(row, trade(6)) == []
    assert bench.needs[0].ask == AskPastTrades(instrument="BTCUSDT", since=0, until=(START_MS + 5) * MS + 1, count=1000)
    found = bench.body(past(1, 2, 3, 4, 5, 6))

    assert told(found) == [-3, -4, 5, 6]
    assert found[0].guid == row.guid
    assert told(bench.data(row, trade(7))) == [7]


def test_no_past_is_asked_for_by_who_skips_it(desk: Callable[..., Any]) -> None:
    bench = desk()

    assert told(bench.data(want(bench, depth=0, skip_history=True), trade(5))) == [5]
    assert not bench.needs


def test_what_was_missed_while_a_wire_was_cut_is_told_first(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)
    bench.data(row, trade(1))
    bench.cut()

    assert told(bench.data(row, trade(4))) == ["Gap"], "the engine tells that gap"
    assert told(bench.data(row, trade(5))) == []
    assert told(bench.body(past(1, 2, 3, 4, 5))) == [-2, -3, 4, 5]


def test_each_cut_is_asked_about_however_soon_it_comes(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)
    bench.data(row, trade(1))
    for number in (4, 8):
        bench.cut()
        bench.data(row, trade(number))
        assert told(bench.body(past(*range(1, number))))[-1] == number


def test_without_an_answer_it_goes_on_after_the_gap(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)
    bench.data(row, trade(1))
    bench.cut()
    bench.data(row, trade(4))

    assert told(bench.answer(None, "no")) == [4]
    assert told(bench.data(row, trade(5))) == [5]


def test_a_hole_that_is_filled_whole_is_no_gap(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)
    bench.data(row, trade(1))

    assert told(bench.data(row, trade(4))) == []
    assert told(bench.body(past(2, 3))) == [-2, -3, 4]


def test_a_hole_that_is_filled_in_part_is_a_gap(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)
    bench.data(row, trade(1))
    heard = bench.now
    bench.data(row, trade(4))

    found = bench.body(past(3))

    assert told(found) == ["Gap", -3, 4]
    assert isinstance(found[0], Gap)
    assert (found[0].since, found[0].until, found[0].guid) == (heard, bench.now, row.guid)


def test_another_hole_soon_after_is_told_and_not_asked_about(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)
    bench.data(row, trade(1))
    bench.data(row, trade(4))
    bench.body(past(2, 3))

    assert told(bench.data(row, trade(6))) == ["Gap", 6]
    assert told(bench.data(row, trade(8), after=11_000 * MS)) == []
    assert told(bench.body(past(7))) == [-7, 8]


def test_a_hole_behind_a_question_is_told_when_its_turn_comes(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)
    bench.data(row, trade(1))
    bench.data(row, trade(3))
    bench.data(row, trade(5))

    assert told(bench.body(past(2))) == [-2, 3, "Gap", 5]


def test_what_waits_too_long_goes_on_without_the_answer(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)
    bench.data(row, trade(1))
    cursor = row.cursor
    for number in range(3, 3 + MOST_HELD):
        assert bench.data(row, trade(number)) == []
    assert row.cursor is cursor

    found = bench.data(row, trade(3 + MOST_HELD))

    assert told(found[:2]) == ["Gap", 3]
    assert len(found) == MOST_HELD + 2
    assert bench.body(past(2)) == [], "an answer that comes too late changes nothing"


def test_a_venue_that_counts_anew_is_believed(desk: Callable[..., Any]) -> None:
    bench = desk("seed")
    row = bench.want(StreamKind.TRADES, "SOL_USDC")
    bench.data(row, trade(512))
    bench.cut()

    assert told(bench.data(row, trade(1, at=START_MS + 10_000))) == ["Gap", 1]
    assert told(bench.data(row, trade(2, at=START_MS + 10_000))) == [2]


def test_a_successor_follows_from_where_nothing_is_missing(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)
    bench.data(row, trade(1))
    bench.table.replace("market-0", "market-0~2")

    assert told(bench.data(row, trade(3), by="market-0~2")) == []
    assert told(bench.data(row, trade(2))) == [2]
    assert told(bench.data(row, trade(2), by="market-0~2")) == []
    assert row.connection == "market-0~2"
    assert told(bench.data(row, trade(3), by="market-0~2")) == [3]
    assert told(bench.data(row, trade(3))) == []


def test_a_successor_follows_what_waits_for_an_answer(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench, depth=3)
    bench.data(row, trade(5))
    bench.table.replace("market-0", "market-0~2")

    bench.data(row, trade(7), by="market-0~2")
    assert row.connection == "market-0"
    bench.data(row, trade(6), by="market-0~2")

    assert row.connection == "market-0~2"
    assert told(bench.body(past(3, 4))) == [-3, -4, 5, 6]


@pytest.mark.parametrize("variant", ["binance", "binance_usdm", "backpack", "seed"])
@pytest.mark.parametrize("field", ["t", "p", "q", "T", "m"])
def test_a_trade_that_lacks_something_is_unreadable(desk: Callable[..., Any], variant: str, field: str) -> None:
    bench = desk(variant, trades="trade")
    row = bench.want(StreamKind.TRADES, "SOLUSDC")
    data = trade(1)
    del data[field]

    with pytest.raises(RemoteProtocolError, match="can't be read"):
        bench.data(row, data)
    assert told(bench.data(row, trade(1))) == [1]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_lost_and_repeated_trades_are_told_once_in_order_and_holes_told(
    desk: Callable[..., Any], data: st.DataObject
) -> None:
    """Wires are cut, messages are lost and come twice; an answer holds all that happened until it was given."""
    bench = desk()
    row = want(bench)
    happened, numbers = 0, []
    steps = data.draw(st.lists(st.sampled_from(["trade", "trade", "trade", "lost", "repeat", "cut", "answer"])))
    for step in [*steps, "trade", "answer"]:
        if step == "cut":
            bench.cut()
        elif step == "repeat" and happened:
            numbers += told(bench.data(row, trade(data.draw(st.integers(1, happened)))))
        elif step == "answer" and bench.needs:
            numbers += told(bench.body(past(*range(1, happened + 1))))
        elif step == "lost":
            happened += 1
        elif step == "trade":
            happened += 1
            numbers += told(bench.data(row, trade(happened), after=11_000 * MS))

    last, gap = None, False
    for number in numbers:
        gap = gap or number == "Gap"
        if number != "Gap":
            assert last is None or abs(number) == last + 1 or (gap and abs(number) > last)
            last, gap = abs(number), False
    assert last == happened

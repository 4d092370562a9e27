"""Trades: each once, in order, with what was missed before what came since."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.errors import RemoteProtocolError
from strategykit.model.events import Gap, Side, Trade
from strategykit.venues.asks import AskPastTrades
from strategykit.venues.coinapi import trades as trades_module
from strategykit.venues.coinapi.http import read_answer
from strategykit.venues.coinapi.times import DAY, write_time
from strategykit.venues.dialect import Reply
from strategykit.venues.streams import StreamKind

START = 1_714_979_280_000_000_000
MS = 1_000_000
SECOND = 1_000 * MS


def past(*numbers: int, at: int = 0) -> list[Trade]:
    """Give trades as HTTP has them."""
    items = ",".join(
        f'{{"time_exchange":"{write_time(START + (at + number) * MS)}","time_coinapi":"{write_time(START)}",'
        f'"uuid":"ID-{number}","price":{number},"size":1,"taker_side":"SELL"}}'
        for number in numbers
    )
    ask = AskPastTrades(instrument="KRAKEN_SPOT_ETH_EUR", since=1, until=2, count=3)
    rows = read_answer(ask, f"[{items}]".encode(), clock="exchange", receive_time=START)
    return [row for row in rows if isinstance(row, Trade)]


def test_a_trade_is_told_with_all_that_is_known_of_it(lab: Any) -> None:
    lab.want(StreamKind.TRADES)

    (trade,) = lab.feed(lab.trade(7, uuid="ABC", price=2895.41, size=0.0375, taker_side="SELL", sequence=17))

    assert isinstance(trade, Trade)
    assert (trade.instrument, trade.price, trade.quantity) == ("KRAKEN_SPOT_ETH_EUR", 2895.41, 0.0375)
    assert (trade.side, trade.trade_id, trade.event_time) == (Side.SELL, "abc", START + 7 * MS)
    assert (trade.guid, trade.snapshot) == ("g1", False)


@pytest.mark.parametrize("word", ["BUY_ESTIMATED", "SELL_ESTIMATED", "UNKNOWN", "", None, "later"])
def test_a_side_that_no_venue_reported_isnt_known(lab: Any, word: str | None) -> None:
    lab.want(StreamKind.TRADES)

    (trade,) = lab.feed(lab.trade(1, taker_side=word))

    assert trade.side is None


def test_markers_and_repeats_are_no_trades(lab: Any, brief: Any) -> None:
    lab.want(StreamKind.TRADES)

    assert brief(lab.feed(lab.trade(1, size=0))) == []
    assert brief(lab.feed(lab.trade(2))) == [2]
    assert brief(lab.feed(lab.trade(2, uuid="ID-2"))) == [], "the case of ids varies"
    with pytest.raises(RemoteProtocolError, match="at a price of 0"):
        lab.feed(lab.trade(3, price=0))


def test_past_trades_come_first_where_they_are_wanted(lab: Any, brief: Any) -> None:
    lab.want(StreamKind.TRADES, depth=2)

    assert lab.feed(lab.trade(5)) == []
    assert lab.feed(lab.trade(6)) == []
    assert lab.needs[0].ask.since == 0
    assert lab.needs[0].ask.count == 2
    told = lab.answer(past(2, 3, 4, 5))

    assert brief(told) == [-3, -4, 5, 6]
    assert brief(lab.feed(lab.trade(7))) == [7]


def test_without_the_past_trades_the_others_go_on(lab: Any, brief: Any) -> None:
    lab.want(StreamKind.TRADES, depth=2)
    lab.feed(lab.trade(5))

    note, trade = lab.answer(None, "550: no such item")

    assert isinstance(note, Reply)
    assert not note.ok
    assert "550: no such item" in note.message
    assert brief([trade]) == [5]


def test_what_was_missed_while_the_wire_was_cut_is_told_before_what_came_since(lab: Any, brief: Any) -> None:
    lab.want(StreamKind.TRADES)
    assert brief(lab.feed(lab.trade(1)) + lab.feed(lab.trade(2))) == [1, 2]
    lab.lose()

    assert brief(lab.feed(lab.trade(5))) == ["gap"]
    assert brief(lab.feed(lab.trade(6))) == []
    assert lab.needs[0].ask.since == START + MS, "a second more than seems needed, but nothing before the first"
    assert brief(lab.answer(past(1, 2, 3, 4, 5))) == [-3, -4, 5, 6]
    assert brief(lab.feed(lab.trade(7))) == [7]


def test_a_number_that_is_missing_is_a_gap_that_is_filled(lab: Any, brief: Any) -> None:
    row = lab.want(StreamKind.TRADES)
    lab.feed(lab.trade(1, sequence=10))
    lab.feed(lab.trade(2, sequence=11))

    told = lab.feed(lab.trade(5, sequence=14))

    (gap,) = told
    assert isinstance(gap, Gap)
    assert gap.reason == "2 messages of trades KRAKEN_SPOT_ETH_EUR are missing before number 14"
    assert row.gaps == [gap]
    assert brief(lab.answer(past(2, 3, 4, 5))) == [-3, -4, 5]
    assert brief(lab.feed(lab.trade(6, sequence=15))) == [6]
    assert lab.resubscribed == []


def test_numbers_may_begin_anew_and_may_be_absent(lab: Any, brief: Any) -> None:
    lab.want(StreamKind.TRADES)

    numbers = [5, None, 6, 1, 2]
    told = [lab.feed(lab.trade(i, sequence=number)) for i, number in enumerate(numbers, 1)]

    assert brief([thing for things in told for thing in things]) == [1, 2, 3, 4, 5]


def test_an_answer_without_a_live_trade_in_it_is_asked_for_again(lab: Any, brief: Any) -> None:
    """HTTP may know of a trade later than the stream does."""
    lab.want(StreamKind.TRADES)
    lab.feed(lab.trade(1))
    lab.lose()
    lab.feed(lab.trade(5))

    assert brief(lab.answer(past(1, 2, 3))) == [-2, -3]
    assert lab.needs[0].ask.since == START + 3 * MS
    assert brief(lab.answer(past(3, 4, 5))) == [-4, 5]


def test_a_hole_that_isnt_closed_after_three_answers_is_left_with_a_word(lab: Any, brief: Any) -> None:
    lab.want(StreamKind.TRADES)
    lab.feed(lab.trade(1))
    lab.lose()
    lab.feed(lab.trade(5))

    assert brief(lab.answer(past(1))) == []
    assert brief(lab.answer(past(1))) == []
    assert brief(lab.answer([])) == ["Reply", 5]
    assert lab.needs == []


def test_a_gap_over_midnight_is_asked_for_day_by_day(lab: Any, brief: Any) -> None:
    evening = DAY - START % DAY - 10 * SECOND
    lab.want(StreamKind.TRADES)
    lab.feed(lab.trade(1, at=evening // MS))
    lab.lose()
    lab.feed(lab.trade(5, at=evening // MS + 20_000))

    assert lab.answer(past(1, at=evening // MS - 1)) == []
    assert lab.needs[0].ask.since % DAY == 0
    assert brief(lab.answer(past(4, 5, at=evening // MS + 20_000 - 5))) == [-4, 5]


def test_another_loss_while_an_answer_is_waited_for_is_filled_as_well(lab: Any, brief: Any) -> None:
    lab.want(StreamKind.TRADES)
    lab.feed(lab.trade(1))
    lab.lose()
    lab.feed(lab.trade(4))
    lab.lose()

    assert brief(lab.feed(lab.trade(8))) == ["gap"]
    first, second = lab.needs
    lab.needs = [first]
    assert lab.answer(past(1, 2, 3, 4)) == [], "an answer to what isn't asked any more"
    lab.needs = [second]
    assert brief(lab.answer(past(1, 2, 3, 4, 5, 6, 7, 8))) == [-2, -3, 4, -5, -6, -7, 8]


def test_a_loss_before_anything_was_told_is_filled_from_the_newest(lab: Any, brief: Any) -> None:
    lab.want(StreamKind.TRADES, depth=2)
    lab.feed(lab.trade(4))
    lab.lose()
    lab.feed(lab.trade(6))
    lab.needs.pop(0)

    assert lab.needs[0].ask.since == 0
    assert brief(lab.answer(past(3, 4, 5, 6))) == [-3, 4, -5, 6]


def test_too_many_trades_dont_wait_for_an_answer(lab: Any, brief: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trades_module, "MOST_HELD", 3)
    lab.want(StreamKind.TRADES, depth=2)

    told = [thing for number in range(4) for thing in lab.feed(lab.trade(number + 1))]

    assert brief(told) == [1, 2, 3, 4]
    assert lab.answer(past(1)) == []
    assert brief(lab.feed(lab.trade(9))) == [9]


def test_old_ids_are_forgotten_in_bounds(lab: Any, brief: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trades_module, "_REMEMBERED", 10)
    lab.want(StreamKind.TRADES)
    for number in range(1, 12):
        lab.feed(lab.trade(number))

    assert brief(lab.feed(lab.trade(11))) == []
    assert brief(lab.feed(lab.trade(2))) == [2]


@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_two_connections_lose_nothing_and_repeat_nothing(make_lab: Any, brief: Any, data: st.DataObject) -> None:
    """The old one brings all until it ends; the new one all from some trade on; the two run at any pace."""
    lab = make_lab()
    lab.want(StreamKind.TRADES)
    count = data.draw(st.integers(1, 12))
    begins = data.draw(st.integers(1, count))
    told = lab.feed(lab.trade(1))
    lab.table.replace("market-0", "market-0~2")
    ways = {"market-0": list(range(2, count + 1)), "market-0~2": list(range(begins, count + 1))}
    while any(ways.values()):
        by = data.draw(st.sampled_from([name for name, left in ways.items() if left]))
        number = ways[by].pop(0)
        sequence = number if by == "market-0" else number - begins + 1
        told += lab.feed(lab.trade(number, sequence=sequence), by)

    assert brief(told) == list(range(1, count + 1))
    assert lab.needs == []


def test_a_number_that_is_missing_right_after_a_takeover_is_a_gap(lab: Any, brief: Any) -> None:
    row = lab.want(StreamKind.TRADES)
    lab.feed(lab.trade(1, sequence=29))
    lab.table.replace("market-0", "market-0~2")
    assert lab.feed(lab.trade(1, sequence=1), "market-0~2") == []
    assert row.connection == "market-0~2"

    assert brief(lab.feed(lab.trade(3, sequence=3), "market-0~2")) == ["gap"]
    assert brief(lab.answer(past(1, 2, 3))) == [-2, 3]


def test_what_came_before_a_loss_of_the_new_connection_leads_nowhere(lab: Any, brief: Any) -> None:
    row = lab.want(StreamKind.TRADES)
    lab.feed(lab.trade(1, sequence=29))
    lab.table.replace("market-0", "market-0~2")
    assert lab.feed(lab.trade(2, sequence=1), "market-0~2") == []
    lab.feed(lab.trade(2, sequence=30))

    assert lab.feed(lab.trade(4, sequence=3), "market-0~2") == [], "the old one still has what lies between"
    assert row.connection == "market-0"
    assert brief(lab.feed(lab.trade(3, sequence=31))) == [3]
    assert brief(lab.feed(lab.trade(4, sequence=32))) == [4]
    assert brief(lab.feed(lab.trade(5, sequence=4), "market-0~2")) == [5]
    assert row.connection == "market-0~2"


@pytest.mark.parametrize("by", ["market-0~2", "market-0~3"])
def test_what_came_by_an_earlier_session_of_the_new_connection_leads_nowhere(lab: Any, by: str) -> None:
    row = lab.want(StreamKind.TRADES)
    lab.feed(lab.trade(1, sequence=29))
    lab.table.replace("market-0", "market-0~2")
    lab.feed(lab.trade(2, sequence=1), "market-0~2")
    lab.feed(lab.trade(2, sequence=30))
    lab.table.replace("market-0", by)

    assert lab.feed(lab.trade(4, sequence=1), by) == []
    assert row.connection == "market-0"


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_two_connections_lose_is_told_before_what_came_since(make_lab: Any, brief: Any, data: Any) -> None:
    """Each loses what it loses, some of it both of them; the new one may carry on only where it leaves no hole."""
    lab = make_lab()
    lab.want(StreamKind.TRADES)
    count = data.draw(st.integers(1, 12))
    told = brief(lab.feed(lab.trade(1, sequence=1)))
    begins = data.draw(st.integers(1, count))
    lost = {name: data.draw(st.sets(st.integers(2, 12), max_size=3)) for name in ("market-0", "market-0~2")}
    if data.draw(st.booleans()):
        lost["market-0~2"] |= lost["market-0"]
    lab.table.replace("market-0", "market-0~2")
    ways = {"market-0": list(range(2, count + 1)), "market-0~2": list(range(begins, count + 1))}
    newest = 1
    while any(ways.values()):
        by = data.draw(st.sampled_from([name for name, left in ways.items() if left]))
        number = ways[by].pop(0)
        if number in lost[by]:
            continue
        newest = max(newest, number)
        sequence = number if by == "market-0" else number - begins + 1
        told += brief(lab.feed(lab.trade(number, sequence=sequence), by))
        if lab.needs:
            assert told[-1] == "gap"
            told += brief(lab.answer(past(*range(1, newest + 1))))

    numbers = [abs(thing) for thing in told if thing != "gap"]
    assert numbers == list(range(1, len(numbers) + 1))
    assert told.count("gap") <= len(lost["market-0"]) + len(lost["market-0~2"])


def test_a_connection_that_is_always_ahead_takes_over_all_the_same(lab: Any, brief: Any) -> None:
    row = lab.want(StreamKind.TRADES)
    lab.feed(lab.trade(1))
    lab.table.replace("market-0", "market-0~2")

    told = [
        thing for number in (2, 3) for by in ("market-0~2", "market-0") for thing in lab.feed(lab.trade(number), by)
    ]

    assert brief(told) == [2, 3]
    assert row.connection == "market-0~2"


def test_a_quiet_stream_is_taken_over_by_the_first_trade(lab: Any, brief: Any) -> None:
    row = lab.want(StreamKind.TRADES)
    lab.table.replace("market-0", "market-0~2")

    assert brief(lab.feed(lab.trade(1), "market-0~2")) == [1]
    assert row.connection == "market-0~2"

"""Columns: what events become, and become again."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.columns.batch import TradeBatch
from strategykit.columns.columns import CHUNK, Columns
from strategykit.columns.gathering import columns_of, columns_of_all
from strategykit.columns.values import Coded, Holed, Ragged
from strategykit.model.events import (
    BookDelta,
    BookSnapshot,
    Event,
    Gap,
    Side,
    Trade,
)
from strategykit.venues.streams import Stream, StreamKind
from tests.columns.some_events import TRADES, anything, make_trade

BOOK = Stream(kind=StreamKind.BOOK, instrument="SBER")


def facts(event: Any) -> tuple[Any, ...]:
    """Everything about an event that one can see, and what `==` doesn't: types, and the sign of a zero."""
    return (type(event), *[(type(value), repr(value)) for value in attrs.astuple(event, recurse=False)])


def again(stream: Stream, events: list[Event]) -> list[tuple[Any, ...]]:
    return [facts(event) for columns in columns_of_all(stream, events) for event in columns.events("g")]


@settings(max_examples=60, deadline=None)
@given(st.lists(anything, max_size=12))
def test_columns_give_back_the_very_events_that_they_were_made_of(events: list[Event]) -> None:
    events.sort(key=lambda event: event.receive_time)

    assert again(TRADES, events) == [facts(event) for event in events]


def test_events_that_were_held_back_keep_their_times_and_stand_where_they_were_told() -> None:
    events: list[Event] = [make_trade(5), make_trade(3), make_trade(4), make_trade(6)]

    columns = columns_of(TRADES, events)

    assert columns.times.tolist() == [5, 5, 5, 6]
    assert TradeBatch(columns, "g").receive_time.tolist() == [5, 3, 4, 6]
    assert again(TRADES, events) == [facts(event) for event in events]
    assert [event.receive_time for event in columns.rows(1, 3).events("g")] == [3, 4]


def test_what_is_the_same_for_all_rows_is_no_array() -> None:
    columns = columns_of(TRADES, [make_trade(1), make_trade(2)])

    assert columns.arrays["price"] == 1.0
    assert columns.arrays["side"] is Side.BUY
    assert columns.arrays["event_time"] is None
    assert columns.arrays["snapshot"] is False
    assert columns.arrays["trade_id"].dtype == np.int64


def test_each_kind_of_hole_is_kept_in_the_cheapest_way_that_loses_nothing() -> None:
    nan = float("nan")
    first = columns_of(TRADES, [make_trade(1, open_interest=None), make_trade(2, open_interest=3.0)])
    second = columns_of(TRADES, [make_trade(1, open_interest=None), make_trade(2, open_interest=nan)])

    assert isinstance(first.arrays["open_interest"], np.ndarray)
    assert isinstance(second.arrays["open_interest"], Holed)


def test_a_chunk_ends_where_the_class_changes_and_when_it_is_full() -> None:
    book: list[Event] = [BookSnapshot("SBER", (1.0,), (2.0,), (), (), None, 1, "g")]
    book += [BookDelta("SBER", (1.0,), (0.0,), (), (), None, time, "g") for time in range(2, CHUNK + 5)]

    assert [(columns.kind, len(columns)) for columns in columns_of_all(BOOK, book)] == [
        (BookSnapshot, 1),
        (BookDelta, CHUNK),
        (BookDelta, 3),
    ]


def test_many_rows_are_built_chunk_by_chunk_in_their_order() -> None:
    count = 2 * CHUNK + 7
    arrays = {
        "price": np.arange(count, dtype=np.float64),
        "quantity": 1.0,
        "side": Coded(np.arange(count, dtype=np.int8) % 2, (Side.BUY, None)),
        "trade_id": Holed(np.arange(count), np.arange(count) % 3 > 0),
        "event_time": None,
        "receive_time": np.arange(count, dtype=np.int64),
        "snapshot": False,
        "open_interest": None,
    }

    built = list(Columns(stream=TRADES, kind=Trade, arrays=arrays).events("mine"))

    assert [event.price for event in built if isinstance(event, Trade)] == [float(row) for row in range(count)]
    assert facts(built[1]) == facts(Trade("SBER", 1.0, 1.0, None, 1, None, 1, "mine"))
    assert facts(built[3]) == facts(Trade("SBER", 3.0, 1.0, None, None, None, 3, "mine"))


def test_rows_of_levels_can_be_cut_and_packed() -> None:
    levels = Ragged.of([(1.0, 2.0), (), (3.0,)])

    assert levels[1:].tolist() == [(), (3.0,)]
    assert levels[1:].packed().values.tolist() == [3.0]
    assert levels[3:2].tolist() == []
    with pytest.raises(ValueError, match="without gaps"):
        levels[::2]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"price": None, "colour": 1}, "not one of its fields: colour"),
        ({"receive_time": np.array([1.0, 2.0])}, "array of int64"),
        ({"price": np.array([1.0])}, "price has 1 rows, and receive_time has 2"),
        ({"receive_time": np.array([2, 1], dtype=np.int64)}, "row 1 came before the row above it"),
    ],
)
def test_columns_that_cannot_be_events_are_refused(change: dict[str, Any], words: str) -> None:
    arrays = dict(columns_of(TRADES, [make_trade(1), make_trade(2)]).arrays)

    with pytest.raises(ValueError, match=words):
        Columns(stream=TRADES, kind=Trade, arrays={**arrays, **change})


def test_events_that_do_not_belong_together_make_no_columns() -> None:
    gap = Gap("SBER", 1, 2, "lost", None, 2, "g")
    other = Trade("GAZP", 1.0, 1.0, None, None, None, 2, "g")

    with pytest.raises(ValueError, match="several classes"):
        columns_of(TRADES, [make_trade(1), gap])
    with pytest.raises(ValueError, match="several instruments"):
        columns_of(TRADES, [make_trade(1), other])


def test_columns_can_be_made_of_what_matters_alone() -> None:
    times = np.array([1, 2], dtype=np.int64)

    (first, second) = Columns.of(TRADES, Trade, price=np.array([1.0, 2.0]), quantity=3.0, receive_time=times).events(
        "g"
    )

    assert facts(first) == facts(Trade("SBER", 1.0, 3.0, None, None, None, 1, "g"))
    assert facts(second) == facts(Trade("SBER", 2.0, 3.0, None, None, None, 2, "g"))
    with pytest.raises(ValueError, match="price"):
        Columns.of(TRADES, Trade, quantity=3.0, receive_time=times)


def test_rows_of_a_part_are_those_of_the_whole() -> None:
    columns = columns_of(TRADES, [make_trade(time) for time in range(5)])

    assert [event.receive_time for event in columns.rows(1, 3).events("g")] == [1, 2]

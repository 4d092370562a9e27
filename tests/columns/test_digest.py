"""One hash for a stream of events, whatever shape they come in."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.columns.columns import Columns
from strategykit.columns.digest import StreamDigest
from strategykit.columns.gathering import columns_of, columns_of_all
from strategykit.columns.values import Coded
from strategykit.model.events import Event, Quote, Side, Trade
from strategykit.venues.streams import Stream
from tests.columns.some_events import TRADES, anything, make_trade


def of_events(events: list[Event]) -> str:
    digest = StreamDigest()
    for event in events:
        digest.take(event)
    return digest.text()


def of_columns(parts: list[Columns]) -> str:
    digest = StreamDigest()
    for columns in parts:
        digest.take_columns(columns)
    return digest.text()


@settings(max_examples=60, deadline=None)
@given(st.lists(anything, max_size=12), st.integers(0, 12))
def test_events_and_their_columns_hash_the_same_wherever_they_are_cut(events: list[Event], cut: int) -> None:
    events.sort(key=lambda event: event.receive_time)
    whole = list(columns_of_all(TRADES, events))
    parts = [*columns_of_all(TRADES, events[:cut]), *columns_of_all(TRADES, events[cut:])]

    assert of_columns(whole) == of_columns(parts) == of_events(events)


def test_columns_of_other_forms_that_hold_the_same_hash_the_same() -> None:
    """An archive may keep in codes what a recording's events made an array of."""
    events: list[Event] = [make_trade(time, price) for time, price in enumerate([1.0, 2.0, 1.0, 1.0])]
    plain = columns_of(TRADES, events)
    price = Coded(np.array([0, 1, 0, 0], dtype=np.int8), (1.0, 2.0))
    narrow = {"price": price, "trade_id": np.arange(4, dtype=np.int32), "snapshot": np.zeros(4, dtype=np.bool_)}

    coded = Columns(stream=TRADES, kind=Trade, arrays={**plain.arrays, **narrow})

    assert of_columns([coded]) == of_columns([plain]) == of_events(events)


@pytest.mark.parametrize(
    "change",
    [
        {"price": 1.0000000000000002},
        {"price": -1.0},
        {"side": Side.SELL},
        {"side": None},
        {"trade_id": "2"},
        {"event_time": 5},
        {"receive_time": 7},
        {"snapshot": True},
        {"open_interest": 0.0},
        {"instrument": "GAZP"},
    ],
)
def test_a_change_of_any_field_changes_the_hash(change: dict[str, object]) -> None:
    facts = {
        "instrument": "SBER",
        "price": 1.0,
        "quantity": 1.0,
        "side": Side.BUY,
        "trade_id": 2,
        "event_time": None,
        "receive_time": 6,
        "guid": "g",
    }
    events: list[Event] = [make_trade(1), Trade(**{**facts, **change})]  # type: ignore[arg-type]  # any of them

    assert of_events(events) != of_events([make_trade(1), Trade(**facts)])  # type: ignore[arg-type]


def test_a_swap_of_two_values_changes_the_hash() -> None:
    first, second = [make_trade(1, 1.0), make_trade(2, 2.0)], [make_trade(1, 2.0), make_trade(2, 1.0)]

    assert of_events(list(first)) != of_events(list(second))


def test_the_hash_takes_steps_that_no_32_or_64_bits_hold() -> None:
    steps = [0, 2**31 - 1, 2**32, 2**62, 2**62 - 2**31, 2**63 - 1]
    events: list[Event] = [
        Trade("SBER", 1.0, 1.0, None, id_, None, time, "g")
        for time, id_ in zip(sorted(steps), reversed(steps), strict=True)
    ]

    assert of_columns(list(columns_of_all(TRADES, events))) == of_events(events)


@settings(max_examples=60, deadline=None)
@given(st.lists(anything, max_size=12), st.lists(st.booleans(), min_size=12, max_size=12))
def test_events_that_are_appended_directly_hash_the_same_as_those_that_are_taken(
    events: list[Event], directly: list[bool]
) -> None:
    digest = StreamDigest()
    for event, direct in zip(events, directly, strict=False):
        (digest.waiting.append if direct else digest.take)(event)
        digest.settle()

    assert digest.events == len(events)
    assert digest.text() == of_events(events)


def test_what_is_appended_directly_is_hashed_once_it_is_much() -> None:
    events: list[Event] = [make_trade(time, 1.0) for time in range(5_000)]
    digest = StreamDigest()
    digest.waiting.extend(events)

    digest.settle()

    assert digest.waiting == []
    assert (digest.events, digest.text()) == (5_000, of_events(events))


def test_many_events_of_several_classes_hash_the_same_in_any_batches() -> None:
    rng = random.Random(3)
    events: list[Event] = []
    for time in range(5_000):
        price = rng.choice([None, 1.5, 2.5])
        events.append(make_trade(time, 1.0) if rng.random() < 0.9 else make_quote(time, price))
    stream = Stream(kind=TRADES.kind, instrument="SBER")

    assert of_columns(list(columns_of_all(stream, events))) == of_events(events)


def make_quote(time: int, bid: float | None) -> Event:
    return Quote("SBER", bid, 1.0, 2.0, None, None, time, time, "g")

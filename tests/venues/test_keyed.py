from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import attrs
import pytest

from strategykit.model.events import Gap, VenueStatus
from strategykit.venues.dialect import Confirmed, Decoded, Limits
from strategykit.venues.keyed import hand_out
from strategykit.venues.streams import Stream, StreamKind
from strategykit.venues.subscriptions import Subscription, Subscriptions, SubscriptionState

State = SubscriptionState


@attrs.define
class NumberCursor:
    """Tells each number once; numbers come one after the other."""

    guid: str
    last: int = 0

    def reconnected(self) -> None:
        self.last = 0

    def follows(self, datum: int) -> bool:
        return datum <= self.last + 1

    def take(self, datum: int, now: int) -> Sequence[VenueStatus]:
        if datum <= self.last:
            return ()
        self.last = datum
        return (VenueStatus(None, str(datum), None, now, self.guid),)


@pytest.fixture
def table() -> Subscriptions:
    limits = Limits(connections=4, subscriptions=100, unread=0, frame_bytes=1 << 20)
    numbers = count(1)
    return Subscriptions(
        limits,
        {"market": 2},
        lambda: f"g{next(numbers)}",
        lambda guid, _: NumberCursor(guid),
        key=lambda stream: stream.instrument,
    )


def asked(table: Subscriptions, *, depth: int | None = None, symbol: str = "SOL") -> Subscription:
    row = table.want(Stream(kind=StreamKind.TRADES, instrument=symbol, depth=depth), "a")
    table.asked(row.guid)
    return row


def active(table: Subscriptions, *, depth: int | None = None) -> Subscription:
    row = asked(table, depth=depth)
    table.confirmed(row.guid, 1)
    return row


def told(things: Sequence[Decoded]) -> list[str]:
    return [thing.status if isinstance(thing, VenueStatus) else type(thing).__name__ for thing in things]


def give(table: Subscriptions, datum: int, *, by: str = "market-0", now: int = 50, key: str = "SOL") -> list[str]:
    return told(hand_out(table, key, datum, connection=by, now=now))


def test_the_first_datum_confirms(table: Subscriptions) -> None:
    row = asked(table)

    found = hand_out(table, "SOL", 1, connection="market-0", now=50)

    assert found[0] == Confirmed(row.guid)
    assert told(found) == ["Confirmed", "1"]
    assert row.data == 1


def test_data_of_an_active_row_come_as_they_are(table: Subscriptions) -> None:
    row = active(table)

    assert give(table, 1, now=60) == ["1"]
    assert (row.last_time, row.data) == (60, 1)


def test_each_row_of_a_key_gets_its_data(table: Subscriptions) -> None:
    first, second = active(table), asked(table, depth=5)

    assert give(table, 1) == ["1", "Confirmed", "1"]
    assert (first.data, second.data) == (1, 1)
    assert first.last_time == 50


def test_a_silent_row_awakes(table: Subscriptions) -> None:
    row = table.want(Stream(kind=StreamKind.TRADES, instrument="SOL"), "a", fresh_within=10)
    table.asked(row.guid)
    table.confirmed(row.guid, 1)
    assert table.silent(30)

    assert give(table, 1) == ["1"]
    assert row.state is State.ACTIVE


def test_an_open_gap_is_told_before_the_datum_that_ends_it(table: Subscriptions) -> None:
    row = active(table)
    give(table, 1, now=40)
    table.missed(row, 45, "lost some")

    found = hand_out(table, "SOL", 7, connection="market-0", now=50)

    assert told(found) == ["Gap", "7"]
    gap = found[0]
    assert isinstance(gap, Gap)
    assert (gap.since, gap.until, gap.reason) == (40, 50, "lost some")


def test_data_before_the_row_was_asked_for_is_late(table: Subscriptions) -> None:
    table.want(Stream(kind=StreamKind.TRADES, instrument="SOL"), "a")

    assert give(table, 1) == []
    assert table.late == 1


def test_data_by_another_connection_is_late(table: Subscriptions) -> None:
    row = active(table)

    assert give(table, 1, by="market-1") == []
    assert (table.late, row.data) == (1, 0)


def test_data_of_a_key_that_ended_is_late_and_others_are_foreign(table: Subscriptions) -> None:
    row = active(table)
    table.release(row.guid, "a")

    assert give(table, 1) == []
    assert give(table, 1, key="BTC") == []
    assert (table.late, table.foreign) == (1, 1)


def test_a_key_that_is_wanted_again_is_served_again(table: Subscriptions) -> None:
    table.release(active(table).guid, "a")
    asked(table)

    assert give(table, 1) == ["Confirmed", "1"]


def test_a_key_lives_until_its_last_row_ends(table: Subscriptions) -> None:
    row = active(table)
    active(table, depth=5)
    table.release(row.guid, "a")

    assert give(table, 1) == ["1"]
    assert table.late == 0


def test_a_successor_takes_over_with_the_first_datum_that_follows(table: Subscriptions) -> None:
    row = active(table)
    give(table, 1)
    table.replace("market-0", "market-0~2")

    assert give(table, 3, by="market-0~2") == []
    assert give(table, 2) == ["2"]
    assert row.data == 2
    assert give(table, 3, by="market-0~2") == ["Confirmed", "3"]


def test_a_successor_that_repeats_takes_over_and_tells_nothing_twice(table: Subscriptions) -> None:
    row = active(table)
    give(table, 1)
    table.replace("market-0", "market-0~2")

    assert give(table, 1, by="market-0~2") == ["Confirmed"]
    table.moved(row)
    assert give(table, 2) == []
    assert table.late == 1
    assert give(table, 2, by="market-0~2") == ["2"]

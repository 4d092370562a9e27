from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count

import pytest

from strategykit.errors import LimitReached, LocalProtocolError
from strategykit.model.events import Event, Gap
from strategykit.venues.dialect import Limits
from strategykit.venues.streams import Stream, StreamKind
from strategykit.venues.subscriptions import MOST_GAPS, Subscription, Subscriptions, SubscriptionState

State = SubscriptionState


class FakeCursor:
    """Counts the connections that it has outlived."""

    def __init__(self) -> None:
        self.reconnections = 0

    def decode(self, frame: str | bytes, receive_time: int) -> Sequence[Event]:
        return ()

    def reconnected(self) -> None:
        self.reconnections += 1


def numbered() -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"g{next(numbers)}"


def make_cursor(guid: str, stream: Stream) -> FakeCursor:
    return FakeCursor()


def table(*, market: int = 2, per_connection: int = 5000) -> Subscriptions:
    limits = Limits(connections=10, subscriptions=per_connection, unread=5000, frame_bytes=1 << 20)
    return Subscriptions(limits, {"market": market, "orders": 1}, numbered(), make_cursor)


def stream(symbol: str = "SBER", kind: StreamKind = StreamKind.TRADES) -> Stream:
    return Stream(kind=kind, instrument=symbol)


def active(rows: Subscriptions, *, at: int = 100, fresh_within: int | None = None) -> Subscription:
    row = rows.want(stream(), "a", fresh_within=fresh_within)
    rows.asked(row.guid)
    assert rows.confirmed(row.guid, at) is None
    return row


def state(row: Subscription) -> SubscriptionState:
    """Read the state afresh; type checkers think that it is what it was when they last saw it."""
    return row.state


def reconnections(row: Subscription) -> int:
    assert isinstance(row.cursor, FakeCursor)
    return row.cursor.reconnections


def test_equal_streams_share_a_row_until_nobody_wants_it() -> None:
    rows = table()
    row = rows.want(stream(), "a")

    assert rows.want(stream(), "b") is row
    assert rows.want(stream(), "a") is row
    assert [rows.release(row.guid, owner) for owner in ("a", "b")] == [None, None]
    assert rows.release(row.guid, "a") is row
    assert row.state is State.ENDED
    assert len(rows) == 0
    assert list(rows) == []


def test_a_row_is_active_only_after_the_venue_has_confirmed() -> None:
    rows = table()
    row = rows.want(stream(), "a")
    seen = [state(row)]
    rows.asked(row.guid)
    seen.append(state(row))
    rows.datum(row, 5)
    seen.append(state(row))
    rows.confirmed(row.guid, 6)
    seen.append(state(row))

    assert seen == [State.WANTED, State.ASKED, State.ASKED, State.ACTIVE]


def test_a_lost_connection_opens_a_gap_that_the_confirmation_closes() -> None:
    rows = table()
    row = active(rows)
    rows.datum(row, 150)
    assert rows.lost(row.connection, 170, "reset") == [row]
    assert state(row) is State.LOST
    assert reconnections(row) == 1
    rows.asked(row.guid)

    gap = rows.confirmed(row.guid, 200)

    assert gap is not None
    assert (gap.instrument, gap.since, gap.until, gap.reason, gap.guid) == ("SBER", 150, 200, "reset", row.guid)
    assert row.gaps == [gap]
    assert rows.confirmed(row.guid, 201) is None


def test_a_wire_that_breaks_for_days_leaves_only_the_newest_gaps() -> None:
    rows = table()
    row = active(rows)
    for time in range(200, 200 + 3 * MOST_GAPS):
        rows.lost(row.connection, time, "reset")
        rows.asked(row.guid)
        newest = rows.confirmed(row.guid, time)
    assert len(row.gaps) == MOST_GAPS
    assert row.gaps[-1] is newest


def test_data_before_the_confirmation_closes_the_gap() -> None:
    rows = table()
    row = active(rows)
    rows.lost(row.connection, 170, "reset")
    rows.asked(row.guid)

    gap = rows.datum(row, 190)

    assert gap is not None
    assert (gap.since, gap.until) == (100, 190)
    assert rows.confirmed(row.guid, 200) is None


def test_a_gap_spans_every_failed_attempt() -> None:
    rows = table()
    row = active(rows)
    for time in (110, 120, 130):
        rows.lost(row.connection, time, f"lost at {time}")
        rows.asked(row.guid)

    gap = rows.confirmed(row.guid, 140)

    assert gap is not None
    assert (gap.since, gap.until, gap.reason) == (100, 140, "lost at 110")
    assert reconnections(row) == 3


def test_losing_what_had_not_begun_leaves_no_gap() -> None:
    rows = table()
    row = rows.want(stream(), "a")
    rows.lost(row.connection, 1, "reset")
    assert state(row) is State.WANTED
    assert reconnections(row) == 0
    rows.asked(row.guid)
    rows.lost(row.connection, 2, "reset")
    rows.asked(row.guid)

    assert rows.confirmed(row.guid, 3) is None


def test_a_clock_that_goes_back_makes_no_gap_that_ends_before_it_begins() -> None:
    rows = table()
    row = active(rows, at=1000)
    rows.lost(row.connection, 900, "reset")
    rows.asked(row.guid)

    gap = rows.datum(row, 800)

    assert gap is not None
    assert (gap.since, gap.until) == (900, 900)


def test_losing_one_connection_leaves_the_others_alone() -> None:
    rows = table()
    market = active(rows)
    orders = rows.want(Stream(kind=StreamKind.ORDERS, account="D1"), "a")

    rows.lost("orders-0", 5, "reset")

    assert (orders.connection, market.connection) == ("orders-0", "market-0")
    assert state(market) is State.ACTIVE


def test_a_reopened_connection_asks_again_for_all_but_the_refused() -> None:
    rows = table()
    first, second, third = (rows.want(stream(symbol), "a") for symbol in ("A", "B", "C"))
    for row in (first, second, third):
        rows.asked(row.guid)
    rows.refused(second.guid, "no such instrument")
    rows.lost("market-0", 5, "reset")

    assert rows.on("market-0") == [first, third]
    assert rows.on("market-1") == []


def test_a_refusal_names_each_owner_once() -> None:
    rows = table()
    row = rows.want(stream(), "a")
    rows.want(stream(), "b")
    rows.want(stream(), "a")
    rows.asked(row.guid)

    assert rows.refused(row.guid, "no") == ["a", "b"]
    assert (row.state, row.refusal) == (State.REFUSED, "no")
    assert rows.refused(row.guid, "no, again") == []
    assert row.refusal == "no"


def test_what_was_refused_is_asked_for_anew_under_another_guid() -> None:
    rows = table()
    old = rows.want(stream(), "a")
    rows.asked(old.guid)
    rows.refused(old.guid, "no")

    new = rows.want(stream(), "b")

    assert new is not old
    assert (new.guid != old.guid, new.state, new.owners) == (True, State.WANTED, ["b"])
    assert rows.release(old.guid, "a") is None, "the first owner cleans up late"


@pytest.mark.parametrize("before", [State.WANTED, State.LOST, State.REFUSED])
def test_what_a_venue_says_of_a_row_that_waits_for_nothing_changes_nothing(before: State) -> None:
    """Late, repeated and unasked answers are the venue's doing: they must not stop the program."""
    rows = table()
    row = rows.want(stream(), "a")
    if before is State.LOST:
        rows.asked(row.guid)
        rows.confirmed(row.guid, 1)
        rows.lost(row.connection, 2, "reset")
    elif before is State.REFUSED:
        rows.asked(row.guid)
        rows.refused(row.guid, "no")
    facts = (row.state, row.last_time, row.gap_since, row.refusal)

    assert rows.confirmed(row.guid, 50) is None
    assert rows.datum(row, 51) is None
    assert rows.refused(row.guid, "late") == []
    assert (row.state, row.last_time, row.gap_since, row.refusal) == facts


def test_silence_is_told_once_and_ended_by_a_datum() -> None:
    rows = table()
    row = active(rows, at=100, fresh_within=50)
    assert rows.next_silence() == 151
    assert rows.silent(150) == []

    (stale,) = rows.silent(151)

    assert (stale.instrument, stale.silent_for, stale.guid) == ("SBER", 51, row.guid)
    assert state(row) is State.STALE
    assert rows.silent(500) == []
    assert rows.next_silence() is None
    rows.confirmed(row.guid, 510)
    assert state(row) is State.STALE
    rows.datum(row, 520)
    assert state(row) is State.ACTIVE
    assert rows.next_silence() == 571


def test_the_strictest_freshness_counts() -> None:
    rows = table()
    row = rows.want(stream(), "a", fresh_within=50)
    rows.want(stream(), "b", fresh_within=20)
    rows.want(stream(), "c")

    assert row.fresh_within == 20


def test_a_row_without_a_limit_is_never_stale() -> None:
    rows = table()
    active(rows)

    assert rows.silent(10**18) == []
    assert rows.next_silence() is None


def test_data_for_ended_rows_are_late_and_others_foreign() -> None:
    rows = table()
    row = rows.want(stream(), "a")
    rows.release(row.guid, "a")

    rows.note_unknown(row.guid)
    rows.note_unknown("never ours")

    assert (rows.late, rows.foreign) == (1, 1)


def test_only_so_many_ended_guids_are_remembered() -> None:
    rows = table()
    first = rows.want(stream(), "a")
    rows.release(first.guid, "a")
    for _ in range(10_000):
        rows.release(rows.want(stream(), "a").guid, "a")

    rows.note_unknown(first.guid)

    assert rows.foreign == 1


def test_busy_lanes_spread_over_their_connections() -> None:
    rows = table(market=3)
    used = [rows.want(stream(f"S{n}"), "a").connection for n in range(150)]

    assert used[:40] == ["market-0"] * 40
    assert used[40:80] == ["market-1"] * 40
    assert used[80:120] == ["market-2"] * 40
    assert {used[120:].count(f"market-{n}") for n in range(3)} == {10}


def test_a_released_place_is_used_again() -> None:
    rows = table(market=1, per_connection=1)
    rows.release(rows.want(stream(), "a").guid, "a")

    assert rows.want(stream("GAZP"), "a").connection == "market-0"


@pytest.mark.parametrize("per_connection", [1, 5, 60])
def test_the_subscription_above_the_limit_is_refused_here(per_connection: int) -> None:
    rows = table(market=2, per_connection=per_connection)
    for n in range(2 * per_connection):
        rows.want(stream(f"S{n}"), "a")

    with pytest.raises(LimitReached, match=f"the {2 * per_connection + 1}th subscription.*nothing was sent"):
        rows.want(stream("one more"), "a")

    assert len(rows) == 2 * per_connection
    assert rows.want(stream("S0"), "b").owners == ["a", "b"], "sharing costs no place"


def test_a_lane_without_connections_takes_nothing() -> None:
    with pytest.raises(LimitReached, match="lane 'market' has no connection"):
        table(market=0).want(stream(), "a")


def test_a_recorded_row_comes_back_as_it_was() -> None:
    rows = table()
    row = rows.restore("from the tape", stream(), "market-1")

    assert rows.want(stream(), "a") is row
    assert (row.guid, row.connection, row.state) == ("from the tape", "market-1", State.WANTED)
    assert rows.release(row.guid, "a") is row
    assert len(rows) == 0


def test_ending_a_row_leaves_a_later_one_of_its_stream_alone() -> None:
    rows = table()
    first = rows.want(stream(), "a")
    again = rows.restore("from the tape", stream(), "market-0")
    rows.release(first.guid, "a")

    assert rows.want(stream(), "b") is again


def test_what_we_do_wrong_ourselves_is_an_error() -> None:
    rows = table()
    row = rows.want(stream(), "a")

    with pytest.raises(LocalProtocolError, match="no subscription has the guid 'x'"):
        rows.asked("x")
    with pytest.raises(LocalProtocolError, match="'b' doesn't want trades SBER"):
        rows.release(row.guid, "b")
    rows.asked(row.guid)
    rows.refused(row.guid, "no")
    with pytest.raises(LocalProtocolError, match=r"a subscription \(trades SBER\) that is refused can't ask"):
        rows.asked(row.guid)


def test_a_gap_that_somebody_else_found_counts_once() -> None:
    rows = table()
    row = active(rows)
    gap = Gap("SBER", 1, 2, "a hole", None, 2, row.guid)

    assert rows.told(gap) is row
    assert rows.told(gap) is row
    assert row.gaps == [gap]
    assert rows.told(Gap("SBER", 1, 2, "a hole", None, 2, "another")) is None

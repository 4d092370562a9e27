"""Whatever strategies want, wires lose and venues say, in any order: the guid table keeps its promises.

The model beside it is as plain as can be: who wants what, which connections are open, what each row has missed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import count

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from strategykit.errors import LimitReached
from strategykit.model.events import Event, Gap
from strategykit.venues.dialect import Limits
from strategykit.venues.streams import Stream, StreamKind, usual_lane
from strategykit.venues.subscriptions import Subscription, Subscriptions, SubscriptionState

State = SubscriptionState

STREAMS = [Stream(kind=StreamKind.TRADES, instrument=symbol) for symbol in "ABCDE"]
STREAMS.append(Stream(kind=StreamKind.ORDERS, account="D1"))
OWNERS = ["ada", "bob", "cy"]
PER_CONNECTION = 2
CONNECTIONS = {"market": 2, "orders": 1}
UNASKED = (State.WANTED, State.LOST, State.REFUSED)
NAMES = ["market-0", "market-1", "orders-0"]


class _Cursor:
    def __init__(self) -> None:
        self.reconnections = 0

    def decode(self, frame: str | bytes, receive_time: int) -> Sequence[Event]:
        return ()

    def reconnected(self) -> None:
        self.reconnections += 1


@attrs.define(eq=False)
class _Known:
    """What must be true of one row."""

    row: Subscription
    owners: Counter[str]
    fresh_within: int | None = None
    asked: bool = False
    """On the connection that is open now."""
    confirmed: bool = False
    """Since it was last asked for."""
    refused: bool = False
    silent: bool = False
    whole_at: int | None = None
    missing_since: int | None = None
    lost: int = 0
    """How often its connection was lost after it had been asked for."""
    gaps: int = 0

    @property
    def state(self) -> SubscriptionState:
        if self.refused:
            return State.REFUSED
        if not self.asked:
            return State.LOST if self.lost else State.WANTED
        if not self.confirmed:
            return State.ASKED
        return State.STALE if self.silent else State.ACTIVE


class GuidTable(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        numbers = count(1)
        limits = Limits(connections=10, subscriptions=PER_CONNECTION, unread=5000, frame_bytes=1 << 20)
        self.table = Subscriptions(limits, dict(CONNECTIONS), lambda: f"g{next(numbers)}", self.make_cursor)
        self.known: dict[str, _Known] = {}
        self.dead: list[str] = []
        self.open: set[str] = set()
        self.now = 1_000
        self.late = 0

    def make_cursor(self, guid: str, stream: Stream) -> _Cursor:
        return _Cursor()

    def pick(self, number: int) -> _Known:
        return list(self.known.values())[number % len(self.known)]

    def ask(self, known: _Known) -> None:
        """As the engine does: only on an open connection."""
        if known.row.connection in self.open:
            self.table.asked(known.row.guid)
            known.asked = True

    def told(self, known: _Known, gap: Gap | None) -> None:
        """What is missing is told exactly once, before anything else."""
        if known.missing_since is None:
            assert gap is None
            return
        assert gap is not None
        assert (gap.since, gap.until, gap.guid) == (known.missing_since, self.now, known.row.guid)
        assert gap.since <= gap.until
        known.missing_since = None
        known.gaps += 1

    # Strategies

    @rule(stream=st.sampled_from(STREAMS), owner=st.sampled_from(OWNERS), fresh=st.none() | st.integers(1, 50))
    def want(self, stream: Stream, owner: str, fresh: int | None) -> None:
        shared = [known for known in self.known.values() if known.row.stream == stream and not known.refused]
        try:
            row = self.table.want(stream, owner, fresh_within=fresh)
        except LimitReached:
            names = [name for name in NAMES if name.startswith(usual_lane(stream))]
            counts = Counter(known.row.connection for known in self.known.values() if known.row.stream != stream)
            assert not shared
            assert all(counts[name] == PER_CONNECTION for name in names)
            # A refused row of this stream has made room before the new one found none.
            self.bury([known for known in self.known.values() if known.row.stream == stream])
            return
        if shared:
            assert row is shared[0].row
        else:
            self.bury([known for known in self.known.values() if known.row.stream == stream])
            self.known[row.guid] = _Known(row, Counter())
        known = self.known[row.guid]
        known.owners[owner] += 1
        if fresh is not None:
            known.fresh_within = min(fresh, known.fresh_within or fresh)
        if not shared:
            self.ask(known)

    def bury(self, gone: list[_Known]) -> None:
        for known in gone:
            del self.known[known.row.guid]
            self.dead.append(known.row.guid)

    @precondition(lambda self: self.known)
    @rule(number=st.integers(0, 20))
    def release(self, number: int) -> None:
        known = self.pick(number)
        owner = next(iter(known.owners.elements()))
        known.owners[owner] -= 1

        released = self.table.release(known.row.guid, owner)

        if known.owners.total():
            assert released is None
        else:
            assert released is known.row
            assert released.state is State.ENDED
            self.bury([known])

    @precondition(lambda self: self.dead)
    @rule(number=st.integers(0, 20), owner=st.sampled_from(OWNERS))
    def release_again(self, number: int, owner: str) -> None:
        assert self.table.release(self.dead[number % len(self.dead)], owner) is None

    # Wires

    @initialize()
    def open_everything(self) -> None:
        self.open |= set(NAMES)

    @precondition(lambda self: len(self.open) < len(NAMES))
    @rule(number=st.integers(0, 2))
    def open_connection(self, number: int) -> None:
        closed = sorted(set(NAMES) - self.open)
        name = closed[number % len(closed)]
        self.open.add(name)
        rows = self.table.on(name)
        wanted = [known.row for known in self.known.values() if known.row.connection == name and not known.refused]
        assert rows == wanted
        for row in rows:
            self.ask(self.known[row.guid])

    @rule(name=st.sampled_from(NAMES))
    def lose_connection(self, name: str) -> None:
        self.open.discard(name)
        self.now += 1
        rows = self.table.lost(name, self.now, "reset")
        assert {row.guid for row in rows} == {
            guid for guid, known in self.known.items() if known.row.connection == name
        }
        for row in rows:
            known = self.known[row.guid]
            if known.state in (State.WANTED, State.REFUSED):
                continue
            known.lost += 1
            known.asked = known.confirmed = known.silent = False
            if known.missing_since is None:
                known.missing_since = known.whole_at

    # The venue, which says anything at any time

    def rows_in(self, *states: SubscriptionState) -> list[_Known]:
        return [known for known in self.known.values() if known.state in states]

    @precondition(lambda self: self.rows_in(State.ASKED))
    @rule(number=st.integers(0, 20))
    def confirm_what_was_asked(self, number: int) -> None:
        rows = self.rows_in(State.ASKED)
        self.confirm(rows[number % len(rows)])

    @precondition(lambda self: self.rows_in(State.ACTIVE, State.STALE))
    @rule(number=st.integers(0, 20), wait=st.integers(0, 60))
    def datum_for_a_live_row(self, number: int, wait: int) -> None:
        self.now += wait
        rows = self.rows_in(State.ACTIVE, State.STALE)
        self.datum(rows[number % len(rows)])

    @precondition(lambda self: self.known)
    @rule(number=st.integers(0, 20), what=st.sampled_from(["confirm", "datum", "refuse"]))
    def anything_for_any_row(self, number: int, what: str) -> None:
        known = self.pick(number)
        {"confirm": self.confirm, "datum": self.datum, "refuse": self.refuse}[what](known)

    def confirm(self, known: _Known) -> None:
        gap = self.table.confirmed(known.row.guid, self.now)
        if known.state in UNASKED:
            assert gap is None
            return
        self.told(known, gap)
        known.confirmed = True
        known.whole_at = self.now

    def datum(self, known: _Known) -> None:
        gap = self.table.datum(known.row, self.now)
        if known.state in UNASKED:
            assert gap is None
            return
        self.told(known, gap)
        known.silent = False
        known.whole_at = self.now

    def refuse(self, known: _Known) -> None:
        owners = self.table.refused(known.row.guid, "no")
        if known.state in UNASKED:
            assert owners == []
            return
        assert sorted(owners) == sorted(+known.owners)
        known.refused = True

    @precondition(lambda self: self.dead)
    @rule(number=st.integers(0, 20))
    def late_data(self, number: int) -> None:
        self.table.note_unknown(self.dead[number % len(self.dead)])
        self.late += 1

    # Time

    @rule(wait=st.integers(1, 60))
    def look_for_silence(self, wait: int) -> None:
        self.now += wait
        due = self.table.next_silence()
        stale = {one.guid: one for one in self.table.silent(self.now)}
        for guid, known in self.known.items():
            fresh, whole_at = known.fresh_within, known.whole_at
            outlived = fresh is not None and whole_at is not None and self.now - whole_at > fresh
            if known.state is State.ACTIVE and outlived:
                known.silent = True
                assert stale.pop(guid).silent_for == self.now - (whole_at or 0)
                assert due is not None
                assert due <= self.now
        assert not stale

    # Promises

    @invariant()
    def every_row_is_known_and_stands_where_it_should(self) -> None:
        assert set(self.table.by_guid) == set(self.known)
        for known in self.known.values():
            assert known.row.state is known.state
            assert Counter(known.row.owners) == +known.owners
            assert known.row.fresh_within == known.fresh_within
            assert len(known.row.gaps) == known.gaps
            assert isinstance(known.row.cursor, _Cursor)
            assert known.row.cursor.reconnections == known.lost

    @invariant()
    def equal_streams_share_one_row(self) -> None:
        streams = Counter(row.stream for row in self.table)
        assert all(number == 1 for number in streams.values())

    @invariant()
    def connections_carry_only_their_lane_and_no_more_than_allowed(self) -> None:
        carried = Counter(row.connection for row in self.table)
        assert all(number <= PER_CONNECTION for number in carried.values())
        assert all(row.connection.startswith(usual_lane(row.stream)) for row in self.table)

    @invariant()
    def only_rows_on_open_connections_are_live(self) -> None:
        live = {row.connection for row in self.table if row.state in (State.ASKED, State.ACTIVE, State.STALE)}
        assert live <= self.open

    @invariant()
    def data_for_ended_rows_are_counted_as_late(self) -> None:
        assert (self.table.late, self.table.foreign) == (self.late, 0)


TestGuidTable = GuidTable.TestCase
TestGuidTable.settings = settings(deadline=None, max_examples=150, stateful_step_count=50)

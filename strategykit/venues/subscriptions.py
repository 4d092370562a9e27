"""The guid table: the truth about which streams are wanted, and where each of them stands."""

from __future__ import annotations

import enum
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Final

import attrs

from strategykit.errors import LimitReached, LocalProtocolError
from strategykit.model.events import Gap, Stale
from strategykit.venues.dialect import Cursor, Limits
from strategykit.venues.streams import Stream, usual_lane

__all__ = ["LIVE", "MOST_GAPS", "TRANSITIONS", "Happening", "Subscription", "SubscriptionState", "Subscriptions"]


class SubscriptionState(enum.Enum):
    WANTED = "wanted"
    """Asked for by a strategy; nothing has been sent yet."""
    ASKED = "asked"
    ACTIVE = "active"
    STALE = "stale"
    """Confirmed, but silent for longer than its freshness limit."""
    LOST = "lost"
    """Its connection ended; it will be asked for again."""
    REFUSED = "refused"
    ENDED = "ended"


class Happening(enum.Enum):
    ASK = "ask"
    CONFIRM = "confirm"
    DATUM = "datum"
    SILENCE = "silence"
    LOSE = "lose"
    REFUSE = "refuse"
    RELEASE = "release"


def _table() -> dict[tuple[SubscriptionState, Happening], SubscriptionState]:
    s, h = SubscriptionState, Happening
    return {
        (s.WANTED, h.ASK): s.ASKED,
        (s.LOST, h.ASK): s.ASKED,
        (s.ASKED, h.ASK): s.ASKED,
        # The venue had confirmed it, and then said "not now".
        (s.ACTIVE, h.ASK): s.ASKED,
        (s.STALE, h.ASK): s.ASKED,
        (s.ASKED, h.CONFIRM): s.ACTIVE,
        (s.ACTIVE, h.CONFIRM): s.ACTIVE,
        (s.STALE, h.CONFIRM): s.STALE,
        # Data may come before the acknowledgement; only the acknowledgement makes a stream active.
        (s.ASKED, h.DATUM): s.ASKED,
        (s.ACTIVE, h.DATUM): s.ACTIVE,
        (s.STALE, h.DATUM): s.ACTIVE,
        (s.ACTIVE, h.SILENCE): s.STALE,
        (s.WANTED, h.LOSE): s.WANTED,
        (s.ASKED, h.LOSE): s.LOST,
        (s.ACTIVE, h.LOSE): s.LOST,
        (s.STALE, h.LOSE): s.LOST,
        (s.LOST, h.LOSE): s.LOST,
        (s.REFUSED, h.LOSE): s.REFUSED,
        (s.ASKED, h.REFUSE): s.REFUSED,
        (s.ACTIVE, h.REFUSE): s.REFUSED,
        (s.STALE, h.REFUSE): s.REFUSED,
        # What a venue says late, twice or unasked changes nothing: it is no bug of ours, so it is no error either.
        **{(state, said): state for state in (s.WANTED, s.LOST, s.REFUSED) for said in (h.CONFIRM, h.DATUM, h.REFUSE)},
        **{(state, h.RELEASE): s.ENDED for state in s if state is not s.ENDED},
    }


TRANSITIONS: Final = _table()
"""``{(state, happening): state}``. What isn't in it is an error."""

_REMEMBERED: Final = 10_000
"""Dead guids and keys kept, so that late data is known for what it is; older ones count as foreign."""

MOST_GAPS: Final = 100
"""Gaps that a row keeps: a wire that breaks every minute for days mustn't fill the memory."""

LIVE: Final = frozenset({SubscriptionState.ASKED, SubscriptionState.ACTIVE, SubscriptionState.STALE})
"""States in which a venue has been asked for the row and may send its data."""

_UNASKED: Final = frozenset({SubscriptionState.WANTED, SubscriptionState.LOST, SubscriptionState.REFUSED})
"""States in which the venue owes us nothing about the row."""

_CROWDED: Final = 40
"""Busy subscriptions a connection carries before the next one of its lane is opened."""


def _by_guid(_: Stream) -> None:
    """The key where data carry our guids."""


@attrs.define(eq=False, kw_only=True)
class Subscription:
    """One row of the table."""

    guid: str
    stream: Stream
    connection: str
    """Name of the connection that carries it, such as ``"market-0"``."""
    cursor: Cursor
    owners: list[str] = attrs.field(factory=list)
    """The strategies that want it, in the order in which they asked; one name can stand twice."""
    state: SubscriptionState = SubscriptionState.WANTED
    last_time: int | None = None
    """When it was last known whole: its last datum, or its confirmation."""
    gap_since: int | None = None
    gap_reason: str = ""
    fresh_within: int | None = None
    """Nanoseconds of silence allowed; None: it may be silent for ever."""
    refusal: str = ""
    gaps: list[Gap] = attrs.field(factory=list)
    """The newest that were told; at most `MOST_GAPS`."""
    data: int = 0
    """Frames with data, counted by the dialect."""
    key: Hashable | None = None
    """What the venue's data names it by; None: by its guid."""
    successor: str | None = None
    """The connection that is taking it over, until data or an acknowledgement has come by it."""


@attrs.define(eq=False)
class Subscriptions:
    """All subscriptions of one venue.

    Args:
        limits: The venue's; the 5,001st subscription of a full set of connections raises here.
        connections: How many connections each lane may open: ``{"market": 4, "orders": 1}``.
        make_guid: Gives unique texts; seeded, so that a run repeats.
        make_cursor: The dialect's `cursor`.
        lane: The dialect's `lane`.
        key: The dialect's `key`.
    """

    limits: Limits
    connections: dict[str, int]
    make_guid: Callable[[], str]
    make_cursor: Callable[[str, Stream], Cursor]
    lane: Callable[[Stream], str] = usual_lane
    key: Callable[[Stream], Hashable | None] = _by_guid
    by_guid: dict[str, Subscription] = attrs.field(factory=dict, init=False)
    by_key: dict[Hashable, list[Subscription]] = attrs.field(factory=dict, init=False)
    """The rows that data of a key belongs to, for venues that know no guids."""
    beginnings: dict[str, list[Subscription]] = attrs.field(factory=dict, init=False)  # Those, by how frames begin.
    late: int = attrs.field(default=0, init=False)
    """Data frames for guids, or keys, that were ours and have ended."""
    foreign: int = attrs.field(default=0, init=False)
    """Data frames for guids, or keys, that never were ours."""
    _by_stream: dict[Stream, Subscription] = attrs.field(factory=dict, init=False)
    _load: dict[str, int] = attrs.field(factory=dict, init=False)
    _dead: OrderedDict[Hashable, None] = attrs.field(factory=OrderedDict, init=False)
    _replaced: dict[str, str] = attrs.field(factory=dict, init=False)  # Connections, and what has replaced them.

    def __iter__(self) -> Iterator[Subscription]:
        return iter(self.by_guid.values())

    def __len__(self) -> int:
        return len(self.by_guid)

    def want(self, stream: Stream, owner: str, *, fresh_within: int | None = None) -> Subscription:
        """Note that `owner` wants `stream`; equal streams share one row.

        The row is new if its state is WANTED: then someone has to ask the venue for it.

        Raises:
            LimitReached: Every connection that the lane may open is full.
        """
        row = self._by_stream.get(stream)
        if row is None or row.state is SubscriptionState.REFUSED:
            if row is not None:
                self._forget(row)
            row = self._add(self.make_guid(), stream, self._place(self.lane(stream)))
        row.owners.append(owner)
        if fresh_within is not None:
            row.fresh_within = fresh_within if row.fresh_within is None else min(row.fresh_within, fresh_within)
        return row

    def restore(self, guid: str, stream: Stream, connection: str) -> Subscription:
        """Put a row back as a recording has it."""
        return self._add(guid, stream, connection)

    def release(self, guid: str, owner: str) -> Subscription | None:
        """Note that `owner` no longer wants `guid`; give the row if nobody does, so that the venue can be told.

        A row that has ended meanwhile, such as a refused one that somebody wanted again, gives None.

        Raises:
            LocalProtocolError: There never was such a row, or `owner` doesn't want it.
        """
        if guid in self._dead:
            return None
        row = self._row(guid)
        if owner not in row.owners:
            raise LocalProtocolError(f"{owner!r} doesn't want {row.stream.label}; {row.owners} do")
        row.owners.remove(owner)
        if row.owners:
            return None
        self._step(row, Happening.RELEASE)
        self._forget(row)
        return row

    def asked(self, guid: str) -> None:
        """The request for `guid` has been handed to its connection."""
        self._step(self._row(guid), Happening.ASK)

    def confirmed(self, guid: str, now: int) -> Gap | None:
        """The venue said yes; give the gap to tell before the next datum, if data was missed."""
        row = self._row(guid)
        self._step(row, Happening.CONFIRM)
        if row.state in _UNASKED:
            return None
        row.last_time = now if row.last_time is None else max(row.last_time, now)
        return self._close_gap(row, now)

    def datum(self, row: Subscription, now: int) -> Gap | None:
        """Data came for `row`; give the gap to tell before it. For rows that aren't plainly active."""
        self._step(row, Happening.DATUM)
        if row.state in _UNASKED:
            return None
        row.last_time = now
        return self._close_gap(row, now)

    def refused(self, guid: str, words: str) -> list[str]:
        """The venue said no; give the owners, who have to be told: once, and only if the row had been asked for."""
        row = self._row(guid)
        before = row.state
        self._step(row, Happening.REFUSE)
        if before in _UNASKED:
            return []
        row.refusal = words
        return list(dict.fromkeys(row.owners))

    def lost(self, connection: str, now: int, reason: str) -> list[Subscription]:
        """A connection ended: open a gap in each of its rows that had begun; give them."""
        rows = [row for row in self.by_guid.values() if row.connection == connection]
        for row in rows:
            self._step(row, Happening.LOSE)
            if row.state is not SubscriptionState.LOST:
                continue
            if row.last_time is not None and row.gap_since is None:
                row.gap_since = min(row.last_time, now)
                row.gap_reason = reason
            row.cursor.reconnected()
        return rows

    def missed(self, row: Subscription, now: int, reason: str, *, anew: bool = True) -> None:
        """Something of a row was missed while its connection lived: open a gap, until it is confirmed.

        It begins anew, or else goes on from what came before.
        """
        if row.last_time is not None and row.gap_since is None:
            row.gap_since = min(row.last_time, now)
            row.gap_reason = reason
        if anew:
            row.cursor.reconnected()

    def on(self, connection: str) -> list[Subscription]:
        """Give the rows to ask for when `connection` has opened, in the order in which they were wanted."""
        return [
            row
            for row in self.by_guid.values()
            if row.connection == connection and row.state is not SubscriptionState.REFUSED
        ]

    def replace(self, old: str, new: str) -> list[Subscription]:
        """Have `new` take over all that `old` has, or is to take over; give it. Each row stays until it is `moved`."""
        self._replaced[old] = new
        rows = [row for row in self.by_guid.values() if old in (row.connection, row.successor)]
        for row in rows:
            row.successor = new
        return [row for row in rows if row.state is not SubscriptionState.REFUSED]

    def told(self, gap: Gap) -> Subscription | None:
        """Note a gap that is told, whoever found it; give its row."""
        row = self.by_guid.get(gap.guid)
        if row is not None and gap not in row.gaps:
            row.gaps.append(gap)
            del row.gaps[:-MOST_GAPS]
        return row

    def moved(self, row: Subscription) -> None:
        """The connection that takes `row` over carries it now."""
        if row.successor is not None:
            self._load[row.connection] -= 1
            self._load[row.successor] = self._load.get(row.successor, 0) + 1
            row.connection, row.successor = row.successor, None

    def silent(self, now: int) -> list[Stale]:
        """Give one `Stale` for every active row that has just outlived its freshness limit."""
        found = []
        for row in self.by_guid.values():
            if row.state is not SubscriptionState.ACTIVE or row.fresh_within is None or row.last_time is None:
                continue
            quiet = now - row.last_time
            if quiet > row.fresh_within:
                self._step(row, Happening.SILENCE)
                found.append(Stale(row.stream.instrument, quiet, None, now, row.guid))
        return found

    def next_silence(self) -> int | None:
        """When `silent` should be called next, nanoseconds UTC; None if nothing can go stale."""
        due = [
            row.last_time + row.fresh_within + 1
            for row in self.by_guid.values()
            if row.state is SubscriptionState.ACTIVE and row.fresh_within is not None and row.last_time is not None
        ]
        return min(due, default=None)

    def note_unknown(self, name: Hashable) -> None:
        """Count a data frame that no row owns, by the guid or key that it carries."""
        if name in self._dead:
            self.late += 1
        else:
            self.foreign += 1

    def _row(self, guid: str) -> Subscription:
        try:
            return self.by_guid[guid]
        except KeyError:
            raise LocalProtocolError(f"no subscription has the guid {guid!r}") from None

    def _step(self, row: Subscription, happening: Happening) -> None:
        try:
            row.state = TRANSITIONS[row.state, happening]
        except KeyError:
            raise LocalProtocolError(
                f"a subscription ({row.stream.label}) that is {row.state.value} can't {happening.value}"
            ) from None

    def _close_gap(self, row: Subscription, now: int) -> Gap | None:
        if row.gap_since is None:
            return None
        # A clock that was set back doesn't make a gap end before it began.
        until = max(now, row.gap_since)
        gap = Gap(row.stream.instrument, row.gap_since, until, row.gap_reason, None, now, row.guid)
        row.gap_since = None
        self.told(gap)
        return gap

    def _add(self, guid: str, stream: Stream, connection: str) -> Subscription:
        row = Subscription(
            guid=guid,
            stream=stream,
            connection=connection,
            cursor=self.make_cursor(guid, stream),
            key=self.key(stream),
        )
        self.by_guid[guid] = self._by_stream[stream] = row
        if row.key is not None:
            self.by_key.setdefault(row.key, []).append(row)
        self._load[connection] = self._load.get(connection, 0) + 1
        return row

    def _forget(self, row: Subscription) -> None:
        del self.by_guid[row.guid]
        if row.key is not None:
            self.by_key[row.key].remove(row)
            if not self.by_key[row.key]:
                del self.by_key[row.key]
                self._bury(row.key)
        if self._by_stream.get(row.stream) is row:
            del self._by_stream[row.stream]
        self._load[row.connection] -= 1
        self._bury(row.guid)

    def _bury(self, name: Hashable) -> None:
        self._dead[name] = None
        if len(self._dead) > _REMEMBERED:
            self._dead.popitem(last=False)

    def _place(self, lane: str) -> str:
        """Choose the least loaded connection; open another one of the lane when all are crowded."""
        most = self.connections.get(lane, 0)
        names = [self.newest(f"{lane}-{number}") for number in range(most)]
        used = [name for name in names if self._load.get(name, 0)]
        free = [name for name in names if not self._load.get(name, 0)]
        crowded = min(_CROWDED, self.limits.subscriptions)
        if used and (not free or min(self._load[name] for name in used) < crowded):
            best = min(used, key=lambda name: self._load[name])
        elif free:
            best = free[0]
        else:
            raise LimitReached(f"lane {lane!r} has no connection to put a subscription on")
        if self._load.get(best, 0) >= self.limits.subscriptions:
            raise LimitReached(
                f"the {self.limits.subscriptions * most + 1}th subscription on lane {lane!r}: the venue allows "
                f"{self.limits.subscriptions} a connection and {most} connections are in use; nothing was sent"
            )
        return best

    def newest(self, connection: str) -> str:
        """Name the connection that has replaced it, or itself."""
        while connection in self._replaced:
            connection = self._replaced[connection]
        return connection

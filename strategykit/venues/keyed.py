"""Handing out data of venues whose messages name a key, such as a symbol, and no guid of ours."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final, Protocol, TypeVar, cast

import attrs

from strategykit.model.events import Event
from strategykit.model.instruments import Instrument
from strategykit.venues.dialect import Confirmed, Cursor, Decoded
from strategykit.venues.subscriptions import LIVE, Subscription, Subscriptions, SubscriptionState

__all__ = ["Answer", "KeyedCursor", "Rows", "hand_out", "hand_to", "hand_to_all"]

D_contra = TypeVar("D_contra", contravariant=True)

_ACTIVE: Final = SubscriptionState.ACTIVE
_ASKED: Final = SubscriptionState.ASKED


Rows = Sequence[Event | Instrument]
"""What an answer over HTTP says."""


@attrs.frozen(eq=False)
class Answer:
    """Hands an answer to who asked, unless it has asked for something else since."""

    number: int
    current: Callable[[], int]
    """Gives the number of the question that is waited for."""
    take: Callable[[Rows | None, str, int], Sequence[Decoded]]

    def answered(self, rows: Rows | None, reason: str, now: int) -> Sequence[Decoded]:
        return self.take(rows, reason, now) if self.number == self.current() else ()


class KeyedCursor(Cursor, Protocol[D_contra]):
    """A cursor that takes data read from a frame before; neither method raises, whatever the datum."""

    def take(self, datum: D_contra, now: int) -> Sequence[Decoded]:
        """Give what `datum`, received at `now`, says, oldest first; nothing for what was told before."""
        ...

    def follows(self, datum: D_contra) -> bool:
        """Say whether nothing is missing between what was told and `datum`; repeats follow, too.

        Asked of data by a connection that is taking over: from the first that follows on, all comes by it. Where data
        carry nothing that tells a repeat, each says all there is to say, and follows.
        """
        ...


def hand_out(table: Subscriptions, key: Hashable, datum: object, *, connection: str, now: int) -> Sequence[Decoded]:
    """Give a datum that came by `connection` at `now` to the rows that the venue names `key`, as `hand_to` does.

    What nobody wants (any longer) is counted in `table`. The rows' cursors are `KeyedCursor` of this kind of datum.
    What can be wrong with a frame is found before anything of it is handed out: otherwise one row had taken what
    another was then never given.
    """
    rows = table.by_key.get(key)
    if rows is None:
        table.note_unknown(key)
        return ()
    return hand_to_all(table, rows, datum, connection=connection, now=now)


def hand_to_all(
    table: Subscriptions, rows: Sequence[Subscription], datum: object, *, connection: str, now: int
) -> Sequence[Decoded]:
    """Give a datum that came by `connection` at `now` to all rows of its key, as `hand_out` does."""
    if len(rows) == 1:
        row = rows[0]
        if row.state is _ACTIVE and row.connection == connection and row.gap_since is None:
            row.last_time = now
            row.data += 1
            cursor: Any = row.cursor  # `cast` is a call, which costs as much as all of this.
            return cursor.take(datum, now)  # type: ignore[no-any-return]  # it is a `KeyedCursor`
        return hand_to(table, row, datum, connection=connection, now=now)
    found: list[Decoded] = []
    for row in rows:
        found.extend(hand_to(table, row, datum, connection=connection, now=now))
    return found


def hand_to(table: Subscriptions, row: Subscription, datum: object, *, connection: str, now: int) -> Sequence[Decoded]:
    """Give a datum that came by `connection` to one row; give what its cursor makes of it.

    It goes after `Confirmed`, if it is the first since the row was asked for, or the first that is good to go on with
    by the connection that takes the row over; after the gap that it ends, if there is one. Data for rows that haven't
    been asked for, or by another connection than theirs, count as late. Counts the row's data.
    """
    if row.state not in LIVE or connection not in (row.connection, row.successor):
        table.late += 1
        return ()
    cursor = cast("KeyedCursor[object]", row.cursor)
    taken_over = connection != row.connection
    if taken_over and not cursor.follows(datum):
        return ()  # The old connection still has what lies between.
    row.data += 1
    events = cursor.take(datum, now)
    if taken_over or row.state is _ASKED:
        return (Confirmed(row.guid), *events)
    gap = table.datum(row, now)
    return events if gap is None else (gap, *events)

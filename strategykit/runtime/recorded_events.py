"""The market data of a tape as events: what a simulated venue can serve again."""

from __future__ import annotations

from collections.abc import Iterator

from strategykit.errors import RemoteProtocolError
from strategykit.model.events import Event
from strategykit.net.inbox import Input, InputKind
from strategykit.runtime.feeds import MARKET
from strategykit.runtime.recorded import inputs, scan
from strategykit.tape.reader import Tape
from strategykit.venues.dialect import Confirmed, Dialect
from strategykit.venues.streams import PRIVATE
from strategykit.venues.subscriptions import Subscriptions

__all__ = ["market_events"]


def market_events(tape: Tape, dialect: Dialect) -> Iterator[tuple[int, Event]]:
    """Yield the tape's market data with the times at which they arrived, nanoseconds UTC.

    Past rows that the venue replayed on subscribing are left out, as are frames that can't be read.

    Raises:
        TapeError: The tape is damaged.
    """
    table = Subscriptions(dialect.limits, {}, lambda: "", dialect.cursor, dialect.lane, dialect.key)
    for row in scan(tape).rows:
        if row.stream.kind not in PRIVATE and row.guid not in table.by_guid:
            table.restore(row.guid, row.stream, row.connection)
    for item in inputs(tape):
        if not isinstance(item, Input):
            continue
        if item.kind is InputKind.OPENED:
            for asked in table.on(item.connection):
                table.asked(asked.guid)
        elif item.kind is InputKind.CLOSED:
            table.lost(item.connection, item.receive_time, str(item.payload))
        elif item.kind is InputKind.FRAME:
            yield from _market_data(item, table, dialect)


def _market_data(item: Input, table: Subscriptions, dialect: Dialect) -> Iterator[tuple[int, Event]]:
    try:
        decoded = dialect.decode(item.payload, table, connection=item.connection, receive_time=item.receive_time)
    except RemoteProtocolError:
        return
    for thing in decoded:
        if isinstance(thing, Confirmed) and thing.guid in table.by_guid:
            table.confirmed(thing.guid, item.receive_time)
        elif type(thing) in MARKET and not getattr(thing, "snapshot", False):
            yield item.receive_time, thing  # type: ignore[misc]  # an identity test narrows less than isinstance

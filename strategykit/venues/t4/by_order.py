"""Books by order, client side: every resting order is kept; told are these, or the levels that they make.

Source: T4 protocol sheet, sections 3.3 and 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from strategykit.model.by_order import BookByOrder, parallel_orders
from strategykit.model.events import ByOrderDelta, ByOrderSnapshot, Side
from strategykit.venues.dialect import Decoded, Resubscribe
from strategykit.venues.streams import Stream, StreamKind
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.proto import market_pb2 as pb
from strategykit.venues.t4.quotes import instrument_of
from strategykit.venues.t4.reading import price, stamp

__all__ = ["ByOrderCursor", "Change", "Step", "Whole", "read_step", "read_step_of_trade", "read_whole"]

_SIDES: Final = {enums.BID_OFFER_BID: True, enums.BID_OFFER_OFFER: False}

_Order = tuple[str, float, float]
"""Name, price and lots."""


@attrs.frozen
class Change:
    """An order came or changed; without lots it left. `number` None: all of them did."""

    number: int | None
    bid: bool = True
    price: float = 0.0
    volume: int = 0
    priority: int = 0
    """Place in the queue at its price."""


@attrs.frozen
class Whole:
    """Every resting order."""

    sequence: int
    time: int | None
    orders: tuple[Change, ...]


@attrs.frozen
class Step:
    """What happened since; a trade alone changes nothing."""

    sequence: int
    time: int | None
    changes: tuple[Change, ...]


def read_whole(message: pb.MarketByOrderSnapshot) -> Whole:
    orders = tuple(_change(each) for each in message.orders)
    return Whole(message.last_sequence, stamp(message, "time"), orders)


def read_step(message: pb.MarketByOrderUpdate) -> Step:
    """Read changes. A kind that isn't known can't be applied."""
    changes = []
    for each in message.updates:
        match each.update_type:
            case pb.MarketByOrderUpdate.UPDATE_TYPE_ADD_OR_UPDATE:
                changes.append(_change(each))
            case pb.MarketByOrderUpdate.UPDATE_TYPE_DELETE:
                changes.append(Change(each.order_id))
            case pb.MarketByOrderUpdate.UPDATE_TYPE_CLEAR:
                changes.append(Change(None))
            case kind:
                raise ValueError(f"a change of kind {kind}")
    return Step(message.sequence, stamp(message, "time"), tuple(changes))


def read_step_of_trade(message: pb.MarketByOrderTrade) -> Step:
    """Read a trade's place in the sequence; what it does to the book is told by changes of their own."""
    return Step(message.sequence, stamp(message, "time"), ())


def _change(order: pb.MarketByOrderSnapshot.Order | pb.MarketByOrderUpdate.Update) -> Change:
    value, bid = price(order.price.value), _SIDES.get(order.bid_offer)
    if value is None or bid is None or order.volume < 0:
        raise ValueError(f"order {order.order_id} of {order.volume} lots, side {order.bid_offer}, at {value}")
    return Change(order.order_id, bid, value, order.volume, order.priority)


class ByOrderCursor:
    """A book that is built from its orders; where books by level are wanted, what these make is told.

    The sequence grows by 1: after a jump the stream is asked for anew, and what comes until then is dropped.
    """

    __slots__ = ("_book", "_by_level", "_guid", "_instrument", "_sequence")

    def __init__(self, guid: str, stream: Stream) -> None:
        self._guid = guid
        self._instrument = instrument_of(stream)
        self._by_level = stream.kind is StreamKind.BOOK
        self.reconnected()

    def reconnected(self) -> None:
        """The book begins anew."""
        self._sequence: int | None = None
        self._book = BookByOrder(self._instrument)

    def take(self, datum: Whole | Step, now: int) -> Sequence[Decoded]:
        if isinstance(datum, Whole):
            self._sequence = datum.sequence
            return self._tell(self._whole(datum.orders, datum, now))
        known = self._sequence
        if known is None or datum.sequence <= known:
            return ()
        if datum.sequence > known + 1:
            self._sequence = None
            return (Resubscribe(self._guid, f"book by order: {known} was followed by {datum.sequence}"),)
        self._sequence = datum.sequence
        last = max((place for place, change in enumerate(datum.changes) if change.number is None), default=None)
        if last is not None:
            standing = {change.number: change for change in datum.changes[last + 1 :]}
            return self._tell(self._whole([change for change in standing.values() if change.volume], datum, now))
        bids, asks = self._changed(datum.changes)
        if not bids and not asks:
            return ()
        return self._tell(
            ByOrderDelta(
                self._instrument,
                *parallel_orders(bids),
                *parallel_orders(asks),
                datum.time,
                now,
                self._guid,
                datum.sequence,
            )
        )

    def follows(self, _: object) -> bool:
        return True

    def _tell(self, event: ByOrderSnapshot | ByOrderDelta) -> Sequence[Decoded]:
        levels = self._book.apply(event)
        assert levels is not None  # A snapshot came before all changes.
        return (levels,) if self._by_level else (event,)

    def _whole(self, orders: Iterable[Change], datum: Whole | Step, now: int) -> ByOrderSnapshot:
        # Of one price, those that come first in its queue come first.
        ordered = sorted(orders, key=lambda order: order.priority)
        bids = sorted((order for order in ordered if order.bid), key=lambda order: -order.price)
        asks = sorted((order for order in ordered if not order.bid), key=lambda order: order.price)
        said, asked = (
            parallel_orders([(str(order.number), order.price, float(order.volume)) for order in side])
            for side in (bids, asks)
        )
        return ByOrderSnapshot(
            self._instrument, *said, *asked, datum.time, now, self._guid, snapshot=True, sequence=datum.sequence
        )

    def _changed(self, changes: Iterable[Change]) -> tuple[list[_Order], list[_Order]]:
        """Give the bids and asks that came, changed or left."""
        sides: dict[Side, dict[str, _Order]] = {Side.BUY: {}, Side.SELL: {}}
        for change in changes:
            name = str(change.number)
            for side, changed in sides.items():
                old = changed.pop(name, None) or self._find(side, name)
                if old is not None:
                    changed[name] = (name, old[1], 0.0)
            if change.volume:
                changed = sides[Side.BUY if change.bid else Side.SELL]
                changed.pop(name, None)
                changed[name] = (name, change.price, float(change.volume))
        return list(sides[Side.BUY].values()), list(sides[Side.SELL].values())

    def _find(self, side: Side, name: str) -> _Order | None:
        found = self._book.find(name)
        return None if found is None or found[0] is not side else (name, *found[1:])

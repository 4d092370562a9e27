"""Books by order, client side: every resting order is kept, and what is told are the levels that they make.

Source: T4 protocol sheet, sections 3.3 and 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from strategykit.model.events import BookDelta, BookSnapshot
from strategykit.venues.dialect import Decoded, Resubscribe
from strategykit.venues.streams import Stream
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.proto import market_pb2 as pb
from strategykit.venues.t4.quotes import instrument_of
from strategykit.venues.t4.reading import price, stamp

__all__ = ["ByOrderCursor", "Change", "Step", "Whole", "read_step", "read_step_of_trade", "read_whole"]

_SIDES: Final = {enums.BID_OFFER_BID: True, enums.BID_OFFER_OFFER: False}


@attrs.frozen
class Change:
    """An order came or changed; without lots it left. `number` None: all of them did."""

    number: int | None
    bid: bool = True
    price: float = 0.0
    volume: int = 0


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
    return Change(order.order_id, bid, value, order.volume)


class ByOrderCursor:
    """A book that is built from its orders.

    The sequence grows by 1: after a jump the stream is asked for anew, and what comes until then is dropped.
    """

    __slots__ = ("_guid", "_instrument", "_levels", "_orders", "_sequence")

    def __init__(self, guid: str, stream: Stream) -> None:
        self._guid = guid
        self._instrument = instrument_of(stream)
        self.reconnected()

    def reconnected(self) -> None:
        """The book begins anew."""
        self._sequence: int | None = None
        self._orders: dict[int, Change] = {}
        self._levels: tuple[dict[float, int], dict[float, int]] = ({}, {})

    def take(self, datum: Whole | Step, now: int) -> Sequence[Decoded]:
        if isinstance(datum, Whole):
            self.reconnected()
            self._sequence = datum.sequence
            for order in datum.orders:
                self._apply(order)
            return (self._snapshot(datum.time, now),)
        known = self._sequence
        if known is None or datum.sequence <= known:
            return ()
        if datum.sequence > known + 1:
            self._sequence = None
            return (Resubscribe(self._guid, f"book by order: {known} was followed by {datum.sequence}"),)
        self._sequence = datum.sequence
        touched: dict[tuple[bool, float], None] = {}
        cleared = False
        for change in datum.changes:
            if change.number is None:
                self._orders.clear()
                self._levels = ({}, {})
                cleared = True
            else:
                touched.update(dict.fromkeys(self._apply(change)))
        if cleared:
            return (self._snapshot(datum.time, now),)
        return (self._delta(touched, datum, now),) if touched else ()

    def follows(self, _: object) -> bool:
        return True

    def _apply(self, change: Change) -> list[tuple[bool, float]]:
        """Put an order in, in place of what it was, or take it out; give the levels that this changes."""
        assert change.number is not None
        touched = []
        old = self._orders.pop(change.number, None)
        if old is not None:
            self._add(old, -old.volume)
            touched.append((old.bid, old.price))
        if change.volume:
            self._orders[change.number] = change
            self._add(change, change.volume)
            touched.append((change.bid, change.price))
        return touched

    def _add(self, order: Change, volume: int) -> None:
        levels = self._levels[not order.bid]
        left = levels.get(order.price, 0) + volume
        if left:
            levels[order.price] = left
        else:
            del levels[order.price]

    def _snapshot(self, time: int | None, now: int) -> BookSnapshot:
        bids, asks = (sorted(levels.items()) for levels in self._levels)
        bids.reverse()
        return BookSnapshot(
            self._instrument,
            tuple([level[0] for level in bids]),
            tuple([float(level[1]) for level in bids]),
            tuple([level[0] for level in asks]),
            tuple([float(level[1]) for level in asks]),
            time,
            now,
            self._guid,
            True,
        )

    def _delta(self, touched: dict[tuple[bool, float], None], step: Step, now: int) -> BookDelta:
        bids, asks = ([level for bid, level in touched if bid is wanted] for wanted in (True, False))
        return BookDelta(
            self._instrument,
            tuple(bids),
            tuple([float(self._levels[0].get(level, 0)) for level in bids]),
            tuple(asks),
            tuple([float(self._levels[1].get(level, 0)) for level in asks]),
            step.time,
            now,
            self._guid,
            step.sequence,
        )

"""Own orders and fills, client side: events of what T4 tells, and the answers to our commands that it holds.

Source: T4 protocol sheet, section 3.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from strategykit.model.events import Event, Fill, OrderStatus, OrderUpdate, VenueError, VenueStatus
from strategykit.model.orders import AmendOrder, CancelOrder
from strategykit.venues.dialect import Decoded, OrderReply, Reply, Resubscribe
from strategykit.venues.streams import Stream
from strategykit.venues.t4.names import ORDER_CODES, word
from strategykit.venues.t4.news import OrderNews, OrderTold, TradeTold
from strategykit.venues.t4.order_memory import KnownOrder, OrderMemory
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.subscribing import account_of
from strategykit.venues.t4.tags import read_tag

__all__ = ["FillCursor", "OrderCursor"]

_ANSWERS: Final[dict[int, tuple[type[AmendOrder | CancelOrder], bool]]] = {
    enums.ORDER_CHANGE_REVISION_SUCCESS: (AmendOrder, True),
    enums.ORDER_CHANGE_REVISION_RISK_FAILED: (AmendOrder, False),
    enums.ORDER_CHANGE_REVISION_FAILED: (AmendOrder, False),
    enums.ORDER_CHANGE_REVISION_REJECTED: (AmendOrder, False),
    # A change that leaves everything as it is changes the tag alone.
    enums.ORDER_CHANGE_TAG_SUCCESS: (AmendOrder, True),
    enums.ORDER_CHANGE_TAG_FAILED: (AmendOrder, False),
    enums.ORDER_CHANGE_PULL_SUCCESS: (CancelOrder, True),
    enums.ORDER_CHANGE_PULL_RISK_FAILED: (CancelOrder, False),
    enums.ORDER_CHANGE_PULL_FAILED: (CancelOrder, False),
    enums.ORDER_CHANGE_PULL_REJECTED: (CancelOrder, False),
}
"""What answers which command, and how; all other changes are steps on the way, or the order's own."""


class OrderCursor:
    """The account's orders; a state that was told before isn't told again."""

    __slots__ = ("_account", "_asked", "_guid", "_memory", "_shown", "_told")

    def __init__(self, guid: str, stream: Stream) -> None:
        self._guid = guid
        self._account = account_of(stream)
        self._memory = OrderMemory()
        self._told: dict[str, tuple[object, ...]] = {}
        self._shown: list[str] = []
        """What the last snapshot showed."""
        self._asked: set[str] = set()
        """Orders of which too little was told, so that all were asked for once more."""

    def learn(self, names: Iterable[tuple[str, str]]) -> None:
        self._memory.learn(names)

    def take(self, datum: OrderNews, now: int) -> Sequence[Decoded]:
        self._memory.learn(datum.names)
        if datum.listing:
            self._shown = []
        found: list[Decoded] = []
        for told in datum.told:
            order, news, fresh = self._memory.apply(datum, told)
            if datum.listing:
                self._shown.append(order.number)
            found += self._legs(order, fresh, now)
            if news:
                found += self._tell(order, told, datum, now)
        return found

    def follows(self, _: object) -> bool:
        return True

    def reconnected(self) -> None:
        """What was told stays: what the snapshot shows was told before, or is news."""

    def listing(self, now: int) -> Iterator[Event]:
        """Give all that the last snapshot showed, each order after its fills."""
        for number in self._shown:
            order = self._memory.orders[number]
            if order.side is None:
                continue
            for trade in order.trades.values():
                yield fill_of(order, trade, self._guid, now, snapshot=True)
            yield self._update(order, now, snapshot=True)

    def _tell(self, order: KnownOrder, told: OrderTold, datum: OrderNews, now: int) -> Iterator[Decoded]:
        """Give the event, and the answer that it is: a no goes first, for the order is refused by it, not before."""
        answer = self._answer(order, told, snapshot=datum.snapshot)
        if told.change == enums.ORDER_CHANGE_TRADE_BUSTED:
            words = f"T4 took a fill of order {order.number} back: {told.detail or 'no reason given'}"
            yield VenueError(order.instrument, ORDER_CODES + told.change, words, told.time, now, self._guid)
        if answer is not None and (not answer.ok or (isinstance(answer, OrderReply) and answer.to is AmendOrder)):
            yield answer
            answer = None
        if order.side is None:
            if order.number not in self._asked:
                self._asked.add(order.number)
                yield Resubscribe(self._guid, f"order {order.number} was told of without its beginning")
        elif self._unexplained(order, snapshot=datum.snapshot):
            if order.number not in self._asked:
                self._asked.add(order.number)
                yield Resubscribe(self._guid, f"order {order.number} has ended, and nothing said how")
        elif datum.snapshot or order.status != enums.ORDER_STATUS_NONE:
            update = self._update(order, now, snapshot=datum.snapshot)
            state = (update.status, update.filled, update.quantity, update.price, update.stop_price, update.reason)
            if self._told.get(order.number) != state:
                self._told[order.number] = state
                yield update
        if answer is not None:
            yield answer

    def _unexplained(self, order: KnownOrder, *, snapshot: bool) -> bool:
        """Whether it has ended, and all that says so is a no to a command: fills may have been overtaken by that."""
        state = self._told.get(order.number)
        refused = order.change in _ANSWERS and not _ANSWERS[order.change][1]
        known = snapshot or order.filled >= order.volume or (state is not None and state[0] is not OrderStatus.WORKING)
        return refused and order.status == enums.ORDER_STATUS_FINISHED and not known

    def _answer(self, order: KnownOrder, told: OrderTold, *, snapshot: bool) -> Reply | OrderReply | None:
        client, kind, guid = read_tag(order.tag)
        words = told.detail or word("OrderChange", told.change)
        code = ORDER_CODES + told.change
        if not order.answered and order.status != enums.ORDER_STATUS_NONE:
            order.answered = True
            refused = order.status == enums.ORDER_STATUS_REJECTED
            # Orders that were refused long ago are in snapshots, too: that is no news for anybody.
            if client and (not snapshot if refused else snapshot or told.change not in _ANSWERS):
                return Reply(client, code if refused else 0, words, not refused, order.number)
        if snapshot or told.change not in _ANSWERS:
            return None
        to, ok = _ANSWERS[told.change]
        quantity = order.volume if to is AmendOrder else None
        return OrderReply(order.number, to, guid if kind is to else None, 0 if ok else code, words, ok, quantity)

    def _update(self, order: KnownOrder, now: int, *, snapshot: bool) -> OrderUpdate:
        assert order.side is not None
        client, _, _ = read_tag(order.tag)
        refused = order.status == enums.ORDER_STATUS_REJECTED
        return OrderUpdate(
            order.instrument,
            order.number,
            client,
            order.outcome,
            order.side,
            order.volume,
            order.filled,
            order.limit_price,
            order.time,
            now,
            self._guid,
            snapshot,
            order.account_id or self._account,
            order.stop_price,
            None,
            order.detail or (word("OrderChange", order.change) if refused else None) or None,
            order.show,
            order.group or None,
        )

    def _legs(self, order: KnownOrder, fresh: Iterable[TradeTold], now: int) -> Iterator[Event]:
        """A leg's part of a fill is no fill of the order: it is told in words."""
        for trade in fresh:
            if trade.leg is not None:
                words = f"leg {trade.leg} of order {order.number}: {trade.volume} at {trade.price} ({trade.trade_id})"
                yield VenueStatus(order.instrument, words, trade.time, now, self._guid)


class FillCursor:
    """The account's fills, each once."""

    __slots__ = ("_guid", "_memory", "_waiting")

    def __init__(self, guid: str, stream: Stream) -> None:
        account_of(stream)
        self._guid = guid
        self._memory = OrderMemory()
        self._waiting: dict[str, list[TradeTold]] = {}
        """Fills of orders whose side isn't known yet."""

    def learn(self, names: Iterable[tuple[str, str]]) -> None:
        self._memory.learn(names)

    def take(self, datum: OrderNews, now: int) -> Sequence[Event]:
        self._memory.learn(datum.names)
        found: list[Event] = []
        for told in datum.told:
            order, _, fresh = self._memory.apply(datum, told)
            fills = [*self._waiting.pop(order.number, ()), *(trade for trade in fresh if trade.leg is None)]
            if order.side is not None:
                found += [fill_of(order, trade, self._guid, now, snapshot=datum.snapshot) for trade in fills]
            elif fills:
                self._waiting[order.number] = fills
        return found

    def follows(self, _: object) -> bool:
        return True

    def reconnected(self) -> None:
        """What was told stays: what the snapshot shows was told before, or is news."""


def fill_of(order: KnownOrder, trade: TradeTold, guid: str, now: int, *, snapshot: bool) -> Fill:
    """Give the event of a fill. Fees are told for whole days only, not with it."""
    assert order.side is not None
    client, _, _ = read_tag(order.tag)
    return Fill(
        order.instrument,
        f"{order.number}{trade.trade_id}" if trade.trade_id.startswith("#") else trade.trade_id,
        order.number,
        client,
        order.side,
        trade.volume,
        trade.price,
        None,
        None,
        trade.time,
        now,
        guid,
        snapshot,
        order.account_id,
    )

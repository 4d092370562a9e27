"""Books by order of the simulated T4 venue: whole ones, then numbered changes.

Source: T4 protocol sheet, sections 3.3 and 4.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from strategykit.model.events import BookSnapshot, Event, Side, Trade
from strategykit.sim.matching import Match, Order
from strategykit.sim.t4_boards import Boards
from strategykit.sim.t4_session import T4Session
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.server import encode
from strategykit.venues.t4.server_by_order import (
    Change,
    Standing,
    by_order_snapshot,
    by_order_trade,
    by_order_update,
)
from strategykit.venues.t4.server_market import by_order_refusal
from strategykit.venues.t4.server_prices import PriceWords
from strategykit.venues.t4.server_requests import SubscribeByOrder

__all__ = ["ByOrderPublisher"]


@attrs.define(eq=False)
class _Queue:
    """One market as its watchers were told it."""

    sequence: int = 0
    orders: dict[int, Standing] = attrs.field(factory=dict)
    priority: int = 0
    watchers: dict[T4Session, None] = attrs.field(factory=dict)


class ByOrderPublisher:
    """All subscriptions by order. What nobody watches is not kept."""

    def __init__(self, boards: Boards) -> None:
        self._boards = boards
        self._queues = {name: _Queue() for name in boards.markets}
        self._parties: dict[int, tuple[tuple[int, Side], tuple[int, Side]]] = {}
        self._swallow: dict[str, int] = {}

    def witness(self, number: int, match: Match) -> None:
        """Note who met whom in the trade `number`."""
        self._parties[number] = (match.maker.number, match.maker.side), (match.taker.number, match.taker.side)

    def subscribe(self, session: T4Session, asked: SubscribeByOrder, now: int) -> None:
        """Begin or end a subscription; asking again gives the book again."""
        market_id = asked.market_id
        if not asked.subscribe:
            self._drop(session, market_id)
            return
        refusal = self._boards.find_refusal(asked.exchange_id, asked.contract_id, market_id)
        if refusal:
            session.send(encode(market_by_order_subscribe_reject=by_order_refusal(market_id, refusal, now)), now)
            return
        queue = self._queues[market_id]
        if not queue.watchers:
            queue.orders = {order.number: order for order in self._standing(market_id, {})}
        queue.watchers[session] = None
        session.by_order.add(market_id)
        self._boards.define(session, market_id, now)
        whole = by_order_snapshot(
            list(queue.orders.values()),
            self._boards.words(market_id, session.format),
            mode=self._boards[market_id].mode,
            sequence=queue.sequence,
            time=now,
        )
        session.send(encode(market_by_order_snapshot=whole), now)

    def leave(self, session: T4Session) -> None:
        """End all subscriptions of a connection."""
        for market_id in list(session.by_order):
            self._drop(session, market_id)

    def publish(self, events: Sequence[Event], now: int) -> None:
        """Tell trades and changes to those who watch."""
        for event in events:
            if isinstance(event, Trade):
                self._trade(event, now)
            elif isinstance(event, BookSnapshot):
                self._change(event.instrument, now)
        self._parties.clear()

    def clear(self, market_id: str, now: int) -> None:
        """Tell watchers to forget the book, and give it anew."""
        queue = self._queues[market_id]
        if queue.watchers:
            self._update(market_id, [Change(), *(Change(added=order) for order in queue.orders.values())], now)

    def swallow(self, market_id: str, count: int) -> None:
        """Lose the next `count` updates of a market on the way to its watchers."""
        self._swallow[market_id] = self._swallow.get(market_id, 0) + count

    def heal(self) -> None:
        """Lose no more."""
        self._swallow.clear()

    def _drop(self, session: T4Session, market_id: str) -> None:
        if market_id in session.by_order:
            session.by_order.discard(market_id)
            queue = self._queues[market_id]
            del queue.watchers[session]
            if not queue.watchers:
                queue.orders = {}

    def _trade(self, trade: Trade, now: int) -> None:
        queue = self._queues[trade.instrument]
        if not queue.watchers:
            return
        queue.sequence += 1
        parties = self._parties.get(int(trade.trade_id or 0), ())
        for session, words in self._watchers(trade.instrument):
            told = by_order_trade(trade, words, sequence=queue.sequence, parties=parties)
            session.send(encode(market_by_order_trade=told), now)

    def _change(self, market_id: str, now: int) -> None:
        queue = self._queues[market_id]
        if not queue.watchers:
            return
        old = queue.orders
        queue.orders = {order.number: order for order in self._standing(market_id, old)}
        changes = [Change(deleted=order) for number, order in old.items() if number not in queue.orders]
        changes += [Change(added=order) for number, order in queue.orders.items() if old.get(number) != order]
        if changes:
            self._update(market_id, changes, now)

    def _update(self, market_id: str, changes: Sequence[Change], now: int) -> None:
        queue = self._queues[market_id]
        queue.sequence += 1
        if self._swallow.get(market_id):
            self._swallow[market_id] -= 1
            return
        mode = self._boards[market_id].mode
        frames: dict[enums.PriceFormat, bytes] = {}
        for session, words in self._watchers(market_id):
            frame = frames.get(session.format)
            if frame is None:
                told = by_order_update(changes, words, mode=mode, sequence=queue.sequence, time=now)
                frame = frames[session.format] = encode(market_by_order_update=told)
            session.send(frame, now)

    def _watchers(self, market_id: str) -> Iterator[tuple[T4Session, PriceWords]]:
        for session in list(self._queues[market_id].watchers):
            yield session, self._boards.words(market_id, session.format)

    def _standing(self, market_id: str, old: dict[int, Standing]) -> Iterator[Standing]:
        """Yield the book as it is now, each order with its place in the queue: what went to the back has a new one."""
        queue, exchange = self._queues[market_id], self._boards.exchange
        price_of = self._boards.markets[market_id].instrument.price
        for side in Side:
            behind, level = 0, None
            for order in exchange.resting(market_id, side):
                if order.price != level:
                    behind, level = 0, order.price
                known = old.get(order.number)
                if known is not None and known.priority > behind:
                    behind = known.priority
                else:
                    queue.priority += 1
                    behind = queue.priority
                yield _stand(order, float(price_of(order.price or 0)), behind)


def _stand(order: Order, price: float, priority: int) -> Standing:
    return Standing(order.number, order.side, price, order.visible, priority)

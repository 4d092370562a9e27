"""Orders at the simulated T4 venue: each one's way through risk check, exchange and fills.

Source: T4 protocol sheet, section 3.5, with the sequence that its table suggests.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from random import Random
from typing import Final
from uuid import UUID

import attrs

from strategykit.model.events import Event, Fill, OrderStatus, OrderUpdate, Side
from strategykit.model.orders import AmendOrder, CancelOrder, Command, CreateOrder
from strategykit.sim.exchange import SimulatedExchange
from strategykit.sim.t4_boards import Boards
from strategykit.sim.t4_live import LinkGroup, LiveOrder
from strategykit.sim.t4_session import T4Session
from strategykit.sim.t4_updates import UpdateTeller
from strategykit.venues.dialect import Reply
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.server_orders import OrderTrade, ServedOrder
from strategykit.venues.t4.server_prices import PriceWords
from strategykit.venues.t4.server_requests import Ticket

__all__ = ["OrderDesk"]

_NONE: Final = enums.RESPONSE_PENDING_NONE
_WORKING: Final = enums.ORDER_STATUS_WORKING

_KEPT: Final = 10_000
"""Finished orders that are still known."""

_TRIGGERED: Final = {
    enums.ACTIVATION_TYPE_HOLD: enums.ACTIVATION_TYPE_TRIGGERED,
    enums.ACTIVATION_TYPE_AT_OR_AFTER_TIME: enums.ACTIVATION_TYPE_TRIGGERED_AT_OR_AFTER_TIME,
    enums.ACTIVATION_TYPE_AT_OR_ABOVE_TRADE_TICKS: enums.ACTIVATION_TYPE_TRIGGERED_AT_OR_ABOVE_TRADE_TICKS,
    enums.ACTIVATION_TYPE_AT_OR_BELOW_TRADE_TICKS: enums.ACTIVATION_TYPE_TRIGGERED_AT_OR_BELOW_TRADE_TICKS,
    enums.ACTIVATION_TYPE_ON_MARKET_MODE: enums.ACTIVATION_TYPE_TRIGGERED_ON_MARKET_MODE,
    enums.ACTIVATION_TYPE_QUEUE: enums.ACTIVATION_TYPE_TRIGGERED_QUEUE,
    enums.ACTIVATION_TYPE_AT_OR_ABOVE_TICKS: enums.ACTIVATION_TYPE_TRIGGERED_AT_OR_ABOVE_TICKS,
    enums.ACTIVATION_TYPE_AT_OR_BELOW_TICKS: enums.ACTIVATION_TYPE_TRIGGERED_AT_OR_BELOW_TICKS,
}


class OrderDesk:
    """All orders, each by itself; what one leads to in others is `news` for `t4_links`.

    Args:
        exchange: Matches.
        boards: Words prices, and says where markets are.
        teller: Tells of orders.
        publish: Tells everyone of what the exchange's events say.
        seed: Of order numbers.
    """

    def __init__(
        self,
        exchange: SimulatedExchange,
        boards: Boards,
        teller: UpdateTeller,
        publish: Callable[[Sequence[Event], int], None],
        *,
        seed: str,
    ) -> None:
        self.orders: dict[str, LiveOrder] = {}
        """By unique id, oldest first."""
        self.news: deque[tuple[LiveOrder, OrderTrade | None]] = deque()
        """Fills, and ends (None), that linked orders haven't been told of."""
        self.failures = 0
        """How many of the next requests fail inside T4."""
        self.touched: dict[tuple[str, str], None] = {}
        """Accounts and markets whose positions or working volumes have changed."""
        self._exchange = exchange
        self._boards = boards
        self._teller = teller
        self._publish = publish
        self._random = Random(seed)
        self._finished: deque[str] = deque()

    def new_id(self) -> str:
        """Give a GUID as text."""
        return str(UUID(int=self._random.getrandbits(128), version=4))

    def working(self, account: str, market: str | None = None) -> Iterator[LiveOrder]:
        """Yield the account's orders that can still do something."""
        for live in self.orders.values():
            told = live.told
            if told.account_id == account and not live.finished and market in (None, told.market_id):
                yield live

    def make(
        self,
        session: T4Session,
        ticket: Ticket,
        account_id: str,
        market_id: str,
        *,
        words: PriceWords | None,
        link: enums.OrderLink = enums.ORDER_LINK_NONE,
        group: LinkGroup | None = None,
        relation_id: str = "",
        now: int,
    ) -> LiveOrder:
        """Note a new order, of which nobody has been told; without `words` its prices aren't looked at."""
        user = session.user
        assert user is not None

        def real(price: Decimal | None) -> Decimal | None:
            return None if price is None or words is None else words.read(price)

        told = ServedOrder(
            unique_id=self.new_id(),
            account_id=account_id,
            market_id=market_id,
            exchange_id=words.market.exchange_id if words is not None else "",
            user_id=user.user_id,
            user_name=user.username,
            session_id=session.session_id,
            app_name=session.app,
            buy_sell=ticket.buy_sell,
            price_type=ticket.price_type,
            time_type=ticket.time_type,
            link=link,
            activation_type=ticket.activation_type,
            submitted=now,
            tag=ticket.tag,
            relation_id=relation_id,
            new_volume=ticket.volume,
            new_limit=real(ticket.limit_price),
            new_stop=real(ticket.stop_price),
            trail=real(ticket.trail_distance),
            new_show=ticket.max_show or 0,
            max_volume=ticket.max_volume or 0,
        )
        side = Side.SELL if ticket.buy_sell == enums.BUY_SELL_SELL else Side.BUY
        activation = ticket.activation
        if activation is not None:
            activation = attrs.evolve(activation, price=real(activation.price))
        live = LiveOrder(told=told, side=side, activation=activation, group=group)
        self.orders[told.unique_id] = live
        if group is not None:
            group.orders.append(live)
        return live

    def refuse(self, live: LiveOrder, reason: str, session: T4Session, now: int) -> None:
        """Refuse a new order at the risk check."""
        self._set(live, enums.ORDER_CHANGE_SUBMISSION_RISK_REJECTED, enums.ORDER_STATUS_REJECTED, detail=reason)
        self._teller.whole(live.told, now, to=session)
        self._finish(live)

    def accept(self, live: LiveOrder, now: int) -> None:
        """Tell that a new order has passed the risk check."""
        pending = enums.RESPONSE_PENDING_SUBMISSION
        self._set(live, enums.ORDER_CHANGE_SUBMISSION_RISK_SUCCESS, enums.ORDER_STATUS_NONE, pending)
        self._teller.whole(live.told, now)

    def hold(self, live: LiveOrder, now: int, *, status: enums.OrderStatus = enums.ORDER_STATUS_HELD) -> None:
        """Keep an accepted order here until it is sent on; one that isn't HELD looks as if the exchange had it."""
        told = live.told
        told.settle_new()
        told.working = 0 if status == enums.ORDER_STATUS_HELD else live.left
        self._status(live, enums.ORDER_CHANGE_SUBMISSION_SUCCESS, status, _NONE, now)

    def finish_quote_request(self, live: LiveOrder, now: int) -> None:
        """An accepted request for quotes is done at once. Source: sheet, section 3.5."""
        live.told.settle_new()
        self._status(live, enums.ORDER_CHANGE_SUBMISSION_SUCCESS, enums.ORDER_STATUS_FINISHED, _NONE, now)
        self._finish(live)

    def send(self, live: LiveOrder, now: int) -> None:
        """Send an accepted or held order to the exchange."""
        told = live.told
        if live.held:
            told.activation_type = _TRIGGERED.get(told.activation_type, told.activation_type)
        pending = enums.RESPONSE_PENDING_SUBMISSION
        if self._fails(live, enums.ORDER_CHANGE_SUBMISSION_FAILED, enums.ORDER_STATUS_REJECTED, now):
            self._finish(live)
            return
        self._status(live, enums.ORDER_CHANGE_SUBMISSION_SENT, told.status, pending, now)
        result, events = self._command(live, CreateOrder(guid="", request=live.request()), now)
        if not result.ok:
            told.working = 0
            change = enums.ORDER_CHANGE_SUBMISSION_REJECTED
            self._status(live, change, enums.ORDER_STATUS_REJECTED, _NONE, now, detail=result.message)
            self._finish(live)
        self._publish(events, now)

    def revise(self, live: LiveOrder, now: int, *, detail: str = "") -> None:
        """Ask the exchange for the new values that the order holds; put the old ones back if it refuses."""
        told = live.told
        if not live.number:
            told.settle_new()
            told.working = 0 if live.held else live.left
            self._status(live, enums.ORDER_CHANGE_REVISION_SUCCESS, told.status, _NONE, now, detail=detail)
            return
        if self._fails(live, enums.ORDER_CHANGE_REVISION_FAILED, told.status, now):
            self._restore(told)
            return
        self._status(live, enums.ORDER_CHANGE_REVISION_SENT, _WORKING, enums.RESPONSE_PENDING_REVISION, now)
        live.replaced = live.number
        command = AmendOrder(guid="", venue_order_id=live.number, request=live.request())
        result, events = self._command(live, command, now)
        if result.ok:
            told.settle_new()
            told.working = live.left
            self._status(live, enums.ORDER_CHANGE_REVISION_SUCCESS, _WORKING, _NONE, now, detail=detail)
        else:
            live.replaced = ""
            self.refuse_revision(live, result.message, now)
        self._publish(events, now)

    def refuse_revision(self, live: LiveOrder, reason: str, now: int) -> None:
        """Leave an order as it is, and say why."""
        told = live.told
        self._restore(told)
        self._status(live, enums.ORDER_CHANGE_REVISION_REJECTED, told.status, _NONE, now, detail=reason)

    def retag(self, live: LiveOrder, tag: str, now: int) -> None:
        """Give an order another tag; the exchange isn't asked."""
        live.told.tag = tag
        self._status(live, enums.ORDER_CHANGE_TAG_SUCCESS, live.told.status, _NONE, now)

    def pull(self, live: LiveOrder, now: int, *, reason: str = "") -> None:
        """Cancel what is unfilled, or say that there's nothing left to cancel."""
        told = live.told
        if live.finished:
            words = "nothing is left to cancel"
            self._status(live, enums.ORDER_CHANGE_PULL_REJECTED, told.status, _NONE, now, detail=words)
            return
        if self._fails(live, enums.ORDER_CHANGE_PULL_FAILED, told.status, now):
            return
        self._status(live, enums.ORDER_CHANGE_PULL_SENT, told.status, enums.RESPONSE_PENDING_PULL, now)
        if not live.number:
            self._cancelled(live, reason, now)
            return
        command = CancelOrder(guid="", venue_order_id=live.number, request=live.request())
        result, events = self._command(live, command, now)
        if not result.ok:  # pragma: no cover - the exchange was asked for news a moment before
            change = enums.ORDER_CHANGE_PULL_REJECTED
            self._status(live, change, told.status, _NONE, now, detail=result.message)
        self._publish(events, now)

    def apply(self, events: Sequence[Event], now: int) -> None:
        """Take the exchange's word on orders that are here."""
        for event in events:
            if isinstance(event, Fill):
                live = self.orders.get(event.client_order_id or "")
                if live is not None:
                    self._filled(live, event, now)
            elif isinstance(event, OrderUpdate):
                live = self.orders.get(event.client_order_id or "")
                if live is not None:
                    self._follow_exchange(live, event, now)

    def _follow_exchange(self, live: LiveOrder, event: OrderUpdate, now: int) -> None:
        if event.linked_order_id is not None:
            live.number = event.linked_order_id  # A stop fired: it goes on under a number of its own.
            live.become_triggered()
        elif event.status is OrderStatus.WORKING:
            live.number = event.venue_order_id
            if live.told.pending == enums.RESPONSE_PENDING_SUBMISSION:
                told = live.told
                told.settle_new()
                told.exchange_order_id = event.venue_order_id
                told.working = live.left
                self._status(live, enums.ORDER_CHANGE_SUBMISSION_SUCCESS, _WORKING, _NONE, now)
        elif event.status is not OrderStatus.FILLED and event.venue_order_id != live.replaced:
            self._cancelled(live, event.reason or "", now)

    def _filled(self, live: LiveOrder, event: Fill, now: int) -> None:
        told, lots = live.told, int(event.quantity)
        told.filled += lots
        told.working = max(0, live.left)
        done = told.working == 0
        self._set(
            live,
            enums.ORDER_CHANGE_TRADE_COMPLETED if done else enums.ORDER_CHANGE_TRADE,
            enums.ORDER_STATUS_FINISHED if done else _WORKING,
        )
        trade = OrderTrade(
            trade_id=event.trade_id,
            volume=lots,
            price=event.price,
            left=told.working,
            time=event.event_time or now,
            sequence=told.sequence,
        )
        told.trades.append(trade)
        self._teller.trade(told, trade, now)
        self.news.append((live, trade))
        if done:
            self._finish(live)

    def _cancelled(self, live: LiveOrder, reason: str, now: int) -> None:
        live.told.working = 0
        change = enums.ORDER_CHANGE_PULL_SUCCESS
        self._status(live, change, enums.ORDER_STATUS_FINISHED, _NONE, now, detail=reason)
        self._finish(live)

    def _fails(self, live: LiveOrder, change: enums.OrderChange, status: enums.OrderStatus, now: int) -> bool:
        """Fail a request on command."""
        if not self.failures:
            return False
        self.failures -= 1
        self._set(live, change, status, detail="failed on command")
        self._teller.request_failed(live.told, now)
        return True

    def _restore(self, told: ServedOrder) -> None:
        """What was asked for isn't any more."""
        told.new_volume, told.new_limit, told.new_stop = told.current_volume, told.current_limit, told.current_stop
        told.new_show = told.current_show

    def _command(self, live: LiveOrder, command: Command, now: int) -> tuple[Reply, Sequence[Event]]:
        return self._exchange.command(live.told.account_id, command, now)

    def _status(
        self,
        live: LiveOrder,
        change: enums.OrderChange,
        status: enums.OrderStatus,
        pending: enums.ResponsePending,
        now: int,
        *,
        detail: str = "",
    ) -> None:
        self._set(live, change, status, pending, detail=detail)
        self._teller.status(live.told, now)

    def _set(
        self,
        live: LiveOrder,
        change: enums.OrderChange,
        status: enums.OrderStatus,
        pending: enums.ResponsePending = _NONE,
        *,
        detail: str = "",
    ) -> None:
        told = live.told
        told.change, told.status, told.pending, told.detail = change, status, pending, detail
        told.sequence += 1
        self.touched[told.account_id, told.market_id] = None

    def _finish(self, live: LiveOrder) -> None:
        self.news.append((live, None))
        self._finished.append(live.told.unique_id)
        if len(self._finished) > _KEPT:
            del self.orders[self._finished.popleft()]

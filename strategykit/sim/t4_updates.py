"""Who is told of orders at the simulated T4 venue; updates can be late, double or lost on command."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from heapq import heappop, heappush
from itertools import count
from typing import Any

import attrs

from strategykit.sim.faults import AnswerPlan, Mishap
from strategykit.sim.t4_boards import Boards
from strategykit.sim.t4_session import T4Session
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.proto import orderrouting_pb2 as pb
from strategykit.venues.t4.server import encode
from strategykit.venues.t4.server_orders import (
    OrderTrade,
    ServedOrder,
    multi,
    order_failed,
    order_status,
    order_trade,
    order_whole,
)
from strategykit.venues.t4.server_prices import PriceWords

__all__ = ["OrderLogEntry", "UpdateTeller"]

_Build = Callable[[PriceWords], pb.OrderUpdateMultiMessage]


@attrs.frozen(kw_only=True)
class OrderLogEntry:
    """One thing that happened to an order: the truth that clients' books are checked against."""

    time: int
    """Nanoseconds UTC."""
    account: str
    market: str
    unique_id: str
    tag: str
    side: str
    change: str
    """Such as ``"SUBMISSION_SUCCESS"``."""
    status: str
    volume: int
    filled: int
    working: int
    limit_price: Decimal | None
    stop_price: Decimal | None
    sequence: int
    trade_id: str = ""
    """Of a fill; with its volume and price."""
    trade_volume: int = 0
    trade_price: Decimal | None = None
    detail: str = ""

    def row(self) -> dict[str, Any]:
        """Give plain values."""
        values = attrs.asdict(self)
        return {name: str(value) if isinstance(value, Decimal) else value for name, value in values.items()}


class UpdateTeller:
    """Tells of orders.

    Args:
        boards: Words prices.
        sessions: Gives those that are logged in now.
        log: Where it is noted; bounded by whoever gives it.
    """

    def __init__(
        self, boards: Boards, sessions: Callable[[], Iterable[T4Session]], *, log: deque[OrderLogEntry]
    ) -> None:
        self.log = log
        self.plan = AnswerPlan()
        """What happens to the next updates."""
        self.single = 0
        """How many of the next updates travel alone, not in a group."""
        self.told = 0
        self._boards = boards
        self._sessions = sessions
        self._late: list[tuple[int, int, T4Session, bytes]] = []
        self._number = count()

    def whole(self, order: ServedOrder, now: int, *, to: T4Session | None = None) -> None:
        """Tell the whole order: to everyone who listens to its account, and to the session that may not."""
        self._note(order, now)
        self._tell(order, lambda words: pb.OrderUpdateMultiMessage(order_update=order_whole(order, words)), now, to)

    def status(self, order: ServedOrder, now: int) -> None:
        self._note(order, now)
        self._tell(order, lambda words: pb.OrderUpdateMultiMessage(order_update_status=order_status(order, words)), now)

    def trade(self, order: ServedOrder, trade: OrderTrade, now: int) -> None:
        self._note(order, now, trade)
        self._tell(
            order, lambda words: pb.OrderUpdateMultiMessage(order_update_trade=order_trade(order, trade, words)), now
        )

    def request_failed(self, order: ServedOrder, now: int) -> None:
        """Tell that the request that the order's state speaks of failed inside T4."""
        self._note(order, now)
        message = order_failed(
            order.unique_id,
            order.account_id,
            order.market_id,
            order.change,
            order.detail,
            now,
            status=order.status,
            sequence=order.sequence,
        )
        self._tell(order, lambda _: pb.OrderUpdateMultiMessage(order_update_failed=message), now)

    def failed(
        self,
        session: T4Session,
        unique_id: str,
        account_id: str,
        market_id: str,
        *,
        change: enums.OrderChange,
        detail: str,
        now: int,
    ) -> None:
        """Tell one session that a request about an order failed before it reached the order."""
        message = order_failed(unique_id, account_id, market_id, change, detail, now)
        update = pb.OrderUpdateMultiMessage(order_update_failed=message)
        self._send({session: encode(order_update_multi=multi(account_id, market_id, [update]))}, now)

    def run(self, now: int) -> None:
        """Send the late ones that are due."""
        while self._late and self._late[0][0] <= now:
            _, _, session, frame = heappop(self._late)
            session.send(frame, now)

    def _note(self, order: ServedOrder, now: int, trade: OrderTrade | None = None) -> None:
        order.changed = now
        self.log.append(
            OrderLogEntry(
                time=now,
                account=order.account_id,
                market=order.market_id,
                unique_id=order.unique_id,
                tag=order.tag,
                side=_name("BuySell", order.buy_sell),
                change=_name("OrderChange", order.change),
                status=_name("OrderStatus", order.status),
                volume=order.current_volume,
                filled=order.filled,
                working=order.working,
                limit_price=order.current_limit,
                stop_price=order.current_stop,
                sequence=order.sequence,
                trade_id="" if trade is None else trade.trade_id,
                trade_volume=0 if trade is None else trade.volume,
                trade_price=None if trade is None else trade.price,
                detail=order.detail,
            )
        )

    def _tell(self, order: ServedOrder, build: _Build, now: int, to: T4Session | None = None) -> None:
        self.told += 1
        frames: dict[enums.PriceFormat, bytes] = {}
        sent: dict[T4Session, bytes] = {}
        alone = self.single > 0
        self.single -= alone
        listeners = [session for session in self._sessions() if order.account_id in session.accounts or session is to]
        for session in listeners:
            frame = frames.get(session.format)
            if frame is None:
                update = build(self._words(order.market_id, session.format))
                frame = frames[session.format] = _encode(order, update, alone=alone)
            sent[session] = frame
        self._send(sent, now)

    def _words(self, market_id: str, price_format: enums.PriceFormat) -> PriceWords:
        """Give the market's words; those of any other do for an order in a market that isn't there."""
        known = market_id if market_id in self._boards else next(iter(self._boards.markets))
        return self._boards.words(known, price_format)

    def _send(self, frames: dict[T4Session, bytes], now: int) -> None:
        if not frames:
            return
        fault = self.plan.take()
        for session, frame in frames.items():
            if fault is None or fault.mishap is Mishap.DUPLICATE:
                session.send(frame, now)
            if fault is not None and fault.mishap is Mishap.DUPLICATE:
                session.send(frame, now)
            if fault is not None and fault.mishap is Mishap.LATE:
                heappush(self._late, (now + int(fault.seconds * 1e9), next(self._number), session, frame))


def _encode(order: ServedOrder, update: pb.OrderUpdateMultiMessage, *, alone: bool) -> bytes:
    if not alone:
        return encode(order_update_multi=multi(order.account_id, order.market_id, [update]))
    name = update.WhichOneof("payload")
    assert name is not None
    return encode(**{name: getattr(update, name)})  # The envelope has them under the same names.


def _name(enum: str, number: int) -> str:
    """Give an enumeration value's name without its prefix."""
    values = enums.DESCRIPTOR.enum_types_by_name[enum].values_by_number
    name: str = values[number].name if number in values else f"_{number}"
    return name.removeprefix("ORDER_CHANGE_").removeprefix("ORDER_STATUS_").removeprefix("BUY_SELL_")

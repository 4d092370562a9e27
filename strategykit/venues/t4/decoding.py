"""Frames to the rows that want them: each payload is read whole, and handed out after that.

Source: T4 protocol sheet, sections 3.3 to 3.5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, cast

from strategykit.model.instruments import Instrument
from strategykit.venues.asks import AskInstrument, AskOrders
from strategykit.venues.dialect import Answer, Decoded, Refusal, Reply, SessionOver
from strategykit.venues.keyed import hand_out
from strategykit.venues.streams import PRIVATE, StreamKind
from strategykit.venues.subscriptions import LIVE, Subscriptions, SubscriptionState
from strategykit.venues.t4.by_order import read_step, read_step_of_trade, read_whole
from strategykit.venues.t4.holdings import (
    Balance,
    MoneyNews,
    Position,
    PositionNews,
    PositionProfit,
    Profit,
    read_balance,
    read_position,
    read_position_profit,
    read_profit,
)
from strategykit.venues.t4.market import (
    read_bounds,
    read_depth,
    read_details,
    read_figures,
    read_print,
    read_settled,
    read_snapshot,
)
from strategykit.venues.t4.names import ACCOUNT_REFUSED, MARKET_CODES, ORDER_CODES, split_market, word
from strategykit.venues.t4.news import READERS, OrderNews, OrderTold, read_multi
from strategykit.venues.t4.orders import OrderCursor
from strategykit.venues.t4.proto import account_pb2 as account
from strategykit.venues.t4.proto import auth_pb2 as auth
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.proto import market_pb2 as market
from strategykit.venues.t4.proto import orderrouting_pb2 as routing
from strategykit.venues.t4.subscribing import account_key

__all__ = ["Decoder"]

_Handed = tuple[tuple[str, str], object]
"""A key, and what its rows get."""

_MARKET: Final[Mapping[str, Callable[[Any], Any]]] = {
    "market_depth": read_depth,
    "market_depth_trade": read_print,
    "market_high_low": read_figures,
    "market_price_limits": read_bounds,
    "market_settlement": read_settled,
}
_BY_ORDER: Final[Mapping[str, Callable[[Any], Any]]] = {
    "market_by_order_snapshot": read_whole,
    "market_by_order_update": read_step,
    "market_by_order_trade": read_step_of_trade,
}
_HOLDINGS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "account_position": read_position,
    "account_position_profit": read_position_profit,
}
_MONEY: Final[Mapping[str, Callable[[Any], Any]]] = {"account_update": read_balance, "account_profit": read_profit}


class Decoder:
    """Reads payloads. It keeps nothing between two frames.

    Args:
        currency: Of all markets.
    """

    def __init__(self, currency: str) -> None:
        self._currency = currency
        self._others: Mapping[str, Callable[[Any, Subscriptions, str, int], Sequence[Decoded]]] = {
            "login_response": _login,
            "market_details": self._details,
            "market_snapshot": _market_snapshot,
            "market_depth_subscribe_reject": _depth_reject,
            "market_by_order_subscribe_reject": _by_order_reject,
            "account_subscribe_response": _account_response,
            "account_snapshot": self._account_snapshot,
            "order_update_multi": _multi,
            "order_batch_acknowledge": _batch_acknowledge,
            "order_batch_reject": _batch_reject,
            "create_uds_response": _created_strategy,
        }

    def decode(self, kind: str, message: Any, table: Subscriptions, connection: str, now: int) -> Sequence[Decoded]:
        """Give what a payload says; of kinds that tell us nothing, nothing.

        Raises:
            ValueError: Something in it can't be; then nobody was given any of it.
        """
        if kind in _MARKET:
            part = _MARKET[kind](message)
            if part is None:
                return ()
            return hand_out(table, ("depth", message.market_id), (part,), connection=connection, now=now)
        if kind in _BY_ORDER:
            key = "by order", message.market_id
            return hand_out(table, key, _BY_ORDER[kind](message), connection=connection, now=now)
        if kind in _HOLDINGS:
            news = PositionNews((_HOLDINGS[kind](message),), snapshot=False)
            key = account_key(StreamKind.POSITIONS, message.account_id)
            return _hand_to_account(table, [(key, news)], connection, now)
        if kind in _MONEY:
            key = account_key(StreamKind.SUMMARY, message.account_id)
            return _hand_to_account(table, [(key, MoneyNews((_MONEY[kind](message),)))], connection, now)
        if kind in READERS:
            return _orders(message.account_id, [READERS[kind](message)], table, connection, now)
        other = self._others.get(kind)
        return () if other is None else other(message, table, connection, now)

    def _details(
        self,
        message: market.MarketDetails,
        table: Subscriptions,
        connection: str,  # noqa: ARG002 - whoever it is for knows its name
        now: int,  # noqa: ARG002
    ) -> Sequence[Decoded]:
        """A market's definition answers who asked for it, and tells accounts what we call the market."""
        found = read_details(message, currency=self._currency)
        _learn(table, ((message.market_id, found.symbol),))
        return (Answer(AskInstrument, found.symbol, (found,)),)

    def _account_snapshot(
        self, message: account.AccountSnapshot, table: Subscriptions, connection: str, now: int
    ) -> Sequence[Decoded]:
        """An account's beginning: definitions, money, positions, then all orders, which answers who asked for them."""
        name = message.account_id
        details, orders = list[Instrument](), list[OrderTold]()
        positions, money = list[Position | PositionProfit](), list[Balance | Profit]()
        for each in message.messages:
            match each.WhichOneof("payload"):
                case "market_details":
                    # One that can't be traded is no reason to know nothing of the account.
                    with suppress(ValueError):
                        details.append(read_details(each.market_details, currency=self._currency))
                case "account_position":
                    positions.append(read_position(each.account_position))
                case "account_update":
                    money.append(read_balance(each.account_update))
                case "order_update_multi":
                    orders.extend(read_multi(each.order_update_multi))
        _learn(table, ((split_market(each.symbol).market_id, each.symbol) for each in details))
        found: list[Decoded] = [Answer(AskInstrument, each.symbol, (each,)) for each in details]
        news = OrderNews(tuple(orders), snapshot=True, names=_names(table, orders), listing=True)
        handed: list[_Handed] = [
            (account_key(StreamKind.SUMMARY, name), MoneyNews(tuple(money))),
            (account_key(StreamKind.POSITIONS, name), PositionNews(tuple(positions), snapshot=True)),
            (account_key(StreamKind.FILLS, name), news),
            (account_key(StreamKind.ORDERS, name), news),
        ]
        found += _hand_to_account(table, handed, connection, now)
        for row in table.by_key.get(account_key(StreamKind.ORDERS, name), ()):
            if row.connection == connection and row.state in LIVE:
                rows = tuple(cast("OrderCursor", row.cursor).listing(now))
                found.append(Answer(AskOrders, name, rows))
        return found


def _market_snapshot(
    message: market.MarketSnapshot, table: Subscriptions, connection: str, now: int
) -> Sequence[Decoded]:
    key = "depth", message.market_id
    return hand_out(table, key, read_snapshot(message), connection=connection, now=now)


def _login(message: auth.LoginResponse, _: Subscriptions, __: str, ___: int) -> Sequence[Decoded]:
    """What isn't a welcome ends the session, whenever it comes (section 1.2)."""
    if not message.result:
        return ()
    return (SessionOver(message.result, message.error_message or word("LoginResult", message.result)),)


def _depth_reject(
    message: market.MarketDepthSubscribeReject, table: Subscriptions, connection: str, _: int
) -> Sequence[Decoded]:
    return list(_refusals("depth", message, table, connection))


def _by_order_reject(
    message: market.MarketByOrderSubscribeReject, table: Subscriptions, connection: str, _: int
) -> Sequence[Decoded]:
    return list(_refusals("by order", message, table, connection))


def _refusals(
    what: str,
    message: market.MarketDepthSubscribeReject | market.MarketByOrderSubscribeReject,
    table: Subscriptions,
    connection: str,
) -> Iterator[Refusal]:
    words = f"T4 refuses it: {word('MarketMode', message.mode)}"
    for row in table.by_key.get((what, message.market_id), ()):
        if row.connection == connection and row.state in LIVE:
            yield Refusal(row.guid, MARKET_CODES + message.mode, words)


def _account_response(
    message: account.AccountSubscribeResponse, table: Subscriptions, connection: str, _: int
) -> Sequence[Decoded]:
    """A yes says nothing yet: the account's beginning follows. A no doesn't say which account, except in words."""
    if message.success and not message.errors:
        return ()
    words = "; ".join(message.errors) or "T4 refuses the account"
    waiting = [
        row
        for row in table
        if row.stream.kind in PRIVATE and row.connection == connection and row.state is SubscriptionState.ASKED
    ]
    named = [row for row in waiting if row.stream.account and row.stream.account in words]
    return [Refusal(row.guid, ACCOUNT_REFUSED, words) for row in named or waiting]


def _multi(message: routing.OrderUpdateMulti, table: Subscriptions, connection: str, now: int) -> Sequence[Decoded]:
    told = list(read_multi(message))
    return _orders(message.account_id, told, table, connection, now, historical=message.historical)


def _orders(
    name: str,
    told: Sequence[OrderTold],
    table: Subscriptions,
    connection: str,
    now: int,
    *,
    historical: bool = False,
) -> Sequence[Decoded]:
    news = OrderNews(tuple(told), snapshot=historical, names=_names(table, told))
    kinds = (StreamKind.FILLS, StreamKind.ORDERS)  # An order's end is believed when its fills are told.
    return _hand_to_account(table, [(account_key(kind, name), news) for kind in kinds], connection, now)


def _names(table: Subscriptions, told: Iterable[OrderTold]) -> tuple[tuple[str, str], ...]:
    """Give what we call the markets of orders, as far as something of them is subscribed to."""
    found: dict[str, str] = {}
    for each in told:
        for row in table.by_key.get(("depth", each.market_id), ()):
            found[each.market_id] = row.stream.instrument or ""
    return tuple(found.items())


def _learn(table: Subscriptions, names: Iterable[tuple[str, str]]) -> None:
    known = tuple(names)
    for row in table:
        if row.stream.kind in PRIVATE:
            cast("OrderCursor", row.cursor).learn(known)


def _hand_to_account(table: Subscriptions, handed: Iterable[_Handed], connection: str, now: int) -> Sequence[Decoded]:
    """Hand out what an account's streams get; not all of them have to be wanted."""
    found: list[Decoded] = []
    for key, news in handed:
        if key in table.by_key:
            found.extend(hand_out(table, key, news, connection=connection, now=now))
    return found


def _batch_acknowledge(
    message: routing.OrderBatchAcknowledge, _: Subscriptions, __: str, ___: int
) -> Sequence[Decoded]:
    numbers = [number for accepted in message.accepted for number in accepted.unique_id]
    return (Reply(message.batch_id, 0, ", ".join(numbers), ok=True),)


def _batch_reject(message: routing.OrderBatchReject, _: Subscriptions, __: str, ___: int) -> Sequence[Decoded]:
    errors = [f"order {each.submission_index}/{each.order_index}: {each.reason}" for each in message.errors]
    words = "; ".join([message.reason, *errors])
    return (Reply(message.batch_id, ORDER_CODES + enums.ORDER_CHANGE_SUBMISSION_REJECTED, words, ok=False),)


def _created_strategy(message: routing.CreateUDSResponse, _: Subscriptions, __: str, ___: int) -> Sequence[Decoded]:
    ok = message.uds_status in (enums.UDS_STATUS_Success, enums.UDS_STATUS_ALREADY_EXISTS)
    words = message.MarketRef if ok else message.status_detail
    code = 0 if ok else ORDER_CODES + enums.ORDER_CHANGE_SUBMISSION_REJECTED
    return (Reply(message.request_id, code, words, ok=ok),)

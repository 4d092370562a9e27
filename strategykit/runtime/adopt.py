"""Taking over the orders of an earlier run: its records are folded again, and then nothing about them is certain."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from strategykit.errors import LocalProtocolError, OrderRefused
from strategykit.journal.format import RecordKind
from strategykit.model.codec import from_dict
from strategykit.model.events import Fill, OrderUpdate
from strategykit.model.orders import AmendOrder, CancelOrder, Command, CreateOrder, Evidence
from strategykit.model.portfolio import Portfolio
from strategykit.runtime.carried import Carried, CarriedOrder, HeardNews
from strategykit.runtime.gateway import Gateway
from strategykit.runtime.order import Amendment, Order
from strategykit.venues.dialect import OrderReply, Reply

__all__ = ["adopt_orders", "take_positions"]


def adopt_orders(gateway: Gateway, carried: Carried, converter: Any, *, now: int) -> list[Order]:
    """Make the orders of an earlier run the gateway's, each `UNKNOWN` until the venue is asked; give them.

    Nothing is sent and nobody is told. Before anything else happens to the gateway.

    Raises:
        TapeError: A record isn't what this version writes.
    """
    with gateway.restoring():
        known: dict[str, Order] = {}
        for item in carried.orders:
            known[item.client_order_id] = _adopt(gateway, item, known, converter)
        orders = list(known.values())
        gateway.commands.lose_all("its run ended before an answer")
        for order in orders:
            order.fills_before = len(order.fills_seen)
            if order.is_open:
                order.learn(Evidence.UNSEEN, "its run has ended; the venue is asked")
                order.wire_ended(now)
    return orders


def take_positions(strategy: str, portfolio: Portfolio, carried: Carried) -> None:
    """Let `strategy` begin with what it held when the run before ended."""
    for known in carried.instruments:
        portfolio.add(known)  # Late fills may come before the venue has told what it trades.
    for position in carried.positions:
        if position.strategy == strategy:
            portfolio.carry(position.instrument, position.quantity, position.cost)


def _adopt(gateway: Gateway, item: CarriedOrder, known: Mapping[str, Order], converter: Any) -> Order:
    first = from_dict(converter, item.records[0]["command"], Command)
    placed, group = int(item.records[0]["placed"]), str(item.records[0].get("group", ""))
    # An entry stands before its exits; one that isn't there has ended, so that they may be filled.
    entry = known.get(str(item.records[0].get("entry", "")))
    order = gateway.restore(item.strategy, first.request, placed=placed, group=group, entry=entry)
    for facts in item.records:
        kind = RecordKind(facts["kind"])
        if kind is RecordKind.INTENT:
            _intended(gateway, order, facts, from_dict(converter, facts["command"], Command))
        elif kind is RecordKind.UNSENT:
            _unsent(gateway, facts)
        else:
            _heard(gateway, order, facts, from_dict(converter, facts["news"], HeardNews))
    return order


def _intended(gateway: Gateway, order: Order, facts: Mapping[str, Any], command: Command) -> None:
    match command:
        case CreateOrder():
            order.learn(Evidence.LEFT)
        case AmendOrder(request=request, filled=filled):
            _give_up(gateway, order)
            order.amending = Amendment(request, sets_quantity=bool(facts.get("sets_quantity")), filled=filled)
        case CancelOrder():
            order.cancel_wanted = True
            order.cancels += 1
            try:
                order.learn(Evidence.CANCEL_LEFT)
            except LocalProtocolError as exc:
                gateway.contradict(f"{order.client_order_id}: {exc}")
    if not isinstance(command, CreateOrder):
        order.named_before(int(command.guid.rpartition("-")[2][1:]))
    gateway.commands.hold(order, command)


def _unsent(gateway: Gateway, facts: Mapping[str, Any]) -> None:
    pending = gateway.commands.take(str(facts["guid"]))
    if pending is not None and isinstance(pending.command, AmendOrder):
        gateway.amend_failed(pending.order, OrderRefused(str(facts["reason"])))


def _give_up(gateway: Gateway, order: Order) -> None:
    """The run sent another amend: the one before had been given up, if nothing that it heard has settled it."""
    if order.amending is not None:
        order.amend_lost_at = order.placed
        gateway.commands.forget(order.amending.request)
        gateway.amend_failed(order, OrderRefused(f"{order.client_order_id}: the amend didn't reach the venue"))


def _heard(gateway: Gateway, order: Order, facts: Mapping[str, Any], news: OrderUpdate | Fill | Reply) -> None:
    match news:
        case OrderUpdate():
            amendment = order.amending
            # That its answer got lost isn't written down. Then what shows the amend is all that tells of it.
            order.amend_lost_at = None if amendment is None else order.placed
            gateway.updated(news)
            if order.amending is amendment:
                order.amend_lost_at = None
            elif amendment is not None:
                gateway.commands.forget(amendment.request)
        case Fill():
            gateway.filled(news)
        case Reply(guid, code, message, ok, number) if "total" in facts and number is not None:
            total = Decimal(facts["total"])
            gateway.replied(OrderReply(number, AmendOrder, guid, code, message, ok, total))
        case Reply():
            gateway.replied(news)

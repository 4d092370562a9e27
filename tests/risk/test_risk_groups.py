"""Limits on linked orders: each is held against them, and none is placed if one is refused."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from strategykit import OrderSpec
from strategykit.errors import RiskLimit
from strategykit.model.events import Side
from strategykit.model.orders import GroupKind, OrderState
from strategykit.runtime.groups import exits_of
from strategykit.runtime.order import Order

if TYPE_CHECKING:
    from tests.risk.conftest import Rig

BUY = OrderSpec(Side.BUY, 2, limit=Decimal(100))
OCO, BRACKET, OFFSET = GroupKind.ONE_CANCELS_OTHER, GroupKind.BRACKET, GroupKind.OFFSET_BRACKET
EXITS = exits_of(BUY, target=Decimal(110), stop=Decimal(90), offsets=False)


def submit(rig: Rig, kind: GroupKind, *specs: OrderSpec) -> tuple[Order, ...]:
    return rig.gateway.submit_group("a", "X", kind, specs)


def accept(rig: Rig, *orders: Order) -> None:
    for command, order in zip(rig.sent[-len(orders) :], orders, strict=True):
        rig.answer(command, order)


def test_orders_that_cancel_each_other_count_together(narrow: Callable[..., Rig]) -> None:
    """Both may be filled before the venue takes one back."""
    rig = narrow("strategy a", max_position=3)
    with pytest.raises(RiskLimit, match="4 lots of X long"):
        submit(rig, OCO, BUY, BUY)
    assert (rig.sent, dict(rig.gateway.orders)) == ([], {})

    rig.buy(3, 100)  # Nothing of the refused ones is counted.


def test_exits_count_from_when_their_entry_is_filled(narrow: Callable[..., Rig]) -> None:
    rig = narrow("strategy a", max_position=2)
    entry, target, stop = submit(rig, BRACKET, BUY, *EXITS)
    accept(rig, entry, target, stop)
    rig.sell(2, 100)  # Were the exits counted, these two would be too many.
    with pytest.raises(RiskLimit, match="max_position"):
        rig.sell(1, 100)

    rig.fill(entry, 2)
    with pytest.raises(RiskLimit, match="max_position"):
        rig.sell(1, 101)


def test_a_bracket_is_as_many_open_orders_as_it_has(narrow: Callable[..., Rig]) -> None:
    with pytest.raises(RiskLimit, match="3 open orders"):
        submit(narrow("strategy a", max_open_orders=2), BRACKET, BUY, *EXITS)
    rig = narrow("strategy a", max_open_orders=3)
    submit(rig, BRACKET, BUY, *EXITS)

    assert len(rig.sent) == 3
    with pytest.raises(RiskLimit, match="4 open orders"):
        rig.buy(1, 100)


def test_an_exits_offset_is_held_against_limits_as_the_price_that_it_becomes(narrow: Callable[..., Rig]) -> None:
    exits = exits_of(BUY, target=None, stop=Decimal(10), offsets=True)
    rig = narrow("strategy a", max_order_notional=Decimal(150))
    with pytest.raises(RiskLimit, match="worth 180"):
        submit(rig, OFFSET, OrderSpec(Side.BUY, 1, limit=Decimal(100)), *exits)


def test_once_the_kill_switch_is_pulled_nothing_is_opened_by_a_group(narrow: Callable[..., Rig]) -> None:
    rig = narrow("strategy a")
    rig.gateway.killed = "killed by hand"
    with pytest.raises(RiskLimit, match="killed by hand"):
        submit(rig, BRACKET, BUY, *EXITS)

    assert not rig.sent


def test_what_a_loss_withdraws_are_entries_with_their_exits(narrow: Callable[..., Rig]) -> None:
    rig = narrow("strategy a")
    orders = submit(rig, BRACKET, BUY, *EXITS)
    accept(rig, *orders)

    rig.gateway.withdraw_opening("a")

    assert {order.state for order in orders} == {OrderState.CANCEL_SENT}


def test_what_a_loss_leaves_is_the_stop_of_what_was_entered(narrow: Callable[..., Rig]) -> None:
    rig = narrow("strategy a")
    entry, target, stop = orders = submit(rig, BRACKET, BUY, *EXITS)
    accept(rig, *orders)
    rig.fill(entry, 2)

    rig.gateway.withdraw_opening("a")

    assert stop.state is OrderState.WORKING
    assert target.state is OrderState.CANCEL_SENT

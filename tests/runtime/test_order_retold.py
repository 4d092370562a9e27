"""What a venue tells of an order again: strategies hear of it if something has changed, limits go by it in any case."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import attrs

from strategykit.model.events import Side
from strategykit.model.orders import GroupKind, OrderRequest, OrderType
from strategykit.runtime.groups import OrderSpec

if TYPE_CHECKING:
    from strategykit.runtime.order import Order
    from tests.runtime.conftest import Stage, Truth

D = Decimal


async def test_that_an_order_works_is_news_once(stage: Stage) -> None:
    _, truth = await stage.working()
    told = len(stage.ear.states)

    stage.hear(truth.update())
    stage.hear(truth.update())

    assert len(stage.ear.states) == told


async def test_a_count_that_is_ahead_of_its_fills_is_told_at_once(stage: Stage) -> None:
    order, truth = await stage.working()
    told = len(stage.ear.states)

    stage.hear(attrs.evolve(cast("Any", truth.update()), filled=D(2)))

    assert len(stage.ear.states) == told + 1
    assert order.working_quantity == 3
    assert order.uncertain


async def bracket(stage: Stage) -> list[tuple[Order, Truth]]:
    """Give an entry and its two exits, all of them working."""
    specs = (
        OrderSpec(Side.BUY, 5, limit=D(100)),
        OrderSpec(Side.SELL, 5, limit=D(110)),
        OrderSpec(Side.SELL, 5, stop=D(90)),
    )
    orders = stage.gateway.submit_group("s", "X", GroupKind.BRACKET, specs)
    for create in stage.groups.pop().creates:
        stage.venue.execute(create)
    while stage.venue.replies:
        await stage.reply()
    await stage.tell()
    return [(order, stage.venue.of(order.client_order_id)[0]) for order in orders]


async def test_exits_count_no_longer_once_their_entry_is_seen_again_after_a_broken_wire(stage: Stage) -> None:
    """No exit is filled before its entry. The venue tells of the exits first, when the entry is still in doubt."""
    held, truth = await stage.working()
    stage.venue.fill(truth)
    await stage.tell()
    orders = await bracket(stage)
    close = OrderRequest(
        client_order_id="c",
        account="D1",
        instrument="X",
        side=Side.SELL,
        quantity=held.quantity,
        type=OrderType.MARKET,
    )
    assert stage.gateway._risk.closes("s", close)

    stage.lane(up=False)
    stage.lane(up=True)
    assert not stage.gateway._risk.closes("s", close)
    for _, one in reversed(orders):
        stage.hear(one.update())

    assert stage.gateway._risk.closes("s", close)

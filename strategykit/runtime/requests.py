"""From what a strategy asks for to a request that makes sense, or a refusal before anything is sent."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from strategykit.errors import RiskLimit
from strategykit.model.events import Side
from strategykit.model.instruments import Instrument
from strategykit.model.orders import OrderRequest, OrderType, TimeInForce

__all__ = ["make_request", "tick_price"]

_KINDS: Final = {
    (False, False): OrderType.MARKET,
    (True, False): OrderType.LIMIT,
    (False, True): OrderType.STOP,
    (True, True): OrderType.STOP_LIMIT,
}
"""By whether there is a limit and a stop."""


def make_request(
    client_order_id: str,
    account: str,
    known: Instrument,
    side: Side,
    quantity: Decimal | int,
    *,
    limit: Decimal | float | None,
    stop: Decimal | float | None,
    time_in_force: TimeInForce,
    display_quantity: Decimal | None,
) -> OrderRequest:
    """Give the request for an order.

    Args:
        client_order_id: Made once, for this intent.
        account: Where it trades.
        known: What is traded.
        side: Its direction.
        quantity: Lots, whole and above 0.
        limit: Worst price; a `float` is rounded to the tick, away from crossing.
        stop: Trigger; a `float` is rounded to the tick, away from the market.
        time_in_force: How long it lives.
        display_quantity: Visible lots of an iceberg.

    Raises:
        RiskLimit: It makes no sense.
    """
    amount = Decimal(quantity)
    if not amount.is_finite() or amount <= 0 or amount != amount.to_integral_value():
        raise RiskLimit(f"{client_order_id}: quantity must be a whole number of lots above 0, not {quantity}")
    price = tick_price(known, limit, side, "limit")
    trigger = tick_price(known, stop, side.opposite, "stop")
    return OrderRequest(
        client_order_id=client_order_id,
        account=account,
        instrument=known.symbol,
        side=side,
        quantity=amount,
        type=_KINDS[price is not None, trigger is not None],
        price=price,
        stop_price=trigger,
        time_in_force=time_in_force,
        board=known.board,
        display_quantity=display_quantity,
    )


def tick_price(known: Instrument, price: Decimal | float | None, side: Side, what: str) -> Decimal | None:
    """Give `price` on the tick: a `float` is rounded, a `Decimal` has to be there; None stays None.

    Raises:
        RiskLimit: It is no number, or a `Decimal` between two ticks.
    """
    if price is None:
        return None
    exact = Decimal(str(price))
    if not exact.is_finite():
        raise RiskLimit(f"{known.symbol}: {what} {price} isn't a price")
    rounded = known.round_price(exact, side=side)
    if isinstance(price, Decimal) and rounded != exact:
        raise RiskLimit(f"{known.symbol}: {what} {price} isn't a multiple of the tick {known.tick}")
    return rounded

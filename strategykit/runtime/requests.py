"""From what a strategy asks for to a request that makes sense, or a refusal before anything is sent."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, TypedDict

from strategykit.errors import OrderRefused, RiskLimit
from strategykit.model.event_class import altered
from strategykit.model.events import Side
from strategykit.model.instruments import Instrument
from strategykit.model.orders import AmendOrder, OrderRequest, OrderType, TimeInForce
from strategykit.runtime.order import Order

__all__ = ["OrderTerms", "make_amend", "make_request", "tick_price"]


class OrderTerms(TypedDict, total=False):
    """What an order may say beside its side and its quantity; see `Strategy.buy`."""

    limit: Decimal | float | None
    stop: Decimal | float | None
    trail: Decimal | float | None
    until: int | None
    time_in_force: TimeInForce
    display_quantity: Decimal | None


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
    limit: Decimal | float | None = None,
    stop: Decimal | float | None = None,
    trail: Decimal | float | None = None,
    until: int | None = None,
    time_in_force: TimeInForce = TimeInForce.DAY,
    display_quantity: Decimal | None = None,
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
        trail: How far the trigger stays behind the best price since, at most; a `float` is rounded to the tick.
        until: When it lapses, nanoseconds UTC; None: as `time_in_force` says.
        time_in_force: How long it lives.
        display_quantity: Visible lots of an iceberg.

    Raises:
        RiskLimit: It makes no sense.
    """
    amount = Decimal(quantity)
    if quantity <= 0 if isinstance(quantity, int) else not _is_count(amount):
        raise RiskLimit(f"{client_order_id}: quantity must be a whole number of lots above 0, not {quantity}")
    price = None if limit is None else tick_price(known, limit, side, "limit")
    trigger = None if stop is None else tick_price(known, stop, side.opposite, "stop")
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
        expire_time=until,
        trail=None if trail is None else _trail(known, trail, follows=trigger is not None and price is None),
    )


def _trail(known: Instrument, trail: Decimal | float, *, follows: bool) -> Decimal:
    distance = tick_price(known, trail, Side.BUY, "trail")
    if not follows or distance is None or distance <= 0:
        raise RiskLimit(f"{known.symbol}: a trail of {trail} should be a tick or more, of a stop without a limit")
    return distance


def make_amend(
    order: Order,
    guid: str,
    known: Instrument,
    *,
    limit: Decimal | float | None,
    quantity: Decimal | None,
    stop: Decimal | float | None = None,
) -> AmendOrder:
    """Give the command that changes `order`.

    Args:
        order: As it stands.
        guid: Names the command.
        known: What it trades.
        limit: Worst price; None leaves it.
        quantity: Lots that are still to be filled; None leaves them.
        stop: Trigger; None leaves it.

    Raises:
        OrderRefused: It can't be amended now: ended, going, in doubt, fired, linked, or another amend is on its way.
        RiskLimit: It makes no sense.
    """
    going = order.cancel_wanted or order.ending is not None or not order.is_open
    if going or order.amending is not None or order.venue_order_id is None or order.state.doubtful:
        doing = "another amend is on its way" if order.amending is not None else f"it is {order.state.value}"
        raise OrderRefused(f"{order.client_order_id} can't be amended while {doing}")
    if order.group:
        raise OrderRefused(f"{order.client_order_id} is linked with others, so it can't be amended: cancel, place anew")
    request = order.request
    price = request.price if limit is None else tick_price(known, limit, request.side, "limit")
    trigger = request.stop_price
    if stop is not None:
        if trigger is None:
            raise OrderRefused(f"{order.client_order_id} has no trigger to amend: it is no stop, or has fired")
        trigger = tick_price(known, stop, request.side.opposite, "stop")
    lots = order.working_quantity - order.excess if quantity is None else quantity
    if not lots.is_finite() or lots != lots.to_integral_value():
        raise RiskLimit(f"{order.client_order_id}: an amend to {lots} lots; give a whole number")
    if lots <= 0 and quantity is None:
        raise OrderRefused(f"{order.client_order_id} can't be amended: the venue counts all of it as filled")
    if lots <= 0:
        raise RiskLimit(f"{order.client_order_id}: an amend to {lots} lots; cancel it instead")
    wanted = altered(request, price=price, quantity=lots, stop_price=trigger)
    filled = request.quantity - order.working_quantity
    return AmendOrder(guid=guid, venue_order_id=order.venue_order_id, request=wanted, filled=filled)


def _is_count(amount: Decimal) -> bool:
    return amount.is_finite() and amount > 0 and amount == amount.to_integral_value()


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

"""Orders that a venue links: what strategies say of each, and the requests and checks that this makes."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import attrs

from strategykit.errors import RiskLimit
from strategykit.model.event_class import altered
from strategykit.model.events import Side
from strategykit.model.instruments import Instrument
from strategykit.model.orders import CreateGroup, GroupKind, OrderRequest, OrderType, TimeInForce
from strategykit.runtime.requests import make_request

__all__ = ["OrderSpec", "exits_of", "make_group", "to_check"]


@attrs.frozen
class OrderSpec:
    """An order to be placed together with others. Prices are as in `Strategy.buy`."""

    side: Side
    quantity: Decimal | int
    """Lots."""
    limit: Decimal | float | None = attrs.field(default=None, kw_only=True)
    stop: Decimal | float | None = attrs.field(default=None, kw_only=True)
    time_in_force: TimeInForce = attrs.field(default=TimeInForce.DAY, kw_only=True)


def exits_of(
    entry: OrderSpec, *, target: Decimal | float | None, stop: Decimal | float | None, offsets: bool
) -> list[OrderSpec]:
    """Give what gets out of `entry`, the profit's before the loss's, good till cancelled.

    Args:
        entry: What gets in.
        target: Price of the profit's limit; None: there is none.
        stop: Trigger of the loss's stop; None: there is none.
        offsets: Whether both are distances from the price at which the entry is filled instead, above 0.

    Raises:
        RiskLimit: There is neither, or a distance isn't above 0.
    """
    if target is None and stop is None:
        raise RiskLimit("a bracket has a target, a stop, or both")
    found = []
    for name, said, sign in (("limit", target, entry.side.sign), ("stop", stop, -entry.side.sign)):
        if said is None:
            continue
        exact = Decimal(str(said))
        if offsets and not (exact.is_finite() and exact > 0):
            raise RiskLimit(f"an exit {said} from the entry's fill: give a distance above 0")
        prices = {name: said * sign if offsets else said}
        found.append(
            OrderSpec(entry.side.opposite, entry.quantity, time_in_force=TimeInForce.GOOD_TILL_CANCELLED, **prices)
        )
    return found


def make_group(
    prefix: str, number: int, account: str, known: Instrument, kind: GroupKind, specs: Sequence[OrderSpec]
) -> CreateGroup:
    """Give the command for a group; it is called after its first order.

    Args:
        prefix: Begins the client order ids.
        number: Ends the first one; the others count on.
        account: Where they trade.
        known: What is traded.
        kind: How they are linked.
        specs: The orders; of a bracket the entry first.

    Raises:
        RiskLimit: One of them makes no sense, or they are fewer than two.
    """
    if len(specs) < 2:
        raise RiskLimit("linked orders are two or more")
    requests = []
    for place, spec in enumerate(specs):
        is_offset = place > 0 and kind is GroupKind.OFFSET_BRACKET
        request = make_request(
            f"{prefix}-{number + place}",
            account,
            known,
            spec.side,
            spec.quantity,
            limit=None if is_offset else spec.limit,
            stop=None if is_offset else spec.stop,
            time_in_force=spec.time_in_force,
            display_quantity=None,
        )
        requests.append(_with_offset(request, known, spec) if is_offset else request)
    return CreateGroup(guid=f"{requests[0].client_order_id}-g", kind=kind, requests=tuple(requests))


def to_check(group: CreateGroup, last: Decimal | None) -> list[OrderRequest]:
    """Give its orders at the prices that limits are held against: an offset is counted from where the entry may be.

    Args:
        group: The group.
        last: The last price; None: nobody knows. Then an exit's price isn't known either.
    """
    if group.kind is not GroupKind.OFFSET_BRACKET:
        return list(group.requests)
    entry, *exits = group.requests
    base = entry.price if entry.price is not None else last if entry.stop_price is None else entry.stop_price
    checked = [entry]
    for request in exits:
        if base is None:
            checked.append(altered(request, type=OrderType.MARKET, price=None, stop_price=None))
        elif request.price is not None:
            checked.append(altered(request, price=base + request.price))
        else:
            checked.append(altered(request, stop_price=base + (request.stop_price or 0)))
    return checked


def _with_offset(request: OrderRequest, known: Instrument, spec: OrderSpec) -> OrderRequest:
    if spec.limit is not None:
        return altered(request, type=OrderType.LIMIT, price=_offset(known, spec.limit))
    assert spec.stop is not None  # `exits_of` makes one or the other.
    return altered(request, type=OrderType.STOP, stop_price=_offset(known, spec.stop))


def _offset(known: Instrument, distance: Decimal | float) -> Decimal:
    """Give a distance in whole ticks, one at the least: a `float` is rounded to the nearest."""
    exact = Decimal(str(distance))
    rounded = (exact / known.tick).to_integral_value() * known.tick
    if rounded == 0 or (isinstance(distance, Decimal) and rounded != exact):
        raise RiskLimit(f"{known.symbol}: a distance of {abs(distance)} isn't a multiple of the tick {known.tick}")
    return rounded

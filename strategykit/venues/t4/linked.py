"""Orders that belong together, and orders that wait, client side: what T4 can be sent beside single orders.

A group is sent as a batch, whose name is the group's: T4 takes all of it or nothing, answers by that name, and tells it
with each of the orders from then on (`OrderUpdate.group`). Every order has its own client order id as its tag.

Source: T4 protocol sheet, section 3.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from strategykit.errors import LocalProtocolError
from strategykit.model.orders import CreateGroup, GroupKind, OrderRequest, OrderType
from strategykit.venues.t4.client import encode
from strategykit.venues.t4.commands import place_of, ticket_of
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.server_requests import Activation, Batch, Revise, ReviseOrders, Submission, Ticket

__all__ = ["bracket", "encode_group", "encode_linked", "encode_release", "one_cancels_other", "single"]

_STOPS: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})


def encode_group(name: str, *submissions: Submission) -> bytes:
    """Word a group: whatever is in it is taken whole, or refused whole.

    The answer is a `Reply` whose guid is `name`; after a yes each order is answered by its own client order id, too.

    Raises:
        LocalProtocolError: It has no name, or nothing in it.
    """
    if not name or not submissions:
        raise LocalProtocolError("a group has a name, and at least one order")
    return encode(Batch(batch_id=name, submissions=submissions))


def encode_linked(command: CreateGroup) -> bytes:
    """Word a group of linked orders, by the name of the command.

    Raises:
        LocalProtocolError: T4 has no such group, or no such order in it.
    """
    first, *others = command.requests
    if command.kind is GroupKind.ONE_CANCELS_OTHER:
        linked = one_cancels_other(command.requests)
    else:
        linked = bracket(first, others, offsets=command.kind is GroupKind.OFFSET_BRACKET)
    return encode_group(command.guid, linked)


def single(
    request: OrderRequest,
    *,
    waits_for: enums.ActivationType = enums.ACTIVATION_TYPE_IMMEDIATE,
    activation: Activation | None = None,
) -> Submission:
    """Make one order, which may wait at T4.

    Args:
        request: The order.
        waits_for: Of what kind its condition is: a time, a trade's price, a price in the book, a market's mode, the
            close, or a release of ours (`ACTIVATION_TYPE_QUEUE`).
        activation: The condition; also when the order, or the waiting, is given up.

    Raises:
        LocalProtocolError: T4 has no such order.
    """
    return _submission((request,), enums.ORDER_LINK_NONE, waits_for=waits_for, activation=activation)


def one_cancels_other(requests: Sequence[OrderRequest]) -> Submission:
    """Make orders of which a fill of one cancels the rest, or reduces it by what was filled.

    Raises:
        LocalProtocolError: They aren't two or more of one account and market, or T4 has no such order.
    """
    if len(requests) < 2:
        raise LocalProtocolError("orders that cancel each other are two or more")
    return _submission(requests, enums.ORDER_LINK_OCO)


def bracket(entry: OrderRequest, exits: Sequence[OrderRequest], *, offsets: bool) -> Submission:
    """Make an entry, and what gets out of it: a limit for the profit, a stop for the loss, or both.

    T4 holds the exits until the entry trades; then each has as many lots as were filled, and one cancels the other.
    While it is held, an exit is told of as working, with no lots.

    Args:
        entry: The order that opens the position.
        exits: On the other side, with the entry's quantity.
        offsets: Whether the exits' prices are differences from the price at which the entry is filled, with their sign:
            of an entry that buys, the profit's is above 0, and the loss's below. Else they are prices.

    Raises:
        LocalProtocolError: These are no exits of that entry, or T4 has no such order.
    """
    kinds = {request.type in _STOPS for request in exits}
    if not exits or len(kinds) != len(exits):
        raise LocalProtocolError("a bracket has a limit, a stop, or one of each to get out")
    link = enums.ORDER_LINK_AUTO_OCO if offsets else enums.ORDER_LINK_AUTO_OCO_P
    whole = _submission((entry, *exits), link)
    for request in exits:
        _check_exit(entry, request, offsets=offsets)
    first, *rest = whole.tickets
    held = [attrs.evolve(each, volume=0, activation_type=enums.ACTIVATION_TYPE_HOLD) for each in rest]
    return attrs.evolve(whole, tickets=(first, *held))


def encode_release(request: OrderRequest, venue_order_id: str) -> bytes:
    """Word the release of an order that waits for it."""
    revise = Revise(unique_id=venue_order_id, activation=Activation(queue_submit=True))
    return encode(ReviseOrders(**place_of(request), revisions=(revise,)))


def _submission(
    requests: Sequence[OrderRequest],
    link: enums.OrderLink,
    *,
    waits_for: enums.ActivationType = enums.ACTIVATION_TYPE_IMMEDIATE,
    activation: Activation | None = None,
) -> Submission:
    where = place_of(requests[0])
    if any(place_of(request) != where for request in requests):
        raise LocalProtocolError("linked orders are of one account and one market")
    tickets = [_ticket(request, waits_for, activation) for request in requests]
    return Submission(**where, link=link, manual=False, tickets=tuple(tickets))


def _ticket(request: OrderRequest, waits_for: enums.ActivationType, activation: Activation | None) -> Ticket:
    return attrs.evolve(ticket_of(request), activation_type=waits_for, activation=activation)


def _check_exit(entry: OrderRequest, request: OrderRequest, *, offsets: bool) -> None:
    name = f"the exit {request.client_order_id}"
    if request.type is OrderType.MARKET:
        raise LocalProtocolError(f"{name} has no price to get out at")
    if request.side is entry.side or request.quantity != entry.quantity:
        raise LocalProtocolError(f"{name} has to be on the other side, of the entry's {entry.quantity} lots")
    price = request.stop_price if request.type in _STOPS else request.price
    towards = entry.side.sign * (-1 if request.type in _STOPS else 1)
    if offsets and price is not None and not price * towards > 0:
        where = "above" if towards > 0 else "below"
        raise LocalProtocolError(f"{name} is {price} from the fill, which gets out at once: it has to be {where} 0")

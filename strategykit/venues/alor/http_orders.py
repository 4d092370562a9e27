"""Orders by HTTP, client side. Source: ALOR protocol sheet, section 5.3."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from strategykit.errors import RemoteProtocolError
from strategykit.model.orders import CancelOrder, Command, CreateOrder, OrderType
from strategykit.venues.alor.commands import order_fields
from strategykit.venues.alor.http import quoted
from strategykit.venues.alor.names import ACTIONS
from strategykit.venues.alor.parsing import UNREADABLE
from strategykit.venues.dialect import HttpRequest, Reply

__all__ = ["cancel_all_request", "cancel_request", "order_request", "read_order_answer"]

_PREFIX: Final = "/commandapi/warptrans/TRADE/v2/client/orders"
_STOPS: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})


class _Body(msgspec.Struct):
    message: str | None = None
    code: str | int | None = None
    number: str | int | None = msgspec.field(name="orderNumber", default=None)


class _Old(msgspec.Struct):
    body: _Body | None = None
    status: int | None = msgspec.field(name="statusCode", default=None)


class _Answer(_Body):
    old: _Old | None = msgspec.field(name="oldResponse", default=None)


_ANSWER: Final = msgspec.json.Decoder(_Answer)


def order_request(command: Command, *, exchange: str, board: str | None) -> HttpRequest:
    """Give the call of an order command. Its guid is the ``X-REQID``, under which nothing is executed twice.

    Raises:
        LocalProtocolError: The venue has no such order.
    """
    request = command.request
    if isinstance(command, CancelOrder):
        stop = request.type in _STOPS
        return cancel_request(command.venue_order_id, request.account, exchange=exchange, stop=stop)
    create = isinstance(command, CreateOrder)
    fields: dict[str, Any] = order_fields(request, "create" if create else "update", exchange=exchange, board=board)
    path = f"{_PREFIX}/actions/{ACTIONS[request.type]}"
    if not isinstance(command, CreateOrder):
        path += f"/{quoted(command.venue_order_id)}"
    return HttpRequest(
        method="POST" if create else "PUT",
        path=path,
        body=msgspec.json.encode(fields).decode(),
        headers={"Content-Type": "application/json", "X-REQID": command.guid},
    )


def cancel_request(venue_order_id: str, account: str, *, exchange: str, stop: bool) -> HttpRequest:
    """Give the call that withdraws one order by its number; stop orders have numbers of their own."""
    query = _query(account, exchange, stops=stop)
    return HttpRequest(method="DELETE", path=f"{_PREFIX}/{quoted(venue_order_id)}", query=query)


def cancel_all_request(account: str, *, exchange: str, stops: bool) -> HttpRequest:
    """Give the call that withdraws every order, or every stop order, of a portfolio."""
    return HttpRequest(method="DELETE", path=f"{_PREFIX}/all", query=_query(account, exchange, stops=stops))


def read_order_answer(guid: str, status: int, body: bytes) -> Reply:
    """Read what an order call was answered, whatever its status.

    A repeated ``X-REQID`` may be answered with 400 and the first answer inside: then that one counts (section 8,
    point 13).

    Raises:
        RemoteProtocolError: The call succeeded, but what it says can't be read: the outcome is unknown.
    """
    ok = 200 <= status < 300
    try:
        answer = _ANSWER.decode(body)
    except UNREADABLE as exc:
        # Confirmations and refusals may be bare text.
        text = body.decode("utf-8", "replace").strip().strip('"')
        if ok and text.lower() != "success":
            raise RemoteProtocolError("ALOR confirmed an order in words that can't be read", frame=body) from exc
        return Reply(guid, status, text, ok)
    old = None if answer.old is None else answer.old.body
    if answer.old is not None and old is not None and old.number is not None:
        code = 200 if answer.old.status is None else answer.old.status
        return Reply(guid, code, old.message or "", 200 <= code < 300, str(old.number))
    words = [str(word) for word in (answer.code, answer.message) if word is not None]
    return Reply(guid, status, ": ".join(words), ok, None if answer.number is None else str(answer.number))


def _query(account: str, exchange: str, *, stops: bool) -> dict[str, str]:
    return {
        "portfolio": account,
        "exchange": exchange,
        "stop": "true" if stops else "false",
        "jsonResponse": "true",
        "format": "Simple",
    }

"""The venue's reading of HTTP calls. Source: ALOR protocol sheet, sections 1.2 and 5."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from strategykit.errors import RemoteProtocolError
from strategykit.model.orders import OrderType
from strategykit.venues.alor.server_commands import read_cancel, read_command
from strategykit.venues.alor.server_fields import FieldError, Fields, read_json, read_object
from strategykit.venues.alor.server_http_reads import read_call
from strategykit.venues.alor.server_requests import (
    BadRequest,
    CancelAll,
    Estimate,
    HttpCommand,
    HttpValue,
    OrderGroups,
    Refresh,
)

__all__ = ["REPEATED", "decode_http"]

REPEATED: Final = "Request with such X-ALOR-REQID was already handled."
"""Answers a repeated ``X-REQID``, with the first answer in ``oldResponse``. Source: section 5.3."""

_ORDERS: Final = ("commandapi", "warptrans", "trade", "v2", "client", "orders")
_GROUPS: Final = ("commandapi", "api", "ordergroups")


def decode_http(method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes) -> HttpValue:
    """Read one call. Never raises, whatever it is: what can't be done is a `BadRequest` with the HTTP status.

    Args:
        method: In any case.
        path: Decoded, without the query. Its case doesn't matter, but that of symbols, accounts and numbers does.
        query: By name, in any case.
        headers: By name, in any case. Authorization isn't looked at.
        body: Of POST and PUT.
    """
    parts = [part for part in path.split("/") if part]
    try:
        return _decode(method.upper(), parts, Fields(query), Fields(headers), body)
    except FieldError as exc:
        return BadRequest(guid="", code=400, message=str(exc))
    except RemoteProtocolError:
        return BadRequest(guid="", code=400, message="Provided json can't be properly deserialised")


def _decode(method: str, parts: list[str], query: Fields, headers: Fields, body: bytes) -> HttpValue:
    words = tuple(part.lower() for part in parts)
    routes: dict[tuple[str, ...], Callable[[], HttpValue]] = {
        ("refresh",): lambda: _refresh(query, body),
        ("md",): lambda: read_call(parts[2:], query) if method == "GET" and words[1:2] == ("v2",) else _unknown(),
        _ORDERS: lambda: _order(method, parts[len(_ORDERS) :], query, headers, body),
        _GROUPS: lambda: _group(method, parts[len(_GROUPS) :], body),
    }
    for start, read in routes.items():
        if words[: len(start)] == start:
            return read()
    return _unknown()


def _unknown() -> BadRequest:
    return BadRequest(guid="", code=404, message="There is no such call")


def _refresh(query: Fields, body: bytes) -> HttpValue:
    """The body wins over the query; in the query the portfolios are a bracketed list, as text (section 1.2)."""
    fields = read_object(body) if body.strip() else query
    if "token" not in fields:
        fields = query
    if fields is query:
        listed = query.text("allowedPortfolios", "").strip("[] ")
        portfolios = tuple(name for part in listed.split(",") if (name := part.strip(" \"'")))
    else:
        portfolios = fields.texts("allowedPortfolios")
    return Refresh(token=fields.text("token"), portfolios=portfolios)


def _order(method: str, parts: list[str], query: Fields, headers: Fields, body: bytes) -> HttpValue:
    words = [part.lower() for part in parts]
    if words[:1] == ["actions"] and method in ("POST", "PUT") and len(parts) == (2 if method == "POST" else 3):
        # The second name is deprecated, and still in use.
        name = "X-REQID" if "X-REQID" in headers else "X-ALOR-REQID"
        guid = headers.text(name)
        verb = "create" if method == "POST" else "update"
        order_id = parts[2] if method == "PUT" else None
        return HttpCommand(command=read_command(read_object(body), verb, words[1], guid=guid, order_id=order_id))
    if words[:1] == ["estimate"] and method == "POST":
        if words[1:] == ["all"]:
            listed = read_json(body)
            if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
                raise FieldError("a list of objects is required")
            return tuple(_estimate(Fields(each)) for each in listed)
        return _estimate(read_object(body))
    if method == "DELETE" and len(parts) == 1:
        return _cancel(parts[0], query)
    return _unknown()


def _cancel(number: str, query: Fields) -> HttpValue:
    account, exchange = query.text("portfolio"), query.text("exchange")
    stop, json = query.flag("stop", default=False), query.flag("jsonResponse", default=False)
    if number.lower() == "all":
        return CancelAll(account=account, exchange=exchange, stops=stop, json=json)
    type_ = OrderType.STOP if stop else OrderType.LIMIT
    return HttpCommand(command=read_cancel("", number, type_, account=account), json=json)


def _estimate(fields: Fields) -> Estimate:
    return Estimate(
        account=fields.text("portfolio"),
        exchange=fields.text("exchange"),
        symbol=fields.text("ticker"),
        price=fields.number("price", None),
        quantity=fields.number("lotQuantity", None),
        budget=fields.number("budget", None),
        board=fields.text("board", None),
    )


def _group(method: str, parts: list[str], body: bytes) -> HttpValue:
    allowed = ("GET", "POST") if not parts else ("GET", "PUT", "DELETE")
    if method not in allowed or len(parts) > 1:
        return _unknown()
    group_id = parts[0] if parts else None
    if method in ("GET", "DELETE"):
        return OrderGroups(method=method, group_id=group_id)
    fields = read_object(body)
    orders = tuple(
        (each.text("portfolio"), each.text("exchange"), each.text("orderId"), each.text("type"))
        for each in fields.objects("orders")
    )
    return OrderGroups(method=method, group_id=group_id, orders=orders, policy=fields.text("executionPolicy"))

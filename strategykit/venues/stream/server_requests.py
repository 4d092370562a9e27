"""What clients ask for on the socket, read with each server's own strictness, and what they are answered."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, Final, NoReturn

import attrs
import msgspec

from strategykit.venues.stream.server_variants import ServerVariant

__all__ = [
    "INVALID_STREAM",
    "BadRequest",
    "GetProperty",
    "ListSubscriptions",
    "Request",
    "RequestId",
    "SetProperty",
    "Subscribe",
    "Unsubscribe",
    "decode_request",
    "encode_error",
    "encode_result",
]

RequestId = int | str | None

_WORDS: Final = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
_KNOWN: Final = frozenset({"method", "params", "id"})
_U32: Final = (1 << 32) - 1
_I64: Final = (1 << 63) - 1

INVALID_STREAM: Final = (4006, "Invalid stream")
"""Source: stream protocol sheet, section 4, a client's capture."""
_INVALID_BACKPACK: Final = (4000, "Invalid request")
"""What else Backpack says isn't known."""


@attrs.frozen
class Subscribe:
    names: tuple[str, ...]
    request_id: RequestId


@attrs.frozen
class Unsubscribe:
    names: tuple[str, ...]
    request_id: RequestId


@attrs.frozen
class ListSubscriptions:
    request_id: RequestId


@attrs.frozen
class SetProperty:
    """Of ``combined``, the only one there is."""

    value: bool
    request_id: RequestId


@attrs.frozen
class GetProperty:
    request_id: RequestId


@attrs.frozen
class BadRequest:
    """What can't be done, and why; servers that ignore it say nothing."""

    code: int
    message: str
    request_id: RequestId = None


Request = Subscribe | Unsubscribe | ListSubscriptions | SetProperty | GetProperty | BadRequest


class _Refused(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def decode_request(message: str | bytes, variant: ServerVariant, *, quirks: bool = False) -> Request:
    """Read one message of a client. Never raises, whatever it is: what can't be done is a `BadRequest`.

    Args:
        message: A text, or bytes of a binary message, which no server of the family takes.
        variant: Whose rules.
        quirks: For the seed's server: what its reference implementation does where its documentation is milder.

    Source: stream protocol sheet, sections 2, 4 and 5.
    """
    try:
        pairs = _read_object(message) if isinstance(message, str) else None
    except ValueError as exc:
        code = 3 if variant.language == "binance" else _INVALID_BACKPACK[0]
        return BadRequest(code, f"Invalid JSON: {exc}"[:200])
    if pairs is None:
        code = 2 if variant.language == "binance" else _INVALID_BACKPACK[0]
        return BadRequest(code, "Invalid request: an object was expected")
    fields = dict(pairs)
    try:
        if variant.language == "binance":
            return _read_binance(fields)
        if variant.language == "backpack":
            return _read_backpack(fields)
        return _read_seed(pairs, quirks=quirks)
    except _Refused as exc:
        return BadRequest(exc.code, str(exc), _echo(fields.get("id")))


def encode_result(result: object, request_id: RequestId) -> bytes:
    """Word Binance's answer to a request that was carried out."""
    return msgspec.json.encode({"result": result, "id": request_id})


def encode_error(request: BadRequest, variant: ServerVariant) -> bytes | None:
    """Word what a request is refused with; None: this server says nothing."""
    if variant.language == "seed":
        return None
    if variant.language == "backpack":
        error = {"code": request.code, "message": request.message}
        return msgspec.json.encode({"id": request.request_id, "error": error})
    answer: dict[str, object] = {"code": request.code, "msg": request.message}
    if request.request_id is not None:
        answer["id"] = request.request_id
    return msgspec.json.encode(answer)


def _read_object(message: str) -> list[tuple[str, Any]] | None:
    """Give the members of the outermost object, repeated ones too; None if it is no object.

    Raises:
        ValueError: It isn't JSON.
    """
    try:
        value = json.loads(message, object_pairs_hook=_Pairs, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deep") from None
    return list(value) if isinstance(value, _Pairs) else None


class _Pairs(list[tuple[str, Any]]):
    """Members of an object, in their order."""


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _read_seed(pairs: list[tuple[str, Any]], *, quirks: bool) -> Request:
    counts = Counter(name for name, _ in pairs)
    if any(counts[name] > 1 for name in _KNOWN):
        raise _Refused(0, "a member is there twice")
    fields = dict(pairs)
    names = _names(fields.get("params"))
    number = fields.get("id")
    if type(number) is not int or (quirks and not 0 <= number <= _U32):
        raise _Refused(0, "id isn't an unsigned integer of 32 bits" if quirks else "id isn't an integer")
    if quirks:
        names = names[:1]
    if not names:
        raise _Refused(0, "params is empty")
    return _made(fields.get("method"), names, number)


def _read_backpack(fields: dict[str, Any]) -> Request:
    return _made(fields.get("method"), _names(fields.get("params")), _echo(fields.get("id")))


def _made(method: object, names: tuple[str, ...], request_id: RequestId) -> Request:
    if method == "SUBSCRIBE":
        return Subscribe(names, request_id)
    if method == "UNSUBSCRIBE":
        return Unsubscribe(names, request_id)
    raise _Refused(*_INVALID_BACKPACK)


def _names(params: object) -> tuple[str, ...]:
    if isinstance(params, _Pairs) or not isinstance(params, list):
        raise _Refused(*_INVALID_BACKPACK)
    if not all(isinstance(name, str) for name in params):
        raise _Refused(*_INVALID_BACKPACK)
    return tuple(params)


def _read_binance(fields: dict[str, Any]) -> Request:
    number = fields.get("id")
    if number is not None and _echo(number) is None:
        raise _Refused(2, "Invalid request: id must be a 64-bit integer, up to 36 letters and digits, or null")
    if "method" not in fields:
        raise _Refused(2, "Invalid request: missing field `method`")
    method, params = fields["method"], fields.get("params", [])
    if not isinstance(method, str) or method not in _WORDS:
        expected = ", ".join(f"`{word}`" for word in _WORDS)
        shown = method[:50].encode("ascii", "backslashreplace").decode() if isinstance(method, str) else "this"
        raise _Refused(2, f"Invalid request: unknown variant `{shown}`, expected one of {expected}")
    if isinstance(params, _Pairs) or not isinstance(params, list):
        raise _Refused(2, "Invalid request: params must be an array")
    if method in ("SUBSCRIBE", "UNSUBSCRIBE"):
        if not params or not all(isinstance(name, str) and name.isascii() for name in params):
            raise _Refused(2, "Invalid request: params must be an array of stream names")
        names = tuple(params)
        return Subscribe(names, number) if method == "SUBSCRIBE" else Unsubscribe(names, number)
    return _read_binance_property(method, params, number)


def _read_binance_property(method: str, params: list[Any], number: RequestId) -> Request:
    wanted = {"LIST_SUBSCRIPTIONS": 0, "GET_PROPERTY": 1, "SET_PROPERTY": 2}[method]
    if len(params) > wanted:
        raise _Refused(2, "Invalid request: too many parameters")
    if len(params) < wanted:
        raise _Refused(2, "Invalid request: too few parameters")
    if method == "LIST_SUBSCRIPTIONS":
        return ListSubscriptions(number)
    if not isinstance(params[0], str):
        raise _Refused(2, "Invalid request: property name must be a string")
    if params[0] != "combined":
        raise _Refused(0, "Unknown property")
    if method == "GET_PROPERTY":
        return GetProperty(number)
    if not isinstance(params[1], bool):
        raise _Refused(1, "Invalid value type: expected Boolean")
    return SetProperty(params[1], number)


def _echo(number: object) -> RequestId:
    """Give an id that may be sent back, else None."""
    if isinstance(number, str):
        return number if number.isascii() and number.isalnum() and len(number) <= 36 else None
    return number if type(number) is int and -_I64 - 1 <= number <= _I64 else None

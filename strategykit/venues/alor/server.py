"""The venue's side of the sockets: read what clients send, word what they are answered.

Requests are read leniently, as the venue does: names and enumerations in any case, numbers and booleans as text,
unknown fields ignored. Source: ALOR protocol sheet, sections 2 and 4.
"""

from __future__ import annotations

import msgspec

from strategykit.errors import RemoteProtocolError
from strategykit.venues.alor.names import (
    HANDLED,
    INITIALIZED,
    INVALID_TOKEN,
    order_created,
    order_deleted,
    order_updated,
)
from strategykit.venues.alor.server_commands import read_command
from strategykit.venues.alor.server_fields import FieldError, Fields, read_object
from strategykit.venues.alor.server_requests import (
    Authorize,
    BadRequest,
    OrderCommand,
    Ping,
    Request,
    Subscribe,
    Unsubscribe,
)
from strategykit.venues.alor.server_streams import SUBSCRIPTIONS, read_subscribe

__all__ = [
    "HANDLED",
    "INITIALIZED",
    "INVALID_TOKEN",
    "Authorize",
    "BadRequest",
    "OrderCommand",
    "Ping",
    "Request",
    "Subscribe",
    "Unsubscribe",
    "decode_request",
    "encode_reply",
    "order_created",
    "order_deleted",
    "order_updated",
]

_UNREADABLE = "Provided json can't be properly deserialised"
"""The code's own class says what to do; the text is one that clients know. Source: section 4.6."""


def decode_request(frame: str | bytes) -> Request:
    """Read one frame of a client. Never raises, whatever it is: what can't be done is a `BadRequest`.

    Which socket it came by is not looked at: `Authorize` and `OrderCommand` belong to ``/cws``, `Subscribe` and
    `Unsubscribe` to ``/ws``, `Ping` to both.
    """
    try:
        fields = read_object(frame)
    except RemoteProtocolError:
        # There is no guid to answer to. What the venue sends then isn't known; section 2.4 suggests this.
        return BadRequest(guid="", code=400, message=_UNREADABLE)
    guid = ""
    try:
        guid = fields.text("guid")
        return _decode(fields, guid)
    except FieldError as exc:
        return BadRequest(guid=guid, code=400, message=str(exc))


def encode_reply(guid: str, code: int, message: str, order_number: str | None = None) -> str:
    """Word a service reply: compact, and with the guid first, which clients recognise it by (section 2.1)."""
    reply: dict[str, str | int] = {"requestGuid": guid, "httpCode": code, "message": message}
    if order_number is not None:
        reply["orderNumber"] = order_number
    return msgspec.json.encode(reply).decode()


def _decode(fields: Fields, guid: str) -> Request:
    opcode = fields.text("opcode")
    token = fields.text("token", "")
    word = opcode.lower()
    if word in SUBSCRIPTIONS:
        return read_subscribe(fields, word, guid=guid, token=token)
    if word == "unsubscribe":
        return Unsubscribe(guid=guid, token=token)
    if word == "ping":
        return Ping(guid=guid, token=token)
    if word == "authorize":
        return Authorize(guid=guid, token=token, originator=fields.text("originator", ""))
    verb, _, kind = word.partition(":")
    if verb in ("create", "update", "delete"):
        command = read_command(fields, verb, kind, guid=guid)
        return OrderCommand(guid=guid, command=command, check_duplicates=command.request.check_duplicates, token=token)
    raise FieldError(f"Unknown opcode {opcode[:100]!r}")

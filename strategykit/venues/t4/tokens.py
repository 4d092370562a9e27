"""Tokens for REST: asked for over the session, or got by a password's login over HTTP, and how calls carry them.

Source: T4 protocol sheet, section 1.5.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Final

import msgspec
from google.protobuf.message import DecodeError

from strategykit.errors import RemoteProtocolError
from strategykit.secret import Secret
from strategykit.venues.asks import HttpRequest
from strategykit.venues.dialect import Frame
from strategykit.venues.http_tokens import TokenReply
from strategykit.venues.t4.login import Holder, Shown, read_shown
from strategykit.venues.t4.proto.service_pb2 import ServerMessage
from strategykit.venues.t4.reading import stamp

__all__ = ["find_token", "read_service_token", "rest_headers", "service_request"]

_FORMATS: Final = {"decimal": "Decimal", "real": "Real", "clearing_decimal": "ClearingDecimal"}

_SECOND: Final = 1_000_000_000
_FAR: Final = 2**33
"""Seconds."""

_SHORT: Final = 1_800 * _SECOND
"""Nanoseconds that a token is taken to live which doesn't say: if it is refused before, another is asked for."""

_FIRST_BYTE: Final = b"\x1a"
"""Of a `ServerMessage` that holds a token: it has one payload, and nothing before it."""


class _Answer(msgspec.Struct):
    token: str
    expires: float


class _Claims(msgspec.Struct):
    iat: float | None = None


_READ_ANSWER: Final = msgspec.json.Decoder(_Answer)
_READ_CLAIMS: Final = msgspec.json.Decoder(_Claims)


def find_token(frame: Frame) -> TokenReply | None:
    """Give the answer to a request for a token, if that is what a frame is."""
    if isinstance(frame, str) or not frame.startswith(_FIRST_BYTE):
        return None
    try:
        message = ServerMessage.FromString(frame)
        if message.WhichOneof("payload") != "authentication_token":
            return None
        found = message.authentication_token
        expires = stamp(found, "expire_time")
    except DecodeError:
        return None  # It is told where frames are decoded.
    except ValueError:
        expires = None
    if found.token and not found.fail_message:
        return _told(found.token, expires, guid=found.request_id)
    words = found.fail_message or "no reason given"
    return TokenReply(guid=found.request_id, refusal=words, secrets=(found.token,) if found.token else ())


def rest_headers(token: str) -> dict[str, str]:
    """Give what authorises a REST call; nothing where there is nothing to show."""
    shown = read_shown(token)
    if shown.rest:
        return {"Authorization": f"Bearer {shown.rest}"}
    return {"Authorization": f"APIKey {shown.api_key}"} if shown.api_key else {}


def service_request(secrets: Mapping[str, Secret], holder: Holder, *, price_format: str) -> HttpRequest:
    """Give the call for a token without a session. Its body holds the password: build it where the bytes leave."""
    body = {
        "firm": holder.firm,
        "userName": holder.username,
        "password": secrets["password"].reveal(),
        "appName": holder.app_name,
        "appLicense": secrets["app_license"].reveal(),
        "priceFormat": _FORMATS[price_format],
    }
    return HttpRequest(
        method="POST",
        path="/login",
        body=msgspec.json.encode(body).decode(),
        headers={"Content-Type": "application/json"},
    )


def read_service_token(body: bytes) -> TokenReply:
    """Read the service's answer.

    Raises:
        RemoteProtocolError: It holds no token; the error shows none of it.
    """
    try:
        answer = _READ_ANSWER.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise RemoteProtocolError("the token service's answer holds no token") from None
    if not answer.token or not 0 < answer.expires < _FAR:
        raise RemoteProtocolError("the token service's answer holds no token that lives")
    return _told(answer.token, int(answer.expires * _SECOND))


def _told(token: str, expires: int | None, *, guid: str = "") -> TokenReply:
    issued = _issued(token)
    if expires is None:
        expires = _SHORT if issued is None else issued + _SHORT
    if issued is None or issued >= expires:
        issued = expires - _SHORT
    text = msgspec.json.encode(Shown(rest=token)).decode()
    return TokenReply(guid=guid, text=text, issued=issued, expires=expires, secrets=(token,))


def _issued(token: str) -> int | None:
    """Say when a JWT was issued, nanoseconds UTC, if it says so."""
    try:
        claims = token.split(".")[1]
        found = _READ_CLAIMS.decode(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))).iat
    except (msgspec.MsgspecError, ValueError, IndexError, RecursionError):
        return None
    return int(found * _SECOND) if found is not None and 0 < found < _FAR else None

"""Logins: what is shown to T4, how it is carried in one token text, and the token service for passwords.

Source: T4 protocol sheet, sections 1.2 and 1.5.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Final

import attrs
import msgspec

from strategykit.errors import LocalProtocolError, RemoteProtocolError
from strategykit.secret import Secret
from strategykit.venues.dialect import HttpRequest
from strategykit.venues.t4.client import encode
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.server_requests import Login

__all__ = [
    "FORMATS",
    "Holder",
    "ServiceToken",
    "join_secrets",
    "login_frame",
    "login_request",
    "read_service_token",
    "rest_headers",
]

FORMATS: Final = {
    "decimal": enums.PRICE_FORMAT_DECIMAL,
    "real": enums.PRICE_FORMAT_REAL,
    "clearing_decimal": enums.PRICE_FORMAT_CLEARING_DECIMAL,
}
"""Numbers that prices are told in, by name: the exchange's own, those that people use, those that clearing uses."""

_SERVICE_FORMATS: Final = {"decimal": "Decimal", "real": "Real", "clearing_decimal": "ClearingDecimal"}

_SECOND: Final = 1_000_000_000
_FAR: Final = 2**33
"""Seconds."""

_SHORT: Final = 1_800 * _SECOND
"""Nanoseconds."""


@attrs.frozen(kw_only=True)
class Holder:
    """Who logs in by password; nothing of it is secret. All empty: an API key says it."""

    firm: str = ""
    username: str = ""
    app_name: str = ""


@attrs.frozen(kw_only=True)
class ServiceToken:
    """What a login by password shows, with a token for REST, as the service gives it, beside."""

    text: str = attrs.field(repr=False)
    issued: int
    expires: int


class _Shown(msgspec.Struct, omit_defaults=True):
    """The secrets of a login, as one text."""

    api_key: str = ""
    password: str = ""
    app_license: str = ""
    orders_api_key: str = ""
    orders_app_license: str = ""
    rest: str = ""


class _Answer(msgspec.Struct):
    token: str
    expires: float


class _Claims(msgspec.Struct):
    iat: float | None = None


_READ_CLAIMS: Final = msgspec.json.Decoder(_Claims)
_READ_SHOWN: Final = msgspec.json.Decoder(_Shown)
_READ_ANSWER: Final = msgspec.json.Decoder(_Answer)


def join_secrets(secrets: Mapping[str, Secret]) -> Secret | None:
    """Make the token that the dialect shows: an API key alone is one by itself, anything else is JSON."""
    if not secrets:
        return None
    if set(secrets) == {"api_key"}:
        return secrets["api_key"]
    return Secret(msgspec.json.encode({key: secret.reveal() for key, secret in secrets.items()}).decode())


def login_frame(token: str, holder: Holder, *, price_format: str, second: bool) -> bytes:
    """Word the login.

    Args:
        token: As `join_secrets` or `read_service_token` makes it.
        holder: Who logs in.
        price_format: One of `FORMATS`.
        second: Whether it is that of the second application.

    Raises:
        LocalProtocolError: There is nothing to show.
    """
    shown = _read(token)
    key = shown.orders_api_key if second else shown.api_key
    if not key and not (holder.username and shown.password):
        raise LocalProtocolError("a login at T4 needs an API key, or firm, username, password, application and licence")
    by_name = Holder() if key else holder
    return encode(
        Login(
            api_key=key,
            firm=by_name.firm,
            username=by_name.username,
            password="" if key else shown.password,
            app_name=by_name.app_name,
            app_license="" if key else shown.orders_app_license if second else shown.app_license,
            price_format=FORMATS[price_format],
        )
    )


def rest_headers(token: str) -> dict[str, str]:
    """Give what authorises a REST call; nothing where there is nothing to show."""
    shown = _read(token)
    if shown.rest:
        return {"Authorization": f"Bearer {shown.rest}"}
    return {"Authorization": f"APIKey {shown.api_key}"} if shown.api_key else {}


def login_request(secrets: Mapping[str, Secret], holder: Holder, *, price_format: str) -> HttpRequest:
    """Give the call for a REST token. Its body holds the password: build it where the bytes leave."""
    body = {
        "firm": holder.firm,
        "userName": holder.username,
        "password": secrets["password"].reveal(),
        "appName": holder.app_name,
        "appLicense": secrets["app_license"].reveal(),
        "priceFormat": _SERVICE_FORMATS[price_format],
    }
    return HttpRequest(
        method="POST",
        path="/login",
        body=msgspec.json.encode(body).decode(),
        headers={"Content-Type": "application/json"},
    )


def read_service_token(body: bytes, secrets: Mapping[str, Secret]) -> ServiceToken:
    """Read the service's answer; `secrets` are those of the login.

    Raises:
        RemoteProtocolError: It holds no token; the error shows none of it.
    """
    try:
        answer = _READ_ANSWER.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise RemoteProtocolError("the token service's answer holds no token") from None
    if not answer.token or not 0 < answer.expires < _FAR:
        raise RemoteProtocolError("the token service's answer holds no token that lives")
    shown = {"rest": answer.token, **{key: secret.reveal() for key, secret in secrets.items()}}
    expires = int(answer.expires * _SECOND)
    return ServiceToken(
        text=msgspec.json.encode(shown).decode(), issued=_issued(answer.token, expires), expires=expires
    )


def _issued(token: str, expires: int) -> int:
    """Say when a JWT was issued, nanoseconds UTC; one that doesn't say counts as short-lived."""
    try:
        claims = token.split(".")[1]
        found = _READ_CLAIMS.decode(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))).iat
    except (msgspec.MsgspecError, ValueError, IndexError, RecursionError):
        found = None
    issued = expires - _SHORT if found is None else int(found * _SECOND)
    return issued if issued < expires else expires - _SHORT


def _read(token: str) -> _Shown:
    if not token.startswith("{"):
        return _Shown(api_key=token)
    try:
        return _READ_SHOWN.decode(token)
    except msgspec.MsgspecError:
        raise LocalProtocolError("the token is neither an API key nor what `join_secrets` makes") from None

"""Access tokens: how one is asked for, and what it says about itself. Source: ALOR protocol sheet, section 1.2."""

from __future__ import annotations

import base64
import binascii
from typing import Final

import attrs
import msgspec

from strategykit.errors import RemoteProtocolError
from strategykit.secret import Secret
from strategykit.venues.alor.names import NANOS
from strategykit.venues.alor.parsing import UNREADABLE, Seconds
from strategykit.venues.dialect import HttpRequest

__all__ = ["LIFETIME", "AccessToken", "read_access_token", "read_refresh", "refresh_request"]

LIFETIME: Final = 1_800 * NANOS
"""Nanoseconds from issue to end, where a token doesn't name both. One that names neither counts from 1970: its life is
right, and that is all that is used."""


@attrs.frozen(kw_only=True)
class AccessToken:
    """A token, and what is written in it. Nobody verifies its signature: it is the venue's own word to the venue."""

    text: str = attrs.field(repr=False)
    issued: int
    """By the venue's clock, nanoseconds UTC."""
    expires: int
    """By the venue's clock, nanoseconds UTC."""
    login: str = ""
    portfolios: tuple[str, ...] = ()
    agreements: tuple[str, ...] = ()


class _Answer(msgspec.Struct, rename={"token": "AccessToken"}):
    token: str


class _Claims(msgspec.Struct):
    exp: Seconds | None = None
    iat: Seconds | None = None
    sub: str | None = None
    portfolios: str | None = None
    """Separated by spaces."""
    agreements: str | None = None


_ANSWER: Final = msgspec.json.Decoder(_Answer)
_CLAIMS: Final = msgspec.json.Decoder(_Claims)


def refresh_request(refresh_token: Secret, *, portfolios: tuple[str, ...] = ()) -> HttpRequest:
    """Give the call to the token service. Its body holds the secret: build it where the bytes leave.

    Args:
        refresh_token: The long-lived credential.
        portfolios: Those on which the access token may act; empty: all.
    """
    fields: dict[str, object] = {"token": refresh_token.reveal()}
    if portfolios:
        fields["allowedPortfolios"] = portfolios
    # In the body, not the query: addresses end up in logs.
    return HttpRequest(
        method="POST",
        path="/refresh",
        body=msgspec.json.encode(fields).decode(),
        headers={"Content-Type": "application/json"},
    )


def read_refresh(body: bytes) -> AccessToken:
    """Read the token service's answer.

    Raises:
        RemoteProtocolError: It holds no token, or one that can't be read; the error shows none of it.
    """
    try:
        text = _ANSWER.decode(body).token
    except UNREADABLE:
        raise RemoteProtocolError("the token service's answer holds no AccessToken") from None
    return read_access_token(text)


def read_access_token(text: str) -> AccessToken:
    """Read what a token says of itself.

    Raises:
        RemoteProtocolError: It isn't a token; the error shows none of it.
    """
    parts = text.split(".")
    try:
        if len(parts) != 3:
            raise ValueError("not three parts")
        claims = _CLAIMS.decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (*UNREADABLE, binascii.Error):
        raise RemoteProtocolError("the access token isn't a JWT") from None
    issued = None if claims.iat is None else claims.iat * NANOS
    expires = (issued or 0) + LIFETIME if claims.exp is None else claims.exp * NANOS
    return AccessToken(
        text=text,
        issued=expires - LIFETIME if issued is None else issued,
        expires=expires,
        login=claims.sub or "",
        portfolios=tuple((claims.portfolios or "").split()),
        agreements=tuple((claims.agreements or "").split()),
    )

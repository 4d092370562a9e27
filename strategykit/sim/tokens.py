"""The simulated token service's JWTs: compact, with an end, and forgeable by nobody who lacks the key."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

import attrs
import msgspec

__all__ = ["Claims", "make_token", "read_token"]

_HEADER: Final = {"alg": "ES256", "typ": "JWT", "cty": "JWT"}
"""As the venue's own; the signature is ours, because no client known verifies it."""


@attrs.frozen(kw_only=True)
class Claims:
    """What a token says."""

    login: str
    agreements: tuple[str, ...]
    portfolios: tuple[str, ...]
    """Three an agreement, in the agreements' order: one client computes which belongs to which."""
    issued: int
    """Seconds UTC."""
    expires: int
    """Seconds UTC."""
    generation: int
    """Tokens of an older generation than the venue's have been revoked."""


class _Body(msgspec.Struct):
    sub: str
    agreements: str
    portfolios: str
    iat: int
    exp: int
    ein: int
    ent: str = "client"
    clientid: str = "1"
    azp: str = "simulated"
    scope: str = "OrdersRead OrdersCreate Trades Personal Stats"
    iss: str = "simulated-alor"
    aud: Sequence[str] = ("Client", "WARP", "WarpATConnector", "subscriptionsApi")


_DECODER: Final = msgspec.json.Decoder(_Body)


def make_token(claims: Claims, key: bytes) -> str:
    """Issue a JWT.

    Source: ALOR protocol sheet, sections 1.2 and 7.1.
    """
    body = _Body(
        sub=claims.login,
        agreements=" ".join(claims.agreements),
        portfolios=" ".join(claims.portfolios),
        iat=claims.issued,
        exp=claims.expires,
        ein=claims.generation,
    )
    head = f"{_encode(msgspec.json.encode(_HEADER))}.{_encode(msgspec.json.encode(body))}"
    return f"{head}.{_encode(_sign(head, key))}"


def read_token(token: str, key: bytes) -> Claims | None:
    """Read a JWT made with `key`; None for anything else. Whether it is still good is the caller's question."""
    head, _, signature = token.rpartition(".")
    try:
        if not hmac.compare_digest(_decode(signature), _sign(head, key)):
            return None
        body = _DECODER.decode(_decode(head.partition(".")[2]))
    except (ValueError, binascii.Error, msgspec.DecodeError):
        return None
    return Claims(
        login=body.sub,
        agreements=tuple(body.agreements.split()),
        portfolios=tuple(body.portfolios.split()),
        issued=body.iat,
        expires=body.exp,
        generation=body.ein,
    )


def _sign(head: str, key: bytes) -> bytes:
    once = hmac.digest(key, head.encode(), hashlib.sha256)
    return once + hmac.digest(key, once, hashlib.sha256)  # 64 bytes, as an ES256 signature has.


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decode(text: str) -> bytes:
    return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)

"""Where clients put their key on an upgrade or an HTTP request.

Source: CoinAPI protocol sheet, sections 3 and 9.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Final

import attrs

from strategykit.secret import Secret

__all__ = ["Credentials", "read_credentials"]

_SUFFIX: Final = re.compile(r"/APIKEY-([^/]+)/?$")
_S3: Final = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/,\s]+)/")


@attrs.frozen
class Credentials:
    """What a request says of its sender, and what is left of its path."""

    path: str
    """Without the key; at least ``/``."""
    keys: tuple[Secret, ...]
    """All that were given; one good one is enough."""


def read_credentials(path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Credentials:
    """Find the keys.

    Args:
        path: Decoded.
        query: Decoded.
        headers: By name in lower case.
    """
    suffix = _SUFFIX.search(path)
    found = [suffix[1] if suffix else "", headers.get("x-coinapi-key", ""), _read_authorization(headers)]
    found += [value for name, value in query.items() if name.lower() == "apikey"]
    keys = tuple(Secret(key) for key in map(str.strip, found) if key)
    return Credentials((path[: suffix.start()] if suffix else path) or "/", keys)


def _read_authorization(headers: Mapping[str, str]) -> str:
    """Give the key of an ``Authorization`` header; a bearer's token comes in addition to a key and is none."""
    value = headers.get("authorization", "").strip()
    scheme, _, rest = value.partition(" ")
    match scheme.lower():
        case "bearer":
            return ""
        case "basic":
            try:
                user, _, key = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
            except (binascii.Error, ValueError):
                return ""
            return key if user == "coinapi" else ""
        case "aws4-hmac-sha256":
            signed = _S3.match(value)
            return signed[1] if signed else ""
        case _:
            return value

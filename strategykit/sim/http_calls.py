"""HTTP as values: what a server is asked, what it answers, and what one client may use up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import msgspec

__all__ = ["HttpAnswer", "HttpCall", "HttpLimits", "json_answer"]


@attrs.frozen(kw_only=True)
class HttpLimits:
    """What one HTTP client may use up."""

    head_bytes: int = 32_768
    body_bytes: int = 1_048_576
    request_within: float = 10.0
    """Seconds from a request's first bytes to its last; also for a client to take its answer."""
    idle: float = 75.0
    """Seconds that a kept connection may say nothing."""


@attrs.frozen(kw_only=True)
class HttpCall:
    """One whole request."""

    method: str
    path: str
    """Decoded, without the query."""
    query: Mapping[str, str] = attrs.field(factory=dict)
    """Decoded; of a repeated name the last value."""
    headers: Mapping[str, str] = attrs.field(factory=dict)
    """Names in lower case; of a repeated header the last value."""
    body: bytes = b""
    http_version: str = "1.1"


@attrs.frozen(kw_only=True)
class HttpAnswer:
    status: int
    body: bytes
    content_type: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] = attrs.field(factory=dict)


def json_answer(status: int, value: Any) -> HttpAnswer:
    """Answer with compact JSON."""
    return HttpAnswer(status=status, body=msgspec.json.encode(value))

"""What all messages of a relay have in common: the envelope, holes told in it, and how numbers are written."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from strategykit.model.events import Gap

__all__ = ["Hole", "digits", "hole_of", "mark", "prefix"]

_ENCODE: Final = msgspec.json.Encoder().encode


class Hole(msgspec.Struct, frozen=True, omit_defaults=True):
    """What may have been missed before a message; times in microseconds UTC, None where nobody knows."""

    reason: str
    since: int | None = None
    until: int | None = None


def prefix(name: str) -> bytes:
    """Give what all messages of a channel begin with."""
    return b'{"stream":' + _ENCODE(name) + b","


def mark(payload: bytes, name: str, hole: Hole) -> bytes:
    """Put a hole into the envelope of a message; of two, the older stays."""
    start = prefix(name)
    if payload.startswith(b'"gap"', len(start)):
        return payload
    return b"".join((start, b'"gap":', _ENCODE(hole), b",", payload[len(start) :]))


def digits(number: float) -> str:
    """Write a number as venues do: the shortest digits that mean it, without an exponent."""
    text = repr(number)
    if text.endswith(".0"):
        return text[:-2]
    return format(Decimal(text), "f") if "e" in text else text


def hole_of(gap: Gap) -> Hole:
    """Give what clients are told of a gap."""
    return Hole(gap.reason[:200], gap.since // 1_000, gap.until // 1_000)

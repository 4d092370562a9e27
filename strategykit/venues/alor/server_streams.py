"""The venue's reading of subscription requests. Source: ALOR protocol sheet, sections 2.2 and 2.3."""

from __future__ import annotations

from typing import Final

from strategykit.venues.alor.names import (
    DEFAULT_BOOK_DEPTH,
    DEFAULT_FREQUENCY,
    FORMATS,
    LEGACY_STOP_ORDERS,
    MAX_BOOK_DEPTH,
    MAX_PAST_TRADES,
    MIN_FREQUENCY,
    NANOS,
    OPCODES,
    STATUSES,
    TRADES_ALIAS,
)
from strategykit.venues.alor.server_fields import FieldError, Fields
from strategykit.venues.alor.server_requests import Subscribe
from strategykit.venues.alor.times import MAX_SECONDS, read_timeframe
from strategykit.venues.streams import PRIVATE, Stream, StreamKind

__all__ = ["SUBSCRIPTIONS", "read_interval", "read_seconds", "read_subscribe"]

SUBSCRIPTIONS: Final = {
    **{opcode.lower(): kind for kind, opcode in OPCODES.items()},
    TRADES_ALIAS.lower(): StreamKind.TRADES,
    LEGACY_STOP_ORDERS.lower(): StreamKind.STOP_ORDERS,
}
"""Opcodes in lower case."""

_CONFLATED: Final = frozenset({StreamKind.BOOK, StreamKind.QUOTES, StreamKind.BARS})
_BY_INTERVAL: Final = frozenset({StreamKind.BARS, StreamKind.CLUSTERS})
_MILLISECOND: Final = 1_000_000
_LONGEST_FREQUENCY: Final = 86_400_000
"""Milliseconds; no client means more than a day."""


def read_subscribe(fields: Fields, opcode: str, *, guid: str, token: str) -> Subscribe:
    """Read the subscription that `opcode`, in lower case, asks for.

    Raises:
        FieldError: A field is missing or can't be.
    """
    kind = SUBSCRIPTIONS[opcode]
    private = kind in PRIVATE
    style = fields.choice("format", FORMATS, "Simple")
    statuses = tuple(word.lower() for word in fields.texts("orderStatuses"))
    for word in statuses:
        if word not in STATUSES:
            raise FieldError(f"orderStatuses must be of {', '.join(STATUSES)}, not {word[:100]!r}")
    skip = fields.flag("skipHistory", default=False)
    stream = Stream(
        kind=kind,
        instrument=None if private else fields.text("code"),
        account=fields.text("portfolio") if private else None,
        exchange=fields.text("exchange"),
        board=fields.text("instrumentGroup", "") or None,
        interval=read_interval(fields) if kind in _BY_INTERVAL else None,
        depth=_depth(fields, kind),
        since=read_seconds(fields, "from") if kind in _BY_INTERVAL and not skip else None,
        frequency=_frequency(fields, style) if kind in _CONFLATED else None,
        skip_history=skip,
    )
    legacy = opcode == LEGACY_STOP_ORDERS.lower()
    return Subscribe(guid=guid, token=token, stream=stream, format=style, statuses=statuses, legacy=legacy)


def read_interval(fields: Fields) -> int:
    """Give a bar's length, nanoseconds. A number is accepted as well as its text."""
    text = fields.text("tf")
    interval = read_timeframe(text)
    if interval is None:
        raise FieldError(f"tf must be seconds as digits, or D, W, M, Y, not {text[:100]!r}")
    return interval


def read_seconds(fields: Fields, name: str) -> int:
    """Give a time, nanoseconds UTC, sent as Unix seconds."""
    seconds = fields.whole(name)
    if not 0 <= seconds <= MAX_SECONDS:
        raise FieldError(f"{name} must be Unix seconds, not {seconds}")
    return seconds * NANOS


def _depth(fields: Fields, kind: StreamKind) -> int | None:
    if kind is StreamKind.BOOK:
        depth = fields.whole("depth", DEFAULT_BOOK_DEPTH)
        if not 1 <= depth <= MAX_BOOK_DEPTH:
            raise FieldError(f"depth must be 1 to {MAX_BOOK_DEPTH}, not {depth}")
        return depth
    if kind is StreamKind.TRADES:
        # `repeatCount` is the twin that the venue's own terminal sends along.
        depth = fields.whole("depth" if "depth" in fields else "repeatCount", 0)
        if not 0 <= depth <= MAX_PAST_TRADES:
            raise FieldError(f"depth must be 0 to {MAX_PAST_TRADES}, not {depth}")
        return depth
    return None


def _frequency(fields: Fields, style: str) -> int:
    """Give nanoseconds. Clients send 0 and get the minimum: nobody has seen a refusal (section 2.2)."""
    asked = fields.whole("frequency", DEFAULT_FREQUENCY)
    if asked > _LONGEST_FREQUENCY:
        raise FieldError(f"frequency must be at most {_LONGEST_FREQUENCY} ms, not {asked}")
    return max(asked, MIN_FREQUENCY[style]) * _MILLISECOND

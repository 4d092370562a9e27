"""What can be subscribed to, named the same for every venue."""

from __future__ import annotations

import enum
from typing import Final

import attrs

__all__ = ["PRIVATE", "UNTRADED", "Stream", "StreamKind", "stream_label", "usual_lane"]


class StreamKind(enum.Enum):
    TRADES = "trades"
    QUOTES = "quotes"
    BOOK = "book"
    BOOK_BY_ORDER = "book_by_order"
    """A book that is made of its orders, where a venue shows them."""
    BARS = "bars"
    TICKER = "ticker"
    """The last 24 hours in figures."""
    CLUSTERS = "clusters"
    INSTRUMENT = "instrument"
    VOLUME = "volume"
    """What was traded in the last hour, day and month."""
    RATE = "rate"
    """What one currency or coin is worth in another, by the venue's own count."""
    ASSET = "asset"
    """What a venue says of a currency or coin."""
    ORDERS = "orders"
    STOP_ORDERS = "stop_orders"
    FILLS = "fills"
    POSITIONS = "positions"
    SUMMARY = "summary"
    RISK = "risk"
    SPECTRA_RISK = "spectra_risk"


PRIVATE: Final = frozenset(
    {
        StreamKind.ORDERS,
        StreamKind.STOP_ORDERS,
        StreamKind.FILLS,
        StreamKind.POSITIONS,
        StreamKind.SUMMARY,
        StreamKind.RISK,
        StreamKind.SPECTRA_RISK,
    }
)
"""Streams of an account. They travel away from market data, where the venue allows it."""

UNTRADED: Final = frozenset({StreamKind.RATE, StreamKind.ASSET})
"""Streams of what nobody can place an order for."""


_UNITS: Final = ((86_400 * 10**9, "d"), (3_600 * 10**9, "h"), (60 * 10**9, "m"))
"""Nanoseconds, and how intervals are written."""


@attrs.frozen(kw_only=True)
class Stream:
    """One stream, as a value: strategies that want equal streams share one subscription."""

    kind: StreamKind
    instrument: str | None = None
    """Symbol; None for the streams of an account."""
    account: str | None = None
    """Portfolio or account; None for market data."""
    exchange: str | None = None
    board: str | None = None
    interval: int | None = None
    """Nanoseconds a bar."""
    depth: int | None = None
    """Book levels a side; for trades, how many past ones come first. None: the venue's default."""
    since: int | None = None
    """For bars: start of the history wanted, nanoseconds UTC. None: live only."""
    frequency: int | None = None
    """Nanoseconds: the venue conflates to at most one message in this time. None: its default."""
    skip_history: bool = False
    """True: only what happens from now on."""

    @property
    def label(self) -> str:
        """For people: ``"bars SBER 1m"``."""
        return stream_label(self.kind.value, self.instrument or self.account, self.interval)


def stream_label(kind: str, of: str | None, interval: int | None) -> str:
    """Write for people what is streamed, of which instrument or account, and nanoseconds a bar: ``"bars SBER 1m"``.

    The kind is text, so that a stream of a kind that isn't known here, on somebody else's tape, can be shown, too.
    """
    parts = [kind, of]
    if interval is not None:
        unit, name = next((item for item in _UNITS if interval % item[0] == 0), (10**9, "s"))
        parts.append(f"{interval / unit:g}{name}")
    return " ".join(part for part in parts if part)


def usual_lane(stream: Stream) -> str:
    """Give ``"orders"`` for the streams of an account, else ``"market"``: what most venues do."""
    return "orders" if stream.kind in PRIVATE else "market"

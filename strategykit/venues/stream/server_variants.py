"""What tells the servers of the stream family apart, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import attrs

from strategykit.errors import ConfigError

__all__ = ["SERVER_VARIANTS", "ServerVariant", "find_server_variant"]

_MS: Final = 1_000_000
_MINUTE: Final = 60_000 * _MS
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR

_USUAL: Final = {
    "1m": _MINUTE,
    "3m": 3 * _MINUTE,
    "5m": 5 * _MINUTE,
    "15m": 15 * _MINUTE,
    "30m": 30 * _MINUTE,
    "1h": _HOUR,
    "2h": 2 * _HOUR,
    "4h": 4 * _HOUR,
    "6h": 6 * _HOUR,
    "8h": 8 * _HOUR,
    "12h": 12 * _HOUR,
    "1d": _DAY,
    "3d": 3 * _DAY,
    "1w": 7 * _DAY,
}
"""Nanoseconds a bar, as Binance and Backpack write it. Weeks and months are told as 7 and 30 days since 1970."""


@attrs.frozen(kw_only=True)
class ServerVariant:
    """One venue's server, as the protocol sheet has it. Seconds are floats; 0 means that there's no such rule."""

    name: str
    language: Literal["seed", "backpack", "binance"]
    futures: bool = False
    microseconds: bool = False
    """Times on the wire, unless the client asks otherwise; False: milliseconds."""
    rest: str
    """What the paths of its REST calls begin with."""
    ping_every: float = 0.0
    pong_within: float = 0.0
    life: float = 0.0
    """After which a connection is ended."""
    max_streams: int = 0
    """A connection."""
    messages_per_second: int = 0
    """That a client may send, pings and pongs included."""
    depth_speeds: Mapping[str, int]
    """Nanoseconds between depth messages by how it is written in a stream's name; ``""``: when it says nothing."""
    intervals: Mapping[str, int]
    """Nanoseconds a bar, by how it is written."""
    kline_every: int
    """Nanoseconds between two messages of a forming bar; those of one second come every second."""


SERVER_VARIANTS: Final[Mapping[str, ServerVariant]] = {
    variant.name: variant
    for variant in (
        ServerVariant(
            name="seed",
            language="seed",
            microseconds=True,
            rest="/api/v1",
            depth_speeds={"": 0},
            intervals={"1min": _MINUTE, "1h": _HOUR, "1d": _DAY, "1w": 7 * _DAY, "1m": 30 * _DAY, "1y": 365 * _DAY},
            kline_every=1_000 * _MS,
        ),
        ServerVariant(
            name="backpack",
            language="backpack",
            microseconds=True,
            rest="/api/v1",
            ping_every=60.0,
            pong_within=120.0,
            depth_speeds={"": 0, "200ms": 200 * _MS, "600ms": 600 * _MS, "1000ms": 1_000 * _MS},
            intervals={"1s": 1_000 * _MS, **_USUAL, "1month": 30 * _DAY},
            kline_every=1_000 * _MS,
        ),
        ServerVariant(
            name="binance",
            language="binance",
            rest="/api/v3",
            ping_every=20.0,
            pong_within=60.0,
            life=86_400.0,
            max_streams=1_024,
            messages_per_second=5,
            depth_speeds={"": 1_000 * _MS, "100ms": 100 * _MS, "1000ms": 1_000 * _MS},
            intervals={"1s": 1_000 * _MS, **_USUAL, "1M": 30 * _DAY},
            kline_every=2_000 * _MS,
        ),
        # Limits and pings of futures aren't in the sheet; these are what the vendor was seen to publish.
        ServerVariant(
            name="binance_usdm",
            language="binance",
            futures=True,
            rest="/fapi/v1",
            ping_every=180.0,
            pong_within=600.0,
            life=86_400.0,
            max_streams=1_024,
            messages_per_second=10,
            depth_speeds={"": 250 * _MS, "0ms": 0, "100ms": 100 * _MS, "250ms": 250 * _MS, "500ms": 500 * _MS},
            intervals={**_USUAL, "1M": 30 * _DAY},
            kline_every=250 * _MS,
        ),
    )
}
"""By name. Source: stream protocol sheet, sections 2 to 6."""


def find_server_variant(name: str) -> ServerVariant:
    """Look one up.

    Raises:
        ConfigError: There's none of this name; it lists what there is.
    """
    try:
        return SERVER_VARIANTS[name]
    except KeyError:
        raise ConfigError(f"no stream venue {name!r}; there are: {', '.join(SERVER_VARIANTS)}") from None

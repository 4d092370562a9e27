"""What tells the venues of the stream family apart, client side, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import attrs

from strategykit.errors import ConfigError
from strategykit.venues.stream.server_variants import SERVER_VARIANTS, ServerVariant
from strategykit.venues.streams import StreamKind

__all__ = ["VARIANTS", "Variant", "find_variant"]

_SEED: Final = frozenset({StreamKind.TRADES, StreamKind.BOOK, StreamKind.TICKER})
_ALL: Final = _SEED | {StreamKind.QUOTES, StreamKind.BARS}


@attrs.frozen(kw_only=True)
class Variant:
    """One venue, as its clients see it."""

    rules: ServerVariant
    """Its limits and intervals, and where its REST calls are."""
    streams: frozenset[StreamKind]
    ws: str
    """Public address for WebSockets, without the lane's path."""
    http: str
    """Public address for calls, without `ServerVariant.rest`."""
    path: str
    """Of the WebSocket endpoint whose messages carry an envelope."""
    trades: Literal["trade", "aggTrade"] = "trade"
    """The stream that trades come by where nobody chooses."""
    past_trades: int
    """The most that one call gives."""
    books: tuple[int, ...]
    """Levels a side that a snapshot can be asked for with; empty: it has as many as it has."""
    bars: int = 0
    """The most that one call gives; 0: there are none."""
    together: int
    """Streams asked for in one message."""
    rate: tuple[int, float] | None = None
    """So many messages of ours in so many seconds; leaves room for a ping and for the answer to one."""
    ping_every: float = 30.0
    odd: str = ' @/"\\'
    """Signs that none of its symbols has."""

    @property
    def name(self) -> str:
        return self.rules.name

    @property
    def language(self) -> str:
        return self.rules.language


_STEPS: Final = (5, 10, 20, 50, 100, 500, 1_000)

VARIANTS: Final[Mapping[str, Variant]] = {
    variant.name: variant
    for variant in (
        # Only the first of several parameters counts at the reference server, so one stream goes by a message.
        Variant(
            rules=SERVER_VARIANTS["seed"],
            streams=_SEED,
            ws="wss://exchange.jogeshwar.xyz",
            http="https://exchange.jogeshwar.xyz",
            path="/ws",
            past_trades=100,
            books=(),
            together=1,
        ),
        # One wrong name voids a whole message, and the error doesn't say which.
        Variant(
            rules=SERVER_VARIANTS["backpack"],
            streams=_ALL,
            ws="wss://ws.backpack.exchange",
            http="https://api.backpack.exchange",
            path="/",
            past_trades=1_000,
            books=_STEPS,
            bars=1_000,
            together=1,
        ),
        Variant(
            rules=SERVER_VARIANTS["binance"],
            streams=_ALL,
            ws="wss://data-stream.binance.vision",
            http="https://data-api.binance.vision",
            path="/stream",
            past_trades=1_000,
            books=(*_STEPS, 5_000),
            bars=1_000,
            together=100,
            rate=(3, 1.0),
        ),
        Variant(
            rules=SERVER_VARIANTS["binance_usdm"],
            streams=_ALL,
            ws="wss://fstream.binance.com",
            http="https://fapi.binance.com",
            path="/stream",
            trades="aggTrade",
            past_trades=1_000,
            books=_STEPS,
            bars=1_500,
            together=100,
            rate=(6, 1.0),
        ),
        Variant(
            rules=attrs.evolve(SERVER_VARIANTS["binance_usdm"], name="binance_coinm", rest="/dapi/v1"),
            streams=_ALL - {StreamKind.TICKER},  # Their turnover is counted in coins.
            ws="wss://dstream.binance.com",
            http="https://dapi.binance.com",
            path="/stream",
            trades="aggTrade",
            past_trades=1_000,
            books=_STEPS,
            bars=1_500,
            together=100,
            rate=(6, 1.0),
        ),
    )
}
"""By name. Source: stream protocol sheet, sections 1 to 6; of futures, what recordings show."""


def find_variant(name: str) -> Variant:
    """Look one up.

    Raises:
        ConfigError: There's none of this name; it lists what there is.
    """
    try:
        return VARIANTS[name]
    except KeyError:
        raise ConfigError(f"no stream venue {name!r}; there are: {', '.join(VARIANTS)}") from None

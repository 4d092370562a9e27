"""Quotes, books of limited depth, rates, and what the venue says of volumes and assets.

Source: CoinAPI protocol sheet, section 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from strategykit.model.events import AssetUpdate, BookSnapshot, Quote, Rate, Volume
from strategykit.venues.coinapi.cursors import CoinCursor, TimedCursor
from strategykit.venues.coinapi.rows import AssetRow, LevelRow, QuoteRow, RateRow, TopRow, VolumePart
from strategykit.venues.dialect import Decoded
from strategykit.venues.streams import Stream, StreamKind

__all__ = ["AssetCursor", "QuoteCursor", "RateCursor", "TopCursor", "VolumeCursor", "parallel"]

_RANKS: Final = {"BASE_QUOTE_ISOLATED": 0, None: 1}
"""Ways to find a rate, worst first: from the pair's own markets alone; by a venue that doesn't say how; all others."""


def parallel(levels: Sequence[LevelRow]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Give prices and sizes."""
    return tuple([level.price for level in levels]), tuple([level.size for level in levels])


class QuoteCursor(TimedCursor[QuoteRow]):
    """Best bid and ask of one symbol."""

    def __init__(self, guid: str, stream: Stream, symbol: str) -> None:
        super().__init__(
            guid,
            symbol,
            time=lambda row: row.time_coinapi,
            content=lambda row: (row.time_exchange, row.bid_price, row.bid_size, row.ask_price, row.ask_size),
            numbered=stream.frequency is None,
        )

    def take(self, row: QuoteRow, now: int) -> Sequence[Decoded]:
        if self.repeats(row):
            return ()
        return (
            Quote(
                self.symbol,
                row.bid_price or None,
                row.bid_size or None,  # 0: it isn't known.
                row.ask_price or None,
                row.ask_size or None,
                None,
                row.time,
                now,
                self.guid,
            ),
        )


class TopCursor(TimedCursor[TopRow]):
    """The best levels of one symbol's book; every message has them all."""

    def __init__(self, guid: str, stream: Stream, symbol: str) -> None:
        super().__init__(
            guid,
            symbol,
            time=lambda row: row.time_coinapi,
            content=lambda row: (row.time_exchange, row.bids, row.asks),
            numbered=stream.frequency is None,
        )
        self._depth = stream.depth
        self._fresh = True

    def take(self, row: TopRow, now: int) -> Sequence[Decoded]:
        if self.repeats(row):
            return ()
        bids, asks = (
            parallel([level for level in side or () if level.size][: self._depth]) for side in (row.bids, row.asks)
        )
        fresh, self._fresh = self._fresh, False
        return (
            BookSnapshot(self.symbol, *bids, *asks, row.time, now, self.guid, snapshot=fresh, sequence=row.sequence),
        )

    def reconnected(self) -> None:
        super().reconnected()
        self._fresh = True


class RateCursor(TimedCursor[RateRow]):
    """What one asset is worth in another; where quotes are wanted, as the last price of one without bid and ask.

    One pair can have several rates; told is the one that the most markets are behind.
    """

    def __init__(self, guid: str, stream: Stream, pair: str) -> None:
        super().__init__(
            guid,
            pair,
            time=lambda row: row.time,
            content=lambda row: (row.rate, row.rate_type),
            numbered=stream.frequency is None,
        )
        self._rank = -1
        self._as_quote = stream.kind is StreamKind.QUOTES

    def take(self, row: RateRow, now: int) -> Sequence[Decoded]:
        rank = _RANKS.get(row.rate_type, 2)
        if rank < self._rank or self.repeats(row):
            return ()
        self._rank = rank
        if self._as_quote:
            return (Quote(self.symbol, None, None, None, None, row.rate, row.nanoseconds, now, self.guid),)
        return (Rate(self.symbol, row.rate, row.rate_type, row.nanoseconds, now, self.guid),)


class VolumeCursor(CoinCursor[tuple[str, int, VolumePart]]):
    """What was traded in the last hour, day and month; told when it has changed, as the venue repeats itself."""

    def __init__(self, guid: str, _: Stream, symbol: str) -> None:
        super().__init__(guid, symbol)
        self._last: dict[str, tuple[float, float]] = {}

    def take(self, row: tuple[str, int, VolumePart], now: int) -> Sequence[Decoded]:
        period, time, part = row
        figures = part.volume_base, part.volume_quote
        if self._last.get(period) == figures:
            return ()
        self._last[period] = figures
        return (Volume(self.symbol, period, *figures, time, now, self.guid),)


class AssetCursor(CoinCursor[tuple[AssetRow, dict[str, Any]]]):
    """All that is known of an asset; told when it has changed, as the venue repeats itself."""

    def __init__(self, guid: str, _: Stream, asset: str) -> None:
        super().__init__(guid, asset)
        self._last = ""

    def take(self, row: tuple[AssetRow, dict[str, Any]], now: int) -> Sequence[Decoded]:
        said, facts = row
        text = msgspec.json.encode(facts).decode()
        if text == self._last:
            return ()
        self._last = text
        return (
            AssetUpdate(
                self.symbol,
                said.name,
                None if said.type_is_crypto is None else bool(said.type_is_crypto),
                said.price_usd,
                said.volume_1hrs_usd,
                said.volume_1day_usd,
                said.volume_1mth_usd,
                text,
                None,
                now,
                self.guid,
            ),
        )

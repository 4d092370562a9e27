"""CoinAPI's words: variants, data types, bar periods.

Source: CoinAPI protocol sheet, sections 2 and 5.
"""

from __future__ import annotations

import enum
from typing import Final

__all__ = [
    "HEARTBEATS",
    "NEEDS_ASSETS",
    "NEEDS_FILTER",
    "NUMBERED",
    "PERIODS",
    "TOP_LEVELS",
    "VARIANT_TYPES",
    "DataType",
    "Variant",
]

_SECOND: Final = 1_000_000_000
_UNITS: Final = {
    ("SEC", _SECOND): (1, 2, 3, 4, 5, 6, 10, 15, 20, 30),
    ("MIN", 60 * _SECOND): (1, 2, 3, 4, 5, 6, 10, 15, 20, 30),
    ("HRS", 3_600 * _SECOND): (1, 2, 3, 4, 6, 8, 12),
    ("DAY", 86_400 * _SECOND): (1, 2, 3, 5, 7, 10),
}

PERIODS: Final = {f"{count}{unit}": count * length for (unit, length), counts in _UNITS.items() for count in counts}
"""Nanoseconds of a bar by its period id, shortest first. Those of months and years have no fixed length."""


class Variant(enum.StrEnum):
    """Which of the two services."""

    V1 = "v1"
    """All venues on one connection; a symbol filter is a prefix, or exact with a trailing ``$``."""
    DS = "ds"
    """One venue a host; a symbol filter is exact, in CoinAPI's form or the venue's own."""


class DataType(enum.StrEnum):
    """What can be asked for, and the ``type`` of what comes."""

    TRADE = "trade"
    QUOTE = "quote"
    BOOK = "book"
    BOOK5 = "book5"
    BOOK20 = "book20"
    BOOK50 = "book50"
    BOOK_L3 = "book_l3"
    OHLCV = "ohlcv"
    VOLUME = "volume"
    EXRATE = "exrate"
    ASSET = "asset"
    EXCHANGE = "exchange"
    SYMBOL = "symbol"


_DS_TYPES: Final = (
    *(DataType.TRADE, DataType.QUOTE, DataType.BOOK, DataType.BOOK5),
    *(DataType.BOOK20, DataType.BOOK50, DataType.BOOK_L3),
)

VARIANT_TYPES: Final = {Variant.V1: frozenset(DataType), Variant.DS: frozenset(_DS_TYPES)}
"""What each variant has."""

NUMBERED: Final = frozenset({*_DS_TYPES, DataType.OHLCV})
"""Types whose messages carry a ``sequence``."""

TOP_LEVELS: Final = {DataType.BOOK5: 5, DataType.BOOK20: 20, DataType.BOOK50: 50}
"""Levels a side of the types that send whole books of limited depth, without ``is_snapshot``."""

NEEDS_FILTER: Final = frozenset({DataType.BOOK, *TOP_LEVELS})
"""Types that are an error to ask for without any filter."""

NEEDS_ASSETS: Final = frozenset({DataType.EXRATE})
"""Types that are an error to ask for without assets."""

HEARTBEATS: Final = frozenset({"hearbeat", "heartbeat"})
"""The first is what the venue sends: its spelling."""

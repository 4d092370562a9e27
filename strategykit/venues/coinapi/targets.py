"""What of the venue's a stream is: which type of data, about what, and what its data name it by.

Source: CoinAPI protocol sheet, sections 2, 4 and 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from strategykit.errors import LocalProtocolError
from strategykit.venues.coinapi.names import PERIODS, TOP_LEVELS, VARIANT_TYPES, DataType, Variant
from strategykit.venues.streams import Stream, StreamKind

__all__ = ["ALL_LEVELS", "MAX_PAST", "PERIOD_NAMES", "Target", "find_target", "period_of"]

MAX_PAST: Final = 100_000
"""Trades that one call gives at the most. Source: section 8, ``limit``."""

ALL_LEVELS: Final = 1 << 30
"""Levels a side of a book that isn't cut."""

PERIOD_NAMES: Final[Mapping[int, str]] = {length: name for name, length in reversed(PERIODS.items())}
"""Periods by their nanoseconds."""

_MS: Final = 1_000_000
_MAX_MS: Final = 86_400_000

_PLAIN: Final[Mapping[StreamKind, DataType]] = {
    StreamKind.TRADES: DataType.TRADE,
    StreamKind.QUOTES: DataType.QUOTE,
    StreamKind.BOOK_BY_ORDER: DataType.BOOK_L3,
    StreamKind.BARS: DataType.OHLCV,
    StreamKind.VOLUME: DataType.VOLUME,
    StreamKind.RATE: DataType.EXRATE,
    StreamKind.ASSET: DataType.ASSET,
}

_AT_ONCE: Final = DataType.BOOK5
"""The one of the small books that is sent with each change. The others come once a second (section 5)."""

_SLOW: Final = 1_000_000_000
"""Nanoseconds from one of them to the next, at least."""

_PACED: Final = frozenset({DataType.QUOTE, DataType.EXRATE, *TOP_LEVELS})
"""What the venue can be asked to send less often."""


@attrs.frozen
class Target:
    """One thing to be subscribed to."""

    data_type: DataType
    name: str
    """Symbol id; for rates a pair, such as ``"SOL/USD"``, and for assets their id."""
    period: str | None = None
    """For bars."""

    @property
    def key(self) -> tuple[str, str]:
        """What data name it by. Bars of all periods of a symbol share one, since their numbers count over all."""
        return self.data_type.value, self.name


def period_of(interval: int) -> str:
    """Name the period of bars of so many nanoseconds.

    Raises:
        LocalProtocolError: The venue has no such bars.
    """
    name = PERIOD_NAMES.get(interval)
    if name is None:
        raise LocalProtocolError(f"bars of {interval / 1e9:g} s: CoinAPI has those of {', '.join(PERIODS)}")
    return name


def find_target(stream: Stream, variant: Variant) -> Target:
    """Say what of the venue's `stream` is.

    Raises:
        LocalProtocolError: The venue has nothing like it; the message says what it has.
    """
    if not stream.instrument:
        raise LocalProtocolError(f"a subscription to {stream.kind.value} needs an instrument")
    data_type = _find_type(stream, variant)
    if data_type not in VARIANT_TYPES[variant]:
        raise LocalProtocolError(f"CoinAPI's {variant.upper()} has no {data_type}; V1 has")
    _check(stream, data_type)
    if variant is Variant.DS and stream.instrument.count("_") < 2:
        # Which form data carry is known of CoinAPI's own ids alone (section 2).
        raise LocalProtocolError(
            f"{stream.instrument!r} is no symbol id of CoinAPI's, such as 'COINBASE_SPOT_BTC_USD', as data have it"
        )
    period = None if data_type is not DataType.OHLCV else period_of(stream.interval or 0)
    if (data_type is DataType.EXRATE) is not ("/" in stream.instrument):
        raise LocalProtocolError(f"{stream.instrument!r}: rates, and nothing else, are of pairs such as 'SOL/USD'")
    return Target(data_type, stream.instrument, period)


def _find_type(stream: Stream, variant: Variant) -> DataType:
    kind, depth = stream.kind, stream.depth
    if kind is StreamKind.BOOK:
        small = next((name for name, levels in TOP_LEVELS.items() if depth is not None and depth <= levels), None)
        # Who doesn't ask for less wants each change, as other venues send it: then the whole book, to be cut by who
        # gets it.
        slow = small is not _AT_ONCE and (stream.frequency or 0) < _SLOW
        return DataType.BOOK if small is None or slow else small
    found = _PLAIN.get(kind)
    if found is None:
        known = sorted(item.value for item in (*_PLAIN, StreamKind.BOOK))
        raise LocalProtocolError(f"CoinAPI has no stream of the kind {kind.value}; it has {', '.join(known)}")
    if found is DataType.QUOTE and variant is Variant.V1 and "/" in (stream.instrument or ""):
        return DataType.EXRATE
    return found


def _check(stream: Stream, data_type: DataType) -> None:
    """Pass what the venue can do."""
    kind, depth, frequency = stream.kind, stream.depth, stream.frequency
    if depth is not None:
        if kind is StreamKind.TRADES and not 0 <= depth <= MAX_PAST:
            raise LocalProtocolError(f"{depth} past trades: the venue gives 0 to {MAX_PAST}")
        if kind is StreamKind.BOOK and depth < 1:
            raise LocalProtocolError(f"a book depth of {depth} levels: at least 1 is needed")
        if kind not in (StreamKind.TRADES, StreamKind.BOOK):
            raise LocalProtocolError(f"a subscription to {kind.value} has no depth")
    if (stream.interval is None) is (kind is StreamKind.BARS):
        needs = "needs an" if kind is StreamKind.BARS else "has no"
        raise LocalProtocolError(f"a subscription to {kind.value} {needs} interval")
    if frequency is None:
        return
    if data_type is DataType.BOOK and depth is not None and depth <= max(TOP_LEVELS.values()):
        return  # It comes more often than that, since the venue would send it less often.
    if data_type not in _PACED:
        raise LocalProtocolError(f"a subscription to {data_type} has no frequency: the venue sends everything")
    if frequency % _MS or not 1 <= frequency // _MS <= _MAX_MS:
        raise LocalProtocolError(f"a frequency of {frequency / _MS:g} ms: CoinAPI takes whole ms, 1 to {_MAX_MS}")

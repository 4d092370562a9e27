"""Names of streams, as the servers read them: what is a stream here, and of what."""

from __future__ import annotations

import enum
import re
from collections.abc import Container
from typing import Final

import attrs

from strategykit.venues.stream.server_variants import ServerVariant

__all__ = ["Channel", "ChannelKind", "read_stream_name"]


class ChannelKind(enum.Enum):
    TRADE = "trade"
    AGGREGATE_TRADE = "aggTrade"
    DEPTH = "depth"
    PARTIAL_DEPTH = "partial depth"
    TOP = "bookTicker"
    KLINE = "kline"
    TICKER = "ticker"
    MINI_TICKER = "miniTicker"
    WINDOW_TICKER = "ticker of a window"
    AVERAGE_PRICE = "avgPrice"
    MARK_PRICE = "markPrice"
    OPEN_INTEREST = "openInterest"
    SILENT = "silent"
    """A stream that is taken and on which nothing ever comes."""


@attrs.frozen(kw_only=True)
class Channel:
    """What one stream carries; two names of the same are equal but for their cadence."""

    kind: ChannelKind
    symbol: str
    """As payloads write it; ``""``: all of them, as an array."""
    every: int = 0
    """Nanoseconds between messages; 0: as it happens."""
    levels: int = 0
    """Of a partial depth."""
    interval: str = ""
    """Of bars, or a ticker's window, as the venue writes it."""


_MS: Final = 1_000_000
_SECOND: Final = 1_000 * _MS

_WINDOWS: Final = frozenset({"1h", "4h", "1d"})
_PLAIN_BINANCE: Final = {
    "trade": (ChannelKind.TRADE, 0),
    "aggTrade": (ChannelKind.AGGREGATE_TRADE, 0),
    "bookTicker": (ChannelKind.TOP, 0),
    "miniTicker": (ChannelKind.MINI_TICKER, _SECOND),
    "ticker": (ChannelKind.TICKER, _SECOND),
}
_SPOT_ONLY: Final = {
    "avgPrice": (ChannelKind.AVERAGE_PRICE, _SECOND),
    "referencePrice": (ChannelKind.SILENT, 0),
    "blockTrade": (ChannelKind.SILENT, 0),
}
_FUTURES_ONLY: Final = {
    "markPrice": (ChannelKind.MARK_PRICE, 3 * _SECOND),
    "markPrice@1s": (ChannelKind.MARK_PRICE, _SECOND),
    "forceOrder": (ChannelKind.SILENT, 0),
}
_PARTIAL: Final = re.compile(r"depth(5|10|20)")
_ZONE: Final = "+08:00"

_PLAIN_BACKPACK: Final = {
    "trade": (ChannelKind.TRADE, 0),
    "bookTicker": (ChannelKind.TOP, 0),
    "ticker": (ChannelKind.TICKER, _SECOND),
    "markPrice": (ChannelKind.MARK_PRICE, _SECOND),
    "openInterest": (ChannelKind.OPEN_INTEREST, 60 * _SECOND),
}


def read_stream_name(name: str, variant: ServerVariant, symbols: Container[str]) -> Channel | None:
    """Read the name of a stream; None: this server has no such stream.

    Args:
        name: As the client wrote it.
        variant: Whose grammar.
        symbols: What is listed, as payloads write it.

    Source: stream protocol sheet, sections 2, 4 and 5.
    """
    if variant.language == "binance":
        return _read_binance(name, variant, symbols)
    if variant.language == "backpack":
        return _read_backpack(name, variant, symbols)
    parts = name.split(".")
    if len(parts) != 2 or parts[0] not in ("depth", "trade", "ticker") or parts[1] not in symbols:
        return None
    kind = {"depth": ChannelKind.DEPTH, "trade": ChannelKind.TRADE, "ticker": ChannelKind.TICKER}[parts[0]]
    return Channel(kind=kind, symbol=parts[1], every=_SECOND if kind is ChannelKind.TICKER else 0)


def _read_binance(name: str, variant: ServerVariant, symbols: Container[str]) -> Channel | None:
    if name.startswith("!"):
        return _read_binance_array(name, variant)
    lower, _, word = name.partition("@")
    symbol = lower.upper()
    if not lower.isascii() or lower != lower.lower() or symbol not in symbols:
        return None
    plain = {**_PLAIN_BINANCE, **(_FUTURES_ONLY if variant.futures else _SPOT_ONLY)}
    if word in plain:
        kind, every = plain[word]
        return Channel(kind=kind, symbol=symbol, every=every)
    if word.startswith("kline_"):
        interval = word.removeprefix("kline_")
        if not variant.futures:
            interval = interval.removesuffix(f"@{_ZONE}")
        return _bars(symbol, interval, variant)
    if word.startswith("ticker_") and word.removeprefix("ticker_") in _WINDOWS and not variant.futures:
        window = word.removeprefix("ticker_")
        return Channel(kind=ChannelKind.WINDOW_TICKER, symbol=symbol, every=_SECOND, interval=window)
    depth, _, speed = word.partition("@")
    if speed not in variant.depth_speeds or word.endswith("@"):
        return None
    every = variant.depth_speeds[speed]
    if depth == "depth":
        return Channel(kind=ChannelKind.DEPTH, symbol=symbol, every=every)
    found = _PARTIAL.fullmatch(depth)
    if found is None:
        return None
    return Channel(kind=ChannelKind.PARTIAL_DEPTH, symbol=symbol, every=every, levels=int(found[1]))


def _read_binance_array(name: str, variant: ServerVariant) -> Channel | None:
    if name == "!miniTicker@arr":
        return Channel(kind=ChannelKind.MINI_TICKER, symbol="", every=_SECOND)
    if variant.futures:
        arrays = {"!ticker@arr": ChannelKind.TICKER, "!bookTicker": ChannelKind.TOP}
        speeds = {"!markPrice@arr": 3 * _SECOND, "!markPrice@arr@1s": _SECOND}
        if name in speeds:
            return Channel(kind=ChannelKind.MARK_PRICE, symbol="", every=speeds[name])
        if name in arrays:
            every = 0 if arrays[name] is ChannelKind.TOP else _SECOND
            return Channel(kind=arrays[name], symbol="", every=every)
        return None
    window = name.removeprefix("!ticker_").removesuffix("@arr")
    if window in _WINDOWS and name == f"!ticker_{window}@arr":
        return Channel(kind=ChannelKind.WINDOW_TICKER, symbol="", every=_SECOND, interval=window)
    return None


def _read_backpack(name: str, variant: ServerVariant, symbols: Container[str]) -> Channel | None:
    # Symbols may hold dots themselves, so the type is split off the left.
    word, dot, rest = name.partition(".")
    if word == "liquidation" and not dot:
        return Channel(kind=ChannelKind.SILENT, symbol="")
    if word in ("depth", "kline") and rest not in symbols:
        argument, _, symbol = rest.partition(".")
        if symbol not in symbols:
            return None
        if word == "kline":
            return _bars(symbol, argument, variant)
        every = variant.depth_speeds.get(argument) if argument else None
        return None if every is None else Channel(kind=ChannelKind.DEPTH, symbol=symbol, every=every)
    if rest not in symbols:
        return None
    if word == "depth":
        return Channel(kind=ChannelKind.DEPTH, symbol=rest)
    if word not in _PLAIN_BACKPACK:
        return None
    kind, every = _PLAIN_BACKPACK[word]
    return Channel(kind=kind, symbol=rest, every=every)


def _bars(symbol: str, interval: str, variant: ServerVariant) -> Channel | None:
    if interval not in variant.intervals:
        return None
    every = _SECOND if interval == "1s" else variant.kline_every
    return Channel(kind=ChannelKind.KLINE, symbol=symbol, every=every, interval=interval)

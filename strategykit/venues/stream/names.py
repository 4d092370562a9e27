"""Names of streams, as clients write them, and of bar intervals."""

from __future__ import annotations

from typing import Final

from strategykit.errors import LocalProtocolError
from strategykit.venues.stream.variants import Variant
from strategykit.venues.streams import Stream, StreamKind

__all__ = ["SHUTDOWN", "check_symbol", "interval_name", "partial_levels", "read_stream_name", "stream_name"]

SHUTDOWN: Final = "!serverShutdown"
"""The stream by which Binance says that it will close a connection; nobody subscribes to it."""

_LONGEST: Final = 64
_PARTIAL: Final = frozenset({5, 10, 20})
"""Levels a side of Binance's whole, small books."""

_DAY: Final = 86_400 * 10**9
_MONTH: Final = 28 * _DAY
"""What is as long as this, or longer, isn't always equally long."""


def check_symbol(variant: Variant, symbol: str | None) -> str:
    """Give a symbol that can be part of a stream's name.

    Raises:
        LocalProtocolError: It can't.
    """
    odd = symbol is None or not 0 < len(symbol) <= _LONGEST or not symbol.isprintable()
    if symbol is None or odd or any(sign in symbol for sign in variant.odd):
        raise LocalProtocolError(f"{variant.name} has no instrument {(symbol or '')[:_LONGEST]!r}")
    return symbol


def interval_name(variant: Variant, interval: int | None) -> str:
    """Give how the venue writes a bar's length, nanoseconds.

    Raises:
        LocalProtocolError: It has no such bars.
    """
    if interval is None:
        raise LocalProtocolError("a subscription to bars needs an interval")
    known = {length: name for name, length in variant.rules.intervals.items() if length < _MONTH}
    if not variant.bars or interval not in known:
        has = ", ".join(known.values()) if variant.bars else "none"
        raise LocalProtocolError(f"{variant.name} has no bars of {interval / 1e9:g} s; it has {has}")
    return known[interval]


def partial_levels(variant: Variant, stream: Stream) -> int | None:
    """Give the depth of the small book that serves `stream`; None: it is served by changes to a whole one."""
    return stream.depth if variant.language == "binance" and stream.depth in _PARTIAL else None


def stream_name(variant: Variant, trades: str, stream: Stream) -> str:
    """Give the name that `stream` is subscribed to by, and that its data carry.

    Args:
        variant: Whose.
        trades: The word for the stream that trades come by.
        stream: What is wanted.

    Raises:
        LocalProtocolError: The venue has no such stream.
    """
    if stream.kind not in variant.streams:
        has = ", ".join(sorted(kind.value for kind in variant.streams))
        raise LocalProtocolError(f"{variant.name} has no {stream.kind.value}; it has {has}")
    symbol = check_symbol(variant, stream.instrument)
    word, argument = _word(variant, trades, stream)
    if variant.language == "binance":
        parts = {"kline": f"kline_{argument}"}.get(word, f"{word}@{argument}" if argument else word)
        return f"{symbol.lower()}@{parts}"
    return f"{word}.{argument}.{symbol}" if argument else f"{word}.{symbol}"


def _word(variant: Variant, trades: str, stream: Stream) -> tuple[str, str]:
    """Give a stream's kind, as the venue writes it, and what else the name says of it."""
    match stream.kind:
        case StreamKind.TRADES:
            return trades, ""
        case StreamKind.QUOTES:
            return "bookTicker", ""
        case StreamKind.TICKER:
            return "ticker", ""
        case StreamKind.BARS:
            return "kline", interval_name(variant, stream.interval)
        case _:
            levels = partial_levels(variant, stream)
            return "depth" if levels is None else f"depth{levels}", _speed(variant, stream.frequency)


def _speed(variant: Variant, frequency: int | None) -> str:
    """Give the pace at which a book is told: the fastest that isn't faster than wanted, else the slowest."""
    speeds = sorted((every, name) for name, every in variant.rules.depth_speeds.items())
    if frequency is None:
        # Binance has as it happens, too, for futures, but doesn't document it.
        frequency = 100_000_000 if variant.language == "binance" else 0
    return next((name for every, name in speeds if every >= frequency), speeds[-1][1])


def read_stream_name(variant: Variant, name: str) -> tuple[Stream, str] | None:
    """Give the stream whose data carry a name of Binance's, and the word that trades come by; None: it is none of ours.

    The symbol is taken to be in capitals, as all of Binance's are.
    """
    symbol, _, rest = name.partition("@")
    word, *arguments = rest.split("@")
    speeds = variant.rules.depth_speeds
    if not symbol or len(arguments) > 1 or (arguments and (not word.startswith("depth") or arguments[0] not in speeds)):
        return None
    instrument = symbol.upper()
    if word in ("trade", "aggTrade"):
        return Stream(kind=StreamKind.TRADES, instrument=instrument), word
    if word in ("bookTicker", "ticker"):
        kind = StreamKind.QUOTES if word == "bookTicker" else StreamKind.TICKER
        return Stream(kind=kind, instrument=instrument), ""
    interval = variant.rules.intervals.get(word.removeprefix("kline_"))
    if word.startswith("kline_") and interval is not None:
        return Stream(kind=StreamKind.BARS, instrument=instrument, interval=interval), ""
    levels = word.removeprefix("depth")
    if word.startswith("depth") and levels in ("", *map(str, sorted(_PARTIAL))):
        frequency = speeds["".join(arguments)]
        return Stream(
            kind=StreamKind.BOOK, instrument=instrument, depth=int(levels) if levels else None, frequency=frequency
        ), ""
    return None

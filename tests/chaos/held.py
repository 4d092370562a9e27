"""What a venue holds of subscriptions, and what it would have to hold for a stream that is wanted: in its own words.

Both sides are named from what the venue's half of a dialect says; what the client thinks that it asked for plays no
part. A scope that a venue keeps as a whole is taken apart here, so that each thing in it can be looked for alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import attrs

from strategykit.sim.coinapi_session import CoinSession
from strategykit.sim.server import SimulatedServer
from strategykit.sim.stream_session import StreamSession
from strategykit.sim.stream_venue import StreamVenue
from strategykit.sim.t4_session import T4Session
from strategykit.venues.coinapi.server_scope import Filters
from strategykit.venues.stream.server_streams import ChannelKind, read_stream_name
from strategykit.venues.stream.server_variants import SERVER_VARIANTS
from strategykit.venues.streams import PRIVATE, Stream, StreamKind
from strategykit.venues.subscriptions import Subscription
from strategykit.venues.t4.proto import enums_pb2 as enums

__all__ = ["Names", "name_held", "name_wanted"]

_WITHOUT_TRADES: Final = frozenset(
    {enums.DEPTH_BUFFER_SLOW_SMART, enums.DEPTH_BUFFER_SMART, enums.DEPTH_BUFFER_FAST_SMART}
)
_T4_LEVELS: Final = 10
"""Levels a side of what T4 calls a normal depth."""

_COINAPI_TYPES: Final = {
    StreamKind.TRADES: "trade",
    StreamKind.QUOTES: "quote",
    StreamKind.BOOK: "book",
    StreamKind.BOOK_BY_ORDER: "book_l3",
}
_CHANNELS: Final = {
    StreamKind.TRADES: ChannelKind.TRADE,
    StreamKind.QUOTES: ChannelKind.TOP,
    StreamKind.BOOK: ChannelKind.DEPTH,
}
_PARTIAL: Final = frozenset({5, 10, 20})
"""Levels a side of Binance's small books."""

_BINANCE_PACE: Final = 100_000_000
"""Nanoseconds between messages of its books, where nobody chooses."""


@attrs.frozen
class Names:
    """What is held, or has to be."""

    names: list[str]
    """Each is asked for by itself, and given up by itself."""
    strength: list[str]
    """What comes by them. A venue may be left to send more than is needed; less is wrong."""


def name_held(server: SimulatedServer[Any], session: object) -> Names:
    """Name what a session is subscribed to."""
    match session:
        case T4Session():
            return Names(list(server.venue.subscriptions(session)), list(_t4_strength(session)))
        case CoinSession():
            # What two entries have in common is sent once, so it is held once.
            pairs = ((kind.value, each) for kind, entries in session.scope.entries.items() for each in entries)
            return Names(list(dict.fromkeys(name for kind, each in pairs for name in _taken_apart(kind, each))), [])
        case StreamSession():
            assert isinstance(server.venue, StreamVenue)
            return Names([_channel_name(server.venue, name) for name in session.names], [])
        case _:
            return Names(list(server.venue.subscriptions(session)), [])


def name_wanted(server: SimulatedServer[Any], row: Subscription) -> Names:
    """Name what the venue has to hold for a stream."""
    stream = row.stream
    match server.venue.name:
        case "alor":
            return Names([row.guid], [])
        case "t4":
            return _wanted_of_t4(stream)
        case "coinapi_v1":
            small = stream.kind is StreamKind.BOOK and stream.depth is not None and stream.depth <= 5
            return Names([f"{'book5' if small else _COINAPI_TYPES[stream.kind]} {stream.instrument}$"], [])
        case _:
            return Names([_wanted_channel(server.venue.name, stream)], [])


def _t4_strength(session: T4Session) -> Iterator[str]:
    for market, wish in session.depth.items():
        if wish.buffer not in _WITHOUT_TRADES:
            yield f"trades {market}"
        if wish.buffer == enums.DEPTH_BUFFER_TRADE_ONLY:
            continue
        yield f"quotes {market}"
        if wish.levels in (enums.DEPTH_LEVELS_NORMAL, enums.DEPTH_LEVELS_ALL):
            yield f"book {market}"
        if wish.levels == enums.DEPTH_LEVELS_ALL:
            yield f"whole book {market}"


def _wanted_of_t4(stream: Stream) -> Names:
    if stream.kind in PRIVATE:
        return Names([f"account {stream.account}"], [])
    market = (stream.instrument or "").rpartition("/")[2]
    if stream.kind is StreamKind.BOOK_BY_ORDER:
        return Names([f"by_order {market}"], [])
    if stream.kind in (StreamKind.TRADES, StreamKind.BARS):
        return Names([f"depth {market}"], [f"trades {market}"])
    if stream.kind is not StreamKind.BOOK or stream.depth == 1:
        return Names([f"depth {market}"], [f"quotes {market}"])
    whole = (stream.depth or 0) > _T4_LEVELS
    return Names([f"depth {market}"], [f"whole book {market}" if whole else f"book {market}"])


def _taken_apart(kind: str, entry: Filters) -> Iterator[str]:
    """Give each symbol of an entry that filters by nothing else; any other means more than was ever asked for."""
    if entry.symbols and entry == Filters(symbols=entry.symbols):
        yield from (f"{kind} {symbol}" for symbol in sorted(entry.symbols))
    else:
        yield f"{kind} {entry}"


def _channel_name(venue: StreamVenue, name: str) -> str:
    channel = read_stream_name(name, venue.variant, set(venue.instruments))
    if channel is None:
        return name
    return f"{channel.kind.value} {channel.symbol} {channel.levels} {channel.every}"


def _wanted_channel(venue: str, stream: Stream) -> str:
    kind, levels, every = _CHANNELS[stream.kind], 0, 0
    if stream.kind is StreamKind.BOOK:
        rules = SERVER_VARIANTS[venue]
        if rules.language == "binance" and stream.depth in _PARTIAL:
            kind, levels = ChannelKind.PARTIAL_DEPTH, stream.depth or 0
        least = stream.frequency if stream.frequency is not None else _BINANCE_PACE * (rules.language == "binance")
        paces = sorted(rules.depth_speeds.values())
        every = next((pace for pace in paces if pace >= least), paces[-1]) if paces else 0
    return f"{kind.value} {stream.instrument} {levels} {every}"

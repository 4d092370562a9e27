"""Streams of a simulated stream venue: who listens, what is held back until when, encoded once for all."""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heappop, heappush
from itertools import count

import attrs

from strategykit.sim.stream_market import Changes, StreamMarket
from strategykit.sim.stream_session import StreamSession
from strategykit.venues.stream.server_streams import Channel, ChannelKind
from strategykit.venues.stream.server_values import BookUpdate, Candle, Level
from strategykit.venues.stream.server_variants import ServerVariant
from strategykit.venues.stream.server_wording import Row, Wording, encode_row, wrap

__all__ = ["StreamPublisher"]

_SECOND = 1_000_000_000
_WINDOWS = {"1h": 3_600 * _SECOND, "4h": 14_400 * _SECOND, "1d": 86_400 * _SECOND}
_FIVE_MINUTES = 300 * _SECOND


@attrs.define(eq=False)
class _Topic:
    """One stream in one unit of time."""

    name: str
    channel: Channel
    wording: Wording
    sessions: dict[StreamSession, int] = attrs.field(factory=dict)
    """And how often each gets everything."""
    next_time: int = 0
    held: list[BookUpdate] = attrs.field(factory=list)
    """Depth that waits for `next_time`."""
    shown: Candle | None = None
    """The bar that was sent last."""
    since: int = 0
    """Of bars: when the one began that was forming when the first client came."""

    def send(self, row: Row | list[Row]) -> None:
        payload, wrapped = encode_row(row), b""
        for session, copies in self.sessions.items():
            if session.combined and not wrapped:
                wrapped = wrap(self.name, payload)
            for _ in range(copies):
                session.outlet.send_encoded(wrapped if session.combined else payload)


class StreamPublisher:
    """All live streams.

    Args:
        market: What is shown.
        variant: By whose rules.
        words: By whether times are in microseconds.
        single_ids: Whether depth that was held back is sent piece by piece, not merged.
    """

    def __init__(
        self,
        market: StreamMarket,
        variant: ServerVariant,
        words: Mapping[bool, Wording],
        *,
        single_ids: bool,
    ) -> None:
        self.skips: dict[str, int] = {}
        """How many of the next depth updates are lost, by symbol; ``""``: whichever comes."""
        self.silent_until = 0
        """Nothing is sent before, and what would have been is lost."""
        self._market = market
        self._variant = variant
        self._words = words
        self._single_ids = single_ids
        self._topics: dict[tuple[str, bool], _Topic] = {}
        self._by_symbol: dict[str, dict[_Topic, None]] = {}
        self._due: list[tuple[int, int, _Topic]] = []
        self._number = count()

    @property
    def topics(self) -> int:
        """Streams that anyone listens to."""
        return len(self._topics)

    def wording(self, session: StreamSession) -> Wording:
        return self._words[session.microseconds]

    def join(self, session: StreamSession, name: str, channel: Channel | None, now: int, *, copies: int = 1) -> None:
        """Begin a stream, or have it come `copies` times; None is a name that nothing comes by."""
        session.names[name] = copies
        wording = self.wording(session)
        if channel is None or channel.kind not in wording.words:
            return
        key = name, session.microseconds
        topic = self._topics.get(key)
        if topic is None:
            length = self._variant.intervals.get(channel.interval, 1)
            topic = self._topics[key] = _Topic(name, channel, wording, since=now - now % length)
            self._by_symbol.setdefault(channel.symbol, {})[topic] = None
            if channel.every:
                self._schedule(topic, now)
        topic.sessions[session] = copies

    def leave(self, session: StreamSession, name: str) -> bool:
        """End a stream; False if it isn't held."""
        if session.names.pop(name, None) is None:
            return False
        topic = self._topics.get((name, session.microseconds))
        if topic is not None:
            del topic.sessions[session]
            if not topic.sessions:
                del self._topics[name, session.microseconds]
                del self._by_symbol[topic.channel.symbol][topic]
        return True

    def publish(self, changes: Mapping[str, Changes], now: int) -> None:
        """Tell what happened, then what is due by the clock."""
        silent = now < self.silent_until
        for symbol, change in () if silent else changes.items():
            lost = self._is_lost(symbol, change)
            for topic in (*self._by_symbol.get(symbol, ()), *self._by_symbol.get("", ())):
                self._tell(topic, change, now, lost=lost)
        while self._due and self._due[0][0] <= now:
            _, _, topic = heappop(self._due)
            if topic.sessions:
                self._schedule(topic, now)
            if topic.sessions and not silent:
                self._tell_due(topic, now)

    def _schedule(self, topic: _Topic, now: int) -> None:
        every = topic.channel.every
        # In step with the clock, as bars are; a bar's end is told at once.
        topic.next_time = now - now % every + every
        heappush(self._due, (topic.next_time, next(self._number), topic))

    def _is_lost(self, symbol: str, change: Changes) -> bool:
        """Say whether a depth update falls to a fault; those that nobody would see don't count."""
        topics = self._by_symbol.get(symbol, {})
        if change.update is None or not any(topic.channel.kind is ChannelKind.DEPTH for topic in topics):
            return False
        for key in (symbol, ""):
            if self.skips.get(key):
                self.skips[key] -= 1
                return True
        return False

    def _tell(self, topic: _Topic, change: Changes, now: int, *, lost: bool) -> None:
        kind, words = topic.channel.kind, topic.wording.words
        if kind in (ChannelKind.TRADE, ChannelKind.AGGREGATE_TRADE):
            for trade in change.trades:
                topic.send(words[kind](trade, now))
        elif kind is ChannelKind.TOP and change.top is not None:
            topic.send(words[kind](change.top, now))
        elif kind is ChannelKind.DEPTH and change.update is not None and not lost:
            if topic.channel.every:
                topic.held.append(change.update)
            else:
                topic.send(words[kind](change.update, now))

    def _tell_due(self, topic: _Topic, now: int) -> None:
        kind, symbol = topic.channel.kind, topic.channel.symbol
        word = topic.wording.words[kind]
        if kind is ChannelKind.DEPTH:
            held, topic.held = topic.held, []
            for update in held if self._single_ids or not held else [_merge(held)]:
                topic.send(word(update, now))
        elif kind is ChannelKind.KLINE:
            self._tell_bars(topic, now)
        elif symbol:
            topic.send(word(self._state(topic.channel, symbol, now), now))
        else:
            topic.send([word(self._state(topic.channel, each, now), now) for each in self._market.symbols])

    def _tell_bars(self, topic: _Topic, now: int) -> None:
        channel, shown = topic.channel, topic.shown
        length = self._variant.intervals[channel.interval]
        since = topic.since if shown is None else shown.open_time
        for candle in self._market.symbols[channel.symbol].candles(channel.interval, length, since, now + 1, now):
            if candle != shown:
                topic.shown = candle
                topic.send(topic.wording.words[channel.kind](candle, now))

    def _state(self, channel: Channel, symbol: str, now: int) -> object:
        state = self._market.symbols[symbol]
        match channel.kind:
            case ChannelKind.PARTIAL_DEPTH:
                return state.book.cut(channel.levels)
            case ChannelKind.MARK_PRICE:
                return state.mark(now)
            case ChannelKind.OPEN_INTEREST:
                return state.open_interest()
            case ChannelKind.WINDOW_TICKER:
                return state.day(now, window=_WINDOWS[channel.interval], name=channel.interval)
            case ChannelKind.AVERAGE_PRICE:
                return state.day(now, window=_FIVE_MINUTES)
            case _:
                return state.day(now)


def _merge(updates: list[BookUpdate]) -> BookUpdate:
    """Make one update of several that follow each other."""
    bids: dict[str, str] = {}
    asks: dict[str, str] = {}
    for update in updates:
        bids.update(update.bids)
        asks.update(update.asks)
    first, last = updates[0], updates[-1]
    return attrs.evolve(last, first=first.first, previous=first.previous, bids=_levels(bids), asks=_levels(asks))


def _levels(sizes: dict[str, str]) -> tuple[Level, ...]:
    return tuple(sizes.items())

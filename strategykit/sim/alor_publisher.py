"""Who is told what: the live streams of the simulated venue, and the state that each begins with."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from itertools import count
from typing import Final

from strategykit.model.event_class import altered
from strategykit.model.events import (
    AccountUpdate,
    BookSnapshot,
    Event,
    Fill,
    InstrumentUpdate,
    OrderUpdate,
    PositionUpdate,
    Quote,
    Trade,
)
from strategykit.sim.alor_encoding import Encoder, Shape
from strategykit.sim.alor_market import VenueMarket
from strategykit.sim.alor_session import Session
from strategykit.sim.alor_streams import Agenda, BarTopic, ConflatedTopic, Subscriber, Topic
from strategykit.venues.alor.names import STATUS_WORDS
from strategykit.venues.alor.server_requests import Subscribe
from strategykit.venues.streams import PRIVATE, StreamKind

__all__ = ["Publisher"]

_STATES: Final = frozenset({StreamKind.BOOK, StreamKind.QUOTES, StreamKind.BARS})
"""Streams that have a frequency. Source: ALOR protocol sheet, section 2.2."""

_MONEY: Final = (StreamKind.SUMMARY, StreamKind.RISK, StreamKind.SPECTRA_RISK)

_Key = tuple[StreamKind, str, int]


class Publisher:
    """All live streams.

    Args:
        market: What is shown.
        encoder: How it is said.
    """

    def __init__(self, market: VenueMarket, encoder: Encoder) -> None:
        self.duplicate_fills = 0
        """How many of the next fills are told twice."""
        self._put_off: dict[type[Event], tuple[int, int]] = {}
        """How many of the next events of a kind come late, and by how many nanoseconds."""
        self._late: list[tuple[int, int, Event]] = []
        self._number = count()
        self._market = market
        self._encoder = encoder
        self._agenda = Agenda()
        self._topics: dict[_Key, Topic] = {}
        self._keys: dict[Topic, _Key] = {}
        self._bars: dict[str, dict[int, BarTopic]] = {}

    @property
    def topics(self) -> int:
        """Streams that anyone listens to."""
        return len(self._topics)

    def subscribe(self, session: Session, asked: Subscribe, now: int) -> list[bytes]:
        """Begin a subscription, in place of an older one of the same guid; give the frames that it begins with."""
        self.unsubscribe(session, asked.guid)
        stream = asked.stream
        shape = Shape(kind=stream.kind, format=asked.format, depth=stream.depth, legacy=asked.legacy)
        interval = (stream.frequency or 0) if stream.kind in _STATES else 0
        subscriber = Subscriber(session, asked.guid, shape, self._encoder.tail(asked.guid), interval, now + interval)
        self._topic(asked, now).add(subscriber)
        session.subscriptions[asked.guid] = subscriber
        session.private += stream.kind in PRIVATE
        return [subscriber.frame(self._encoder.encode(event, shape)) for event in self._begin(asked, now)]

    def unsubscribe(self, session: Session, guid: str) -> bool:
        """End a subscription; False if there is none."""
        subscriber = session.subscriptions.pop(guid, None)
        if subscriber is None:
            return False
        shape, topic = subscriber.shape, subscriber.topic
        session.private -= isinstance(shape, Shape) and shape.kind in PRIVATE
        if topic is not None:
            topic.remove(subscriber)
            if not topic.subscribers:
                self._drop(topic)
        return True

    def leave(self, session: Session) -> None:
        """End all subscriptions of a connection."""
        for guid in list(session.subscriptions):
            self.unsubscribe(session, guid)

    def publish(self, events: Sequence[Event], now: int) -> None:
        """Tell what happened, then what conflation, or a fault, held back until `now`."""
        for event in events:
            times, delay = self._put_off.get(type(event), (0, 0))
            if times:
                self._put_off[type(event)] = times - 1, delay
                heappush(self._late, (now + delay, next(self._number), event))
            else:
                self._tell(event, now)
        while self._late and self._late[0][0] <= now:
            self._tell(heappop(self._late)[2], now)
        self._agenda.run(now)

    def put_off(self, kind: type[Event], count: int, delay: int) -> None:
        """Tell of the next `count` events of a kind `delay` nanoseconds late: others overtake them."""
        self._put_off[kind] = self._put_off.get(kind, (0, 0))[0] + count, delay

    def heal(self) -> None:
        """Tell everything once, and at once; what is late already stays so."""
        self.duplicate_fills = 0
        self._put_off.clear()

    def _tell(self, event: Event, now: int) -> None:
        match event:
            case Trade(instrument=symbol):
                self._say(StreamKind.TRADES, symbol, event)
                for bars in self._bars.get(symbol, {}).values():
                    bars.fold(event, now)
            case BookSnapshot(instrument=symbol):
                self._update(StreamKind.BOOK, symbol, event, now)
            case Quote(instrument=symbol):
                self._update(StreamKind.QUOTES, symbol, event, now)
            case InstrumentUpdate(instrument=symbol):
                self._say(StreamKind.INSTRUMENT, symbol, event)
            case OrderUpdate(account=str(account)):
                self._say(StreamKind.ORDERS if event.stop_price is None else StreamKind.STOP_ORDERS, account, event)
            case Fill(account=str(account)):
                self._say(StreamKind.FILLS, account, event)
                if self.duplicate_fills:
                    self.duplicate_fills -= 1
                    self._say(StreamKind.FILLS, account, event)
            case PositionUpdate(account=str(account)):
                self._say(StreamKind.POSITIONS, account, event)
            case AccountUpdate(account=account):
                for kind in _MONEY:
                    self._say(kind, account, event)
            case _:
                pass

    def _say(self, kind: StreamKind, name: str, event: Event) -> None:
        topic = self._topics.get((kind, name, 0))
        if topic is not None:
            topic.tell(event)

    def _update(self, kind: StreamKind, name: str, event: Event, now: int) -> None:
        topic = self._topics.get((kind, name, 0))
        if isinstance(topic, ConflatedTopic):
            topic.update(event, now)

    def _topic(self, asked: Subscribe, now: int) -> Topic:
        stream = asked.stream
        name, interval = stream.instrument or stream.account or "", stream.interval or 0
        key = (stream.kind, name, interval)
        topic = self._topics.get(key)
        if topic is not None:
            return topic
        encode = self._encoder.encode
        if stream.kind is StreamKind.BARS:
            start = now - now % interval
            forming = next(iter(self._market.bars(name, interval, start, now + 1)), None)
            topic = bars = BarTopic(encode, self._agenda, interval=interval, forming=forming)
            self._bars.setdefault(name, {})[interval] = bars
        elif stream.kind in _STATES:
            topic = ConflatedTopic(encode, self._agenda)
        else:
            topic = Topic(encode)
        self._topics[key], self._keys[topic] = topic, key
        return topic

    def _drop(self, topic: Topic) -> None:
        kind, name, interval = self._keys.pop(topic)
        del self._topics[kind, name, interval]
        if kind is StreamKind.BARS:
            del self._bars[name][interval]

    def _begin(self, asked: Subscribe, now: int) -> list[Event]:
        """Give the state that a stream begins with, each event marked as replayed."""
        stream, market = asked.stream, self._market
        symbol, account = stream.instrument or "", stream.account or ""
        events: list[Event]
        match stream.kind:
            case StreamKind.BOOK:
                events = [market.book(symbol)]
            case StreamKind.QUOTES:
                events = [market.quote(symbol)]
            case StreamKind.TRADES:
                events = [*market.trades(symbol, stream.depth or 0)]
            case StreamKind.BARS:
                since = now if stream.since is None else stream.since
                events = [*market.bars(symbol, stream.interval or 0, since, now + 1)]
            case StreamKind.INSTRUMENT:
                events = [market.instrument_update(symbol)]
            case StreamKind.ORDERS | StreamKind.STOP_ORDERS:
                orders = market.orders if stream.kind is StreamKind.ORDERS else market.stop_orders
                wanted = asked.statuses
                events = [row for row in orders(account) if not wanted or STATUS_WORDS[row.status] in wanted]
            case StreamKind.FILLS:
                events = [*market.fills(account)]
            case StreamKind.POSITIONS:
                events = [*market.positions(account)]
            case _:
                events = [market.account(account)]
        if stream.skip_history:
            return []
        return [event if _is_marked(event) else altered(event, snapshot=True) for event in events]


def _is_marked(event: Event) -> bool:
    return not hasattr(event, "snapshot") or event.snapshot

"""Streams of the simulated venue: who wants what in which shape, told at once or conflated, encoded once a shape."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from heapq import heappop, heappush
from itertools import count

import attrs

from strategykit.model.events import Bar, Event, Trade
from strategykit.sim.alor_session import Session

__all__ = ["Agenda", "BarTopic", "ConflatedTopic", "Encode", "Subscriber", "Topic"]

Encode = Callable[[Event, Hashable], bytes]
"""Give the data object of an event in a shape, such as ``("Slim", 20)``, without its guid."""


@attrs.define(eq=False)
class Subscriber:
    """One subscription of one connection."""

    session: Session
    guid: str
    shape: Hashable
    """Format and depth: what tells two encodings of one event apart."""
    tail: bytes
    """What follows the data in each of its frames: the guid."""
    interval: int = 0
    """Nanoseconds: at most one frame in each; 0: every event."""
    next_time: int = 0
    dirty: bool = False
    """Whether something newer than what it was sent waits for `next_time`."""
    topic: Topic | None = None
    """What it is subscribed to; None once it has ended."""

    def frame(self, data: bytes) -> bytes:
        """Make a message of a data object."""
        return b"".join((b'{"data":', data, self.tail))

    def send(self, data: bytes) -> None:
        self.session.send(self.frame(data))


class Agenda:
    """Conflated subscribers that are owed a frame, by when."""

    def __init__(self) -> None:
        self._due: list[tuple[int, int, Subscriber, ConflatedTopic]] = []
        self._number = count()

    def add(self, subscriber: Subscriber, topic: ConflatedTopic) -> None:
        heappush(self._due, (subscriber.next_time, next(self._number), subscriber, topic))

    def run(self, now: int) -> None:
        """Send what is due."""
        due = self._due
        while due and due[0][0] <= now:
            _, _, subscriber, topic = heappop(due)
            if subscriber.dirty and subscriber.topic is topic:
                topic.send_latest(subscriber, now)


class Topic:
    """A stream of which every event counts, such as trades or orders."""

    def __init__(self, encode: Encode) -> None:
        self.subscribers: dict[Subscriber, None] = {}
        self._encode = encode

    def add(self, subscriber: Subscriber) -> None:
        self.subscribers[subscriber] = None
        subscriber.topic = self

    def remove(self, subscriber: Subscriber) -> None:
        self.subscribers.pop(subscriber, None)
        subscriber.topic = None

    def tell(self, event: Event) -> None:
        """Send an event to everyone."""
        bodies: dict[Hashable, bytes] = {}
        for subscriber in self.subscribers:
            shape = subscriber.shape
            body = bodies.get(shape)
            if body is None:
                body = bodies[shape] = self._encode(event, shape)
            subscriber.send(body)


class ConflatedTopic(Topic):
    """A stream of states: a subscriber gets the latest, at most once in its interval."""

    def __init__(self, encode: Encode, agenda: Agenda) -> None:
        super().__init__(encode)
        self.latest: Event | None = None
        self._agenda = agenda
        self._bodies: dict[Hashable, bytes] = {}

    def update(self, event: Event, now: int) -> None:
        """Take a new state: send it where the interval has passed, remember it where it hasn't."""
        self.latest = event
        self._bodies.clear()
        for subscriber in self.subscribers:
            if now >= subscriber.next_time:
                self.send_latest(subscriber, now)
            elif not subscriber.dirty:
                subscriber.dirty = True
                self._agenda.add(subscriber, self)

    def send_latest(self, subscriber: Subscriber, now: int) -> None:
        if self.latest is None:
            return
        shape = subscriber.shape
        body = self._bodies.get(shape)
        if body is None:
            body = self._bodies[shape] = self._encode(self.latest, shape)
        subscriber.send(body)
        subscriber.dirty = False
        if now >= subscriber.next_time:
            # In step with the clock, not with the last frame: else each delay would lengthen the interval for good.
            # Two frames are still never much closer than the interval.
            step = subscriber.interval
            subscriber.next_time = max(subscriber.next_time + step, now + step * 3 // 4)


class BarTopic(ConflatedTopic):
    """Bars made of trades: the forming one is a state; its last state is never conflated away.

    Args:
        encode: See `Topic`.
        agenda: Shared by all conflated topics.
        interval: Nanoseconds a bar.
        forming: The bar that forms now, if a trade has begun it.
    """

    def __init__(self, encode: Encode, agenda: Agenda, *, interval: int, forming: Bar | None) -> None:
        super().__init__(encode, agenda)
        self.latest = self._forming = forming
        self._interval = interval

    def fold(self, trade: Trade, now: int) -> None:
        """Fold in one trade; times never go back."""
        time = now if trade.event_time is None else trade.event_time
        start, price, old = time - time % self._interval, trade.price, self._forming
        first = high = low = price
        volume = trade.quantity
        if old is not None and old.open_time >= start:
            start, first, high, low = old.open_time, old.open, max(old.high, price), min(old.low, price)
            volume += old.volume
        else:
            for subscriber in self.subscribers:
                if subscriber.dirty:
                    self.send_latest(subscriber, now)
        symbol, interval = trade.instrument, self._interval
        self._forming = Bar(symbol, start, interval, first, high, low, price, volume, False, time, now, "")
        self.update(self._forming, now)

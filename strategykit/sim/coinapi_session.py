"""One connection to the simulated CoinAPI: its scope, numbers, pace and queue.

Source: CoinAPI protocol sheet, sections 4 to 6.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import attrs

from strategykit.secret import Secret
from strategykit.sim.coinapi_config import CoinApiVenueConfig
from strategykit.sim.served import Outlet
from strategykit.venues.coinapi.names import NUMBERED, TOP_LEVELS, DataType
from strategykit.venues.coinapi.server import BUFFER_OVERFLOW, HEARTBEAT, encode_error, encode_reconnect, frame_item
from strategykit.venues.coinapi.server_requests import Limits
from strategykit.venues.coinapi.server_scope import Scope, Subject

__all__ = ["AHEAD", "CoinSession"]

_SECOND: Final = 1_000_000_000

AHEAD: Final = 1_000
"""Messages handed to the socket's writer ahead of time; the rest waits here, where it can be thrown away."""

_BURST: Final = 8
"""Times the limit of the queue: where a burst between two looks at it is cut off, to bound memory."""

_SLOW: Final = {DataType.BOOK20: _SECOND, DataType.BOOK50: _SECOND}
"""Types that are sent at most once a second, whatever the client says."""


@attrs.define(eq=False)
class _Pace:
    """When the next message of a type and key may go, and what waits for that; the latest state isn't lost."""

    subject: Subject
    next: int = 0
    waiting: bytes | None = None


@attrs.define(eq=False)
class CoinSession:
    """What the venue keeps of one connection."""

    outlet: Outlet
    config: CoinApiVenueConfig
    exchange: str | None
    """For DS: the one venue of the connection."""
    offered: tuple[Secret, ...]
    """Keys that came with the upgrade."""
    opened: int
    key: Secret | None = None
    """The one that was found good; None before the first message."""
    greeted: bool = False
    """Whether there was a hello or subscribe."""
    heartbeat: bool = False
    ended: bool = False
    scope: Scope = attrs.field(factory=Scope)
    snapshots_due: set[tuple[DataType, str]] = attrs.field(factory=set)
    """Books whose snapshot follows the next update, on command."""
    _limits: Limits = attrs.field(factory=Limits)
    _closes: int | None = None
    _queue: deque[bytes] = attrs.field(factory=deque)
    _numbers: dict[tuple[DataType, str], int] = attrs.field(factory=dict)
    _paces: dict[tuple[DataType, str], _Pace] = attrs.field(factory=dict)
    _wanted: dict[tuple[DataType, Subject], bool] = attrs.field(factory=dict)
    _last_sent: int = attrs.field(init=False)
    _pinged: int = attrs.field(init=False)
    _ping: bytes | None = None

    def __attrs_post_init__(self) -> None:
        self._last_sent = self._pinged = self.opened

    @property
    def waiting(self) -> int:
        """Messages that haven't reached the socket."""
        return len(self._queue) + self.outlet.waiting

    @property
    def _ahead(self) -> int:
        return min(AHEAD, self.config.max_queue)

    def change_scope(self, scope: Scope, limits: Limits) -> None:
        """Follow a client's message; what waits and isn't wanted any more is forgotten."""
        self.scope, self._limits = scope, limits
        self._wanted.clear()
        for (data_type, key), pace in list(self._paces.items()):
            if not self.wants(data_type, pace.subject):
                del self._paces[data_type, key]

    def merge_limits(self, limits: Limits) -> Limits:
        """Give the limits as they are after a message that says something of some."""
        said = attrs.asdict(limits, filter=lambda _, value: value is not None)
        return attrs.evolve(self._limits, **said)

    def wants(self, data_type: DataType, subject: Subject) -> bool:
        """Say whether it is subscribed to that."""
        found = self._wanted.get((data_type, subject))
        if found is None:
            found = self.exchange in (None, subject.exchange) and self.scope.match(data_type, subject)
            self._wanted[data_type, subject] = found
        return found

    def skip(self, data_type: DataType, key: str) -> None:
        """Count a message that is never sent."""
        self._numbers[data_type, key] = self._numbers.get((data_type, key), 0) + 1

    def deliver(self, data_type: DataType, key: str, subject: Subject, encoded: bytes, now: int) -> None:
        """Send an item now, or later as its pace allows.

        With a limit of the client's own, numbers count what was left out in between, too; else they have no gaps.
        """
        chosen = self._limit(data_type)
        interval = max(chosen, _SLOW.get(data_type, 0))
        if interval:
            pace = self._paces.setdefault((data_type, key), _Pace(subject))
            if now < pace.next:
                if chosen and pace.waiting is not None:
                    self.skip(data_type, key)
                pace.waiting = encoded
                return
            pace.next, pace.waiting = now + interval, None
        self._send_item(data_type, key, encoded, now)

    def send(self, message: bytes, now: int) -> None:
        """Send or queue one message."""
        if self.ended:
            return
        self._last_sent = now
        if self._queue or self.outlet.waiting >= self._ahead:
            self._queue.append(message)
            if self.waiting > self.config.max_queue * _BURST:
                self.overflow()
        else:
            self.outlet.send_encoded(message)

    def check(self, now: int) -> None:
        """Close what has overflowed, timed out or been announced. Call it when the writer has had its turn."""
        if self.ended:
            return
        if self.waiting > self.config.max_queue:
            self.overflow()
        elif self._closes is not None and now >= self._closes:
            self.end(1001, "planned restart")
        elif self.config.ping_every and now >= self._pinged + int(self.config.ping_every * _SECOND):
            self._check_pong(now)

    def flush(self, now: int, *, heartbeats: bool) -> None:
        """Send what has become due."""
        for (data_type, key), pace in self._paces.items():
            if pace.waiting is not None and now >= pace.next:
                encoded, pace.waiting = pace.waiting, None
                pace.next = now + max(self._limit(data_type), _SLOW.get(data_type, 0))
                self._send_item(data_type, key, encoded, now)
        if self.heartbeat and heartbeats and now >= self._last_sent + _SECOND:
            self.send(HEARTBEAT, now)
        while self._queue and self.outlet.waiting < self._ahead:
            self.outlet.send_encoded(self._queue.popleft())

    def fail(self, message: str, code: int) -> None:
        """Say what is wrong, and close."""
        self.outlet.send_encoded(encode_error(message))
        self.end(code, message[:100])

    def overflow(self) -> None:
        """Throw the queue away, say so, and close."""
        self._queue.clear()
        self.fail(BUFFER_OVERFLOW, self.config.overflow_code)

    def announce_close(self, seconds: float, now: int) -> None:
        """Give notice of a planned restart, and close after a while."""
        self._closes = now + int(seconds * _SECOND)
        self.send(encode_reconnect(seconds, now=now), now)

    def end(self, code: int, reason: str) -> None:
        """Close; what waits here is never sent."""
        self.ended = True
        self._queue.clear()
        self.outlet.close(code, reason)

    def _send_item(self, data_type: DataType, key: str, encoded: bytes, now: int) -> None:
        number = None
        if data_type in NUMBERED:
            number = self._numbers[data_type, key] = self._numbers.get((data_type, key), 0) + 1
        self.send(frame_item(data_type, encoded, number), now)

    def _limit(self, data_type: DataType) -> int:
        if data_type is DataType.QUOTE:
            return self._limits.quote or 0
        if data_type is DataType.EXRATE:
            return self._limits.exrate or 0
        return (self._limits.book or 0) if data_type in TOP_LEVELS else 0

    def _check_pong(self, now: int) -> None:
        if self._ping is not None and self.outlet.pong != self._ping:
            self.end(1011, "no pong")
            return
        self._ping, self._pinged = b"%d" % now, now
        self.outlet.ping(self._ping)

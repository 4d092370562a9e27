"""One client of a relay: a bounded queue outward, in which the latest stands for all where that is good enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
import trio
from wsproto.events import BytesMessage, Ping, Pong, TextMessage

from strategykit.relay.limits import RelayLimits
from strategykit.relay.routes import Message, Route
from strategykit.relay.wire import ClientWire
from strategykit.sim.server_websocket import WebSocketPeer

__all__ = ["Client"]

_PIECE: Final = 65_536
"""Bytes handed to the kernel at a time."""


@attrs.define
class _Late:
    """What a slow client will be told in one message."""

    first: int
    """Number of the first message that is left out."""
    marked: bool
    """Whether one of them told a hole."""


class Client(WebSocketPeer):
    """One client that has been let in.

    While its queue is short it gets every message, in the order in which they came. Beyond, what may be left out is:
    when the queue has drained, one message for each channel says how things are. What can't be left out is kept up to
    a second, harder limit.

    Args:
        wire: Its connection, after the 101.
        limits: What it may use up.
        due: Where it puts itself when it has something to send.
    """

    def __init__(self, wire: ClientWire, limits: RelayLimits, due: Callable[[Client], None]) -> None:
        super().__init__(wire, unread=limits.kept[0], max_message=limits.message_bytes)
        self.routes: dict[str, Route] = {}
        """Channels that it wants, by name."""
        self.invalid = 0
        """Messages of it that said nothing."""
        self.left_out = 0
        """Messages that it wasn't sent, because later ones stood for them."""
        self.heard = trio.current_time()
        """When it last gave a sign, on Trio's clock."""
        self._pipe = wire
        self._limits = limits
        self._due = due
        self._is_due = False
        self._sending = False
        self._rest = b""
        """Of a piece that the kernel took in part."""
        self._bytes = 0
        self._late: dict[Route, _Late] = {}
        self._tokens: float = limits.messages[0]

    @property
    def depth(self) -> int:
        """Messages that wait."""
        return len(self._waiting) + len(self._late)

    @property
    def waiting_bytes(self) -> int:
        """Of messages that wait."""
        return self._bytes + len(self._rest)

    def send_raw_nowait(self, frame: bytes) -> None:
        """Queue bytes as they are, unless too many wait already."""
        if not self.ending:
            if self._is_full(self._limits.kept):
                self._end_slow()
                return
            self._queue(frame)

    def offer(self, route: Route, message: Message) -> None:
        """Take one message of a channel that it wants. Never waits."""
        if self.ending:
            return
        if self._late or self._is_full(self._limits.queue):
            self._offer_late(route, message)
        else:
            self._queue(message.frame)

    def flush(self) -> None:
        """Hand over what waits, as far as the kernel takes it at once; a task of its own goes on with the rest."""
        self._is_due = False
        if not self._sending and not self.ending:
            while not self._rest and (piece := self._take()):
                self._rest = piece[self._pipe.send_nowait(piece) :]
        if self._rest or self._waiting:
            self._more.set()

    def end(self, code: int, reason: str) -> None:
        """Close, without what waits: for who uses up too much, or is too slow."""
        if not self.ending:
            self._waiting.clear()
            self._late.clear()
            self._bytes = 0
            self._end(code, reason)

    def forget(self, route: Route) -> None:
        """Note that it doesn't want a channel any more."""
        self.routes.pop(route.name, None)
        self._late.pop(route, None)

    def _gather(self, event: TextMessage | BytesMessage) -> str | bytes | None:
        return super()._gather(event) if self._heard() else None

    def _answer_ping(self, event: Ping) -> None:
        if self._heard() and not self._is_full(self._limits.kept):
            super()._answer_ping(event)

    def _on_pong(self, event: Pong) -> None:
        if self._heard():
            super()._on_pong(event)

    def _heard(self) -> bool:
        """Note one frame of its; False if there were too many, and it is being closed."""
        now = trio.current_time()
        most, rate = self._limits.messages
        self._tokens = min(most, self._tokens + (now - self.heard) * rate) - 1
        self.heard = now
        if self._tokens < 0 and not self.ending:
            self.end(1008, f"more than {rate:g} messages a second")
            if not self._sending and not self._rest:
                self._pipe.send_nowait(self._take())
            self._scope.cancel()  # What else it sends isn't even looked at.
        return not self.ending

    def _queue(self, frame: bytes) -> None:
        self._waiting.append(frame)
        self._bytes += len(frame)
        if not self._is_due:
            self._is_due = True
            self._due(self)

    def _is_full(self, limit: tuple[int, int]) -> bool:
        return len(self._waiting) >= limit[0] or self._bytes >= limit[1]

    def _offer_late(self, route: Route, message: Message) -> None:
        late = self._late.get(route)
        if message.kept:
            if self._is_full(self._limits.kept):
                self._end_slow()
                return
            self._queue(message.frame)
            if late is not None and not late.marked:
                del self._late[route]  # A closed bar says more than the forming ones before.
            return
        self.left_out += 1
        if late is None:
            self._late[route] = _Late(message.number, message.marked)
        else:
            late.marked = late.marked or message.marked

    def _end_slow(self) -> None:
        self.end(1008, f"too slow: over {self._limits.kept[0]} messages or {self._limits.kept[1] >> 20} MiB waited")

    def _take(self) -> bytes:
        """Give the next piece."""
        waiting = self._waiting
        if not waiting and self._late and not self.ending:
            late, self._late = self._late, {}
            for route, what in late.items():
                if route.name in self.routes:
                    frame = route.catch_up(what.first, marked=what.marked)
                    waiting.append(frame)
                    self._bytes += len(frame)
                    self.left_out -= 1
        if not waiting:
            return b""
        parts, size = [waiting.popleft()], 0
        size = len(parts[0])
        while waiting and size < _PIECE:
            parts.append(waiting.popleft())
            size += len(parts[-1])
        self.sent += len(parts)
        self._bytes = max(0, self._bytes - size)  # Control frames aren't counted where they are queued.
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _write(self) -> None:
        try:
            while True:
                while piece := self._rest or self._take():
                    self._rest, self._sending = b"", True
                    with trio.move_on_after(self._limits.stall) as scope:
                        await self.wire.send_all(piece)
                    if scope.cancelled_caught:
                        self.ending = self.ending or f"it took nothing for {self._limits.stall:g} s"
                        self.wire.reset()
                        self._scope.cancel()
                        return
                    self._sending = False
                if self.ending:
                    break
                self._more = trio.Event()
                await self._more.wait()
            await self.wire.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.ending = self.ending or "the wire broke"
            self._scope.cancel()

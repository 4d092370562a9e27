"""Byte streams without sockets: two ends, a way in each direction, and all that can go wrong on it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Final

import trio
import trio.abc

__all__ = ["Connection", "Direction", "MemorySocket", "Way"]

_ROOM: Final = 262_144
"""Bytes that may be on a way: what two kernels hold for each other."""

_END: Final = b""


class Way:
    """One direction of a connection: what was sent and hasn't been taken yet. Moments are by Trio's clock.

    Attributes:
        sent: Bytes that were put on it so far.
        goes_on: Until then nothing arrives, whatever was sent: a wire that is pulled out. `math.inf`: for ever.
        extra: Seconds by which everything is late, until `extra_until`.
        rate: Bytes a second that get through at the most, until `rate_until`.
        slices: So many of the next bytes travel alone, each for itself.
        cut_at: So many bytes from the first one on arrive, then the connection breaks; None: it doesn't.
    """

    def __init__(self, latency: Callable[[], float]) -> None:
        self.sent = 0
        self.goes_on = 0.0
        self.extra = 0.0
        self.extra_until = 0.0
        self.rate = math.inf
        self.rate_until = 0.0
        self.slices = 0
        self.cut_at: int | None = None
        self._latency = latency
        self._chunks: deque[tuple[float, bytes]] = deque()
        self._waiting = 0
        self._last = 0.0
        self._news = trio.lowlevel.ParkingLot()
        self._room = trio.lowlevel.ParkingLot()
        self._ended = False
        self._broken = False

    def put(self, data: bytes) -> None:
        """Send. Of a way that is broken, though nobody has learnt of it yet, nothing arrives."""
        if self._broken:
            return
        now = trio.current_time()
        extra = self.extra if now < self.extra_until else 0.0
        # A stream keeps its order, however long single pieces take.
        self._last = due = max(self._last, now + self._latency() + extra)
        if now < self.rate_until:
            self._last = due = due + len(data) / self.rate
        self.sent += len(data)
        self._waiting += len(data)
        while self.slices and len(data) > 1:
            piece, data = data[:1], data[1:]
            self.slices -= 1
            self._chunks.append((due, piece))
        self._chunks.append((due, data))
        self._news.unpark_all()

    def end(self) -> None:
        """No more will come: it travels behind all else."""
        if not self._ended:
            self._ended = True
            self._chunks.append((max(self._last, trio.current_time()), _END))
            self._news.unpark_all()

    def break_off(self, *, purge: bool = False) -> None:
        """It was reset: what is on its way still arrives, unless it is to be purged, or nothing arrives anyway.

        While nothing arrives, nobody learns of it.
        """
        self._broken = True
        if purge or trio.current_time() < self.goes_on:
            self._chunks.clear()
        self._news.unpark_all()
        self._room.unpark_all()

    def stall(self, until: float) -> None:
        """Let nothing arrive until then."""
        self.goes_on = max(self.goes_on, until)
        self._news.unpark_all()

    def heal(self) -> None:
        """Undo what was done to it; a way that stands still for ever goes on doing so, unless its connection is new."""
        self.extra_until, self.rate_until, self.slices, self.cut_at = 0.0, 0.0, 0, None
        if self.goes_on < math.inf:
            self.goes_on = 0.0
        self._news.unpark_all()

    def wake(self) -> None:
        """Have who waits look again."""
        self._news.unpark_all()
        self._room.unpark_all()

    @property
    def broken(self) -> bool:
        """Whether who sends on it finds it reset."""
        return self._broken and trio.current_time() >= self.goes_on

    @property
    def readable(self) -> bool:
        """Whether a read would give something, or say that nothing comes any more, at once."""
        return self.broken or bool(self._chunks and self._arrives() <= trio.current_time())

    async def wait_room(self, closed: Callable[[], bool]) -> None:
        """Return when more can be put, or when that makes no sense any more."""
        while self._waiting >= _ROOM and not self._broken and not closed():
            await self._room.park()

    async def get(self, most: int, closed: Callable[[], bool]) -> bytes:
        """Take what has arrived; empty at the end.

        Raises:
            trio.ClosedResourceError: This end was closed.
            trio.BrokenResourceError: The other end was reset.
        """
        while True:
            if closed():
                raise trio.ClosedResourceError("this end was closed")
            now = trio.current_time()
            if self._chunks and (due := self._arrives()) <= now:
                return self._take(most, now)
            if self._broken and not self._chunks:
                if now >= self.goes_on:
                    raise trio.BrokenResourceError("connection reset by peer")
                due = self.goes_on
            with trio.move_on_at(due if self._chunks or self._broken else math.inf):
                await self._news.park()

    def _arrives(self) -> float:
        return max(self._chunks[0][0], self.goes_on)

    def _take(self, most: int, now: float) -> bytes:
        due, data = self._chunks[0]
        if data == _END:
            return data  # It stays: whoever reads again is told again.
        self._chunks.popleft()
        if len(data) > most:
            self._chunks.appendleft((due, data[most:]))
            data = data[:most]
        parts, size = [data], len(data)
        while len(data) > 1 and self._chunks and self._chunks[0][0] <= now:
            data = self._chunks[0][1]
            if len(data) <= 1 or size + len(data) > most:
                break  # The end, or a piece that travels alone.
            parts.append(data)
            size += len(data)
            self._chunks.popleft()
        self._waiting -= size
        self._room.unpark_all()
        return b"".join(parts)


class Direction:
    """Names of the two ways."""

    UP: Final = "up"
    """From the client."""
    DOWN: Final = "down"


class Connection:
    """Two ends and what lies between them.

    Args:
        number: Counts connections.
        port: Where it leads.
        latency: Gives seconds that a piece takes.
        forget: Called when both ends are closed.
    """

    def __init__(
        self, number: int, port: int, *, latency: Callable[[], float], forget: Callable[[Connection], None]
    ) -> None:
        self.number = number
        self.port = port
        self.path = ""
        """Of the first request that went over it."""
        self.upgraded = False
        """Whether that asked for a WebSocket."""
        self.up, self.down = Way(latency), Way(latency)
        self.client = MemorySocket(self, out=self.up, into=self.down, port=port)
        self.server = MemorySocket(self, out=self.down, into=self.up, port=port)
        self._forget = forget

    @property
    def ways(self) -> tuple[Way, Way]:
        return self.up, self.down

    def way(self, direction: str) -> Way:
        """Give the way of that name."""
        return self.up if direction == Direction.UP else self.down

    def note_request(self, data: bytes) -> None:
        """Look at the first bytes that the client sent."""
        self.path = data.partition(b"\r\n")[0].decode("latin-1").split(" ")[1] if data.count(b" ") > 1 else "?"
        self.upgraded = b"websocket" in data.lower()

    def reset(self) -> None:
        """Break it: both ends find it reset by the other one, whatever stood still before."""
        self.up.goes_on = self.down.goes_on = 0.0
        self.up.break_off(purge=True)
        self.down.break_off(purge=True)

    def ended(self, end: MemorySocket) -> None:
        """One of the ends was closed."""
        if self.client.closed and self.server.closed:
            self._forget(self)
            return
        other = self.server if end is self.client else self.client
        if end.aborted:
            # The news of it travels as all else does.
            end.out.break_off()
            other.out.break_off(purge=True)
        else:
            end.out.end()
            other.out.wake()


class _Handle:
    """As much of a socket as a stream's users touch."""

    def __init__(self, close: Callable[[], None], port: int) -> None:
        self.close = close
        self._port = port

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", self._port


class MemorySocket(trio.abc.HalfCloseableStream):
    """One end: as much of a `trio.SocketStream` as the program uses, and as it behaves."""

    def __init__(self, connection: Connection, *, out: Way, into: Way, port: int) -> None:
        self.connection = connection
        self.out = out
        self.closed = False
        self.aborted = False
        """Whether closing throws away what wasn't delivered, and tells the other end so."""
        self.socket = _Handle(self._close, port)
        self._into = into
        self._eof = False
        self._sending = trio.Lock()

    def setsockopt(self, level: int, option: int, value: int | bytes) -> None:  # noqa: ARG002 - the socket's signature
        """Take an option; the only one that means something here is lingering for no time at all."""
        if isinstance(value, bytes) and value == b"\x01\0\0\0\0\0\0\0":
            self.aborted = True

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        if self.closed or self._eof:
            raise trio.ClosedResourceError("this end was closed")
        await self.out.wait_room(lambda: self.closed)
        if self.closed:
            raise trio.ClosedResourceError("this end was closed while it was sending")
        if self.out.broken:
            raise trio.BrokenResourceError("connection reset by peer")
        connection = self.connection
        if not connection.path and self is connection.client:
            connection.note_request(bytes(data))
        raw = bytes(data)
        if self.out.cut_at is not None and self.out.sent + len(raw) >= self.out.cut_at:
            raw = raw[: max(0, self.out.cut_at - self.out.sent)]
            if raw:
                self.out.put(raw)
            self._cut()
            return
        self.out.put(raw)
        if self._other.closed:
            # The first piece that reaches a closed end is answered with a reset; whoever sent it has noticed nothing.
            self.out.break_off(purge=True)
            self._into.break_off()

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()
        await self.out.wait_room(lambda: self.closed)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        return await self._into.get(max_bytes or _ROOM, lambda: self.closed)

    async def send_eof(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.closed:
            raise trio.ClosedResourceError("this end was closed")
        self._eof = True
        self.out.end()

    async def aclose(self) -> None:
        self._close()
        await trio.lowlevel.checkpoint()

    @property
    def readable(self) -> bool:
        """Whether a read would return at once."""
        return self._into.readable

    @property
    def _other(self) -> MemorySocket:
        return self.connection.server if self is self.connection.client else self.connection.client

    def _close(self) -> None:
        if not self.closed:
            self.closed = True
            self._into.wake()
            self.out.wake()
            self.connection.ended(self)

    def _cut(self) -> None:
        """What was sent so far arrives; then both ends find the connection broken."""
        self.out.cut_at = None
        self.out.break_off()
        self._into.break_off()

"""A relay on memory streams, a venue's run at the far end of its source, and clients that others wrote."""

from __future__ import annotations

import contextlib
import gc
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
import trio.testing
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from strategykit.errors import ConfigError, LimitReached, LocalProtocolError
from strategykit.model.events import BookDelta, BookSnapshot, Event, Gap, Quote, Side, Trade
from strategykit.relay.bus import LocalBus
from strategykit.relay.limits import RelayLimits
from strategykit.relay.server import RelayPlan, RelayServer
from strategykit.relay.source import Source
from strategykit.relay.wire import ClientWire
from strategykit.runtime.outside import Answered
from strategykit.venues.alor.dialect import Alor
from strategykit.venues.dialect import Ask, Dialect
from strategykit.venues.streams import Stream, StreamKind
from strategykit.venues.subscriptions import Subscription

NOON = 1_773_000_000_000_000_000
MS = 1_000_000

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Cursor:
    def reconnected(self) -> None:
        """Nothing is kept."""


@attrs.define(eq=False)
class Upstream:
    """A venue's run, as far as a relay sees it: what was asked for is noted, and events are told by hand."""

    log: list[str] = attrs.field(factory=list)
    asks: list[tuple[Ask, Answered]] = attrs.field(factory=list)
    routes: list[tuple[Subscription, Callable[[Event], None]]] = attrs.field(factory=list)
    full: bool = False
    lacks: str = ""
    now: int = NOON
    dialect: Dialect = attrs.field(factory=Alor)
    named: list[str] = attrs.field(factory=list)

    def want(self, stream: Stream, owner: str, receive: Callable[[Event], None] | None) -> Subscription:
        if self.full:
            raise LimitReached("every connection is full")
        if self.lacks:
            raise ConfigError(self.lacks)
        assert receive is not None
        row = Subscription(guid=f"g{len(self.log)}", stream=stream, connection="market-0", cursor=Cursor())
        self.log.append(f"+{stream.label}")
        self.routes.append((row, receive))
        return row

    def release(self, row: Subscription, owner: str, receive: Callable[[Event], None] | None) -> None:
        assert receive is not None
        self.routes.remove((row, receive))
        self.log.append(f"-{row.stream.label}")

    def ask(self, ask: Ask, answered: Answered) -> None:
        if getattr(ask, "instrument", "") == "NEVER":
            raise LocalProtocolError("can't be asked")
        self.asks.append((ask, answered))

    def tell(self, kind: StreamKind, symbol: str, event: Event) -> None:
        for row, receive in list(self.routes):
            if row.stream.kind is kind and row.stream.instrument == symbol:
                receive(event)

    def trade(self, price: float = 100.0, *, symbol: str = "SBER", side: Side | None = Side.BUY) -> None:
        self.now += MS
        self.tell(StreamKind.TRADES, symbol, Trade(symbol, price, 3.0, side, 1, self.now, self.now, "g"))

    def quote(self, bid: float = 99.5, *, symbol: str = "SBER", last: float | None = None) -> None:
        self.now += MS
        event = Quote(symbol, bid, 5.0, bid + 1, None, last, None, self.now, "g")
        self.tell(StreamKind.QUOTES, symbol, event)

    def book(self, bids: dict[float, float], asks: dict[float, float], *, symbol: str = "SBER") -> None:
        self.now += MS
        event = BookSnapshot(symbol, *_sides(bids, asks), self.now, self.now, "g")
        self.tell(StreamKind.BOOK, symbol, event)

    def change(self, bids: dict[float, float], asks: dict[float, float], *, symbol: str = "SBER") -> None:
        self.now += MS
        self.tell(StreamKind.BOOK, symbol, BookDelta(symbol, *_sides(bids, asks), self.now, self.now, "g"))

    def gap(self, kind: StreamKind, *, symbol: str = "SBER", reason: str = "the wire broke") -> None:
        self.now += MS
        self.tell(kind, symbol, Gap(symbol, self.now - MS, self.now, reason, None, self.now, "g"))


Levels = tuple[float, ...]


def _sides(bids: dict[float, float], asks: dict[float, float]) -> tuple[Levels, Levels, Levels, Levels]:
    return tuple(bids), tuple(bids.values()), tuple(asks), tuple(asks.values())


@attrs.define(eq=False)
class Reader:
    """One client."""

    websocket: WebSocketConnection
    numbers: int = 0

    async def send(self, method: str, *names: str) -> None:
        self.numbers += 1
        await self.websocket.send_message(json.dumps({"method": method, "params": names, "id": self.numbers}))

    async def subscribe(self, *names: str) -> None:
        """Subscribe, and know that it has been done."""
        await self.send("SUBSCRIBE", *names)
        await self.websocket.ping()

    async def unsubscribe(self, *names: str) -> None:
        await self.send("UNSUBSCRIBE", *names)
        await self.websocket.ping()

    async def next(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await self.websocket.get_message())
        return found

    async def closing(self) -> tuple[int, str]:
        """Wait for the end; give its code and reason."""
        while self.websocket.closed is None:
            with contextlib.suppress(ConnectionClosed):
                await self.websocket.get_message()
        return self.websocket.closed.code, self.websocket.closed.reason or ""


@attrs.define(eq=False)
class Relay:
    server: RelayServer
    upstream: Upstream
    nursery: trio.Nursery

    def dial(self, *, lockstep: bool = False) -> trio.abc.Stream:
        """Connect by memory; in lockstep the relay's bytes leave only as they are read."""
        pair = trio.testing.lockstep_stream_pair() if lockstep else trio.testing.memory_stream_pair()
        self.nursery.start_soon(self.server.carry, ClientWire(pair[1]))
        return pair[0]

    async def connect(self, path: str = "/ws") -> Reader:
        # Any stream will do; the annotation of the library is narrower than the library.
        stream: Any = self.dial()
        return Reader(await wrap_client_stream(self.nursery, stream, "relay", path, message_queue_size=10_000))

    async def get(self, path: str) -> tuple[int, Any]:
        stream = self.dial()
        await stream.send_all(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while more := await stream.receive_some():
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        status = int(head.split()[1])
        return status, json.loads(body) if b"json" in head else body.decode()

    async def slow(self, *names: str) -> trio.abc.Stream:
        """Connect a client that subscribes and then reads nothing."""
        stream = self.dial(lockstep=True)
        await stream.send_all(HANDSHAKE)
        await stream.receive_some()
        for name in names:
            await stream.send_all(masked(json.dumps({"method": "SUBSCRIBE", "params": [name], "id": 1}).encode()))
        await trio.testing.wait_all_tasks_blocked()
        return stream


def masked(payload: bytes, first: int = 0x81) -> bytes:
    """Word a client's frame; its mask is zero."""
    size = len(payload)
    head = bytes((first, 0x80 | size)) if size < 126 else bytes((first, 0xFE)) + size.to_bytes(2, "big")
    return head + b"\0\0\0\0" + payload


def unframed(data: bytes) -> list[dict[str, Any]]:
    """Read a server's text frames."""
    found = []
    while data:
        size, start = data[1], 2
        if size == 126:
            size, start = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, start = int.from_bytes(data[2:10], "big"), 10
        if data[0] == 0x81:
            found.append(json.loads(data[start : start + size]))
        data = data[start + size :]
    return found


async def read_all(stream: trio.abc.Stream) -> bytes:
    """Read what comes until nothing more does."""
    data = b""
    while True:
        with trio.move_on_after(0.2) as scope:
            more = bytes(await stream.receive_some(1 << 20))
            if not more:
                return data
            data += more
        if scope.cancelled_caught:
            return data


@asynccontextmanager
async def _open(variant: str = "seed", **limits: Any) -> AsyncGenerator[Relay]:
    upstream = Upstream()
    bus = LocalBus(
        lambda publish: Source(upstream, publish, exchange="MOEX", now=lambda: upstream.now, named=upstream.named)
    )
    plan = RelayPlan(variant=variant, limits=RelayLimits(**limits))
    server = RelayServer(bus, plan)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        yield Relay(server, upstream, nursery)
        nursery.cancel_scope.cancel()


Open = Callable[..., AbstractAsyncContextManager[Relay]]


@pytest.fixture(scope="module")
def leftovers() -> Generator[None]:
    """Have what coredis leaves collected here, not in the midst of other tests."""
    yield
    gc.collect()


@pytest.fixture
def open_it() -> Open:
    return _open


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    async with _open() as relay:
        yield relay

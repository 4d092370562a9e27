from __future__ import annotations

import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
from trio_websocket import ConnectionClosed, open_websocket_url, wrap_client_stream
from wsproto.connection import Connection, ConnectionType
from wsproto.events import TextMessage
from wsproto.utilities import generate_accept_token

from strategykit.sim.http_calls import HttpAnswer, HttpCall, HttpLimits
from strategykit.sim.server_http import Upgrade, carry_http
from strategykit.sim.server_websocket import WebSocketPeer, text_frame
from strategykit.sim.server_wire import Wire

MASK = b"\x01\x02\x03\x04"


@attrs.define(eq=False)
class EchoServer:
    """The transport with nothing behind it: it answers each message with itself."""

    port: int
    unread: int
    max_message: int
    peers: list[WebSocketPeer] = attrs.field(factory=list)
    ended: trio.Event = attrs.field(factory=trio.Event)
    gone: dict[WebSocketPeer, trio.Event] = attrs.field(factory=dict)

    async def carry(self, stream: trio.SocketStream) -> None:
        wire = Wire(stream)
        upgrade = await carry_http(wire, self.answer, lambda _: None, limits=HttpLimits())
        if upgrade is None:
            await wire.aclose()
            return
        await self.carry_websocket(wire, upgrade)

    async def carry_websocket(self, wire: Wire, upgrade: Upgrade) -> None:
        peer = WebSocketPeer(wire, unread=self.unread, max_message=self.max_message, close_within=0.2)
        self.peers.append(peer)
        self.gone[peer] = trio.Event()
        key = upgrade.call.headers["sec-websocket-key"].encode()
        accept = generate_accept_token(key).decode()
        await wire.send_all(
            upgrade.accept([("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept)])
        )
        await peer.run(lambda message: self.receive(peer, message), first=upgrade.first)
        self.gone[peer].set()
        self.ended.set()

    def receive(self, peer: WebSocketPeer, message: str | bytes) -> None:
        peer.send_nowait(message.encode() if isinstance(message, str) else b"binary:" + message)

    def answer(self, call: HttpCall) -> HttpAnswer:
        return HttpAnswer(status=200, body=call.body or call.path.encode(), content_type="text/plain")


@asynccontextmanager
async def open_echo(*, unread: int = 100, max_message: int = 10_000) -> AsyncGenerator[EchoServer]:
    with trio.fail_after(10):
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        server = EchoServer(int(listeners[0].socket.getsockname()[1]), unread, max_message)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, server.carry, listeners)
            yield server
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def raw_client(server: EchoServer, *, after: bytes = b"") -> AsyncGenerator[trio.SocketStream]:
    """A client that speaks bytes: `after` goes out in the same packet as the handshake."""
    stream = await trio.open_tcp_stream("127.0.0.1", server.port)
    async with stream:
        await stream.send_all(
            b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" + after
        )
        head = b""
        while b"\r\n\r\n" not in head:
            head += await stream.receive_some(1)
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
        yield stream


def masked(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    head = bytes(((0x80 if fin else 0) | opcode,))
    size = len(payload)
    if size < 126:
        head += bytes((0x80 | size,))
    elif size < 65_536:
        head += b"\xfe" + struct.pack("!H", size)
    else:
        head += b"\xff" + struct.pack("!Q", size)
    return head + MASK + bytes(byte ^ MASK[index % 4] for index, byte in enumerate(payload))


async def read_until_closed(stream: trio.SocketStream) -> bytes:
    got = b""
    try:
        while data := await stream.receive_some():
            got += data
    except trio.BrokenResourceError:
        got += b"<reset>"
    return got


def close_code(got: bytes) -> int:
    assert got[-2:] != b"t>", got
    start = got.rindex(b"\x88")
    return int.from_bytes(got[start + 2 : start + 4], "big")


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_a_frame_is_what_the_standard_says(size: int) -> None:
    reader = Connection(ConnectionType.CLIENT)
    reader.receive_data(text_frame(b"x" * size))

    assert [event.data for event in reader.events() if isinstance(event, TextMessage)] == ["x" * size]


async def test_messages_go_both_ways_and_closing_is_mutual() -> None:
    async with open_echo() as server:
        async with open_websocket_url(f"ws://127.0.0.1:{server.port}/ws") as websocket:
            await websocket.send_message("hello")
            assert await websocket.get_message() == "hello"
            await websocket.send_message(b"\x00\x01")
            assert await websocket.get_message() == "binary:\x00\x01"
            await websocket.ping(b"there?")
        await server.ended.wait()

        assert server.peers[0].ending == "the peer closed"
        assert (server.peers[0].received, server.peers[0].waiting) == (2, 0)


async def test_bytes_in_the_same_packet_as_the_handshake_are_not_lost() -> None:
    async with open_echo() as server, raw_client(server, after=masked(1, b"early")) as stream:
        assert await stream.receive_some() == b"\x81\x05early"


async def test_fragments_are_joined_and_a_million_empty_ones_cost_nothing() -> None:
    async with open_echo() as server, raw_client(server) as stream:
        empty = masked(0, b"", fin=False)
        await stream.send_all(masked(1, b"ab", fin=False) + empty * 10_000 + masked(0, b"cd"))

        assert await stream.receive_some() == b"\x81\x04abcd"


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        pytest.param(masked(1, b"x" * 10_001), 1009, id="too long"),
        pytest.param(masked(1, b"x" * 6_000, fin=False) + masked(0, b"y" * 6_000), 1009, id="too long in parts"),
        pytest.param(b"\x81\xff" + struct.pack("!Q", 1 << 40) + MASK + b"z" * 20_000, 1009, id="a terabyte announced"),
        pytest.param(masked(1, b"\xff\xfe"), 1007, id="no UTF-8"),
        pytest.param(masked(3, b""), 1002, id="reserved opcode"),
        pytest.param(b"\xc1\x80" + MASK, 1002, id="reserved bit"),
        pytest.param(b"\x81\x02hi", 1002, id="unmasked"),
        pytest.param(masked(9, b"p" * 126), 1002, id="long ping"),
        pytest.param(masked(8, b"\x03"), 1002, id="close with 1 byte"),
        pytest.param(masked(8, struct.pack("!H", 999)), 1002, id="close with a code that isn't one"),
        pytest.param(masked(0, b"lost"), 1002, id="continuation of nothing"),
        pytest.param(masked(8, struct.pack("!H", 4000) + b"bye"), 4000, id="an orderly close"),
        pytest.param(masked(8, b""), 1000, id="a close without a code"),
    ],
)
async def test_whatever_breaks_the_protocol_is_closed_with_its_code(frame: bytes, code: int) -> None:
    async with open_echo() as server, raw_client(server) as stream:
        await stream.send_all(frame)
        with trio.move_on_after(1):
            got = await read_until_closed(stream)
        await stream.aclose()
        await server.ended.wait()

    assert close_code(got) == code


async def test_a_client_that_vanishes_ends_its_connection() -> None:
    async with open_echo() as server:
        async with raw_client(server) as stream:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await server.ended.wait()

        assert server.peers[0].ending in {"the peer hung up", "the wire broke"}


async def test_a_client_that_reads_nothing_is_hung_up_on_and_others_notice_nothing() -> None:
    async with open_echo(unread=50) as server, raw_client(server) as slow:
        async with open_websocket_url(f"ws://127.0.0.1:{server.port}/ws") as quick:
            peer = server.peers[0]
            while not peer.ending:
                peer.send_nowait(b"x" * 60_000)
                await trio.lowlevel.checkpoint()
                peer.check_unread()
            await quick.send_message("still here")
            assert await quick.get_message() == "still here"

        assert peer.ending == "more than 50 unread messages"
        await server.gone[peer].wait()
        assert (await read_until_closed(slow)).endswith(b"<reset>")


async def test_a_burst_between_two_checks_is_cut_off_at_a_hard_limit() -> None:
    async with open_echo(unread=5) as server, raw_client(server):
        peer = server.peers[0]
        for _ in range(41):
            peer.send_nowait(b"x")

        assert peer.ending == "more than 5 unread messages"
        assert peer.waiting <= 1


async def test_a_block_counts_as_one_message() -> None:
    async with open_echo(unread=5) as server, raw_client(server) as stream:
        peer = server.peers[0]
        peer.send_block_nowait([b"a"] * 100)
        peer.send_block_nowait([])
        peer.check_unread()

        assert peer.waiting == 1
        assert not peer.ending
        got = b""
        while len(got) < 300:
            got += await stream.receive_some()
        assert got == b"\x81\x01a" * 100


async def test_a_reset_is_a_reset() -> None:
    async with open_echo() as server, raw_client(server) as stream:
        server.peers[0].reset()

        assert await read_until_closed(stream) == b"<reset>"
        await server.ended.wait()
        server.peers[0].reset()  # Once more does nothing.


async def test_a_stalled_wire_neither_reads_nor_writes_until_its_time_is_over() -> None:
    async with open_echo() as server, raw_client(server) as stream:
        began = trio.current_time()
        wire = server.peers[0].wire
        assert isinstance(wire, Wire)
        wire.stall(0.3)
        await stream.send_all(masked(1, b"hello?"))

        assert await stream.receive_some() == b"\x81\x06hello?"
        assert trio.current_time() - began >= 0.29


async def test_a_muted_wire_swallows_everything_and_answers_nothing() -> None:
    async with open_echo() as server, raw_client(server) as stream:
        server.peers[0].wire.muted = True
        server.peers[0].send_nowait(b"unheard")
        await stream.send_all(masked(1, b"hello?") + masked(9, b"ping"))
        with trio.move_on_after(0.2) as scope:
            await stream.receive_some()

        assert scope.cancelled_caught
        assert server.peers[0].received == 0
        await stream.aclose()
        await server.ended.wait()


async def test_a_close_that_is_not_answered_ends_with_a_reset() -> None:
    async with open_echo() as server, raw_client(server) as stream:
        server.peers[0].close_nowait(1001, "going away")
        server.peers[0].close_nowait(1001, "once more")

        assert await stream.receive_some() == b"\x88\x0c\x03\xe9going away"
        assert (await read_until_closed(stream)) in {b"", b"<reset>"}
        await server.ended.wait()


async def test_a_server_that_closes_is_answered() -> None:
    async with open_echo() as server:
        # The library leaves the socket open when the server closes.
        stream = await trio.open_tcp_stream("127.0.0.1", server.port)
        async with stream, trio.open_nursery() as nursery:
            websocket = await wrap_client_stream(nursery, stream, "127.0.0.1", "/ws")
            server.peers[0].close_nowait(1001, "going away")
            with pytest.raises(ConnectionClosed) as caught:
                await websocket.get_message()
        await server.ended.wait()

    assert caught.value.reason is not None
    assert (caught.value.reason.code, caught.value.reason.reason) == (1001, "going away")

"""Real sockets on the loopback, on the real clock."""

from __future__ import annotations

import json
import random
import ssl
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import h11
import pytest
import trio
import wsproto
from trio_websocket import ConnectionClosed, WebSocketRequest, serve_websocket

from strategykit.errors import ConfigError, ConnectionLost
from strategykit.net.endpoints import Endpoints, client_tls
from strategykit.net.http import token_fetcher
from strategykit.net.inbox import Inbox, Input, InputKind
from strategykit.net.timing import Timing
from strategykit.net.tokens import Token
from strategykit.net.venue import connect_venue
from strategykit.net.wire import open_wire
from strategykit.venues.dialect import AskInstrument, HttpRequest

if TYPE_CHECKING:
    from tests.net.conftest import Rig

CERTIFICATE = Path(__file__).parent / "tls" / "localhost.pem"
KEY = Path(__file__).parent / "tls" / "localhost.key"
WITHIN = 20


async def _echo(request: WebSocketRequest) -> None:
    ws = await request.accept()
    try:
        while True:
            message = await ws.get_message()
            if isinstance(message, str) and message.startswith('{"login"'):
                message = json.dumps({"reply": json.loads(message)["login"], "code": 200})
            await ws.send_message(message)
            if message == "hang up":
                return
    except ConnectionClosed:
        return


async def _serve_http(stream: trio.SocketStream) -> None:
    """One answer a connection: a token for a POST, the path for a GET."""
    server = h11.Connection(h11.SERVER)
    async with stream:
        while True:
            event = server.next_event()
            if event is h11.NEED_DATA:
                server.receive_data(await stream.receive_some())
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.EndOfMessage):
                break
        body = b"canary-jwt" if request.method == b"POST" else request.target
        for part in (
            h11.Response(status_code=200, headers=[("Content-Length", str(len(body)))]),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            await stream.send_all(server.send(part) or b"")


class WatchedInbox(Inbox):
    """An inbox of which a test can wait for what it needs."""

    def __init__(self) -> None:
        super().__init__(lambda: None)
        self._grown = trio.Event()

    def put_nowait(self, item: Input) -> None:
        super().put_nowait(item)
        self._grown.set()
        self._grown = trio.Event()

    async def wait_kinds(self, *wanted: str) -> None:
        while sorted(item.kind.value for item in self.waiting) != sorted(wanted):
            await self._grown.wait()


async def _websockets(nursery: trio.Nursery, tls: ssl.SSLContext | None = None) -> int:
    server = await nursery.start(serve_websocket, _echo, "127.0.0.1", 0, tls)
    return int(server.port)


async def test_a_venue_is_connected_asked_and_left(rig: Rig) -> None:
    with trio.fail_after(WITHIN):
        async with trio.open_nursery() as nursery:
            port = await _websockets(nursery)
            listeners = await nursery.start(trio.serve_tcp, _serve_http, 0)
            http = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
            inbox = WatchedInbox()
            live = connect_venue(
                rig.dialect,
                Endpoints(http=http, ws=f"ws://127.0.0.1:{port}", oauth=http),
                fetch_token=token_fetcher(
                    http,
                    request=lambda: HttpRequest(method="POST", path="/refresh", body="canary-secret"),
                    parse=lambda body: Token(body.decode(), 0, 10**12),
                ),
                inbox=inbox,
                recorder=rig.memory,
                rng=random.Random(1),
                stamp=time.time_ns,
                timing=Timing(retry_base=0.01),
            )
            await nursery.start(live.run, [("market-0", "market"), ("commands-0", "commands")])
            assert live.send("market-0", 1, lambda token: [f"hello {token}"])
            live.ask(AskInstrument(instrument="SBER"))
            await inbox.wait_kinds("opened", "opened", "frame", "frame", "answer")
            assert live.send("market-0", 1, lambda _: ["hang up"])
            await inbox.wait_kinds("opened", "opened", "frame", "frame", "answer", "frame", "closed", "opened")
            assert live.is_open("market-0")
            nursery.cancel_scope.cancel()
    frames = [
        item.payload for item in inbox.waiting if item.kind is InputKind.FRAME and "login-" not in str(item.payload)
    ]
    answers = [(item.status, item.payload) for item in inbox.waiting if item.kind is InputKind.ANSWER]
    assert frames == ["hello canary-jwt", "hang up"]
    assert answers == [(200, b"/securities/SBER?format=Simple")]
    assert rig.memory.told[0] == ("protect", "canary-jwt")
    kinds = [item.kind for item in inbox.waiting]
    assert kinds.count(InputKind.OPENED) == kinds.count(InputKind.CLOSED) == 3


async def test_a_port_that_nobody_listens_on_is_a_loss() -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    await listeners[0].aclose()
    with trio.fail_after(WITHIN), pytest.raises(ConnectionLost, match="can't be reached"):
        async with open_wire(f"ws://127.0.0.1:{port}", frame_bytes=1000, tls=client_tls()):
            raise AssertionError("it must not open")


async def test_a_port_that_accepts_and_says_nothing_is_freed() -> None:
    closed = trio.Event()

    async def silent(stream: trio.SocketStream) -> None:
        async with stream:
            while await stream.receive_some():
                pass
        closed.set()

    with trio.fail_after(WITHIN):
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(trio.serve_tcp, silent, 0)
            port = listeners[0].socket.getsockname()[1]
            with trio.move_on_after(0.2) as deadline:
                async with open_wire(f"ws://127.0.0.1:{port}", frame_bytes=1000, tls=client_tls()):
                    raise AssertionError("it must not open")
            await closed.wait()
            nursery.cancel_scope.cancel()
    assert deadline.cancelled_caught


def _server_tls() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE, KEY)
    return context


async def test_a_trusted_certificate_opens_an_encrypted_wire() -> None:
    with trio.fail_after(WITHIN):
        async with trio.open_nursery() as nursery:
            port = await _websockets(nursery, _server_tls())
            async with open_wire(f"wss://localhost:{port}/ws", frame_bytes=1000, tls=client_tls(CERTIFICATE)) as wire:
                await wire.send("over TLS")
                assert await wire.receive() == "over TLS"
                await wire.ping()
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("host", "ca_file", "words"),
    [("localhost", None, "self-signed"), ("127.0.0.1", CERTIFICATE, "IP address mismatch")],
)
async def test_a_certificate_that_isnt_right_is_refused_for_good(host: str, ca_file: Path | None, words: str) -> None:
    with trio.fail_after(WITHIN):
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(_take_tls, _server_tls())
            port = listeners[0].transport_listener.socket.getsockname()[1]
            with pytest.raises(ConfigError, match=f"isn't trusted: .*{words}"):
                async with open_wire(f"wss://{host}:{port}", frame_bytes=1000, tls=client_tls(ca_file)):
                    raise AssertionError("it must not open")
            nursery.cancel_scope.cancel()


async def _take_tls(
    tls: ssl.SSLContext, *, task_status: trio.TaskStatus[list[trio.SSLListener[trio.SocketStream]]]
) -> None:
    async def handle(stream: trio.SSLStream[trio.SocketStream]) -> None:
        with pytest.raises(trio.BrokenResourceError):
            await stream.do_handshake()

    await trio.serve_ssl_over_tcp(handle, 0, tls, host="127.0.0.1", task_status=task_status)


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [(b"HTTP/1.1 400 Bad Request\r\n\r\n", ConfigError, "no TLS"), (b"", ConnectionLost, "handshake failed")],
)
async def test_a_port_without_tls_is_refused(answer: bytes, error: type[Exception], words: str) -> None:
    async def handle(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            if answer:
                await stream.send_all(answer)

    with trio.fail_after(WITHIN):
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(trio.serve_tcp, handle, 0)
            port = listeners[0].socket.getsockname()[1]
            with pytest.raises(error, match=words):
                async with open_wire(f"wss://127.0.0.1:{port}", frame_bytes=1000, tls=client_tls()):
                    raise AssertionError("it must not open")
            nursery.cancel_scope.cancel()


async def test_tls_that_verifies_nothing_is_refused() -> None:
    careless = client_tls()
    careless.check_hostname = False
    careless.verify_mode = ssl.CERT_NONE
    with trio.fail_after(WITHIN):
        async with trio.open_nursery() as nursery:
            port = await _websockets(nursery)
            with pytest.raises(ConfigError, match="without verification"):
                async with open_wire(f"wss://127.0.0.1:{port}", frame_bytes=1000, tls=careless):
                    raise AssertionError("it must not open")
            nursery.cancel_scope.cancel()


async def test_what_a_dead_wire_still_holds_is_never_delivered() -> None:
    """A venue that was away reads on: an order of which we were told meanwhile that it doesn't exist mustn't come."""
    reads_on, read_out = trio.Event(), trio.Event()
    ended_by: list[Exception] = []

    async def stall(stream: trio.SocketStream) -> None:
        server = wsproto.WSConnection(wsproto.ConnectionType.SERVER)
        while not isinstance(next(server.events(), None), wsproto.events.Request):
            server.receive_data(await stream.receive_some())
        await stream.send_all(server.send(wsproto.events.AcceptConnection()))
        await reads_on.wait()
        try:
            while await stream.receive_some():
                pass
        except trio.BrokenResourceError as exc:
            ended_by.append(exc)
        read_out.set()

    with trio.fail_after(WITHIN):
        async with trio.open_nursery() as nursery:
            (listener,) = await nursery.start(partial(trio.serve_tcp, stall, 0, host="127.0.0.1"))
            url = f"ws://127.0.0.1:{listener.socket.getsockname()[1]}/"
            with pytest.RaisesGroup(ConnectionLost, flatten_subgroups=True, allow_unwrapped=True):
                async with open_wire(url, frame_bytes=1 << 16, tls=client_tls()) as wire:
                    with trio.move_on_after(0.3):
                        while True:
                            await wire.send("x" * 60_000)
                    raise ConnectionLost("no answer")
            reads_on.set()
            await read_out.wait()
            nursery.cancel_scope.cancel()

    assert ended_by

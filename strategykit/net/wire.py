"""One WebSocket as the rest of `net` sees it, made of trio-websocket with its traps closed.

What trio-websocket 0.12 does by itself, and what is done about it here:

* While its queue of messages is full it reads nothing, so it answers no pings: `Wire.receive` must be called all the
  time, by a task that does nothing else. `net.connection` has that task.
* A ping that is processed while we close crashes its reader with wsproto's `LocalProtocolError`, and its own context
  manager then lets a bare `trio.Cancelled` out. Here the reader runs where its end and its crash are seen.
* Its connect timeout doesn't fire while a venue that accepted TCP stays silent, and a venue that hangs up before it
  answered the upgrade is waited for for ever. Here the reader's end ends the opening, and the caller's deadline can.
* It waits 60 s for an answer to our close. Here it is `close_within`.
* It keeps the body of a refused upgrade, however long. Here the opening has `MAX_OPENING` bytes.
* It closes a dead wire as if it were alive. Here a wire that is left for an error keeps nothing back to deliver later.
* It takes some 20 µs a message. Here plain ones don't pass through it: see `net.tap`.

permessage-deflate is never offered: wsproto inflates without a limit.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Final, Protocol, cast

import h11
import trio
import trio.abc
import trio_websocket
from wsproto.utilities import ProtocolError

from strategykit.errors import ConfigError, ConnectionLost, LoginRefused, StrategykitError
from strategykit.net.endpoints import Target, split_url
from strategykit.net.network import SOCKETS, Network
from strategykit.net.tap import MAX_OPENING, Tap
from strategykit.net.timing import TryLater, read_retry_after

__all__ = ["MAX_OPENING", "Dial", "Wire", "open_wire", "wrap_wire"]

_FORGET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER on, 0 seconds: closing throws away what hasn't been delivered, and tells the other end by RST."""

_READ: Final = 64 * 1024
"""Bytes a read. trio-websocket's own 4 KiB cost 2 to 8 times as much."""

_GOODBYE: Final = 0.1
"""Seconds for a close frame to leave when its answer can't be waited for."""

_CRASHES: Final = (
    ProtocolError,
    h11.ProtocolError,
    trio_websocket.HandshakeError,
    ConnectionLost,
    ValueError,
)
"""What the library's reader can fail with, found by feeding it noise. ConnectionLost is ours, from `Tap`."""

_SHOWN: Final = 200
"""Characters of a venue's words in a message."""

_OLD_TLS: Final = frozenset({"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "WRONG_VERSION_NUMBER"})
"""OpenSSL's reasons that mean that the other end has no TLS, or none that is new enough: waiting won't help."""


class Wire(Protocol):
    """One open WebSocket. Every method raises `ConnectionLost` once it isn't open any more."""

    @property
    def close_reason(self) -> str:
        """Why it ended, in words; empty while it is open."""
        ...

    async def receive(self) -> str | bytes:
        """Give the next message. One task does this, always: nothing is read while nobody waits here.

        While several messages are at hand this isn't a checkpoint: whoever takes many of them yields now and then.
        """
        ...

    async def send(self, frame: str | bytes) -> None:
        """Hand one message to the transport. Several tasks may; messages leave in the order of the calls.

        If cancelled, part of it may have left, and the wire can't be used any more.
        """
        ...

    async def ping(self) -> None:
        """Send a ping and wait for its pong, for ever if need be."""
        ...


Dial = Callable[[str, Mapping[str, str]], AbstractAsyncContextManager[Wire]]
"""Opens a wire to an address, with HTTP headers. Tests pass one that leads to a fake venue."""


class _Reader:
    """Where trio-websocket's reader task runs: it stands in for the nursery that the library asks for.

    A nursery would pass the reader's crashes on to its owner, and a reader that just ends would be noticed by nobody.
    """

    def __init__(self, nursery: trio.Nursery, tap: Tap) -> None:
        self._nursery = nursery
        self._tap = tap
        self.opening = trio.CancelScope()
        self.crash: Exception | None = None
        self._closing = trio.CancelScope(shield=True)
        self._over = False

    def start_soon(self, task: Callable[[], Awaitable[None]]) -> None:
        self._nursery.start_soon(self._run, task)

    async def _run(self, task: Callable[[], Awaitable[None]]) -> None:
        try:
            await task()
        except _CRASHES as exc:
            self.crash = exc
        finally:
            self._over = True
            self._tap.end()
            self._closing.deadline = min(self._closing.deadline, trio.current_time() + _GOODBYE)
        # Reached unless cancelled: nobody will see an answer to the upgrade or to our close any more.
        self.opening.cancel()
        self._closing.cancel()

    async def close(self, ws: trio_websocket.WebSocketConnection, within: float) -> None:
        """Do the closing handshake, as long as there is a reader to see its answer."""
        self._tap.discard()
        # Cancelled with us, the reader is gone before the answer can come: then say goodbye and don't wait.
        self._closing.deadline = trio.current_time() + (min(within, _GOODBYE) if self._over else within)
        with self._closing:
            await ws.aclose()


class _WebSocketWire:
    """`Wire` over trio-websocket."""

    def __init__(self, ws: trio_websocket.WebSocketConnection, reader: _Reader, tap: Tap) -> None:
        self._ws = ws
        self._reader = reader
        self._tap = tap

    @property
    def close_reason(self) -> str:
        if self._reader.crash is not None:
            return f"broke the rules of WebSocket: {_shown(str(self._reader.crash))}"
        closed = self._ws.closed
        if closed is None:
            return ""
        words = f": {_shown(closed.reason)}" if closed.reason else ""
        return f"closed with code {closed.code} ({closed.name.lower()}){words}"

    def _lost(self) -> ConnectionLost:
        return ConnectionLost(self.close_reason or "ended")

    async def receive(self) -> str | bytes:
        message = await self._tap.next()
        if message is not None:
            return message
        try:
            return await self._ws.get_message()
        except trio_websocket.ConnectionClosed as exc:
            raise self._lost() from exc

    async def send(self, frame: str | bytes) -> None:
        try:
            await self._ws.send_message(frame)
        except (trio_websocket.ConnectionClosed, ProtocolError) as exc:
            raise self._lost() from exc

    async def ping(self) -> None:
        try:
            await self._ws.ping()
        except (trio_websocket.ConnectionClosed, ProtocolError) as exc:
            raise self._lost() from exc


def _shown(words: str) -> str:
    """Make a venue's words fit for one line of a log."""
    return repr(words if len(words) <= _SHOWN else f"{words[:_SHOWN]}…")


def _header(rejected: trio_websocket.ConnectionRejected, name: bytes) -> str | None:
    for key, value in rejected.headers:
        if key.lower() == name:
            return value.decode("latin-1")
    return None


def _why_not_open(crash: Exception | None) -> StrategykitError:
    """Say what an upgrade that didn't happen means: stop, wait as long as the venue says, or try again."""
    if crash is None:
        return ConnectionLost("hung up before it answered the upgrade")
    if isinstance(crash, ConnectionLost):
        return crash
    if not isinstance(crash, trio_websocket.ConnectionRejected):
        return ConnectionLost(f"broke the rules of the upgrade: {_shown(str(crash))}")
    status = crash.status_code
    if status in (401, 403):
        return LoginRefused(f"the upgrade was refused with HTTP {status}: the credentials aren't accepted", code=status)
    if status == 406:
        return ConfigError("the upgrade was refused with HTTP 406: this venue wants wss://, not ws://")
    if 300 <= status < 400:
        where = _shown(_header(crash, b"location") or "nowhere")
        return ConfigError(
            f"the venue redirects (HTTP {status}) to {where}: redirects aren't followed, give that address"
        )
    if status in (408, 425, 429) or not 400 <= status < 500:
        delay = read_retry_after(_header(crash, b"retry-after"), _header(crash, b"date"))
        return TryLater(f"the upgrade was refused with HTTP {status}", delay=delay)
    return ConfigError(f"the upgrade was refused with HTTP {status}: the address is wrong, or isn't a WebSocket's")


@asynccontextmanager
async def wrap_wire(
    stream: trio.abc.Stream,
    target: Target,
    *,
    frame_bytes: int,
    close_within: float = 2.0,
    headers: Mapping[str, str] | None = None,
) -> AsyncGenerator[Wire]:
    """Make a WebSocket of an open stream, and yield it. Checkpoints on entry and exit; errors come in a group.

    The caller closes the stream, and limits the entry: nothing here gives up on a venue that says nothing.

    Args:
        stream: Connected, encrypted if need be.
        target: Whose path and host the upgrade asks for.
        frame_bytes: The largest message accepted, in bytes of its text; a larger one closes the wire.
        close_within: Seconds for the closing handshake, where no error ends the wire.
        headers: Of the upgrade, besides those that every one has.

    Raises:
        ConnectionLost: The upgrade failed in a way that may pass; as a `TryLater` if the venue said when.
        LoginRefused: It was answered with 401 or 403.
        ConfigError: It was answered with another status that will not change, or with a redirect.
    """
    tap = Tap(stream, frame_bytes)
    async with trio.open_nursery() as nursery:
        reader = _Reader(nursery, tap)
        with reader.opening:
            ws = await trio_websocket.wrap_client_stream(
                cast("trio.Nursery", reader),
                cast("trio.SocketStream", tap),  # Any stream will do; the library's annotation is narrower.
                target.host_header,
                target.path,
                max_message_size=frame_bytes,
                receive_buffer_size=_READ,
                extra_headers=[(name.encode(), value.encode()) for name, value in (headers or {}).items()],
            )
        if reader.opening.cancelled_caught:
            raise _why_not_open(reader.crash)
        tap.opened()
        goodbye = close_within
        try:
            yield _WebSocketWire(ws, reader, tap)
        except Exception:
            # A wire that is left for a reason is dead, or taken for dead: its answer would keep the next one waiting.
            goodbye = _GOODBYE
            raise
        finally:
            await reader.close(ws, goodbye)
        nursery.cancel_scope.cancel()


async def _connect(target: Target, network: Network) -> trio.SocketStream:
    try:
        return await network.connect(target.host, target.port)
    except OSError as exc:
        raise ConnectionLost(f"{target.host}:{target.port} can't be reached: {exc}") from exc


async def _secure(tcp: trio.SocketStream, target: Target, tls: ssl.SSLContext) -> trio.abc.Stream:
    if tls.verify_mode is not ssl.CERT_REQUIRED or not tls.check_hostname:
        raise ConfigError("TLS without verification isn't supported; trust a certificate by its CA file instead")
    stream = trio.SSLStream(tcp, tls, server_hostname=target.host, https_compatible=True)
    try:
        await stream.do_handshake()
    except trio.BrokenResourceError as exc:
        cause = exc.__cause__
        where = f"{target.host}:{target.port}"
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise ConfigError(f"{where}: its certificate isn't trusted: {cause.verify_message}") from exc
        if isinstance(cause, ssl.SSLError) and cause.reason in _OLD_TLS:
            raise ConfigError(f"{where}: has no TLS of version 1.2 or newer") from exc
        raise ConnectionLost(f"{where}: the TLS handshake failed: {cause or 'hung up'}") from exc
    return stream


@asynccontextmanager
async def open_wire(
    url: str,
    *,
    frame_bytes: int,
    tls: ssl.SSLContext,
    close_within: float = 2.0,
    headers: Mapping[str, str] | None = None,
    network: Network = SOCKETS,
) -> AsyncGenerator[Wire]:
    """Connect a WebSocket and yield it. Checkpoints on entry and exit; errors come in a group.

    The entry has no deadline of its own: put ``trio.fail_after`` around it all, or use `open_connection`.

    Args:
        url: ``wss://…``, or ``ws://…`` on the loopback.
        frame_bytes: The largest message accepted.
        tls: As `client_tls` makes it.
        close_within: Seconds for the closing handshake.
        headers: Of the upgrade, besides those that every one has.
        network: What opens the stream under it.

    Raises:
        ConnectionLost: The venue can't be reached, or the upgrade failed in a way that may pass.
        LoginRefused: The upgrade was answered with 401 or 403.
        ConfigError: The address, the certificate or the answer can't be right whatever is waited for.
    """
    target = split_url(url)
    async with await _connect(target, network) as tcp:
        stream = await _secure(tcp, target, tls) if target.secure else tcp
        async with wrap_wire(
            stream, target, frame_bytes=frame_bytes, close_within=close_within, headers=headers
        ) as wire:
            try:
                yield wire
            except Exception:
                # Closed as usual, the kernel would go on trying for minutes to deliver what it still has: an order
                # that we had long been told doesn't exist.
                with suppress(OSError, trio.ClosedResourceError):
                    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _FORGET)
                raise

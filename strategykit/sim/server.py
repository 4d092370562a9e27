"""The simulated ALOR venue on one loopback port: token service, HTTP, /ws and /cws, with faults on command."""

from __future__ import annotations

import base64
import binascii
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import attrs
import trio
from wsproto.utilities import generate_accept_token

from strategykit.errors import ConfigError, RemoteProtocolError
from strategykit.sim.alor_config import AlorVenueConfig
from strategykit.sim.alor_market import VenueMarket
from strategykit.sim.alor_session import Session
from strategykit.sim.alor_venue import AlorVenue, LogEntry
from strategykit.sim.faults import AnswerPlan, FaultCommand, decode_fault
from strategykit.sim.http_calls import HttpAnswer, HttpCall, json_answer
from strategykit.sim.server_faults import Faults
from strategykit.sim.server_http import Upgrade, carry_http
from strategykit.sim.server_websocket import WebSocketPeer
from strategykit.sim.server_wire import Wire

__all__ = ["SimulatedAlor", "open_simulated_alor"]

_PATHS: Final = frozenset({"/ws", "/cws"})

_ANSWER_FIRST: Final = 0.05
"""Seconds between a restart being asked for over HTTP and the restart, so that the answer gets out."""


class SimulatedAlor:
    """A running venue.

    Attributes:
        faults: What it can be made to do wrong.
        peers: Open WebSocket connections; those left half open aren't among them.
    """

    def __init__(self, config: AlorVenueConfig, *, host: str, listeners: list[trio.SocketListener]) -> None:
        self.config = config
        self.host = host
        self.port = int(listeners[0].socket.getsockname()[1])
        self.faults = Faults(self)
        self.peers: dict[Session, WebSocketPeer] = {}
        self._listeners = listeners
        self._listening = trio.CancelScope()
        self._down_for = 0.0
        self._wires: set[Wire] = set()
        self._clock = config.clock or _steady_clock()
        self._latest = 0
        self._refused = 0
        self._accepted = 0
        self._slowest = 0.0
        self._forgotten = (0, 0)
        self._venue = AlorVenue(config, now=self.now())

    @property
    def url(self) -> str:
        """Base of HTTP, such as ``"http://127.0.0.1:8900"``."""
        return f"http://{self.host}:{self.port}"

    @property
    def exchange(self) -> VenueMarket:
        """What it serves: a `SimulatedExchange`, or a recording."""
        return self._venue.market

    @property
    def log(self) -> list[LogEntry]:
        """What the venue did to orders, oldest first: the truth that clients' books are checked against."""
        return list(self._venue.log)

    @property
    def statistics(self) -> dict[str, Any]:
        """Counts so far, and one row a connection."""
        rows = [
            {
                "path": session.path,
                "lane": session.lane,
                "subscriptions": len(session.subscriptions),
                "sent": peer.sent,
                "received": peer.received,
                "waiting": peer.waiting,
            }
            for session, peer in self.peers.items()
        ]
        sent, received = self._forgotten
        return {
            "connections": rows,
            "accepted": self._accepted,
            "refused": self._refused,
            "sent": sent + sum(peer.sent for peer in self.peers.values()),
            "received": received + sum(peer.received for peer in self.peers.values()),
            "slowest_advance": self._slowest,
            **self._venue.statistics,
        }

    @property
    def time(self) -> float:
        """On Trio's clock."""
        return trio.current_time()

    @property
    def acknowledgements(self) -> AnswerPlan:
        return self._venue.acknowledgements

    @property
    def replies(self) -> AnswerPlan:
        return self._venue.replies

    def now(self) -> int:
        """Give the venue's time, nanoseconds UTC. It never goes back, whatever the machine's clock does."""
        self._latest = max(self._latest, self._clock())
        return self._latest

    def duplicate_fills(self, count: int) -> None:
        self._venue.publisher.duplicate_fills += count

    def revoke_tokens(self) -> None:
        self._venue.access.revoke()

    def set_trading(self, instrument: str, *, trading: bool) -> None:
        """Halt or resume an instrument.

        Raises:
            ConfigError: There's no such instrument.
        """
        self._venue.set_trading(instrument, self.now(), trading=trading)

    def forget(self, peer: WebSocketPeer) -> None:
        """Leave a connection half open: for the venue it is gone, and its client isn't told."""
        peer.wire.muted = True
        for session, known in list(self.peers.items()):
            if known is peer:
                self._leave(session)

    def restart(self, seconds: float, *, forget_orders: bool) -> None:
        """Reset all connections and stop listening for a while."""
        for wire in self._wires:
            wire.reset()
        if forget_orders:
            self._venue.forget_orders(self.now())
        self._down_for = seconds
        self._listening.cancel()

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen, go down when told to, come back on the same port. Ends by cancellation."""
        task_status.started()
        while True:
            with self._listening:
                await trio.serve_listeners(self._carry, self._listeners)
            await trio.sleep(self._down_for)
            self._listening = trio.CancelScope()
            self._listeners = await trio.open_tcp_listeners(self.port, host=self.host)

    async def advance(self) -> None:
        """Let the market go on, and tell the streams. Ends by cancellation."""
        period = 1 / self.config.advances_per_second
        due = trio.current_time()
        while True:
            # The writers have had their turn since the last burst: what waits now is the clients' doing.
            for peer in list(self.peers.values()):
                peer.check_unread()
            began = trio.current_time()
            self._venue.advance(self.now())
            self._slowest = max(self._slowest, trio.current_time() - began)
            due = max(due + period, began)
            await trio.sleep_until(due)

    async def play(self) -> None:
        """Feed the recording in, at its own pace, from now on; ends with it."""
        source = self.config.source
        if source is None:
            return
        start, now = trio.current_time(), self.now()
        pace = _Pace(start, now, self.config.source_speed)
        if isinstance(source, AsyncIterable):
            async for when, event in source:
                await trio.sleep_until(pace.due(when))
                self._venue.feed(event, self.now(), shift=pace.shift(when))
        else:
            for when, event in source:
                await trio.sleep_until(pace.due(when))
                self._venue.feed(event, self.now(), shift=pace.shift(when))

    async def _carry(self, stream: trio.SocketStream) -> None:
        wire = Wire(stream)
        self._wires.add(wire)
        try:
            async with trio.open_nursery() as nursery:
                answer = partial(self._answer, nursery)
                upgrade = await carry_http(wire, answer, self._refuse_upgrade, limits=self.config.http)
                if upgrade is not None:
                    await self._carry_websocket(wire, upgrade)
        finally:
            self._wires.discard(wire)
            await wire.aclose()

    def _answer(self, nursery: trio.Nursery, call: HttpCall) -> HttpAnswer:
        path = call.path
        if path == "/sim/faults" and call.method == "POST":
            try:
                command = decode_fault(call.body)
                if command.fault == "restart":
                    nursery.start_soon(self._restart_soon, command)
                    return json_answer(200, {"hit": len(self.peers)})
                return json_answer(200, {"hit": self.faults.carry_out(command)})
            except (RemoteProtocolError, ConfigError) as exc:
                return json_answer(400, {"message": str(exc)})
        if path == "/sim/statistics" and call.method == "GET":
            return json_answer(200, self.statistics)
        return self._venue.answer(call, self.now())

    async def _restart_soon(self, command: FaultCommand) -> None:
        await trio.sleep(_ANSWER_FIRST)
        self.faults.carry_out(command)

    def _refuse_upgrade(self, upgrade: Upgrade) -> HttpAnswer | None:
        refusal = self._find_upgrade_fault(upgrade.call)
        self._refused += refusal is not None
        return refusal

    def _find_upgrade_fault(self, call: HttpCall) -> HttpAnswer | None:
        if call.path.lower() not in _PATHS:
            return json_answer(404, {"message": "WebSockets are at /ws and /cws"})
        if trio.current_time() < self.faults.refuse_until:
            status = self.faults.refuse_status
            return json_answer(status, {"message": "refused on command"}) if status else None
        if call.headers.get("sec-websocket-version") != "13":
            return HttpAnswer(status=426, body=b"", headers={"sec-websocket-version": "13"})
        tokens = call.headers.get("connection", "").lower().replace(",", " ").split()
        if call.method != "GET" or "upgrade" not in tokens or not _is_key(call.headers.get("sec-websocket-key", "")):
            return json_answer(400, {"message": "not a WebSocket handshake"})
        if len(self.peers) >= self.config.max_connections:
            return json_answer(429, {"message": f"{self.config.max_connections} connections are open already"})
        return None

    async def _carry_websocket(self, wire: Wire, upgrade: Upgrade) -> None:
        if trio.current_time() < self.faults.refuse_until:
            while await wire.receive_some():
                pass  # Asked to keep silent: the client finds out by its own deadline.
            return
        peer = WebSocketPeer(wire, unread=self.config.max_unread, max_message=self.config.max_message)
        path = upgrade.call.path.lower()
        session = self._venue.open_session(path, peer.send_nowait, peer.send_block_nowait)
        self.peers[session] = peer
        self._accepted += 1
        key = upgrade.call.headers["sec-websocket-key"].strip().encode("ascii")
        headers = [
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", generate_accept_token(key).decode("ascii")),
        ]
        try:
            with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await wire.send_all(upgrade.accept(headers))
                await peer.run(partial(self._receive, session), first=upgrade.first)
        finally:
            self._leave(session)

    def _receive(self, session: Session, message: str | bytes) -> None:
        self._venue.receive(session, message, self.now())

    def _leave(self, session: Session) -> None:
        peer = self.peers.pop(session, None)
        if peer is not None:
            self._venue.close_session(session)
            sent, received = self._forgotten
            self._forgotten = sent + peer.sent, received + peer.received


@asynccontextmanager
async def open_simulated_alor(
    config: AlorVenueConfig | None = None, *, port: int = 0, host: str = "127.0.0.1"
) -> AsyncGenerator[SimulatedAlor]:
    """Start the venue and yield its handle; leaving stops it. Checkpoints on entry and exit.

    Args:
        config: Default: a generated market of four instruments under the real venue's limits.
        port: 0: any free one.
        host: To listen on. The venue asks nobody who may break it, so keep to loopback.
    """
    listeners = await trio.open_tcp_listeners(port, host=host)
    async with trio.open_nursery() as nursery:
        venue = SimulatedAlor(config or AlorVenueConfig(), host=host, listeners=listeners)
        await nursery.start(venue.serve)
        nursery.start_soon(venue.advance)
        nursery.start_soon(venue.play)
        yield venue
        nursery.cancel_scope.cancel()


def _steady_clock() -> Callable[[], int]:
    """Give the wall clock as it is now, going on by Trio's."""
    offset = time.time_ns() - int(trio.current_time() * 1e9)
    return lambda: offset + int(trio.current_time() * 1e9)


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text.strip(), validate=True)) == 16
    except (binascii.Error, ValueError):
        return False


@attrs.define
class _Pace:
    """When a recording's events are due."""

    start: float
    """On Trio's clock."""
    now: int
    """The venue's time then, nanoseconds UTC."""
    speed: float
    first: int | None = None
    """Time of the first event."""

    def due(self, when: int) -> float:
        """Give the moment on Trio's clock."""
        self.first = when if self.first is None else self.first
        return self.start + (when - self.first) / 1e9 / self.speed

    def shift(self, when: int) -> int:
        """Give what is added to the times of an event that was recorded at `when` to make them the venue's."""
        return self.now + int((when - (self.first or 0)) / self.speed) - when

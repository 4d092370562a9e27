"""Any simulated venue on one loopback port: HTTP and WebSockets, with faults on command under ``/sim``."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, Generic, TypeVar

import trio

from strategykit.errors import ConfigError, RemoteProtocolError
from strategykit.model.events import Event
from strategykit.sim.faults import FaultCommand, decode_fault
from strategykit.sim.http_calls import HttpAnswer, HttpCall, json_answer
from strategykit.sim.served import ServedVenue, ServerLimits
from strategykit.sim.server_faults import Faults
from strategykit.sim.server_http import Upgrade, carry_http
from strategykit.sim.server_outlet import PeerOutlet
from strategykit.sim.server_recording import Recording, play
from strategykit.sim.server_upgrade import accept_upgrade, find_handshake_fault
from strategykit.sim.server_websocket import WebSocketPeer
from strategykit.sim.server_wire import Wire

__all__ = ["Listen", "SimulatedServer", "listen_tcp", "open_simulated", "serve_venue", "steady_clock"]

S = TypeVar("S")

Listen = Callable[[int, str], Awaitable[list[trio.SocketListener]]]
"""Opens listeners on a port, 0 for any free one, of a host."""

_ANSWER_FIRST: Final = 0.05
"""Seconds between a restart being asked for over HTTP and the restart, so that the answer gets out."""


class SimulatedServer(Generic[S]):
    """A running venue.

    Attributes:
        venue: What is served.
        faults: What it can be made to do wrong.
        peers: Open WebSocket connections; those left half open aren't among them.
    """

    faults: Faults

    def __init__(
        self,
        venue: ServedVenue[S],
        *,
        host: str,
        listeners: list[trio.SocketListener],
        limits: ServerLimits,
        clock: Callable[[], int],
        listen: Listen,
    ) -> None:
        self.venue = venue
        self.host = host
        self.port = int(listeners[0].socket.getsockname()[1])
        self.faults = Faults(self)
        self.peers: dict[S, WebSocketPeer] = {}
        self._joined = trio.Event()
        """Set by the first WebSocket client."""
        self._paths: dict[S, str] = {}
        self._limits = limits
        self._listeners = listeners
        self._listen = listen
        self._listening = trio.CancelScope()
        self._down_for = 0.0
        self._wires: dict[Wire, None] = {}
        self._clock = clock
        self._latest = 0
        self._refused = 0
        self._accepted = 0
        self._slowest = 0.0
        self._forgotten = (0, 0)

    @property
    def url(self) -> str:
        """Base of HTTP, such as ``"http://127.0.0.1:8900"``."""
        return f"http://{self.host}:{self.port}"

    @property
    def statistics(self) -> dict[str, Any]:
        """Counts so far, and one row a connection."""
        rows = [
            {
                "path": self._paths[session],
                "lane": self.venue.lane(session),
                "subscriptions": len(self.venue.subscriptions(session)),
                "sent": peer.sent,
                "received": peer.received,
                "waiting": peer.waiting,
            }
            for session, peer in self.peers.items()
        ]
        sent, received = self._forgotten
        return {
            "venue": self.venue.name,
            "connections": rows,
            "accepted": self._accepted,
            "refused": self._refused,
            "sent": sent + sum(peer.sent for peer in self.peers.values()),
            "received": received + sum(peer.received for peer in self.peers.values()),
            "slowest_advance": self._slowest,
            **self.venue.statistics,
        }

    @property
    def time(self) -> float:
        """On Trio's clock."""
        return trio.current_time()

    def now(self) -> int:
        """Give the venue's time, nanoseconds UTC. It never goes back, whatever the machine's clock does."""
        self._latest = max(self._latest, self._clock())
        return self._latest

    def forget(self, peer: WebSocketPeer) -> None:
        """Leave a connection half open: for the venue it is gone, and its client isn't told."""
        peer.wire.muted = True
        for session, known in list(self.peers.items()):
            if known is peer:
                self._leave(session)

    def restart(self, seconds: float, *, forget_orders: bool) -> None:
        """Reset all connections and stop listening for a while."""
        for wire in list(self._wires):
            wire.reset()
        if forget_orders:
            self.venue.forget_orders(self.now())
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
            self._listeners = await self._listen(self.port, self.host)

    async def advance(self, times_a_second: float) -> None:
        """Let the market go on, and tell the streams. Ends by cancellation."""
        period = 1 / times_a_second
        due = trio.current_time()
        while True:
            # The writers have had their turn since the last burst: what waits now is the clients' doing.
            for peer in list(self.peers.values()):
                peer.check_unread()
            began = trio.current_time()
            self.venue.advance(self.now())
            self._slowest = max(self._slowest, trio.current_time() - began)
            due = max(due + period, began)
            await trio.sleep_until(due)

    async def play(
        self, source: Recording | None, feed: Callable[[Event, int, int], None], *, speed: float = 1.0
    ) -> None:
        """Feed a recording in, at its own pace times `speed`; ends with it, at once if there is none.

        It begins with the first WebSocket client: a recording has an end, and nobody else sees what it begins with.
        """
        await trio.lowlevel.checkpoint()
        if source is not None:
            await self._joined.wait()
            await play(source, feed, now=self.now, speed=speed)

    async def _carry(self, stream: trio.SocketStream) -> None:
        wire = Wire(stream)
        self._wires[wire] = None
        try:
            async with trio.open_nursery() as nursery:
                answer = partial(self._answer, nursery)
                upgrade = await carry_http(wire, answer, self._refuse_upgrade, limits=self._limits.http)
                if upgrade is not None:
                    await self._carry_websocket(wire, upgrade)
        finally:
            del self._wires[wire]
            await wire.aclose()

    def _answer(self, nursery: trio.Nursery, call: HttpCall) -> HttpAnswer:
        match call.method, call.path:
            case "POST", "/sim/faults":
                return self._answer_fault(nursery, call)
            case "GET", "/sim/statistics":
                return json_answer(200, self.statistics)
            case "GET", "/sim/orders":
                return json_answer(200, self.venue.orders)
            case _ if self.faults.failing_calls:
                self.faults.failing_calls -= 1
                return json_answer(self.faults.call_status, {"message": "failed on command"})
            case _:
                return self.venue.answer(call, self.now())

    def _answer_fault(self, nursery: trio.Nursery, call: HttpCall) -> HttpAnswer:
        try:
            command = decode_fault(call.body)
            if command.fault == "restart":
                nursery.start_soon(self._restart_soon, command)
                return json_answer(200, {"hit": len(self.peers)})
            return json_answer(200, {"hit": self.faults.carry_out(command)})
        except (RemoteProtocolError, ConfigError) as exc:
            return json_answer(400, {"message": str(exc)})

    async def _restart_soon(self, command: FaultCommand) -> None:
        await trio.sleep(_ANSWER_FIRST)
        self.faults.carry_out(command)

    def _refuse_upgrade(self, upgrade: Upgrade) -> HttpAnswer | None:
        refusal = self._find_upgrade_fault(upgrade.call)
        self._refused += refusal is not None
        return refusal

    def _find_upgrade_fault(self, call: HttpCall) -> HttpAnswer | None:
        refusal = self.venue.admit(call, self.now())
        if refusal is not None:
            return refusal
        if trio.current_time() < self.faults.refuse_until:
            status = self.faults.refuse_status
            return json_answer(status, {"message": "refused on command"}) if status else None
        fault = find_handshake_fault(call)
        if fault is None and len(self.peers) >= self._limits.max_connections:
            return json_answer(429, {"message": f"{self._limits.max_connections} connections are open already"})
        return fault

    async def _carry_websocket(self, wire: Wire, upgrade: Upgrade) -> None:
        if trio.current_time() < self.faults.refuse_until:
            while await wire.receive_some():
                pass  # Asked to keep silent: the client finds out by its own deadline.
            return
        peer = WebSocketPeer(wire, unread=self._limits.max_unread, max_message=self._limits.max_message)
        session = self.venue.open_session(upgrade.call, PeerOutlet(peer), self.now())
        self.peers[session] = peer
        self._paths[session] = upgrade.call.path
        self._accepted += 1
        self._joined.set()
        try:
            with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await wire.send_all(accept_upgrade(upgrade))
                await peer.run(partial(self._receive, session), first=upgrade.first)
        finally:
            self._leave(session)

    def _receive(self, session: S, message: str | bytes) -> None:
        if session in self.peers:  # Else it was forgotten in the middle of what it had sent.
            self.venue.receive(session, message, self.now())

    def _leave(self, session: S) -> None:
        peer = self.peers.pop(session, None)
        if peer is not None:
            del self._paths[session]
            self.venue.close_session(session, self.now())
            sent, received = self._forgotten
            self._forgotten = sent + peer.sent, received + peer.received


async def listen_tcp(port: int, host: str) -> list[trio.SocketListener]:
    """Open sockets that listen."""
    return await trio.open_tcp_listeners(port, host=host)


@asynccontextmanager
async def open_simulated(
    venue: ServedVenue[S],
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    advances_per_second: float = 100.0,
    limits: ServerLimits | None = None,
    clock: Callable[[], int] | None = None,
    listen: Listen = listen_tcp,
) -> AsyncGenerator[SimulatedServer[S]]:
    """Put a venue on a port and yield its handle; leaving stops it. Checkpoints on entry and exit.

    Args:
        venue: Its market stands at a time that lies not after the clock's.
        port: 0: any free one.
        host: To listen on. Nobody is asked who may break the venue, so keep to loopback.
        advances_per_second: How often the market goes on and the streams are told.
        limits: What clients may use up.
        clock: Gives nanoseconds UTC. Default: the machine's.
        listen: Opens what it listens on, again after each restart.
    """
    server = SimulatedServer(
        venue,
        host=host,
        listeners=await listen(port, host),
        limits=limits or ServerLimits(),
        clock=clock or steady_clock(),
        listen=listen,
    )
    async with serve_venue(server, advances_per_second=advances_per_second):
        yield server


@asynccontextmanager
async def serve_venue(server: SimulatedServer[S], *, advances_per_second: float) -> AsyncGenerator[trio.Nursery]:
    """Run a server that has been made; yield the nursery for what runs beside it. Checkpoints on entry and exit."""
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve)
        nursery.start_soon(server.advance, advances_per_second)
        yield nursery
        nursery.cancel_scope.cancel()


def steady_clock() -> Callable[[], int]:
    """Give the wall clock as it is now, going on by Trio's."""
    offset = time.time_ns() - int(trio.current_time() * 1e9)
    return lambda: offset + int(trio.current_time() * 1e9)

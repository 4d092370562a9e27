"""A relay on a port: HTTP and WebSockets, TLS and an access token by choice, limits for everybody."""

from __future__ import annotations

import contextlib
import hmac
import math
import ssl
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import trio

from strategykit.errors import ConfigError
from strategykit.net.endpoints import is_loopback_host
from strategykit.relay.bus import Bus
from strategykit.relay.client import Client
from strategykit.relay.hub import Hub
from strategykit.relay.limits import RelayLimits
from strategykit.relay.metrics import metrics_text
from strategykit.relay.wire import ClientWire
from strategykit.secret import Secret
from strategykit.sim.http_calls import HttpAnswer, HttpCall, json_answer
from strategykit.sim.server_http import Upgrade, carry_http
from strategykit.sim.server_upgrade import accept_upgrade, find_handshake_fault
from strategykit.venues.stream.server_variants import find_server_variant

__all__ = ["RelayPlan", "RelayServer", "open_relay"]

_HANDSHAKE_WITHIN: Final = 10.0
"""Seconds for TLS."""

_LEAVE_WITHIN: Final = 2.0
"""Seconds for clients to answer our closing."""


@attrs.frozen(kw_only=True)
class RelayPlan:
    """How clients are served."""

    host: str = "127.0.0.1"
    port: int = 0
    """0: any free one."""
    variant: str = "seed"
    """Whose strictness: ``"seed"`` or ``"backpack"``."""
    token: Secret | None = None
    """What clients have to show; None: nothing."""
    certificate: Path | None = None
    """TLS certificate chain, in PEM."""
    key: Path | None = None
    """Its private key."""
    limits: RelayLimits = attrs.field(factory=RelayLimits)

    def check(self) -> None:
        """Make sure that nobody listens in.

        Raises:
            ConfigError: It would be served beyond this machine without TLS or a token, or something can't be.
        """
        if not 0 <= self.port <= 65_535:
            raise ConfigError(f"--port {self.port}: a port is 0 to 65535")
        if self.variant not in ("seed", "backpack"):
            raise ConfigError(f"--variant {self.variant!r} should be seed or backpack")
        if (self.certificate is None) != (self.key is None):
            raise ConfigError("--tls-cert and --tls-key belong together; one of them is missing")
        missing = [] if self.certificate is not None else ["TLS (--tls-cert and --tls-key)"]
        missing += [] if self.token is not None else ["an access token (--token env:NAME)"]
        if missing and not is_loopback_host(self.host):
            raise ConfigError(
                f"--host {self.host} would serve everybody who can reach this machine; beyond the loopback a relay "
                f"needs {' and '.join(missing)}"
            )

    def tls(self) -> ssl.SSLContext | None:
        """Make the settings of TLS.

        Raises:
            ConfigError: A file can't be used.
        """
        if self.certificate is None or self.key is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.certificate, self.key)
        except OSError as exc:  # An SSLError is one, too.
            raise ConfigError(f"{self.certificate} and {self.key} can't be used for TLS: {exc}") from exc
        return context


class RelayServer:
    """A relay without its port.

    Args:
        bus: What has the venue's data.
        plan: How it is served.
    """

    def __init__(self, bus: Bus, plan: RelayPlan) -> None:
        plan.check()
        self.hub = Hub(bus, find_server_variant(plan.variant), plan.limits)
        self.url = ""
        """Base of HTTP, once it listens."""
        self._plan = plan
        self._tls = plan.tls()
        self._token = None if plan.token is None else f"Bearer {plan.token.reveal()}".encode()
        self._open = 0

    async def carry_socket(self, stream: trio.SocketStream) -> None:
        """Serve one connection until it ends."""
        if self._open >= self._plan.limits.connections:
            self.hub.counts["refused"] += 1
            await trio.aclose_forcefully(stream)
            return
        self._open += 1
        try:
            if self._tls is None:
                await self.carry(ClientWire(stream, stream))
                return
            secure = trio.SSLStream(stream, self._tls, server_side=True, https_compatible=True)
            with trio.move_on_after(_HANDSHAKE_WITHIN) as scope, contextlib.suppress(trio.BrokenResourceError):
                await secure.do_handshake()
                scope.deadline = math.inf
                await self.carry(ClientWire(secure))
        finally:
            self._open -= 1
            await trio.aclose_forcefully(stream)

    async def carry(self, wire: ClientWire) -> None:
        """Serve one client on any stream until it ends."""
        try:
            limits = self._plan.limits
            upgrade = await carry_http(wire, self._answer, self._refuse, limits=limits.http)
            if upgrade is not None:
                await self._carry_client(wire, upgrade)
        finally:
            await wire.aclose()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Carry messages from the bus to the clients until cancelled; `started` when the bus may be used."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self.hub.bus.run, self.hub)
            nursery.start_soon(self.hub.keep_sending)
            nursery.start_soon(self.hub.keep_alive)
            task_status.started()

    async def leave(self) -> None:
        """Say goodbye to all clients, in bounded time."""
        self.hub.close_all(1001, "the relay is leaving")
        with trio.move_on_after(_LEAVE_WITHIN):
            while self.hub.clients:  # noqa: ASYNC110 - there is nothing that tells of the last one
                await trio.sleep(0.02)

    async def _carry_client(self, wire: ClientWire, upgrade: Upgrade) -> None:
        client = Client(wire, self._plan.limits, self.hub.due)
        self.hub.admit(client)
        try:
            with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await wire.send_all(accept_upgrade(upgrade))
                await client.run(partial(self.hub.receive, client), first=upgrade.first)
        finally:
            self.hub.leave(client)

    def _refuse(self, upgrade: Upgrade) -> HttpAnswer | None:
        refusal = self._find_refusal(upgrade.call)
        self.hub.counts["refused"] += refusal is not None
        return refusal

    def _find_refusal(self, call: HttpCall) -> HttpAnswer | None:
        limits = self._plan.limits
        if not self._may_in(call):
            return _UNKNOWN
        fault = find_handshake_fault(call)
        if fault is None and len(self.hub.clients) >= limits.clients:
            return json_answer(429, {"message": f"{limits.clients} clients are connected already"})
        return fault

    def _may_in(self, call: HttpCall) -> bool:
        shown = call.headers.get("authorization", "").encode("latin-1", "replace")
        return self._token is None or hmac.compare_digest(shown, self._token)

    def _answer(self, call: HttpCall) -> HttpAnswer | Awaitable[HttpAnswer]:
        if call.path == "/health":
            return json_answer(200, {"status": "ok"})
        if not self._may_in(call):
            return _UNKNOWN
        if call.method not in ("GET", "HEAD"):
            return json_answer(405, {"message": "only GET is known here"})
        if call.path == "/statistics":
            return json_answer(200, self.hub.statistics)
        if call.path == "/metrics":
            return HttpAnswer(
                status=200, body=metrics_text(self.hub.statistics), content_type="text/plain; version=0.0.4"
            )
        return self.hub.bus.call(call.path, call.query)


_UNKNOWN: Final = json_answer(401, {"message": "show the access token: Authorization: Bearer …"})


@asynccontextmanager
async def open_relay(bus: Bus, plan: RelayPlan) -> AsyncGenerator[RelayServer]:
    """Listen, serve, and yield; leaving says goodbye to the clients first. Checkpoints on entry and exit.

    Raises:
        ConfigError: It would be served beyond this machine without TLS or a token; or the port is taken.
    """
    server = RelayServer(bus, plan)
    try:
        listeners = await trio.open_tcp_listeners(plan.port, host=plan.host, backlog=1_024)
    except OSError as exc:
        raise ConfigError(f"{plan.host}:{plan.port} can't be listened on: {exc.strerror or exc}") from exc
    port = int(listeners[0].socket.getsockname()[1])
    host = f"[{plan.host}]" if ":" in plan.host else plan.host
    server.url = f"http{'' if plan.certificate is None else 's'}://{host}:{port}"
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        serving = trio.CancelScope()

        async def listen() -> None:
            with serving:
                await trio.serve_listeners(server.carry_socket, listeners, handler_nursery=nursery)

        nursery.start_soon(listen)
        try:
            yield server
        finally:
            serving.cancel()
            with trio.CancelScope(shield=True):
                await server.leave()
            nursery.cancel_scope.cancel()

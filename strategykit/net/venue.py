"""All wires of one venue behind one object: it carries frames, and knows nothing of subscriptions or strategies."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import trio

from strategykit.errors import ConfigError, LimitReached, LocalProtocolError, StrategykitError
from strategykit.model.orders import CancelOrder, VenueCommand
from strategykit.net.endpoints import Endpoints
from strategykit.net.http import HttpClient
from strategykit.net.inbox import Inbox, Input, InputKind
from strategykit.net.link import ConnectionStatistics, Link, Wiring
from strategykit.net.network import SOCKETS, Network
from strategykit.net.reconnect import keep_connected
from strategykit.net.recorder import Recorder
from strategykit.net.session_tokens import SessionTokens
from strategykit.net.timing import Timing
from strategykit.net.tokens import TokenFacts, TokenSource
from strategykit.net.wire import open_wire
from strategykit.venues.dialect import Ask, Dialect, Frame, HttpRequest
from strategykit.venues.http_tokens import AsksForTokens

__all__ = ["HTTP", "LiveVenue", "connect_venue"]

HTTP: Final = "http"
"""The connection's name on answers to asks."""

STRAY_WITHIN: Final = 60.0
"""Seconds for which a login that was never answered may still be taken."""

_MAX_ASKS: Final = 1_000
"""Asks that wait for a place. More are answered at once, with status 0."""

_ASKING: Final = 4
"""HTTP calls under way at once. ALOR publishes no rate, only that abuse is answered with 429 and blocking."""


class LiveVenue:
    """One venue's connections. Its plain methods never wait and may be called from a dispatch loop.

    Args:
        endpoints: Where the venue lives.
        wiring: The dialect, the tokens, and where everything that comes goes: first to the recorder, then to the inbox.
        http: Carries the asks; `run` opens and closes it.
    """

    def __init__(self, *, endpoints: Endpoints, wiring: Wiring, http: HttpClient) -> None:
        self._endpoints = endpoints
        self._wiring = wiring
        self._http = http
        self._links: dict[str, Link] = {}
        limits = wiring.dialect.limits
        self._new_links, self._links_to_keep = trio.open_memory_channel[Link](limits.connections)
        self._new_asks, self._asks = trio.open_memory_channel[Ask](_MAX_ASKS)
        self._ended = False
        self._refused = trio.Event()
        self._refusal = ""

    async def run(
        self,
        connections: Sequence[tuple[str, str]],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Keep the venue's connections open until cancelled; `started` when the named ones are.

        Args:
            connections: Pairs of name and lane, such as ``("market-0", "market")``.

        Raises:
            LimitReached: More connections than the venue, or one of its lanes, allows.
            LoginRefused: The venue or its token service doesn't accept us.
            ConfigError: An address, lane or certificate is wrong. Errors come in a group.
        """
        first = [self._add(name, lane) for name, lane in connections]
        try:
            async with self._http, trio.open_nursery() as nursery:
                nursery.start_soon(self._wiring.tokens.keep_fresh)
                nursery.start_soon(self._keep_more, nursery)
                for _ in range(_ASKING):
                    nursery.start_soon(self._answer_asks)
                async with trio.open_nursery() as opening:
                    for link in first:
                        opening.start_soon(nursery.start, _keep, link, self._wiring)
                task_status.started()
        finally:
            self._end()

    def open_more(self, name: str, lane: str) -> None:
        """Open one more connection and keep it so; its OPENED comes by the inbox.

        Raises:
            LimitReached: The venue, or the lane, allows no more of them.
            ConfigError: The venue has no such lane, or the name is taken.
        """
        link = self._add(name, lane)
        if not self._ended:
            self._new_links.send_nowait(link)

    def send(self, connection: str, session: int, make_frames: Callable[[str], list[Frame]]) -> bool:
        """Send the frames that `make_frames` gives for the newest token.

        Args:
            connection: Its name.
            session: As its OPENED said. A later session doesn't get what was meant for this one.
            make_frames: Called when their turn comes.

        Returns:
            False if that session isn't open: then nothing of it leaves. True doesn't mean that it has left.
        """
        link = self._links.get(connection)
        current = None if link is None else link.session
        return current is not None and current.number == session and current.send_nowait(make_frames)

    def command(self, command: VenueCommand, connection: str, session: int) -> bool:
        """Send an order command; as `send`, but it waits for no token, and a cancel goes before all that still waits.

        Raises:
            LocalProtocolError: The venue has no such order; nothing leaves.
        """
        frame = self._wiring.dialect.command(command)
        link = self._links.get(connection)
        current = None if link is None else link.session
        return (
            current is not None
            and current.number == session
            and current.send_nowait(frame, urgent=isinstance(command, CancelOrder))
        )

    def sends(self, connection: str) -> bool:
        """Whether something is on its way to that connection's wire, and may leave."""
        link = self._links.get(connection)
        return link is not None and link.session is not None and link.session.sends

    def ask(self, ask: Ask) -> None:
        """Ask by HTTP. Exactly one ANSWER comes by the inbox, with status 0 and the reason where there was none."""
        if self._ended:
            self._tell(ask, 0, b"the venue has been left")
            return
        try:
            self._new_asks.send_nowait(ask)
        except trio.WouldBlock:
            self._tell(ask, 0, f"{_MAX_ASKS} asks wait already".encode())

    def drop(self, connection: str, reason: str) -> None:
        """End that connection's session now, as if it were lost; a new one will be opened. No-op if it isn't open."""
        link = self._links.get(connection)
        if link is not None and link.session is not None:
            link.session.drop(reason)

    def close(self, connection: str) -> None:
        """End that connection for good, in good order. No-op if there is none."""
        link = self._links.get(connection)
        if link is not None:
            link.kept.cancel()

    def take_stray_login(self, connection: str) -> bool:
        """Whether a login of ours was never answered that the venue may take late: it ends the session after it. Once.

        A venue that was slow reads what has come by a wire that is long gone.
        """
        link = self._links.get(connection)
        if link is None or link.stray_login is None:
            return False
        sent, link.stray_login = link.stray_login, None
        return trio.current_time() - sent < STRAY_WITHIN

    def refuse(self, reason: str) -> None:
        """Note that the venue won't have us any more: `wait_refused` tells whoever runs this."""
        if not self._refused.is_set():
            self._refusal = reason
            self._refused.set()

    def refuse_token(self, token: str) -> None:
        """Note that the venue refused `token`: the next frame waits for a newer one."""
        self._wiring.tokens.invalidate(token)

    def refuse_login(self, connection: str) -> None:
        """Note that the venue refused the login of `connection`: it logs in again, with a newer token.

        No-op if it isn't open, or needs no login.
        """
        link = self._links.get(connection)
        if link is not None and link.session is not None:
            self._wiring.tokens.invalidate(link.session.token)

    def is_open(self, connection: str) -> bool:
        link = self._links.get(connection)
        return link is not None and link.session is not None

    def is_closed(self, connection: str) -> bool:
        """Whether it was closed for good; then it isn't opened again."""
        link = self._links.get(connection)
        return link is not None and link.kept.cancel_called

    async def wait_refused(self) -> str:
        """Wait until the token service or the venue has refused us for good, and say how.

        What is open goes on until its token dies. A venue that has never had a token doesn't go on: `run` raises then.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._wait_token_refused)
            await self._refused.wait()
            nursery.cancel_scope.cancel()
        return self._refusal

    def trouble(self) -> str:
        """Say why nothing has been open so far; empty if something was, or nothing has failed yet."""
        if any(link.statistics.sessions for link in self._links.values()):
            return ""
        reasons = [self._wiring.tokens.last_failure, *(link.statistics.reason for link in self._links.values())]
        return "; ".join(dict.fromkeys(reason for reason in reasons if reason))

    def statistics(self) -> list[ConnectionStatistics]:
        """Give a copy of every connection's counters, in the order in which they were asked for."""
        return [attrs.evolve(link.statistics) for link in self._links.values()]

    async def _wait_token_refused(self) -> None:
        self.refuse(str(await self._wiring.tokens.wait_refused()))

    def _add(self, name: str, lane: str) -> Link:
        dialect = self._wiring.dialect
        spec = dialect.lanes.get(lane)
        if spec is None:
            raise ConfigError(f"{dialect.name} has no lane {lane!r}; it has {', '.join(dialect.lanes)}")
        if name in self._links:
            raise ConfigError(f"there is a connection {name!r} already")
        kept = [link for link in self._links.values() if not link.kept.cancel_called]
        if len(kept) >= dialect.limits.connections:
            raise LimitReached(f"{dialect.name} allows {dialect.limits.connections} connections; {name!r} is one more")
        # One that replaces another, as ``market-0~2`` does ``market-0``, takes its place, though both are open a while.
        places = {link.name.partition("~")[0] for link in kept if link.lane == spec}
        if len(places | {name.partition("~")[0]}) > spec.max_connections:
            raise LimitReached(f"{dialect.name} gets {spec.max_connections} {lane} connections; {name!r} is one more")
        link = Link(name, spec, self._endpoints.ws + spec.path)
        for other in self._links.values():
            if other.name.partition("~")[0] == name.partition("~")[0]:
                link.sent_at = other.sent_at  # Both together get the rate of one: what a venue counts is who we are.
        self._links[name] = link
        return link

    async def _keep_more(self, nursery: trio.Nursery) -> None:
        async for link in self._links_to_keep:
            nursery.start_soon(_keep, link, self._wiring)

    async def _answer_asks(self) -> None:
        async for ask in self._asks:
            status, body = 0, b"the venue has been left"
            try:
                status, body = await self._get_answer(ask)
            finally:  # Cancelled or not: whoever asked is told.
                self._tell(ask, status, body)

    async def _get_answer(self, ask: Ask) -> tuple[int, bytes]:
        within = self._wiring.timing.answer_within
        try:
            with trio.move_on_after(within):
                request = self._wiring.dialect.request(ask)
                if not isinstance(request, HttpRequest):
                    raise LocalProtocolError(f"{type(ask).__name__} isn't asked over HTTP here")
                answer = await self._http.call(request)
                return answer.status, answer.body
        except StrategykitError as exc:
            return 0, str(exc).encode()
        return 0, f"no answer within {within:g} s".encode()

    def _tell(self, ask: Ask, status: int, body: bytes) -> None:
        now = self._wiring.stamp()
        self._wiring.recorder.answer(ask, now, status, body)
        self._wiring.inbox.put_nowait(Input(InputKind.ANSWER, HTTP, now, body, ask=ask, status=status))

    def _end(self) -> None:
        self._ended = True
        while True:
            try:
                ask = self._asks.receive_nowait()
            except trio.WouldBlock:
                return
            self._tell(ask, 0, b"the venue has been left")


async def _keep(link: Link, wiring: Wiring, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    """Keep a connection until it is closed for good."""
    with link.kept:
        await keep_connected(link, wiring, task_status=task_status)


def connect_venue(
    dialect: Dialect,
    endpoints: Endpoints,
    *,
    fetch_token: Callable[[], Awaitable[TokenFacts]],
    inbox: Inbox,
    recorder: Recorder,
    rng: random.Random,
    stamp: Callable[[], int],
    timing: Timing | None = None,
    ca_file: str | Path | None = None,
    network: Network = SOCKETS,
) -> LiveVenue:
    """Put a venue on real sockets together; nothing is opened before its `run`.

    Args:
        fetch_token: Fetches a token, as what `token_fetcher` or `fixed_token` make does.
        ca_file: Certificates to trust instead of the system's.
        network: What the sockets are made by.

    Raises:
        ConfigError: The certificates can't be read.
    """
    timing = timing or Timing()
    tls = network.tls(ca_file)
    tokens = http_tokens = TokenSource(
        fetch_token, protect=partial(recorder.protect, passing=True), rng=rng, timing=timing
    )
    session_tokens = None
    if isinstance(dialect, AsksForTokens):
        session_tokens = SessionTokens(dialect, timing)
        # Each was hidden already, before the frame that brought it was recorded.
        http_tokens = TokenSource(session_tokens.fetch, protect=lambda _: None, rng=rng, timing=timing)
    wiring = Wiring(
        dialect=dialect,
        tokens=tokens,
        inbox=inbox,
        recorder=recorder,
        dial=lambda url, headers: open_wire(
            url,
            frame_bytes=dialect.limits.frame_bytes,
            tls=tls,
            close_within=timing.close_within,
            headers=headers,
            network=network,
        ),
        rng=rng,
        stamp=stamp,
        timing=timing,
        session_tokens=session_tokens,
    )
    http = HttpClient(
        endpoints.http,
        tokens=http_tokens,
        headers=lambda token: dialect.http_headers(token=token),
        classify=dialect.classify,
        tls=tls,
        rng=rng,
        timing=timing,
        transport=network.transport(),
    )
    return LiveVenue(endpoints=endpoints, wiring=wiring, http=http)

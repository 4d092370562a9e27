"""A venue at the far end of memory streams, a small language to speak with it, and a recorder that remembers."""

from __future__ import annotations

import contextlib
import json
import random
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
import trio.abc
import trio.testing
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest, wrap_server_stream
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection

from strategykit.errors import ConnectionLost, LocalProtocolError
from strategykit.model.events import Event
from strategykit.model.instruments import Instrument
from strategykit.model.orders import VenueCommand, single_order
from strategykit.net.endpoints import split_url
from strategykit.net.inbox import Inbox
from strategykit.net.link import Link, Wiring
from strategykit.net.timing import Timing
from strategykit.net.tokens import Token, TokenSource
from strategykit.net.wire import Wire, wrap_wire
from strategykit.venues.dialect import (
    Ask,
    AskInstrument,
    Cursor,
    Decoded,
    ErrorClass,
    Frame,
    HttpRequest,
    LaneSpec,
    Limits,
    Offers,
    Reply,
)
from strategykit.venues.streams import Stream, StreamKind, usual_lane
from strategykit.venues.subscriptions import Subscription, Subscriptions

URL = "ws://127.0.0.1:8900"
NOON = 1_773_000_000_000_000_000
LIFE = 1800


class ToyDialect:
    """A venue's language, as small as can be: JSON objects; ``reply`` names what is answered."""

    name = "toy"
    lanes: Mapping[str, LaneSpec] = {
        "market": LaneSpec(name="market", path="/ws", max_connections=8, ping_every=20, pong_within=10),
        "orders": LaneSpec(name="orders", path="/ws", max_connections=1, ping_every=20, pong_within=10),
        "commands": LaneSpec(name="commands", path="/cws", max_connections=2, ping_every=20, pong_within=10),
    }
    limits = Limits(connections=10, subscriptions=5000, unread=5000, frame_bytes=100_000)

    offers = Offers(streams=frozenset(StreamKind))
    commands = "commands"
    acknowledges = True

    def lane(self, stream: Stream) -> str:
        return usual_lane(stream)

    def key(self, stream: Stream) -> None: ...

    def upgrade_headers(self, lane: str, *, token: str) -> Mapping[str, str]:
        return {}

    def http_headers(self, *, token: str) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {token}"}

    def beat(self, now: int) -> Frame:
        return json.dumps({"beat": now})

    def login(self, lane: str, *, guid: str, token: str) -> str | None:
        return json.dumps({"login": guid, "token": token}) if lane == "commands" else None

    def subscribe(self, new: Sequence[Subscription], held: Collection[Subscription], *, token: str) -> Sequence[Frame]:
        return [json.dumps({"subscribe": row.guid, "token": token}) for row in new]

    def unsubscribe(
        self, old: Sequence[Subscription], held: Collection[Subscription], *, token: str
    ) -> Sequence[Frame]:
        return [json.dumps({"unsubscribe": row.guid, "token": token}) for row in old]

    def command(self, command: VenueCommand) -> str:
        if single_order(command, "it").request.instrument == "NONE":
            raise LocalProtocolError("the venue has no such order")
        return json.dumps({"command": command.guid})

    def cursor(self, guid: str, stream: Stream) -> Cursor:
        raise NotImplementedError

    def decode(self, frame: Frame, table: Subscriptions, *, connection: str, receive_time: int) -> Sequence[Decoded]:
        raise NotImplementedError

    def login_reply(self, frame: Frame, guid: str) -> Reply | None:
        try:
            message = json.loads(frame)
        except ValueError:
            return None
        if message.get("reply") != guid:
            return None
        code = message["code"]
        secrets = tuple(message.get("secrets", ()))
        return Reply(guid=guid, code=code, message=message.get("words", ""), ok=code == 200, secrets=secrets)

    def request(self, ask: Ask) -> HttpRequest:
        assert isinstance(ask, AskInstrument)
        return HttpRequest(method="GET", path=f"/securities/{ask.instrument}", query={"format": "Simple"})

    def decode_answer(self, ask: Ask, body: bytes, *, receive_time: int) -> Sequence[Event | Instrument]:
        raise NotImplementedError

    def classify(self, code: int) -> ErrorClass:
        if code == 401:
            return ErrorClass.REFRESH
        return ErrorClass.RETRY if code == 429 or code >= 500 else ErrorClass.STOP


@attrs.define(eq=False)
class Memory:
    """A recorder: everything it was told, in order."""

    told: list[tuple[object, ...]] = attrs.field(factory=list)

    def opened(self, connection: str, time: int, lane: str, url: str, session: int) -> None:
        self.told.append(("opened", connection, time, lane, url, session))

    def closed(self, connection: str, time: int, reason: str) -> None:
        self.told.append(("closed", connection, time, reason))

    def frame_in(self, connection: str, time: int, frame: str | bytes) -> None:
        self.told.append(("in", connection, time, frame))

    def frame_out(self, connection: str, time: int, frame: str | bytes) -> None:
        self.told.append(("out", connection, time, frame))

    def answer(self, ask: Ask, time: int, status: int, body: bytes) -> None:
        self.told.append(("answer", ask, time, status, body))

    def protect(self, secret: str, *, passing: bool = False) -> None:
        self.told.append(("protect", secret))

    def kinds(self) -> list[object]:
        return [entry[0] for entry in self.told]


@attrs.define(eq=False)
class TokenService:
    """Gives ``token-1``, ``token-2``, …; or does next what is put in `next`."""

    life: float = LIFE
    asked: int = 0
    given: list[str] = attrs.field(factory=list, repr=False)
    next: deque[Exception | Callable[[], Awaitable[None]]] = attrs.field(factory=deque)

    async def fetch(self) -> Token:
        self.asked += 1
        await trio.lowlevel.checkpoint()
        if self.next:
            act = self.next.popleft()
            if isinstance(act, Exception):
                raise act
            await act()
        self.given.append(f"token-{len(self.given) + 1}")
        return Token(self.given[-1], NOON, NOON + int(self.life * 1e9))


async def upgrade(stream: trio.abc.Stream) -> None:
    """Answer a client's upgrade on a bare stream, so that what follows can be anything."""
    server = WSConnection(ConnectionType.SERVER)
    while True:
        server.receive_data(bytes(await stream.receive_some()))
        if list(server.events()):
            break
    await stream.send_all(server.send(AcceptConnection()))


class Venue:
    """The far end. Tests take what was dialled, one call after the other, and answer as they like."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._ring, self._calls = trio.open_memory_channel[trio.abc.Stream](2000)
        self.dialled: list[str] = []
        self.open = 0
        self.refuse: ConnectionLost | None = None
        self.upgrade = staticmethod(upgrade)

    @asynccontextmanager
    async def dial(self, url: str, headers: Mapping[str, str] | None = None) -> AsyncGenerator[Wire]:
        self.dialled.append(url)
        if self.refuse is not None:
            await trio.lowlevel.checkpoint()
            raise self.refuse
        near, far = trio.testing.memory_stream_pair()
        self._ring.send_nowait(far)
        self.open += 1
        try:
            async with near, wrap_wire(near, split_url(url), frame_bytes=100_000, headers=headers) as wire:
                yield wire
        finally:
            self.open -= 1

    async def call(self) -> trio.abc.Stream:
        """The next call, as a bare stream."""
        return await self._calls.receive()

    async def request(self) -> WebSocketRequest:
        """The next call, as an upgrade to accept or reject."""
        return await wrap_server_stream(self._nursery, await self.call())

    async def session(self) -> WebSocketConnection:
        """The next call, accepted."""
        return await (await self.request()).accept()

    async def logged_in(self) -> WebSocketConnection:
        """The next call, accepted, its login too."""
        ws = await self.session()
        await self.accept_login(ws)
        return ws

    async def accept_login(self, ws: WebSocketConnection) -> str:
        """Say yes to the login that comes next; give its token."""
        return await self.answer_login(ws, 200)

    async def answer_login(self, ws: WebSocketConnection, code: int, words: str = "") -> str:
        login = json.loads(await ws.get_message())
        await ws.send_message(json.dumps({"reply": login["login"], "code": code, "words": words}))
        token: str = login["token"]
        return token

    async def serve(self) -> None:
        """Accept whatever comes, logins too, and say nothing else."""
        while True:
            self._nursery.start_soon(self._serve_one, await self.call())

    async def _serve_one(self, stream: trio.abc.Stream) -> None:
        with contextlib.suppress(ConnectionClosed):  # The caller may leave at any moment.
            ws = await (await wrap_server_stream(self._nursery, stream)).accept()
            if ws.path == "/cws":
                await self.accept_login(ws)


def now() -> int:
    return NOON + round(trio.current_time() * 1e9)


class Rig:
    """Everything around a connection, wired to the fake venue."""

    def __init__(self, venue: Venue, timing: Timing | None = None) -> None:
        self.venue = venue
        self.dialect = ToyDialect()
        self.woken = 0
        self.inbox = Inbox(self._wake)
        self.memory = Memory()
        self.service = TokenService()
        self.timing = timing or Timing()
        self.rng = random.Random(7)
        self.tokens = TokenSource(
            self.service.fetch, protect=self.memory.protect, rng=random.Random(8), timing=self.timing
        )
        self.wiring = Wiring(
            dialect=self.dialect,
            tokens=self.tokens,
            inbox=self.inbox,
            recorder=self.memory,
            dial=venue.dial,
            rng=self.rng,
            stamp=now,
            timing=self.timing,
        )

    def _wake(self) -> None:
        self.woken += 1

    def link(self, lane: str = "market", name: str = "") -> Link:
        spec = self.dialect.lanes[lane]
        return Link(name or f"{lane}-0", spec, URL + spec.path)

    def came(self) -> list[tuple[str, str | bytes]]:
        """What the inbox has, as pairs of kind and payload; replies to logins left out."""
        return [(kind, payload) for kind, payload in self.all_that_came() if '{"reply": "login-' not in str(payload)]

    def all_that_came(self) -> list[tuple[str, str | bytes]]:
        return [(item.kind.value, item.payload) for item in self.inbox.waiting]


@pytest.fixture
async def venue(nursery: trio.Nursery) -> Venue:
    return Venue(nursery)


@pytest.fixture
async def rig(venue: Venue) -> Rig:
    return Rig(venue)

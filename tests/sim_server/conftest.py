"""Plain clients of the simulated venue: httpx and trio-websocket, and no code of ours."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from typing import Any

import attrs
import httpx
import pytest
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from strategykit.sim.alor_config import AlorVenueConfig
from strategykit.sim.instruments import default_instruments
from strategykit.sim.server_alor import SimulatedAlor, open_simulated_alor

REFRESH = "simulated-refresh-token"

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)

FEW = {symbol: each for symbol, each in default_instruments().items() if symbol in ("SBER", "GAZP")}
"""Each listed instrument costs time at the start."""


@attrs.define(eq=False)
class Client:
    """One WebSocket; frames that aren't waited for are kept."""

    websocket: WebSocketConnection
    token: str
    kept: deque[dict[str, Any]] = attrs.field(factory=deque)
    raw: list[str] = attrs.field(factory=list)
    numbers: Callable[[], int] = attrs.field(factory=lambda: count(1).__next__)

    async def send(self, request: dict[str, Any]) -> None:
        await self.websocket.send_message(json.dumps(request))

    async def next(self) -> dict[str, Any]:
        """The next frame that arrives."""
        text = await self.websocket.get_message()
        assert isinstance(text, str)
        self.raw.append(text)
        frame: dict[str, Any] = json.loads(text)
        return frame

    async def wait(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first frame, kept or new, that is wanted."""
        for frame in list(self.kept):
            if wanted(frame):
                self.kept.remove(frame)
                return frame
        while True:
            frame = await self.next()
            if wanted(frame):
                return frame
            self.kept.append(frame)

    async def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request; give its answer."""
        request = {"guid": f"ask-{self.numbers()}", "token": self.token, **request}
        await self.send(request)
        return await self.wait(lambda frame: frame.get("requestGuid") == request["guid"])

    async def subscribe(self, opcode: str, guid: str, **fields: Any) -> dict[str, Any]:
        return await self.ask({"opcode": opcode, "guid": guid, "exchange": "MOEX", **fields})

    async def data(self, guid: str, wanted: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        frame = await self.wait(lambda frame: frame.get("guid") == guid and wanted(frame["data"]))
        found: dict[str, Any] = frame["data"]
        return found

    async def authorize(self) -> dict[str, Any]:
        return await self.ask({"opcode": "authorize"})

    async def order(self, guid: str, **fields: Any) -> dict[str, Any]:
        """Create, by default a market order for a lot of SBER."""
        default = {
            "opcode": "create:market",
            "guid": guid,
            "side": "buy",
            "quantity": 1,
            "instrument": {"symbol": "SBER", "exchange": "MOEX"},
            "user": {"portfolio": "D12345"},
        }
        return await self.ask({**default, **fields})

    async def closed(self) -> int:
        """Wait until the connection has ended; give the close code."""
        try:
            while True:
                await self.next()
        except ConnectionClosed as exc:
            return 0 if exc.reason is None else exc.reason.code


@attrs.define(eq=False)
class Lab:
    """A running venue and its clients."""

    venue: SimulatedAlor
    http: httpx.AsyncClient
    nursery: trio.Nursery

    async def token(self, **body: Any) -> str:
        answer = await self.http.post("/refresh", json={"token": REFRESH, **body})
        text = answer.json()["AccessToken"]
        assert isinstance(text, str)
        return text

    @asynccontextmanager
    async def connect(self, path: str = "/ws", *, token: str | None = None) -> AsyncGenerator[Client]:
        token = token or await self.token()
        # The library leaves the socket open when the server closes or refuses, so it is ours to close.
        stream = await trio.open_tcp_stream("127.0.0.1", self.venue.port)
        async with stream, trio.open_nursery() as nursery:
            websocket = await wrap_client_stream(nursery, stream, "127.0.0.1", path)
            try:
                yield Client(websocket, token)
            finally:
                with trio.move_on_after(1, shield=True):
                    await websocket.aclose()
                nursery.cancel_scope.cancel()

    async def knock(self, path: str = "/ws") -> int:
        """Ask to be let in; give the status of the answer, and go."""
        stream = await trio.open_tcp_stream("127.0.0.1", self.venue.port)
        async with stream:
            await stream.send_all(HANDSHAKE.replace(b"/ws", path.encode()))
            return int((await stream.receive_some()).split()[1])

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait for something that shows only inside the venue."""
        while not done():  # noqa: ASYNC110 - there's no event to wait for
            await trio.sleep(0.005)

    async def get(self, path: str, **params: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {await self.token()}"}
        return await self.http.get(path, params=params, headers=headers)

    async def fault(self, fault: str, **fields: Any) -> dict[str, Any]:
        answer = await self.http.post("/sim/faults", json={"fault": fault, **fields})
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told


OpenLab = Callable[..., AbstractAsyncContextManager[Lab]]


@asynccontextmanager
async def _open_lab(config: AlorVenueConfig | None = None, **settings: Any) -> AsyncIterator[Lab]:
    config = config or AlorVenueConfig(**{"instruments": FEW, **settings})
    with trio.fail_after(20):
        async with (
            open_simulated_alor(config) as venue,
            httpx.AsyncClient(base_url=venue.url, timeout=5, verify=False) as http,
            trio.open_nursery() as nursery,
        ):
            yield Lab(venue, http, nursery)


@pytest.fixture
def open_lab() -> OpenLab:
    """Start a venue with a configuration or some settings; everything within must be over in 20 s."""
    return _open_lab


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with _open_lab() as lab:
        yield lab

"""Tokens for HTTP calls that a venue gives over a session: asked for when one is wanted, once for everybody."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import httpx
import pytest
import trio
import trio.testing
from trio_websocket import ConnectionClosed, WebSocketConnection

from strategykit.errors import ConnectionLost
from strategykit.net.endpoints import Endpoints, client_tls
from strategykit.net.http import HttpClient
from strategykit.net.inbox import InputKind
from strategykit.net.session_tokens import SessionTokens
from strategykit.net.tokens import TokenSource
from strategykit.net.venue import LiveVenue
from strategykit.venues.dialect import AskInstrument, Frame
from strategykit.venues.http_tokens import TokenReply

if TYPE_CHECKING:
    from tests.net.conftest import Rig, Venue

URL = "http://127.0.0.1:8900"
LIFE = 1800


class Giver:
    """Words for tokens, beside those of the small language."""

    def token_request(self, guid: str) -> Frame:
        return json.dumps({"wanted": guid})

    def token_reply(self, frame: Frame) -> TokenReply | None:
        found = json.loads(frame)
        if "given" not in found:
            return None
        text = found.get("text", "")
        secrets = (text,) if text else ()
        expires = int(found.get("life", LIFE) * 1e9)
        return TokenReply(
            guid=found["given"], text=text, expires=expires, refusal=found.get("refusal", ""), secrets=secrets
        )


class Answer(httpx.AsyncByteStream):
    def __init__(self, text: bytes) -> None:
        self._text = text

    async def __aiter__(self) -> AsyncIterator[bytes]:
        await trio.lowlevel.checkpoint()
        yield self._text


class Calls(httpx.AsyncBaseTransport):
    """The venue's HTTP end: it knows the tokens that are `good`, or all."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.good: set[str] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await trio.lowlevel.checkpoint()
        token = request.headers["Authorization"].removeprefix("Bearer ")
        self.shown.append(token)
        known = self.good is None or token in self.good
        return httpx.Response(200 if known else 401, stream=Answer(b"fine" if known else b"who?"))


@attrs.define(eq=False)
class Desk:
    """A venue that gives tokens, and who asks it over HTTP."""

    rig: Rig
    live: LiveVenue
    calls: Calls
    sessions: trio.MemoryReceiveChannel[WebSocketConnection]

    async def wanted(self, ws: WebSocketConnection) -> str:
        """Take the request for a token; give its guid."""
        guid: str = json.loads(await ws.get_message())["wanted"]
        return guid

    async def give(self, ws: WebSocketConnection, text: str, **fields: Any) -> str:
        """Answer the request that comes next."""
        guid = await self.wanted(ws)
        await ws.send_message(json.dumps({"given": guid, "text": text, **fields}))
        return guid

    def ask(self, *names: str) -> None:
        for name in names:
            self.live.ask(AskInstrument(instrument=name))

    def answers(self) -> list[tuple[int, bytes | str]]:
        return [(item.status, item.payload) for item in self.rig.inbox.waiting if item.kind is InputKind.ANSWER]

    async def answered(self, count: int) -> list[tuple[int, bytes | str]]:
        with trio.fail_after(100):
            while len(self.answers()) < count:  # noqa: ASYNC110 - the inbox tells one who waits, and it's taken
                await trio.sleep(0.01)
        return self.answers()


@pytest.fixture
async def desk(rig: Rig, venue: Venue, nursery: trio.Nursery) -> Desk:
    put, sessions = trio.open_memory_channel[WebSocketConnection](10)

    async def serve() -> None:
        while True:
            put.send_nowait(await venue.session())

    tokens = SessionTokens(Giver(), rig.timing)
    calls = Calls()
    rng = random.Random(3)
    http = HttpClient(
        URL,
        tokens=TokenSource(tokens.fetch, protect=lambda _: None, rng=rng, timing=rig.timing),
        headers=lambda token: rig.dialect.http_headers(token=token),
        classify=rig.dialect.classify,
        tls=client_tls(),
        rng=rng,
        timing=rig.timing,
        transport=calls,
    )
    wiring = attrs.evolve(rig.wiring, session_tokens=tokens)
    live = LiveVenue(endpoints=Endpoints.at(URL), wiring=wiring, http=http)
    nursery.start_soon(serve)
    return Desk(rig, live, calls, sessions)


@asynccontextmanager
async def running(desk: Desk) -> AsyncGenerator[WebSocketConnection]:
    """Run it on one connection, whose first session is given."""
    with trio.fail_after(2 * LIFE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(desk.live.run, [("market-0", "market")])
            yield await desk.sessions.receive()
            nursery.cancel_scope.cancel()


async def test_nothing_is_asked_for_before_a_token_is_wanted(desk: Desk, autojump_clock: object) -> None:
    async with running(desk) as ws:
        with trio.move_on_after(LIFE):
            await ws.get_message()
            raise AssertionError("nobody wanted one")


async def test_one_request_serves_all_calls_until_most_of_its_life_is_over(desk: Desk, autojump_clock: object) -> None:
    async with running(desk) as ws:
        desk.ask("A", "B", "C", "D", "E")
        assert await desk.give(ws, "first") == "token-1"
        assert await desk.answered(5) == [(200, b"fine")] * 5
        await trio.sleep(0.79 * LIFE)
        desk.ask("F")
        await desk.answered(6)
        assert desk.calls.shown == ["first"] * 6
        await trio.sleep(0.02 * LIFE)  # It lives on, but not for long.
        desk.ask("G")
        await desk.give(ws, "second")
        await desk.answered(7)
        assert desk.calls.shown[6:] == ["second"]


async def test_a_token_is_hidden_before_its_frame_is_recorded_whoever_asked_for_it(
    desk: Desk, autojump_clock: object
) -> None:
    async with running(desk) as ws:
        desk.ask("A")
        await desk.give(ws, "canary-one")
        await desk.answered(1)
        await ws.send_message(json.dumps({"news": "of the market"}))
        await ws.send_message(json.dumps({"given": "nobody's", "text": "canary-two"}))
        await trio.testing.wait_all_tasks_blocked()

    told = desk.rig.memory.told
    for token in ("canary-one", "canary-two"):
        (at,) = [place for place, entry in enumerate(told) if entry == ("protect", token)]
        frames = [place for place, entry in enumerate(told) if entry[0] == "in" and token in str(entry[3])]
        assert frames == [at + 1]


async def test_a_refusal_is_told_to_who_asked_and_the_next_call_asks_again(desk: Desk, autojump_clock: object) -> None:
    async with running(desk) as ws:
        desk.ask("A")
        await desk.give(ws, "", refusal="not your day")
        assert await desk.answered(1) == [(0, b"the venue refuses a token for HTTP calls: not your day")]
        assert desk.live.is_open("market-0")
        desk.ask("B")
        assert await desk.give(ws, "second") == "token-2"
        assert (await desk.answered(2))[1] == (200, b"fine")


async def test_a_request_that_isnt_answered_is_made_again_within_the_same_call(
    desk: Desk, autojump_clock: object
) -> None:
    async with running(desk) as ws:
        desk.ask("A")
        lost = await desk.wanted(ws)
        again = await desk.wanted(ws)
        await ws.send_message(json.dumps({"given": lost, "text": "late"}))
        await ws.send_message(json.dumps({"given": again, "text": "second"}))
        assert await desk.answered(1) == [(200, b"fine")]
        assert desk.calls.shown == ["second"]
        assert trio.current_time() < desk.rig.timing.answer_within


async def test_a_venue_that_gives_none_leaves_the_call_without_an_answer(desk: Desk, autojump_clock: object) -> None:
    async with running(desk) as ws:
        desk.ask("A")
        assert await desk.answered(1) == [(0, b"no answer within 10 s")]
        assert desk.live.is_open("market-0")
        desk.ask("B")
        while len(desk.answers()) < 2:
            await desk.give(ws, "at last")  # Most of what is answered so was given up long ago.
            await trio.sleep(0.1)
        assert desk.answers()[1] == (200, b"fine")


async def test_a_session_that_ends_first_is_followed_by_the_next_one(desk: Desk, autojump_clock: object) -> None:
    async with running(desk) as ws:
        desk.ask("A")
        await desk.wanted(ws)
        await ws.aclose()
        second = await desk.sessions.receive()
        await desk.give(second, "from the next")
        assert await desk.answered(1) == [(200, b"fine")]
        assert desk.calls.shown == ["from the next"]


async def test_any_session_that_is_open_will_do(desk: Desk, autojump_clock: object) -> None:
    async with running(desk) as first:
        desk.live.open_more("orders-0", "orders")
        second = await desk.sessions.receive()
        await trio.testing.wait_all_tasks_blocked()
        desk.live.close("market-0")
        await first.aclose()
        desk.ask("A")
        await desk.give(second, "from the other")
        assert await desk.answered(1) == [(200, b"fine")]


async def test_a_call_waits_for_a_session(desk: Desk, autojump_clock: object) -> None:
    async with running(desk) as ws:
        await ws.aclose()
        with contextlib.suppress(ConnectionClosed):
            await ws.get_message()
        await trio.testing.wait_all_tasks_blocked()
        desk.ask("A")
        await desk.give(await desk.sessions.receive(), "after all")
        assert await desk.answered(1) == [(200, b"fine")]


async def test_a_call_without_any_session_says_so(desk: Desk, rig: Rig, venue: Venue, autojump_clock: object) -> None:
    async with running(desk) as ws:
        venue.refuse = ConnectionLost("nobody is there")
        await ws.aclose()
        tokens = SessionTokens(Giver(), rig.timing)
        with pytest.raises(ConnectionLost, match=r"no session is open within 3\.3"):
            await tokens.fetch()


async def test_a_token_that_the_venue_refuses_before_its_time_is_replaced(desk: Desk, autojump_clock: object) -> None:
    async with running(desk) as ws:
        desk.ask("A")
        await desk.give(ws, "first")
        await desk.answered(1)
        desk.calls.good = {"second"}
        desk.ask("B")
        await desk.give(ws, "second")
        assert await desk.answered(2) == [(200, b"fine")] * 2
        assert desk.calls.shown == ["first", "first", "second"]

"""Conversations about what a venue lists, held over HTTP."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import httpx
import pytest
import trio

from strategykit.errors import ConnectionLost, LoginRefused, RemoteProtocolError
from strategykit.net.endpoints import client_tls
from strategykit.net.http import HttpClient
from strategykit.net.lookups import hold
from strategykit.venues.asks import HttpRequest
from strategykit.venues.lookups import Listed, Lookup

if TYPE_CHECKING:
    from tests.net.conftest import Rig


class Text(httpx.AsyncByteStream):
    def __init__(self, text: bytes) -> None:
        self._text = text

    async def __aiter__(self) -> AsyncIterator[bytes]:
        await trio.lowlevel.checkpoint()
        yield self._text


class FarEnd(httpx.AsyncBaseTransport):
    """Answers each path as it was told."""

    def __init__(self, **answers: tuple[int, bytes]) -> None:
        self._answers = answers

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await trio.lowlevel.checkpoint()
        status, text = self._answers[request.url.path.strip("/")]
        return httpx.Response(status, stream=Text(text))


def lookup(*paths: str) -> Lookup:
    """Make a call for each path, and find what the answers say."""
    found = []
    for path in paths:
        body = yield HttpRequest(method="GET", path=f"/{path}")
        if body == b"nonsense":
            raise RemoteProtocolError("nothing that can be read")
        found.append("nothing" if body is None else body.decode())
    return [Listed(symbol=word) for word in found]


async def held(rig: Rig, conversation: Lookup, **answers: tuple[int, bytes]) -> list[str]:
    client = HttpClient(
        "https://api.example.org",
        tokens=rig.tokens,
        headers=lambda token: rig.dialect.http_headers(token=token),
        classify=rig.dialect.classify,
        tls=client_tls(),
        rng=random.Random(1),
        timing=rig.timing,
        transport=FarEnd(**answers),
    )
    async with client:
        return [row.symbol for row in await hold(client, conversation)]


async def test_answers_are_handed_over_in_turn_and_what_there_isnt_is_none(rig: Rig, autojump_clock: object) -> None:
    answers = {"a": (200, b"one"), "b": (404, b"gone"), "c": (400, b"no such"), "d": (200, b"")}

    assert await held(rig, lookup("a", "b", "c", "d"), **answers) == ["one", "nothing", "nothing", ""]


@pytest.mark.parametrize("status", [401, 403])
async def test_a_venue_that_doesnt_know_who_asks_says_so(rig: Rig, status: int, autojump_clock: object) -> None:
    conversation = lookup("a", "b")

    with pytest.raises(LoginRefused, match=f"/b: the venue answers with HTTP {status}") as caught:
        await held(rig, conversation, a=(200, b""), b=(status, b"who?"))

    assert caught.value.code == status
    with pytest.raises(StopIteration):  # It was closed.
        conversation.send(None)


async def test_a_venue_that_cant_answer_says_so(rig: Rig, autojump_clock: object) -> None:
    with pytest.raises(ConnectionLost, match="/a: the venue answers with HTTP 503: tomorrow"):
        await held(rig, lookup("a"), a=(503, b"tomorrow"))


async def test_an_answer_that_cant_be_read_is_told(rig: Rig, autojump_clock: object) -> None:
    with pytest.raises(RemoteProtocolError, match="nothing that can be read"):
        await held(rig, lookup("a"), a=(200, b"nonsense"))

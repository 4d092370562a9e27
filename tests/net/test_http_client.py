"""HTTP calls: one origin, bounded, tried again where that is safe, and errors that tell no secrets."""

from __future__ import annotations

import logging
import random
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

import attrs
import httpx
import pytest
import trio

from strategykit.errors import ConfigError, ConnectionLost, LocalProtocolError, LoginRefused, RemoteProtocolError
from strategykit.net import http
from strategykit.net.endpoints import client_tls
from strategykit.net.http import MAX_TRIES, HttpClient, token_fetcher
from strategykit.net.timing import Timing, TryLater
from strategykit.net.tokens import Token, TokenFacts
from strategykit.venues.dialect import HttpRequest

if TYPE_CHECKING:
    from tests.net.conftest import Rig

Answer = Callable[[httpx.Request], Awaitable[httpx.Response]]
GET = HttpRequest(method="GET", path="/md/v2/Securities", query={"query": "SB ER"}, headers={"X-Kind": "test"})
POST = HttpRequest(method="POST", path="/orders", body='{"a": 1}', headers={"Content-Type": "application/json"})
BASE = "https://api.example.org"


@attrs.frozen
class Say:
    """What the far end answers: a new response each time."""

    status: int
    body: bytes = b"ok"
    headers: dict[str, str] = attrs.field(factory=dict)
    times: int = 1
    """How often the body is said."""


class Body(httpx.AsyncByteStream):
    """A body that comes in pieces, and knows how many were taken."""

    def __init__(self, piece: bytes, times: int) -> None:
        self._piece = piece
        self._times = times
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(self._times):
            await trio.lowlevel.checkpoint()
            self.taken += 1
            yield self._piece


class FarEnd(httpx.AsyncBaseTransport):
    """Answers with what was put in, one after the other; the last one for ever."""

    def __init__(self, *answers: Say | Exception | float) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.times: list[float] = []
        self.bodies: list[Body] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.requests.append(request)
        self.times.append(trio.current_time())
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, float):
            await trio.sleep(answer)
            raise httpx.ReadError("late")
        await trio.lowlevel.checkpoint()
        self.bodies.append(Body(answer.body, answer.times))
        return httpx.Response(answer.status, headers=answer.headers, stream=self.bodies[-1])


def _client(rig: Rig, far: httpx.AsyncBaseTransport) -> HttpClient:
    return HttpClient(
        BASE,
        tokens=rig.tokens,
        headers=lambda token: rig.dialect.http_headers(token=token),
        classify=rig.dialect.classify,
        tls=client_tls(),
        rng=random.Random(1),
        timing=Timing(),
        transport=far,
    )


async def test_a_call_carries_its_token_query_body_and_headers(rig: Rig, autojump_clock: object) -> None:
    far = FarEnd(Say(200, b"hello"))
    async with _client(rig, far) as client:
        answer = await client.call(GET)
        await client.call(POST)
    get, post = far.requests
    assert (answer.status, answer.body, answer.ok) == (200, b"hello", True)
    assert str(get.url) == "https://api.example.org/md/v2/Securities?query=SB+ER"
    assert get.headers["Authorization"] == "Bearer token-1"
    assert get.headers["X-Kind"] == "test"
    assert get.headers["Accept-Encoding"] == "identity"
    assert (post.method, post.content, post.headers["Content-Type"]) == ("POST", b'{"a": 1}', "application/json")
    assert "hello" not in repr(answer)


@pytest.mark.parametrize("request_", [GET, POST])
async def test_a_dead_token_is_renewed_and_the_call_repeated_once(
    rig: Rig, autojump_clock: object, request_: HttpRequest
) -> None:
    far = FarEnd(Say(401), Say(200, b"ok"))
    async with _client(rig, far) as client:
        answer = await client.call(request_)
    assert answer.body == b"ok"
    assert [request.headers["Authorization"] for request in far.requests] == ["Bearer token-1", "Bearer token-2"]


async def test_a_fresh_token_that_is_refused_is_an_answer(rig: Rig, autojump_clock: object) -> None:
    far = FarEnd(Say(401))
    async with _client(rig, far) as client:
        answer = await client.call(GET)
    assert (answer.status, answer.ok, len(far.requests)) == (401, False, 2)


@pytest.mark.parametrize("bad", [Say(503), Say(429), httpx.ReadError("gone"), httpx.ConnectError("x")])
async def test_a_get_is_tried_again_with_growing_delays(rig: Rig, autojump_clock: object, bad: Say | Exception) -> None:
    far = FarEnd(bad, bad, Say(200, b"ok"))
    async with _client(rig, far) as client:
        answer = await client.call(GET)
    assert answer.body == b"ok"
    first, second, third = far.times
    assert 0 < second - first <= 0.5
    assert 0 < third - second <= 1


async def test_the_tries_of_a_get_are_counted(rig: Rig, autojump_clock: object) -> None:
    far = FarEnd(Say(500))
    async with _client(rig, far) as client:
        answer = await client.call(GET)
    assert (answer.status, len(far.requests)) == (500, MAX_TRIES)

    far = FarEnd(httpx.ReadError("gone"))
    async with _client(rig, far) as client:
        with pytest.raises(ConnectionLost, match="ReadError"):
            await client.call(GET)
    assert len(far.requests) == MAX_TRIES


async def test_a_venue_that_names_a_delay_gets_it(rig: Rig, autojump_clock: object) -> None:
    far = FarEnd(Say(429, headers={"Retry-After": "20"}), Say(200))
    async with _client(rig, far) as client:
        assert (await client.call(GET)).status == 200
    assert far.times[1] - far.times[0] == pytest.approx(20)


@pytest.mark.parametrize("bad", [Say(503), Say(429)])
async def test_a_post_is_never_sent_twice_for_an_answer(rig: Rig, autojump_clock: object, bad: Say) -> None:
    far = FarEnd(bad)
    async with _client(rig, far) as client:
        assert (await client.call(POST)).status == bad.status
    assert len(far.requests) == 1


async def test_a_post_is_never_sent_twice_for_want_of_one(rig: Rig, autojump_clock: object) -> None:
    far = FarEnd(httpx.ReadError("gone"))
    async with _client(rig, far) as client:
        with pytest.raises(ConnectionLost):
            await client.call(POST)
    assert len(far.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 400, 403, 404])
async def test_what_will_not_change_is_an_answer_at_once(rig: Rig, autojump_clock: object, status: int) -> None:
    """A redirect too: followed, it would carry the token to another host."""
    far = FarEnd(Say(status, b"why", {"Location": "https://evil.example/"}))
    async with _client(rig, far) as client:
        answer = await client.call(GET)
    assert (answer.status, answer.body, len(far.requests)) == (status, b"why", 1)


async def test_a_body_without_end_is_cut(rig: Rig, autojump_clock: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_BODY", 1000)
    far = FarEnd(Say(200, b"x" * 100, times=10_000))
    async with _client(rig, far) as client:
        with pytest.raises(RemoteProtocolError, match="more than 1000 bytes"):
            await client.call(GET)
    assert far.bodies[0].taken <= 12


async def test_a_compressed_body_is_refused(rig: Rig, autojump_clock: object) -> None:
    bomb = Say(200, b"\x1f\x8b", {"Content-Encoding": "gzip"})
    async with _client(rig, FarEnd(bomb)) as client:
        with pytest.raises(RemoteProtocolError, match="compressed"):
            await client.call(GET)


async def test_a_certificate_that_isnt_trusted_is_no_loss(rig: Rig, autojump_clock: object) -> None:
    error = httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed")
    far = FarEnd(error)
    async with _client(rig, far) as client:
        with pytest.raises(ConfigError, match="GET /md/v2/Securities: its certificate isn't trusted"):
            await client.call(GET)
    assert len(far.requests) == 1


async def test_a_path_that_cant_be_one_is_a_bug_of_ours(rig: Rig, autojump_clock: object) -> None:
    async with _client(rig, FarEnd(Say(200))) as client:
        with pytest.raises(LocalProtocolError, match="path"):
            await client.call(HttpRequest(method="GET", path="/securities/\x00"))


async def test_a_refused_credential_ends_a_call(rig: Rig, autojump_clock: object) -> None:
    rig.service.next.append(LoginRefused("no"))
    far = FarEnd(Say(200))
    async with _client(rig, far) as client:
        with pytest.raises(LoginRefused):
            await client.call(GET)
    assert far.requests == []


async def test_an_address_without_tls_is_refused(rig: Rig) -> None:
    with pytest.raises(ConfigError, match="encrypted"):
        HttpClient(
            "http://api.example.org",
            tokens=rig.tokens,
            headers=lambda token: rig.dialect.http_headers(token=token),
            classify=rig.dialect.classify,
            tls=client_tls(),
            rng=random.Random(1),
            timing=Timing(),
        )


@pytest.mark.parametrize(
    "error",
    [
        httpx.ReadError("Bearer token-1"),
        httpx.LocalProtocolError("Illegal header value b'Bearer token-1'"),
        httpx.RemoteProtocolError("token-1"),
    ],
)
async def test_no_error_log_or_traceback_shows_the_token(
    rig: Rig, autojump_clock: object, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    caplog.set_level(logging.DEBUG)
    async with _client(rig, FarEnd(error)) as client:
        with pytest.raises(ConnectionLost) as caught:
            await client.call(GET)
    assert caught.value.__context__ is None
    assert "token-1" not in "".join(traceback.format_exception(caught.value))
    assert "token-1" not in caplog.text


# The token service


def _request() -> HttpRequest:
    return HttpRequest(method="POST", path="/refresh", body='{"token": "canary-secret"}')


def _parse(body: bytes) -> Token:
    if body != b"good":
        raise RemoteProtocolError("no token in the answer")
    return Token("jwt", 0, 10**12)


def _fetch(far: httpx.AsyncBaseTransport) -> Callable[[], Awaitable[TokenFacts]]:
    return token_fetcher(BASE, request=_request, parse=_parse, tls=client_tls(), timing=Timing(), transport=far)


async def test_a_token_is_fetched_without_another_token(autojump_clock: object) -> None:
    far = FarEnd(Say(200, b"good"))
    assert (await _fetch(far)()).text == "jwt"
    assert far.requests[0].content == b'{"token": "canary-secret"}'
    assert "Authorization" not in far.requests[0].headers


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (Say(403, b"canary-secret"), LoginRefused, "HTTP 403"),
        (Say(401), LoginRefused, "HTTP 401"),
        (Say(404), ConfigError, BASE),
        (Say(302), ConfigError, BASE),
        (Say(503), TryLater, "HTTP 503"),
        (Say(429, headers={"Retry-After": "9"}), TryLater, "HTTP 429"),
        (Say(200, b"<html>"), RemoteProtocolError, "no token"),
        (Say(200, b"x" * 70_000), RemoteProtocolError, "more than"),
        (httpx.ConnectError("canary: connection refused"), ConnectionLost, "refused"),
        (3600.0, ConnectionLost, "within 10 s"),
    ],
)
async def test_each_answer_of_the_token_service_has_its_class(
    autojump_clock: object, answer: Say | Exception | float, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        await _fetch(FarEnd(answer))()
    assert type(caught.value) is error
    assert "canary-secret" not in "".join(traceback.format_exception(caught.value))

"""HTTP calls to one origin, with its token, bounded in size and number, and errors that hold no secrets."""

from __future__ import annotations

import random
import ssl
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Final, Self

import attrs
import httpx
import trio

from strategykit.errors import ConfigError, ConnectionLost, LocalProtocolError, LoginRefused, RemoteProtocolError
from strategykit.net.endpoints import client_tls, split_url
from strategykit.net.timing import Timing, TryLater, full_jitter, read_retry_after
from strategykit.net.tokens import TokenFacts, TokenSource
from strategykit.venues.dialect import ErrorClass, HttpRequest

__all__ = ["MAX_BODY", "MAX_TRIES", "HttpAnswer", "HttpClient", "token_fetcher"]

MAX_BODY: Final = 64 * 1024 * 1024
"""Bytes of an answer. A month of minute bars has about 5 MB."""

MAX_TOKEN_BODY: Final = 64 * 1024

MAX_TRIES: Final = 4
"""Of one idempotent call, the first included."""

_CONNECTIONS: Final = httpx.Limits(max_connections=8, max_keepalive_connections=4)


@attrs.frozen
class HttpAnswer:
    """What came back, whatever its status."""

    status: int
    body: bytes = attrs.field(repr=False)
    retry_after: float = 0.0
    """Seconds that the venue asked us to wait; 0 where it named none."""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


def _client(base: str, tls: ssl.SSLContext, transport: httpx.AsyncBaseTransport | None) -> httpx.AsyncClient:
    split_url(base)
    return httpx.AsyncClient(
        base_url=base,
        verify=tls,
        transport=transport,
        limits=_CONNECTIONS,
        timeout=None,  # Deadlines are the callers', in Trio's way.  # noqa: S113
        follow_redirects=False,  # A token goes to one origin.
        trust_env=False,  # Neither a proxy nor a netrc of the environment gets to see it.
        headers={"Accept-Encoding": "identity"},  # Inflating has no bound: X6 of the reliability rules.
    )


def _why(exc: httpx.HTTPError) -> ConnectionLost | ConfigError:
    """Say in our words what went wrong; httpx's words and its request object may hold the token."""
    if isinstance(exc, httpx.ConnectError):
        # Only here the library's words are the operating system's.
        words = str(exc)
        if "CERTIFICATE_VERIFY_FAILED" in words:
            return ConfigError("its certificate isn't trusted")
        return ConnectionLost(f"can't be reached: {words}")
    return ConnectionLost(f"broke off: {type(exc).__name__}")


async def _exchange(
    client: httpx.AsyncClient, request: HttpRequest, authority: Mapping[str, str], max_body: int
) -> HttpAnswer:
    """Do one call. Raises `ConnectionLost`, `ConfigError`, `RemoteProtocolError`; any status is an answer."""
    headers = {**request.headers, **authority}
    what = f"{request.method} {request.path}"
    why: ConnectionLost | ConfigError | LocalProtocolError
    try:
        return await _stream(client, request, headers, max_body)
    except httpx.HTTPError as exc:
        why = _why(exc)
    except httpx.InvalidURL:
        why = LocalProtocolError("isn't a path that can be called")
    # Raised out here so that it doesn't drag the library's exception, with the request in it, along as its context.
    why.args = (f"{what}: {why}",)
    raise why


async def _stream(
    client: httpx.AsyncClient, request: HttpRequest, headers: dict[str, str], max_body: int
) -> HttpAnswer:
    what = f"{request.method} {request.path}"
    query = dict(request.query) or None
    async with client.stream(
        request.method, request.path, params=query, content=request.body, headers=headers
    ) as response:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise RemoteProtocolError(f"{what}: the answer is compressed, which wasn't asked for")
        body = bytearray()
        # Cancelled, the generators of httpx and httpcore unwind in their own frames; left, they'd be for the collector.
        with trio.CancelScope() as reading:
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > max_body:
                    reading.cancel()
        if len(body) > max_body:
            raise RemoteProtocolError(f"{what}: the answer has more than {max_body} bytes")
        wait = read_retry_after(response.headers.get("retry-after"), response.headers.get("date"))
        return HttpAnswer(response.status_code, bytes(body), wait)


class HttpClient:
    """Calls one venue's HTTP interface. Used as an async context manager, which closes its sockets.

    Args:
        base: Its address, such as ``https://api.example.org``.
        tokens: Whose token goes along with every call.
        headers: Gives the headers that carry a token.
        classify: The dialect's: what a status asks of us.
        tls: As `client_tls` makes it.
        rng: For the jitter between tries.
        timing: For the delays between tries.
        transport: Carries the calls in place of sockets.
    """

    def __init__(
        self,
        base: str,
        *,
        tokens: TokenSource,
        headers: Callable[[str], Mapping[str, str]],
        classify: Callable[[int], ErrorClass],
        tls: ssl.SSLContext,
        rng: random.Random,
        timing: Timing,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._client = _client(base, tls, transport)
        self._tokens = tokens
        self._headers = headers
        self._classify = classify
        self._rng = rng
        self._timing = timing

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, exc, traceback)

    async def call(self, request: HttpRequest) -> HttpAnswer:
        """Do `request` and give its answer, whatever its status.

        A refused token is renewed and the call repeated, once: a refused call wasn't carried out. A ``GET`` that got no
        answer, or one of the class `RETRY`, is repeated up to `MAX_TRIES` times. Nothing else is ever sent twice.

        Raises:
            ConnectionLost: No answer; whether the call was carried out isn't known.
            Refused: There is no token to be had.
            ConfigError: The venue can't be reached securely.
            RemoteProtocolError: The answer is larger than `MAX_BODY`, or compressed.
        """
        renewed = False
        failures = 0
        while True:
            token = await self._tokens.get()
            last = request.method != "GET" or failures + 1 >= MAX_TRIES
            wait = 0.0
            try:
                answer = await _exchange(self._client, request, self._headers(token), MAX_BODY)
            except ConnectionLost:
                if last:
                    raise
            else:
                asks = None if answer.ok else self._classify(answer.status)
                if asks is ErrorClass.REFRESH and not renewed:
                    renewed = True
                    self._tokens.invalidate(token)
                    continue
                if asks is not ErrorClass.RETRY or last:
                    return answer
                wait = answer.retry_after
            await trio.sleep(max(wait, full_jitter(self._rng, failures, self._timing)))
            failures += 1


def token_fetcher(
    base: str,
    *,
    request: Callable[[], HttpRequest],
    parse: Callable[[bytes], TokenFacts],
    tls: ssl.SSLContext | None = None,
    timing: Timing | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Callable[[], Awaitable[TokenFacts]]:
    """Make the `fetch` of a `TokenSource` that asks a token service by HTTP.

    Args:
        base: The service's address.
        request: Builds the call; the credential is revealed in there, as late as can be.
        parse: Reads the body of a successful answer; raises `RemoteProtocolError` where it can't.
        tls: None: as `client_tls` makes it.
        timing: For the deadline of one try.
        transport: Carries the calls in place of sockets.
    """
    split_url(base)
    tls, within = tls or client_tls(), (timing or Timing()).fetch_within

    async def fetch() -> TokenFacts:
        answer = None
        # The client is made anew: the next call is most of a token's life away.
        with trio.move_on_after(within):
            async with _client(base, tls, transport) as client:
                answer = await _exchange(client, request(), {}, MAX_TOKEN_BODY)
        if answer is None:
            raise ConnectionLost(f"the token service didn't answer within {within:g} s")
        if answer.ok:
            return parse(answer.body)
        # The body of a refusal may repeat what it refuses: it isn't shown.
        words = f"the token service answered with HTTP {answer.status}"
        if answer.status in (408, 425, 429) or answer.status >= 500:
            raise TryLater(words, delay=answer.retry_after)
        if answer.status in (400, 401, 403):
            raise LoginRefused(f"{words}: the credential isn't accepted", code=answer.status)
        raise ConfigError(f"{words}: {base} doesn't look like its address")

    return fetch

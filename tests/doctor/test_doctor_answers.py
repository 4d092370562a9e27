"""What the doctor makes of a venue's answers about an instrument, whatever they are."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any, cast

import attrs
import httpx
import pytest
import trio

from strategykit.doctor.findings import Verdict
from strategykit.doctor.instruments import browse, look_for
from strategykit.errors import LocalProtocolError
from strategykit.net.endpoints import client_tls
from strategykit.net.http import HttpClient
from strategykit.net.timing import Timing
from strategykit.net.tokens import TokenSource, fixed_token
from strategykit.venues.dialect import Dialect
from strategykit.venues.stream.dialect import StreamFamily
from strategykit.venues.streams import Stream, StreamKind

BINANCE = StreamFamily("binance")


class Text(httpx.AsyncByteStream):
    def __init__(self, text: bytes) -> None:
        self._text = text

    async def __aiter__(self) -> AsyncIterator[bytes]:
        await trio.lowlevel.checkpoint()
        yield self._text


class FarEnd(httpx.AsyncBaseTransport):
    """Answers a question for one symbol, and one for all."""

    def __init__(self, one: tuple[int, bytes], all_: tuple[int, bytes]) -> None:
        self._one, self._all = one, all_

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await trio.lowlevel.checkpoint()
        status, text = self._one if "symbol" in request.url.params else self._all
        return httpx.Response(status, stream=Text(text))


def client(one: tuple[int, bytes], all_: tuple[int, bytes] = (200, b'{"symbols":[]}')) -> HttpClient:
    rng, timing = random.Random(1), Timing()
    return HttpClient(
        "https://api.example.org",
        tokens=TokenSource(fixed_token(None), protect=lambda _: None, rng=rng, timing=timing),
        headers=lambda _: {},
        classify=BINANCE.classify,
        tls=client_tls(),
        rng=rng,
        timing=timing,
        transport=FarEnd(one, all_),
    )


@pytest.mark.parametrize(
    ("one", "all_", "verdict", "words"),
    [
        ((400, b"{}"), (503, b""), Verdict.FAIL, "`strategykit instruments` lists what there is"),
        ((400, b"{}"), (200, b"nonsense"), Verdict.FAIL, "`strategykit instruments` lists what there is"),
        ((404, b""), (200, b'{"symbols":[]}'), Verdict.FAIL, "`strategykit instruments` lists what there is"),
        ((418, b""), (200, b""), Verdict.WARN, "HTTP 418"),
        ((200, b"nonsense"), (200, b""), Verdict.WARN, "it can't be looked up"),
    ],
)
async def test_only_a_venue_that_says_no_has_no_such_instrument(
    one: tuple[int, bytes], all_: tuple[int, bytes], verdict: Verdict, words: str, autojump_clock: object
) -> None:
    async with client(one, all_) as asked:
        (finding,) = await look_for(BINANCE, asked, ["XYZ"], exchange=None)

    assert finding.verdict is verdict
    assert words in f"{finding.words} {finding.advice}"


@attrs.frozen
class Streaming:
    """A venue that tells of its instruments by streams alone."""

    name: str = "streaming"

    def request(self, _: Any) -> Stream:
        return Stream(kind=StreamKind.INSTRUMENT, instrument="X")


async def test_a_venue_without_lists_says_so(autojump_clock: object) -> None:
    dialect = cast("Dialect", Streaming())
    async with client((200, b"")) as asked:
        with pytest.raises(LocalProtocolError, match="streaming isn't asked over HTTP what it lists"):
            await browse(dialect, asked, "", exchange=None)

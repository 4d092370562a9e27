"""Knocking at a venue's doors, one after the other: name, connection, token, time, WebSockets, login."""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable, Iterator
from typing import Final

import attrs
import trio

from strategykit.doctor.findings import Finding, Verdict
from strategykit.errors import ConnectionLost, LoginRefused, StrategykitError
from strategykit.net.endpoints import Endpoints, Target, client_tls, split_url
from strategykit.net.http import HttpClient, token_fetcher
from strategykit.net.timing import Timing
from strategykit.net.tokens import TokenFacts, TokenSource, fixed_token
from strategykit.net.wire import Wire, open_wire
from strategykit.registry.venue import TimeQuestion, TokenService
from strategykit.secret import Secret
from strategykit.tape.redact import Redactor
from strategykit.venues.dialect import LOGIN, Dialect

__all__ = ["Doors", "knock"]

WITHIN: Final = 5.0
"""Seconds for each step: whoever waits at a terminal wants to know."""

_SILENCE: Final = f"no answer within {WITHIN:g} s"

OFFSET: Final = 1.5
"""Seconds by which clocks may differ unremarked. ALOR tells whole seconds, so that 1 s is nothing."""

FAR_OFF: Final = 30.0
"""Seconds from which on tokens look expired, or not yet valid."""


@attrs.frozen(kw_only=True)
class Doors:
    """What there is to knock at."""

    dialect: Dialect
    endpoints: Endpoints
    tokens: TokenService | Secret | None
    """What the venue is shown, or who has it; None: nothing."""
    time: TimeQuestion | None
    """None: it can't be asked."""
    now: Callable[[], int]
    """Our time, nanoseconds UTC."""
    redactor: Redactor = attrs.field(factory=Redactor)
    """Knows the credential: what is found quotes what the venue said."""


async def knock(doors: Doors) -> list[Finding]:
    """Try everything that a run will need, and give what was found. Nothing is ordered or subscribed."""
    with doors.redactor.errors():
        return [doors.redactor.report(finding) for finding in await _knock(doors)]


async def _knock(doors: Doors) -> list[Finding]:
    found: list[Finding] = []
    reachable = True
    for target in _targets(doors.endpoints):
        finding = await _reach(target)
        found.append(finding)
        reachable = reachable and finding.verdict is Verdict.OK
    if not reachable:
        return found  # The rest would only say the same again.
    tls = client_tls()
    token: TokenFacts | None
    if isinstance(doors.tokens, TokenService):
        token, finding = await _fetch(doors, doors.tokens, tls)
        found.append(finding)
    else:
        token = await fixed_token(doors.tokens)()
    if token is not None and doors.time is not None:
        found.append(await _compare_time(doors, doors.time, tls, token))
    lanes = {spec.path: name for name, spec in reversed([*doors.dialect.lanes.items()])}
    for path in dict.fromkeys(spec.path for spec in doors.dialect.lanes.values()):
        found += await _upgrade(doors, tls, path, lanes[path], None if token is None else token.text)
    return found


def _targets(endpoints: Endpoints) -> Iterator[Target]:
    """Give each place once, however many addresses lead to it."""
    seen = set()
    for url in (endpoints.oauth, endpoints.http, endpoints.ws):
        target = split_url(url)
        if (target.host, target.port) not in seen:
            seen.add((target.host, target.port))
            yield target


async def _reach(target: Target) -> Finding:
    what = f"network {target.host}:{target.port}"
    began = trio.current_time()
    try:
        with trio.fail_after(WITHIN):
            await trio.socket.getaddrinfo(target.host, target.port)
    except (OSError, trio.TooSlowError) as exc:
        words = f"the name can't be resolved: {str(exc) or 'no answer'}"
        return Finding(what, Verdict.FAIL, words, "check the address in [venue], and this machine's DNS")
    try:
        with trio.fail_after(WITHIN):
            stream = await trio.open_tcp_stream(target.host, target.port)
            await stream.aclose()
    except (OSError, trio.TooSlowError) as exc:
        words = f"no connection: {str(exc) or _SILENCE}"
        return Finding(what, Verdict.FAIL, words, "is the venue up, the port right, a firewall in between?")
    return Finding(what, Verdict.OK, f"connected in {(trio.current_time() - began) * 1e3:.0f} ms")


async def _fetch(doors: Doors, service: TokenService, tls: ssl.SSLContext) -> tuple[TokenFacts | None, Finding]:
    fetch = token_fetcher(
        doors.endpoints.oauth,
        request=service.request,
        parse=service.parse,
        tls=tls,
        timing=Timing(fetch_within=WITHIN),
    )
    try:
        token = await fetch()
    except LoginRefused as exc:
        return None, Finding("token", Verdict.FAIL, str(exc), "get a new refresh token from the broker; they expire")
    except StrategykitError as exc:
        return None, Finding("token", Verdict.FAIL, str(exc), "check venue.oauth; try again in a minute")
    doors.redactor.protect(token.text, passing=True)
    return token, Finding("token", Verdict.OK, f"a token that lives {(token.expires - token.issued) / 60e9:.0f} min")


async def _compare_time(doors: Doors, question: TimeQuestion, tls: ssl.SSLContext, token: TokenFacts) -> Finding:
    async def known() -> TokenFacts:
        await trio.lowlevel.checkpoint()
        return token

    timing = Timing(fetch_within=WITHIN)
    # Seeded, because nothing hangs on it: it spreads retries, of which there's one.
    rng = random.Random(0)
    tokens = TokenSource(known, protect=lambda _: None, rng=rng, timing=timing)
    try:
        with trio.fail_after(WITHIN):
            async with HttpClient(
                doors.endpoints.http,
                tokens=tokens,
                headers=lambda token: doors.dialect.http_headers(token=token),
                classify=doors.dialect.classify,
                tls=tls,
                rng=rng,
                timing=timing,
            ) as client:
                before = doors.now()
                answer = await client.call(question.request)
                middle = (before + doors.now()) // 2
        if not answer.ok:
            raise ConnectionLost(f"the venue answered with HTTP {answer.status}")
        offset = (question.parse(answer.body) - middle) / 1e9
    except (StrategykitError, trio.TooSlowError) as exc:
        words = f"the venue's time can't be had: {str(exc) or _SILENCE}"
        return Finding("time", Verdict.WARN, words, "lags can't be measured; check venue.http")
    words = f"our clock and the venue's differ by {abs(offset):.1f} s"
    if abs(offset) <= OFFSET:
        return Finding("time", Verdict.OK, words)
    return Finding(
        "time", Verdict.FAIL if abs(offset) > FAR_OFF else Verdict.WARN, words, "set this machine's clock by NTP"
    )


async def _upgrade(doors: Doors, tls: ssl.SSLContext, path: str, lane: str, token: str | None) -> list[Finding]:
    what = f"websocket {path}"
    began = trio.current_time()
    failure = ""
    found: list[Finding] = []
    dialect = doors.dialect
    try:
        with trio.fail_after(WITHIN):
            async with open_wire(
                doors.endpoints.ws + path,
                frame_bytes=dialect.limits.frame_bytes,
                tls=tls,
                headers=dialect.upgrade_headers(lane, token=token or ""),
            ) as wire:
                found = [Finding(what, Verdict.OK, f"open in {(trio.current_time() - began) * 1e3:.0f} ms")]
                if token is not None:
                    found += await _log_in(doors, wire, lane, token)
    except* (StrategykitError, trio.TooSlowError) as group:
        failure = str(_first(group)) or _SILENCE
    if failure and not found:
        advice = "check venue.ws; a proxy in between may not let WebSockets through"
        return [Finding(what, Verdict.FAIL, f"the handshake failed: {failure}", advice)]
    if failure:
        found.append(Finding(f"login {path}", Verdict.FAIL, failure, "try again in a minute"))
    return found


async def _log_in(doors: Doors, wire: Wire, lane: str, token: str) -> list[Finding]:
    """Show the token where the venue wants it in a message of its own.

    Raises:
        ConnectionLost: The venue hung up.
    """
    guid = f"{LOGIN}doctor"
    frame = doors.dialect.login(lane, guid=guid, token=token)
    if frame is None:
        return []
    await wire.send(frame)
    reply = None
    while reply is None:
        reply = doors.dialect.login_reply(await wire.receive(), guid)
    what = f"login {doors.dialect.lanes[lane].path}"
    if reply.ok:
        return [Finding(what, Verdict.OK, "the venue lets us in")]
    words = f"refused: {reply.message} ({reply.code})"
    return [Finding(what, Verdict.FAIL, words, "check the credentials that [venue] names")]


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error

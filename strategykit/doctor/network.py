"""Knocking at a venue's doors, one after the other: name, connection, token, time, what it lists, WebSockets, login."""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Final

import attrs
import trio

from strategykit.doctor.findings import Finding, Verdict
from strategykit.doctor.instruments import browse, look_for
from strategykit.errors import ConfigError, ConnectionLost, LocalProtocolError, LoginRefused, StrategykitError
from strategykit.net.endpoints import Endpoints, Target, client_tls, split_url
from strategykit.net.http import HttpClient, token_fetcher
from strategykit.net.timing import Timing
from strategykit.net.tokens import TokenFacts, TokenSource, fixed_token
from strategykit.net.wire import Wire, open_wire
from strategykit.registry.venue import TimeQuestion, TokenService
from strategykit.secret import Secret
from strategykit.tape.redact import Redactor
from strategykit.venues.dialect import LOGIN, Dialect, Frame
from strategykit.venues.lookups import Listed

__all__ = ["Doors", "find_instruments", "knock"]

WITHIN: Final = 5.0
"""Seconds for each step: whoever waits at a terminal wants to know."""

_SILENCE: Final = f"no answer within {WITHIN:g} s"

_GUID: Final = f"{LOGIN}doctor"

_UNTRIED: Final = "not tried: it would end a session that is open for the same user"
_ADVISED: Final = "`doctor --login` tries it; say that while nothing else is logged in"
_CREDENTIALS: Final = "check the credentials that [venue] names"

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
    http_tokens: TokenService | None = None
    """Has what HTTP calls go with while no session is open; None: they go with the same."""
    instruments: Sequence[str] = ()
    """What is to be found there."""
    exchange: str | None = None
    """Where instruments name none."""
    login: bool = False
    """Whether a login is tried, too, that ends a session of the same user which is open."""
    redactor: Redactor = attrs.field(factory=Redactor)
    """Knows the credential: what is found quotes what the venue said."""


async def knock(doors: Doors) -> list[Finding]:
    """Try what a run will need, and give what was found. Nothing is ordered or subscribed, and nobody displaced."""
    with doors.redactor.errors():
        return [doors.redactor.report(finding) for finding in await _knock(doors)]


async def find_instruments(doors: Doors, text: str) -> Sequence[Listed]:
    """Give what the venue lists under a name, or what has a word in its name or description; all, if `text` is empty.

    With a password this logs in over HTTP: somebody asked for it.

    Raises:
        StrategykitError: It wasn't told.
    """
    with doors.redactor.errors():
        tls = client_tls()
        token, found = None, list[Finding]()
        with trio.move_on_after(WITHIN):
            token = await _get_token(attrs.evolve(doors, login=True), doors.http_tokens or doors.tokens, tls, found)
        if token is None:
            raise ConfigError(next((finding.words for finding in found), _SILENCE))
        async with _http_client(doors, tls, token) as client:
            return await browse(doors.dialect, client, text, exchange=doors.exchange)


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
    token = await _get_token(doors, doors.tokens, tls, found)
    http_token = token
    if doors.http_tokens is not None:
        http_token = await _get_token(doors, doors.http_tokens, tls, found)
    if http_token is not None:
        async with _http_client(doors, tls, http_token) as client:
            if doors.time is not None:
                found.append(await _compare_time(doors, doors.time, client))
            found += await look_for(doors.dialect, client, doors.instruments, exchange=doors.exchange)
    shown = None if token is None else token.text
    for label, lane in _lanes(doors.dialect, shown).items():
        found += await _upgrade(doors, tls, label, lane, shown)
    return found


def _http_client(doors: Doors, tls: ssl.SSLContext, token: TokenFacts) -> HttpClient:
    """Make what calls the venue with one token and no other."""

    async def known() -> TokenFacts:
        await trio.lowlevel.checkpoint()
        return token

    timing = Timing(fetch_within=WITHIN)
    # Seeded, because nothing hangs on it: it spreads retries.
    rng = random.Random(0)
    return HttpClient(
        doors.endpoints.http,
        tokens=TokenSource(known, protect=lambda _: None, rng=rng, timing=timing),
        headers=lambda token: doors.dialect.http_headers(token=token),
        classify=doors.dialect.classify,
        tls=tls,
        rng=rng,
        timing=timing,
    )


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


async def _get_token(
    doors: Doors, tokens: TokenService | Secret | None, tls: ssl.SSLContext, found: list[Finding]
) -> TokenFacts | None:
    """Give a token, if there is one to be had; what a service says of that is a finding."""
    if not isinstance(tokens, TokenService):
        return await fixed_token(tokens)()
    if tokens.displaces and not doors.login:
        await trio.lowlevel.checkpoint()
        found.append(Finding("token", Verdict.WARN, _UNTRIED, _ADVISED))
        return None
    token, finding = await _fetch(doors, tokens, tls)
    found.append(finding)
    return token


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
        advice = _CREDENTIALS if service.displaces else "get a new refresh token from the broker; they expire"
        return None, Finding("token", Verdict.FAIL, str(exc), advice)
    except StrategykitError as exc:
        return None, Finding("token", Verdict.FAIL, str(exc), "check venue.oauth; try again in a minute")
    doors.redactor.protect(token.text, passing=True)
    for value in doors.dialect.http_headers(token=token.text).values():
        doors.redactor.protect(value.rpartition(" ")[2], passing=True)
    return token, Finding("token", Verdict.OK, f"a token that lives {(token.expires - token.issued) / 60e9:.0f} min")


async def _compare_time(doors: Doors, question: TimeQuestion, client: HttpClient) -> Finding:
    try:
        with trio.fail_after(WITHIN):
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


def _lanes(dialect: Dialect, token: str | None) -> dict[str, str]:
    """Give a lane of each path, and those besides that log in with something else, by what they are called here."""
    chosen: dict[tuple[str, Frame | None], str] = {}
    for name, spec in dialect.lanes.items():
        frame = None
        if token is not None:
            with suppress(LocalProtocolError):  # It is told where it is tried.
                frame = dialect.login(name, guid=_GUID, token=token)
        chosen.setdefault((spec.path, frame), name)
    paths = [path for path, _ in chosen]
    return {path if paths.count(path) == 1 else f"{path} ({name})": name for (path, _), name in chosen.items()}


async def _upgrade(doors: Doors, tls: ssl.SSLContext, label: str, lane: str, token: str | None) -> list[Finding]:
    what = f"websocket {label}"
    began = trio.current_time()
    failure = ""
    found: list[Finding] = []
    dialect = doors.dialect
    try:
        with trio.fail_after(WITHIN):
            async with open_wire(
                doors.endpoints.ws + dialect.lanes[lane].path,
                frame_bytes=dialect.limits.frame_bytes,
                tls=tls,
                headers=dialect.upgrade_headers(lane, token=token or ""),
            ) as wire:
                found = [Finding(what, Verdict.OK, f"open in {(trio.current_time() - began) * 1e3:.0f} ms")]
                if token is not None:
                    found += await _log_in(doors, wire, label, lane, token)
    except* (StrategykitError, trio.TooSlowError) as group:
        failure = str(_first(group)) or _SILENCE
    if failure and not found:
        advice = "check venue.ws; a proxy in between may not let WebSockets through"
        return [Finding(what, Verdict.FAIL, f"the handshake failed: {failure}", advice)]
    if failure:
        found.append(Finding(f"login {label}", Verdict.FAIL, failure, "try again in a minute"))
    return found


async def _log_in(doors: Doors, wire: Wire, label: str, lane: str, token: str) -> list[Finding]:
    """Show the token where the venue wants it in a message of its own, unless that would put somebody else out.

    Raises:
        ConnectionLost: The venue hung up.
    """
    frame = doors.dialect.login(lane, guid=_GUID, token=token)
    if frame is None:
        return []
    what = f"login {label}"
    if doors.dialect.lanes[lane].displaces and not doors.login:
        return [Finding(what, Verdict.WARN, _UNTRIED, _ADVISED)]
    await wire.send(frame)
    reply = None
    while reply is None:
        reply = doors.dialect.login_reply(await wire.receive(), _GUID)
    if reply.ok:
        return [Finding(what, Verdict.OK, "the venue lets us in")]
    words = f"refused: {reply.message} ({reply.code})"
    return [Finding(what, Verdict.FAIL, words, _CREDENTIALS)]


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error

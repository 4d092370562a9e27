"""Knocking at a venue's doors, on real sockets: what is found when each of them stays shut."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import attrs
import pytest
import trio

from strategykit.cli import main
from strategykit.config import VenuePlan, make_session
from strategykit.doctor import network
from strategykit.doctor.doors import venue_doors
from strategykit.doctor.findings import Finding, Verdict
from strategykit.doctor.network import knock
from strategykit.errors import RemoteProtocolError
from strategykit.registry.alor import parse_time
from strategykit.registry.venue import TimeQuestion, TokenService
from strategykit.sim.alor_config import AlorVenueConfig
from strategykit.sim.server_alor import open_simulated_alor
from strategykit.venues.alor.tokens import read_refresh
from strategykit.venues.dialect import HttpRequest

NOWHERE = HttpRequest(method="GET", path="/nothing/here")
CONFIG = AlorVenueConfig(actions_per_second=1.0)


def plan(url: str, **more: str) -> VenuePlan:
    table = {"name": "alor", "url": url, **more}
    return make_session({"venue": table}, folder=Path(), source="test").venue


def closed_port() -> int:
    """Give a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def of(findings: list[Finding], what: str) -> Finding:
    (finding,) = [item for item in findings if item.what.startswith(what)]
    return finding


async def answers(url: str, **changes: object) -> list[Finding]:
    doors = attrs.evolve(venue_doors(plan(url)), **changes)  # type: ignore[arg-type]  # whichever fields a test names
    with trio.fail_after(30):
        return await knock(doors)


async def test_a_venue_that_is_well_opens_every_door() -> None:
    async with open_simulated_alor(CONFIG) as venue:
        findings = await answers(venue.url)

    assert [item.what for item in findings] == [
        f"network 127.0.0.1:{venue.port}",
        "token",
        "time",
        "websocket /ws",
        "websocket /cws",
        "login /cws",
    ]
    assert {item.verdict for item in findings} == {Verdict.OK}
    assert "lives 30 min" in of(findings, "token").words


async def test_a_venue_that_is_not_there_is_said_once() -> None:
    (finding,) = await answers(f"http://127.0.0.1:{closed_port()}")

    assert finding.verdict is Verdict.FAIL
    assert "no connection" in finding.words


async def test_a_name_that_nobody_has_is_said() -> None:
    table = {"account": "D1", "token": "env:PATH", "oauth": "https://nobody.invalid"}
    doors = venue_doors(plan("https://nobody.invalid", **table))

    (finding,) = await knock(doors)

    assert finding.verdict is Verdict.FAIL
    assert "can't be resolved" in finding.words


async def test_a_wrong_refresh_token_is_said_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WRONG_KEY_IN_TESTS", "abcdefgh")
    async with open_simulated_alor(CONFIG) as venue:
        findings = await knock(venue_doors(plan(venue.url, token="env:WRONG_KEY_IN_TESTS")))

    token = of(findings, "token")
    assert token.verdict is Verdict.FAIL
    assert "new refresh token" in token.advice
    assert "abcdefgh" not in str(findings)
    assert [item.what for item in findings if item.verdict is Verdict.OK][1:] == ["websocket /ws", "websocket /cws"]


async def test_a_token_service_that_is_something_else_is_said() -> None:
    async with open_simulated_alor(CONFIG) as venue:
        service = TokenService(request=lambda: NOWHERE, parse=read_refresh)
        findings = await answers(venue.url, tokens=service)

    assert of(findings, "token").verdict is Verdict.FAIL


@pytest.mark.parametrize(("seconds", "verdict"), [(0, Verdict.OK), (10, Verdict.WARN), (-3_600, Verdict.FAIL)])
async def test_clocks_that_differ_are_said(seconds: int, verdict: Verdict) -> None:
    async with open_simulated_alor(CONFIG) as venue:
        findings = await answers(venue.url, now=lambda: venue.now() + seconds * 10**9)

    assert of(findings, "time").verdict is verdict


async def test_a_time_that_cannot_be_had_is_said() -> None:
    async with open_simulated_alor(CONFIG) as venue:
        findings = await answers(venue.url, time=TimeQuestion(request=NOWHERE, parse=parse_time))

    assert of(findings, "time").verdict is Verdict.WARN


async def test_a_refused_upgrade_is_said_for_each_socket() -> None:
    async with open_simulated_alor(CONFIG) as venue:
        venue.faults.refuse_upgrades(60, status=503)
        findings = await answers(venue.url)

    assert [item.verdict for item in findings if item.what.startswith("websocket")] == [Verdict.FAIL] * 2
    assert "503" in of(findings, "websocket /ws").words


@asynccontextmanager
async def silent_host() -> AsyncGenerator[str]:
    """A host that takes connections and never says a word."""

    async def keep_silent(stream: trio.SocketStream) -> None:
        async with stream:
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        listeners: list[trio.SocketListener] = await nursery.start(
            partial(trio.serve_tcp, keep_silent, 0, host="127.0.0.1")
        )
        yield f"127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


async def test_silence_is_said_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "WITHIN", 0.2)
    async with open_simulated_alor(CONFIG) as venue, silent_host() as host:
        endpoints = attrs.evolve(plan(venue.url).endpoints, http=f"http://{host}", ws=f"ws://{host}")
        findings = await answers(venue.url, endpoints=endpoints)
        oauth = attrs.evolve(endpoints, oauth=f"http://{host}")
        without_token = await answers(venue.url, endpoints=oauth)

    assert of(findings, "time").verdict is Verdict.WARN
    assert "no answer within" in of(findings, "time").words
    assert "no answer within" in of(findings, "websocket /ws").words
    assert of(without_token, "token").verdict is Verdict.FAIL


def test_a_time_is_whole_seconds_or_nothing() -> None:
    assert parse_time(b"1773306907\n") == 1_773_306_907 * 10**9
    for body in (b"", b"soon", b"-5", b"1" * 13):
        with pytest.raises(RemoteProtocolError):
            parse_time(body)


def test_the_command_knocks_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "session.toml"
    path.write_text(f'[venue]\nname = "alor"\nurl = "http://127.0.0.1:{closed_port()}"\n', encoding="utf-8")

    assert main(["doctor", str(path)]) == 1
    assert "no connection" in capsys.readouterr().out

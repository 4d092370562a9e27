"""What the doctor asks of venues that aren't all alike: without a token service, without a clock, without orders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs
import pytest
import trio

from strategykit.config import Session, make_session
from strategykit.doctor.doors import venue_doors
from strategykit.doctor.examine import examine_session
from strategykit.doctor.findings import Finding, Verdict
from strategykit.doctor.network import Doors, knock
from strategykit.errors import RemoteProtocolError
from strategykit.registry.alor import ALOR
from strategykit.registry.simulation import SimPlan
from strategykit.registry.stream import parse_milliseconds
from strategykit.registry.table import find_venue
from strategykit.secret import Secret
from strategykit.venues.dialect import Frame, Reply


def session(name: str, url: str, keys: Mapping[str, str] | None = None) -> Session:
    return make_session({"venue": {"name": name, "url": url, **(keys or {})}}, folder=Path(), source="test")


async def knocked(doors: Doors) -> list[Finding]:
    with trio.fail_after(30):
        return await knock(doors)


@pytest.mark.parametrize(("name", "what"), [("binance", ["time", "websocket /stream"]), ("seed", ["websocket /ws"])])
async def test_a_public_venue_is_asked_for_no_token(name: str, what: list[str]) -> None:
    async with find_venue(name).simulation.open(SimPlan(rate=1.0)) as venue:
        findings = await knocked(venue_doors(session(name, venue.url).venue))

    assert [item.what for item in findings[1:]] == what
    assert {item.verdict for item in findings} == {Verdict.OK}


def test_a_public_venue_needs_no_key_and_costs_nothing() -> None:
    found = {item.what: item for item in examine_session(session("binance", "https://data-api.binance.vision"))}

    assert found["money"] == Finding("money", Verdict.OK, "Binance spot takes no orders: strategies trade on paper")
    assert found["key"] == Finding("key", Verdict.OK, "Binance spot asks for none")


async def without_service(url: str, token: str) -> list[Finding]:
    """Knock at ALOR's doors as at those of a venue that is shown a lasting key."""
    doors = venue_doors(session("alor", url).venue)
    return await knocked(attrs.evolve(doors, tokens=Secret(token), time=None))


async def test_a_key_that_the_venue_wants_in_a_message_is_tried() -> None:
    async with ALOR.simulation.open(SimPlan(rate=1.0)) as venue:
        plan = session("alor", venue.url).venue
        fetch = ALOR.fetcher(plan.secrets(), {}, plan.endpoints)
        good = await without_service(venue.url, (await fetch()).text)
        bad = await without_service(venue.url, "no-token-at-all")

    assert [item.what for item in good[1:]] == ["websocket /ws", "websocket /cws", "login /cws"]
    assert good[-1] == Finding("login /cws", Verdict.OK, "the venue lets us in")
    assert bad[-1].verdict is Verdict.FAIL
    assert bad[-1].words.startswith("refused: ")
    assert "credentials" in bad[-1].advice


@attrs.frozen
class _Deaf:
    """A dialect that takes nothing for an answer to its login."""

    inner: object

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def login_reply(self, frame: Frame, guid: str) -> Reply | None:
        return None


async def test_a_login_without_an_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("strategykit.doctor.network.WITHIN", 2.0)
    async with ALOR.simulation.open(SimPlan(rate=1.0)) as venue:
        doors = venue_doors(session("alor", venue.url).venue)
        deaf = attrs.evolve(doors, tokens=Secret("key"), time=None, dialect=_Deaf(doors.dialect))  # type: ignore[arg-type]
        findings = await knocked(deaf)

    assert findings[-1].what == "login /cws"
    assert findings[-1].verdict is Verdict.FAIL
    assert "no answer within" in findings[-1].words


def test_times_in_milliseconds_are_read_bare_and_in_an_object() -> None:
    assert parse_milliseconds(b"1773306907123") == 1_773_306_907_123 * 10**6
    assert parse_milliseconds(b'{"serverTime":1773306907123,"x":1}') == 1_773_306_907_123 * 10**6
    for body in (b"", b"soon", b'{"time":1}', b"-5", b"0", b"1" * 17, b'"1773306907123"', b"1.5"):
        with pytest.raises(RemoteProtocolError):
            parse_milliseconds(body)

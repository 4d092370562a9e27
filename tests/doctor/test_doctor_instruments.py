"""Looking up instruments at venues of every kind, and keys that are tried without putting anybody out."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from strategykit.config import Session, make_session
from strategykit.doctor import instruments as module
from strategykit.doctor.doors import venue_doors
from strategykit.doctor.findings import Finding, Verdict
from strategykit.doctor.instruments import instruments_of
from strategykit.doctor.network import Doors, find_instruments, knock
from strategykit.errors import ConfigError, ConnectionLost, StrategykitError
from strategykit.net.endpoints import client_tls
from strategykit.net.wire import Wire, open_wire
from strategykit.registry.simulation import SimPlan
from strategykit.registry.table import find_venue
from strategykit.sim.server_t4 import SimulatedT4, open_simulated_t4
from strategykit.sim.t4_config import T4User, T4VenueConfig
from strategykit.venues.t4.dialect import T4
from strategykit.venues.t4.proto.service_pb2 import ServerMessage

ES = "CME_Eq/ES/XCME_Eq ES (Z26)"
USER = T4User(password="canary-password", app_license="canary-licence", api_key="canary-key")
PASSWORD = {
    "firm": USER.firm,
    "username": USER.username,
    "app_name": USER.app_name,
    "password": "env:T4_PASSWORD_IN_TESTS",
    "app_license": "env:T4_LICENCE_IN_TESTS",
}


def session(name: str, url: str, **keys: str) -> Session:
    return make_session({"venue": {"name": name, "url": url, **keys}}, folder=Path(), source="test")


def doors(name: str, url: str, *symbols: str, keys: Mapping[str, str] | None = None, login: bool = False) -> Doors:
    return venue_doors(session(name, url, **(keys or {})).venue, instruments=symbols, login=login)


async def knocked(doors: Doors) -> dict[str, Finding]:
    with trio.fail_after(30):
        return {finding.what: finding for finding in await knock(doors)}


def simulated(name: str) -> AbstractAsyncContextManager[Any]:
    return find_venue(name).simulation.open(SimPlan(rate=1.0))


def t4(**settings: Any) -> AbstractAsyncContextManager[SimulatedT4]:
    return open_simulated_t4(T4VenueConfig(actions_per_second=1.0, users=(USER,), **settings))


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T4_KEY_IN_TESTS", USER.api_key)
    monkeypatch.setenv("T4_PASSWORD_IN_TESTS", USER.password)
    monkeypatch.setenv("T4_LICENCE_IN_TESTS", USER.app_license)


async def heard(running: Wire) -> ServerMessage:
    frame = await running.receive()
    assert isinstance(frame, bytes)
    return ServerMessage.FromString(frame)


KEY = {"api_key": "env:T4_KEY_IN_TESTS"}


def test_what_a_session_subscribes_to_is_looked_up_once() -> None:
    given: dict[str, Any] = {
        "venue": {"name": "alor", "url": "http://127.0.0.1:9"},
        "strategy": [
            {"file": "sample:cross", "params": {"instrument": "SBER"}},
            {"file": "sample:maker", "params": {"instrument": "GAZP", "refresh": "often"}},
            {"file": "sample:nothing"},
        ],
        "record": [{"kind": "trades", "instrument": "SBER"}, {"kind": "trades", "instrument": "LKOH"}],
    }

    wanted = instruments_of(make_session(given, folder=Path(), source="test"), 10**18)

    assert wanted == ["SBER", "LKOH"], "of what can't be made, nothing is known"


@pytest.mark.parametrize(
    ("name", "there", "not_there", "near", "words"),
    [
        ("alor", "SBER", "SBRE", "SBER", "lot 10"),
        ("binance", "BTCUSDT", "BTCUSD", "BTCUSDT", "tick 0.01"),
        ("backpack", "SOL_USDC", "SOL_USD", "SOL_USDC", "USDC"),
        ("t4", ES, "CME_Eq/ES/XCME_Eq ES (Z62)", ES, "until 20261200"),
    ],
)
async def test_an_instrument_is_found_or_those_that_are_nearly_called_so(
    name: str, there: str, not_there: str, near: str, words: str
) -> None:
    async with simulated(name) as venue:
        found = await knocked(doors(name, venue.url, there, not_there))

    assert found[f"instrument {there}"].verdict is Verdict.OK
    assert words in found[f"instrument {there}"].words
    missing = found[f"instrument {not_there}"]
    assert (missing.verdict, missing.words) == (Verdict.FAIL, "the venue lists none of this name")
    assert near in missing.advice


async def test_a_name_that_cant_be_one_says_what_could() -> None:
    async with simulated("binance") as venue:
        found = await knocked(doors("binance", venue.url, "BTC/USDT"))

    assert found["instrument BTC/USDT"].verdict is Verdict.FAIL
    assert found["instrument BTC/USDT"].advice == "mend its name"


async def test_a_venue_that_cant_be_asked_now_is_said_and_all_else_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WITHIN", 0.2)

    async def keep_silent(stream: trio.SocketStream) -> None:
        async with stream:
            await trio.sleep_forever()

    async def knock_at(name: str, symbol: str) -> dict[str, Finding]:
        async with simulated(name) as venue, trio.open_nursery() as nursery:
            listeners: list[trio.SocketListener] = await nursery.start(
                partial(trio.serve_tcp, keep_silent, 0, host="127.0.0.1")
            )
            silent = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
            well = doors(name, venue.url, symbol)
            found = await knocked(attrs.evolve(well, time=None, endpoints=attrs.evolve(well.endpoints, http=silent)))
            nursery.cancel_scope.cancel()
        return found

    binance, futures = await knock_at("binance", "BTCUSDT"), await knock_at("t4", ES)

    assert binance["instrument BTCUSDT"].verdict is Verdict.WARN
    assert "no answer within" in binance["instrument BTCUSDT"].words
    assert binance["websocket /stream"].verdict is Verdict.OK
    assert futures["lists"].verdict is Verdict.WARN
    assert f"instrument {ES}" not in futures


async def test_a_key_is_tried_and_no_session_of_its_user_is_disturbed() -> None:
    async with t4() as venue, open_wire(venue.websocket_url, frame_bytes=100_000, tls=client_tls()) as running:
        await running.send(T4().login("session", guid="", token=USER.api_key))
        assert (await heard(running)).login_response.result == 0
        careful = await knocked(doors("t4", venue.url, ES, keys=KEY))
        with trio.move_on_after(0.2):
            raise AssertionError(f"nothing should come: {await running.receive()!r}")
        asked = await knocked(doors("t4", venue.url, keys=KEY, login=True))
        farewell = (await heard(running)).login_response
        with pytest.raises(ConnectionLost):
            await running.receive()

    assert [(finding.what, finding.verdict.value) for finding in careful.values()][1:] == [
        ("lists", "ok"),
        (f"instrument {ES}", "ok"),
        ("websocket /v1", "ok"),
        ("login /v1", "warn"),
    ]
    assert careful["login /v1"].words == "not tried: it would end a session that is open for the same user"
    assert "--login" in careful["login /v1"].advice
    assert asked["login /v1"] == Finding("login /v1", Verdict.OK, "the venue lets us in")
    assert farewell.result == 6


async def test_a_wrong_key_is_found_without_a_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T4_KEY_IN_TESTS", "canary-wrong")
    async with t4() as venue:
        found = await knocked(doors("t4", venue.url, ES, keys=KEY))

    assert found["lists"].verdict is Verdict.FAIL
    assert "credentials" in found["lists"].advice
    assert f"instrument {ES}" not in found
    assert "canary" not in str(found)


async def test_a_password_is_tried_only_when_that_is_asked_for() -> None:
    async with t4() as venue:
        careful = await knocked(doors("t4", venue.url, ES, keys=PASSWORD))
        asked = await knocked(doors("t4", venue.url, ES, keys=PASSWORD, login=True))

    assert [(finding.what, finding.verdict.value) for finding in careful.values()][1:] == [
        ("token", "warn"),
        ("websocket /v1", "ok"),
        ("login /v1", "warn"),
    ]
    assert {finding.verdict for finding in asked.values()} == {Verdict.OK}
    assert [*asked][1:] == ["token", "lists", f"instrument {ES}", "websocket /v1", "login /v1"]
    assert "canary" not in str((careful, asked))


async def test_a_wrong_password_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T4_PASSWORD_IN_TESTS", "canary-wrong")
    async with t4() as venue:
        found = await knocked(doors("t4", venue.url, keys=PASSWORD, login=True))

    assert (found["token"].verdict, found["login /v1"].verdict) == (Verdict.FAIL, Verdict.FAIL)
    assert "credentials" in found["token"].advice
    assert "canary" not in str(found)


async def test_each_application_logs_in_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T4_SECOND_IN_TESTS", "canary-wrong")
    keys = {**KEY, "second_app": "orders", "orders_api_key": "env:T4_SECOND_IN_TESTS"}
    async with t4() as venue:
        found = await knocked(doors("t4", venue.url, keys=keys, login=True))

    verdicts = {what: finding.verdict for what, finding in found.items() if what.startswith("login")}
    assert verdicts == {"login /v1 (market)": Verdict.OK, "login /v1 (orders)": Verdict.FAIL}


async def test_lists_can_be_browsed_with_a_key_or_a_password() -> None:
    async with t4() as venue:
        for keys in (KEY, PASSWORD):
            rows = await find_instruments(doors("t4", venue.url, keys=keys), "crude")
            assert [row.symbol for row in rows] == ["CME_Ny/CL"]


async def test_a_short_list_is_looked_through_for_a_word() -> None:
    async with simulated("alor") as venue:
        rows = await find_instruments(doors("alor", venue.url), "sber")

    assert [row.symbol for row in rows] == ["SBER"]
    assert "tick" in rows[0].description


async def test_lists_that_cant_be_had_say_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T4_PASSWORD_IN_TESTS", "canary-wrong")
    async with t4() as venue:
        with pytest.raises(ConfigError, match="credential isn't accepted"):
            await find_instruments(doors("t4", venue.url, keys=PASSWORD), "")
        monkeypatch.setenv("T4_KEY_IN_TESTS", "canary-wrong")
        with pytest.raises(StrategykitError, match="HTTP 401"):
            await find_instruments(doors("t4", venue.url, keys=KEY), "")

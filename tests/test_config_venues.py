"""What a session may say of each venue, and the one line that each mistake gets."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.config import PAPER_ACCOUNT, Session, VenuePlan, make_session
from strategykit.config_values import WrongValue, step
from strategykit.errors import ConfigError
from strategykit.net.endpoints import Endpoints
from strategykit.registry.table import VENUES, find_venue

LOCAL = "http://127.0.0.1:8900"


def session(name: str, keys: Mapping[str, object] = {}, *, live: bool = False) -> Session:
    document = {"venue": {"name": name, **keys}, "run": {"live": live}}
    return make_session(document, folder=Path(), source="here")


def mistakes(name: str, keys: Mapping[str, object], *, live: bool = False) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        session(name, keys, live=live)
    return [line.removeprefix("here: ") for line in str(caught.value).splitlines()]


@pytest.mark.parametrize("name", VENUES)
def test_a_simulated_venue_needs_but_its_address(name: str) -> None:
    plan = session(name, {"url": LOCAL}).venue

    assert plan.loopback
    assert plan.endpoints == Endpoints.at(LOCAL)
    assert plan.dialect().lanes
    assert plan.secrets().keys() == (plan.known.logins[0].keys() if plan.known.logins else set())
    assert plan.account == (plan.known.simulation.account or PAPER_ACCOUNT)
    assert 1 <= plan.market_connections <= plan.known.market_connections


@pytest.mark.parametrize("name", VENUES)
def test_a_key_of_another_venue_is_told_apart_from_one_that_nobody_has(name: str) -> None:
    others = {key for venue in VENUES.values() for key in (*venue.options, *venue.credentials)}
    others -= {*VENUES[name].options, *VENUES[name].credentials}
    for key in others:
        (told,) = mistakes(name, {"url": LOCAL, key: "x"})
        assert told.startswith(f"venue.{key} is a key of ")
        assert f", not of {name}; known are name, url, http, ws" in told
    (told,) = mistakes(name, {"url": LOCAL, "ulr": "x"})
    assert told == "venue.ulr is no known key; did you mean url?"


@pytest.mark.parametrize("name", [name for name, venue in VENUES.items() if venue.home is not None])
def test_a_public_venue_is_where_it_is(name: str) -> None:
    keys = {key: credential.example for key, credential in find_venue(name).credentials.items()}
    plan = session(name, keys).venue

    assert plan.endpoints.ws.startswith("wss://")
    assert not plan.loopback
    assert plan.endpoints == session(name, {"url": plan.endpoints.http, **keys}).venue.endpoints


@pytest.mark.parametrize("name", [name for name, venue in VENUES.items() if not venue.takes_orders])
def test_real_orders_where_none_are_taken_are_refused_with_the_reason(name: str) -> None:
    (told,) = mistakes(name, {"url": LOCAL}, live=True)

    title = find_venue(name).title
    assert told == f"run.live = true can't be: {title} takes no orders, strategies trade on paper there; leave it out"
    (told,) = mistakes(name, {"url": LOCAL, "account": "D1"})
    assert told.startswith("venue.account is a key of alor")


@pytest.mark.parametrize("name", [name for name, venue in VENUES.items() if venue.logins])
def test_off_this_machine_all_that_has_to_be_shown_is_asked_for(name: str) -> None:
    told = mistakes(name, {"http": "https://a.example", "ws": "wss://a.example", **_service(name)})

    (first, *_) = find_venue(name).logins
    assert [line.split()[0] for line in told][: len(first)] == [f"venue.{key}" for key in first]
    assert all("name where the " in line for line in told[: len(first)])


def _service(name: str) -> dict[str, str]:
    return {"oauth": "https://a.example"} if find_venue(name).oauth else {}


@pytest.mark.parametrize(
    ("name", "keys", "line"),
    [
        (
            "backpack",
            {"url": LOCAL, "format": "Slim"},
            "venue.format is a key of alor, not of backpack; known are name",
        ),
        ("binance", {"url": LOCAL, "oauth": LOCAL}, "venue.oauth is a key of alor, not of binance; known are name"),
        ("binance", {"trades": "all"}, 'venue.trades = "all" should be "trade" or "aggTrade"'),
        ("seed", {"url": LOCAL, "tick": "none"}, 'venue.tick = "none" should be a number above 0, such as "0.01"'),
        ("seed", {"url": LOCAL, "lot": True}, "venue.lot = true should be a number above 0"),
        ("seed", {"ws": "wss://a.example"}, "venue.http is missing; give http and ws, or url alone"),
        ("binance", {"url": "ftp://a.example"}, "venue.url: address"),
        ("binance", {"market_connections": 5}, "venue.market_connections = 5 should be a whole number, from 1 to 4"),
    ],
)
def test_a_mistake_gets_one_line(name: str, keys: dict[str, object], line: str) -> None:
    (told,) = mistakes(name, keys)

    assert told.startswith(line)


def test_what_only_some_venues_have_is_not_judged_where_the_venue_is_not_known() -> None:
    told = mistakes("nyse", {"url": "nowhere", "format": "Fat", "wrong": 1})

    assert [line.split()[0] for line in told] == ["venue.name", "venue.url:", "venue.wrong"]
    assert told[0].startswith('venue.name = "nyse" should be "alor" or ')


def test_options_make_the_dialect_and_stay_what_the_file_says() -> None:
    plan = session("seed", {"url": LOCAL, "tick": 0.5, "lot": "1E-3"}).venue

    assert plan.options == {"tick": "0.5", "lot": "1E-3"}
    assert plan.exchange is None
    plan.dialect()
    with pytest.raises(ConfigError, match="has no option 'trades'; known are tick, lot"):
        find_venue("seed").dialect({"trades": "trade"})
    with pytest.raises(ConfigError, match="has no option 'tick'; known are none"):
        find_venue("backpack").dialect({"tick": "1"})
    with pytest.raises(ConfigError, match='format = "Fat" should be'):
        find_venue("alor").dialect({"format": "Fat"})


def test_a_plan_that_says_nothing_has_the_venues_usual_options() -> None:
    assert VenuePlan(name="alor", endpoints=Endpoints.at(LOCAL)).options == {"exchange": "MOEX", "format": "Slim"}
    with pytest.raises(ConfigError, match="no venue is called 'nyse'; there are alor, "):
        VenuePlan(name="nyse", endpoints=Endpoints.at(LOCAL))


@settings(max_examples=100, deadline=None)
@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.lists(st.integers()))
def test_whatever_a_step_is_said_to_be_it_is_a_number_above_0_or_refused(value: object) -> None:
    with contextlib.suppress(WrongValue):
        assert Decimal(step(value, None)) > 0

"""What T4 lists, looked up over REST: by conversations with the simulated venue, and with answers by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.errors import RemoteProtocolError
from strategykit.sim.http_calls import HttpCall
from strategykit.sim.t4_config import T4VenueConfig
from strategykit.sim.t4_venue import T4Venue
from strategykit.venues.asks import HttpRequest
from strategykit.venues.lookups import Listed, LooksUp, Lookup
from strategykit.venues.stream.dialect import StreamFamily
from strategykit.venues.t4.dialect import T4

NOW = 1_795_000_000 * 10**9
ES = "CME_Eq/ES/XCME_Eq ES (Z26)"

Answer = Callable[[HttpRequest], bytes | None]


def talk(lookup: Lookup, answer: Answer) -> Sequence[Listed]:
    """Hold the conversation."""
    try:
        request = next(lookup)
        while True:
            request = lookup.send(answer(request))
    except StopIteration as over:
        found: Sequence[Listed] = over.value
        return found


@pytest.fixture(scope="module")
def venue() -> Answer:
    simulated = T4Venue(T4VenueConfig(actions_per_second=0.0), now=NOW)

    def answer(request: HttpRequest) -> bytes | None:
        headers = {"authorization": "APIKey simulated-api-key"}
        call = HttpCall(method=request.method, path=request.path, query=dict(request.query), headers=headers)
        found = simulated.answer(call, NOW)
        assert found.status in (200, 400)
        return found.body if found.status == 200 else None

    return answer


def names(found: Sequence[Listed]) -> list[str]:
    return [row.symbol for row in found]


def test_t4_is_a_venue_whose_lists_can_be_looked_up() -> None:
    assert isinstance(T4(), LooksUp)
    assert not isinstance(StreamFamily("binance"), LooksUp)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ["CME_Eq", "CME_Ny", "CME_C"]),
        ("CME_Eq", ["CME_Eq/ES"]),
        (" cme_eq/ ", ["CME_Eq/ES"]),
        ("CME_Eq/ES", ["CME_Eq/ES/XCME_Eq ES (Z26)", "CME_Eq/ES/XCME_Eq ES (H27)"]),
        ("Crude", ["CME_Ny/CL"]),
        ("note", ["CME_C/ZN"]),
        ("tulips", []),
        ("CME_Eq/TULIPS", []),
    ],
)
def test_markets_are_found_from_the_top_or_by_a_word(venue: Answer, text: str, found: list[str]) -> None:
    assert names(talk(T4().browse(text), venue)) == found


def test_a_market_is_told_with_its_expiry_and_what_holds_some_isnt_one(venue: Answer) -> None:
    (first, _) = talk(T4().browse("CME_Eq/ES"), venue)
    (contract,) = talk(T4().browse("CME_Eq"), venue)

    assert first == Listed(symbol=ES, description="E-mini S&P 500 202612", expires="20261200")
    assert contract == Listed(symbol="CME_Eq/ES", description="E-mini S&P 500", is_market=False)


def test_a_market_that_is_listed_is_found_alone(venue: Answer) -> None:
    assert names(talk(T4().look_up(ES), venue)) == [ES]


@pytest.mark.parametrize(
    ("symbol", "near"),
    [
        ("CME_Eq/ES/XCME_Eq ES (Z28)", [ES, "CME_Eq/ES/XCME_Eq ES (H27)"]),
        ("CME_Eq/ES", [ES, "CME_Eq/ES/XCME_Eq ES (H27)"]),
        ("CME_Eq/EZ/XCME_Eq EZ (Z26)", ["CME_Eq/ES"]),
        ("CME_Nymex/CL/XCME_Ny CL (Z26)", ["CME_Ny/CL"]),
        ("ES", ["CME_Eq/ES"]),
        ("CME_Cash/TULIPS/T1", ["CME_C", "CME_Eq", "CME_Ny"]),
        ("", ["CME_Ny", "CME_Eq", "CME_C"]),
    ],
)
def test_a_name_that_there_isnt_gives_those_that_are_most_like_it(venue: Answer, symbol: str, near: list[str]) -> None:
    found = names(talk(T4().look_up(symbol), venue))

    assert found[0] == near[0]
    assert sorted(found) == sorted(near)


def by_hand(**answers: Any) -> Answer:
    """Answer by the last part of the path, and by the group where one is asked for."""

    def answer(request: HttpRequest) -> bytes | None:
        kind = request.query.get("strategytype", "")
        key = request.path.rpartition("/")[2] if kind in ("", "None") else f"{kind}_{request.query['expirydate']}"
        found = answers.get(key)
        return None if found is None else json.dumps(found).encode()

    return answer


GROUPS = [
    {"strategyType": "None", "expiryDate": 0, "marketCount": 1},
    {"strategyType": "CalendarSpread", "expiryDate": 20261200, "marketCount": 1},
    {"strategyType": "Butterfly", "expiryDate": 20261200, "marketCount": 1},
    {"strategyType": "Condor", "expiryDate": 20261200, "marketCount": 1},
]


def test_a_strategy_of_several_markets_is_found_among_its_like() -> None:
    answer = by_hand(
        picker=[{"marketID": "M1"}],
        groups=GROUPS,
        CalendarSpread_20261200=[{"marketID": "M1-M2"}],
        Butterfly_20261200=[{"marketID": "M1-2M2+M3"}],
    )

    assert names(talk(T4().look_up("X/C/M1-2M2+M3"), answer)) == ["X/C/M1-2M2+M3"]
    assert names(talk(T4().look_up("X/C/M9"), answer)) == ["X/C/M1"]


def test_both_spellings_of_keys_are_read() -> None:
    rows = [{"exchangeID": "X", "contractId": "C", "description": None}, {"exchangeId": "X", "contractID": "D"}]

    found = talk(T4().browse("X"), by_hand(exchanges=[{"exchangeID": "X"}], contracts=rows))

    assert names(found) == ["X/C", "X/D"]
    assert [row.description for row in found] == ["", ""]


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"[{}]", b'[{"exchangeId":""}]', b'[{"exchangeId":7}]', b"\xff"])
def test_what_is_no_list_is_unreadable(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="list of T4's"):
        talk(T4().browse(""), lambda _: body)


VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=6)
KEYS = st.sampled_from(
    ["exchangeId", "contractID", "marketID", "marketId", "strategyType", "expiryDate", "description"]
)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=12), st.lists(st.lists(st.dictionaries(KEYS, VALUES), max_size=3), max_size=8), st.booleans())
def test_whatever_lists_say_a_lookup_ends_with_rows_or_says_what_it_cant_read(
    text: str, answers: list[list[dict[str, Any]]], whole: bool
) -> None:
    told = iter(answers)

    def answer(_: HttpRequest) -> bytes | None:
        rows = next(told, None)
        return None if rows is None else json.dumps(rows).encode()

    try:
        found = talk(T4().look_up(text) if whole else T4().browse(text), answer)
    except RemoteProtocolError:
        return
    assert all(row.symbol for row in found)

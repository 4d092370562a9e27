"""REST: market lists and charts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from strategykit.sim.t4_config import default_markets

if TYPE_CHECKING:
    from collections.abc import Callable

    from strategykit.venues.t4.proto import orderrouting_pb2 as routing
    from tests.sim_server.t4.conftest import Floor

    MakeTicket = Callable[..., routing.OrderSubmit.Order]

ES = "XCME_Eq ES (Z26)"
CONTRACT = {"exchangeid": "CME_Eq", "contractid": "ES"}
CHART = {"exchangeId": "CME_Eq", "contractId": "ES", "chartType": "Bar", "barPeriod": "5", "barInterval": "Minute"}


@pytest.fixture
def listed(make_floor: Callable[..., Floor]) -> Floor:
    return make_floor(markets=default_markets())


def read(floor: Floor, path: str, **query: str) -> Any:
    answer = floor.get(path, **query)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def test_markets_can_be_found_from_exchange_to_front_month(listed: Floor) -> None:
    exchanges = read(listed, "/markets/exchanges")
    contracts = read(listed, "/markets/contracts", exchangeid="CME_Eq")
    found = read(listed, "/markets/contracts/search", search="treasury")
    groups = read(listed, "/markets/picker/groups", **CONTRACT)
    markets = read(listed, "/markets/picker", **CONTRACT, strategytype="None")
    spreads = read(listed, "/markets/picker", **CONTRACT, strategytype="CalendarSpread", expirydate="202612")
    front = read(listed, "/markets/picker/firstmarket", **CONTRACT)

    assert [row["exchangeId"] for row in exchanges] == ["CME_Eq", "CME_Ny", "CME_C"]
    assert [(row["exchangeID"], row["contractID"]) for row in contracts] == [("CME_Eq", "ES")]
    assert [row["contractID"] for row in found] == ["ZN"]
    assert groups == [{"strategyType": "None", "expiryDate": 0, "marketCount": 2}]
    assert [row["marketID"] for row in markets] == [ES, "XCME_Eq ES (H27)"]
    assert spreads == []
    assert front["marketID"] == ES


def test_bars_are_strings_in_the_wall_clock_time_of_chicago(floor: Floor) -> None:
    chart = read(floor, "/chart/barchart", **CHART, tradeDateStart="2026-11-17", tradeDateEnd="2026-11-18")

    assert chart["activeMarket"] == ES
    bars = chart["bars"]
    assert len(bars) > 100
    assert all(float(bar["lowPrice"]) <= float(bar["openPrice"]) <= float(bar["highPrice"]) for bar in bars)
    assert bars[-1]["time"] == "2026-11-18T05:05:00"
    assert bars[-1]["closeTime"] == "2026-11-18T05:09:59.9999999"
    assert bars[-1]["tradeDate"] == "2026-11-18T00:00:00"
    assert isinstance(bars[0]["closePrice"], str)
    assert bars[0]["closePrice"].isdigit(), "a key alone means DECIMAL"
    [definition] = chart["marketDefinitions"]
    assert (definition["minPriceIncrement"], definition["tickValue"]) == ("25", "12.5")


def test_the_evening_belongs_to_the_next_trading_day(floor: Floor) -> None:
    chart = read(floor, "/chart/barchart", **CHART, tradeDateStart="2026-11-17T16:00:00", tradeDateEnd="2026-11-18")

    days = {bar["time"][11:13]: bar["tradeDate"][:10] for bar in chart["bars"] if bar["time"] < "2026-11-18"}
    assert days["23"] == "2026-11-18"
    early = {bar["tradeDate"][:10] for bar in chart["bars"] if "T16" <= bar["time"][10:13] < "T17"}
    assert early <= {"2026-11-17"}


def test_past_trades_are_given_by_any_of_three_ranges(floor: Floor, ticket: MakeTicket) -> None:
    floor.trader().order(ticket("BUY", 3))
    query = {"exchangeId": "CME_Eq", "contractId": "ES", "marketID": ES}

    since = read(floor, "/chart/tradehistory", **query, since="2026-11-18T05:00:00")
    between = read(floor, "/chart/tradehistory", **query, start="2026-11-18T05:00:00", end="2026-11-18T06:00:00")
    days = read(floor, "/chart/tradehistory", **query, tradeDateStart="2026-11-18", tradeDateEnd="2026-11-18")
    before = read(floor, "/chart/tradehistory", **query, start="2026-11-17", end="2026-11-17")

    assert since["trades"] == between["trades"] == days["trades"]
    assert before["trades"] == []
    [trade] = since["trades"]
    assert (trade["tradePrice"], trade["aggressorSide"], trade["volume"]) == ("595625", "Buy", 3)
    assert trade["time"] == "2026-11-18T05:06:40.0000000"


@pytest.mark.parametrize(
    ("path", "changes", "status"),
    [
        ("/chart/barchart", {"barInterval": "Tick"}, 400),
        ("/chart/barchart", {"barInterval": ""}, 400),
        ("/chart/barchart", {"barPeriod": "0"}, 400),
        ("/chart/barchart", {"barPeriod": "²"}, 400),
        ("/chart/barchart", {"barPeriod": "999999999999"}, 400),
        ("/chart/barchart", {"tradeDateStart": ""}, 400),
        ("/chart/barchart", {"tradeDateStart": "soon"}, 400),
        ("/chart/barchart", {"tradeDateStart": "0001-01-01"}, 400),
        ("/chart/barchart", {"tradeDateEnd": "9999-12-31"}, 400),
        ("/chart/barchart", {"marketID": "other"}, 400),
        ("/chart/barchart", {"contractId": "NQ"}, 400),
        ("/chart/barchart", {"tradeDateEnd": "2000-01-01"}, 200),
        ("/chart/consolidatedchart", {}, 406),
        ("/chart", {}, 404),
        ("/markets/contracts", {"exchangeId": ""}, 400),
    ],
)
def test_calls_that_cannot_be_answered_say_why(floor: Floor, path: str, changes: dict[str, str], status: int) -> None:
    answer = floor.get(path, **{**CHART, "tradeDateStart": "2026-11-17", **changes})

    assert answer.status == status
    assert status == 200 or json.loads(answer.body)["message"]


def test_calls_need_a_key_or_a_token(floor: Floor) -> None:
    keys = ("", "APIKey wrong", "Bearer ", "Basic eA==")

    assert [floor.get("/markets/exchanges", key=key).status for key in keys] == [401] * 4
    assert floor.get("/markets/exchanges", method="DELETE").status == 405

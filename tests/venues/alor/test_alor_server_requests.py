"""How leniently the server half reads its clients, and how it answers."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from strategykit.model.orders import AmendOrder, CreateOrder, OrderType, TimeInForce
from strategykit.venues.alor.names import order_created, order_deleted, order_updated
from strategykit.venues.alor.server import (
    Authorize,
    BadRequest,
    OrderCommand,
    Ping,
    Subscribe,
    Unsubscribe,
    decode_request,
    encode_reply,
)
from strategykit.venues.alor.server_data import encode_frame
from strategykit.venues.alor.server_http import decode_http
from strategykit.venues.alor.server_requests import (
    Estimate,
    GetAllTrades,
    GetBars,
    GetCurrencyPairs,
    GetPortfolio,
    GetQuotes,
    GetRiskRates,
    GetSecurities,
    GetTradeHistory,
    HttpCommand,
    OrderGroups,
    PortfolioPart,
    Refresh,
)
from strategykit.venues.alor.times import read_iso, read_timeframe, write_iso
from strategykit.venues.streams import StreamKind

SECOND = 1_000_000_000
BOOK = {"opcode": "OrderBookGetAndSubscribe", "guid": "g", "token": "JWT", "code": "GAZP", "exchange": "MOEX"}
BARS = BOOK | {"opcode": "BarsGetAndSubscribe", "tf": "60", "from": 5}
OWN_ORDERS = {"opcode": "OrdersGetAndSubscribeV2", "guid": "g", "portfolio": "D12345", "exchange": "MOEX"}
LIMIT: dict[str, Any] = {
    "opcode": "create:limit", "guid": "g", "side": "buy", "quantity": 5, "price": 128.34,
    "instrument": {"symbol": "GAZP", "exchange": "MOEX"}, "user": {"portfolio": "D12345"},
}  # fmt: skip
STOP = LIMIT | {"opcode": "create:stop", "condition": "More", "triggerPrice": 130}


def read(fields: dict[str, Any]) -> Any:
    return decode_request(json.dumps(fields))


def test_names_and_words_count_in_any_case() -> None:
    plain = read(BOOK | {"format": "Slim", "depth": 5})
    shouted = read({"OPCODE": "orderbookgetandsubscribe", "Guid": "g", "TOKEN": "JWT", "Code": "GAZP",
                    "eXchange": "MOEX", "Format": "SLIM", "DEPTH": 5})  # fmt: skip
    assert isinstance(plain, Subscribe)
    assert plain == shouted
    assert read({"opcode": "UnSubscribe", "guid": "g", "token": "t"}) == Unsubscribe(guid="g", token="t")
    assert read({"opcode": "PING", "guid": "g"}) == Ping(guid="g", token="")
    assert read({"opcode": "Authorize", "guid": "g", "token": "t", "originator": "o"}) == Authorize(
        guid="g", token="t", originator="o"
    )
    assert "JWT" not in repr(plain)


def test_numbers_and_booleans_may_be_text_and_unknown_fields_are_ignored() -> None:
    asked = read(BARS | {"tf": 60, "from": "5", "skipHistory": "True", "frequency": "100", "delayed": None, "prev": {}})
    assert asked.stream == read(BARS | {"skipHistory": True, "frequency": 100}).stream
    order = read(LIMIT | {"quantity": "5", "price": "128.34", "orderId": 58, "opcode": "update:limit", "token": "x"})
    assert isinstance(order.command, AmendOrder)
    assert (order.command.venue_order_id, order.command.request.price) == ("58", Decimal("128.34"))


def test_what_lacks_is_the_venues_default() -> None:
    book, bars = read(BOOK).stream, read(BARS).stream
    assert (book.depth, book.frequency, read(BOOK).format) == (20, 175_000_000, "Simple")
    assert (bars.interval, bars.since, bars.skip_history) == (60 * SECOND, 5 * SECOND, False)
    trades = BOOK | {"opcode": "AllTradesGetAndSubscribe"}
    assert (read(trades).stream.depth, read(trades).stream.frequency) == (0, None)


@pytest.mark.parametrize(("style", "least"), [("Slim", 10), ("Simple", 25), ("Heavy", 500)])
def test_a_frequency_below_the_least_is_the_least(style: str, least: int) -> None:
    for asked in (0, -5, least - 1, least):
        assert read(BOOK | {"format": style, "frequency": asked}).stream.frequency == least * 1_000_000
    assert read(BOOK | {"format": style, "frequency": 1_000}).stream.frequency == SECOND


def test_other_opcodes_of_a_stream_are_known() -> None:
    alias = read(BOOK | {"opcode": "AllTradesSubscribe", "repeatCount": 7})
    assert (alias.stream.kind, alias.stream.depth) == (StreamKind.TRADES, 7)
    assert read(BOOK | {"opcode": "AllTradesSubscribe", "repeatCount": 7, "depth": 9}).stream.depth == 9
    private = {"guid": "g", "portfolio": "D1", "exchange": "MOEX", "token": "t"}
    old = read(private | {"opcode": "StopOrdersGetAndSubscribe"})
    new = read(private | {"opcode": "StopOrdersGetAndSubscribeV2", "orderStatuses": ["Working", None]})
    assert (old.legacy, new.legacy, new.statuses) == (True, False, ("working",))
    assert old.stream == new.stream
    assert read(BARS | {"opcode": "ClustersGetAndSubscribe"}).stream.kind is StreamKind.CLUSTERS


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"opcode": "x"}, "guid is required"),
        (BOOK | {"opcode": "Nonsense"}, "Unknown opcode 'Nonsense'"),
        (BOOK | {"code": None}, "code is required"),
        (BOOK | {"code": 1.5}, "code must be a string"),
        (BOOK | {"format": "Fat"}, "format must be one of simple, slim, heavy, not 'Fat'"),
        (BOOK | {"depth": 0}, "depth must be 1 to 50, not 0"),
        (BOOK | {"depth": 51}, "depth must be 1 to 50, not 51"),
        (BOOK | {"depth": 1.5}, "depth must be a whole number"),
        (BOOK | {"depth": "many"}, "depth must be a number, not 'many'"),
        (BOOK | {"depth": "1_0"}, "depth must be a number"),
        (BOOK | {"depth": "NaN"}, "depth must be a number"),
        (BOOK | {"depth": True}, "depth must be a number"),
        (BOOK | {"depth": "9" * 50}, "depth must be a number"),
        (BOOK | {"depth": 1e300}, "depth must be a number"),
        (BOOK | {"frequency": 10**12}, "frequency must be at most"),
        (BOOK | {"opcode": "AllTradesGetAndSubscribe", "depth": 5001}, "depth must be 0 to 5000"),
        (BARS | {"tf": "soon"}, "tf must be seconds"),
        (BARS | {"tf": "0"}, "tf must be seconds"),
        (BARS | {"from": -1}, "from must be Unix seconds"),
        (BARS | {"from": 10**11}, "from must be Unix seconds"),
        (BARS | {"skipHistory": "maybe"}, "skipHistory must be true or false"),
        (BARS | {"skipHistory": []}, "skipHistory must be true or false"),
        (
            {
                "opcode": "OrdersGetAndSubscribeV2",
                "guid": "g",
                "portfolio": "D",
                "exchange": "M",
                "orderStatuses": ["x"],
            },
            "orderStatuses must be of",
        ),
        (
            {"opcode": "OrdersGetAndSubscribeV2", "guid": "g", "portfolio": "D", "exchange": "M", "orderStatuses": "x"},
            "orderStatuses must be a list",
        ),
        (LIMIT | {"opcode": "create:magic"}, "Unknown order type 'magic'"),
        (LIMIT | {"opcode": "create"}, "Unknown order type ''"),
        (LIMIT | {"side": "both"}, "side must be one of buy, sell"),
        (LIMIT | {"instrument": "GAZP"}, "instrument must be an object"),
        (LIMIT | {"user": None}, "portfolio is required"),
        (LIMIT | {"comment": "x" * 101}, "comment must have at most 100 characters, not 101"),
        (LIMIT | {"opcode": "update:limit"}, "orderId is required"),
        (LIMIT | {"opcode": "delete:limit", "orderId": "5"}, "exchange is required"),
        (STOP | {"condition": "Less"}, "condition for buy must be more here"),
        (STOP | {"condition": "MoreOrEqual", "side": "sell"}, "condition for sell must be less here"),
        (STOP | {"stopEndUnixTime": -1}, "stopEndUnixTime must be Unix seconds"),
        (STOP | {"protectingSeconds": 301}, "protectingSeconds must be 1 to 300"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_is_answered_with_400_and_why(fields: dict[str, Any], words: str) -> None:
    bad = read(fields)
    assert isinstance(bad, BadRequest)
    assert (bad.code, bad.guid) == (400, fields.get("guid", ""))
    assert words in bad.message


def test_a_number_too_long_to_write_out_is_refused() -> None:
    frame = '{"opcode":"ping","guid":' + "9" * 4_300 + "}"
    assert isinstance(decode_request(frame), Ping)
    bad = decode_request(frame.replace("ping", "ping", 1).replace('"guid":9', '"guid":99'))
    assert isinstance(bad, BadRequest)


def test_a_stop_has_its_own_fields() -> None:
    stop = read(
        STOP | {"stopEndUnixTime": 5, "activate": "false", "timeInForce": "FillOrKill", "checkDuplicates": False}
    )
    assert isinstance(stop, OrderCommand)
    assert isinstance(stop.command, CreateOrder)
    request = stop.command.request
    assert (request.type, request.price, request.stop_price) == (OrderType.STOP, None, Decimal(130))
    assert (request.expire_time, request.active, request.protect_seconds) == (5 * SECOND, False, None)
    assert (request.time_in_force, stop.check_duplicates) == (TimeInForce.FILL_OR_KILL, False)


def test_an_iceberg_of_nothing_is_none() -> None:
    assert read(LIMIT | {"icebergFixed": 0}).command.request.display_quantity is None
    assert read(LIMIT | {"icebergFixed": 2, "icebergVariance": 5}).command.request.display_variance == 5
    assert read(LIMIT | {"board": "TQBR"}).command.request.board == "TQBR"


def test_replies_are_compact_and_begin_with_their_guid() -> None:
    assert encode_reply("g", 200, "ok") == '{"requestGuid":"g","httpCode":200,"message":"ok"}'
    created = encode_reply("g", 200, order_created("58"), "58")
    assert created.endswith('"message":"An order \'58\' has been created.","orderNumber":"58"}')
    assert order_updated("58") == "An order has been updated. New order Id is '58'."
    assert order_deleted("58") == "An order '58' has been deleted."
    assert json.loads(encode_reply('"', 400, "\n")) == {"requestGuid": '"', "httpCode": 400, "message": "\n"}
    assert encode_frame(b"{}", 'a"b') == '{"data":{},"guid":"a\\"b"}'


# HTTP

ORDERS = "/commandapi/warptrans/TRADE/v2/client/orders"


def call(
    method: str, path: str, body: object = None, headers: dict[str, str] | None = None, *, since: str = "", **query: str
) -> Any:
    raw = b"" if body is None else json.dumps(body).encode()
    return decode_http(method, path, query | ({"from": since} if since else {}), headers or {}, raw)


def test_reading_calls_are_told_apart() -> None:
    clients = "/md/v2/Clients/MOEX/D12345"
    assert call("GET", "/MD/V2/securities/currencypairs") == GetCurrencyPairs()
    assert call("GET", "/md/v2/Securities", query="SB", sector="FOND", cficode="E") == GetSecurities(
        format="Simple", query="SB", market="FOND", cfi="E", limit=25
    )
    assert call("GET", "/md/v2/Securities/moex/Si/actualFuturesQuote") == GetQuotes(
        format="Simple", symbols=(("moex", "Si"),), nearest=True
    )
    assert call("GET", "/md/v2/Securities/MOEX:SBER, MOEX:GAZP/quotes").symbols == (("MOEX", "SBER"), ("MOEX", "GAZP"))
    assert call("GET", "/md/v2/risk/rates", riskCategoryId="1", limit="5") == GetRiskRates(category="1", limit=5)
    past = call("GET", "/md/v2/Securities/MOEX/SBER/alltrades/history", limit="5", side="BUY", priceFrom="1.5")
    assert isinstance(past, GetAllTrades)
    assert (past.past, past.limit, past.side, past.price_from) == (True, 5, "buy", Decimal("1.5"))
    assert call("GET", f"{clients}/orders/58").order_id == "58"
    assert call("GET", f"{clients}/stoporders/58").part is PortfolioPart.STOP_ORDERS
    position = call("GET", f"{clients}/positions/SBER", withoutCurrency="true")
    assert (position.symbol, position.without_currency) == ("SBER", True)
    assert call("GET", "/md/v2/Clients/P1/positions").login == "P1"
    fills = call("GET", f"{clients}/trades")
    assert isinstance(fills, GetPortfolio)
    assert (fills.part, fills.symbol) == (PortfolioPart.FILLS, None)
    assert call("GET", f"{clients}/SBER/trades").symbol == "SBER"
    assert call("GET", f"{clients}/fortsrisk").part is PortfolioPart.SPECTRA_RISK
    history = call("GET", "/md/v2/Stats/MOEX/D1/history/trades", ticker="SBER", dateFrom="2026-01-01", since="5")
    assert history == GetTradeHistory(
        format="Simple", exchange="MOEX", account="D1", symbol="SBER", since="2026-01-01", from_id="5"
    )
    bars = call("GET", "/md/v2/history", symbol="S", exchange="M", tf="D", to="9", countBack="7", since="1")
    assert isinstance(bars, GetBars)
    assert (bars.interval, bars.since, bars.until, bars.count) == (86_400 * SECOND, SECOND, 9 * SECOND, 7)


@pytest.mark.parametrize("to", ["9223372037", "9999999999", "32536799999", "1773306907000"])
def test_a_period_that_ends_far_ahead_ends_with_what_there_is(to: str) -> None:
    bars = call("GET", "/md/v2/history", symbol="S", exchange="M", tf="D", to=to, since="1")
    trades = call("GET", "/md/v2/Securities/MOEX/SBER/alltrades", to=to)

    assert bars.until == trades.until == 9_223_372_036 * SECOND


@pytest.mark.parametrize("to", ["-1", "1.5", "now", "1e400"])
def test_a_period_needs_an_end_that_is_a_time(to: str) -> None:
    bad = call("GET", "/md/v2/history", symbol="S", exchange="M", tf="D", to=to, since="1")

    assert isinstance(bad, BadRequest)
    assert bad.message.startswith("to must be")


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/md", "/md/v3/time", "/md/v2", "/md/v2/time/x", "/md/v2/orderbooks/MOEX", "/md/v2/risk/x", "/md/v2/x"),
        *(
            "/md/v2/Securities/a/b/c",
            "/md/v2/Clients/MOEX",
            "/md/v2/Clients/MOEX/D1/x",
            "/md/v2/Clients/MOEX/D1/risk/x",
        ),
        *("/md/v2/Stats/MOEX/D1/x", "/md/v2/Stats/MOEX/D1/history/trades/a/b", f"{ORDERS}/x", ORDERS),
        *("/commandapi/api/orderGroups/a/b", "/md/v2/history/cluster"),
    ],
)
def test_calls_that_are_none_are_404(path: str) -> None:
    assert call("GET", path) == BadRequest(guid="", code=404, message="There is no such call")


@pytest.mark.parametrize(
    ("path", "query", "words"),
    [
        ("/md/v2/time", {"format": "Fat"}, "format must be"),
        ("/md/v2/orderbooks/MOEX/SBER", {"depth": "51"}, "depth must be 1 to 50"),
        ("/md/v2/Securities", {"offset": "-1"}, "offset must be 0 or above"),
        ("/md/v2/Securities/SBER/quotes", {}, "EXCHANGE:SYMBOL"),
        ("/md/v2/Securities/MOEX/SBER/alltrades/history", {}, "limit is required"),
        ("/md/v2/Securities/MOEX/SBER/alltrades/history", {"limit": "50001"}, "limit must be 1 to 50000"),
        ("/md/v2/history", {"exchange": "MOEX"}, "symbol is required"),
        ("/md/v2/risk/rates", {}, "riskCategoryId is required"),
        ("/refresh", {}, "token is required"),
    ],
)
def test_reading_calls_that_cannot_be_are_400(path: str, query: dict[str, str], words: str) -> None:
    method = "POST" if path == "/refresh" else "GET"
    bad = decode_http(method, path, query, {}, b"")
    assert isinstance(bad, BadRequest)
    assert bad.code == 400
    assert words in bad.message


def test_a_refresh_token_stands_in_the_body_or_the_query_and_the_body_wins() -> None:
    both = call("POST", "/refresh", {"Token": "body", "allowedPortfolios": ["D1"]}, token="query")
    assert both == Refresh(token="body", portfolios=("D1",))
    assert call("POST", "/refresh", {}, token="query") == Refresh(token="query")
    listed = call("POST", "/refresh", token="query", allowedPortfolios='["D1", "G1"]')
    assert listed == Refresh(token="query", portfolios=("D1", "G1"))
    assert isinstance(decode_http("POST", "/refresh", {}, {}, b"{"), BadRequest)


def test_orders_by_http_are_named_by_their_header() -> None:
    body = {name: value for name, value in LIMIT.items() if name not in ("opcode", "guid")}
    for header in ("X-REQID", "x-alor-reqid"):
        made = call("POST", f"{ORDERS}/actions/LIMIT", body, {header: "D1;5"})
        assert isinstance(made, HttpCommand)
        assert made.command.guid == "D1;5"
    both = call("POST", f"{ORDERS}/actions/limit", body, {"X-REQID": "new", "X-ALOR-REQID": "old"})
    assert both.command.guid == "new"
    changed = call("PUT", f"{ORDERS}/actions/limit/58", body, {"X-REQID": "a"})
    assert isinstance(changed.command, AmendOrder)
    assert changed.command.venue_order_id == "58"
    assert call("POST", f"{ORDERS}/actions/limit", body).code == 400
    assert call("PUT", f"{ORDERS}/actions/limit", body, {"X-REQID": "a"}).code == 404


def test_cancels_say_how_they_want_to_be_answered() -> None:
    plain = call("DELETE", f"{ORDERS}/58", portfolio="D1", exchange="MOEX")
    wordy = call("DELETE", f"{ORDERS}/58", portfolio="D1", exchange="MOEX", jsonResponse="true", stop="true")
    assert (plain.json, plain.command.request.type) == (False, OrderType.LIMIT)
    assert (wordy.json, wordy.command.request.type) == (True, OrderType.STOP)
    assert call("DELETE", f"{ORDERS}/58").code == 400


def test_estimates_are_asked_for_one_or_many() -> None:
    wanted = {"portfolio": "D1", "ticker": "SBER", "exchange": "MOEX", "price": 1.5, "lotQuantity": 2, "board": "TQBR"}
    estimate = Estimate(
        account="D1", exchange="MOEX", symbol="SBER", price=Decimal("1.5"), quantity=Decimal(2), board="TQBR"
    )
    assert call("POST", f"{ORDERS}/estimate", wanted) == estimate
    assert call("POST", f"{ORDERS}/estimate/all", [wanted, wanted]) == (estimate, estimate)
    assert call("POST", f"{ORDERS}/estimate/all", wanted).code == 400
    assert call("POST", f"{ORDERS}/estimate/all", [5]).code == 400


def test_order_groups_are_read() -> None:
    groups = "/commandapi/api/orderGroups"
    order = {"portfolio": "D1", "exchange": "MOEX", "orderId": 58, "type": "Limit"}
    body = {"orders": [order, "x"], "executionPolicy": "IgnoreCancel"}
    expected = (("D1", "MOEX", "58", "Limit"),)
    assert call("GET", groups) == OrderGroups(method="GET")
    assert call("DELETE", f"{groups}/a") == OrderGroups(method="DELETE", group_id="a")
    assert call("POST", groups, body) == OrderGroups(method="POST", orders=expected, policy="IgnoreCancel")
    assert call("PUT", f"{groups}/a", body).group_id == "a"
    assert call("PUT", groups, body).code == 404


# Times


def test_times_in_iso_form_have_seven_digits_and_may_lack_their_z() -> None:
    assert write_iso(1_773_306_907_123_456_789) == "2026-03-12T09:15:07.1234567Z"
    assert read_iso("2026-03-12T09:15:07.1234560Z") == 1_773_306_907_123_456_000
    assert read_iso("2026-03-12T09:15:07") == 1_773_306_907_000_000_000
    assert read_iso("2026-03-12T09:15:07.5+00:00") == 1_773_306_907_500_000_000
    assert read_iso("2026-03-12T09:15:07+03:00") is None
    assert read_iso("2026-03-12") is None
    assert [read_timeframe(text) for text in ("D", "w", "15", "x", "1" * 10)] == [
        86_400 * SECOND,
        604_800 * SECOND,
        15 * SECOND,
        None,
        None,
    ]

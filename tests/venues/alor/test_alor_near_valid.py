"""Whatever arrives: the client half raises `RemoteProtocolError` or nothing, the server half never raises."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.errors import RemoteProtocolError
from strategykit.venues.alor.dialect import Alor
from strategykit.venues.alor.http import read_all_trades, read_boards, read_book, read_securities, read_time
from strategykit.venues.alor.http_orders import read_order_answer
from strategykit.venues.alor.server import BadRequest, decode_request, encode_reply
from strategykit.venues.alor.server_http import decode_http
from strategykit.venues.alor.tokens import read_refresh
from strategykit.venues.dialect import (
    Ask,
    AskAccount,
    AskBars,
    AskInstrument,
    AskInstruments,
    AskOrders,
    AskPositions,
    AskStopOrders,
    AskTrades,
)
from strategykit.venues.streams import PRIVATE, Stream, StreamKind
from strategykit.venues.subscriptions import Subscriptions

FRAMES = Path(__file__).parents[2] / "data" / "alor"
NOW = 1_773_306_920_000_000_000
MINUTE = 60_000_000_000
KINDS = sorted(Alor().offers.streams, key=str)
TRIES = settings(max_examples=100, deadline=None)


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FRAMES / name).read_text(encoding="utf-8").splitlines()]


DATA = lines("data.jsonl")
REPLIES = [line["frame"] for line in lines("replies.jsonl")]
REQUESTS = [line["frame"] for line in lines("requests.jsonl")]
BODIES = [line["body"] for line in lines("http.jsonl")]

NOISE = [
    *("", " ", "null", "true", "0", '""', "[]", "{}", "[{}]", "nul", "{", '{"', "\ufeff{}", "\x00", "pong", "ping"),
    *('{"data":null,"guid":null}', '{"data":{},"guid":"g"}', '{"data":[],"guid":"g"}', '{"data":{}}', '{"guid":"g"}'),
    *('{"requestGuid":"g"}', '{"requestGuid":"g","httpCode":"200"}', '{"requestGuid":null,"httpCode":200}'),
    *('{"requestGuid":5,"httpCode":200}', '{"requestGuid":"g","httpCode":1e400}', '{"httpCode":NaN}'),
    *('{"a":Infinity}', '{"a":-Infinity}', '{"a":01}', '{"a":1}x', '{"a":"\\ud800"}', '{"a":"\ud800"}', "\ud800"),
    *("[" * 100_000, '{"a":' * 100_000, '{"data":' + "[" * 50_000 + "]" * 50_000 + ',"guid":"g"}'),
    *('{"data":{"id":' + "9" * 10_000 + '},"guid":"g"}', '{"httpCode":' + "9" * 10_000 + "}"),
]

WRONG: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, True, False, 0, -1, 1, 2**63, -(2**70), 10**300, 1.5, -0.0, 1e308, "", "x", "NaN", "Infinity", "1e999"),
        *("-5", "buy", "BUY", "0" * 5_000, "\x00", "💥", [], [None], [[]], {}, {"a": 1}, "2026-13-45T99:99:99Z"),
        *("1e99999999999999999999", "../..", "a/b", "2026-03-12T09:15:07"),
    ]
)


@st.composite
def mutated(draw: st.DrawFn, samples: list[Any]) -> str:
    """Spoil a valid message a little: a value, a key, a bite out of the text, or noise in it."""
    value = json.loads(json.dumps(draw(st.sampled_from(samples))))
    for _ in range(draw(st.integers(0, 3))):
        place = value
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and place[key] and draw(st.booleans()):
                place = place[key]
                continue
            if isinstance(place, dict) and draw(st.integers(0, 3)) == 0:
                del place[key]
            elif draw(st.integers(0, 5)) == 0 and isinstance(place[key], str):
                place[key] = draw(st.text(max_size=20))
            else:
                place[key] = copy.deepcopy(draw(WRONG))  # Later rounds may change it in place.
            break
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=draw(st.booleans()))
    kind = draw(st.integers(0, 9))
    at = draw(st.integers(0, len(text)))
    if kind == 0:
        return text[:at]
    if kind == 1:
        return text[:at] + draw(st.text(max_size=5)) + text[at:]
    if kind == 2:
        literal = draw(st.sampled_from(["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1E-400", "9" * 5_000]))
        return text.replace(":0", f":{literal}", 1).replace("128.34", literal, 1)
    if kind == 3:  # A key twice.
        return text[:-1] + "," + text[1:] if text.startswith("{") and len(text) > 2 else text
    return text


def stream_of(kind: StreamKind) -> Stream:
    private = kind in PRIVATE
    interval = MINUTE if kind in (StreamKind.BARS, StreamKind.CLUSTERS) else None
    return Stream(
        kind=kind, instrument=None if private else "GAZP", account="D12345" if private else None, interval=interval
    )


def table_of(dialect: Alor, guid: str, stream: Stream, *, active: bool) -> Subscriptions:
    table = Subscriptions(dialect.limits, {"market": 1, "orders": 1}, lambda: guid, dialect.cursor)
    table.want(stream, "test")
    table.asked(guid)
    if active:
        table.confirmed(guid, NOW)
    return table


def read(dialect: Alor, frame: str | bytes, table: Subscriptions) -> None:
    with suppress(RemoteProtocolError):
        dialect.decode(frame, table, connection="market-0", receive_time=NOW)
    dialect.login_reply(frame, "login-1")


@given(data=st.data())
@TRIES
def test_near_valid_data_never_breaks_the_client(data: st.DataObject) -> None:
    line = data.draw(st.sampled_from(DATA))
    kind = StreamKind(line["kind"]) if data.draw(st.integers(0, 9)) else data.draw(st.sampled_from(KINDS))
    dialect = Alor(format=line["format"])
    guid = data.draw(st.sampled_from(["g" * 36, "g"]))
    table = table_of(dialect, guid, stream_of(kind), active=data.draw(st.booleans()))
    for _ in range(3):
        text = data.draw(mutated([line["frame"] | {"guid": guid}]))
        read(dialect, text, table)
        read(dialect, text.encode("utf-8", "surrogatepass"), table)


@given(text=mutated([reply | {"requestGuid": "g"} for reply in REPLIES] + REPLIES))
@TRIES
def test_near_valid_replies_never_break_the_client(text: str) -> None:
    dialect = Alor()
    read(dialect, text, table_of(dialect, "g", stream_of(StreamKind.BOOK), active=False))


@pytest.mark.parametrize("noise", NOISE, ids=range(len(NOISE)))
def test_noise_breaks_neither_half(noise: str) -> None:
    dialect = Alor()
    for frame in (
        noise,
        noise.encode("utf-8", "surrogatepass"),
        noise.encode() + b"\xff" if noise.isascii() else b"\xff",
    ):
        read(dialect, frame, table_of(dialect, "g", stream_of(StreamKind.TRADES), active=True))
        request = decode_request(frame)
        assert isinstance(request, BadRequest)
        assert request.code == 400


ASKS: list[Ask] = [
    AskBars(instrument="GAZP", interval=MINUTE, count=2, until=NOW),
    AskOrders(account="D12345"),
    AskStopOrders(account="D12345"),
    AskTrades(account="D12345"),
    AskPositions(account="D12345"),
    AskAccount(account="D12345"),
    AskInstrument(instrument="GAZP"),
    AskInstruments(),
]
ROWS = [line["frame"]["data"] for line in DATA]
SECURITY = {"symbol": "GAZP", "minstep": 0.01, "lotsize": 10, "pricestep": 0.01, "board": "TQBR", "cfiCode": "ESXXXX"}
ANSWERS = [*BODIES, *ROWS, *([row, row] for row in ROWS), [], SECURITY, [SECURITY], ["TQBR"], 1773306907]


@given(body=mutated([answer if isinstance(answer, dict | list) else [answer] for answer in ANSWERS]), data=st.data())
@TRIES
def test_near_valid_answers_never_break_the_client(body: str, data: st.DataObject) -> None:
    raw = body.encode("utf-8", "surrogatepass")
    style = data.draw(st.sampled_from(["Slim", "Simple", "Heavy"]))
    with suppress(RemoteProtocolError):
        Alor(format=style).decode_answer(data.draw(st.sampled_from(ASKS)), raw, receive_time=NOW)
    for read_body in (read_refresh, read_time, read_boards):
        with suppress(RemoteProtocolError):
            read_body(raw)
    with suppress(RemoteProtocolError):
        read_book(raw, "GAZP", receive_time=NOW, style=style)
    with suppress(RemoteProtocolError):
        read_all_trades(raw, "GAZP", receive_time=NOW, style=style)
    with suppress(RemoteProtocolError):
        read_securities(raw, style=style)
    with suppress(RemoteProtocolError):
        read_order_answer("g", data.draw(st.sampled_from([200, 400, 500])), raw)


@given(text=mutated(REQUESTS))
@TRIES
def test_near_valid_requests_never_break_the_server(text: str) -> None:
    for frame in (text, text.encode("utf-8", "surrogatepass")):
        request = decode_request(frame)
        # Whatever its guid is, it can be answered.
        encode_reply(request.guid, 400, getattr(request, "message", ""))


ORDERS = "/commandapi/warptrans/TRADE/v2/client/orders"
PATHS = [
    "/refresh",
    "/md/v2/time",
    "/md/v2/Securities",
    "/md/v2/Securities/MOEX/SBER/alltrades/history",
    "/md/v2/orderbooks/MOEX/SBER",
    "/md/v2/history",
    "/md/v2/risk/rates",
    "/md/v2/Clients/MOEX/D12345/orders/5",
    "/md/v2/Stats/MOEX/D12345/history/trades",
    f"{ORDERS}/actions/limit",
    f"{ORDERS}/actions/stopLimit/5",
    f"{ORDERS}/all",
    f"{ORDERS}/estimate/all",
    "/commandapi/api/orderGroups",
]
QUERY = {
    "format": "Slim", "from": "1", "to": "2", "tf": "60", "symbol": "SBER", "exchange": "MOEX", "limit": "5",
    "depth": "5", "portfolio": "D12345", "token": "x", "allowedPortfolios": "[D1]", "riskCategoryId": "1",
}  # fmt: skip


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "get", "x"]),
    path=st.sampled_from(PATHS) | st.text(max_size=30),
    query=st.dictionaries(st.sampled_from([*QUERY, "offset", "side", "fromId", "qtyFrom"]), st.text(max_size=5)),
    headers=st.dictionaries(st.sampled_from(["X-REQID", "x-alor-reqid"]), st.text(max_size=5)),
    body=mutated([*REQUESTS, *BODIES, [], [{}]]),
)
@TRIES
def test_near_valid_calls_never_break_the_server(
    method: str, path: str, query: dict[str, str], headers: dict[str, str], body: str
) -> None:
    raw = body.encode("utf-8", "surrogatepass")
    decode_http(method, path, query, headers, raw)
    decode_http(method, path, QUERY | query, headers, raw)

"""Every example message of the protocol sheet, read by the client half and worded again by the server half."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from strategykit.model.events import OrderStatus, Side
from strategykit.model.instruments import Instrument
from strategykit.model.orders import AmendOrder, CancelOrder, CreateOrder, OrderType
from strategykit.venues.alor.dialect import Alor
from strategykit.venues.alor.http_orders import read_order_answer
from strategykit.venues.alor.server import (
    Authorize,
    OrderCommand,
    Ping,
    Subscribe,
    Unsubscribe,
    decode_request,
    encode_reply,
)
from strategykit.venues.alor.server_data import encode_bars, encode_data
from strategykit.venues.alor.tokens import read_refresh
from strategykit.venues.dialect import AskBars, Confirmed, Refusal, Reply
from strategykit.venues.streams import PRIVATE, Stream, StreamKind
from strategykit.venues.subscriptions import Subscription, Subscriptions

FRAMES = Path(__file__).parents[2] / "data" / "alor"
NOW = 1_773_306_920_000_000_000
MINUTE = 60_000_000_000
LISTED = Instrument("GAZP", Decimal("0.01"), Decimal(10), board="TQBR", description="Gazprom ao")


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FRAMES / name).read_text(encoding="utf-8").splitlines()]


DATA = lines("data.jsonl")
NAMES = [f"{line['kind']} {line['format']} {number}" for number, line in enumerate(DATA)]


def compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def stream_of(line: dict[str, Any]) -> Stream:
    kind = StreamKind(line["kind"])
    account = None if kind not in PRIVATE else "7501ABC" if kind is StreamKind.SPECTRA_RISK else "D12345"
    return Stream(
        kind=kind,
        instrument=None if kind in PRIVATE else "GAZP",
        account=account,
        interval=MINUTE if kind is StreamKind.BARS else None,
    )


def subscribed(style: str, guid: str, stream: Stream) -> tuple[Alor, Subscriptions]:
    dialect = Alor(format=style)
    table = Subscriptions(dialect.limits, {"market": 1, "orders": 1}, lambda: guid, dialect.cursor)
    table.want(stream, "test")
    table.asked(guid)
    return dialect, table


def told(event: object) -> dict[str, Any]:
    return attrs.asdict(event, recurse=False)  # type: ignore[arg-type]  # events are attrs classes


EXPECTED: dict[str, dict[str, Any]] = {
    "book": {"bid_prices": (128.33, 128.32), "bid_sizes": (412.0, 96.0), "ask_prices": (128.34, 128.36)},
    "bars": {"open": 128.3, "high": 128.4, "low": 128.21, "close": 128.34, "volume": 5120.0, "closed": False},
    "quotes": {"bid": 128.33, "bid_size": 412.0, "ask": 128.34, "last": 128.34, "low": 127.55, "event_time": None},
    "trades": {
        "price": 128.34,
        "quantity": 14.0,
        "side": Side.BUY,
        "trade_id": 10481230077,
        "event_time": 1773306907123000000,
        "snapshot": False,
    },
    "instrument": {"trading_status": 17, "trading": True, "price_min": Decimal("115.2"), "board": "TQBR"},
    "positions": {"quantity": Decimal(4), "average_price": Decimal("127.5"), "open_pnl": Decimal("33.6")},
    "summary": {
        "equity": Decimal(55310),
        "buying_power": Decimal("48110.02"),
        "profit": Decimal("120.5"),
        "by_currency": (("RUB", Decimal("48110.02")),),
    },
    "risk": {"account": "D12345", "minimum_margin": Decimal("945.1"), "status": "Ok"},
    "spectra_risk": {"account": "7501ABC", "profit": Decimal("52.2"), "fees": Decimal("18.2")},
    "fills": {
        "trade_id": "10481230077",
        "venue_order_id": "58120034471",
        "client_order_id": "strat-7",
        "quantity": Decimal(2),
        "fee": Decimal("1.28"),
        "event_time": 1773306907000000000,
    },
    "orders": {
        "venue_order_id": "58120034471",
        "status": OrderStatus.WORKING,
        "quantity": Decimal(5),
        "filled": Decimal(2),
        "price": Decimal("128.34"),
    },
    "stop_orders": {
        "venue_order_id": "77120",
        "client_order_id": None,
        "quantity": Decimal(2),
        "price": Decimal("124.9"),
        "stop_price": Decimal(125),
    },
}


@pytest.mark.parametrize("kind", sorted(EXPECTED))
def test_the_first_sample_of_each_stream_says_what_its_event_says(kind: str) -> None:
    line = next(line for line in DATA if line["kind"] == kind and line["frame"]["guid"] != "bars-1")
    dialect, table = subscribed(line["format"], line["frame"]["guid"], stream_of(line))

    (event,) = dialect.decode(compact(line["frame"]), table, connection="market-0", receive_time=NOW)

    found = told(event)
    assert {name: found[name] for name in EXPECTED[kind]} == EXPECTED[kind]
    assert (found["guid"], found["receive_time"]) == (line["frame"]["guid"], NOW)


@pytest.mark.parametrize("line", DATA, ids=NAMES)
def test_a_sample_reads_the_same_however_its_keys_stand(line: dict[str, Any]) -> None:
    frame, guid = line["frame"], line["frame"]["guid"]
    turned = {name: frame[name] for name in reversed(frame)}
    spaced = json.dumps(frame, indent=1)
    read = []
    for text in (compact(frame), compact(turned), spaced, compact(frame).encode(), compact(frame | {"more": [1]})):
        dialect, table = subscribed(line["format"], guid, stream_of(line))
        read.append([told(event) for event in dialect.decode(text, table, connection="market-0", receive_time=NOW)])

    assert read[0]
    assert all(each == read[0] for each in read)


def worded(line: dict[str, Any]) -> tuple[Sequence[object], dict[str, Any]]:
    style, guid = line["format"], line["frame"]["guid"]
    dialect, table = subscribed(style, guid, stream_of(line))
    events = dialect.decode(compact(line["frame"]), table, connection="market-0", receive_time=NOW)
    assert len(events) == 1
    frame = encode_data(events[0], style, guid, LISTED)  # type: ignore[arg-type]  # data frames hold events only
    assert frame.endswith(f',"guid":"{guid}"}}')
    assert frame.startswith('{"data":{')
    return events, json.loads(frame)["data"]


@pytest.mark.parametrize("line", DATA, ids=NAMES)
def test_the_server_words_a_sample_with_just_its_fields(line: dict[str, Any]) -> None:
    """Except trading statuses, where it leaves out what it doesn't know."""
    _, ours = worded(line)

    left_out = set(line["frame"]["data"]) - set(ours)
    assert not left_out or line["kind"] == "instrument"
    assert set(ours) <= set(line["frame"]["data"])


@pytest.mark.parametrize("line", DATA, ids=NAMES)
def test_a_sample_survives_going_round(line: dict[str, Any]) -> None:
    (event,), ours = worded(line)
    guid = line["frame"]["guid"]
    dialect, table = subscribed(line["format"], guid, stream_of(line))

    (again,) = dialect.decode(compact({"data": ours, "guid": guid}), table, connection="market-0", receive_time=NOW)

    # The venue's quotes have no time of the book in them; ours do.
    ignored = {"event_time"} if line["kind"] == "quotes" else set()
    assert {k: v for k, v in told(again).items() if k not in ignored} == {
        k: v for k, v in told(event).items() if k not in ignored
    }


@pytest.mark.parametrize("line", lines("replies.jsonl"), ids=lambda line: line["frame"]["requestGuid"])
def test_a_sample_reply_is_read_in_any_key_order_and_worded_guid_first(line: dict[str, Any]) -> None:
    frame = line["frame"]
    number = frame.get("orderNumber")
    reply = Reply(frame["requestGuid"], frame["httpCode"], frame["message"], frame["httpCode"] == 200, number)

    assert Alor().login_reply(compact(frame), reply.guid) == reply
    assert Alor().login_reply(compact({name: frame[name] for name in reversed(frame)}), reply.guid) == reply
    ours = encode_reply(reply.guid, reply.code, reply.message, number)
    assert ours.startswith('{"requestGuid":"')
    assert json.loads(ours) == frame


def test_sample_replies_confirm_or_refuse_a_subscription() -> None:
    yes, no = (line["frame"] for line in lines("replies.jsonl")[:2])
    dialect, table = subscribed("Simple", "book-1", Stream(kind=StreamKind.BOOK, instrument="GAZP"))

    assert dialect.decode(compact(yes), table, connection="market-0", receive_time=NOW) == (Confirmed("book-1"),)
    assert dialect.decode(compact(no), table, connection="market-0", receive_time=NOW) == (
        Refusal("book-1", 401, "Invalid JWT token!"),
    )


REQUESTS = [line["frame"] for line in lines("requests.jsonl")]


@pytest.mark.parametrize("frame", REQUESTS, ids=lambda frame: frame["guid"] + frame["opcode"])
def test_the_server_reads_a_sample_request(frame: dict[str, Any]) -> None:
    request = decode_request(json.dumps(frame))

    kinds = {"unsubscribe": Unsubscribe, "ping": Ping, "authorize": Authorize}
    kind = OrderCommand if ":" in frame["opcode"] else kinds.get(frame["opcode"], Subscribe)
    assert type(request) is kind
    assert request.guid == frame["guid"]


@pytest.mark.parametrize(
    "frame", [frame for frame in REQUESTS if "Subscribe" in frame["opcode"]], ids=lambda frame: frame["guid"]
)
def test_the_client_asks_for_a_sample_stream_in_the_samples_words(frame: dict[str, Any]) -> None:
    request = decode_request(json.dumps(frame))
    assert isinstance(request, Subscribe)
    stream = request.stream if "frequency" in frame else attrs.evolve(request.stream, frequency=None)
    dialect = Alor(format=request.format)

    guid = frame["guid"]
    row = Subscription(guid=guid, stream=stream, connection="market-0", cursor=dialect.cursor(guid, stream))
    (text,) = dialect.subscribe([row], (), token="JWT")

    # What the client never sends: it wants all statuses, and no doubtful trades.
    left_out = {"orderStatuses", "includeVirtualTrades", "splitAdjust"}
    assert json.loads(text) == {name: value for name, value in frame.items() if name not in left_out}


@pytest.mark.parametrize("frame", [frame for frame in REQUESTS if ":" in frame["opcode"]], ids=lambda f: f["guid"])
def test_the_client_words_a_sample_command_as_the_sample_does(frame: dict[str, Any]) -> None:
    request = decode_request(json.dumps(frame))
    assert isinstance(request, OrderCommand)

    ours = json.loads(Alor().command(request.command))

    assert {name: ours[name] for name in frame} == frame


def test_sample_commands_are_what_they_say() -> None:
    create, stop, update, delete = (decode_request(json.dumps(frame)) for frame in REQUESTS if ":" in frame["opcode"])

    assert isinstance(create, OrderCommand)
    assert isinstance(create.command, CreateOrder)
    assert create.command.request.price == Decimal("128.34")
    assert create.command.request.client_order_id == "strat-7"
    assert create.command.request.board == "TQBR"
    assert isinstance(stop, OrderCommand)
    assert stop.command.request.type is OrderType.STOP_LIMIT
    assert stop.command.request.stop_price == Decimal(125)
    assert stop.command.request.protect_seconds == 15
    assert isinstance(update, OrderCommand)
    assert isinstance(update.command, AmendOrder)
    assert update.command.venue_order_id == "58120034471"
    assert isinstance(delete, OrderCommand)
    assert isinstance(delete.command, CancelOrder)
    assert delete.command.request.account == "D12345"


HTTP = [line["body"] for line in lines("http.jsonl")]


def test_the_sample_token_is_read() -> None:
    token = read_refresh(json.dumps(HTTP[1]).encode())

    assert token.text == HTTP[1]["AccessToken"]
    assert token.login == "P12345"
    assert token.expires - token.issued == 30 * MINUTE


@pytest.mark.parametrize(("body", "style"), [(HTTP[2], "Slim"), (HTTP[3], "Simple")], ids=["Simple", "Slim"])
def test_sample_histories_are_read_and_worded_again(body: dict[str, Any], style: str) -> None:
    """In whichever format they come, not only in the one asked for."""
    ask = AskBars(instrument="GAZP", interval=MINUTE, count=2, until=1773306960 * 10**9)

    bars: Any = Alor(format=style).decode_answer(ask, json.dumps(body).encode(), receive_time=NOW)

    assert bars[-1].close == 128.34
    assert [bar.closed for bar in bars] == [True] * (len(bars) - 1) + [False]
    shape = "Slim" if "h" in body else "Simple"
    previous = body["prev"] * 10**9
    assert json.loads(encode_bars(bars, shape, next_=None, previous=previous)) == body


def test_sample_order_answers_are_read() -> None:
    success, repeated, missing = (json.dumps(body).encode() for body in HTTP[4:])

    assert read_order_answer("g", 200, success) == Reply("g", 200, "success", True, "58120034471")
    assert read_order_answer("g", 400, repeated) == Reply("g", 200, "success", True, "58120034471")
    assert read_order_answer("g", 400, missing) == Reply(
        "g", 400, "OrderToCancelNotFound (404): Order to cancel not found", False
    )

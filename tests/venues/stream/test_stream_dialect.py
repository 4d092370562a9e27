"""Names, requests, refusals and notices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from strategykit.errors import ConfigError, LocalProtocolError, RemoteProtocolError
from strategykit.model.events import Side, Trade
from strategykit.model.orders import CancelOrder, OrderRequest
from strategykit.venues.dialect import Dialect, ErrorClass, Leaving, Refusal, Reply
from strategykit.venues.stream.dialect import StreamFamily
from strategykit.venues.stream.server_requests import Subscribe, Unsubscribe, decode_request
from strategykit.venues.stream.server_streams import read_stream_name
from strategykit.venues.stream.variants import VARIANTS
from strategykit.venues.streams import Stream, StreamKind
from strategykit.venues.subscriptions import Subscription, SubscriptionState

MS = 1_000_000
MINUTE = 60_000 * MS

TRADE = {"e": "trade", "s": "X", "t": 7, "p": "1.5", "q": "2", "T": 1_748_000_000_000, "m": True}


def stream(kind: StreamKind, symbol: str | None = "BTCUSDT", **more: Any) -> Stream:
    return Stream(kind=kind, instrument=symbol, **more)


def params(frames: Sequence[str]) -> list[list[str]]:
    return [msgspec.json.decode(frame)["params"] for frame in frames]


@pytest.mark.parametrize(
    ("variant", "wanted", "name"),
    [
        ("binance", stream(StreamKind.TRADES), "btcusdt@trade"),
        ("binance_usdm", stream(StreamKind.TRADES), "btcusdt@aggTrade"),
        ("binance", stream(StreamKind.QUOTES), "btcusdt@bookTicker"),
        ("binance", stream(StreamKind.BOOK), "btcusdt@depth@100ms"),
        ("binance", stream(StreamKind.BOOK, frequency=500 * MS), "btcusdt@depth"),
        ("binance", stream(StreamKind.BOOK, depth=20), "btcusdt@depth20@100ms"),
        ("binance", stream(StreamKind.BOOK, depth=50), "btcusdt@depth@100ms"),
        ("binance_usdm", stream(StreamKind.BOOK, frequency=0), "btcusdt@depth@0ms"),
        ("binance_usdm", stream(StreamKind.BOOK, frequency=250 * MS), "btcusdt@depth"),
        ("binance_usdm", stream(StreamKind.BOOK, frequency=9_000 * MS), "btcusdt@depth@500ms"),
        ("binance", stream(StreamKind.BARS, interval=MINUTE), "btcusdt@kline_1m"),
        ("backpack", stream(StreamKind.TRADES, "SOL_USDC"), "trade.SOL_USDC"),
        ("backpack", stream(StreamKind.QUOTES, "SPCX.US_USDC"), "bookTicker.SPCX.US_USDC"),
        ("backpack", stream(StreamKind.BOOK, "SOL_USDC", depth=20), "depth.SOL_USDC"),
        ("backpack", stream(StreamKind.BOOK, "SOL_USDC", frequency=1), "depth.200ms.SOL_USDC"),
        ("backpack", stream(StreamKind.BARS, "SOL_USDC", interval=60 * MINUTE), "kline.1h.SOL_USDC"),
        ("seed", stream(StreamKind.TRADES, "SOL_USDC"), "trade.SOL_USDC"),
        ("seed", stream(StreamKind.BOOK, "SOL_USDC", depth=20), "depth.SOL_USDC"),
    ],
)
def test_streams_have_the_names_that_the_servers_read(variant: str, wanted: Stream, name: str) -> None:
    family = StreamFamily(variant)

    assert family.key(wanted) == name
    assert family.lane(wanted) == "market"
    assert read_stream_name(name, family.variant.rules, {str(wanted.instrument)}) is not None


@pytest.mark.parametrize(
    ("variant", "wanted", "words"),
    [
        ("seed", stream(StreamKind.QUOTES), "seed has no quotes; it has book, ticker, trades"),
        ("seed", stream(StreamKind.BARS, interval=MINUTE), "seed has no bars"),
        ("binance", stream(StreamKind.FILLS), "binance has no fills"),
        ("binance", stream(StreamKind.BARS), "needs an interval"),
        ("binance", stream(StreamKind.BARS, interval=7 * MINUTE), "no bars of 420 s; it has 1s, 1m"),
        ("binance", stream(StreamKind.BARS, interval=30 * 86_400 * 10**9), "no bars of 2.592e"),
        ("binance", stream(StreamKind.TRADES, None), "no instrument ''"),
        ("binance", stream(StreamKind.TRADES, "BTC@USDT"), "no instrument 'BTC@USDT'"),
        ("binance", stream(StreamKind.TRADES, "B" * 65), "no instrument 'B"),
        ("binance", stream(StreamKind.TRADES, "A\nB"), "no instrument"),
        ("binance", stream(StreamKind.TRADES, 'A"B'), "no instrument"),
    ],
)
def test_streams_that_a_venue_doesnt_have(variant: str, wanted: Stream, words: str) -> None:
    with pytest.raises(LocalProtocolError, match=words):
        StreamFamily(variant).key(wanted)


def test_several_streams_go_by_one_message_where_the_venue_takes_them(desk: Callable[..., Any]) -> None:
    bench = desk()
    rows = [bench.want(StreamKind.TRADES, f"S{number}") for number in range(150)]

    frames = bench.family.subscribe(rows, (), token="")

    assert [len(names) for names in params(frames)] == [100, 50]
    for frame in frames:
        assert isinstance(decode_request(frame, bench.family.variant.rules), Subscribe)


@pytest.mark.parametrize("variant", ["seed", "backpack"])
def test_one_stream_goes_by_a_message_elsewhere(desk: Callable[..., Any], variant: str) -> None:
    bench = desk(variant)
    rows = [bench.want(kind, "SOL_USDC") for kind in (StreamKind.TRADES, StreamKind.BOOK)]

    frames = bench.family.subscribe(rows, (), token="")

    assert params(frames) == [["trade.SOL_USDC"], ["depth.SOL_USDC"]]
    for frame in frames:
        assert isinstance(decode_request(frame, bench.family.variant.rules, quirks=True), Subscribe)


def test_a_stream_is_never_asked_for_twice(desk: Callable[..., Any]) -> None:
    """Rows that the venue can't tell apart share a stream; it ends with the last of them."""
    bench = desk("seed")
    first, second = (bench.want(StreamKind.BOOK, "SOL_USDC", depth=depth) for depth in (5, 10))
    family = bench.family

    assert params(family.subscribe([first, second], (), token="")) == [["depth.SOL_USDC"]]
    assert family.subscribe([second], [first], token="") == []
    assert family.unsubscribe([first], [second], token="") == []
    (frame,) = family.unsubscribe([second], (), token="")
    assert isinstance(decode_request(frame, family.variant.rules, quirks=True), Unsubscribe)


def test_equal_requests_have_equal_numbers(desk: Callable[..., Any]) -> None:
    first, second = desk("seed"), desk("seed")
    frames = [bench.family.subscribe([bench.want(StreamKind.BOOK, "X")], (), token="") for bench in (first, second)]

    assert frames[0] == frames[1]


def test_both_rows_of_a_stream_get_its_data(desk: Callable[..., Any]) -> None:
    bench = desk("seed")
    rows = [bench.want(StreamKind.TRADES, "SOL_USDC", depth=depth) for depth in (None, 0)]

    found = bench.data(rows[0], TRADE)

    assert [thing.guid for thing in found] == [row.guid for row in rows]


def test_data_that_nobody_wants_are_counted(desk: Callable[..., Any]) -> None:
    bench = desk()

    assert bench.data("ethusdt@trade", TRADE) == []
    assert bench.table.foreign == 1


def test_members_may_come_in_any_order(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = bench.want(StreamKind.TRADES, "BTCUSDT")
    frame = msgspec.json.encode({"data": TRADE, "new": [], "stream": row.key})

    assert isinstance(bench.frame(frame.decode())[0], Trade)
    assert bench.frame(frame) == [], "that was the same trade once more"


@pytest.mark.parametrize(
    "frame",
    [
        '{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1748000000000}}',
        '{"e":"serverShutdown","E":1748000000000}',
    ],
)
def test_a_shutdown_is_announced(desk: Callable[..., Any], frame: str) -> None:
    (found,) = desk().frame(frame)

    assert isinstance(found, Leaving)


@pytest.mark.parametrize("frame", ['{"result":null,"id":1}', '{"result":["a"],"id":null}', '{"result":true}'])
def test_answers_to_requests_say_nothing(desk: Callable[..., Any], frame: str) -> None:
    assert desk().frame(frame) == []


def request_number(desk: Any, row: Subscription) -> int:
    number: int = msgspec.json.decode(desk.family.subscribe([row], (), token="")[0])["id"]
    return number


def test_a_refusal_that_carries_the_requests_number_is_the_rows(desk: Callable[..., Any]) -> None:
    bench = desk()
    bench.want(StreamKind.TRADES, "ETHUSDT")
    row = bench.want(StreamKind.TRADES, "BTCUSDT")
    error = {"code": 2, "msg": "Invalid request: invalid stream", "id": request_number(bench, row)}

    assert bench.frame(msgspec.json.encode(error).decode()) == [Refusal(row.guid, 2, "Invalid request: invalid stream")]


def test_backpacks_refusal_is_of_the_only_row_that_waits(desk: Callable[..., Any]) -> None:
    bench = desk("backpack")
    other = bench.want(StreamKind.BOOK, "SOL_USDC")
    bench.table.confirmed(other.guid, bench.now)
    row = bench.want(StreamKind.TRADES, "SOL_USDX")
    error = '{"id":null,"error":{"code":4006,"message":"Invalid stream"}}'

    assert bench.frame(error) == [Refusal(row.guid, 4006, "Invalid stream")]
    assert bench.family.classify(4006) is ErrorClass.STOP
    bench.want(StreamKind.TRADES, "ETH_USDX")
    assert bench.frame(error) == [Reply("", 4006, "Invalid stream", ok=False)]


def test_a_refusal_of_nothing_that_is_known_is_told(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = bench.want(StreamKind.TRADES, "BTCUSDT")
    wrong = request_number(bench, row) + 1

    assert bench.frame('{"code":3,"msg":"Invalid JSON"}', by="market-1") == [Reply("", 3, "Invalid JSON", ok=False)]
    assert bench.frame(f'{{"code":2,"msg":"no","id":{wrong}}}') == [Reply("", 2, "no", ok=False)]
    assert bench.frame('{"error":{"code":1,"msg":"no"},"id":"x"}') == [Reply("", 1, "no", ok=False)]
    assert row.state is SubscriptionState.ASKED


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "{}",
        "[]",
        "null",
        "pong",
        '{"stream":"btcusdt@trade"}',
        '{"stream":"btcusdt@trade","data":null}',
        '{"stream":"btcusdt@trade","data":[]}',
        '{"stream":5,"data":{}}',
        '{"stream":"btcusdt@trade","data":{',
        "\ufeff{}",
        b"\xff",
    ],
)
def test_noise_is_unreadable(desk: Callable[..., Any], frame: str | bytes) -> None:
    bench = desk()
    bench.want(StreamKind.TRADES, "BTCUSDT")

    with pytest.raises(RemoteProtocolError, match="can't be read"):
        bench.frame(frame)


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_a_venue_offers(variant: str) -> None:
    family = StreamFamily(variant)
    (lane,) = family.lanes.values()

    assert family.name == variant
    assert family.commands is None
    assert not family.acknowledges
    assert not family.offers.orders
    assert {StreamKind.TRADES, StreamKind.BOOK} <= family.offers.streams
    assert (lane.name, lane.beat_every, lane.silence_within) == ("market", None, None)
    assert family.limits.subscriptions == 1_024
    assert family.limits.connections >= 2 * lane.max_connections, "each may be replaced by another"
    assert family.upgrade_headers("market", token="") == family.http_headers(token="") == {}
    dialect: Dialect = family
    assert dialect.login("market", guid="g", token="") is None
    assert dialect.login_reply("", "g") is None


@pytest.mark.parametrize(("variant", "allowed"), [("binance", 5), ("binance_usdm", 10)])
def test_binances_limits_are_kept_with_pings(variant: str, allowed: int) -> None:
    lane = StreamFamily(variant).lanes["market"]

    assert lane.life == 86_400.0
    assert lane.messages is not None
    most, seconds = lane.messages
    assert seconds == 1.0
    assert most + 2 <= allowed, "a ping of ours and the answer to one of theirs"


def test_what_has_no_limit_has_none() -> None:
    lane = StreamFamily("seed").lanes["market"]

    assert (lane.life, lane.messages, lane.path) == (None, None, "/ws")


@pytest.mark.parametrize(
    ("code", "verdict"),
    [(429, ErrorClass.RETRY), (503, ErrorClass.RETRY), (418, ErrorClass.STOP), (2, ErrorClass.STOP)],
)
def test_what_codes_ask_of_us(code: int, verdict: ErrorClass) -> None:
    assert StreamFamily("binance").classify(code) is verdict


def test_orders_and_heartbeats_are_not_spoken() -> None:
    family = StreamFamily("binance")
    request = OrderRequest(client_order_id="c", account="A", instrument="X", side=Side.BUY, quantity=Decimal(1))
    with pytest.raises(LocalProtocolError, match="trade on paper"):
        family.command(CancelOrder(guid="g", venue_order_id="1", request=request))
    with pytest.raises(LocalProtocolError, match="no heartbeat"):
        family.beat(0)


@pytest.mark.parametrize(
    ("variant", "options", "words"),
    [
        ("kraken", {}, "no stream venue 'kraken'; there are: seed, backpack, binance"),
        ("seed", {"trades": "aggTrade"}, "seed has trades as trade, not 'aggTrade'"),
        ("binance", {"trades": "ticks"}, "binance has trades as trade or aggTrade, not 'ticks'"),
        ("seed", {"tick": Decimal(0)}, "the seed's tick must be above 0, not 0"),
        ("seed", {"lot": Decimal("nan")}, "the seed's lot must be above 0, not NaN"),
    ],
)
def test_options_that_make_no_sense(variant: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        StreamFamily(variant, **options)


def test_a_variant_may_be_given_whole() -> None:
    assert StreamFamily(VARIANTS["seed"]) == StreamFamily("seed")
    assert StreamFamily().name == "binance"

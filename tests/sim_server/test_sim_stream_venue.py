"""The simulated stream venues without sockets: time is told, clients are fakes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

import attrs
import pytest

from strategykit.errors import ConfigError
from strategykit.model.events import BookSnapshot, Quote, Side, Trade
from strategykit.model.instruments import Instrument
from strategykit.sim.faults import FaultCommand
from strategykit.sim.http_calls import HttpCall
from strategykit.sim.stream_config import StreamVenueConfig, default_stream_instruments
from strategykit.sim.stream_session import StreamSession
from strategykit.sim.stream_tally import Tally
from strategykit.sim.stream_venue import StreamVenue
from strategykit.venues.stream.server_variants import find_server_variant

START = 1_748_000_000_000_000_000
MS = 1_000_000
SECOND = 1_000 * MS

FEW = {"SOL_USDC", "BTC_USDT", "SOL_USDC_PERP", "BTCUSDT", "ETHUSDT"}


@attrs.define(eq=False)
class Client:
    """What one connection was sent, and what it says."""

    venue: Lab
    sent: list[Any] = attrs.field(factory=list)
    pings: list[bytes] = attrs.field(factory=list)
    closed: tuple[int, str] | None = None
    waiting: int = 0
    received: int = 0
    pong: bytes | None = None
    session: StreamSession | None = None

    def send(self, message: str | bytes) -> None:
        self.sent.append(json.loads(message))

    def send_block(self, messages: Sequence[str | bytes]) -> None:
        self.sent.extend(json.loads(message) for message in messages)

    def send_encoded(self, text: bytes) -> None:
        self.sent.append(json.loads(text))

    def send_encoded_block(self, texts: Sequence[bytes]) -> None:
        self.send_block(texts)

    def ping(self, payload: bytes) -> None:
        self.pings.append(payload)

    def close(self, code: int, reason: str) -> None:
        self.closed = code, reason

    def say(self, message: str | bytes) -> None:
        assert self.session is not None
        self.received += 1
        self.venue.venue.receive(self.session, message, self.venue.now)

    def ask(self, method: str, *params: object, **fields: object) -> None:
        self.say(json.dumps({"method": method, "params": list(params), "id": 1, **fields}))

    def data(self, stream: str) -> list[Any]:
        return [frame["data"] for frame in self.sent if isinstance(frame, dict) and frame.get("stream") == stream]

    def leave(self) -> None:
        assert self.session is not None
        self.venue.venue.close_session(self.session, self.venue.now)


class Lab:
    """A venue and its time."""

    def __init__(self, variant: str, **settings: Any) -> None:
        self.now = START
        found = find_server_variant(variant)
        # Each listed instrument costs time at the start.
        few = {symbol: each for symbol, each in default_stream_instruments(found).items() if symbol in FEW}
        self.venue = StreamVenue(found, StreamVenueConfig(**{"instruments": few, **settings}), now=START)

    def join(self, path: str = "/stream", **query: str) -> Client:
        client = Client(self)
        call = HttpCall(method="GET", path=path, query=query)
        assert self.venue.admit(call, self.now) is None
        client.session = self.venue.open_session(call, client, self.now)
        return client

    def run(self, seconds: float, *, step: float = 0.05) -> None:
        """Let time pass."""
        for _ in range(round(seconds / step)):
            self.now += int(step * SECOND)
            self.venue.advance(self.now)

    def get(self, path: str, **query: str) -> Any:
        call = HttpCall(method="GET", path=self.venue.variant.rest + path, query=query)
        answer = self.venue.answer(call, self.now)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def status(self, path: str, method: str = "GET", **query: str) -> int:
        return self.venue.answer(HttpCall(method=method, path=path, query=query), self.now).status

    def fault(self, fault: str, **fields: Any) -> int:
        return self.venue.fault(FaultCommand(fault, **fields), self.now)


def numbered(rows: list[Any]) -> bool:
    """Whether depth updates follow each other without a hole."""
    return all(row["U"] == before["u"] + 1 for before, row in pairwise(rows))


def fold(book: dict[str, str], levels: list[list[str]]) -> None:
    for price, size in levels:
        if float(size):
            book[price] = size
        else:
            book.pop(price, None)


@pytest.mark.parametrize(
    ("variant", "symbol", "depth", "snapshot"),
    [
        ("backpack", "SOL_USDC", "depth.SOL_USDC", "/depth"),
        ("backpack", "SOL_USDC", "depth.200ms.SOL_USDC", "/depth"),
        ("binance", "BTCUSDT", "btcusdt@depth", "/depth"),
        ("binance", "BTCUSDT", "btcusdt@depth@100ms", "/depth"),
        ("binance_usdm", "BTCUSDT", "btcusdt@depth@100ms", "/depth"),
    ],
)
@pytest.mark.parametrize("single_ids", [True, False])
def test_a_snapshot_and_the_updates_after_it_make_the_venues_book(
    variant: str, symbol: str, depth: str, snapshot: str, single_ids: bool
) -> None:
    lab = Lab(variant, single_ids=single_ids)
    client = lab.join()
    client.ask("SUBSCRIBE", depth)
    lab.run(1.5)
    taken = lab.get(snapshot, symbol=symbol, limit="1000")
    lab.run(1.5)
    rows = client.data(depth)
    known = int(taken["lastUpdateId"])
    bids, asks = dict(taken["bids"]), dict(taken["asks"])
    later = [row for row in rows if row["u"] > known]
    for row in later:
        fold(bids, row["b"])
        fold(asks, row["a"])
    final = lab.get(snapshot, symbol=symbol, limit="1000")

    assert numbered(rows)
    assert single_ids == all(row["U"] == row["u"] for row in rows) or "1000" not in depth
    assert later[0]["U"] <= known + 1 <= later[0]["u"]
    assert later[-1]["u"] == int(final["lastUpdateId"])
    assert (bids, asks) == (dict(final["bids"]), dict(final["asks"]))
    if variant == "binance_usdm":
        assert all(row["pu"] == before["u"] for before, row in pairwise(rows))


def test_what_happened_between_two_messages_can_be_merged() -> None:
    merged, single = (Lab("binance", single_ids=each) for each in (False, True))
    clients = [lab.join() for lab in (merged, single)]
    for client in clients:
        client.ask("SUBSCRIBE", "btcusdt@depth")
        client.venue.run(3)
    few, many = (client.data("btcusdt@depth") for client in clients)

    assert len(few) == 3
    assert few[-1]["u"] == many[-1]["u"]
    assert few[0]["U"] < few[0]["u"]
    assert all(row["U"] == row["u"] for row in many)


def test_trades_are_numbered_by_symbol_and_are_the_same_over_rest() -> None:
    lab = Lab("binance")
    client = lab.join()
    client.ask("SUBSCRIBE", "btcusdt@trade", "ethusdt@aggTrade")
    lab.run(3)
    trades = client.data("btcusdt@trade")
    numbers = [row["t"] for row in trades]
    rest = lab.get("/trades", symbol="BTCUSDT", limit="5")

    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert [row["id"] for row in rest] == numbers[-5:]
    assert [row["price"] for row in rest] == [row["p"] for row in trades[-5:]]
    assert [row["a"] for row in lab.get("/aggTrades", symbol="ETHUSDT", limit="2")] == [
        row["a"] for row in client.data("ethusdt@aggTrade")[-2:]
    ]


def test_a_bars_last_state_is_told_when_it_is_over_and_agrees_with_rest() -> None:
    lab = Lab("binance", actions_per_second=300)
    client = lab.join()
    client.ask("SUBSCRIBE", "btcusdt@kline_1s")
    lab.run(4)
    told = [row["k"] for row in client.data("btcusdt@kline_1s")]
    closed = {row["t"]: row for row in told if row["x"]}
    rest = {row[0]: row for row in lab.get("/klines", symbol="BTCUSDT", interval="1s", limit="10")}

    assert len(closed) >= 2
    for start, row in closed.items():
        assert [row[name] for name in "ohlcv"] == rest[start][1:6]
        assert row["T"] == start + 999
        assert row["n"] == row["L"] - row["f"] + 1


def test_all_kinds_of_streams_say_something() -> None:
    lab = Lab("binance")
    client = lab.join()
    names = (
        "btcusdt@bookTicker btcusdt@depth5@100ms btcusdt@ticker btcusdt@ticker_1h btcusdt@miniTicker btcusdt@avgPrice"
    )
    wanted = [*names.split(), "!miniTicker@arr", "!ticker_4h@arr"]
    client.ask("SUBSCRIBE", *wanted)
    lab.run(2)

    for name in wanted:
        assert client.data(name), name
    assert len(client.data("btcusdt@depth5@100ms")[0]["bids"]) == 5
    assert [row["s"] for row in client.data("!miniTicker@arr")[0]] == ["BTCUSDT", "ETHUSDT"]
    assert client.data("btcusdt@ticker_1h")[0]["e"] == "1hTicker"


def test_futures_and_backpack_tell_what_only_they_have() -> None:
    futures, backpack = Lab("binance_usdm"), Lab("backpack", actions_per_second=5)
    clients = futures.join(), backpack.join("/")
    clients[0].ask("SUBSCRIBE", "btcusdt@markPrice@1s", "!bookTicker", "btcusdt@depth@0ms")
    clients[1].ask("SUBSCRIBE", "markPrice.SOL_USDC_PERP", "openInterest.SOL_USDC_PERP", "liquidation")
    futures.run(1.5)
    backpack.run(60, step=1)

    assert len(clients[0].data("btcusdt@markPrice@1s")) == 1
    assert {row["s"] for row in clients[0].data("!bookTicker")} == {"BTCUSDT", "ETHUSDT"}
    assert clients[0].data("btcusdt@depth@0ms")
    assert len(clients[1].data("markPrice.SOL_USDC_PERP")) == 60
    assert len(clients[1].data("openInterest.SOL_USDC_PERP")) == 1
    assert clients[1].data("liquidation") == []


def test_times_come_in_microseconds_where_that_was_asked_for() -> None:
    lab = Lab("binance")
    plain, fine = lab.join(streams="btcusdt@trade"), lab.join(streams="btcusdt@trade", timeUnit="MICROSECOND")
    lab.run(2)
    one, other = plain.data("btcusdt@trade")[0], fine.data("btcusdt@trade")[0]

    assert other["T"] // 1000 == one["T"]
    assert lab.venue.statistics["topics"] == 2


def test_a_raw_connection_gets_no_envelope_until_it_asks_for_one() -> None:
    lab = Lab("binance")
    raw = lab.join("/ws/btcusdt@trade/ethusdt@trade")
    lab.run(2)
    assert {frame["s"] for frame in raw.sent} == {"BTCUSDT", "ETHUSDT"}

    raw.sent.clear()
    for request in (("GET_PROPERTY", "combined"), ("SET_PROPERTY", "combined", True), ("GET_PROPERTY", "combined")):
        raw.ask(*request)
    raw.ask("LIST_SUBSCRIPTIONS")
    assert [frame["result"] for frame in raw.sent] == [False, None, True, ["btcusdt@trade", "ethusdt@trade"]]
    raw.sent.clear()
    lab.run(1)
    assert {frame["stream"] for frame in raw.sent} == {"btcusdt@trade", "ethusdt@trade"}


def test_binance_acknowledges_names_that_it_does_not_know_and_says_nothing_by_them() -> None:
    lab = Lab("binance")
    client = lab.join("/ws/0")
    client.ask("SUBSCRIBE", "nope@trade", "btcusdt@blockTrade")
    client.ask("LIST_SUBSCRIPTIONS")
    client.ask("UNSUBSCRIBE", "nope@trade", "never@trade")
    lab.run(1)

    assert [frame["result"] for frame in client.sent] == [None, ["0", "nope@trade", "btcusdt@blockTrade"], None]
    assert client.session is not None
    assert len(lab.venue.subscriptions(client.session)) == 2
    assert lab.venue.lane(client.session) == "market"


def test_binance_lets_in_by_its_two_paths_only() -> None:
    lab = Lab("binance")
    refused = lab.venue.admit(HttpCall(method="GET", path="/other"), lab.now)

    assert refused is not None
    assert refused.status == 404
    assert lab.venue.admit(HttpCall(method="GET", path="/public/stream"), lab.now) is None
    assert Lab("seed").venue.admit(HttpCall(method="GET", path="/other"), lab.now) is None


def test_backpack_refuses_a_frame_with_a_stream_that_it_does_not_have() -> None:
    lab = Lab("backpack")
    client = lab.join("/")
    client.say('{"method":"SUBSCRIBE","params":["trade.SOL_USDC","trade.NOPE"]}')
    lab.run(1)

    assert client.sent == [{"id": None, "error": {"code": 4006, "message": "Invalid stream"}}]
    assert lab.venue.statistics["ignored"] == 1


def test_the_seeds_server_says_nothing_but_data() -> None:
    lab = Lab("seed")
    client = lab.join("/ws")
    client.say("no json")
    client.say(b'{"method":"SUBSCRIBE","params":["trade.SOL_USDC"],"id":1}')
    client.ask("SUBSCRIBE", "trade.sol_usdc")
    client.ask("SUBSCRIBE", "trade.SOL_USDC", "nope", "trade.BTC_USDT", id=-1)
    client.ask("SUBSCRIBE", "trade.SOL_USDC")
    client.ask("UNSUBSCRIBE", "ticker.SOL_USDC")
    client.ask("SUBSCRIBE", "ticker.SOL_USDC")
    client.ask("UNSUBSCRIBE", "ticker.SOL_USDC")
    lab.run(2)

    assert {frame["stream"] for frame in client.sent} == {"trade.SOL_USDC", "trade.BTC_USDT"}
    numbers = [row["t"] for row in client.data("trade.SOL_USDC")]
    assert len(numbers) == len(set(numbers))
    assert lab.venue.statistics["ignored"] == 3
    client.ask("UNSUBSCRIBE", "trade.SOL_USDC", "trade.BTC_USDT")
    client.sent.clear()
    lab.run(1)
    assert client.sent == []
    assert lab.venue.statistics["channels"] == 0


def test_the_reference_implementation_doubles_what_is_asked_for_twice() -> None:
    lab = Lab("seed", reference_quirks=True)
    client, other = lab.join("/"), lab.join("/")
    client.ask("SUBSCRIBE", "trade.SOL_USDC", "depth.SOL_USDC")
    client.ask("SUBSCRIBE", "trade.SOL_USDC")
    client.ask("SUBSCRIBE", "ticker.SOL_USDC")
    other.ask("SUBSCRIBE", "trade.SOL_USDC")
    lab.run(2)
    rows = client.data("trade.SOL_USDC")

    assert rows[::2] == rows[1::2] == other.data("trade.SOL_USDC")
    assert {frame["stream"] for frame in client.sent} == {"trade.SOL_USDC"}
    assert all(set(row) == {"T", "e", "m", "p", "q", "s", "t"} for row in rows)
    client.ask("UNSUBSCRIBE", "trade.SOL_USDC")
    client.sent.clear()
    lab.run(1)
    assert client.sent == []


@pytest.mark.parametrize(("quirks", "left"), [(False, 0), (True, 1)])
def test_the_reference_implementation_keeps_the_channels_of_who_hangs_up(quirks: bool, left: int) -> None:
    lab = Lab("seed", reference_quirks=quirks)
    client = lab.join("/")
    client.ask("SUBSCRIBE", "trade.SOL_USDC")
    assert lab.venue.statistics["channels"] == 1
    client.leave()
    lab.run(1)

    assert (lab.venue.statistics["channels"], lab.venue.statistics["topics"]) == (left, 0)


def test_a_channel_lives_as_long_as_anyone_listens() -> None:
    lab = Lab("seed")
    first, second = lab.join("/"), lab.join("/")
    for client in (first, second):
        client.ask("SUBSCRIBE", "trade.SOL_USDC")
    first.leave()
    lab.run(1)

    assert lab.venue.statistics["channels"] == 1
    assert second.data("trade.SOL_USDC")


def test_too_many_streams_are_refused_whole() -> None:
    lab = Lab("binance", max_streams=2)
    client = lab.join("/ws/btcusdt@trade")
    client.ask("SUBSCRIBE", "ethusdt@trade", "solusdt@trade")
    client.ask("SUBSCRIBE", "btcusdt@trade", "ethusdt@trade")
    other = lab.join(streams="a/b/c")

    assert [frame.get("code", "ok") for frame in client.sent] == [2, "ok"]
    assert other.closed is not None
    assert other.closed[0] == 1008


def test_who_talks_too_much_is_hung_up_on() -> None:
    lab = Lab("binance")
    polite, noisy, pinging = lab.join(), lab.join(), lab.join()
    for _ in range(5):
        polite.ask("LIST_SUBSCRIPTIONS")
        lab.run(0.3)
    for _ in range(7):
        noisy.ask("LIST_SUBSCRIPTIONS")
    pinging.received += 6
    lab.run(0.1)

    assert polite.closed is None
    assert noisy.closed == pinging.closed == (1008, "more than 5 messages a second")
    assert len(noisy.sent) == 5


def test_a_connection_lives_no_longer_than_it_may() -> None:
    lab = Lab("binance", life=3.0)
    first = lab.join()
    lab.run(2)
    second = lab.join()
    lab.run(1.1)

    assert first.closed == (1001, "3 s are over")
    assert second.closed is None


def test_who_answers_no_ping_is_hung_up_on() -> None:
    lab = Lab("binance", actions_per_second=1)
    quiet, alive, late = lab.join(), lab.join(), lab.join()
    for _ in range(8):
        lab.run(10, step=1)
        alive.pong = alive.pings[-1] if alive.pings else None
    late.pong = late.pings[0]
    lab.run(10, step=1)

    assert quiet.closed is not None
    assert quiet.closed == (1008, "no pong in 60 s")
    assert alive.closed is None
    assert len(alive.pings) == 4
    assert late.closed is not None


def test_a_pong_that_answers_no_ping_counts_for_nothing() -> None:
    lab = Lab("backpack", ping_every=1.0, pong_within=2.0)
    client = lab.join("/")
    client.pong = b""
    lab.run(4)

    assert client.closed == (1008, "no pong in 2 s")


def test_a_skipped_update_leaves_a_hole_in_the_numbers() -> None:
    lab = Lab("binance")
    client = lab.join(streams="btcusdt@depth@100ms/ethusdt@depth@100ms")

    def holes(name: str) -> int:
        rows = client.data(f"{name}@depth@100ms")
        return sum(row["U"] - before["u"] - 1 for before, row in pairwise(rows))

    lab.run(0.6)
    lab.fault("skip", instrument="BTCUSDT")
    lab.run(0.6)
    assert (holes("btcusdt"), holes("ethusdt")) == (1, 0)
    lab.fault("skip", count=2)
    lab.run(1)
    assert holes("btcusdt") + holes("ethusdt") == 3
    assert lab.get("/depth", symbol="BTCUSDT")["lastUpdateId"] >= client.data("btcusdt@depth@100ms")[-1]["u"]


@pytest.mark.parametrize(("variant", "name"), [("binance", "btcusdt@trade"), ("seed", "trade.SOL_USDC")])
def test_a_request_can_be_ignored_on_command(variant: str, name: str) -> None:
    lab = Lab(variant)
    client = lab.join()
    lab.fault("silent")
    client.ask("SUBSCRIBE", name)
    lab.run(2)
    assert client.sent == []

    client.ask("SUBSCRIBE", name)
    lab.run(2)
    assert client.data(name)


def test_requests_for_one_instrument_can_be_ignored_alone() -> None:
    lab = Lab("seed")
    client = lab.join()
    lab.fault("silent", instrument="SOL_USDC", count=2)
    for name in ("trade.SOL_USDC", "trade.BTC_USDT", "depth.SOL_USDC", "trade.NONE"):
        client.ask("SUBSCRIBE", name)
    lab.run(2)
    assert {frame["stream"] for frame in client.sent} == {"trade.BTC_USDT"}

    client.ask("SUBSCRIBE", "trade.SOL_USDC")
    lab.run(2)
    assert client.data("trade.SOL_USDC")


def test_binance_says_that_it_goes_and_then_goes() -> None:
    lab = Lab("binance")
    raw, combined = lab.join("/ws"), lab.join()
    assert lab.fault("shutdown", seconds=1.0) == 2
    now = lab.now // MS

    assert raw.sent == [{"e": "serverShutdown", "E": now}]
    assert combined.sent == [{"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": now}}]
    lab.run(0.9)
    assert raw.closed is None
    lab.run(0.1)
    assert raw.closed == combined.closed == (1001, "the server restarts")


@pytest.mark.parametrize("variant", ["backpack", "seed"])
def test_the_others_just_close(variant: str) -> None:
    lab = Lab(variant)
    client = lab.join("/")
    lab.fault("shutdown")

    assert (client.sent, client.closed) == ([], (1001, "the server restarts"))
    client.ask("SUBSCRIBE", "trade.SOL_USDC")
    lab.run(1)
    assert client.sent == []


def test_a_stale_snapshot_is_older_than_any_update() -> None:
    lab = Lab("binance")
    client = lab.join()
    client.ask("SUBSCRIBE", "btcusdt@depth@100ms")
    lab.run(1)
    lab.fault("stale_snapshot")
    stale, fresh = (lab.get("/depth", symbol="BTCUSDT")["lastUpdateId"] for _ in range(2))
    first = client.data("btcusdt@depth@100ms")[0]["U"]

    assert stale < first - 1
    assert fresh >= first


def test_the_seeds_fan_out_can_die_silently_for_a_while() -> None:
    lab = Lab("seed")
    client = lab.join("/")
    client.ask("SUBSCRIBE", "trade.SOL_USDC")
    client.ask("SUBSCRIBE", "ticker.SOL_USDC")
    lab.fault("panic", seconds=2.0)
    lab.run(1.9)
    assert client.sent == []
    assert client.closed is None
    lab.run(2)
    assert {frame["stream"] for frame in client.sent} == {"trade.SOL_USDC", "ticker.SOL_USDC"}
    assert "panic" not in Lab("binance").venue.own_faults


def test_an_instrument_can_stand_still() -> None:
    lab = Lab("backpack")
    client = lab.join("/")
    client.ask("SUBSCRIBE", "trade.SOL_USDC")
    lab.fault("halt", instrument="SOL_USDC")
    lab.run(2)
    assert client.sent == []
    lab.fault("resume", instrument="SOL_USDC")
    lab.run(2)
    assert client.data("trade.SOL_USDC")


@pytest.mark.parametrize(("fault", "instrument"), [("skip", "NOPE"), ("halt", "NOPE"), ("halt", "")])
def test_a_fault_of_an_instrument_that_is_not_there_is_refused(fault: str, instrument: str) -> None:
    with pytest.raises(ConfigError, match="no instrument"):
        Lab("binance").fault(fault, instrument=instrument)


def test_a_recording_is_served_in_place_of_a_generated_market() -> None:
    instruments = {"BTCUSDT": Instrument("BTCUSDT", Decimal("0.01"), currency="USDT")}
    lab = Lab("binance", instruments=instruments, source=())
    client = lab.join(streams="btcusdt@trade/btcusdt@depth@100ms/btcusdt@bookTicker/btcusdt@ticker")
    book = BookSnapshot("BTCUSDT", (99.0,), (1.5,), (101.0,), (0.25,), START - SECOND, 0, "")
    other = Trade("ETHUSDT", 1.0, 1.0, None, 1, None, 0, "")
    quote = Quote("BTCUSDT", 99.0, 1.5, 101.0, 0.25, None, None, 0, "")
    trade = Trade("BTCUSDT", 100.0, 0.5, Side.SELL, 7, START - SECOND, 0, "")
    lab.run(0.1)
    for event in (book, other, quote, trade):
        lab.venue.feed(event, lab.now, shift=SECOND)
    lab.run(1)

    (row,) = client.data("btcusdt@trade")
    assert (row["p"], row["q"], row["T"], row["m"]) == ("100.00000000", "0.50000000", START // MS, True)
    (depth,) = client.data("btcusdt@depth@100ms")
    assert (depth["b"], depth["a"]) == ([["99.00000000", "1.50000000"]], [["101.00000000", "0.25000000"]])
    assert client.data("btcusdt@bookTicker")[0]["b"] == "99.00000000"
    assert client.data("btcusdt@ticker")[0]["c"] == "100.00000000"


def test_a_recording_is_not_fed_into_a_generated_market() -> None:
    lab = Lab("binance")
    client = lab.join(streams="btcusdt@trade")
    lab.venue.feed(Trade("BTCUSDT", 1.0, 1.0, None, 1, None, 0, ""), lab.now, shift=0)

    assert client.sent == []
    assert lab.venue.orders == {}
    lab.venue.forget_orders(lab.now)


def test_an_empty_market_has_figures_too() -> None:
    instruments = {"SOL_USDC_PERP": Instrument("SOL_USDC_PERP", Decimal("0.01"), currency="USDC")}
    lab = Lab("backpack", instruments=instruments, source=())

    assert lab.get("/ticker", symbol="SOL_USDC_PERP")["lastPrice"] == "0.00"
    assert lab.get("/markPrices")[0]["markPrice"] == "0.00"
    assert lab.get("/depth", symbol="SOL_USDC_PERP")["bids"] == []


@pytest.mark.parametrize(
    ("variant", "symbol", "paths"),
    [
        ("binance", "BTCUSDT", "ping time exchangeInfo depth trades historicalTrades aggTrades klines avgPrice"),
        ("binance", "BTCUSDT", "ticker/24hr ticker/price ticker/bookTicker"),
        ("binance_usdm", "BTCUSDT", "ping time exchangeInfo depth trades aggTrades klines premiumIndex ticker/24hr"),
        (
            "backpack",
            "SOL_USDC",
            "ping time status markets market securities assets depth trades ticker tickers markPrices",
        ),
        ("seed", "SOL_USDC", "health depth trades tickers"),
    ],
)
def test_every_call_has_an_answer(variant: str, symbol: str, paths: str) -> None:
    lab = Lab(variant)
    lab.run(1)
    for path in paths.split():
        lab.get(f"/{path}", symbol=symbol, interval="1m", limit="5")


def test_a_call_without_a_symbol_means_all_of_them() -> None:
    lab = Lab("binance")

    assert [row["symbol"] for row in lab.get("/ticker/price")] == ["BTCUSDT", "ETHUSDT"]
    assert lab.get("/ticker/price", symbol="ETHUSDT")["symbol"] == "ETHUSDT"


def test_bars_are_given_from_a_time_on_or_the_latest() -> None:
    lab = Lab("seed")
    now = START // MS
    early = lab.get("/klines", symbol="SOL_USDC", interval="1min", startTime=str(now - 3_600_000), limit="2")
    late = lab.get("/klines", symbol="SOL_USDC", interval="1min", limit="2", endTime=str(now - 60_000))
    backpack = Lab("backpack").get("/klines", symbol="SOL_USDC", interval="1m", startTime=str(now // 1000 - 3_600))

    assert [int(row["start"]) for row in early] == [now - 3_560_000 - now % 20_000, now - 3_500_000 - now % 20_000]
    assert int(late[-1]["start"]) <= now - 60_000
    assert len(backpack) == 60


REFUSED: list[tuple[str, dict[str, str]]] = [
    ("depth", {"symbol": "NOPE"}),
    ("depth", {}),
    ("depth", {"symbol": "BTCUSDT", "limit": "-1"}),
    ("depth", {"symbol": "BTCUSDT", "limit": "5001"}),
    ("depth", {"symbol": "BTCUSDT", "limit": "\u0663"}),
    ("depth", {"symbol": "BTCUSDT", "limit": "9" * 5000}),
    ("klines", {"symbol": "BTCUSDT", "interval": "7m"}),
    ("klines", {"symbol": "BTCUSDT"}),
    ("klines", {"symbol": "BTCUSDT", "interval": "1m", "startTime": "x"}),
    ("exchangeInfo", {"symbol": "NOPE"}),
]


def test_a_call_that_cannot_be_is_refused() -> None:
    lab = Lab("binance")
    for path, query in REFUSED:
        assert lab.status(f"/api/v3/{path}", **query) == 400, (path, query)


def test_calls_that_are_not_there_are_refused() -> None:
    binance, backpack = Lab("binance"), Lab("backpack")

    assert binance.status("/api/v3/account") == 404
    assert binance.status("/fapi/v1/depth") == 404
    assert backpack.status("/api/v1/depth", symbol="NOPE") == 400
    assert backpack.status("/api/v1/depth", "POST") == 405


@pytest.mark.parametrize(
    ("name", "value"), [("life", -1.0), ("ping_every", -1.0), ("book_interval", 0.0), ("actions_per_second", -1.0)]
)
def test_a_stream_venue_that_cannot_be_is_refused(name: str, value: float) -> None:
    settings: dict[str, Any] = {name: value}
    with pytest.raises(ConfigError, match=name):
        StreamVenueConfig(**settings)


def test_trades_are_counted_by_second_and_minute() -> None:
    tally = Tally()
    for number, (time, bought) in enumerate(((0, True), (SECOND // 2, False), (61 * SECOND, True))):
        tally.add(time, number, 2.0, taker_bought=bought)
    minute, nothing = tally.sum(60 * SECOND, 0, 60 * SECOND), tally.sum(SECOND, 5 * SECOND, 6 * SECOND)

    assert (minute.first, minute.last, minute.count, minute.bought) == (0, 1, 2, 2.0)
    assert (nothing.first, nothing.count) == (-1, 0)
    assert tally.sum(SECOND, 0, 62 * SECOND).count == 3

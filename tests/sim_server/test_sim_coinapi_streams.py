from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.errors import ConfigError
from strategykit.model.events import BookSnapshot, Event, Side, Trade
from strategykit.model.instruments import Instrument
from strategykit.sim.coinapi_config import SIMULATED_KEY, CoinApiVenueConfig, default_coinapi_instruments
from strategykit.sim.coinapi_session import CoinSession
from strategykit.sim.coinapi_venue import CoinApiVenue
from strategykit.sim.faults import FaultCommand
from strategykit.sim.http_calls import HttpCall
from strategykit.venues.coinapi.names import Variant
from strategykit.venues.coinapi.times import read_time

START = 1_714_979_289_000_000_000
SECOND = 1_000_000_000
KRAKEN, COINBASE, BINANCE = "KRAKEN_SPOT_ETH_EUR", "COINBASE_SPOT_BTC_USD", "BINANCE_SPOT_BTC_USDT"
LISTED = {name: each for name, each in default_coinapi_instruments().items() if name in (KRAKEN, COINBASE, BINANCE)}
FEW = {name: LISTED[name] for name in (KRAKEN, COINBASE)}

Message = dict[str, Any]


@attrs.define(eq=False)
class FakeOutlet:
    """The far end of one connection, as the server would be it."""

    texts: list[Message] = attrs.field(factory=list)
    closed: tuple[int, str] | None = None
    waiting: int = 0
    pings: list[bytes] = attrs.field(factory=list)
    pong: bytes | None = None
    received: int = 0

    def send(self, message: str | bytes) -> None:
        self.send_encoded(message if isinstance(message, bytes) else message.encode())

    def send_block(self, messages: Sequence[str | bytes]) -> None:
        for message in messages:
            self.send(message)

    def send_encoded(self, text: bytes) -> None:
        assert self.closed is None, "nothing follows a close"
        self.texts.append(json.loads(text))

    def send_encoded_block(self, texts: Sequence[bytes]) -> None:
        self.send_block(texts)

    def ping(self, payload: bytes) -> None:
        self.pings.append(payload)

    def close(self, code: int, reason: str) -> None:
        self.closed = code, reason


@attrs.define(eq=False)
class Client:
    lab: Lab
    session: CoinSession
    outlet: FakeOutlet

    def say(self, **fields: Any) -> None:
        self.lab.venue.receive(self.session, json.dumps(fields), self.lab.now)

    def hello(self, *types: str, **fields: Any) -> None:
        self.say(type="hello", subscribe_data_type=list(types), **fields)

    def subscribe(self, *types: str, **fields: Any) -> None:
        self.say(type="subscribe", subscribe_data_type=list(types), **fields)

    def unsubscribe(self, *types: str, **fields: Any) -> None:
        self.say(type="unsubscribe", subscribe_data_type=list(types), **fields)

    def got(self, *types: str) -> list[Message]:
        return [text for text in self.outlet.texts if text["type"] in types]

    def symbols(self) -> set[str]:
        return {text["symbol_id"] for text in self.outlet.texts if "symbol_id" in text}

    def forget(self) -> None:
        self.outlet.texts.clear()


@attrs.define(eq=False)
class Lab:
    """A venue whose time is told."""

    venue: CoinApiVenue
    now: int = START

    def connect(self, path: str = "/v1/", key: str = SIMULATED_KEY, **headers: str) -> Client:
        call = HttpCall(method="GET", path=path, headers={**({"x-coinapi-key": key} if key else {}), **headers})
        assert self.venue.admit(call, self.now) is None
        outlet = FakeOutlet()
        return Client(self, self.venue.open_session(call, outlet, self.now), outlet)

    def run(self, seconds: float, step: float = 0.1) -> None:
        for _ in range(round(seconds / step)):
            self.now += int(step * SECOND)
            self.venue.advance(self.now)

    def fault(self, fault: str, **fields: Any) -> int:
        return self.venue.fault(FaultCommand(fault, **fields), self.now)


def lab(variant: Variant = Variant.V1, **settings_: Any) -> Lab:
    config = CoinApiVenueConfig(**{"instruments": FEW, **settings_})
    return Lab(CoinApiVenue(variant, config, now=START))


def quiet(variant: Variant = Variant.V1, **settings_: Any) -> Lab:
    """A venue with no market: it is made quickly."""
    return lab(variant, source=[], **settings_)


def one(name: str) -> dict[str, list[str]]:
    return {"subscribe_filter_symbol_id": [f"{name}$"]}


def in_sequence(messages: Sequence[Message]) -> bool:
    last: dict[tuple[str, str], int] = defaultdict(int)
    for text in messages:
        key = text["type"], text["symbol_id"]
        if text["sequence"] != last[key] + 1:
            return False
        last[key] += 1
    return True


def test_nothing_comes_before_a_hello_and_then_only_what_was_asked_for() -> None:
    client = (market := lab()).connect()
    market.run(1)
    assert client.outlet.texts == []

    client.hello("trade", **one(KRAKEN))
    market.run(3)

    assert {text["type"] for text in client.outlet.texts} == {"trade"}
    assert client.symbols() == {KRAKEN}


def test_messages_are_numbered_by_type_and_symbol_from_one() -> None:
    client = (market := lab(instruments=LISTED)).connect()
    client.hello("trade", "quote", "book5", "book20", "book_l3", "ohlcv", subscribe_filter_asset_id=["BTC"])
    market.run(3)

    assert client.symbols() == {COINBASE, BINANCE}
    assert in_sequence(client.got("trade"))
    assert in_sequence(client.got("quote", "book5", "book20", "book_l3", "ohlcv"))


def test_numbers_go_on_after_another_hello_of_the_same_connection() -> None:
    client = (market := lab()).connect()
    client.hello("trade", **one(KRAKEN))
    market.run(2)
    client.hello("trade", "quote", **one(KRAKEN))
    market.run(2)

    assert in_sequence(client.got("trade", "quote"))


def test_another_hello_replaces_subscribe_adds_and_unsubscribe_removes() -> None:
    client = (market := lab()).connect()
    client.hello("book5", **one(KRAKEN))
    client.hello("book5", **one(COINBASE))
    market.run(1)
    replaced = client.symbols()
    client.forget()
    client.subscribe("book5", **one(KRAKEN))
    market.run(1)
    added = client.symbols()
    client.forget()
    client.unsubscribe("book5", **one(COINBASE))
    market.run(1)

    assert (replaced, added, client.symbols()) == ({COINBASE}, {COINBASE, KRAKEN}, {KRAKEN})


def apply(book: tuple[dict[float, float], dict[float, float]], text: Message) -> None:
    for side, levels in zip(book, (text["asks"], text["bids"]), strict=True):
        if text["is_snapshot"]:
            side.clear()
        for level in levels:
            if level["size"]:
                side[level["price"]] = level["size"]
            else:
                del side[level["price"]]


def test_a_book_is_a_snapshot_and_changes_that_lead_to_the_next_snapshot() -> None:
    client = (market := lab()).connect()
    client.hello("book", **one(KRAKEN))
    assert [text["is_snapshot"] for text in client.outlet.texts] == [True]
    market.run(20)
    client.subscribe("book", **one(KRAKEN))

    *stream, last = client.got("book")
    book: tuple[dict[float, float], dict[float, float]] = ({}, {})
    whole: tuple[dict[float, float], dict[float, float]] = ({}, {})
    for text in stream:
        apply(book, text)
    apply(whole, last)

    assert last["is_snapshot"] is True
    assert len(stream) > 100
    assert not any(text["is_snapshot"] for text in stream[1:])
    assert book == whole
    assert in_sequence(client.got("book"))
    assert [level["price"] for level in last["asks"]] == sorted(whole[0])
    assert [level["price"] for level in last["bids"]] == sorted(whole[1], reverse=True)


def apply_orders(orders: dict[str, list[float]], text: Message, side: str) -> None:
    if text["is_snapshot"]:
        orders.clear()
    for entry in text[side]:
        name, price, size = entry["id"], entry["price"], entry["size"]
        name = str(price) if name is None else name
        match entry.get("update_type"):
            case None | "ADD":
                assert name not in orders
                orders[name] = [price, size]
            case "UPDATE":
                orders[name][1] = size
            case "SUBTRACT" | "MATCH":
                orders[name][1] = round(orders[name][1] - size, 9)
                if not orders[name][1]:
                    del orders[name]
            case "DELETE":
                del orders[name]


@pytest.mark.parametrize("name", [COINBASE, BINANCE])
def test_a_book_by_order_leads_from_snapshot_to_snapshot(name: str) -> None:
    client = (market := lab(instruments=LISTED)).connect()
    client.hello("book_l3", **one(name))
    market.run(20)
    client.hello("book_l3", **one(name))

    *stream, last = client.got("book_l3")
    for side in ("asks", "bids"):
        orders: dict[str, list[float]] = {}
        whole: dict[str, list[float]] = {}
        for text in stream:
            apply_orders(orders, text, side)
        apply_orders(whole, last, side)
        assert orders == whole

    kinds = {entry["update_type"] for text in stream[1:] for entry in text["asks"] + text["bids"]}
    ids = {entry["id"] is None for text in stream for entry in text["asks"] + text["bids"]}
    assert kinds == ({"ADD", "DELETE", "UPDATE"} if name == BINANCE else {"ADD", "DELETE", "MATCH"})
    assert ids == {name == BINANCE}
    assert len(stream) > 100


def test_a_second_watcher_of_orders_disturbs_the_first_one_not() -> None:
    first = (market := lab()).connect()
    first.hello("book_l3", **one(COINBASE))
    market.run(1)
    second = market.connect()
    second.hello("book_l3", **one(COINBASE))
    market.run(1)
    market.venue.close_session(second.session, market.now)
    market.run(1)
    first.hello("book_l3", **one(COINBASE))

    orders: dict[str, list[float]] = {}
    whole: dict[str, list[float]] = {}
    *stream, last = first.got("book_l3")
    for text in stream:
        apply_orders(orders, text, "asks")
    apply_orders(whole, last, "asks")
    assert orders == whole


def test_a_book_by_order_begins_anew_after_a_time_without_watchers() -> None:
    client = (market := lab()).connect()
    client.hello("book_l3", **one(COINBASE))
    market.run(1)
    client.unsubscribe("book_l3")
    market.run(2)
    client.forget()
    client.subscribe("book_l3", **one(COINBASE))
    market.run(2)
    client.hello("book_l3", **one(COINBASE))

    orders: dict[str, list[float]] = {}
    whole: dict[str, list[float]] = {}
    *stream, last = client.got("book_l3")
    for text in stream:
        apply_orders(orders, text, "bids")
    apply_orders(whole, last, "bids")
    assert orders == whole


@pytest.mark.parametrize(("data_type", "levels"), [("book5", 5), ("book20", 20), ("book50", 50)])
def test_books_of_limited_depth_are_whole_and_say_nothing_of_snapshots(data_type: str, levels: int) -> None:
    client = (market := lab()).connect()
    client.hello(data_type, **one(KRAKEN))
    market.run(2)

    for text in client.outlet.texts:
        assert "is_snapshot" not in text
        assert len(text["asks"]) <= levels
        assert text["asks"][0]["price"] > text["bids"][0]["price"]
    assert max(len(text["asks"]) for text in client.outlet.texts) > min(levels, 20) - 1


def times(client: Client, *types: str) -> list[int]:
    found = [read_time(text["time_coinapi"]) for text in client.got(*types)]
    return [time for time in found if time is not None]


def test_deep_books_come_at_most_once_a_second_and_without_gaps_in_their_numbers() -> None:
    client = (market := lab()).connect()
    client.hello("book20", **one(KRAKEN))
    market.run(5.5)

    assert 5 <= len(client.outlet.texts) <= 6
    assert in_sequence(client.outlet.texts)


def test_a_limit_thins_out_quotes_by_symbol_and_leaves_gaps_in_numbers() -> None:
    free, limited = (market := lab(actions_per_second=200)).connect(), market.connect()
    free.hello("quote")
    limited.hello("quote", subscribe_update_limit_ms_quote=1000)
    market.run(5.5)

    for name in (KRAKEN, COINBASE):
        mine = [text for text in limited.outlet.texts if text["symbol_id"] == name]
        assert 5 <= len(mine) <= 6
    assert len(free.outlet.texts) > 3 * len(limited.outlet.texts)
    assert in_sequence(free.outlet.texts)
    assert not in_sequence(limited.outlet.texts)


def test_the_last_state_within_a_limit_comes_when_it_is_over() -> None:
    free, limited = (market := lab(actions_per_second=200)).connect(), market.connect()
    free.hello("book5", **one(KRAKEN))
    limited.hello("book5", subscribe_update_limit_ms_book_snapshot=2000, **one(KRAKEN))
    market.run(1)
    market.fault("halt", instrument=KRAKEN)
    market.run(3)

    assert limited.outlet.texts[-1]["asks"] == free.outlet.texts[-1]["asks"]


def test_zero_lifts_a_limit_null_leaves_it_and_hello_forgets_it() -> None:
    client = (market := lab(actions_per_second=200)).connect()
    member = "subscribe_update_limit_ms_quote"
    counts = []
    for say, value in ((client.hello, 60_000), (client.subscribe, None), (client.subscribe, 0), (client.hello, None)):
        say("quote", **{member: value}, **one(KRAKEN))
        client.forget()
        market.run(2)
        counts.append(len(client.outlet.texts))

    assert counts[0] <= 1
    assert counts[1] == 0
    assert counts[2] > 5
    assert counts[3] > 5


def test_what_waits_for_a_limit_is_forgotten_when_it_is_unsubscribed() -> None:
    client = (market := lab(actions_per_second=200)).connect()
    client.hello("quote", subscribe_update_limit_ms_quote=2000, **one(KRAKEN))
    market.run(1)
    client.unsubscribe("quote")
    client.forget()
    market.run(3)

    assert client.outlet.texts == []


def test_heartbeats_come_after_each_second_of_silence_for_those_who_asked() -> None:
    quiet, asking, busy = (market := lab(actions_per_second=200)).connect(), market.connect(), market.connect()
    nothing = {"subscribe_filter_symbol_id": ["NOBODY"]}
    quiet.hello("trade", heartbeat=False, **nothing)
    asking.hello("trade", heartbeat=True, **nothing)
    busy.hello("book5", heartbeat=True, **one(KRAKEN))
    market.run(5)

    assert quiet.outlet.texts == []
    assert asking.outlet.texts == [{"type": "hearbeat"}] * 5
    assert busy.got("hearbeat") == []


def test_the_last_word_on_heartbeats_counts_and_silence_on_them_changes_nothing() -> None:
    client = (market := quiet()).connect()
    nothing = {"subscribe_filter_symbol_id": ["NOBODY"]}
    client.hello("trade", heartbeat=True, **nothing)
    client.subscribe("trade", **nothing)
    market.run(2)
    count = len(client.outlet.texts)
    client.subscribe("trade", heartbeat=False, **nothing)
    market.run(2)

    assert (count, len(client.outlet.texts)) == (2, 2)


def test_bars_are_repeated_while_open_and_told_when_they_close() -> None:
    client = (market := lab(actions_per_second=100)).connect()
    client.hello("ohlcv", "trade", subscribe_filter_period_id=["10SEC"], **one(KRAKEN))
    market.run(21)

    bars = client.got("ohlcv")
    second = [bar for bar in bars if bar["time_period_start"] == "2024-05-06T07:08:10.0000000Z"]
    trades = [
        trade
        for trade in client.got("trade")
        if "2024-05-06T07:08:10" <= trade["time_exchange"] < "2024-05-06T07:08:20"
    ]
    prices = [trade["price"] for trade in trades]
    assert {bar["period_id"] for bar in bars} == {"10SEC"}
    assert 2 <= len(second) <= 3
    assert second[-1]["trades_count"] == len(trades) > second[0]["trades_count"]
    assert [second[-1][f"price_{name}"] for name in ("open", "high", "low", "close")] == [
        prices[0],
        max(prices),
        min(prices),
        prices[-1],
    ]
    assert second[-1]["volume_traded"] == pytest.approx(sum(trade["size"] for trade in trades))
    assert second[-1]["time_close"] == trades[-1]["time_exchange"]


def test_a_new_watcher_of_bars_is_not_told_those_that_closed_before() -> None:
    client = (market := lab()).connect()
    market.run(30)
    client.hello("ohlcv", subscribe_filter_period_id=["1SEC"], **one(KRAKEN))
    market.run(0.1)

    assert len(client.outlet.texts) <= 1


def test_rates_come_every_second_for_the_assets_that_were_named() -> None:
    client = (market := lab()).connect()
    client.hello("exrate", subscribe_filter_asset_id=["BTC/USD", "ETH"])
    market.run(3)

    found = {(text["asset_id_base"], text["asset_id_quote"], text["rate_type"]) for text in client.outlet.texts}
    assert found == {
        ("BTC", "USD", "BASE_QUOTE_ISOLATED"),
        ("BTC", "USD", "BASE_ALL_CROSSES_TO_REF"),
        ("ETH", "EUR", "BASE_QUOTE_ISOLATED"),
    }
    assert len(client.outlet.texts) == 9
    assert not any("sequence" in text for text in client.outlet.texts)
    assert all(text["rate"] > 0 for text in client.outlet.texts)


def test_a_limit_on_rates_counts_by_pair() -> None:
    client = (market := lab()).connect()
    client.hello("exrate", subscribe_filter_asset_id=["BTC/USD", "ETH"], subscribe_update_limit_ms_exrate=60_000)
    market.run(3)

    assert len(client.outlet.texts) == 3


def test_volumes_are_redelivered_on_subscribing_and_refreshed_every_minute() -> None:
    client = (market := lab(actions_per_second=5)).connect()
    client.hello("volume", subscribe_filter_exchange_id=["KRAKEN"])
    first = [text["period_id"] for text in client.outlet.texts]
    market.run(60, step=1)

    assert first == ["1HRS", "1DAY", "1MTH"]
    assert [text["period_id"] for text in client.outlet.texts[3:]] == ["1HRS", "1DAY"]
    assert [[row["symbol_id"] for row in text["volume_by_symbol"]] for text in client.outlet.texts] == [[KRAKEN]] * 5


def test_metadata_come_whole_on_subscribing_and_again_every_minute() -> None:
    client = (market := lab(actions_per_second=5, instruments=LISTED)).connect()
    client.hello("symbol", "exchange", "asset", subscribe_filter_exchange_id=["KRAKEN"])
    first = list(client.outlet.texts)
    market.run(60, step=1)

    assert [text["symbol_id"] for text in first if text["type"] == "symbol"] == [KRAKEN]
    assert [text["exchange_id"] for text in first if text["type"] == "exchange"] == ["KRAKEN"]
    assert [text["asset_id"] for text in first if text["type"] == "asset"] == ["BTC", "ETH", "EUR", "USD", "USDT"]
    assert next(text for text in first if text["type"] == "symbol")["symbol_id_exchange"] == "ETH-EUR"
    assert len(client.outlet.texts) == 2 * len(first)


def test_a_bad_key_is_told_at_the_first_message_and_closes() -> None:
    client = quiet().connect(key="wrong")
    assert client.outlet.closed is None

    client.hello("trade")

    assert client.outlet.texts == [{"type": "error", "message": "Invalid API key"}]
    assert client.outlet.closed == (1008, "Invalid API key")


def test_a_key_inside_the_message_opens_v1_but_not_ds() -> None:
    first, second = quiet().connect(key=""), quiet(Variant.DS).connect("/", key="")
    for client in (first, second):
        client.hello("trade", apikey=SIMULATED_KEY)

    assert first.outlet.closed is None
    assert second.outlet.closed == (1008, "Invalid API key")


def test_a_connection_that_never_gave_a_key_leaves_nothing_behind() -> None:
    client = (market := quiet()).connect(key="")
    market.venue.close_session(client.session, START)
    client.hello("trade", apikey=SIMULATED_KEY)

    assert market.venue.statistics["sessions"] == 0
    assert client.outlet.texts == []


def test_the_venue_can_refuse_upgrades_without_a_key_instead() -> None:
    venue = quiet(refuse_upgrades=True).venue
    answers = [
        venue.admit(HttpCall(method="GET", path="/v1/", headers={"x-coinapi-key": key}), START)
        for key in ("wrong", SIMULATED_KEY)
    ]

    assert [answer and answer.status for answer in answers] == [401, None]


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/", f"/APIKEY-{SIMULATED_KEY}", f"/v1/APIKEY-{SIMULATED_KEY}"])
def test_v1_listens_with_and_without_slash_and_key_in_the_path(path: str) -> None:
    assert quiet().venue.admit(HttpCall(method="GET", path=path), START) is None


@pytest.mark.parametrize("path", ["/v2", "/md/ws-ds-kraken/", "/v1/trades"])
def test_v1_has_no_other_paths(path: str) -> None:
    answer = quiet().venue.admit(HttpCall(method="GET", path=path), START)

    assert answer is not None
    assert answer.status == 404


def test_unsubscribing_first_is_an_error() -> None:
    client = quiet().connect()
    client.unsubscribe("trade")

    assert client.outlet.texts[0]["type"] == "error"
    assert client.outlet.closed is not None


def test_an_error_ends_everything_at_once() -> None:
    client = (market := lab()).connect()
    client.hello("book", **one(KRAKEN))
    client.hello("book5")
    market.run(1)
    client.hello("trade", **one(KRAKEN))
    market.run(1)

    assert [text["type"] for text in client.outlet.texts] == ["book", "error"]
    assert "requires a filter" in client.outlet.texts[1]["message"]
    assert market.venue.statistics["errors"] == 1


def test_more_than_ten_hellos_in_ten_seconds_are_too_many_whatever_the_connection() -> None:
    first, second = (market := quiet()).connect(), market.connect()
    for _ in range(5):
        first.hello("trade", **one(KRAKEN))
        second.subscribe("trade", **one(KRAKEN))
    for _ in range(5):
        first.unsubscribe("trade", **one(KRAKEN))
    assert first.outlet.closed is None
    market.run(9, step=1)
    second.hello("trade", **one(KRAKEN))
    market.run(1.1)
    first.hello("trade", **one(KRAKEN))

    assert second.outlet.closed is not None
    assert first.outlet.closed is None


def test_a_key_has_only_so_many_connections_and_gets_room_when_one_ends() -> None:
    market = quiet(connections_per_key=1)
    call = HttpCall(method="GET", path="/v1/", headers={"x-coinapi-key": SIMULATED_KEY})
    first = market.connect()
    refusal = market.venue.admit(call, START)
    inside = market.connect(key="")
    inside.hello("trade", apikey=SIMULATED_KEY)
    market.venue.close_session(first.session, START)
    market.venue.close_session(first.session, START)

    assert refusal is not None
    assert (refusal.status, refusal.headers["X-ConcurrencyLimit-Remaining"]) == (429, "0")
    assert inside.outlet.closed is not None
    assert market.venue.admit(call, START) is None


def test_an_address_may_open_only_so_many_connections_in_a_while() -> None:
    venue = quiet(connections_per_window=2).venue
    call = HttpCall(method="GET", path="/v1/")
    answers = [venue.admit(call, START + second * SECOND) for second in (0, 4, 6, 11)]

    assert [answer and answer.status for answer in answers] == [None, None, 429, None]
    assert answers[2] is not None
    assert answers[2].headers["X-WsRequestsPerIpLimit-RetryAfterMs"] == "4000"


def test_a_client_that_does_not_read_gets_the_documented_error_and_the_queue_is_gone() -> None:
    client = (market := lab(max_queue=50)).connect()
    client.hello("book5", **one(KRAKEN))
    client.outlet.waiting = 50
    market.run(20)

    assert client.outlet.texts == [
        {"type": "error", "message": "Reached maximum allowed buffered messages for this connection."}
    ]
    assert client.outlet.closed is not None
    assert client.outlet.closed[0] == 1013


def test_a_burst_that_nobody_could_have_read_is_cut_off_far_beyond_the_limit() -> None:
    client = (market := quiet(max_queue=5)).connect()
    client.hello("book5", **one(KRAKEN))
    client.outlet.waiting = 5
    for _ in range(50):
        client.session.send(b"{}", market.now)

    assert [text["type"] for text in client.outlet.texts] == ["error"]


def test_what_waited_goes_out_in_order_once_the_client_reads() -> None:
    client = (market := lab()).connect()
    client.hello("book5", "quote", **one(KRAKEN))
    client.outlet.waiting = 1_000
    market.run(3)
    assert client.outlet.texts == []
    waited = client.session.waiting - 1_000

    client.outlet.waiting = 0
    market.run(0.1)

    assert len(client.outlet.texts) >= waited > 10
    assert in_sequence(client.got("book5"))
    assert in_sequence(client.got("quote"))


def test_a_client_that_answers_no_ping_is_closed() -> None:
    dead, alive = (market := quiet(ping_every=2.0)).connect(), market.connect()
    market.run(2.1)
    alive.outlet.pong = alive.outlet.pings[-1]
    market.run(2)

    assert dead.outlet.closed == (1011, "no pong")
    assert alive.outlet.closed is None
    assert len(alive.outlet.pings) == 2


def test_ds_knows_both_names_of_a_symbol_and_no_prefixes() -> None:
    client = (market := lab(Variant.DS)).connect("/md/ws-ds-kraken/")
    client.hello("book5", subscribe_filter_symbol_id=["ETH-EUR"])
    client.subscribe("quote", subscribe_filter_symbol_id=[KRAKEN])
    market.run(2)
    client.unsubscribe("book5", subscribe_filter_symbol_id=[KRAKEN])

    assert {text["type"] for text in client.outlet.texts} == {"book5", "quote"}
    assert client.symbols() == {KRAKEN}
    assert len(market.venue.subscriptions(client.session)) == 1


def test_ds_says_that_a_symbol_is_bad_and_the_connection_stays() -> None:
    client = (market := lab(Variant.DS)).connect("/md/ws-ds-kraken")
    client.hello("trade", subscribe_filter_symbol_id=["KRAKEN_SPOT", KRAKEN])
    market.run(3)
    client.hello("trade", subscribe_filter_symbol_id=[COINBASE])
    client.forget()
    market.run(1)

    assert client.outlet.closed is None
    assert client.outlet.texts == []


def test_ds_without_a_filter_is_everything_of_one_venue() -> None:
    market = lab(Variant.DS, exchange="coinbase", instruments=LISTED)
    default, by_host = market.connect("/"), market.connect("/", host="binance.ws-ds.md.coinapi.io")
    for client in (default, by_host):
        client.hello("trade")
    market.run(3)

    assert (default.symbols(), by_host.symbols()) == ({COINBASE}, {BINANCE})


@pytest.mark.parametrize("path", ["/md/ws-ds-moon/", "/v1/", "/md/kraken/x"])
def test_ds_has_no_other_paths(path: str) -> None:
    answer = quiet(Variant.DS).venue.admit(HttpCall(method="GET", path=path), START)

    assert answer is not None
    assert answer.status == 404


def test_a_sequence_gap_loses_messages_and_uses_up_their_numbers() -> None:
    client = (market := lab()).connect()
    client.hello("book5", "quote", subscribe_filter_asset_id=["BTC", "ETH"])
    market.run(1)
    market.fault("sequence_gap", instrument=KRAKEN, arguments={"data_type": "book5"}, count=2)
    market.run(2)

    books = [text for text in client.got("book5") if text["symbol_id"] == KRAKEN]
    numbers = [text["sequence"] for text in books]
    assert numbers[-1] == len(numbers) + 2
    assert max(after - before for before, after in pairwise(numbers)) == 3
    assert in_sequence(client.got("quote"))


def test_a_sequence_gap_without_a_name_takes_whichever_comes_next() -> None:
    client = (market := lab()).connect()
    client.hello("book5", **one(KRAKEN))
    market.fault("sequence_gap", count=0)
    market.fault("sequence_gap")
    market.run(1)

    assert client.outlet.texts[0]["sequence"] == 2


def test_a_reconnect_is_announced_and_then_comes_while_new_connections_stay() -> None:
    old = (market := lab()).connect()
    old.hello("trade", **one(KRAKEN))
    market.fault("reconnect", seconds=10)
    new = market.connect()
    new.hello("trade", **one(KRAKEN))
    assert old.outlet.texts == [
        {"type": "reconnect", "within_seconds": 10, "before_time": "2024-05-06T07:08:19.0000000Z"}
    ]
    market.run(9)
    before = old.outlet.closed
    market.run(1.2)

    assert before is None
    assert old.outlet.closed == (1001, "planned restart")
    assert old.got("trade")
    assert new.outlet.closed is None


def test_a_scope_can_be_overridden_as_if_by_another_hello() -> None:
    client = (market := lab()).connect()
    client.hello("trade", "book5", **one(KRAKEN))
    assert market.fault("scope_override", instrument=COINBASE) == 1
    market.run(5)
    overridden = {text["type"] for text in client.outlet.texts}, client.symbols()
    market.fault("scope_override")
    client.forget()
    market.run(3)

    assert overridden == ({"trade"}, {COINBASE})
    assert client.outlet.texts == []
    assert client.outlet.closed is None


def test_an_error_on_command_closes_everybody() -> None:
    clients = [(market := quiet()).connect(), market.connect()]

    assert market.fault("error", arguments={"message": "No more"}) == 2
    assert market.fault("error") == 0

    assert [client.outlet.texts for client in clients] == [[{"type": "error", "message": "No more"}]] * 2
    assert all(client.outlet.closed for client in clients)


def test_a_buffer_can_overflow_on_command() -> None:
    client = (market := quiet()).connect()
    market.fault("buffer_overflow")

    assert client.outlet.texts[0]["message"].startswith("Reached maximum")
    assert client.outlet.closed is not None


@pytest.mark.parametrize("data_type", ["book", "book_l3"])
def test_an_update_can_come_before_the_snapshot(data_type: str) -> None:
    client = (market := lab()).connect()
    market.fault("update_before_snapshot")
    client.hello(data_type, **one(KRAKEN))
    market.run(1)

    kinds = [text["is_snapshot"] for text in client.got(data_type)]
    assert kinds[:2] == [False, True]
    assert True not in kinds[2:]
    assert in_sequence(client.outlet.texts)


def test_heartbeats_can_fail_for_a_while() -> None:
    client = (market := quiet()).connect()
    client.hello("trade", heartbeat=True, subscribe_filter_symbol_id=["NOBODY"])
    assert market.fault("no_heartbeat", seconds=3) == 1
    market.run(2.9)
    silent = list(client.outlet.texts)
    market.run(2)

    assert silent == []
    assert len(client.outlet.texts) >= 2


def test_a_halted_instrument_stands_still_until_it_goes_on() -> None:
    client = (market := lab()).connect()
    client.hello("trade", **one(KRAKEN))
    market.fault("halt", instrument=KRAKEN)
    market.run(3)
    halted = list(client.outlet.texts)
    market.fault("resume", instrument=KRAKEN)
    market.run(3)

    assert halted == []
    assert client.outlet.texts


@pytest.mark.parametrize(
    "fields",
    [{"instrument": "MOON"}, {"arguments": {"data_type": "exrate"}}, {"arguments": {"data_type": 5}}],
)
def test_a_fault_that_cannot_be_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        quiet().fault("sequence_gap", **fields)


@pytest.mark.parametrize(
    "settings_",
    [
        {"max_queue": 0},
        {"ping_every": -1.0},
        {"refusal_code": 1005},
        {"exchange": "MOON"},
        {"keys": [""]},
        {"instruments": {"SBER": Instrument("SBER")}},
        {"instruments": {"A_FTS_B_C": Instrument("A_FTS_B_C")}},
    ],
)
def test_a_configuration_that_cannot_be_is_refused(settings_: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        quiet(Variant.DS, **settings_)


def test_the_key_is_not_shown() -> None:
    market = quiet(keys=("my-own-key",))
    client = market.connect(key="my-own-key")

    assert "my-own-key" not in repr(market.venue.config)
    assert "my-own-key" not in repr(client.session)
    assert client.session.key is not None


def recording() -> list[Event]:
    events: list[Event] = [
        Trade(KRAKEN, 2600.5, 3.0, side, number, None if number > 1 else START, START, "")
        for number, side in enumerate((Side.BUY, None, Side.SELL))
    ]
    return [*events, BookSnapshot(KRAKEN, (2600.0, 2599.0), (1.0, 2.0), (2601.0,), (5.0,), None, START, "")]


def test_a_recording_is_served_with_books_by_level() -> None:
    client = (market := lab(source=[])).connect()
    client.hello("trade", "book", "book_l3", "quote", **one(KRAKEN))
    market.run(1)
    for event in recording():
        market.venue.feed(event, market.now, shift=0)

    assert [text["taker_side"] for text in client.got("trade")] == ["BUY", "UNKNOWN", "SELL"]
    assert client.got("trade")[0]["size"] == 0.0003
    assert [len(text["bids"]) for text in client.got("book")] == [0, 2]
    assert [entry["id"] for entry in client.got("book_l3")[-1]["asks"]] == [None]
    assert client.got("quote")[-1]["bid_price"] == 2600.0


def test_a_generated_market_takes_no_recording() -> None:
    market = lab(actions_per_second=0)
    client = market.connect()
    client.hello("trade")
    market.venue.feed(recording()[0], market.now, shift=0)

    assert client.outlet.texts == []


def test_an_empty_side_is_null_in_a_quote() -> None:
    client = (market := lab(source=[])).connect()
    client.hello("quote", **one(KRAKEN))
    market.venue.feed(BookSnapshot(KRAKEN, (2600.0,), (1.0,), (), (), None, START, ""), START, shift=0)

    assert client.outlet.texts[0]["ask_price"] is None
    assert client.outlet.texts[0]["bid_price"] == 2600.0


def test_the_same_seed_gives_the_same_messages() -> None:
    def messages() -> list[Message]:
        client = (market := lab(seed=7)).connect()
        client.hello("trade", "book", "book_l3", "ohlcv", "quote", subscribe_filter_asset_id=["ETH"])
        market.run(3)
        return client.outlet.texts

    assert messages() == messages()


def test_symbols_of_the_same_pair_may_have_a_number() -> None:
    name = "KRAKEN_SPOT_ETH_EUR_2"
    instrument = Instrument(name, Decimal("0.01"), Decimal("0.1"), currency="EUR")
    client = (market := lab(instruments={name: instrument, KRAKEN: LISTED[KRAKEN]}, hellos_per_window=0)).connect()
    client.hello("book5", subscribe_filter_symbol_id=[KRAKEN])
    market.run(1)
    both = client.symbols()
    client.hello("book5", **one(KRAKEN))
    client.forget()
    market.run(1)

    assert (both, client.symbols()) == ({KRAKEN, name}, {KRAKEN})


def test_nothing_is_known_of_orders_and_all_is_market_data() -> None:
    market = quiet()
    client = market.connect()
    market.venue.forget_orders(START)

    assert market.venue.orders == {}
    assert market.venue.lane(client.session) == "market"
    assert set(market.venue.own_faults) >= {"sequence_gap", "reconnect", "scope_override"}


NAMES = st.sampled_from(["hello", "subscribe", "unsubscribe", "x", None, 3])
TYPES = st.lists(
    st.sampled_from(["trade", "quote", "book", "book5", "book_l3", "ohlcv", "exrate", "volume", "symbol", "x", 1]),
    max_size=3,
)
FILTERS = st.none() | st.lists(
    st.sampled_from([KRAKEN, f"{COINBASE}$", "", "$", "ETH", "ETH/EUR", "1MIN", 0]), max_size=2
)
MESSAGES = st.fixed_dictionaries(
    {"type": NAMES, "subscribe_data_type": TYPES},
    optional={
        "heartbeat": st.booleans() | st.none(),
        "apikey": st.sampled_from([SIMULATED_KEY, "wrong", None, ""]),
        "subscribe_filter_symbol_id": FILTERS,
        "subscribe_filter_asset_id": FILTERS,
        "subscribe_filter_period_id": FILTERS,
        "subscribe_update_limit_ms_quote": st.sampled_from([0, 250, None, -1, 10**9]),
    },
)


@pytest.fixture(scope="module", params=[Variant.V1, Variant.DS])
def shared(request: pytest.FixtureRequest) -> Lab:
    return lab(request.param, hellos_per_window=0, connections_per_key=0, instruments={KRAKEN: LISTED[KRAKEN]})


@given(messages=st.lists(MESSAGES, min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_whatever_near_valid_messages_come_others_are_undisturbed(shared: Lab, messages: list[Message]) -> None:
    witness, client = shared.connect("/"), shared.connect("/")
    witness.hello("book5", subscribe_filter_asset_id=["ETH"])

    for message in messages:
        client.say(**message)
    shared.run(0.5)

    errors = client.got("error")
    assert (client.outlet.closed is not None) <= bool(errors)
    assert witness.got("book5")
    assert witness.outlet.closed is None
    assert in_sequence(witness.outlet.texts)
    for each in (witness, client):
        shared.venue.close_session(each.session, shared.now)

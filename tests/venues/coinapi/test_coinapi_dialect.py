"""The dialect as a whole: keys, lanes, control messages, calls; and both halves against each other."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from strategykit.errors import ConfigError, LocalProtocolError, RemoteProtocolError
from strategykit.model.events import Bar, BookSnapshot, Quote, Trade
from strategykit.model.instruments import Instrument
from strategykit.sim.coinapi_config import SIMULATED_KEY, CoinApiVenueConfig
from strategykit.sim.coinapi_venue import CoinApiVenue
from strategykit.sim.http_calls import HttpCall
from strategykit.venues.asks import Ask, AskBars, AskBook, AskInstrument, AskInstruments, AskOrders, AskPastTrades
from strategykit.venues.coinapi.dialect import BUFFER_FULL, PERMANENT, CoinApi
from strategykit.venues.coinapi.names import Variant
from strategykit.venues.coinapi.rows import nanoseconds
from strategykit.venues.coinapi.server import BUFFER_OVERFLOW, HEARTBEAT, INVALID_KEY, encode_error, encode_reconnect
from strategykit.venues.coinapi.times import DAY
from strategykit.venues.dialect import Dialect, ErrorClass, Leaving, Refusal, SessionOver
from strategykit.venues.streams import Stream, StreamKind

START = 1_714_979_280_000_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
ETH = "KRAKEN_SPOT_ETH_EUR"
DS = CoinApi("ds")


def test_a_key_goes_along_with_the_upgrade_and_with_calls() -> None:
    dialect: Dialect = CoinApi()

    assert dialect.upgrade_headers("market", token="K") == dialect.http_headers(token="K") == {"X-CoinAPI-Key": "K"}
    assert dialect.http_headers(token="") == {}
    assert dialect.login("market", guid="g", token="K") is None
    assert dialect.login_reply("{}", "g") is None
    assert not dialect.acknowledges


@pytest.mark.parametrize(
    ("dialect", "name", "path"),
    [
        (CoinApi(), "coinapi", "/v1/"),
        (DS, "coinapi-ds", "/"),
        (CoinApi("ds", exchange="COINBASE"), "coinapi-ds", "/md/ws-ds-coinbase/"),
    ],
)
def test_each_variant_has_its_place(dialect: CoinApi, name: str, path: str) -> None:
    lane = dialect.lanes[dialect.lane(Stream(kind=StreamKind.TRADES, instrument=ETH))]

    assert (dialect.name, lane.path) == (name, path)
    assert lane.max_connections < dialect.limits.connections, "one more for a change of connections"
    assert lane.messages is not None
    assert lane.messages[0] < 10
    assert lane.messages[1] > 10
    assert lane.silence_within is not None
    assert lane.silence_within > lane.messages[1], "a hello may have to wait for its turn"


def test_a_connection_is_told_what_is_new_and_what_leaves(lab: Any) -> None:
    one, other = lab.want(StreamKind.TRADES), lab.want(StreamKind.QUOTES)

    (hello,) = lab.dialect.subscribe([one, other], (), token="")
    (bye,) = lab.dialect.unsubscribe([one], [other], token="")

    assert json.loads(hello)["subscribe_data_type"] == ["quote", "trade"]
    assert (json.loads(bye)["type"], json.loads(bye)["subscribe_data_type"]) == ("unsubscribe", ["trade"])


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2024-05-06T07:08:00.0000000Z", START),
        ("2024-05-06T07:08:00.0000001Z", START + 100),
        ("2024-05-06T07:08:00Z", START),
        ("2024-05-06T07:08:00.5", START + SECOND // 2),
        ("2024-05-06 07:08:00.0000000Z", START),
        ("1969-12-31T23:59:59.9999999Z", None),
        ("2024-02-30T07:08:00.0000000Z", None),
        ("2024-W19-1T07:08:00.0000000Z", None),
        ("2024-05-06T07:08:00.00000x0Z", None),
        ("9999-05-06T07:08:00.0000000Z", None),
    ],
)
def test_times_have_steps_of_100_ns(text: str, time: int | None) -> None:
    if time is None:
        with pytest.raises(ValueError, match=r"."):
            nanoseconds(text)
    else:
        assert nanoseconds(text) == time


def test_ds_has_less_than_v1() -> None:
    assert DS.offers.streams < CoinApi().offers.streams
    assert not CoinApi().offers.orders
    assert StreamKind.BARS not in DS.offers.streams


@pytest.mark.parametrize(
    "settings",
    [
        {"variant": "v2"},
        {"clock": "wall"},
        {"exchange": "COINBASE"},
        {"variant": "ds", "exchange": "a/b"},
    ],
)
def test_settings_that_cant_be_are_refused(settings: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        CoinApi(**settings)


def test_there_are_no_orders_and_no_heartbeats_of_ours() -> None:
    dialect = CoinApi()

    assert dialect.commands is None
    with pytest.raises(LocalProtocolError, match="market data only"):
        dialect.command(None)  # type: ignore[arg-type]  # whatever it is
    with pytest.raises(LocalProtocolError, match="from the server alone"):
        dialect.beat(0)


def test_an_announced_end_has_another_connection_take_over(lab: Any) -> None:
    assert lab.feed(encode_reconnect(10, now=START)) == [
        Leaving("the venue announced that it closes the connection within 10 s")
    ]
    assert lab.feed('{"type":"reconnect"}') == [Leaving("the venue announced that it closes the connection soon")]


@pytest.mark.parametrize("frame", [HEARTBEAT, b'{"type":"heartbeat"}', '{"type":"exchange","a":1}', '{"type":"later"}'])
def test_heartbeats_in_both_spellings_and_unknown_types_say_nothing(lab: Any, frame: str | bytes) -> None:
    assert lab.feed(frame) == []


@pytest.mark.parametrize("text", [INVALID_KEY, "Quota exceeded", ""])
@pytest.mark.parametrize("variant", Variant)
def test_errors_are_permanent(make_lab: Any, text: str, variant: str) -> None:
    lab = make_lab(CoinApi(variant))
    lab.want(StreamKind.TRADES)

    (over,) = lab.feed(encode_error(text))

    assert over == SessionOver(PERMANENT, text)
    assert lab.dialect.classify(over.code) is ErrorClass.STOP


def test_a_full_buffer_isnt_permanent(lab: Any) -> None:
    (over,) = lab.feed(encode_error(BUFFER_OVERFLOW))

    assert over == SessionOver(BUFFER_FULL, BUFFER_OVERFLOW)
    assert lab.dialect.classify(over.code) is ErrorClass.RETRY


@pytest.mark.parametrize(
    "text", ["Too many hello and subscribe messages", "Rate limit exceeded", "Internal server error", "Try again later"]
)
def test_what_is_too_much_or_out_of_order_just_now_is_tried_again_later(lab: Any, text: str) -> None:
    (over,) = lab.feed(encode_error(text))

    assert isinstance(over, SessionOver)
    assert over.message == text
    assert lab.dialect.classify(over.code) is ErrorClass.RETRY


def test_a_bad_symbol_of_ds_is_refused_and_the_connection_stays(make_lab: Any) -> None:
    lab = make_lab(DS)
    bad, good = (lab.want(StreamKind.TRADES, f"COINBASE_SPOT_BTC_{quote}") for quote in ("USDX", "USD"))
    message = f"Invalid symbol: {bad.stream.instrument}"

    assert lab.feed(encode_error(message)) == [Refusal(bad.guid, PERMANENT, message)]
    assert good.guid != bad.guid


def test_a_symbol_in_v1s_error_ends_the_session_all_the_same(lab: Any) -> None:
    lab.want(StreamKind.TRADES)

    assert isinstance(lab.feed(encode_error(f"Invalid symbol: {ETH}"))[0], SessionOver)


@pytest.mark.parametrize(
    ("code", "verdict"),
    [(401, "STOP"), (403, "STOP"), (429, "RETRY"), (500, "RETRY"), (503, "RETRY"), (550, "STOP"), (0, "STOP")],
)
def test_statuses_say_whether_to_try_again(code: int, verdict: str) -> None:
    assert CoinApi().classify(code) is ErrorClass[verdict]


def test_data_of_others_are_counted_and_dropped(lab: Any) -> None:
    assert lab.feed(lab.trade(1)) == []
    assert lab.table.foreign == 1


def test_data_before_anything_was_asked_is_late(lab: Any) -> None:
    lab.table.want(Stream(kind=StreamKind.TRADES, instrument=ETH), "test")

    assert lab.feed(lab.trade(1)) == []
    assert lab.table.late == 1


def test_two_rows_of_one_key_get_the_same_data(lab: Any, brief: Any) -> None:
    lab.want(StreamKind.TRADES)
    lab.want(StreamKind.TRADES, depth=0)

    told = lab.feed(lab.trade(1))

    assert brief(told) == [1, 1]
    assert {thing.guid for thing in told} == {"g1", "g2"}


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "[]",
        "{}",
        '{"type":5}',
        '{"type":""}',
        '{"type":"trade"}',
        '{"type":"trade","symbol_id":"A","time_exchange":"x","time_coinapi":"x","uuid":"u","price":1,"size":1}',
        '{"type":"exrate","asset_id_base":"A","asset_id_quote":"B","time":"then","rate":1}',
    ],
)
def test_what_cant_be_read_is_told_with_the_frame(lab: Any, frame: str) -> None:
    with pytest.raises(RemoteProtocolError, match="CoinAPI sent what can't be read"):
        lab.feed(frame)


class Site:
    """The simulated venue's REST, asked by the dialect."""

    def __init__(self) -> None:
        self.now = START
        self.dialect = CoinApi()
        self.venue = CoinApiVenue(Variant.V1, CoinApiVenueConfig(actions_per_second=200), now=START)

    def go_on(self, seconds: float) -> None:
        for _ in range(int(seconds * 10)):
            self.now += SECOND // 10
            self.venue.advance(self.now)

    def ask(self, ask: Ask) -> Any:
        request = self.dialect.request(ask)
        call = HttpCall(
            method=request.method,
            path=request.path,
            query=dict(request.query),
            headers={name.lower(): value for name, value in self.dialect.http_headers(token=SIMULATED_KEY).items()},
            body=b"",
        )
        answer = self.venue.answer(call, self.now)
        assert answer.status == 200, answer.body
        return self.dialect.decode_answer(ask, answer.body, receive_time=self.now)


@pytest.fixture(scope="module")
def site() -> Site:
    site = Site()
    site.go_on(5)
    return site


def test_an_instrument_is_exactly_the_one_that_was_asked_for(site: Site) -> None:
    (found,) = site.ask(AskInstrument(instrument=ETH))

    assert isinstance(found, Instrument)
    assert (found.symbol, found.tick, found.lot) == (ETH, Decimal("0.01"), Decimal("0.0001"))
    assert (found.currency, found.exchange, found.counts_units) == ("EUR", "KRAKEN", True)
    assert site.ask(AskInstrument(instrument="KRAKEN_SPOT_ETH")) == []


def test_all_symbols_of_an_exchange_can_be_asked_for(site: Site) -> None:
    found = [each for each in site.ask(AskInstruments(exchange="KRAKEN")) if isinstance(each, Instrument)]

    assert ETH in [each.symbol for each in found]
    assert {each.exchange for each in found} == {"KRAKEN"}


def test_bars_end_before_the_time_that_was_said(site: Site) -> None:
    until = START - START % MINUTE

    bars = site.ask(AskBars(instrument=ETH, interval=MINUTE, count=10, until=until))

    assert len(bars) >= 10
    assert all(isinstance(each, Bar) and each.snapshot for each in bars)
    assert bars[-1].open_time == until - MINUTE
    assert [each.closed for each in bars] == [True] * len(bars)
    (forming,) = [
        each
        for each in site.ask(AskBars(instrument=ETH, interval=MINUTE, count=1, until=site.now))
        if each.open_time >= until
    ]
    assert not forming.closed


def test_past_trades_are_the_same_as_the_live_ones(site: Site) -> None:
    latest = site.ask(AskPastTrades(instrument=ETH, since=0, until=site.now, count=20))
    since = latest[0].event_time
    again = site.ask(AskPastTrades(instrument=ETH, since=since, until=site.now + SECOND, count=1_000))

    assert len(latest) == 20
    assert all(isinstance(each, Trade) and each.snapshot for each in latest)
    assert [each.event_time for each in latest] == sorted(each.event_time for each in latest)
    assert [each.trade_id for each in again][-20:] == [each.trade_id for each in latest]


def test_a_book_is_as_deep_as_wanted(site: Site) -> None:
    (book,) = site.ask(AskBook(instrument=ETH, depth=3))

    assert isinstance(book, BookSnapshot)
    assert len(book.bid_prices) == len(book.ask_prices) == 3
    assert book.bid_prices[0] < book.ask_prices[0]


def test_a_call_for_trades_is_of_one_day() -> None:
    midnight = START - START % DAY + DAY
    ask = AskPastTrades(instrument=ETH, since=midnight - SECOND, until=midnight + MINUTE, count=5)

    query = CoinApi().request(ask).query

    assert query["time_start"] == "2024-05-06T23:59:59.0000000Z"
    assert query["time_end"] == "2024-05-07T00:00:00.0000000Z"


@pytest.mark.parametrize(
    "ask",
    [
        AskOrders(account="A"),
        AskInstrument(instrument="SOL/USD"),
        AskInstruments(),
        AskBook(instrument="a/../b", depth=5),
        AskBook(instrument="..", depth=5),
        AskBars(instrument=ETH, interval=MINUTE, count=0, until=START),
        AskBars(instrument=ETH, interval=7, count=1, until=START),
    ],
)
def test_what_cant_be_asked_is_refused(ask: Ask) -> None:
    with pytest.raises(LocalProtocolError):
        CoinApi().request(ask)


def test_steps_that_a_symbol_doesnt_have_are_the_finest() -> None:
    body = json.dumps([{"symbol_id": ETH, "price_precision": None}]).encode()

    (found,) = CoinApi().decode_answer(AskInstrument(instrument=ETH), body, receive_time=START)

    assert isinstance(found, Instrument)
    assert (found.tick, found.lot, found.currency) == (Decimal("1E-9"), Decimal("1E-9"), "USD")


@pytest.mark.parametrize(
    ("ask", "body"),
    [
        (AskInstrument(instrument=ETH), b'[{"symbol_id":"KRAKEN_SPOT_ETH_EUR","price_precision":-1}]'),
        (AskBars(instrument=ETH, interval=MINUTE, count=1, until=START), b'[{"time_period_start":"then"}]'),
        (AskPastTrades(instrument=ETH, since=0, until=START, count=1), b'{"error":"no"}'),
        (AskBook(instrument=ETH, depth=1), b"[]"),
    ],
)
def test_answers_that_cant_be_read_are_told(ask: Ask, body: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="can't be read"):
        CoinApi().decode_answer(ask, body, receive_time=START)


def test_accounts_are_never_read() -> None:
    with pytest.raises(LocalProtocolError, match="no accounts"):
        CoinApi().decode_answer(AskOrders(account="A"), b"[]", receive_time=START)


def test_markers_and_bars_without_trades_are_left_out() -> None:
    trade = {"time_exchange": "2024-05-06T07:08:00Z", "time_coinapi": "2024-05-06T07:08:01Z", "uuid": "a", "price": 1}
    bodies: list[tuple[Ask, Any]] = [
        (AskPastTrades(instrument=ETH, since=0, until=START, count=1), [trade | {"size": 0}, trade | {"size": 1}]),
        (AskBars(instrument=ETH, interval=MINUTE, count=1, until=START), [{"time_period_start": "2024-05-06"}]),
    ]

    trades, bars = (
        CoinApi(clock="coinapi").decode_answer(ask, json.dumps(body).encode(), receive_time=START)
        for ask, body in bodies
    )

    assert [each.event_time for each in trades if isinstance(each, Trade)] == [START + SECOND]
    assert bars == []


def test_a_rate_is_no_event_of_ds(make_lab: Any) -> None:
    lab = make_lab(DS)
    frame = '{"type":"exrate","asset_id_base":"A","asset_id_quote":"B","time":"2024-05-06","rate":1}'

    assert not any(isinstance(thing, Quote) for thing in lab.feed(frame))

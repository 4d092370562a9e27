"""The client half as the runtime drives it: routing by guid, gaps, confirmations, limits and requests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from strategykit.errors import ConfigError, LocalProtocolError, RemoteProtocolError
from strategykit.model.events import Gap, Trade
from strategykit.venues.alor.dialect import Alor
from strategykit.venues.dialect import Confirmed, Dialect, ErrorClass, LaneSpec, Refusal, Reply
from strategykit.venues.streams import Stream, StreamKind
from strategykit.venues.subscriptions import Subscription, Subscriptions, SubscriptionState

GUID = "3f6c3a52-7b1e-4c59-9a56-0f1d2b3c4d5e"
TRADES = Stream(kind=StreamKind.TRADES, instrument="GAZP")
MINUTE = 60_000_000_000


def table_of(stream: Stream = TRADES, guid: str = GUID) -> Subscriptions:
    dialect = Alor(format="Simple")
    table = Subscriptions(dialect.limits, {"market": 1, "orders": 1}, lambda: guid, dialect.cursor)
    table.want(stream, "test")
    return table


def active(guid: str = GUID) -> Subscriptions:
    table = table_of(guid=guid)
    table.asked(guid)
    table.confirmed(guid, 1)
    return table


def trade(number: int, guid: str = GUID, **more: Any) -> str:
    frame = {"data": {"id": number, "qty": 1, "price": 5.5}, "guid": guid, **more}
    return json.dumps(frame, separators=(",", ":"))


def reply(code: int, guid: str = GUID, **more: Any) -> str:
    return json.dumps({"requestGuid": guid, "httpCode": code, "message": "words", **more})


DIALECT = Alor(format="Simple")


def test_it_is_a_dialect_within_the_venues_limits() -> None:
    dialect: Dialect = DIALECT
    lanes: Mapping[str, LaneSpec] = dialect.lanes
    assert dialect.name == "alor"
    assert {name: lane.path for name, lane in lanes.items()} == {"market": "/ws", "orders": "/ws", "commands": "/cws"}
    assert sum(lane.max_connections for lane in lanes.values()) <= dialect.limits.connections == 10
    assert (dialect.limits.subscriptions, dialect.limits.unread) == (5000, 5000)
    with pytest.raises(ConfigError, match="Simple, Heavy, not 'slim'"):
        Alor(format="slim")


@pytest.mark.parametrize("guid", [GUID, "b0_3", 'qu"ote\\', "é" * 36])
def test_data_find_their_subscription_whatever_its_guid(guid: str) -> None:
    table = active(guid)
    texts: list[str | bytes] = [trade(1, guid), trade(2, guid).encode(), trade(3, guid, more=1)]
    for number, text in enumerate(texts):
        (event,) = DIALECT.decode(text, table, connection="market-0", receive_time=10 + number)
        assert isinstance(event, Trade)
        row = table.by_guid[guid]
        assert (event.guid, event.trade_id, row.last_time, row.data) == (guid, number + 1, 10 + number, number + 1)


def test_a_reply_that_ends_in_its_guid_is_a_reply() -> None:
    text = f'{{"httpCode":200,"message":"words","requestGuid":"{GUID}"}}'
    assert DIALECT.decode(text, active(), connection="market-0", receive_time=5) == (Confirmed(GUID),)


def test_data_for_nobody_are_counted() -> None:
    table = active()
    assert DIALECT.decode(trade(1, "other"), table, connection="market-0", receive_time=5) == ()
    assert (table.foreign, table.late) == (1, 0)
    table.release(GUID, "test")
    assert DIALECT.decode(trade(1), table, connection="market-0", receive_time=5) == ()
    assert (table.foreign, table.late) == (1, 1)


def test_data_may_come_before_the_confirmation() -> None:
    table = table_of()
    table.asked(GUID)
    assert len(DIALECT.decode(trade(1), table, connection="market-0", receive_time=5)) == 1
    assert table.by_guid[GUID].state is SubscriptionState.ASKED
    assert DIALECT.decode(reply(200), table, connection="market-0", receive_time=6) == (Confirmed(GUID),)


def test_a_gap_is_told_before_the_next_datum_and_once() -> None:
    table = active()
    DIALECT.decode(trade(1), table, connection="market-0", receive_time=5)
    table.lost("market-0", 9, "gone")
    table.asked(GUID)

    gap, event = DIALECT.decode(trade(2), table, connection="market-0", receive_time=20)
    after = DIALECT.decode(trade(3), table, connection="market-0", receive_time=21)

    assert isinstance(gap, Gap)
    assert (gap.since, gap.until, gap.reason) == (5, 20, "gone")
    assert isinstance(event, Trade)
    assert len(after) == 1


def test_a_gap_is_told_even_if_the_datum_is_an_old_one() -> None:
    table = active()
    DIALECT.decode(trade(1), table, connection="market-0", receive_time=5)
    table.lost("market-0", 9, "gone")
    table.asked(GUID)
    (gap,) = DIALECT.decode(trade(1), table, connection="market-0", receive_time=20)
    assert isinstance(gap, Gap)


def test_an_unreadable_datum_closes_no_gap() -> None:
    table = active()
    table.lost("market-0", 9, "gone")
    table.asked(GUID)
    with pytest.raises(RemoteProtocolError):
        DIALECT.decode(trade(1).replace("5.5", "0"), table, connection="market-0", receive_time=20)
    assert table.by_guid[GUID].gap_since == 1


@pytest.mark.parametrize("text", [trade(1), reply(200), reply(500)], ids=["data", "yes", "no"])
def test_what_comes_after_a_loss_or_refusal_is_counted_and_dropped(text: str) -> None:
    table = active()
    table.lost("market-0", 9, "gone")
    assert DIALECT.decode(text, table, connection="market-0", receive_time=20) == ()
    table.asked(GUID)
    table.refused(GUID, "no")
    assert DIALECT.decode(text, table, connection="market-0", receive_time=20) == ()
    assert table.late == 2


def test_replies_are_told_by_whom_they_answer() -> None:
    table = active()
    assert DIALECT.decode(reply(403), table, connection="market-0", receive_time=5) == (Refusal(GUID, 403, "words"),)
    expected = Reply("cmd", 200, "words", True, "58")
    assert DIALECT.decode(reply(200, "cmd", orderNumber="58"), table, connection="market-0", receive_time=5) == (
        expected,
    )
    assert DIALECT.decode(reply(200, "cmd", orderNumber=58), table, connection="market-0", receive_time=5) == (
        expected,
    )
    assert DIALECT.login_reply(reply(400, "cmd"), "cmd") == Reply("cmd", 400, "words", False)
    assert DIALECT.login_reply(reply(400, "cmd"), "other") is None
    assert DIALECT.login_reply(trade(1), "cmd") is None
    assert DIALECT.login_reply("pong", "cmd") is None
    assert DIALECT.login_reply('{"requestGuid":"cmd"}', "cmd") is None


def test_a_bare_pong_says_nothing() -> None:
    assert DIALECT.decode("pong", active(), connection="market-0", receive_time=5) == ()


@pytest.mark.parametrize("text", ["{}", '{"requestGuid":"x"}', '{"data":{}}', '{"guid":"x"}', "[]", "x"])
def test_what_is_neither_reply_nor_data_is_an_error_with_its_frame(text: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        DIALECT.decode(text, active(), connection="market-0", receive_time=5)
    assert caught.value.frame == text


@pytest.mark.parametrize(
    ("code", "asks"),
    [
        *((401, ErrorClass.REFRESH), (429, ErrorClass.RETRY), (500, ErrorClass.RETRY), (503, ErrorClass.RETRY)),
        *((400, ErrorClass.STOP), (403, ErrorClass.STOP), (404, ErrorClass.STOP), (600, ErrorClass.STOP)),
    ],
)
def test_codes_have_classes(code: int, asks: ErrorClass) -> None:
    assert DIALECT.classify(code) is asks


# Requests


def row(guid: str, stream: Stream, dialect: Alor = DIALECT) -> Subscription:
    return Subscription(guid=guid, stream=stream, connection="market-0", cursor=dialect.cursor(guid, stream))


def asked(stream: Stream, dialect: Alor = DIALECT) -> dict[str, Any]:
    (text,) = dialect.subscribe([row("g", stream, dialect)], (), token="JWT")
    request: dict[str, Any] = json.loads(text)
    return request


def test_only_the_command_lane_logs_in() -> None:
    login = DIALECT.login("commands", guid="a", token="JWT")
    assert login == '{"opcode":"authorize","guid":"a","token":"JWT"}'
    assert DIALECT.login("market", guid="a", token="JWT") is None
    old = [row("g", TRADES)]
    assert DIALECT.unsubscribe(old, (), token="JWT") == ['{"opcode":"unsubscribe","guid":"g","token":"JWT"}']
    assert json.loads(DIALECT.ping("g", token="JWT"))["confirm"] is True


@pytest.mark.parametrize("kind", sorted(DIALECT.offers.streams, key=str))
def test_every_stream_can_be_asked_for(kind: StreamKind) -> None:
    interval = MINUTE if kind in (StreamKind.BARS, StreamKind.CLUSTERS) else None
    request = asked(Stream(kind=kind, instrument="GAZP", account="D12345", interval=interval))
    assert "Subscribe" in request["opcode"]
    assert {"guid", "token", "exchange", "format"} <= set(request)


def test_a_stream_that_it_doesnt_have_is_refused_in_words() -> None:
    with pytest.raises(LocalProtocolError, match="ALOR has no stream of the kind asset"):
        DIALECT.cursor("g", Stream(kind=StreamKind.ASSET, instrument="BTC"))


def test_streams_name_the_exchange_and_board_or_take_the_dialects() -> None:
    spbx = Alor(exchange="SPBX", board="SPBX")
    assert asked(TRADES, spbx)["exchange"] == asked(TRADES, spbx)["instrumentGroup"] == "SPBX"
    own = Stream(kind=StreamKind.TRADES, instrument="GAZP", exchange="MOEX", board="TQBR")
    assert (asked(own, spbx)["exchange"], asked(own, spbx)["instrumentGroup"]) == ("MOEX", "TQBR")


def test_accounts_of_the_single_cash_position_are_united() -> None:
    assert asked(Stream(kind=StreamKind.ORDERS, account="E12345"))["exchange"] == "UNITED"
    assert asked(Stream(kind=StreamKind.ORDERS, account="D12345"))["exchange"] == "MOEX"
    assert asked(Stream(kind=StreamKind.ORDERS, account="E12345", exchange="SPBX"))["exchange"] == "SPBX"


def test_bars_go_on_from_the_last_one_held() -> None:
    start = 1_773_306_900
    stream = Stream(kind=StreamKind.BARS, instrument="GAZP", interval=MINUTE, since=start * 10**9)
    live = Stream(kind=StreamKind.BARS, instrument="GAZP", interval=86_400 * 10**9)
    assert (asked(stream)["from"], asked(stream)["skipHistory"], asked(stream)["tf"]) == (start, False, "60")
    assert (asked(live)["from"], asked(live)["skipHistory"], asked(live)["tf"]) == (0, True, "D")
    for each in (stream, live):
        cursor = DIALECT.cursor("g", each)
        bar = {"time": start + 120, "open": 5, "high": 6, "low": 4, "close": 5, "volume": 1}
        cursor.decode(json.dumps({"data": bar}), 0)
        cursor.reconnected()
        again = Subscription(guid="g", stream=each, connection="market-0", cursor=cursor)
        request = json.loads(DIALECT.subscribe([again], (), token="JWT")[0])
        assert (request["from"], request["skipHistory"]) == (start + 120, False)


def test_past_trades_come_only_if_asked_for() -> None:
    def stream(depth: int | None, *, skip: bool = False) -> Stream:
        return Stream(kind=StreamKind.TRADES, instrument="GAZP", depth=depth, skip_history=skip)

    depths = [asked(each)["depth"] for each in (stream(None), stream(5000), stream(100, skip=True))]
    assert depths == [0, 5000, 0]


def test_a_book_leaves_its_depth_and_frequency_to_the_venue_unless_told() -> None:
    assert not {"depth", "frequency"} & set(asked(Stream(kind=StreamKind.BOOK, instrument="GAZP")))
    own = Stream(kind=StreamKind.BOOK, instrument="GAZP", depth=50, frequency=25_000_000)
    assert (asked(own)["depth"], asked(own)["frequency"]) == (50, 25)


BOOK: dict[str, Any] = {"kind": StreamKind.BOOK, "instrument": "GAZP"}


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (Stream(**BOOK, depth=0), "depth of 0 levels: the venue gives 1 to 50"),
        (Stream(**BOOK, depth=51), "depth of 51 levels: the venue gives 1 to 50"),
        (Stream(kind=StreamKind.TRADES, instrument="GAZP", depth=5001), "5001 past trades: the venue gives 0 to 5000"),
        (Stream(kind=StreamKind.TRADES, instrument="GAZP", depth=-1), "-1 past trades"),
        (Stream(kind=StreamKind.QUOTES, instrument="GAZP", depth=5), "quotes has no depth"),
        (Stream(**BOOK, frequency=24_000_000), "24 ms: the venue takes whole ms, in Simple at least 25"),
        (Stream(**BOOK, frequency=25_500_000), "25.5 ms"),
        (Stream(kind=StreamKind.TRADES, instrument="GAZP", frequency=10**9), "trades has no frequency"),
        (Stream(kind=StreamKind.QUOTES, instrument="GAZP", interval=MINUTE), "quotes has no interval"),
        (Stream(kind=StreamKind.CLUSTERS, instrument="GAZP"), "clusters needs an interval"),
        (Stream(kind=StreamKind.BARS, instrument="GAZP", interval=MINUTE, since=-(10**9)), "bars since -1 s"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_venue_would_refuse_is_refused_here(stream: Stream, words: str) -> None:
    with pytest.raises(LocalProtocolError, match=words):
        asked(stream)


def test_each_format_has_its_least_frequency() -> None:
    for style, least in (("Slim", 10), ("Simple", 25), ("Heavy", 500)):
        dialect = Alor(format=style)
        assert asked(Stream(**BOOK, frequency=least * 10**6), dialect)["frequency"] == least
        with pytest.raises(LocalProtocolError, match=f"in {style} at least {least}"):
            asked(Stream(**BOOK, frequency=(least - 1) * 10**6), dialect)

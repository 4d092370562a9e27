"""Market data: quotes, books, trades, the state of markets, refusals."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from strategykit.errors import LocalProtocolError, RemoteProtocolError
from strategykit.model.events import BookSnapshot, Gap, InstrumentUpdate, Quote, Side, Trade, VenueStatus
from strategykit.model.instruments import Instrument
from strategykit.venues.dialect import Answer, Refusal
from strategykit.venues.streams import Stream, StreamKind
from strategykit.venues.subscriptions import SubscriptionState
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.proto import market_pb2 as market
from strategykit.venues.t4.proto.price_pb2 import Decimal as DecimalText
from strategykit.venues.t4.proto.price_pb2 import Price

ES = "CME_Eq/ES/XCME_Eq ES (Z26)"
ES_ID = "XCME_Eq ES (Z26)"


def lines(*levels: tuple[str, int]) -> list[Any]:
    return [market.MarketDepth.DepthLine(price=Price(value=price), volume=volume) for price, volume in levels]


def depth(**fields: Any) -> Any:
    values: dict[str, Any] = {
        "market_id": ES_ID,
        "mode": enums.MARKET_MODE_OPEN,
        "depth_buffer": enums.DEPTH_BUFFER_SMART,
        "bids": lines(("5954.25", 3), ("5954.00", 5)),
        "offers": lines(("5954.50", 2), ("5954.75", 7)),
    }
    return market.MarketDepth(**{**values, **fields})


def printed(total: int, price: str = "5954.50", volume: int = 1, at: str = "OFFER", **fields: Any) -> Any:
    values: dict[str, Any] = {"market_id": ES_ID, "total_traded_volume": total, "last_trade_volume": volume}
    values |= {"last_trade_price": Price(value=price), "at_bid_or_offer": f"BID_OFFER_{at}", "total_trade_count": total}
    return market.MarketDepthTrade(**{**values, **fields})


def state(price: str, volume: int, total: int, **fields: Any) -> Any:
    return market.MarketDepth.TradeData(
        last_trade_price=Price(value=price), last_trade_volume=volume, total_traded_volume=total, **fields
    )


def snapshot(**parts: Any) -> Any:
    messages = [market.MarketSnapshotMessage(**{name: part}) for name, part in parts.items()]
    return market.MarketSnapshot(market_id=ES_ID, mode=enums.MARKET_MODE_OPEN, messages=messages)


def test_the_first_datum_confirms_whatever_it_is(bench: Any) -> None:
    row = bench.want("trades")

    assert bench.hear(market_depth=depth()) == []
    assert row.state is SubscriptionState.ACTIVE


def test_every_book_is_whole_and_cut_to_the_depth_that_was_wanted(bench: Any) -> None:
    bench.want("book", depth=1)
    bench.want("book", depth=20)

    shallow, deep = bench.hear(market_depth=depth())

    assert (shallow.bid_prices, shallow.ask_prices) == ((5954.25,), (5954.5,))
    assert (deep.bid_prices, deep.bid_sizes) == ((5954.25, 5954.0), (3.0, 5.0))
    assert not deep.snapshot
    assert bench.hear(market_depth=depth(bids=[], offers=[]))[1].bid_prices == ()


def test_implied_lots_count_where_that_is_wanted(make_bench: Any) -> None:
    both = depth(implied_bids=lines(("5954.50", 1), ("5954.25", 4)), implied_offers=lines(("5954.75", 1)))
    for implied, bids, sizes in ((False, (5954.25, 5954.0), (3.0, 5.0)), (True, (5954.5, 5954.25, 5954.0), (1, 7, 5))):
        bench = make_bench(implied=implied)
        bench.want("book")
        bench.want("quotes")

        book, quote = bench.hear(market_depth=both)

        assert (book.bid_prices, book.bid_sizes) == (bids, sizes)
        assert (quote.bid, quote.bid_size) == (bids[0], sizes[0])
        assert book.ask_sizes == ((2.0, 7.0) if not implied else (2.0, 8.0))


def test_quotes_tell_the_session_so_far(bench: Any) -> None:
    bench.want("quotes")

    assert bench.hear(market_depth_trade=printed(100, "5953.00")) == [], "there is no book yet"
    (quote,) = bench.hear(market_depth=depth(trade_data=state("5954.50", 2, 120)))
    assert (quote.last, quote.volume, quote.open, quote.previous_close) == (5954.5, 120.0, None, None)
    high_low = market.MarketHighLow(market_id=ES_ID, open_price=Price(value="5900"), high_price=Price(value="5960"))
    (quote,) = bench.hear(market_high_low=high_low)
    assert (quote.open, quote.high, quote.low, quote.bid) == (5900.0, 5960.0, None, 5954.25)
    settled = market.MarketSettlement(market_id=ES_ID, settlement_price=Price(value="5890.25"), open_interest=17)
    (quote,) = bench.hear(market_settlement=settled)
    assert (quote.previous_close, quote.open_interest, quote.snapshot) == (5890.25, 17.0, False)
    (quote,) = bench.hear(market_depth_trade=printed(121, "5955.00"))
    assert (quote.last, quote.volume) == (5955.0, 121.0)
    assert bench.hear(market_depth_trade=printed(122, "5955.00")) == [], "the price is as told"
    assert bench.hear(market_price_limits=market.MarketPriceLimits(market_id=ES_ID)) == []
    (quote,) = bench.hear(market_depth=depth(bids=[], offers=[]))
    assert (quote.bid, quote.bid_size, quote.ask, quote.last) == (None, None, None, 5955.0)


def test_a_quote_from_a_snapshot_says_so(bench: Any) -> None:
    bench.want("quotes")

    (quote,) = bench.hear(market_snapshot=snapshot(market_depth=depth()))

    assert isinstance(quote, Quote)
    assert quote.snapshot


def test_trades_count_once_by_what_was_traded_so_far(bench: Any) -> None:
    bench.want("trades")

    first = bench.hear(market_snapshot=snapshot(market_depth_trade=printed(100)))
    again = bench.hear(market_depth_trade=printed(100))
    second = bench.hear(market_depth_trade=printed(103, volume=3, at="BID"))
    third = bench.hear(market_depth_trade=printed(104, at="UNDEFINED"))

    assert [trade.snapshot for trade in first] == [True]
    assert again == []
    assert [(trade.quantity, trade.side, trade.trade_id) for trade in (*second, *third)] == [
        (3.0, Side.SELL, None),
        (1.0, None, None),
    ]


def test_the_next_sessions_trades_arent_repeats_though_less_was_traded(bench: Any) -> None:
    bench.want("trades")

    def at(seconds: int) -> dict[str, Any]:
        return {"time": {"seconds": seconds}}

    assert len(bench.hear(market_depth_trade=printed(5_000, **at(100)))) == 1
    assert bench.hear(market_depth_trade=printed(4_999, **at(99))) == [], "an old one once more"
    assert len(bench.hear(market_depth_trade=printed(1, **at(101)))) == 1
    assert len(bench.hear(market_depth_trade=printed(2, **at(102)))) == 1


def test_a_session_that_opens_with_as_many_lots_as_the_last_one_had_in_all_is_told(bench: Any) -> None:
    bench.want("trades")

    def at(seconds: int) -> dict[str, Any]:
        return {"time": {"seconds": seconds}}

    def told(**part: Any) -> int:
        return len(bench.hear(**part))

    assert told(market_depth_trade=printed(2, volume=2, **at(100))) == 1
    assert told(market_snapshot=snapshot(market_depth_trade=printed(2, volume=2, **at(100)))) == 0
    unconflated = depth(trade_data=state("5954.50", 2, 2, **at(100)), depth_buffer=enums.DEPTH_BUFFER_ALL)
    assert told(market_depth=unconflated) == 0

    assert told(market_depth_trade=printed(2, volume=2, **at(101))) == 1
    assert told(market_depth_trade=printed(2, volume=2, **at(101))) == 0
    assert told(market_depth_trade=printed(2, volume=2, **at(100))) == 0, "an old one once more"
    assert told(market_depth_trade=printed(2, volume=2)) == 0, "nothing says that it is another one"
    assert told(market_depth_trade=printed(3, **at(102))) == 1
    assert told(market_depth_trade=printed(3, **at(103))) == 0, "no session opens with it"


def test_an_opening_trade_is_a_repeat_where_the_one_before_had_no_time(bench: Any) -> None:
    bench.want("trades")

    assert len(bench.hear(market_depth_trade=printed(2, volume=2))) == 1
    assert bench.hear(market_depth_trade=printed(2, volume=2, time={"seconds": 100})) == []


def test_trades_after_a_reconnect_are_new_only_if_more_was_traded(bench: Any) -> None:
    row = bench.want("trades")
    bench.hear(market_depth_trade=printed(100))
    bench.table.lost("session-0", bench.now, "gone")
    bench.table.asked(row.guid)

    (gap,) = bench.hear(market_snapshot=snapshot(market_depth_trade=printed(100)))
    assert isinstance(gap, Gap)
    (late,) = bench.hear(market_snapshot=snapshot(market_depth_trade=printed(107)))
    assert isinstance(late, Trade)
    assert late.snapshot


def test_past_trades_are_left_away_where_nobody_wants_them(bench: Any) -> None:
    bench.want("trades", skip_history=True)

    assert bench.hear(market_snapshot=snapshot(market_depth_trade=printed(100))) == []
    assert len(bench.hear(market_depth_trade=printed(101))) == 1


def test_books_repeat_the_last_trade_and_tell_it_only_unconflated(bench: Any) -> None:
    bench.want("trades")

    assert bench.hear(market_depth=depth(trade_data=state("5954.5", 1, 7))) == []
    unconflated = depth(trade_data=state("5954.5", 1, 7), depth_buffer=enums.DEPTH_BUFFER_ALL)
    assert [trade.price for trade in bench.hear(market_depth=unconflated)] == [5954.5]
    assert bench.hear(market_depth=unconflated) == []


def test_messages_without_a_trade_tell_none(bench: Any) -> None:
    bench.want("trades")

    assert bench.hear(market_depth_trade=printed(0, price="", volume=0)) == []
    assert bench.hear(market_snapshot=snapshot(market_depth_trade=printed(0, price="", volume=0))) == []


def test_the_state_of_a_market_is_told_when_it_changes(bench: Any) -> None:
    bench.want("instrument", exchange="CME_Eq", board="ES")

    limits = market.MarketPriceLimits(market_id=ES_ID, high_price=Price(value="6250"), low_price=Price(value="5650.5"))
    (update,) = bench.hear(market_snapshot=snapshot(market_depth=depth(), market_price_limits=limits))
    assert isinstance(update, InstrumentUpdate)
    assert (update.trading_status, update.trading, update.status_text) == (2, True, "open")
    assert (update.price_min, update.price_max) == (Decimal("5650.5"), Decimal(6250))
    assert (update.exchange, update.board) == ("CME_Eq", "ES")
    assert bench.hear(market_depth=depth()) == []
    (update,) = bench.hear(market_depth=depth(mode=enums.MARKET_MODE_HALTED, flags=enums.MARKET_FLAGS2_FAST))
    assert (update.trading, update.status_text) == (False, "halted, fast")
    (update,) = bench.hear(market_depth=depth(mode=enums.MARKET_MODE_CROSS, delayed=True))
    assert (update.trading, update.status_text) == (None, "cross, delayed data")
    (update,) = bench.hear(market_depth=depth(mode=77))
    assert (update.trading, update.status_text) == (False, "77")


def test_settlements_are_told_once_in_words(bench: Any) -> None:
    bench.want("instrument")
    bench.hear(market_depth=depth())
    settled = market.MarketSettlement(
        market_id=ES_ID,
        settlement_price=Price(value="5890.25"),
        settlement_held_price="5890.50",
        open_interest=1234567,
        vwap_price=Price(value="5891.125"),
    )

    (status,) = bench.hear(market_settlement=settled)

    assert isinstance(status, VenueStatus)
    words = "settlement 5890.25, held settlement 5890.5, open interest 1234567, average price 5891.125"
    assert status.status == words
    assert bench.hear(market_settlement=settled) == []
    (status,) = bench.hear(market_settlement=market.MarketSettlement(market_id=ES_ID))
    assert status.status == "settlement unknown"
    assert bench.hear(market_high_low=market.MarketHighLow(market_id=ES_ID)) == []


def test_a_status_is_told_anew_after_a_reconnect(bench: Any) -> None:
    row = bench.want("instrument")
    bench.hear(market_depth=depth())
    bench.table.lost("session-0", bench.now, "gone")
    bench.table.asked(row.guid)

    _, update = bench.hear(market_depth=depth())

    assert update.status_text == "open"


@pytest.mark.parametrize(
    ("mode", "words"),
    [("REJECTED", "rejected"), ("NO_PERMISSION", "no permission"), ("UNAVAILABLE", "unavailable")],
)
def test_a_refused_market_is_refused_to_all_who_share_it(bench: Any, mode: str, words: str) -> None:
    bench.want("quotes")
    bench.want("trades")
    bench.want("book", asked=False)
    reject = market.MarketDepthSubscribeReject(market_id=ES_ID, mode=f"MARKET_MODE_{mode}")

    first, second = bench.hear(market_depth_subscribe_reject=reject)

    assert isinstance(first, Refusal)
    assert (first.guid, second.guid, first.message) == ("g1", "g2", f"T4 refuses it: {words}")
    assert first.code == 1000 + enums.MarketMode.Value(f"MARKET_MODE_{mode}")
    assert bench.dialect.classify(first.code).value == ("retry" if mode == "UNAVAILABLE" else "stop")


def test_data_that_nobody_wants_are_counted(bench: Any) -> None:
    assert bench.hear(market_depth=depth()) == []
    row = bench.want("quotes")
    bench.table.release(row.guid, "test")
    assert bench.hear(market_depth=depth()) == []

    assert (bench.table.foreign, bench.table.late) == (1, 1)


def details(**fields: Any) -> Any:
    values: dict[str, Any] = {
        "market_id": ES_ID,
        "exchange_id": "CME_Eq",
        "contract_id": "ES",
        "min_price_increment": Price(value="0.25"),
        "point_value": DecimalText(value="50"),
        "market_ref": "ESZ6",
    }
    return market.MarketDetails(**{**values, **fields})


def test_a_definition_answers_who_asked_for_the_instrument(make_bench: Any) -> None:
    (answer,) = make_bench(currency="EUR").hear(market_details=details())

    assert isinstance(answer, Answer)
    (instrument,) = answer.rows
    assert isinstance(instrument, Instrument)
    assert (answer.of, instrument.symbol) == (ES, ES)
    assert (instrument.tick, instrument.multiplier, instrument.currency) == (Decimal("0.25"), Decimal(50), "EUR")
    assert (instrument.exchange, instrument.board, instrument.description) == ("CME_Eq", "ES", "ESZ6")


@pytest.mark.parametrize(
    ("table", "bands"),
    [
        ("5;P<-500=25;P>500=25;", [("0.25", None, "-5"), ("0.25", "5", None)]),
        ("5", []),
        ("", []),
        (";", []),
        ("0;P>1=2", []),
        ("x", []),
        ("5;P>x=2", []),
        ("5;P=2", []),
        ("5;Q>500=25", []),
        ("5;P>500=-25", []),
        ("5;P>NaN=25", []),
    ],
)
def test_ticks_that_vary_are_read_in_the_sessions_format(bench: Any, table: str, bands: list[Any]) -> None:
    (answer,) = bench.hear(market_details=details(min_price_increment=Price(value="0.05"), vtt=table))

    (instrument,) = answer.rows
    wanted = [tuple(text and Decimal(text) for text in band) for band in bands]
    assert [(band.tick, band.above, band.below) for band in instrument.bands] == wanted


@pytest.mark.parametrize(
    "fields",
    [
        {"min_price_increment": Price(value="0")},
        {"min_price_increment": Price()},
        {"point_value": DecimalText(value="-1")},
        {"point_value": DecimalText(value="NaN")},
        {"contract_id": ""},
    ],
)
def test_a_definition_that_cant_be_is_no_instrument(bench: Any, fields: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError, match="market_details that can't be"):
        bench.hear(market_details=details(**fields))


@pytest.mark.parametrize(
    "spoilt",
    [
        {"bids": lines(("", 1))},
        {"bids": lines(("abc", 1))},
        {"bids": lines(("nan", 1))},
        {"bids": lines(("1_0", 1))},
        {"offers": lines(("5954.5", -1))},
        {"time": {"seconds": -5}},
        {"time": {"seconds": 2**62}},
        {"trade_data": state("1e999", 1, 1)},
        {"trade_data": state("5", -1, 1)},
    ],
)
def test_nobody_is_given_any_of_a_frame_in_which_something_cant_be(bench: Any, spoilt: dict[str, Any]) -> None:
    bench.want("quotes")
    bench.want("book")

    with pytest.raises(RemoteProtocolError, match="market_depth that can't be"):
        bench.hear(market_depth=depth(**spoilt))
    assert bench.states() == {SubscriptionState.ASKED}


def test_text_messages_are_no_messages(bench: Any) -> None:
    with pytest.raises(RemoteProtocolError, match="binary"):
        bench.hear_frame('{"data":1}')


@pytest.mark.parametrize("name", ["ES", "CME_Eq/ES", "CME_Eq//M", "/ES/M", "a/b/"])
def test_instruments_need_their_whole_name(bench: Any, name: str) -> None:
    with pytest.raises(LocalProtocolError, match="name exchange, contract and market"):
        bench.want("quotes", name)


def test_streams_that_t4_doesnt_have_cant_be_had(bench: Any) -> None:
    for kind in ("risk", "stop_orders"):
        with pytest.raises(LocalProtocolError, match=f"T4 has no stream of {kind}"):
            bench.want(kind, None, account="SIM-1")
    with pytest.raises(LocalProtocolError, match="T4 has no stream of clusters"):
        bench.want("clusters")
    for kind in ("quotes", "book", "trades", "instrument"):
        with pytest.raises(LocalProtocolError, match="needs an instrument"):
            bench.want(kind, None)
    for kind in ("orders", "fills", "positions", "summary"):
        with pytest.raises(LocalProtocolError, match="needs an account"):
            bench.want(kind, account=None)


def test_a_snapshot_without_a_mode_or_with_unknown_parts_is_as_good(bench: Any) -> None:
    bench.want("book")
    parts = [market.MarketSnapshotMessage(market_depth=depth()), market.MarketSnapshotMessage()]

    (book,) = bench.hear(market_snapshot=market.MarketSnapshot(market_id=ES_ID, messages=parts))

    assert isinstance(book, BookSnapshot)
    assert book.snapshot


def test_no_stream_is_ever_handed_over_so_whatever_comes_follows(make_bench: Any) -> None:
    dialect = make_bench().dialect
    streams = [Stream(kind=kind, instrument=ES, account="A", interval=10**9) for kind in dialect.offers.streams]
    cursors = [dialect.cursor("g", stream) for stream in streams]
    cursors.append(make_bench(by_order=True).dialect.cursor("g", Stream(kind=StreamKind.BOOK, instrument=ES)))

    assert len(cursors) == 11
    assert all(cursor.follows(()) for cursor in cursors)
    for stream in (Stream(kind=StreamKind.RISK, account="A"), Stream(kind=StreamKind.STOP_ORDERS, account="A")):
        with pytest.raises(LocalProtocolError, match="T4 has no stream of"):
            dialect.key(stream)

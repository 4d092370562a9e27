"""A relay's language, client side: Backpack's, with a token, holes and instruments told whole."""

from __future__ import annotations

import json
from decimal import Decimal

import attrs
import pytest

from strategykit.errors import RemoteProtocolError
from strategykit.model.codec import make_converter
from strategykit.model.events import Gap, Quote, Trade
from strategykit.model.instruments import Instrument
from strategykit.venues.dialect import AskInstrument, AskInstruments
from strategykit.venues.stream.relay import RELAYED, Relayed
from strategykit.venues.streams import Stream, StreamKind
from strategykit.venues.subscriptions import Subscriptions

NOON = 1_773_000_000_000_000_000
LANGUAGE = Relayed(RELAYED)


@pytest.fixture
def table() -> Subscriptions:
    return Subscriptions(LANGUAGE.limits, {"market": 2}, lambda: "g1", LANGUAGE.cursor, LANGUAGE.lane, LANGUAGE.key)


def quote(number: int, gap: str = "") -> str:
    data = {"e": "bookTicker", "E": 1, "s": "X", "a": "2", "A": "1", "b": "1", "B": "1", "u": str(number), "T": 1}
    mark = {"gap": {"reason": gap}} if gap else {}
    return json.dumps({"stream": "bookTicker.X", **mark, "data": data}, separators=(",", ":"))


def test_a_hole_is_told_before_the_message_that_carries_it(table: Subscriptions) -> None:
    row = table.want(Stream(kind=StreamKind.QUOTES, instrument="X"), "a")
    table.asked(row.guid)
    first = LANGUAGE.decode(quote(1, "told from now on"), table, connection="market-0", receive_time=NOON)
    table.confirmed(row.guid, NOON)
    LANGUAGE.decode(quote(2), table, connection="market-0", receive_time=NOON + 1)

    gap, event = LANGUAGE.decode(quote(3, "the wire broke"), table, connection="market-0", receive_time=NOON + 5)

    assert not any(isinstance(thing, Gap) for thing in first)
    assert isinstance(gap, Gap)
    assert (gap.since, gap.until, gap.reason) == (NOON + 1, NOON + 5, "the wire broke")
    assert isinstance(event, Quote)


def test_a_trade_whose_side_nobody_knows_has_none(table: Subscriptions) -> None:
    row = table.want(Stream(kind=StreamKind.TRADES, instrument="X"), "a")
    table.asked(row.guid)
    data = {"e": "trade", "E": 1, "s": "X", "p": "1", "q": "2", "t": 5, "T": 1, "m": None}
    frame = json.dumps({"stream": "trade.X", "data": data}, separators=(",", ":"))

    told = LANGUAGE.decode(frame, table, connection="market-0", receive_time=NOON)

    assert isinstance(told[-1], Trade)
    assert told[-1].side is None


@pytest.mark.parametrize("gap", ["5", "{}", "null", '{"reason":5}', '{"reason":'])
def test_a_hole_that_can_t_be_read_is_an_unreadable_frame(table: Subscriptions, gap: str) -> None:
    frame = f'{{"stream":"bookTicker.X","gap":{gap},"data":{{}}}}'

    with pytest.raises(RemoteProtocolError):
        LANGUAGE.decode(frame, table, connection="market-0", receive_time=NOON)


def test_a_hole_on_a_connection_that_doesn_t_carry_the_stream_changes_nothing(table: Subscriptions) -> None:
    row = table.want(Stream(kind=StreamKind.QUOTES, instrument="X"), "a")
    table.asked(row.guid)
    LANGUAGE.decode(quote(1), table, connection="market-0", receive_time=NOON)
    table.confirmed(row.guid, NOON)

    LANGUAGE.decode(quote(2, "elsewhere"), table, connection="market-1", receive_time=NOON)

    assert row.gap_since is None


def test_the_token_goes_into_a_header_if_there_is_one() -> None:
    assert LANGUAGE.upgrade_headers("market", token="t") == {"Authorization": "Bearer t"}
    assert LANGUAGE.http_headers(token="") == {}


def test_an_instrument_comes_as_the_relay_s_venue_has_it() -> None:
    instrument = Instrument("SBER", Decimal("0.01"), Decimal(10), board="TQBR", description="Sberbank")
    ask = AskInstrument(instrument="SBER")
    body = json.dumps({"symbol": "SBER", "instrument": make_converter().unstructure(instrument)}).encode()

    assert LANGUAGE.decode_answer(ask, body, receive_time=NOON) == [instrument]
    assert LANGUAGE.request(ask).path == "/api/v1/market"


def test_all_that_the_relay_s_venue_lists_comes_as_the_venue_has_it() -> None:
    listed = [
        Instrument("SBER", Decimal("0.01"), Decimal(10)),
        Instrument("CME_Eq/ES/XCME_Eq ES (Z26)", Decimal("0.25")),
    ]
    rows = [{"symbol": each.symbol, "instrument": make_converter().unstructure(each)} for each in listed]
    odd = {"symbol": "X", "instrument": {"symbol": "X", "tick": "-1"}}

    assert LANGUAGE.decode_answer(AskInstruments(), json.dumps([*rows, odd]).encode(), receive_time=NOON) == listed
    assert LANGUAGE.request(AskInstruments()).path == "/api/v1/markets"
    assert LANGUAGE.decode_answer(AskInstruments(), b"[]", receive_time=NOON) == []


def test_a_backpack_s_own_words_for_an_instrument_will_do() -> None:
    filters = {"price": {"tickSize": "0.01"}, "quantity": {"stepSize": "0.1"}}
    body = json.dumps({"symbol": "X", "quoteSymbol": "USDC", "filters": filters}).encode()

    (found,) = LANGUAGE.decode_answer(AskInstrument(instrument="X"), body, receive_time=NOON)

    assert isinstance(found, Instrument)
    assert found == attrs.evolve(found, tick=Decimal("0.01"), lot=Decimal("0.1"))


@pytest.mark.parametrize("told", ["5", "{}", '{"symbol":5}', '{"symbol":"X","tick":"-1"}', '"x"'])
def test_an_instrument_that_can_t_be_read_is_an_error(told: str) -> None:
    with pytest.raises(RemoteProtocolError):
        LANGUAGE.decode_answer(AskInstrument(instrument="X"), f'{{"instrument":{told}}}'.encode(), receive_time=NOON)
    with pytest.raises(RemoteProtocolError):
        LANGUAGE.decode_answer(AskInstruments(), f'[{{"instrument":{told}}}]'.encode(), receive_time=NOON)

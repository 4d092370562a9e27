"""What the client asks over HTTP, what it makes of the answers, and tokens."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.errors import LocalProtocolError, RemoteProtocolError
from strategykit.model.events import AccountUpdate, Bar
from strategykit.model.instruments import Instrument
from strategykit.secret import Secret
from strategykit.venues.alor import http
from strategykit.venues.alor.dialect import Alor
from strategykit.venues.alor.server_data import encode_list, encode_security, encode_trade_history
from strategykit.venues.alor.server_http import decode_http
from strategykit.venues.alor.server_requests import (
    GetAllTrades,
    GetBars,
    GetBoards,
    GetBook,
    GetPortfolio,
    GetSecurities,
    GetSecurity,
    GetTime,
    PortfolioPart,
    Refresh,
)
from strategykit.venues.alor.tokens import AccessToken, read_access_token, read_refresh, refresh_request
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
    HttpRequest,
)

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
START = 1_773_306_900 * SECOND
ASK = AskBars(instrument="GAZP", interval=MINUTE, count=3, until=START + 2 * MINUTE)
SLIM = Alor()


def served(call: HttpRequest) -> object:
    return decode_http(call.method, call.path, call.query, call.headers, (call.body or "").encode())


@pytest.mark.parametrize(
    ("ask", "part"),
    [
        (AskOrders(account="D12345"), PortfolioPart.ORDERS),
        (AskStopOrders(account="D12345"), PortfolioPart.STOP_ORDERS),
        (AskTrades(account="D12345"), PortfolioPart.FILLS),
        (AskPositions(account="D12345"), PortfolioPart.POSITIONS),
        (AskAccount(account="D12345"), PortfolioPart.SUMMARY),
    ],
)
def test_parts_of_a_portfolio_are_asked_for(ask: Ask, part: PortfolioPart) -> None:
    expected = GetPortfolio(format="Slim", part=part, exchange="MOEX", account="D12345")
    assert served(SLIM.request(ask)) == expected


def test_other_calls_are_understood_by_the_server() -> None:
    assert served(http.time_request()) == GetTime()
    assert served(SLIM.request(ASK)) == GetBars(
        format="Slim",
        exchange="MOEX",
        symbol="GAZP",
        interval=MINUTE,
        since=START - MINUTE,
        until=START + 2 * MINUTE,
        count=3,
    )
    assert SLIM.request(ASK).query.get("instrumentGroup") is None
    board = Alor(board="TQBR")
    assert board.request(ASK).query["instrumentGroup"] == "TQBR"
    instrument = AskInstrument(instrument="GAZP")
    assert served(SLIM.request(instrument)) == GetSecurity(format="Slim", exchange="MOEX", symbol="GAZP")
    assert served(board.request(instrument)) == GetSecurity(format="Slim", exchange="MOEX", symbol="GAZP", board="TQBR")
    assert served(http.book_request("MOEX", "GAZP", depth=5, style="Slim")) == GetBook(
        format="Slim", exchange="MOEX", symbol="GAZP", depth=5
    )
    assert served(http.boards_request("MOEX", "GAZP")) == GetBoards(exchange="MOEX", symbol="GAZP")
    assert served(http.securities_request("MOEX", most=9, offset=5, style="Slim")) == GetSecurities(
        format="Slim", exchange="MOEX", limit=9, offset=5
    )
    assert served(SLIM.request(AskInstruments())) == GetSecurities(format="Slim", exchange="MOEX")
    assert served(SLIM.request(AskInstruments(exchange="SPBX"))) == GetSecurities(format="Slim", exchange="SPBX")
    trades = http.all_trades_request("MOEX", "GAZP", since=START + 1, until=START + 1, most=9, style="Slim")
    assert served(trades) == GetAllTrades(
        format="Slim", exchange="MOEX", symbol="GAZP", since=START, until=START + SECOND, limit=9
    )
    assert "from" not in http.all_trades_request("MOEX", "GAZP", most=9, style="Slim").query


@pytest.mark.parametrize("name", ["", ".", "..", "\ud800"])
def test_what_cannot_stand_in_a_path_is_not_sent(name: str) -> None:
    with pytest.raises(LocalProtocolError, match="can't stand in a path"):
        SLIM.request(AskInstrument(instrument=name))


def test_a_name_cannot_leave_its_place_in_a_path() -> None:
    assert SLIM.request(AskInstrument(instrument="a/../b?c#é")).path == "/md/v2/Securities/MOEX/a%2F..%2Fb%3Fc%23%C3%A9"


@pytest.mark.parametrize("ask", [AskBars(instrument="G", interval=MINUTE, count=0, until=START),
                                 AskBars(instrument="G", interval=MINUTE, count=1, until=-SECOND),
                                 AskBars(instrument="G", interval=MINUTE, count=1, until=10**20),
                                 AskBars(instrument="G", interval=1, count=1, until=START)])  # fmt: skip
def test_bars_that_cannot_be_are_not_asked_for(ask: AskBars) -> None:
    with pytest.raises(LocalProtocolError):
        SLIM.request(ask)


def test_a_book_deeper_than_the_venues_is_not_asked_for() -> None:
    with pytest.raises(LocalProtocolError, match="51 levels"):
        http.book_request("MOEX", "GAZP", depth=51, style="Slim")


# Bars


def history(*minutes: int, name: str = "history", **spoilt: Any) -> bytes:
    rows = [
        {"time": START // SECOND + 60 * m, "open": 5, "high": 6, "low": 4, "close": 5, "volume": 1} for m in minutes
    ]
    return json.dumps({name: [row | spoilt for row in rows], "next": None, "prev": None}).encode()


def bars(body: bytes, *, now: int = START + 10 * MINUTE) -> list[tuple[int, bool]]:
    found = SLIM.decode_answer(ASK, body, receive_time=now)
    assert all(isinstance(bar, Bar) and bar.snapshot and bar.instrument == "GAZP" for bar in found)
    return [((bar.open_time - START) // MINUTE, bar.closed) for bar in found if isinstance(bar, Bar)]


def test_history_comes_sorted_once_and_without_what_lies_beyond() -> None:
    assert bars(history(1, -5, 0, 0, 2, 3)) == [(-5, True), (0, True), (1, True)]
    assert bars(history(name="h")) == []


def test_the_last_bar_is_closed_when_its_interval_is_over() -> None:
    assert bars(history(0, 1), now=START + 2 * MINUTE - 1) == [(0, True), (1, False)]
    # By the time that was asked for too: what came later isn't in it.
    inside = AskBars(instrument="GAZP", interval=MINUTE, count=3, until=START + MINUTE + SECOND)
    (first, last) = SLIM.decode_answer(inside, history(0, 1), receive_time=START + 10 * MINUTE)
    assert isinstance(first, Bar)
    assert isinstance(last, Bar)
    assert (first.closed, last.closed) == (True, False)


@pytest.mark.parametrize("body", [b"{}", b'{"history":null}', b"[]", history(0, open=0, low=0), history(0, high=1)])
def test_a_history_that_cannot_be_is_refused(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        bars(body)


# Reference data


@given(
    tick=st.decimals(Decimal("0.00001"), 1000, places=5).filter(bool),
    lot=st.sampled_from([Decimal(1), Decimal(10), Decimal(1000)]),
    multiplier=st.sampled_from([Decimal(1), Decimal("0.001"), Decimal("1.5")]),
    board=st.sampled_from(["TQBR", "RFUD"]),
    style=st.sampled_from(["Slim", "Simple", "Heavy"]),
    asked=st.sampled_from(["Slim", "Simple", "Heavy"]),
)
@settings(max_examples=80, deadline=None)
def test_whatever_instrument_is_listed_is_read_again(
    tick: Decimal, lot: Decimal, multiplier: Decimal, board: str, style: str, asked: str
) -> None:
    listed = Instrument("GAZP", tick, lot, multiplier, board=board, description="Gazprom")
    body = encode_security(listed, style)

    assert Alor(format=asked).decode_answer(AskInstrument(instrument="GAZP"), body, receive_time=0) == [listed]
    assert http.read_securities(encode_list([body, body]), style=asked) == [listed, listed]


def test_of_all_that_is_listed_only_what_can_t_be_an_instrument_is_left_out() -> None:
    rows = [{"symbol": symbol, "minstep": step, "lotsize": 1, "pricestep": 1} for symbol, step in (("X", 0), ("Y", 1))]

    found = SLIM.decode_answer(AskInstruments(), json.dumps(rows).encode(), receive_time=0)

    assert [each.symbol for each in found if isinstance(each, Instrument)] == ["Y"]
    with pytest.raises(RemoteProtocolError):
        SLIM.decode_answer(AskInstruments(), json.dumps(rows[:1]).encode(), receive_time=0)


def test_reference_data_that_lack_are_taken_at_their_plainest() -> None:
    body = b'{"symbol":"X","minstep":0.5,"lotsize":1,"pricestep":0,"primary_board":"B"}'
    (found,) = SLIM.decode_answer(AskInstrument(instrument="X"), body, receive_time=0)
    assert found == Instrument("X", Decimal("0.5"), Decimal(1), Decimal(1), board="B")


@pytest.mark.parametrize(
    "change", [{"minstep": 0}, {"lotsize": -1}, {"minstep": "NaN"}, {"lotsize": 0, "cfiCode": "F"}]
)
def test_an_instrument_that_cannot_be_is_refused(change: dict[str, Any]) -> None:
    body = json.dumps({"symbol": "X", "minstep": 0.5, "lotsize": 1, "pricestep": 5} | change).encode()
    with pytest.raises(RemoteProtocolError):
        SLIM.decode_answer(AskInstrument(instrument="X"), body, receive_time=0)


# Other answers


def test_small_answers_are_read() -> None:
    assert http.read_time(b"1773306907") == 1_773_306_907 * SECOND
    assert http.read_boards(b'["TQBR","SMAL"]') == ["TQBR", "SMAL"]
    book = http.read_book(b'{"bids":[{"price":1,"volume":2}],"asks":[]}', "GAZP", receive_time=5, style="Slim")
    assert (book.bid_prices, book.snapshot, book.guid, book.receive_time) == ((1.0,), True, "", 5)
    row = b'{"id":1,"qty":2,"price":3,"existing":false}'
    trades = http.read_all_trades(b"[%b,%b]" % (row, row), "GAZP", receive_time=5, style="Simple")
    assert [(trade.trade_id, trade.snapshot) for trade in trades] == [(1, True)]
    assert json.loads(encode_trade_history([row, row], 7)) == {"total": 7, "list": [json.loads(row)] * 2}
    (account,) = SLIM.decode_answer(AskAccount(account="D1"), b'{"pe":5,"bp":4}', receive_time=5)
    assert isinstance(account, AccountUpdate)
    assert (account.account, account.equity, account.buying_power) == ("D1", Decimal(5), Decimal(4))


def test_an_answer_that_fits_no_format_shows_what_came() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        SLIM.decode_answer(AskOrders(account="D1"), b'[{"id":1}]', receive_time=0)
    assert caught.value.frame == b'{"data":{"id":1}}'
    with pytest.raises(RemoteProtocolError, match="answered"):
        http.read_time(b'"soon"')


# Tokens


def jwt(**claims: Any) -> str:
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.c2ln"


def test_a_refresh_carries_its_secret_in_the_body_only() -> None:
    call = refresh_request(Secret("canary-token"), portfolios=("D12345",))
    assert served(call) == Refresh(token="canary-token", portfolios=("D12345",))
    assert "canary" not in call.path + str(call.query) + str(call.headers)
    assert served(refresh_request(Secret("canary-token"))) == Refresh(token="canary-token")
    assert "canary" not in repr(call)


def test_a_token_says_how_long_it_lives_and_for_whom() -> None:
    text = jwt(sub="P1", exp=1_800, iat=900, portfolios="D1 G1 750", agreements="1 2")
    assert read_refresh(json.dumps({"AccessToken": text}).encode()) == AccessToken(
        text=text,
        issued=900 * SECOND,
        expires=1_800 * SECOND,
        login="P1",
        portfolios=("D1", "G1", "750"),
        agreements=("1", "2"),
    )
    assert text not in repr(read_access_token(text))


@pytest.mark.parametrize(
    ("claims", "issued", "expires"),
    [({"exp": 5_000}, 3_200, 5_000), ({"iat": 5_000}, 5_000, 6_800), ({}, 0, 1_800)],
)
def test_a_token_that_does_not_say_lives_half_an_hour(claims: dict[str, int], issued: int, expires: int) -> None:
    token = read_access_token(jwt(**claims))
    assert (token.issued, token.expires) == (issued * SECOND, expires * SECOND)


@pytest.mark.parametrize(
    "text",
    ["", "canary", "e30.canary.c2ln", "e30.%%%.c2ln", "a.b", "a.b.c.d", jwt(exp="soon"), jwt(exp=-1), "e30.é.c2ln"],
)
def test_what_is_no_token_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        read_access_token(text)
    assert not text or text not in str(caught.value)
    assert caught.value.frame == ""
    assert caught.value.__cause__ is None


def test_an_answer_without_a_token_is_refused_without_being_shown() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        read_refresh(b'{"accesstoken":"canary"}')
    assert "canary" not in str(caught.value)

"""Calls that a relay answers from what it holds, or by asking its venue."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from strategykit.model.events import Bar, Quote, Side
from strategykit.model.instruments import Instrument
from strategykit.venues.dialect import AskBars, AskInstrument, AskInstruments
from strategykit.venues.stream.dialect import StreamFamily
from strategykit.venues.streams import StreamKind
from strategykit.venues.subscriptions import SubscriptionState
from strategykit.venues.t4.dialect import T4
from tests.relay.conftest import NOON, Relay

D = Decimal
SECOND = 1_000_000_000
SBER = Instrument("SBER", D("0.01"), D(10))
ES = Instrument("CME_Eq/ES/XCME_Eq ES (Z26)", D("0.25"), currency="USD")


async def asked(relay: Relay, path: str, rows: Any, reason: str = "") -> tuple[int, Any]:
    """Call, have the venue answer with `rows` whatever it is asked, and give the relay's answer."""
    found: list[tuple[int, Any]] = []

    async def call() -> None:
        found.append(await relay.get(path))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(call)
        before = 0
        while not found:
            await wait_all_tasks_blocked()
            for _, answered in relay.upstream.asks[before:]:
                before += 1
                answered(rows, reason)
    return found[0]


async def test_a_book_is_given_as_clients_need_it_to_join_what_they_hear(relay: Relay) -> None:
    client = await relay.connect()
    await client.subscribe("depth.SBER")
    assert (await relay.get("/api/v1/depth?symbol=SBER"))[0] == 503
    relay.upstream.book({99.0: 1.0, 98.0: 2.0}, {101.0: 3.0})
    relay.upstream.change({99.0: 0.0}, {102.0: 4.5})
    await client.next()
    last = (await client.next())["data"]["u"]

    status, book = await relay.get("/api/v1/depth?symbol=SBER")

    assert status == 200
    assert (book["bids"], book["asks"]) == ([["98", "2"]], [["101", "3"], ["102", "4.5"]])
    assert book["lastUpdateId"] == str(last)
    assert (await relay.get("/api/v1/depth?symbol=SBER&limit=1"))[1]["asks"] == [["101", "3"]]


async def test_a_book_with_a_hole_is_not_given(relay: Relay) -> None:
    client = await relay.connect()
    await client.subscribe("depth.SBER")
    relay.upstream.book({99.0: 1.0}, {})

    relay.upstream.gap(StreamKind.BOOK)

    assert (await relay.get("/api/v1/depth?symbol=SBER"))[0] == 503


async def test_the_newest_trades_are_given_newest_first(relay: Relay) -> None:
    client = await relay.connect()
    await client.subscribe("trade.SBER")
    for price in (1.0, 2.0, 3.0):
        relay.upstream.trade(price, side=Side.SELL)

    status, rows = await relay.get("/api/v1/trades?symbol=SBER&limit=2")

    assert status == 200
    assert [(row["price"], row["isBuyerMaker"]) for row in rows] == [("3", True), ("2", True)]
    assert (await relay.get("/api/v1/trades?symbol=GAZP"))[1] == []


async def test_bars_come_from_the_venue(relay: Relay) -> None:
    minute = 60 * 10**9
    opened = NOON // minute * minute - 5 * minute
    bars = [Bar("SBER", opened + n * minute, minute, 1.0, 2.0, 0.5, 1.5, 9.0, True, None, NOON, "g") for n in range(3)]

    seconds = opened // 10**9
    path = f"/api/v1/klines?symbol=SBER&interval=1m&startTime={seconds + 60}&endTime={seconds + 600}"
    status, rows = await asked(relay, path, bars)

    assert status == 200
    assert [row["open"] for row in rows] == ["1", "1"]
    ask = relay.upstream.asks[0][0]
    assert isinstance(ask, AskBars)
    assert (ask.instrument, ask.interval, ask.exchange) == ("SBER", minute, "MOEX")


async def test_an_instrument_is_asked_for_once_and_told_whole(relay: Relay) -> None:
    status, row = await asked(relay, "/api/v1/market?symbol=SBER", [SBER])
    again = await relay.get("/api/v1/market?symbol=SBER")

    assert status == 200
    assert row["filters"]["price"]["tickSize"] == "0.01"
    assert row["instrument"]["lot"] == "10"
    assert again == (status, row)
    assert [ask for ask, _ in relay.upstream.asks] == [AskInstrument(instrument="SBER", exchange="MOEX")]


async def test_markets_are_all_that_the_venue_lists(relay: Relay) -> None:
    odd = Instrument('"', currency="USD")

    status, rows = await asked(relay, "/api/v1/markets", [SBER, *(Instrument(f"X{n}") for n in range(500)), odd])

    assert status == 200
    assert [row["symbol"] for row in rows] == ["SBER", *(f"X{n}" for n in range(500))]
    assert rows[0]["instrument"]["lot"] == "10"
    assert [ask for ask, _ in relay.upstream.asks] == [AskInstruments(exchange="MOEX")]


async def test_of_a_venue_that_gives_no_list_markets_are_those_that_somebody_listens_to(relay: Relay) -> None:
    relay.upstream.dialect = T4()
    client = await relay.connect()
    await client.subscribe(f"trade.{ES.symbol}", f"depth.{ES.symbol}")

    status, rows = await asked(relay, "/api/v1/markets", [ES])

    assert status == 200
    assert [row["symbol"] for row in rows] == [ES.symbol]
    assert [ask for ask, _ in relay.upstream.asks] == [AskInstrument(instrument=ES.symbol, exchange="MOEX")]


async def test_of_a_venue_that_gives_no_list_what_the_session_names_is_listed_before_anybody_listens(
    relay: Relay,
) -> None:
    relay.upstream.dialect = T4()
    relay.upstream.named.append(ES.symbol)

    _, rows = await asked(relay, "/api/v1/markets", [ES])

    assert [row["symbol"] for row in rows] == [ES.symbol]


async def test_markets_that_the_venue_says_nothing_of_are_left_out(relay: Relay) -> None:
    relay.upstream.dialect = T4()
    client = await relay.connect()
    await client.subscribe("trade.SBER", f"trade.{ES.symbol}")

    assert await asked(relay, "/api/v1/markets", None, "down") == (200, [])


async def test_a_list_is_asked_for_again_when_it_is_old_and_kept_when_no_new_one_comes(relay: Relay) -> None:
    def symbols(answer: tuple[int, Any]) -> list[str]:
        return [row["symbol"] for row in answer[1]]

    assert symbols(await asked(relay, "/api/v1/markets", [SBER])) == ["SBER"]
    assert symbols(await relay.get("/api/v1/markets")) == ["SBER"]
    relay.upstream.now += 600 * SECOND
    assert symbols(await asked(relay, "/api/v1/markets", None, "down")) == ["SBER"]
    assert symbols(await relay.get("/api/v1/markets")) == ["SBER"]
    relay.upstream.now += 5 * SECOND

    assert symbols(await asked(relay, "/api/v1/markets", [Instrument("GAZP")])) == ["GAZP"]
    assert len(relay.upstream.asks) == 3


async def test_a_list_that_never_came_is_not_taken_for_an_empty_one(relay: Relay) -> None:
    status, words = await asked(relay, "/api/v1/markets", None, "it is night")

    assert status == 503
    assert "it is night" in words["message"]
    assert (await relay.get("/api/v1/markets"))[0] == 503
    assert len(relay.upstream.asks) == 1, "a venue that is down isn't asked by each client anew"


async def test_clients_that_come_together_have_a_list_asked_for_once_also_when_the_first_one_leaves(
    relay: Relay,
) -> None:
    found: list[tuple[int, Any]] = []

    async def call() -> None:
        found.append(await relay.get("/api/v1/markets"))

    stream = relay.dial()
    await stream.send_all(b"GET /api/v1/markets HTTP/1.1\r\nHost: x\r\n\r\n")
    await wait_all_tasks_blocked()
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(call)
        await wait_all_tasks_blocked()
        assert len(relay.upstream.asks) == 1
        await stream.aclose()
        await wait_all_tasks_blocked()
        for _, answered in list(relay.upstream.asks):
            answered([SBER], "")
        await wait_all_tasks_blocked()

    assert [status for status, _ in found] == [200] * 3


@pytest.mark.parametrize(
    ("instrument", "pair", "step"),
    [
        (Instrument("SOL_USDC_PERP", lot=D("0.1"), currency="USDC", counts_units=True), "SOL USDC PERP", "0.1"),
        (Instrument("SOL_USDC", lot=D("0.1"), currency="USDC", counts_units=True), "SOL USDC SPOT", "0.1"),
        (Instrument("SOLUSDT", lot=D("1E-5"), currency="USDT", counts_units=True), "SOL USDT SPOT", "0.00001"),
        (Instrument("SOL/USD", currency="USD", counts_units=True), "SOL USD SPOT", "1"),
        (Instrument("SBER", lot=D(10)), "SBER RUB SPOT", "1"),
        (Instrument("RUB"), "RUB RUB SPOT", "1"),
    ],
)
async def test_a_market_says_what_is_traded_for_what_as_far_as_that_is_known(
    relay: Relay, instrument: Instrument, pair: str, step: str
) -> None:
    _, row = await asked(relay, f"/api/v1/market?symbol={instrument.symbol}", [instrument])

    assert f"{row['baseSymbol']} {row['quoteSymbol']} {row['marketType']}" == pair
    assert row["filters"]["quantity"]["stepSize"] == step


async def test_what_others_clients_ask_before_they_begin_is_answered(relay: Relay) -> None:
    assert await relay.get("/api/v1/ping") == (200, "pong")
    assert await relay.get("/api/v1/assets") == (200, [])
    assert await relay.get("/api/v1/securities") == (200, [])


async def test_the_status_says_when_the_venue_is_away(relay: Relay) -> None:
    assert await relay.get("/api/v1/status") == (200, {"status": "Ok", "message": None})
    client = await relay.connect()
    await client.subscribe("trade.SBER", "trade.GAZP")
    assert (await relay.get("/api/v1/status"))[1]["status"] == "Ok"

    for row, _ in relay.upstream.routes:
        row.state = SubscriptionState.LOST

    assert await relay.get("/api/v1/status") == (200, {"status": "Maintenance", "message": "the venue is away"})


async def test_a_ticker_is_what_came_last_by_its_channel(relay: Relay) -> None:
    client = await relay.connect()
    await client.subscribe("ticker.SBER")
    relay.upstream.tell(
        StreamKind.QUOTES,
        "SBER",
        Quote("SBER", 1.0, 1.0, 2.0, 1.0, 1.1, None, NOON, "g", open=1.0, high=1.5, low=0.9, volume=7.0),
    )

    status, row = await relay.get("/api/v1/ticker?symbol=SBER")

    assert status == 200
    assert row == {
        "symbol": "SBER",
        "firstPrice": "1",
        "lastPrice": "1.1",
        "high": "1.5",
        "low": "0.9",
        "priceChange": "0.1",
        "priceChangePercent": "0.100000",
        "volume": "7",
        "quoteVolume": None,
        "trades": None,
    }


QUARTER = 900 * SECOND


def quarters(count: int) -> list[Bar]:
    """Bars up to noon, the newest ones last."""
    first = NOON // QUARTER * QUARTER - (count - 1) * QUARTER
    return [
        Bar("SBER", first + n * QUARTER, QUARTER, 1.0 + n, 2.0 + n, 0.5 + n, 1.5 + n, 0.1, True, None, NOON, "g")
        for n in range(count)
    ]


async def test_a_ticker_to_which_nobody_listens_is_the_sum_of_a_day_s_bars(relay: Relay) -> None:
    status, row = await asked(relay, "/api/v1/ticker?symbol=SBER", quarters(200))
    again = await relay.get("/api/v1/ticker?symbol=SBER")
    relay.upstream.now += 5 * SECOND
    later = await asked(relay, "/api/v1/ticker?symbol=SBER", quarters(200)[-2:])

    assert status == 200
    assert (row["firstPrice"], row["lastPrice"], row["high"], row["low"]) == ("104", "200.5", "201", "103.5")
    assert row["volume"] == "9.7"
    assert again == (status, row), "a venue isn't asked by each client anew"
    assert later[1]["firstPrice"] == "199"
    ask = relay.upstream.asks[0][0]
    assert isinstance(ask, AskBars)
    assert (ask.interval, ask.count, ask.until) == (QUARTER, 97, NOON + 1)
    assert len(relay.upstream.asks) == 2


async def test_of_a_day_without_trades_there_are_no_prices(relay: Relay) -> None:
    status, row = await asked(relay, "/api/v1/ticker?symbol=SBER", [])

    assert status == 200
    assert (row["lastPrice"], row["priceChange"], row["priceChangePercent"], row["volume"]) == (None, None, None, "0")


async def test_tickers_are_those_of_what_somebody_listens_to(relay: Relay) -> None:
    assert await relay.get("/api/v1/tickers") == (200, [])
    client = await relay.connect()
    await client.subscribe("trade.SBER", "depth.GAZP", "depth.SBER")

    status, rows = await asked(relay, "/api/v1/tickers", quarters(3))

    assert status == 200
    assert [(row["symbol"], row["lastPrice"]) for row in rows] == [("SBER", "3.5"), ("GAZP", "3.5")]
    relay.upstream.now += 5 * SECOND
    assert await asked(relay, "/api/v1/tickers", None, "down") == (200, [])


async def test_a_venue_that_has_no_bars_gives_none_of_the_past(relay: Relay) -> None:
    """Those that are built from live trades begin when somebody listens, so there is nothing before."""
    relay.upstream.dialect = StreamFamily("seed")

    assert await relay.get("/api/v1/klines?symbol=SOL_USDC&interval=1m") == (200, [])
    assert (await relay.get("/api/v1/klines?symbol=SOL_USDC&interval=7m"))[0] == 400
    assert (await relay.get("/api/v1/klines?interval=1m"))[0] == 400
    assert (await relay.get("/api/v1/ticker?symbol=SOL_USDC"))[0] == 404
    assert relay.upstream.asks == []


async def test_bars_of_a_length_that_the_venue_lacks_are_refused_in_its_words(relay: Relay) -> None:
    relay.upstream.dialect = StreamFamily("binance_usdm")

    status, words = await relay.get("/api/v1/klines?symbol=SOLUSDT&interval=1s")

    assert status == 400
    assert "has no bars of 1 s" in words["message"]


async def test_bars_that_the_venue_doesn_t_give_aren_t_taken_for_none(relay: Relay) -> None:
    status, words = await asked(relay, "/api/v1/klines?symbol=SBER&interval=1m", None, "it is night")

    assert status == 503
    assert "it is night" in words["message"]


async def test_the_time_is_told_in_milliseconds(relay: Relay) -> None:
    assert await relay.get("/api/v1/time") == (200, NOON // 1_000_000)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/depth?symbol=SBER", 404),
        ("/api/v1/depth", 400),
        ("/api/v1/depth?symbol=SBER&limit=x", 400),
        ("/api/v1/klines?symbol=SBER&interval=7m", 400),
        ("/api/v1/market?symbol=NEVER", 400),
        ("/api/v1/orders", 404),
        ("/elsewhere", 404),
    ],
)
async def test_what_can_t_be_answered_says_why(relay: Relay, path: str, status: int) -> None:
    found, words = await relay.get(path)

    assert found == status
    assert words["message"]


@pytest.mark.parametrize(("rows", "status"), [(None, 503), ([], 404)])
async def test_a_venue_without_an_answer_is_told(relay: Relay, rows: Any, status: int) -> None:
    found, words = await asked(relay, "/api/v1/market?symbol=SBER", rows, "it is night")

    assert found == status
    assert "it is night" in words["message"] or "doesn't know SBER" in words["message"]


async def test_a_venue_that_never_answers_is_not_waited_for_for_ever(relay: Relay, autojump_clock: object) -> None:
    status, words = await relay.get("/api/v1/market?symbol=SBER")

    assert status == 503
    assert "no answer within 10 s" in words["message"]

"""Calls that a relay answers from what it holds, or by asking its venue."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from strategykit.model.events import Bar, Side
from strategykit.model.instruments import Instrument
from strategykit.venues.dialect import AskBars, AskInstrument
from strategykit.venues.streams import StreamKind
from tests.relay.conftest import NOON, Relay

SBER = Instrument("SBER", Decimal("0.01"), Decimal(10))


async def asked(relay: Relay, path: str, rows: Any, reason: str = "") -> tuple[int, Any]:
    """Call, have the venue answer with `rows`, and give the relay's answer."""
    found: list[tuple[int, Any]] = []

    async def call() -> None:
        found.append(await relay.get(path))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(call)
        await wait_all_tasks_blocked()
        for _, answered in relay.upstream.asks:
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


async def test_markets_are_those_that_somebody_listens_to(relay: Relay) -> None:
    client = await relay.connect()
    await client.subscribe("trade.SBER", "depth.SBER")

    status, rows = await asked(relay, "/api/v1/markets", [SBER])

    assert status == 200
    assert [row["symbol"] for row in rows] == ["SBER"]


async def test_markets_that_the_venue_says_nothing_of_are_left_out(relay: Relay) -> None:
    client = await relay.connect()
    await client.subscribe("trade.SBER")

    assert await asked(relay, "/api/v1/markets", None, "down") == (200, [])


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

"""Withdrawing what a dead run has left by calls: only ours, until the venue's own lists have none, or said why not."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs
import httpx
import pytest
import trio

from strategykit.errors import LoginRefused
from strategykit.journal.format import Record, RecordKind
from strategykit.model.events import OrderStatus, OrderUpdate, Side
from strategykit.net.network import Network
from strategykit.net.timing import Timing
from strategykit.net.tokens import Token, TokenFacts, TokenSource
from strategykit.runtime.withdraw import WITHDRAW_WITHIN, Account, Known, Left, known_orders, withdraw_by_http
from strategykit.venues.alor.dialect import Alor

OURS = Known(filled={"a1-cross-1": Decimal(1), "a1-cross-2": Decimal(0)}, numbers={"77": "a1-cross-2"})


def row(number: str, comment: str | None, status: str = "working", **fields: Any) -> dict[str, Any]:
    return {
        "id": number,
        "symbol": "SBER",
        "exchange": "MOEX",
        "portfolio": "D1",
        "comment": comment,
        "type": "limit",
        "side": "buy",
        "status": status,
        "transTime": "2026-03-12T09:15:06.9512340Z",
        "updateTime": "2026-03-12T09:15:06.9512340Z",
        "endTime": "2026-03-12T20:59:59.9990000Z",
        "qty": 1,
        "qtyUnits": 1,
        "qtyBatch": 1,
        "filledQtyUnits": 0,
        "filledQtyBatch": 0,
        "filled": 0,
        "price": 100.0,
        "existing": True,
        "timeInForce": "oneday",
        "volume": 100,
        **fields,
    }


@attrs.define(eq=False)
class Venue(httpx.AsyncBaseTransport):
    """Keeps orders, and answers, or not."""

    orders: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    stops: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    calls: list[str] = attrs.field(factory=list)
    answer: Callable[[httpx.Request], httpx.Response | None] = lambda _: None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await trio.sleep(0.01)
        answer = self._answer(request)
        return httpx.Response(answer.status_code, stream=httpx.ByteStream(answer.content))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(f"{request.method} {request.url.path}")
        special = self.answer(request)
        if special is not None:
            return special
        lists = {"orders": self.orders, "stoporders": self.stops}
        last = request.url.path.rpartition("/")[2]
        if request.method == "GET":
            return httpx.Response(200, json=list(lists[last].values()))
        kept = self.stops if request.url.params["stop"] == "true" else self.orders
        if last not in kept:
            return httpx.Response(400, json={"code": "OrderToCancelNotFound (404)", "message": "not found"})
        del kept[last]
        return httpx.Response(200, text="success")


async def no_token() -> TokenFacts:
    await trio.lowlevel.checkpoint()
    raise LoginRefused("the token service answered with HTTP 403", code=403)


async def a_token() -> TokenFacts:
    await trio.lowlevel.checkpoint()
    return Token("t", 0, 10**18)


NOW = 1_800_000_000 * 10**9


async def withdrawn(venue: Venue, fetch: Any = a_token, known: Known = OURS) -> tuple[Left, list[str]]:
    said: list[str] = []
    rng = random.Random(1)
    where = Account(
        dialect=Alor(format="Simple"),
        cancels=Alor(format="Simple"),
        base="http://127.0.0.1:1",
        tokens=TokenSource(fetch, protect=lambda _: None, rng=rng, timing=Timing()),
        account="D1",
        exchange="MOEX",
    )
    network = Network(transport=lambda: venue)
    left = await withdraw_by_http(where, known, say=said.append, now=lambda: NOW, network=network)
    return left, said


@pytest.fixture
def venue() -> Venue:
    return Venue(
        {
            "1": row("1", "a1-cross-1"),
            "77": row("77", None),
            "2": row("2", "somebody-elses"),
            "3": row("3", "a1-cross-1", "filled"),
        }
    )


async def test_ours_go_and_others_stay(venue: Venue, autojump_clock: object) -> None:
    left, said = await withdrawn(venue)

    assert left == Left(withdrawn=2)
    assert sorted(venue.orders) == ["2", "3"]
    assert "withdrew a1-cross-1 (SBER)" in said


async def test_fills_that_the_journal_does_not_have_are_told(venue: Venue, autojump_clock: object) -> None:
    venue.orders["77"] |= {"filledQtyBatch": 3, "filled": 3}
    venue.orders["3"] |= {"filledQtyBatch": 1, "filled": 1}

    left, _ = await withdrawn(venue)

    assert left == Left(withdrawn=2, unseen=("3 lots of a1-cross-2",))


@pytest.mark.parametrize(("ago", "late_by"), [(0, 6.5), (4, 2.5), (-3600, 6.5), (3600, 1.5)])
async def test_an_order_that_comes_late_is_not_missed(
    venue: Venue, autojump_clock: trio.abc.Clock, ago: int, late_by: float
) -> None:
    """It was under way when the run died, so many seconds after it had been sent; or the clock was set back since."""
    del venue.orders["1"], venue.orders["77"]
    began = trio.current_time()

    def late(_: httpx.Request) -> None:
        if trio.current_time() - began > late_by and "9" not in came:
            came.append("9")
            venue.orders["9"] = row("9", "a1-cross-1")

    came: list[str] = []
    venue.answer = late
    left, _ = await withdrawn(venue, known=attrs.evolve(OURS, sent=NOW - ago * 10**9))

    assert left == Left(withdrawn=1)


async def test_stop_orders_go_by_their_own_numbers(venue: Venue, autojump_clock: object) -> None:
    venue.stops["1"] = row("1", "a1-cross-1", type="stop", stopPrice=90.0, conditionType="less")
    venue.orders.clear()

    left, _ = await withdrawn(venue)

    assert left == Left(withdrawn=1)
    assert venue.stops == {}


async def test_a_venue_that_fails_for_a_while_is_asked_again(venue: Venue, autojump_clock: object) -> None:
    failing = [httpx.Response(503, text="no"), httpx.Response(200, text="no JSON"), None, httpx.Response(500, text="x")]
    venue.answer = lambda _: failing.pop(0) if failing else None

    left, _ = await withdrawn(venue)

    assert left == Left(withdrawn=2)


async def test_a_cancel_that_is_refused_is_told(venue: Venue, autojump_clock: object) -> None:
    refusal = httpx.Response(400, json={"code": "Halt", "message": "trading is halted"})
    venue.answer = lambda request: refusal if request.method == "DELETE" else None

    left, said = await withdrawn(venue)

    assert left.orders == ("1", "77")
    assert left.withdrawn == 0
    assert left.trouble.startswith(f"not proven within {WITHDRAW_WITHIN:g} s: ")
    assert any("trading is halted" in line for line in said)


async def test_a_cancel_whose_answer_is_lost_is_seen_by_the_next_list(venue: Venue, autojump_clock: object) -> None:
    def lose(request: httpx.Request) -> None:
        if request.method == "DELETE":
            venue.orders.pop(request.url.path.rpartition("/")[2], None)
            raise httpx.ReadError("lost")

    venue.answer = lose
    left, said = await withdrawn(venue)

    assert left == Left(withdrawn=0)
    assert any("broke off: ReadError" in line for line in said)


async def test_a_venue_that_never_answers_is_no_proof(venue: Venue, autojump_clock: object) -> None:
    venue.answer = lambda _: httpx.Response(403, text="go away")

    left, _ = await withdrawn(venue)

    assert left.trouble == "not proven within 30 s: asked for orders, the venue answered with HTTP 403"
    assert left.orders == ()


async def test_a_refused_login_is_not_tried_again(venue: Venue, autojump_clock: object) -> None:
    left, _ = await withdrawn(venue, no_token)

    assert "the token service answered with HTTP 403" in left.trouble
    assert venue.calls == []


@pytest.mark.parametrize(
    ("tag", "name", "ours"),
    [
        ("0123abcd", "0123abcd-cross-7", True),
        ("0123abcd", "0123abcde-cross-7", False),
        ("guard", "guard-1", False),
        ("", "-1", False),
    ],
)
def test_orders_that_a_damaged_journal_has_lost_are_told_by_the_names_of_its_runs(
    tag: str, name: str, *, ours: bool
) -> None:
    known = known_orders([Record(1, 1, RecordKind.RUN, {"tag": tag}, 1)])
    order = OrderUpdate("X", "1", name, OrderStatus.WORKING, Side.BUY, Decimal(1), Decimal(0), None, None, 0, "")

    assert known.name_of(order) == (name if ours else None)

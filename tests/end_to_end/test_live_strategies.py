"""Strategies that misbehave beside one that doesn't, on real sockets: only those that do are hit."""

from __future__ import annotations

from typing import Any

import pytest

from strategykit.model.orders import OrderState
from strategykit.model.risk_limits import NO_PLAN
from strategykit.runtime.assembly import Run
from strategykit.runtime.run import rerun_tape

HEALTHY = """
    quotes = Quotes("{instrument}")
    seen = 0

    def on_quote(self, quote) -> None:
        self.seen += 1

    async def run(self) -> None:
        await self.when(self.quotes.bid < self.quotes.ask)
        while True:
            order = self.buy_nowait(1, limit=round(self.quotes.last.bid * 0.9, 2))
            async with self.working(order):
                await trio.sleep(0.1)
"""

FAILING = {
    "raises in run": ("await trio.sleep(0.3); raise ValueError('oops')", "", "ValueError: oops"),
    "raises in a handler": ("await trio.sleep_forever()", "raise ValueError('oops')", "ValueError: oops"),
    "raises in a task": (
        "self.start(self.fail); await trio.sleep_forever()",
        "",
        "ValueError: oops",
    ),
    "sleeps in run": ("await trio.sleep(0.3); time.sleep(30)", "", "StrategyBlocked"),
    "sleeps in a handler": ("await trio.sleep_forever()", "time.sleep(30)", "StrategyBlocked"),
    "loops": ("await trio.sleep(0.3)\n        while True: pass", "", "StrategyBlocked"),
    "spins": ("await trio.sleep(0.3)\n        while True: await trio.lowlevel.checkpoint()", "", "StrategyBlocked"),
    "exits": ("await trio.sleep(0.3); sys.exit('done')", "", "SystemExit: done"),
}

BAD = """
    quotes = Quotes("{instrument}")
    calls = 0

    async def run(self) -> None:
        self.buy_nowait(1, limit=1.0)
        %s

    async def fail(self) -> None:
        await trio.sleep(0.2)
        raise ValueError("oops")

    def on_quote(self, quote) -> None:
        self.calls += 1
        if self.calls == 5:
            %s
"""


def one_failed_and_the_other_traded(run: Run) -> bool:
    bad, good = run.supervisor.seats
    return bad.state == "failed" and len(good.desk.orders) >= 8


@pytest.mark.parametrize("way", FAILING)
def test_only_who_fails_is_stopped(venue: Any, bench: Any, way: str) -> None:
    in_run, in_handler, words = FAILING[way]
    bad = bench.strategy(BAD % (in_run, in_handler or "pass"), name="bad")
    good = bench.strategy(HEALTHY, name="good", instrument="GAZP")

    result = bench.run(venue.url, [bad, good], enough=one_failed_and_the_other_traded)

    failed, healthy = result.strategies
    assert failed.state == "failed"
    assert words in failed.error
    assert failed.left == []
    assert (healthy.state, healthy.error, healthy.left) == ("ended", "", [])
    assert healthy.orders >= 8
    assert not result.ok, "the exit code is red"
    assert result.unaccounted == []
    assert {row["status"] for row in venue.told()["orders"]} <= {"cancelled", "rejected"}


def flooded(run: Run) -> bool:
    flood, good = [seat.desk.orders for seat in run.supervisor.seats]
    answered = [order for order in flood if order.state in (OrderState.WORKING, OrderState.REJECTED)]
    return len(answered) == 500 and len(good) >= 5


def test_a_flood_of_orders_is_answered_and_the_others_trade_on(venue: Any, bench: Any) -> None:
    """Orders by the hundred in one go: the venue answers all, the other strategy trades on, and the tape runs again."""
    flood = bench.strategy(
        """
        quotes = Quotes("{instrument}")

        async def run(self) -> None:
            await self.when(self.quotes.bid < self.quotes.ask)
            for _ in range(500):
                self.buy_nowait(1, limit=round(self.quotes.last.bid * 0.9, 2))
            await trio.sleep_forever()
        """,
        name="flood",
    )
    good = bench.strategy(HEALTHY, name="good", instrument="GAZP")

    result = bench.run(venue.url, [flood, good], enough=flooded, limits=NO_PLAN)

    assert result.ok, result.unaccounted
    assert result.strategies[0].orders == 500
    assert result.strategies[1].orders >= 5
    again = rerun_tape(bench.tape)
    assert (again.differences, again.run.digest) == ((), result.digest)


def test_who_replaces_what_is_cancelled_leaves_nothing_behind(venue: Any, bench: Any) -> None:
    bad = bench.strategy(
        """
        quotes = Quotes("{instrument}")

        async def run(self) -> None:
            await self.when(self.quotes.bid < self.quotes.ask)
            self.place()

        def place(self) -> None:
            self.buy_nowait(1, limit=round(self.quotes.last.bid * 0.9, 2))

        def on_quote(self, quote) -> None:
            if len(list(self.desk.open_orders())) < 3:
                self.place()

        def on_order(self, order) -> None:
            if order.state is OrderState.CANCELLED:
                self.place()
        """,
        name="replacer",
    )

    result = bench.run(venue.url, [bad], duration=1_500_000_000)

    assert venue.working() == [], result.unaccounted
    assert result.ok, (result.unaccounted, result.strategies)

"""The kill switch: whoever pulls it, nothing is opened any more, orders go, and what was confirmed is said."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import trio

from strategykit.runtime.assembly import Run
from strategykit.runtime.report import RunReport
from strategykit.runtime.run import rerun_tape
from strategykit.runtime.unwatched import ADVICE

HOLDER = """
    quotes = Quotes("{instrument}")
    seen: list = []

    async def run(self) -> None:
        await self.when(self.quotes.bid < self.quotes.ask)
        bought = await self.buy(2)
        await bought.filled()
        await self.buy(1, limit=round(self.quotes.last.bid * 0.9, 2))
        try:
            %s
        except trio.Cancelled as exc:
            self.log(f"cancelled: {exc}")
            raise
"""

WAITS = "await trio.sleep_forever()"
PULLS = "self.kill('enough is enough'); await trio.sleep_forever()"
HANGS = "while True: pass"
SHIELDED = """with trio.CancelScope(shield=True):
                await trio.sleep(30)"""
SCOPED = """async with self.long(3):
                await trio.sleep_forever()"""


async def ready_to_kill(run: Run) -> None:
    """Wait until the strategy has its position and its order."""
    while not any(order.state.value == "working" for order in run.gateway.orders.values()):  # noqa: ASYNC110
        await trio.sleep(0.005)


def pull(reason: str = "the desk says so") -> Any:
    async def meanwhile(run: Run) -> None:
        await ready_to_kill(run)
        await trio.sleep(0.3)
        run.kill.pull(reason, "the test")

    return meanwhile


def held(result: RunReport) -> Decimal:
    return Decimal(result.strategies[0].positions.get("SBER", 0))


@pytest.mark.parametrize(("on_kill", "left"), [("cancel", 2), ("flatten", 0)])
def test_a_pulled_switch_ends_in_proof(venue: Any, bench: Any, on_kill: str, left: int) -> None:
    own = bench.strategy(HOLDER % WAITS)

    result = bench.run(venue.url, [own], duration=None, meanwhile=pull(), on_kill=on_kill)

    assert venue.working() == []
    assert held(result) == left
    words = (
        "the kill switch was pulled by the test: the desk says so; confirmed: the venue has no order of ours; positions"
    )
    assert result.killed == f"{words}: {'+2 SBER of own' if left else 'flat'}"
    bare = "the venue has no order of ours, but positions stay open, and nothing watches over them: +2 SBER of own"
    assert result.alarms == ((f"kill: {bare}; {ADVICE}",) if left else ())
    assert result.unaccounted == []
    assert result.strategies[0].error == "StrategyKilled: killed by the test: the desk says so"
    (line,) = [text for _, source, text in result.notes if text.startswith("cancelled")]
    assert "killed by the test: the desk says so" in line
    assert not result.ok


@pytest.mark.parametrize("way", [SHIELDED, HANGS])
def test_a_strategy_that_hangs_is_no_hindrance(venue: Any, bench: Any, way: str) -> None:
    own = bench.strategy(HOLDER % way)
    other = bench.strategy(HOLDER % WAITS, name="other", instrument="GAZP")  # The run goes on for it.

    result = bench.run(venue.url, [own, other], duration=None, meanwhile=pull(), on_kill="flatten")

    assert venue.working() == []
    assert held(result) == 0
    assert "flat" in result.killed


def test_a_strategy_pulls_it_itself_and_the_run_again_does_the_same(venue: Any, bench: Any) -> None:
    own, other = bench.strategy(HOLDER % PULLS), bench.strategy(HOLDER % WAITS, name="other", instrument="GAZP")

    result = bench.run(venue.url, [own, other], duration=None, on_kill="flatten")

    assert "pulled by strategy own: enough is enough" in result.killed
    assert [row.state for row in result.strategies] == ["failed", "failed"]
    assert venue.working() == []
    again = rerun_tape(bench.tape)
    assert again.ok, again.differences


def test_blocks_close_what_they_hold_though_nothing_else_is_placed(venue: Any, bench: Any) -> None:
    own = bench.strategy(HOLDER % SCOPED)
    refused: list[str] = []

    async def meanwhile(run: Run) -> None:
        await ready_to_kill(run)
        while run.supervisor.seat("own").desk.position("SBER") < 5:  # noqa: ASYNC110 - a run tells nobody
            await trio.sleep(0.005)
        run.kill.pull("now", "the test")
        await run.kill.settled.wait()
        with pytest.raises(Exception, match="nothing is placed any more but what closes a position") as caught:
            run.supervisor.seat("own").desk.gateway.submit(
                "own", "SBER", next(iter(run.gateway.orders.values())).side, 1
            )
        refused.append(str(caught.value))

    result = bench.run(venue.url, [own], duration=None, meanwhile=meanwhile)

    assert len(refused) == 1
    assert held(result) == 2, "what a block holds is closed, what was bought outside of one is kept"

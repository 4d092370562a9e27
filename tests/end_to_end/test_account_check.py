"""What the venue says the account holds, beside what our fills say; on real sockets."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import trio

from strategykit.runtime.assembly import Run
from strategykit.runtime.run import rerun_tape

BUYER = """
    quotes = Quotes("{instrument}")

    async def run(self) -> None:
        await self.when(self.quotes.bid < self.quotes.ask)
        bought = await self.buy(2)
        await bought.filled()
        self.log("done")
        await trio.sleep_forever()
"""


def has_bought(run: Run) -> bool:
    return any(order.state.value == "filled" for order in run.gateway.orders.values())


def test_positions_that_agree_are_nobodys_trouble(venue: Any, bench: Any) -> None:
    result = bench.run(venue.url, [bench.strategy(BUYER)], enough=has_bought)

    assert result.alarms == ()
    assert result.strategies[0].positions["SBER"] == 2


def test_lots_that_nobody_told_of_are_an_alarm_and_no_trade(venue: Any, bench: Any) -> None:
    async def lose_a_lot(run: Run) -> None:
        while not has_bought(run):  # noqa: ASYNC110 - a run tells nobody of its insides
            await trio.sleep(0.005)
        while run.account_check.look():  # noqa: ASYNC110
            await trio.sleep(0.005)
        row: Any = run.engine.positions["SBER"]
        more = attrs.evolve(row, quantity=row.quantity + 1)
        hold: Any = run.reconciler.positions
        # Asked, the venue goes on saying so.
        run.reconciler.positions = lambda told: hold(more if told.instrument == "SBER" else told)
        hold(more)

    result = bench.run(venue.url, [bench.strategy(BUYER)], enough=has_bought, meanwhile=lose_a_lot)

    (alarm,) = result.alarms
    assert alarm == "account: the venue counts +1 SBER besides our fills and other people's that it told us of"
    assert result.strategies[0].positions["SBER"] == 2
    assert not result.ok


def test_lots_that_came_while_nobody_ran_are_told_at_the_next_start(venue: Any, bench: Any, tmp_path: Path) -> None:
    own = bench.strategy(BUYER)
    journal = tmp_path / "journal"
    first = bench.run(venue.url, [own], enough=has_bought, journal=journal)
    assert first.alarms == ()
    stranger = bench.strategy(BUYER, name="stranger")
    other = type(bench)(tmp_path / "elsewhere")
    other.folder.mkdir()
    other.run(venue.url, [stranger], enough=has_bought)  # Without the journal: as if by hand.
    again = type(bench)(tmp_path / "again")
    again.folder.mkdir()

    second = again.run(venue.url, [own], enough=has_bought, journal=journal)

    (alarm,) = second.alarms
    assert "the account holds +2 SBER besides what the journal knows of" in alarm
    assert second.strategies[0].positions["SBER"] == Decimal(4), "its own two lots of both runs"
    assert rerun_tape(again.tape).ok

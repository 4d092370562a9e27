"""A strategy that raises what means Ctrl-C elsewhere hurts itself alone, where signals are taken care of."""

from __future__ import annotations

from typing import Any

from strategykit import Quotes, Strategy, define
from strategykit.errors import STRATEGY_FAILURES
from strategykit.model.events import Quote
from strategykit.runtime.assembly import Run


@define
class Rude(Strategy):
    quotes = Quotes("SBER")

    def on_quote(self, quote: Quote) -> None:
        raise KeyboardInterrupt


@define
class Polite(Strategy):
    quotes = Quotes("SBER")
    seen: int = 0

    def on_quote(self, quote: Quote) -> None:
        self.seen += 1


def test_a_keyboard_interrupt_out_of_a_handler_stops_its_strategy_alone(play: Any) -> None:
    rude, polite = Rude(), Polite()

    async def script(run: Run, wires: Any) -> None:
        run.engine.failures = (*STRATEGY_FAILURES, KeyboardInterrupt)
        (row,) = run.engine.table
        run.engine.route(Quote("SBER", 1.0, 1.0, 2.0, 1.0, None, None, 0, row.guid))
        await run.driver.quiet()

    run, _ = play([("rude", rude), ("polite", polite)], script)
    assert polite.seen == 1
    assert [seat.name for seat in run.supervisor.seats if seat.failure is not None] == ["rude"]

"""What else of a strategy can fail, and what the others make of it: their fills, streams and orders go on."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import pytest

from strategykit import Bar, Bars, Fill, OrderState, Quote, Quotes, Strategy, Trades, define
from strategykit.errors import StrategykitError
from strategykit.model.events import Event
from strategykit.model.instruments import Instrument
from strategykit.model.risk_limits import NO_PLAN
from strategykit.runtime.simulate import Simulation, simulate
from strategykit.testing import START, make_bars, make_quotes, run_strategy

SECOND = 1_000_000_000


@define
class Trader(Strategy):
    """Buys at the market with every fifth quote."""

    quotes = Quotes("X")
    filled: list[Fill] = attrs.field(factory=list, init=False)
    seen: int = attrs.field(default=0, init=False)

    def on_quote(self, quote: Quote) -> None:
        self.seen += 1
        if self.seen % 5 == 0:
            self.buy_nowait(1)

    def on_fill(self, fill: Fill) -> None:
        self.filled.append(fill)


@define
class Listening(Strategy):
    """Has a callback of its own on a stream, which fails in the third second."""

    bars = Bars("X", "1s", history=3)
    quotes = Quotes("X")
    trades = Trades("X")

    def fail(self, event: Bar | Quote) -> None:
        if self.now() - START >= 3 * SECOND:
            raise LookupError("callback")

    async def run(self) -> None:
        self.buy_nowait(1, limit=50.0)
        self.quotes.listen(self.fail)
        await self.when(self.trades.price > 0)


def play(*strategies: Strategy, events: Sequence[Event] = (), history: Sequence[Bar] = ()) -> Simulation:
    return simulate(
        [(f"s{number}", strategy) for number, strategy in enumerate(strategies)],
        events or make_quotes("X", [100.0] * 20, spread=0.5),
        instruments={"X": Instrument("X")},
        start=START,
        history=history,
    )


def test_a_callback_on_a_stream_that_fails_ends_its_strategy_alone() -> None:
    before, after = Trader(), Trader()
    done = play(before, Listening(), after)
    first, failed, last = done.run.supervisor.seats

    assert [seat.state for seat in (first, failed, last)] == ["ended", "failed", "ended"]
    assert isinstance(failed.failure, LookupError)
    assert [order.state for order in failed.desk.orders] == [OrderState.CANCELLED]
    assert [len(trader.filled) for trader in (before, after)] == [4, 4]
    assert first.desk.portfolio.quantity("X") == last.desk.portfolio.quantity("X") == 4
    assert not failed.desk.portfolio.positions
    assert any((source, text) == ("s1", "failed: LookupError: callback") for _, source, text in done.notes.lines)


def test_a_failed_strategy_is_no_owner_of_any_stream_any_more() -> None:
    done = play(Trader(), Listening())
    owners = {row.stream.label: list(row.owners) for row in done.run.engine.table}

    assert owners["quotes X"] == ["s0"]
    assert not any("s1" in each for each in owners.values())


def test_a_callback_that_fails_over_the_past_fails_where_it_is_made() -> None:
    """History is there before `run`: `listen` calls back with it at once, inside the strategy's own story."""

    @define
    class Early(Strategy):
        bars = Bars("X", "1m", history=2)

        def fail(self, bar: Bar) -> None:
            raise LookupError(f"{bar.close}")

        async def run(self) -> None:
            try:
                self.bars.listen(self.fail)
            except LookupError as exc:
                self.log(f"caught {exc}")

    past = make_bars("X", [7.0, 8.0], start=START - 120 * SECOND)
    outcome = run_strategy(Early(), make_bars("X", [9.0]), history=past).check()

    assert "strategy: caught 7.0" in outcome.notes


def test_a_stream_that_brings_nothing_leaves_the_others_alone() -> None:
    @define
    class Elsewhere(Strategy):
        quotes = Quotes("Y")

        async def run(self) -> None:
            await self.when(self.quotes.bid > 0)
            raise LookupError("there was one")

    trader = Trader()
    waiting, trading = play(Elsewhere(), trader).run.supervisor.seats

    assert (waiting.state, waiting.failure) == ("ended", None)
    assert trading.failure is None
    assert len(trader.filled) == 4


def test_an_error_of_ours_that_a_strategy_does_not_catch_is_told_as_it_is() -> None:
    @define
    class Careless(Strategy):
        quotes = Quotes("X")

        async def run(self) -> None:
            await self.when(self.quotes.bid > 0)
            await self.buy(1, limit=1e12)

    outcome = run_strategy(Careless(), make_quotes("X", [100.0] * 3, spread=0.5), limits=NO_PLAN)

    with pytest.raises(StrategykitError):
        outcome.check()
    assert [order.state for order in outcome.orders] == [OrderState.REJECTED]

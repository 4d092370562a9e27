"""Limits in whole runs: on by default, the same for all who run side by side, and out of a strategy's reach."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import attrs
import pytest
import trio

from strategykit import Instrument, Order, OrderState, RiskLimit, Strategy, Trades, define
from strategykit.model.events import Bar, Fill
from strategykit.model.risk_limits import DEFAULT_PLAN, NO_PLAN, Limits, RiskPlan
from strategykit.runtime.risk import Risk
from strategykit.runtime.risk_books import Book, Scope
from strategykit.runtime.risk_report import report_limits
from strategykit.runtime.simulate import Simulation, simulate
from strategykit.testing import make_bars, make_books, make_quotes, make_trades, run_strategy
from strategykit.testing.markets import START


def narrow(**limits: Any) -> RiskPlan:
    return RiskPlan(strategy=attrs.evolve(DEFAULT_PLAN.strategy, **limits))


@define
class Buyer(Strategy):
    """Buys a lot a trade, and goes on when it may not."""

    lots: int = 1
    refused: int = attrs.field(default=0, init=False)

    trades = Trades("X")

    def on_trade(self, trade: object) -> None:
        try:
            self.buy_nowait(self.lots)
        except RiskLimit:
            self.refused += 1


@define
class Careless(Strategy):
    trades = Trades("X")

    def on_trade(self, trade: object) -> None:
        self.buy_nowait(1)


def play(*strategies: Strategy, limits: RiskPlan = DEFAULT_PLAN, count: int = 10) -> Simulation:
    named = [(f"s{number}", strategy) for number, strategy in enumerate(strategies)]
    events = make_trades("X", [100.0] * count)
    return simulate(named, events, instruments={"X": Instrument("X")}, start=START, limits=limits)


def test_limits_hold_where_nobody_says_any() -> None:
    buyer = Buyer(lots=1_001)

    assert not run_strategy(buyer, make_trades("X", [100.0] * 5)).check().orders
    assert buyer.refused == 5


def test_who_doesnt_catch_a_refusal_fails_alone() -> None:
    plan = RiskPlan(strategy=Limits(max_position=3))
    done = play(Careless(), Buyer(), limits=plan)

    careless, buyer = done.run.supervisor.seats
    assert isinstance(careless.failure, RiskLimit)
    assert str(careless.failure) == (
        "strategy s0: 4 lots of X long, if all is filled, more than max_position = 3; "
        "raise it in [risk.strategy] of the session file"
    )
    assert buyer.failure is None
    assert [seat.desk.position("X") for seat in (careless, buyer)] == [3, 3]


def test_the_account_is_all_of_them_together() -> None:
    plan = RiskPlan(account=attrs.evolve(DEFAULT_PLAN.account, max_position=7))
    first, second = Buyer(), Buyer()
    done = play(first, second, limits=plan)

    held = [seat.desk.position("X") for seat in done.run.supervisor.seats]
    assert sum(held) == 7
    assert (first.refused, second.refused) == (6, 7)
    met = [(row.scope, row.limit, row.hits) for row in report_limits(done.run.risk, ["s0", "s1"]) if row.hits]
    assert met == [("account", "max_position", 13)]


def test_a_report_has_every_limit_of_every_scope() -> None:
    plan = attrs.evolve(narrow(max_position_of={"X": 3}), strategies={"s1": Limits(max_order_rate=1)})
    rows = report_limits(play(Buyer(), Buyer(), limits=plan).run.risk, ["s0", "s1"])

    assert [row.scope for row in rows[::9]][:2] == ["account", "strategy s0"]
    said = {(row.scope, row.limit): (row.allowed, row.hits) for row in rows}
    assert said["strategy s0", "max_position.X"] == (3, 0)
    assert said["strategy s0", "max_position"] == (5_000, 7)
    assert said["strategy s1", "max_order_rate"][0] == 1
    assert said["account", "max_order_rate"][0] == 100
    assert not report_limits(play(Buyer(), limits=NO_PLAN).run.risk, ["s0"])


def test_a_position_is_left_whatever_its_strategy_has_lost() -> None:
    @define
    class Holder(Strategy):
        trades = Trades("X")

        async def run(self) -> None:
            await self.when(self.trades.price > 0)
            bid = await self.buy(1, limit=10.0)
            async with self.long(10):
                await self.when(self.trades.price < 90)
                with pytest.raises(RiskLimit, match="it has lost"):
                    await self.buy(1)
            assert await bid.ended() is OrderState.CANCELLED
            with pytest.raises(RiskLimit, match="nothing is opened any more today"):
                await self.buy(1)

    outcome = run_strategy(
        Holder(), make_trades("X", [100.0] * 3 + [85.0] * 5), limits=narrow(max_daily_loss=Decimal(100))
    )

    outcome.check()
    assert not any(outcome.positions.values())
    assert [note.partition(":")[0] for note in outcome.notes] == ["risk"]


def test_the_rate_is_that_of_the_runs_own_time() -> None:
    @define
    class Sprinter(Strategy):
        trades = Trades("X")

        async def run(self) -> None:
            await self.when(self.trades.price > 0)
            for _ in range(2):
                for number in range(5):
                    await self.buy(1, limit=90.0 - number)
                with pytest.raises(RiskLimit, match="6 orders and amends within a second"):
                    await self.buy(1, limit=80.0)
                await trio.sleep(1)
            self.log("done")

    outcome = run_strategy(Sprinter(), make_trades("X", [100.0] * 9), limits=narrow(max_order_rate=5)).check()

    assert outcome.notes == ["strategy: done"]
    assert len(outcome.orders) == 10


@pytest.mark.parametrize(
    "events",
    [
        make_trades("X", [100.0] * 3),
        make_quotes("X", [100.0] * 3, spread=0.5),
        make_books("X", [100.0] * 3, spread=0.5),
        make_bars("X", [100.0] * 3, interval="1m"),
    ],
    ids=lambda events: type(events[0]).__name__,
)
@pytest.mark.parametrize("paper", [True, False])
def test_whatever_tells_prices_there_is_a_collar(events: list[Any], paper: bool) -> None:
    from strategykit import Bars, Books, Quotes
    from strategykit.runtime.simulate import kind_of

    @define
    class Watcher(Strategy):
        stream = {
            "Trade": Trades("X"),
            "Quote": Quotes("X"),
            "BookSnapshot": Books("X"),
            "Bar": Bars("X", "1m"),
        }[type(events[0]).__name__]
        seen: list[str] = attrs.field(factory=list, init=False)

        def look(self, _: object) -> None:
            with pytest.raises(RiskLimit) as caught:
                self.buy_nowait(1, limit=111.0)
            self.seen.append(caught.value.limit)
            self.buy_nowait(1, limit=109.0)

        on_trade = on_quote = on_book = on_bar = look  # type: ignore[assignment]  # one for all

    strategy = Watcher()
    kinds = {kind for kind in map(kind_of, events) if kind is not None}
    known = {"X": Instrument("X")}
    done = simulate([("s", strategy)], events, instruments=known, start=START, streams=kinds, paper=paper)

    assert done.run.supervisor.seats[0].failure is None
    assert set(strategy.seen) == {"price_collar"}


def test_history_tells_a_price_before_the_first_event() -> None:
    from strategykit import Bars

    @define
    class Early(Strategy):
        bars = Bars("X", "1m", history=3)

        async def run(self) -> None:
            with pytest.raises(RiskLimit, match="beyond the last price 100"):
                await self.buy(1, limit=111.0)
            self.log("done")

    bars = make_bars("X", [100.0] * 8, interval="1m")
    outcome = run_strategy(Early(), bars[5:], history=bars[:5]).check()

    assert outcome.notes == ["strategy: done"]


def test_a_market_order_before_any_price_is_held_against_the_other_limits() -> None:
    @define
    class First(Strategy):
        trades = Trades("X")

        async def run(self) -> None:
            with pytest.raises(RiskLimit, match="max_order_quantity"):
                await self.buy(1_001)
            await self.buy(1_000)

    outcome = run_strategy(First(), make_trades("X", [100.0] * 3)).check()

    assert [order.quantity for order in outcome.orders] == [1_000]


# Out of reach


def public(thing: object) -> Iterator[tuple[str, object]]:
    """Give what can be had of `thing` by its public attributes, or by looking into it."""
    if isinstance(thing, Mapping):
        yield from ((f"[{key!r}]", value) for key, value in thing.items())
    elif isinstance(thing, list | tuple | set | frozenset | deque):
        yield from ((f"[{number}]", value) for number, value in enumerate(thing))
    elif type(thing).__module__.startswith("strategykit") or isinstance(thing, Strategy):
        for name in dir(thing):
            if not name.startswith("_"):
                try:
                    yield f".{name}", getattr(thing, name)
                except (Exception, SystemExit):  # noqa: BLE001 - a property that has nothing to give yet
                    continue


def reachable(root: object, *, depth: int = 8) -> Iterator[tuple[str, object]]:
    seen: dict[int, object] = {}
    edge: list[tuple[str, object]] = [("strategy", root)]
    for _ in range(depth):
        found = [(path + step, value) for path, thing in edge for step, value in public(thing)]
        edge = []
        for path, value in found:
            if id(value) not in seen and not isinstance(value, str | int | float | Decimal | Fill | Bar):
                seen[id(value)] = value
                edge.append((path, value))
                yield path, value


def test_no_public_way_leads_from_a_strategy_to_what_counts_its_limits() -> None:
    found: list[str] = []
    ways: list[str] = []

    @define
    class Curious(Strategy):
        trades = Trades("X")

        async def run(self) -> None:
            await self.when(self.trades.price > 0)
            order: Order = await self.buy(1)
            for path, value in reachable(self):
                ways.append(path)
                if isinstance(value, Risk | Scope | Book):
                    found.append(path)
                if isinstance(value, Limits | RiskPlan):
                    with pytest.raises(attrs.exceptions.FrozenInstanceError):
                        value.account = None  # type: ignore[union-attr, misc]  # the point
            assert order.client_order_id

    run_strategy(Curious(), make_trades("X", [100.0] * 3)).check()

    assert not found
    assert {"strategy.desk.gateway", "strategy.desk.gateway.commands", "strategy.desk.orders[0]"} <= set(ways)


def test_limits_cant_be_written() -> None:
    plan = RiskPlan(strategies={"a": Limits(max_position_of={"X": 3})})
    for thing, name in ((plan, "account"), (plan, "time_zone"), (plan.strategy, "max_position")):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(thing, name, 10**9)
    for table in (plan.strategies, plan.of("a").max_position_of):
        with pytest.raises(TypeError):
            table["X"] = 10**9  # type: ignore[index]  # the point

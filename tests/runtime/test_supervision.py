"""Strategies side by side: what one of them does wrong hurts nobody else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any

import pytest
import trio

from strategykit import Bars, Fill, Gap, Order, OrderState, Quote, Quotes, Stale, Strategy, Trade, Trades, define
from strategykit.errors import ConfigError, StrategyBlocked, StrategyError
from strategykit.model.events import Event
from strategykit.model.instruments import Instrument
from strategykit.runtime.assembly import Run
from strategykit.runtime.simulate import Simulation, simulate, stream_guid
from strategykit.runtime.supervise import Seat
from strategykit.sim.models.fill_models import FillModels
from strategykit.sim.models.latency import Constant
from strategykit.testing import START, make_bars, make_quotes, make_trades, run_strategy
from strategykit.venues.streams import StreamKind

SECOND = 1_000_000_000
QUOTES = stream_guid(StreamKind.QUOTES, "X")


@define
class Witness(Strategy):
    """Sees everything, keeps an order working, and does nothing wrong."""

    quotes = Quotes("X")

    def __attrs_post_init__(self) -> None:
        self.seen = 0
        self.order: Order | None = None

    def on_quote(self, quote: Quote) -> None:
        self.seen += 1

    async def run(self) -> None:
        self.order = await self.buy(1, limit=50.0)


@define
class Faulty(Strategy):
    """Keeps an order working, and fails in the way that it is told to."""

    way: str
    quotes = Quotes("X")

    def __attrs_post_init__(self) -> None:
        self.seen = 0

    def on_quote(self, quote: Quote) -> None:
        self.seen += 1
        if self.way == "handler" and self.seen == 5:
            raise LookupError("handler")

    def on_order(self, order: Order) -> None:
        if self.way == "on_order" and order.state is OrderState.WORKING:
            raise LookupError("on_order")

    def on_fill(self, fill: Fill) -> None:
        if self.way == "on_fill":
            raise LookupError("on_fill")

    def on_gap(self, gap: Gap) -> None:
        if self.way == "on_gap":
            raise LookupError("on_gap")

    async def fail(self) -> None:
        await trio.sleep(4.5)
        raise LookupError("task")

    async def fail_late(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise LookupError("late")

    async def spin(self) -> None:
        while True:
            await trio.lowlevel.checkpoint()

    async def run(self) -> None:
        await self.buy(1, limit=60.0)
        if self.way == "run":
            await trio.sleep(4.5)
            raise LookupError("run")
        if self.way == "task":
            self.start(self.fail)
        if self.way == "spin":
            self.start(self.spin)
        if self.way == "on_fill":
            await trio.sleep(4.5)
            await self.buy(1)
        if self.way == "group":
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.fail)
                nursery.start_soon(self.fail_late)
        await trio.sleep_forever()


def market(count: int = 10) -> list[Event]:
    events: list[Event] = [*make_quotes("X", [100.0] * count, spread=0.5, start=START)]
    events.insert(5, Gap("X", START + 4 * SECOND, START + 4 * SECOND, "lost", None, START + 4 * SECOND, QUOTES))
    return events


def run_all(
    *strategies: Strategy, events: Iterable[Event] | None = None, ready: Callable[[Run], None] = lambda _: None
) -> Simulation:
    return simulate(
        [(f"s{number}", strategy) for number, strategy in enumerate(strategies)],
        market() if events is None else events,
        instruments={"X": Instrument("X")},
        start=START,
        ready=ready,
    )


def seats(done: Simulation) -> Sequence[Seat]:
    return done.run.supervisor.seats


@pytest.mark.parametrize("way", ["run", "task", "handler", "on_order", "on_fill", "on_gap", "spin"])
def test_a_strategy_that_fails_ends_alone(way: str) -> None:
    before, faulty, after = Witness(), Faulty(way=way), Witness()
    done = run_all(before, faulty, after)
    first, failed, last = seats(done)

    assert isinstance(failed.failure, StrategyBlocked if way == "spin" else LookupError)
    assert failed.state == "failed"
    assert not failed.left
    assert all(not order.is_open for order in failed.desk.orders)
    assert failed.desk.orders[0].state is OrderState.CANCELLED
    assert any(source == "s1" and "failed: " in text for _, source, text in done.notes.lines)
    for seat, witness in ((first, before), (last, after)):
        assert seat.failure is None
        assert seat.state == "ended"
        assert witness.seen == 10


def test_what_a_failed_strategy_had_subscribed_to_goes_on_for_the_others_only() -> None:
    faulty, witness = Faulty(way="handler"), Witness()
    owners: list[list[str]] = []

    def spy(run: Run) -> Iterator[Event]:
        for event in market():
            yield event
            owners.append(list(run.engine.table.by_guid[QUOTES].owners))

    runs: list[Run] = []

    class Market:
        def __iter__(self) -> Iterator[Event]:
            return spy(runs[0])

    run_all(faulty, witness, events=Market(), ready=runs.append)

    # The driver takes the next event after all that followed from the last one.
    assert owners[0] == ["s0", "s1"]
    assert owners[-1] == ["s1"]
    assert (faulty.seen, witness.seen) == (5, 10)


def test_several_errors_of_one_strategy_are_told_together() -> None:
    failed = seats(run_all(Faulty(way="group")))[0].failure

    assert isinstance(failed, ExceptionGroup)
    assert {str(error) for error in failed.exceptions} == {"task", "late"}


def test_a_strategy_goes_on_after_its_run_if_it_has_handlers() -> None:
    witness = Witness()
    done = run_all(witness)

    assert witness.seen == 10
    assert seats(done)[0].state == "ended"
    assert witness.order is not None
    assert witness.order.state is OrderState.CANCELLED


def test_a_strategy_without_handlers_ends_with_its_run_and_what_it_started() -> None:
    ended: list[float] = []

    @define
    class Short(Strategy):
        quotes = Quotes("X")

        async def linger(self) -> None:
            await trio.sleep(3)
            ended.append(trio.current_time())

        async def run(self) -> None:
            self.start(self.linger)
            await self.buy(1, limit=50.0)
            await trio.sleep(1)

    states: list[tuple[float, str]] = []

    @define
    class Looker(Strategy):
        quotes = Quotes("X")

        def on_quote(self, quote: Quote) -> None:
            states.append((trio.current_time(), runs[0].supervisor.seats[0].state))

    runs: list[Run] = []
    done = run_all(Short(), Looker(), ready=runs.append)

    assert ended == [3.0]
    assert dict(states)[2.0] == "running"
    assert dict(states)[4.0] == "ended"
    assert [order.state for order in seats(done)[0].desk.orders] == [OrderState.CANCELLED]


def test_two_strategies_share_one_subscription() -> None:
    done = run_all(Witness(), Witness())

    assert [row.guid for row in done.run.engine.table] == [QUOTES]


def test_a_stream_that_is_declared_wrongly_fails_its_strategy_only() -> None:
    @define
    class Wrong(Strategy):
        bars = Bars("{symbol}", "1m")

    witness = Witness()
    wrong, right = seats(run_all(Wrong(), witness))

    assert isinstance(wrong.failure, ConfigError)
    assert "'{symbol}' names 'symbol', which is no parameter" in str(wrong.failure)
    assert right.failure is None
    assert witness.seen == 10


def test_a_handler_that_fails_over_a_bar_that_came_before_history_fails_its_strategy_only() -> None:
    """Early bars are handed on where the answer with the history is dispatched, outside any task of the strategy."""

    @define
    class Cold(Strategy):
        bars = Bars("X", "1m", history=3)

        def on_bar(self, bar: object) -> None:
            raise LookupError("bar")

    witness, cold = Witness(), Cold()
    runs: list[Run] = []

    def early(run: Run) -> None:
        runs.append(run)

    done = run_all(cold, witness, events=[*make_bars("X", [1.0, 2.0]), *market()][2:], ready=early)
    assert seats(done)[0].failure is None

    cold = Cold()
    done = run_all(cold, Witness(), events=sorted([*make_bars("X", [1.0] * 3, start=START), *market(200)], key=_time))
    assert isinstance(seats(done)[0].failure, LookupError)
    assert seats(done)[1].failure is None


def _time(event: Event) -> int:
    return event.receive_time


def test_a_refused_stream_fails_those_who_need_it() -> None:
    def refuse(run: Run) -> None:
        run.supervisor.refused("s1", "no such instrument")
        run.supervisor.refused("(account)", "nobody's")

    first, second = seats(run_all(Witness(), Witness(), ready=refuse))

    assert first.failure is None
    assert "s1: no such instrument" in str(second.failure)


def test_an_error_that_is_no_strategys_isnt_swallowed() -> None:
    def wrong(run: Run) -> None:
        with pytest.raises(LookupError, match="ours"):
            run.supervisor.raised(print, LookupError("ours"))
        with pytest.raises(StrategyError, match="no strategy is named 'nobody'"):
            run.supervisor.seat("nobody")
        assert run.supervisor.seat("s0").name == "s0"

    run_all(Witness(), ready=wrong)


def late(seconds: float) -> FillModels:
    """Orders take so long to take effect."""
    return FillModels(order_latency=Constant(span=int(seconds * SECOND)))


def controlled(words: dict[int, str], *strategies: Strategy, latency: float = 0.0) -> Simulation:
    """Run strategies; before the event with a given number, a word comes from outside."""
    runs: list[Run] = []

    class Market:
        def __iter__(self) -> Iterator[Event]:
            for number, event in enumerate(make_quotes("X", [100.0] * 100, spread=0.5)):
                if number in words:
                    runs[0].supervisor.controlled(words[number])
                yield event

    return simulate(
        [(f"s{number}", strategy) for number, strategy in enumerate(strategies)],
        Market(),
        instruments={"X": Instrument("X")},
        start=START,
        models=late(latency),
        ready=runs.append,
    )


def test_a_stop_lets_strategies_leave_and_a_word_nobody_knows_changes_nothing() -> None:
    holder, witness = Holder(), Witness()
    done = controlled({3: "dance", 5: "stop"}, holder, witness)

    assert witness.seen == 6  # The cancel is felt after one more event; then no handler is called any more.
    assert [str(fill.side.value) for order in seats(done)[0].desk.orders for fill in order.fills_seen] == [
        "buy",
        "sell",
    ]
    assert all(seat.state == "ended" and not seat.left for seat in seats(done))


def test_no_handler_of_a_failed_strategy_is_called_while_it_leaves() -> None:
    """Its exit takes 5 s; meanwhile quotes, gaps and news of orders come, and would make it fail again, or trade."""

    @define
    class Dying(Faulty):
        def __attrs_post_init__(self) -> None:
            super().__attrs_post_init__()
            self.told = 0

        def on_quote(self, quote: Quote) -> None:
            super().on_quote(quote)
            self.told += 1
            if self.told > 5:
                self.buy_nowait(1)

        def on_order(self, order: Order) -> None:
            self.told += self.seen > 4

        def on_fill(self, fill: Fill) -> None:
            self.told += self.seen > 4

        def on_gap(self, gap: Gap) -> None:
            self.told += 100

        async def run(self) -> None:
            async with self.long(1):
                await trio.sleep_forever()

    dying = Dying(way="handler")
    done = simulate([("s0", dying)], market(30), instruments={"X": Instrument("X")}, start=START, models=late(2))
    seat = seats(done)[0]

    assert isinstance(seat.failure, LookupError)
    assert dying.told == 4
    assert dying.seen == 5
    assert len(seat.desk.orders) == 2
    assert seat.desk.portfolio.quantity("X") == 0


@define
class Holder(Strategy):
    quotes = Quotes("X")

    async def run(self) -> None:
        async with self.long(1):
            await trio.sleep_forever()


def test_a_hurry_cuts_clean_up_short_and_says_what_is_left() -> None:
    """Orders take 20 s; the position is held at 20 s, left from 25 s on, and there is no time from 27 s on."""
    done = controlled({25: "stop", 27: "hurry"}, Holder(), Witness(), latency=20)
    holder, witness = seats(done)

    assert "not known to be flat; 1 lots are left" in str(holder.failure)
    assert len(holder.left) == 1
    assert len(witness.left) == 1
    assert done.run.clock.reading - START < 101 * SECOND


def test_orders_can_be_kept_when_their_strategy_ends_well() -> None:
    def keep(run: Run) -> None:
        run.supervisor.keep_orders = True

    kept, failed = seats(run_all(Witness(), Faulty(way="run"), ready=keep))

    assert not kept.left  # It isn't left over, it is kept.
    assert kept.desk.orders[0].is_open
    assert not failed.left


# Order among tasks and strategies


@define
class Clerk(Strategy):
    """Places an order at moments that it shares with others."""

    quotes = Quotes("X")

    async def side_job(self, number: int) -> None:
        await trio.sleep_until(3)
        self.buy_nowait(1, limit=50.0 + number)
        try:
            await trio.sleep_forever()
        finally:
            self.log(f"{number} leaves")

    async def run(self) -> None:
        for number in range(3):
            self.start(self.side_job, number)
        await trio.sleep(5)
        self.buy_nowait(1, limit=40.0)
        async with self.long(1):
            await trio.sleep_forever()


@pytest.mark.parametrize("_", range(5))
def test_what_strategies_do_at_one_moment_has_one_order(_: int) -> None:
    done = run_all(*[Clerk() for _ in range(3)])

    placed = [(order.strategy, str(order.request.price)) for order in done.run.gateway.orders.values()]
    assert placed == [
        *((f"s{seat}", f"{50.0 + number}") for seat in range(3) for number in range(3)),
        *((f"s{seat}", "40.0") for seat in range(3)),
        *((f"s{seat}", "None") for seat in range(3)),
        *((f"s{seat}", "None") for seat in range(3)),  # The exits, at the end of the run.
    ]
    assert [(who, text) for _, who, text in done.notes.lines] == [
        (f"s{seat}", f"{number} leaves") for seat in range(3) for number in range(3)
    ]


# What a strategy can't do


def test_streams_and_orders_exist_only_inside_a_run() -> None:
    witness = Witness()
    for use in (lambda: witness.quotes, witness.now, lambda: witness.buy_nowait(1)):
        with pytest.raises(StrategyError, match="Witness isn't running"):
            use()


def test_a_task_cant_be_started_before_its_strategy_runs() -> None:
    @define
    class Hasty(Strategy):
        quotes = Quotes("X")

    hasty = Hasty()

    class Desk:
        """Where the strategy sits before the run begins."""

    async def nothing() -> None:
        """Never started."""

    def early(run: Run) -> None:
        desk = run.supervisor.seats[0].desk
        nursery, desk.nursery = desk.nursery, None
        with pytest.raises(StrategyError, match="s0 isn't running"):
            hasty.start(nothing)
        desk.nursery = nursery
        with pytest.raises(StrategyError, match="has no stream 'nothing' yet"):
            desk.feed("nothing")

    run_all(hasty, ready=early)


def test_an_instrument_has_to_be_named_where_there_are_several() -> None:
    @define
    class Two(Strategy):
        one = Trades("X")
        other = Trades("Y")

        async def run(self) -> None:
            assert self.position("X") == 0
            assert self.instrument_of("Y").symbol == "Y"
            self.position()

    outcome = run_strategy(Two(), [*make_trades("X", [1]), *make_trades("Y", [2])])

    with pytest.raises(ConfigError, match=r"strategy has the instruments \['X', 'Y'\]; say which"):
        outcome.check()


def test_silence_is_told_in_a_backtest_too() -> None:
    @define
    class Listener(Strategy):
        trades = Trades("X", fresh=10)

        def __attrs_post_init__(self) -> None:
            self.told: list[tuple[int, int]] = []

        def on_stale(self, stale: Stale) -> None:
            self.told.append((self.now() - START, stale.silent_for))

        def on_trade(self, trade: Trade) -> None:
            """It is subscribed to for its silence."""

    listener = Listener()
    trades = make_trades("X", [1.0] * 3, every=30)
    run_strategy(listener, trades).check()

    assert [when // SECOND for when, _ in listener.told] == [10, 40]


def test_random_numbers_come_from_the_seed_and_the_name() -> None:
    @define
    class Gambler(Strategy):
        quotes = Quotes("X")

        def __attrs_post_init__(self) -> None:
            self.drawn: list[float] = []

        async def run(self) -> None:
            self.drawn.append(self.random.random())

    first, again, other = Gambler(), Gambler(), Gambler()
    for gambler, seed in ((first, 1), (again, 1), (other, 2)):
        run_strategy(gambler, make_quotes("X", [1.0], spread=1), seed=seed).check()

    assert first.drawn == again.drawn != other.drawn


def test_a_started_function_has_to_be_async() -> None:
    @define
    class Confused(Strategy):
        quotes = Quotes("X")

        def plain(self) -> Any:
            return None

        async def run(self) -> None:
            self.start(self.plain)
            await trio.sleep_forever()

    with pytest.raises(TypeError, match="only async functions can be started"):
        run_strategy(Confused(), market()).check()


Story = Callable[[Strategy], Awaitable[None]]

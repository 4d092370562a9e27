"""What can go wrong where a hot loop moves time and Trio moves tasks: each trap by itself, on events and on columns."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from functools import partial

import pytest
import trio

from strategykit import Strategy, Trade, Trades, define
from strategykit.model.events import Event
from strategykit.testing import make_trades
from tests.runtime.columnar import Diarist, Trader, make_market, replay_columns, replay_events, seen_by

Run = Callable[[Mapping[str, Strategy]], object]

SECONDS: list[Event] = list(make_trades("X", [float(number) for number in range(1, 11)]))
"""One trade a second."""


@pytest.fixture(params=[replay_columns, replay_events], ids=["columns", "events"])
def run(request: pytest.FixtureRequest) -> Run:
    return partial(request.param, events=SECONDS)


@define
class Waiter(Diarist):
    """A task that waits under a deadline, which a handler moves."""

    asks: bool = True

    trades = Trades("X")

    def on_trade(self, trade: Trade) -> None:
        self.note("trade", trade.price)
        if trade.price == 3:
            if self.asks:
                self.scope.deadline = trio.current_time() + 1.5
            else:
                self.scope.deadline -= 95.5
                self.deadline_moved()

    async def run(self) -> None:
        with trio.move_on_after(100) as self.scope:
            await trio.sleep_forever()
        self.note("late", None)


@pytest.mark.parametrize("asks", [True, False])
def test_a_handler_that_moves_the_deadline_of_a_blocked_task_is_heard_at_once(run: Run, asks: bool) -> None:
    """Trap (a): nothing tells a clock that a deadline has moved, but that its mover asked for the time, or says so."""
    (seen,) = seen_by(lambda: {"a": Waiter(asks=asks)}, run)

    assert [(kind, time / 1e9) for kind, _, time in seen if kind == "late"] == [("late", 3.5 + (not asks))]


def test_a_strategy_that_ends_itself_gets_no_more_events(run: Run) -> None:
    """Trap (b): a cancel acts when Trio's loop passes, and a hot loop doesn't let it pass."""

    @define
    class Quitter(Diarist):
        trades = Trades("X")

        async def run(self) -> None:
            with trio.CancelScope() as scope:
                async for trade in self.trades:
                    self.note("read", trade.price)
                    if trade.price == 4:
                        scope.cancel()
            self.note("out", None)

    (seen,) = seen_by(lambda: {"a": Quitter()}, run)

    assert [(kind, what, time // 10**9) for kind, what, time in seen] == [
        *[("read", float(price), price - 1) for price in (1, 2, 3, 4)],
        ("out", None, 3),
    ]


def test_a_handler_that_cancels_a_reader_stops_it_before_the_reader_sees_the_event(run: Run) -> None:
    """Trap (b) once more: the reader that is cancelled may be the task that moves the replay on."""

    @define
    class Canceller(Diarist):
        trades = Trades("X")

        async def run(self) -> None:
            with trio.CancelScope() as self.scope:
                self.trades.watch(self.look)
                async for trade in self.trades:
                    self.note("read", trade.price)
            self.note("out", None)

        def look(self, trade: Trade) -> None:
            if trade.price == 5:
                self.scope.cancel()

    (seen,) = seen_by(lambda: {"a": Canceller()}, run)

    assert [what for kind, what, _ in seen if kind == "read"] == [1.0, 2.0, 3.0, 4.0]
    assert seen[-1] == ("out", None, 4 * 10**9)


def test_a_kill_from_a_handler_stops_all_strategies_before_the_next_event(run: Run) -> None:
    @define
    class Killer(Diarist):
        trades = Trades("X")

        def on_trade(self, trade: Trade) -> None:
            self.note("trade", trade.price)
            if trade.price == 3:
                self.kill("enough")

    seen = seen_by(lambda: {"a": Killer(), "b": Killer()}, run)

    assert [[what for _, what, _ in one] for one in seen] == [[1.0, 2.0, 3.0], [1.0, 2.0]]


def test_tasks_that_one_event_wakes_go_on_in_one_order_whatever_trio_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trap (c): Trio shuffles tasks that become runnable together."""
    events = make_market(11, 120)

    def seen() -> list[object]:
        strategies = {f"s{number}": Trader(every=4 + number) for number in range(3)}
        together: list[object] = []
        for name, strategy in strategies.items():
            strategy.note = partial(_note, together, name, strategy)  # type: ignore[method-assign]  # all in one list
        replay_columns(strategies, events)
        return together

    runs = []
    for seed in range(3):
        monkeypatch.setattr("trio._core._run._r", random.Random(seed))
        runs.append(seen())

    assert len(runs[0]) > 300
    assert runs[0] == runs[1] == runs[2]


def _note(together: list[object], name: str, strategy: Diarist, kind: str, what: object) -> None:
    strategy.seen.append((kind, what, strategy.now()))
    together.append((name, kind, what, strategy.now()))


def test_a_task_that_waits_long_holds_up_nobody_else_and_misses_nothing(run: Run) -> None:
    """Trap (d): whoever waits in the way of a stream stops it for all; here waiting belongs to the task that waits."""

    @define
    class Slow(Diarist):
        trades = Trades("X")

        async def run(self) -> None:
            async for trade in self.trades:
                self.note("read", trade.price)
                if trade.price == 2:
                    await trio.sleep(3.5)

    @define
    class Quick(Diarist):
        trades = Trades("X")

        def on_trade(self, trade: Trade) -> None:
            self.note("trade", trade.price)

    slow, quick = seen_by(lambda: {"slow": Slow(), "quick": Quick()}, run)

    assert quick == [("trade", float(price), (price - 1) * 10**9) for price in range(1, 11)]
    times = {what: time / 1e9 for _, what, time in slow}
    assert times == {
        1.0: 0,
        2.0: 1,
        **dict.fromkeys([3.0, 4.0, 5.0], 4.5),
        **{price + 1.0: price for price in range(5, 10)},
    }


@pytest.mark.parametrize("way", ["for", "held"])
def test_deadlines_around_a_reader_end_it_at_their_own_time_between_two_events(run: Run, way: str) -> None:
    """Trap (e): what a task sets up of Trio before it asks for the next event has to count while it waits for it."""

    @define
    class Impatient(Diarist):
        trades = Trades("X")

        async def run(self) -> None:
            source = aiter(self.trades)
            while len(self.seen) < 8:
                with trio.move_on_after(0.7):
                    if way == "held":
                        self.note("read", (await anext(source)).price)
                        self.note("read", (await anext(source)).price)
                    else:
                        async for trade in self.trades:
                            self.note("read", trade.price)
                self.note("over", None)

    (seen,) = seen_by(lambda: {"a": Impatient()}, run)

    assert [(kind, round(time / 1e9, 1)) for kind, _, time in seen] == [
        *[("read", 0.0), ("over", 0.7), ("read", 1.0), ("over", 1.4), ("read", 2.0), ("over", 2.1), ("over", 2.8)],
        ("read", 3.0),
        *[("over", 3.5)],
    ]


def test_a_task_that_a_reader_starts_runs_before_the_next_event(run: Run) -> None:
    """Trap (e): a nursery that is opened on the way to the next event belongs to the task that opened it."""

    @define
    class Parent(Diarist):
        trades = Trades("X")

        async def child(self, price: float) -> None:
            await trio.sleep(0.25)
            self.note("child", price)

        async def run(self) -> None:
            async for trade in self.trades:
                self.note("read", trade.price)
                self.start(self.child, trade.price)

    (seen,) = seen_by(lambda: {"a": Parent()}, run)

    assert seen[:6] == [
        ("read", 1.0, 0),
        ("child", 1.0, 250_000_000),
        ("read", 2.0, 10**9),
        ("child", 2.0, 1_250_000_000),
        ("read", 3.0, 2 * 10**9),
        ("child", 3.0, 2_250_000_000),
    ]


def test_time_never_goes_back_and_is_the_events_own(run: Run) -> None:
    @define
    class Timed(Diarist):
        trades = Trades("X")

        async def run(self) -> None:
            async for trade in self.trades:
                self.note("read", trade.receive_time - self.now())
                self.note("trio", round(trio.current_time() - (self.now() - self.begin) * 1e-9, 9))

        def attach(self, desk: object) -> None:
            super().attach(desk)  # type: ignore[arg-type]  # a desk
            self.begin = self.now()

    (seen,) = seen_by(lambda: {"a": Timed()}, run)

    assert {what for _, what, _ in seen} == {0}


def test_a_strategy_that_runs_alone_and_raises_gets_nothing_more(run: Run) -> None:
    @define
    class Faulty(Diarist):
        trades = Trades("X")

        def on_trade(self, trade: Trade) -> None:
            self.note("trade", trade.price)
            if trade.price == 3:
                raise LookupError("enough")

    (seen,) = seen_by(lambda: {"a": Faulty()}, run)

    assert [what for _, what, _ in seen] == [1.0, 2.0, 3.0]


def test_a_reader_that_leaves_its_loop_lets_the_replay_go_on_without_it(run: Run) -> None:
    @define
    class Leaver(Diarist):
        trades = Trades("X")

        async def run(self) -> None:
            async for trade in self.trades:
                self.note("read", trade.price)
                if trade.price == 3:
                    break
            await trio.sleep(4.5)
            self.note("slept", None)
            async for trade in self.trades:
                self.note("again", trade.price)

    (seen,) = seen_by(lambda: {"a": Leaver()}, run)

    assert [(kind, time / 1e9) for kind, _, time in seen] == [
        *[("read", 0), ("read", 1), ("read", 2), ("slept", 6.5)],
        *[("again", 7), ("again", 8), ("again", 9)],
    ]

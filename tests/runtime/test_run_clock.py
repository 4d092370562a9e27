"""The run's time: what happens when, in which order, and that a recorded run repeats."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, cast

import attrs
import pytest
import trio
from hypothesis import example, given, settings
from hypothesis import strategies as st

from strategykit.errors import StrategyBlocked
from strategykit.net.inbox import Inbox, Input, InputKind
from strategykit.runtime.clock import ReplayClock, RunClock, WallClock
from strategykit.runtime.driver import Driver
from strategykit.runtime.engine import Engine
from strategykit.runtime.turns import MOST_STEPS
from strategykit.runtime.waking import Doorbell, Signal, Wakes

START = 1_767_225_600_000_000_000
MS = 1_000_000
SECOND = 1_000_000_000

Log = list[tuple[int, str, object]]


class Sink:
    """Takes inputs where an engine would: logs them, and wakes whoever waits for the signal that they name."""

    paper = None
    watchers: tuple[()] = ()

    def __init__(self, clock: RunClock, wakes: Wakes, log: Log) -> None:
        self.clock = clock
        self.log = log
        self.local: deque[Any] = deque()
        self.signals = [Signal(wakes) for _ in range(3)]
        self.on_input: Callable[[Input], None] = lambda _: None

    def process(self, item: Input) -> None:
        self.log.append((self.clock.reading, "input", item.payload))
        self.signals[item.status % 3].notify()
        self.on_input(item)

    def take(self, thing: object, now: int, connection: str) -> None:
        self.log.append((now, "local", thing))
        self.signals[0].notify()


def sent(time: int, signal: int = 0) -> Input:
    return Input(InputKind.FRAME, "market-0", time, f"for {signal}", status=signal)


@attrs.frozen
class Stage:
    """What a scripted task plays on."""

    clock: RunClock
    nursery: trio.Nursery
    sink: Sink
    ring: Callable[[], None]
    events: list[trio.Event]

    def note(self, name: str, what: object) -> None:
        self.sink.log.append((self.clock.reading, name, what))

    def start(self, function: Callable[..., Awaitable[object]], *arguments: object) -> None:
        self.clock.turns.start(self.nursery, function, *arguments)


Act = Callable[[Stage], Awaitable[None]]


@attrs.define
class Kept:
    """Marks, as a tape keeps them."""

    inputs: list[Input]
    origin: int
    """Where Trio's time is 0."""
    began: int
    """What the clock read when the run's own tasks began."""
    slices: list[tuple[int, list[Input]]] = attrs.field(factory=list)

    def mark(self, reading: int, count: int) -> None:
        self.slices.append((reading, [self.inputs.pop(0) for _ in range(count)]))


def replayed(act: Act, items: Iterable[Input] = (), *, kept: Kept | None = None) -> Log:
    """Give the log of `act` and of `items`, run on a replay clock."""
    log: Log = []

    clock = ReplayClock(START if kept is None else kept.origin)
    if kept is not None:
        clock.reading = kept.began

    async def play() -> None:
        wakes, done = Wakes(clock.poke), trio.Event()
        sink = Sink(clock, wakes, log)
        driver = Driver(engine=cast("Engine", sink), clock=clock, wakes=wakes)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_perform, act, clock, sink, clock.poke, done)
            if kept is None:
                await driver.replay(items, clock)
            else:
                await driver.rerun(iter(kept.slices))
            await driver.finish(done)
            nursery.cancel_scope.cancel()

    trio.run(play, clock=clock, instruments=[clock])
    return log


async def _perform(act: Act, clock: RunClock, sink: Sink, ring: Callable[[], None], done: trio.Event) -> None:
    try:
        async with trio.open_nursery() as nursery:
            await act(Stage(clock, nursery, sink, ring, [trio.Event() for _ in range(3)]))
    finally:
        done.set()


@attrs.define
class ScriptedWall:
    """A wall clock that goes on by the next step of a script at every look."""

    steps: list[int]
    time: int = START
    looks: int = 0

    def __call__(self) -> int:
        self.time += self.steps[self.looks % len(self.steps)]
        self.looks += 1
        return self.time


def lived(act: Act, bursts: Iterable[tuple[int, list[int]]], wall: Callable[[], int]) -> tuple[Log, Kept]:
    """Give the log and the marks of `act`, run on a wall clock while bursts of inputs come in.

    Args:
        bursts: Pairs: how many looks of Trio's loop to wait first, and for which signals the inputs are.
    """
    log: Log = []
    clock = WallClock(wall)
    kept = Kept([], clock.start, clock.start)

    async def wire(inbox: Inbox) -> None:
        for pause, signals in bursts:
            for _ in range(pause):
                await trio.sleep(0.0001)
            for signal in signals:
                item = sent(wall(), signal)
                kept.inputs.append(item)
                inbox.put_nowait(item)

    async def member(sink: Sink, ring: Callable[[], None], done: trio.Event) -> None:
        clock.adopt()
        kept.began = clock.reading
        await _perform(act, clock, sink, ring, done)

    async def main() -> None:
        bell, done, over = Doorbell(), trio.Event(), trio.Event()
        inbox, wakes = Inbox(bell.ring), Wakes(bell.ring)
        sink = Sink(clock, wakes, log)
        driver = Driver(engine=cast("Engine", sink), clock=clock, wakes=wakes)
        async with trio.open_nursery() as outer:
            outer.start_soon(driver.follow, inbox, bell, clock, kept, over)
            outer.start_soon(member, sink, bell.ring, done)
            await wire(inbox)
            await done.wait()
            while inbox.waiting or sink.local:  # noqa: ASYNC110 - the driver tells nobody when it is through
                await trio.sleep(0.0001)
            over.set()
            bell.ring()

    trio.run(main, clock=clock, instruments=[clock])
    return log, kept


def test_sleeps_timeouts_and_inputs_happen_in_the_order_of_time() -> None:
    async def act(stage: Stage) -> None:
        async def sleeper() -> None:
            await trio.sleep(1.5)
            stage.note("sleeper", "slept")
            await trio.sleep_until(stage.clock.time_at(START + 3 * SECOND + 1))
            stage.note("sleeper", "slept again")

        async def waiter() -> None:
            with trio.move_on_after(2.5):
                await trio.sleep_forever()
            stage.note("waiter", "timed out")
            await stage.sink.signals[1].wait()
            stage.note("waiter", "told")

        stage.start(sleeper)
        stage.start(waiter)

    log = replayed(act, [sent(START + n * SECOND, n // 3) for n in (1, 2, 3, 4)])

    assert [((time - START), name) for time, name, _ in log] == [
        (1 * SECOND, "input"),
        (1.5 * SECOND, "sleeper"),
        (2 * SECOND, "input"),
        (2.5 * SECOND, "waiter"),
        (3 * SECOND, "input"),
        (3 * SECOND, "waiter"),
        (3 * SECOND + 1, "sleeper"),
        (4 * SECOND, "input"),
    ]


def test_a_deadline_comes_before_an_input_of_the_same_time() -> None:
    async def act(stage: Stage) -> None:
        await trio.sleep(1)
        stage.note("task", "slept")

    assert [name for _, name, _ in replayed(act, [sent(START + SECOND)])] == ["task", "input"]


def test_time_stands_still_while_tasks_run() -> None:
    async def act(stage: Stage) -> None:
        await stage.sink.signals[0].wait()
        for _ in range(5):
            await trio.lowlevel.checkpoint()
            stage.note("task", trio.current_time())

    log = replayed(act, [sent(START + SECOND), sent(START + 2 * SECOND)])

    assert [(time, name) for time, name, _ in log] == [
        (START + SECOND, "input"),
        *[(START + SECOND, "task")] * 5,
        (START + 2 * SECOND, "input"),
    ]
    assert {what for _, name, what in log if name == "task"} == {1.0}


def test_each_of_many_deadlines_between_two_inputs_has_its_own_time() -> None:
    async def act(stage: Stage) -> None:
        async def nap(name: str, seconds: float) -> None:
            for _ in range(3):
                await trio.sleep(seconds)
                stage.note(name, None)

        stage.start(nap, "slow", 0.3)
        stage.start(nap, "quick", 0.1)

    log = replayed(act, [sent(START), sent(START + SECOND)])

    assert [((time - START) // MS, name) for time, name, _ in log] == [
        (0, "input"),
        (100, "quick"),
        (200, "quick"),
        (300, "slow"),
        (300, "quick"),
        (600, "slow"),
        (900, "slow"),
        (1000, "input"),
    ]


@pytest.mark.parametrize("_", range(8))
def test_tasks_that_one_moment_wakes_go_on_in_the_order_in_which_they_were_started(_: int) -> None:
    async def act(stage: Stage) -> None:
        async def task(number: int) -> None:
            stage.note("started", number)
            await trio.sleep_until(5.0)
            stage.note("slept", number)
            await stage.events[0].wait()
            stage.note("set", number)
            try:
                await trio.sleep_forever()
            finally:
                stage.note("cancelled", number)

        for number in range(5):
            stage.start(task, number)
        await trio.sleep(6)
        stage.events[0].set()
        await trio.sleep(1)
        stage.nursery.cancel_scope.cancel()

    log = replayed(act)

    assert [(name, number) for _, name, number in log] == [
        (name, number) for name in ("started", "slept", "set", "cancelled") for number in range(5)
    ]


def test_a_cancel_doesnt_take_away_what_a_task_that_waits_for_its_turn_was_woken_with() -> None:
    async def act(stage: Stage) -> None:
        give, take = trio.open_memory_channel[str](0)
        scope = trio.CancelScope()

        async def taker() -> None:
            with scope:
                stage.note("taker", await take.receive())
                await trio.sleep_forever()
            stage.note("taker", "cancelled")

        async def giver() -> None:
            await trio.sleep(1)
            give.send_nowait("thing")
            scope.cancel()

        stage.start(giver)
        stage.start(taker)

    assert [what for _, _, what in replayed(act)] == ["thing", "cancelled"]


def test_a_task_that_yields_for_ever_is_stopped_and_starves_nobody() -> None:
    async def act(stage: Stage) -> None:
        async def spin() -> None:
            steps = 0
            try:
                while True:
                    await trio.lowlevel.checkpoint()
                    steps += 1
            except StrategyBlocked as exc:
                stage.note("spinner", (steps, "spin" in str(exc)))

        async def other() -> None:
            for _ in range(3):
                await trio.lowlevel.checkpoint()
            stage.note("other", None)

        stage.start(spin)
        stage.start(other)

    log = replayed(act, [sent(START + SECOND)])

    assert [(name, what) for _, name, what in log] == [
        ("other", None),
        ("spinner", (MOST_STEPS, True)),
        ("input", "for 0"),
    ]


def test_only_async_functions_can_be_started() -> None:
    async def act(stage: Stage) -> None:
        stage.start(cast("Any", stage.note), "x", 1)

    with pytest.RaisesGroup(pytest.RaisesExc(TypeError, match="only async functions"), flatten_subgroups=True):
        replayed(act)


def test_what_a_task_raises_comes_out_as_it_is() -> None:
    async def act(stage: Stage) -> None:
        async def fail() -> None:
            await trio.sleep(1)
            raise LookupError("mine")

        stage.start(fail)

    with pytest.RaisesGroup(pytest.RaisesExc(LookupError, match="mine"), flatten_subgroups=True):
        replayed(act)


def test_a_deadline_in_the_past_is_met_at_once() -> None:
    async def act(stage: Stage) -> None:
        async def late() -> None:
            await stage.sink.signals[0].wait()
            with trio.move_on_at(0.5):
                await trio.sleep_forever()
            stage.note("late", None)

        async def beside() -> None:
            await stage.sink.signals[0].wait()
            stage.note("beside", None)

        stage.start(late)
        stage.start(beside)

    log = replayed(act, [sent(START + SECOND)])

    assert sorted((time, name) for time, name, _ in log[1:]) == [(START + SECOND, "beside"), (START + SECOND, "late")]


def test_what_the_run_tells_itself_is_taken_after_the_input_that_made_it_say_so() -> None:
    async def act(stage: Stage) -> None:
        stage.sink.on_input = lambda item: stage.sink.local.append(f"answer {item.payload!r}")
        await stage.sink.signals[0].wait()
        stage.note("task", None)

    log = replayed(act, [sent(START + SECOND, 1), sent(START + 2 * SECOND, 1)])

    assert [(name, what) for _, name, what in log] == [
        ("input", "for 1"),
        ("local", "answer 'for 1'"),
        ("task", None),
        ("input", "for 1"),
        ("local", "answer 'for 1'"),
    ]


def test_time_moves_by_itself_where_nobody_drives() -> None:
    clock = ReplayClock(START)

    async def main() -> float:
        with trio.move_on_after(20):
            await trio.sleep_forever()
        await trio.sleep(5)
        return trio.current_time()

    assert trio.run(main, clock=clock, instruments=[clock]) == 25.0
    assert clock.reading == START + 25 * SECOND


def test_a_replay_that_nobody_drives_waits_for_threads() -> None:
    clock = ReplayClock(START)

    async def main() -> str:
        return await trio.to_thread.run_sync(lambda: threading.current_thread().name)

    assert trio.run(main, clock=clock, instruments=[clock]) != threading.current_thread().name


def test_a_driver_can_be_cancelled_while_it_lets_others_run() -> None:
    clock = ReplayClock(START)

    async def main() -> bool:
        with trio.move_on_after(1) as scope:
            while True:
                await clock.settle()
                clock.reading = max(clock.reading, clock.next_due())
                await clock.step(clock.reading)
        return scope.cancelled_caught

    assert trio.run(main, clock=clock, instruments=[clock])


def test_a_time_far_from_the_start_is_met_though_floats_are_coarse_there() -> None:
    late = 400 * 86_400 * SECOND + 1

    async def act(stage: Stage) -> None:
        await trio.sleep_until(stage.clock.time_at(START + late))
        stage.note("task", None)
        await trio.sleep(0.000_000_05)
        stage.note("task", None)

    times = [time - START for time, _, _ in replayed(act)]

    assert abs(times[0] - late) < 8
    assert abs(times[1] - times[0] - 50) < 16


def test_a_deadline_hidden_by_rounding_is_met_on_a_wall_clock_too() -> None:
    """Due as nanoseconds go, and not yet as floats go: the clock reads on by single nanoseconds."""
    wall = ScriptedWall([200 * MS], START)

    async def act(stage: Stage) -> None:
        for seconds in (0.1 + 1e-10, 1e-10, 0.3 + 2e-10):
            await trio.sleep(seconds)
            stage.note("task", None)

    log, kept = lived(act, [(3, [0]), (1, [1])], wall)

    assert log == replayed(act, kept=kept)


SLEEPS = st.sampled_from([0.0, 1e-10, 0.000_1, 0.000_2, 0.000_25, 0.000_3, 0.001]) | st.floats(0, 0.002)
STEPS = st.one_of(
    st.tuples(st.just("sleep"), SLEEPS),
    st.tuples(st.just("timeout"), SLEEPS, st.integers(0, 2)),
    st.tuples(st.just("event"), SLEEPS, st.integers(0, 2)),
    st.tuples(st.just("notify"), st.integers(0, 2)),
    st.tuples(st.just("set"), st.integers(0, 2)),
    st.tuples(st.just("tell"), st.integers(0, 9)),
    st.tuples(st.just("yield")),
    st.tuples(st.just("start"), st.lists(st.tuples(st.just("sleep"), SLEEPS), max_size=2)),
)
PROGRAMS = st.lists(st.lists(STEPS, max_size=6), min_size=1, max_size=4)


async def perform(stage: Stage, name: str, program: list[tuple[Any, ...]]) -> None:
    """Play one program; everything that it sees of the time goes to the log."""
    for number, step in enumerate(program):
        stage.note(name, (number, *step))
        match step:
            case "sleep", seconds:
                await trio.sleep(seconds)
            case "timeout", seconds, signal:
                with trio.move_on_after(seconds) as scope:
                    await stage.sink.signals[signal].wait()
                stage.note(name, scope.cancelled_caught)
            case "event", seconds, event:
                with trio.move_on_after(seconds):
                    await stage.events[event].wait()
            case "notify", signal:
                stage.sink.signals[signal].notify()
            case "set", event:
                stage.events[event].set()
                stage.events[event] = trio.Event()
            case "tell", what:
                stage.sink.local.append(what)
                stage.ring()
            case ("yield",):
                await trio.lowlevel.checkpoint()
            case "start", steps:
                for child in range(2):
                    stage.start(perform, stage, f"{name}.{number}.{child}", steps)
    stage.note(name, "end")


@settings(max_examples=150, deadline=None)
@example(programs=[[("sleep", 1e-10), ("sleep", 1e-10)]], bursts=[(0, [0])], steps=[0, 0, 0, 100_000])
@given(
    programs=PROGRAMS,
    bursts=st.lists(st.tuples(st.integers(0, 2), st.lists(st.integers(0, 2), min_size=1, max_size=5)), max_size=6),
    steps=st.lists(st.just(0) | st.integers(100_000, 900_000), min_size=1, max_size=10).filter(any),
)
def test_whatever_a_live_run_did_its_marks_make_a_replay_do_again(
    programs: list[list[tuple[Any, ...]]], bursts: list[tuple[int, list[int]]], steps: list[int]
) -> None:
    async def act(stage: Stage) -> None:
        for number, program in enumerate(programs):
            stage.start(perform, stage, str(number), program)

    live, kept = lived(act, bursts, ScriptedWall(steps))

    assert not kept.inputs
    assert replayed(act, kept=kept) == live
    times = [time for time, _, _ in live]
    assert times == sorted(times)

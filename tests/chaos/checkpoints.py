"""Interrupting each public coroutine at each of its checkpoints: wherever it is left, books and venue agree, and a
block has given up what it holds and withdrawn what it has placed.

It is interrupted in four ways: a scope around it is cancelled, the run is stopped, the kill switch is pulled, or what
it waits for raises.

A run that nobody cancels counts the passes of the event loop while the coroutine is under way. Whatever a task waits
for, it waits for at least one pass; so a run for each pass, interrupted in it, leaves out no checkpoint.
"""

from __future__ import annotations

import functools
import inspect
import random
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final, Literal, NoReturn, assert_never, get_args, get_origin, get_type_hints

import attrs
import trio

from strategykit.config import StrategySpec
from strategykit.registry.table import find_venue
from strategykit.runtime.assembly import Run
from strategykit.runtime.order import Order
from strategykit.strategy import Strategy
from strategykit.testing.network import MemoryNetwork
from strategykit.testing.world import World
from tests.chaos.checker import check
from tests.chaos.record import in_memory, play
from tests.chaos.strategies.interrupted import SCENARIOS
from tests.chaos.worlds import SYMBOLS

__all__ = ["EVERY", "WAYS", "Checkpoint", "checkpoints_of", "public_coroutines", "scenarios_of", "try_checkpoint"]

_FILE: Final = str(Path(__file__).with_name("strategies") / "interrupted.py")

Way = Literal["scope", "stop", "kill", "error"]

WAYS: Final[tuple[Way, ...]] = get_args(Way)
"""Of these the first is tried at every checkpoint."""

EVERY: Final = 4
"""Of so many checkpoints each of the other ways is tried at one."""

_LINKED: Final = frozenset({"one_cancels_other", "bracket"})


@attrs.frozen(kw_only=True)
class Checkpoint:
    """Where one run is interrupted, and how."""

    venue: str
    scenario: str
    number: int
    """Of the pass; 0: it isn't interrupted."""
    way: Way = "scope"


class _Interrupter(trio.abc.Instrument):
    """Counts passes while a scenario is under way, and interrupts it in one of them."""

    def __init__(self, run: Run, checkpoint: Checkpoint) -> None:
        self.passes = 0
        self.open: list[int] = []
        """Passes in which what the scenario waits for can raise: nothing shields it."""
        self.strategy: Any = run.supervisor.seats[0].strategy
        self._run = run
        self._checkpoint = checkpoint

    def before_io_wait(self, timeout: float) -> None:
        if not self.strategy.inside:
            return
        self.passes += 1
        if self._is_open():
            self.open.append(self.passes)
        if self.passes == self._checkpoint.number:
            self._interrupt()

    def _interrupt(self) -> None:
        match self._checkpoint.way:
            case "scope":
                self.strategy.scope.cancel()
            case "stop":
                self._run.supervisor.stop()
            case "kill":
                self.strategy.kill("interrupted")
            case "error":
                # As Trio has Ctrl-C raised in whatever its main task waits for; there is no public way.
                self._task._attempt_abort(_raise)
            case never:
                assert_never(never)

    @property
    def _task(self) -> trio.lowlevel.Task:
        task = self._run.supervisor.seats[0].task
        assert task is not None
        return task

    def _is_open(self) -> bool:
        """Whether the task waits, and no shield is between it and the scope around the scenario."""
        status: Any = self._task._cancel_status  # There is no public way.
        while status._scope is not self.strategy.scope:
            if status._scope.shield:
                return False
            status = status._parent
        return self._task._abort_func is not None


def _raise() -> NoReturn:
    raise ZeroDivisionError("what it waited for broke")


def scenarios_of(venue: str) -> list[str]:
    """Name the scenarios that a venue has."""
    links = find_venue(venue).dialect({}).offers.links_orders
    return [name for name in SCENARIOS if links or name not in _LINKED]


def public_coroutines() -> set[str]:
    """Name what of a strategy and an order is awaited or entered: all of it needs a scenario."""
    found = set()
    for kind in (Strategy, Order):
        for name, member in inspect.getmembers(kind, inspect.isfunction):
            if not name.startswith("_") and _waits(member):
                found.add(name)
    return found - {"run"}


def _waits(function: Any) -> bool:
    if inspect.iscoroutinefunction(function):
        return True
    # Batches are numpy's, which strategies don't import.
    given = get_type_hints(function, localns={"QuoteBatch": object, "TradeBatch": object}).get("return")
    waited = (AbstractAsyncContextManager, *(kind for kind in (get_origin(given), given) if hasattr(kind, "__anext__")))
    return (get_origin(given) or given) in waited


@attrs.frozen(kw_only=True)
class _Played:
    """What a run came to."""

    wrong: tuple[str, ...]
    passes: int
    """That the scenario took."""
    open: Sequence[int]
    """Those in which what it waits for can raise."""


@functools.lru_cache(maxsize=1)
def _play(checkpoint: Checkpoint, *, journal: bool = False) -> _Played:
    """Play it.

    The run in which passes are counted is the one that nobody interrupts, which is looked at next: it is played once.
    """
    first = next(iter(SYMBOLS[checkpoint.venue]))
    symbols = {first: SYMBOLS[checkpoint.venue][first]}
    params = {"instrument": first, "scenario": checkpoint.scenario}
    world = World(
        venue=checkpoint.venue,
        strategies=[StrategySpec(name="interrupted", file=_FILE, params=params)],
        seconds=3.0,
        instruments=[first],
        rate=0.0,
        latency=(0.001, 0.004),
    )
    interrupters: list[_Interrupter] = []

    async def watch(run: Run, network: MemoryNetwork) -> None:
        interrupters.append(_Interrupter(run, checkpoint))
        trio.lowlevel.add_instrument(interrupters[0])
        await trio.sleep_forever()

    with in_memory() as folder:
        record = play(world, symbols=symbols, folder=folder if journal else None, meanwhile=watch)
        lines = check(record)
    (interrupter,) = interrupters
    errors = [f"{row['name']}: {row['error']}" for row in record["ours"]["strategies"] if row["error"]]
    if checkpoint.number and checkpoint.way == "kill":
        errors = [line for line in errors if "StrategyKilled" not in line]
    lines += [*errors, *interrupter.strategy.left, *_lost(checkpoint, interrupter)]
    return _Played(wrong=tuple(lines), passes=interrupter.passes, open=interrupter.open)


def _lost(checkpoint: Checkpoint, interrupter: _Interrupter) -> Iterator[str]:
    """Say what didn't come to pass."""
    strategy = interrupter.strategy
    if interrupter.passes < checkpoint.number:
        yield f"never reached: it ended after {interrupter.passes} passes"
    if strategy.done:
        return
    if not checkpoint.number:
        yield "it didn't come to its end, though nobody interrupted it"
    if checkpoint.way == "scope" and not strategy.scope.cancelled_caught:
        yield "the cancellation got lost"
    if checkpoint.way == "error" and not strategy.broke:
        yield "the error got lost"


def checkpoints_of(venue: str, scenario: str, *, journal: bool = False) -> Iterator[Checkpoint]:
    """Give all checkpoints of a scenario, the run that nobody interrupts first; of the other ways, one in `EVERY`.

    With a journal there are more of them; they have to be played as they were counted.
    """
    whole = Checkpoint(venue=venue, scenario=scenario, number=0)
    yield whole
    played = _play(whole, journal=journal)
    for number in range(1, played.passes + 1):
        yield attrs.evolve(whole, number=number)
    # Each begins elsewhere, and elsewhere in another scenario, so that all of them together are everywhere.
    shift = random.Random(f"{venue} {scenario}").randrange(EVERY)
    for place, way in enumerate(WAYS[1:], shift):
        numbers = played.open if way == "error" else range(1, played.passes + 1)
        for number in numbers[place % EVERY :: EVERY]:
            yield attrs.evolve(whole, number=number, way=way)


def try_checkpoint(checkpoint: Checkpoint, *, journal: bool = False) -> list[str]:
    """Interrupt it there; give what is wrong then: it is wrong, too, if the coroutine ends before it gets there."""
    try:
        lines = _play(checkpoint, journal=journal).wrong
    except Exception as exc:  # noqa: BLE001 - whatever a run breaks with is what is looked for
        lines = (f"{type(exc).__name__}: {exc}",)
    return [f"{checkpoint}: {line}" for line in lines]

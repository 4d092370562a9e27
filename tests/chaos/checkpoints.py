"""Cancelling each public coroutine at each of its checkpoints: wherever it is left, books and venue agree, and a block
that holds a position has given it up.

A run that nobody cancels counts the passes of the event loop while the coroutine is under way. Whatever a task waits
for, it waits for at least one pass; so a run for each pass, cancelled in it, leaves out no checkpoint.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final, get_origin, get_type_hints

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

__all__ = ["Checkpoint", "checkpoints_of", "public_coroutines", "scenarios_of", "try_checkpoint"]

_FILE: Final = str(Path(__file__).with_name("strategies") / "interrupted.py")

_LINKED: Final = frozenset({"one_cancels_other", "bracket"})


@attrs.frozen(kw_only=True)
class Checkpoint:
    """Where one run is cancelled."""

    venue: str
    scenario: str
    number: int
    """Of the pass; 0: it isn't cancelled."""


class _Canceller(trio.abc.Instrument):
    """Counts passes while a scenario is under way, and cancels it in one of them."""

    def __init__(self, strategy: Any, number: int) -> None:
        self.passes = 0
        self.strategy = strategy
        self._number = number

    def before_io_wait(self, timeout: float) -> None:
        if self.strategy.inside:
            self.passes += 1
            if self.passes == self._number:
                self.strategy.scope.cancel()


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


@functools.lru_cache(maxsize=1)
def _play(checkpoint: Checkpoint, *, journal: bool = False) -> tuple[tuple[str, ...], int]:
    """Play it; give what is wrong, and how many passes the scenario took.

    The run in which passes are counted is the one that nobody cancels, which is looked at next: it is played once.
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
    cancellers: list[_Canceller] = []

    async def watch(run: Run, network: MemoryNetwork) -> None:
        cancellers.append(_Canceller(run.supervisor.seats[0].strategy, checkpoint.number))
        trio.lowlevel.add_instrument(cancellers[0])
        await trio.sleep_forever()

    with in_memory() as folder:
        record = play(world, symbols=symbols, folder=folder if journal else None, meanwhile=watch)
        lines = check(record)
    (canceller,) = cancellers
    lines += [f"{row['name']}: {row['error']}" for row in record["ours"]["strategies"] if row["error"]]
    if checkpoint.number and not canceller.strategy.done and not canceller.strategy.scope.cancelled_caught:
        lines.append("the cancellation got lost")
    if canceller.passes < checkpoint.number:
        lines.append(f"never reached: it ended after {canceller.passes} passes")
    if not checkpoint.number and not canceller.strategy.done:
        lines.append("it didn't come to its end, though nobody cancelled it")
    return tuple(lines), canceller.passes


def checkpoints_of(venue: str, scenario: str, *, journal: bool = False) -> Iterator[Checkpoint]:
    """Give all checkpoints of a scenario, the run that nobody cancels first.

    With a journal there are more of them; they have to be played as they were counted.
    """
    whole = Checkpoint(venue=venue, scenario=scenario, number=0)
    yield whole
    for number in range(1, _play(whole, journal=journal)[1] + 1):
        yield attrs.evolve(whole, number=number)


def try_checkpoint(checkpoint: Checkpoint, *, journal: bool = False) -> list[str]:
    """Cancel there; give what is wrong then: it is wrong, too, if the coroutine ends before it gets there."""
    try:
        lines, _ = _play(checkpoint, journal=journal)
    except Exception as exc:  # noqa: BLE001 - whatever a run breaks with is what is looked for
        lines = (f"{type(exc).__name__}: {exc}",)
    return [f"{checkpoint}: {line}" for line in lines]

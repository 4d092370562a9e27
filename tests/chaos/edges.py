"""Every edge in the life of orders: a connection breaks, or dies unseen, at each moment between their birth and end.

A moment is one pass of the event loop: whatever happens between two awaits happens between two of them, so between any
two of writing the intent down, sending, being answered, being filled, withdrawing and hearing of that, there is one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import attrs
import trio

from strategykit.config import StrategySpec
from strategykit.runtime.assembly import Run
from strategykit.testing.network import MemoryNetwork
from strategykit.testing.world import Meanwhile, World
from tests.chaos.checker import check
from tests.chaos.record import in_memory, play
from tests.chaos.worlds import SYMBOLS

__all__ = ["WHERE", "Edge", "count_moments", "edges_of", "play_edge", "try_edge"]

WHERE: Final = {"alor": ("/cws", "/ws", "all"), "t4": ("ws", "all")}
"""What breaks."""

SEEN: Final = {"alor": 45.0, "t4": 75.0}
"""Seconds until a wire that is dead has been found out, and all that follows from that is over."""

_FILE: Final = str(Path(__file__).with_name("strategies") / "handful.py")


@attrs.frozen(kw_only=True)
class Edge:
    """Where one run is broken."""

    venue: str
    orders: int
    """In flight."""
    where: str
    moment: int
    how: Literal["reset", "half-open"] = "reset"
    """A wire that is half open takes everything, and brings nothing."""


class _Breaker(trio.abc.Instrument):
    """Counts moments while orders are in flight, and breaks connections at one of them."""

    def __init__(self, strategy: Any, network: MemoryNetwork, edge: Edge) -> None:
        self.moments = 0
        self._strategy = strategy
        self._network = network
        self._edge = edge

    def before_io_wait(self, timeout: float) -> None:
        if self._strategy.trading:
            self.moments += 1
            if self.moments == self._edge.moment:
                for connection in self._network.chosen(self._edge.where):
                    if self._edge.how == "reset":
                        connection.reset()
                    else:
                        for way in connection.ways:
                            way.stall(math.inf)


@attrs.frozen(kw_only=True)
class Played:
    """What the run of an edge came to."""

    record: dict[str, Any]
    wrong: list[str]
    moments: int


def play_edge(edge: Edge, *, beside: Meanwhile | None = None, journal: bool = False) -> Played:
    """Play the run of an edge, or another way to break it.

    Args:
        edge: Which.
        beside: The other way.
        journal: Whether it writes a journal and a tape, which takes more moments.
    """
    first = next(iter(SYMBOLS[edge.venue]))
    symbols = {first: SYMBOLS[edge.venue][first]}
    stays = 0.0 if edge.how == "reset" else SEEN[edge.venue]
    spec = StrategySpec(name="handful", file=_FILE, params={"instrument": first, "count": edge.orders, "stays": stays})
    world = World(
        venue=edge.venue,
        strategies=[spec],
        seconds=3.0 + stays,
        instruments=[first],
        rate=0.0,
        latency=(0.001, 0.004),
    )
    breakers: list[_Breaker] = []

    async def watch(run: Run, network: MemoryNetwork) -> None:
        breakers.append(_Breaker(run.supervisor.seats[0].strategy, network, edge))
        trio.lowlevel.add_instrument(breakers[0])
        await trio.sleep_forever()

    with in_memory() as folder:
        record = play(world, symbols=symbols, folder=folder if journal else None, meanwhile=beside or watch)
        moments = breakers[0].moments if breakers else 0
        wrong = check(record)
    if moments < edge.moment:
        wrong.append(f"never reached: it ended after {moments} moments")
    return Played(record=record, wrong=wrong, moments=moments)


def count_moments(venue: str, orders: int, *, journal: bool = False) -> int:
    """Count the moments of a run that nothing breaks."""
    played = play_edge(Edge(venue=venue, orders=orders, where="all", moment=0), journal=journal)
    found = len(played.record["ours"]["orders"])
    if played.wrong or found != orders:
        raise AssertionError(f"without a fault: {played.wrong}, {found} orders")
    return played.moments


def edges_of(venue: str, orders: int, *, every: int = 1, journal: bool = False) -> Iterator[Edge]:
    """Give all edges of a venue with so many orders in flight, or each of which `every` is one.

    Args:
        venue: Whose.
        orders: In flight.
        every: Of so many edges the first is given.
        journal: Whether they are going to be played with a journal: that decides how many there are.
    """
    moments = count_moments(venue, orders, journal=journal)
    hows: tuple[Literal["reset", "half-open"], ...] = ("reset", "half-open")
    for where in WHERE[venue]:
        for how in hows:
            for moment in range(1, moments + 1, every):
                yield Edge(venue=venue, orders=orders, where=where, moment=moment, how=how)


def try_edge(edge: Edge, *, journal: bool = False) -> list[str]:
    """Break at an edge; give what is wrong then: it is wrong, too, if the run ends before it gets there."""
    try:
        wrong = play_edge(edge, journal=journal).wrong
    except Exception as exc:  # noqa: BLE001 - whatever a run breaks with is what is looked for
        return [f"{edge}: {type(exc).__name__}: {exc}"]
    return [f"{edge}: {line}" for line in wrong]

"""Connections that break, or die unseen, at some moments in the life of orders; `make chaos` tries all of them."""

from __future__ import annotations

import attrs
import pytest
import trio

from strategykit.runtime.assembly import Run
from strategykit.testing.network import MemoryNetwork
from tests.chaos.edges import Edge, edges_of, play_edge, try_edge


@pytest.mark.parametrize(("venue", "orders", "every"), [("alor", 1, 20), ("alor", 5, 50), ("t4", 1, 5), ("t4", 5, 35)])
def test_a_break_at_any_moment_leaves_no_order_unknown(venue: str, orders: int, every: int) -> None:
    edges = list(edges_of(venue, orders, every=every))

    assert len(edges) > 5
    assert [line for edge in edges for line in try_edge(edge)] == []


@pytest.mark.parametrize("venue", ["alor", "t4"])
def test_with_a_journal_the_last_edge_is_reached_and_none_is_left_behind_it(venue: str) -> None:
    *_, last = edges_of(venue, 1, journal=True)

    assert try_edge(last, journal=True) == []
    (line,) = try_edge(attrs.evolve(last, moment=last.moment + 1), journal=True)
    assert "never reached" in line


@pytest.mark.parametrize("venue", ["alor", "t4"])
def test_a_wire_that_breaks_when_the_run_ends_is_waited_for(venue: str) -> None:
    """Books can be compared once it is back."""

    async def break_at_the_end(run: Run, network: MemoryNetwork) -> None:
        strategy = run.supervisor.seats[0].strategy
        while not run.gateway.orders or getattr(strategy, "trading", False):  # noqa: ASYNC110 - nobody tells of it
            await trio.sleep(0.0005)
        for connection in network.chosen("all"):
            connection.reset()
        await trio.sleep_forever()

    played = play_edge(Edge(venue=venue, orders=3, where="all", moment=0), beside=break_at_the_end)

    assert len(played.record["ours"]["orders"]) == 3
    assert played.wrong == []

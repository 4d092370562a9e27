"""What isn't as it should be in a run, while everything mends itself after faults."""

from __future__ import annotations

from typing import Final

import trio

from strategykit.runtime.assembly import Run
from strategykit.runtime.feeds import BookFeed
from strategykit.venues.streams import PRIVATE
from strategykit.venues.subscriptions import SubscriptionState

__all__ = ["unsettled"]

ANSWERED: Final = 2.0
"""Seconds after which an answer has usually come. One that doesn't come at all costs the wire, some seconds later."""


def unsettled(run: Run) -> list[str]:
    """Give a line for each stream, wire, strategy and order that isn't as it should be."""
    # Where a list of orders is asked for by subscribing again, a question on a living wire isn't trouble. One that
    # isn't answered is, as the wire is left then.
    questions = run.reconciler.asking and set(run.engine.sessions) >= {row.connection for row in run.engine.table}
    rows = [
        f"{row.stream.label} is {row.state.value}"
        for row in run.engine.table
        if not (questions and row.stream.kind in PRIVATE and row.state is SubscriptionState.ASKED)
    ]
    lines = [line for line in rows if not line.endswith((" active", " stale"))]
    needed = dict.fromkeys(row.connection for row in run.engine.table)
    if run.trades_at_venue:
        needed[run.engine.command_connection] = None
    lines += [f"{name} isn't open" for name in needed if name not in run.engine.sessions]
    if (waited := run.gateway.commands.longest(trio.current_time())) > ANSWERED:
        lines.append(f"a command is unanswered after {waited:.2f} s")
    lines += [f"{seat.name} hasn't begun" for seat in run.supervisor.seats if seat.state == "waiting"]
    for seat in run.supervisor.seats:
        books = [feed for feed in seat.desk.feeds.values() if isinstance(feed, BookFeed) and seat.failure is None]
        # Its snapshots may have been of no use: then some time goes by before the next is asked for.
        lines += [f"{seat.name}: {feed.stream.label} is unknown" for feed in books if feed.book.invalid]
    return lines + [f"{order!r} is in doubt" for order in run.gateway.doubtful() if order.state.doubtful]

"""What a run on real wires has to know, and what it tells while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs

from strategykit.model.risk_limits import DEFAULT_PLAN, RiskPlan
from strategykit.net.inbox import Inbox
from strategykit.net.recorder import Recorder
from strategykit.net.venue import LiveVenue
from strategykit.runtime.assembly import Run
from strategykit.runtime.ending import LEAVE_WITHIN
from strategykit.runtime.guard_plan import GuardPlan
from strategykit.runtime.order_journal import JournalDisk
from strategykit.runtime.watchdog import LIMIT
from strategykit.secret import Secret
from strategykit.sim.paper import PaperExchange
from strategykit.strategy import Strategy
from strategykit.venues.dialect import Dialect
from strategykit.venues.streams import Stream

__all__ = ["LivePlan", "Progress"]


@attrs.frozen(kw_only=True)
class Progress:
    """Where a run stands, for whoever watches."""

    elapsed: float
    """Seconds."""
    events: int
    orders: int
    doubtful: int
    """Orders of which only the venue knows how they stand."""
    fills: int
    connections: Mapping[str, str]
    waiting: int
    """Inputs that have come and aren't dispatched yet."""


@attrs.frozen(kw_only=True)
class LivePlan:
    """All that a live run needs to know."""

    dialect: Dialect
    connect: Callable[[Inbox, Recorder, Callable[[], int], Any], LiveVenue]
    """Makes the venue's wires from an inbox, a recorder, the time and a random generator."""
    account: str
    exchange: str | None
    market_connections: int
    strategies: Sequence[tuple[str, Strategy]] = ()
    record: Sequence[Stream] = ()
    """Streams to record whether or not a strategy wants them."""
    duration: int | None = None
    """Nanoseconds; None: until stopped."""
    seed: int | None = None
    tape: Path | None = None
    """Folder of the tape; None: nothing is recorded."""
    journal: Path | None = None
    """Folder of the account's journal; None: nothing about orders outlives the run."""
    disk: JournalDisk | None = None
    """What the journal is written on; None: the system's disk."""
    facts: Mapping[str, Any] = attrs.field(factory=dict)
    """What a re-run needs besides: kept in the tape's header."""
    secrets: Sequence[Secret] = ()
    """What is in nothing that leaves the run, from its first byte on."""
    limits: RiskPlan = DEFAULT_PLAN
    """Of risk."""
    keep_orders: bool = False
    withdraw: bool = False
    """Whether a run without strategies is there to withdraw what the one before left: it ends when that is done."""
    guard: GuardPlan | None = None
    """How a process of its own watches this one; None: nobody does."""
    flatten: bool = False
    """Whether the kill switch closes positions, too."""
    paper: Callable[[Mapping[str, Any]], PaperExchange] | None = None
    """Makes an exchange that answers the orders instead of the venue."""
    on_progress: Callable[[Progress], None] = lambda _: None
    meanwhile: Callable[[Run], Any] | None = None
    """An async function that runs beside, such as one that breaks wires in a demonstration. What it raises ends the run
    and is raised."""
    collect: bool = False
    """Whether the report brings what a result is made of."""
    capital: Decimal | None = None
    """Money at the start, in each instrument's currency; None: nobody knows."""
    handle_signals: bool = True
    in_loop: bool = False
    """Whether the run's clock waits for no thread, so that the journal is synced in the loop."""
    leave_within: float = LEAVE_WITHIN
    """Seconds that strategies get to leave when the duration is over; the run goes on without those that don't."""
    hold_limit: float = LIMIT
    """Seconds that a strategy may hold the thread before it is interrupted."""

"""The orders of a recorded run, sent once more at the times at which it sent them, to a market of recorded data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

import attrs

from strategykit.model.events import Event, Fill, OrderStatus, OrderUpdate
from strategykit.model.orders import Command, CreateOrder
from strategykit.parity.session import Session
from strategykit.sim.models.fill_models import FillModels
from strategykit.sim.models.latency import NONE, meter
from strategykit.sim.paper import PaperExchange
from strategykit.venues.dialect import Reply

__all__ = ["Played", "PlayedFill", "play"]

_ACCOUNT = "PARITY"


@attrs.frozen
class PlayedFill:
    """One execution that the models give."""

    order: str
    """Client id."""
    time: int
    """When it happened, nanoseconds UTC, in the time of the data."""
    told: int
    """When its owner would have heard of it."""
    price: Decimal
    quantity: Decimal
    fee: Decimal
    resting: bool
    """Whether the market came to the order, and not the order to the market."""


@attrs.define(eq=False)
class Played:
    """What the models made of a session's orders."""

    fills: dict[str, list[PlayedFill]] = attrs.field(factory=dict)
    """By order, oldest first."""
    ended: dict[str, int] = attrs.field(factory=dict)
    """By order: when it ended."""
    refused: dict[str, str] = attrs.field(factory=dict)
    """By order: why it wasn't taken."""
    arrived: dict[str, int] = attrs.field(factory=dict)
    """By order: when it came to the market."""
    marks: dict[str, Decimal] = attrs.field(factory=dict)
    """By symbol: what a unit was worth at the end."""


class _Play:
    def __init__(self, session: Session, models: FillModels) -> None:
        # Latencies are counted here: an order is named by a number, which its cancel has to know when it arrives.
        # Whether orders could be afforded was the venue's business.
        bare = attrs.evolve(
            models, order_latency=NONE, answer_latency=NONE, feed_latency=NONE, margin_rate=Decimal(0), cash_step=None
        )
        currencies = {instrument.currency: Decimal(0) for instrument in session.instruments.values()}
        self.exchange = PaperExchange(
            session.instruments, account=_ACCOUNT, cash=currencies, models=bare, tells_account=False
        )
        self.played = Played()
        self._travel = meter(models.answer_latency, "answers")
        self._latest = 0
        self._numbers: dict[str, str] = {}

    def arrive(self, command: Command, now: int) -> None:
        """Let a command take effect."""
        order = command.request.client_order_id
        if isinstance(command, CreateOrder):
            self.played.arrived[order] = now
        else:
            number = self._numbers.get(order)
            if number is None:
                return  # The models never had it.
            command = attrs.evolve(command, venue_order_id=number)
        self._take(self.exchange.run_due(now), resting=True)
        self._take(self.exchange.command(command, now), resting=False, order=order)

    def show(self, event: Event, now: int) -> None:
        self._take(self.exchange.on_event(event, now), resting=True)

    def finish(self, now: int) -> Played:
        self._take(self.exchange.run_due(now), resting=True)
        marks = {symbol: self.exchange.mark(symbol) for symbol in self.exchange.instruments}
        self.played.marks = {symbol: mark for symbol, mark in marks.items() if mark is not None}
        return self.played

    def _take(self, told: Iterable[Reply | Event], *, resting: bool, order: str = "") -> None:
        for thing in told:
            if isinstance(thing, Reply):
                if not thing.ok and order not in self._numbers:
                    self.played.refused[order] = thing.message
            elif isinstance(thing, OrderUpdate):
                self._note(thing)
            elif isinstance(thing, Fill):
                self._fill(thing, resting=resting)

    def _note(self, update: OrderUpdate) -> None:
        order = update.client_order_id or ""
        if update.status is OrderStatus.WORKING:
            self._numbers[order] = update.venue_order_id
            self.played.ended.pop(order, None)  # An amended order lives on under another number.
        elif self._numbers.get(order) == update.venue_order_id and update.linked_order_id is None:
            self.played.ended[order] = update.event_time or 0

    def _fill(self, fill: Fill, *, resting: bool) -> None:
        order, time = fill.client_order_id or "", fill.event_time or 0
        self._latest = max(self._latest, time + (0 if self._travel is None else self._travel(time)))
        self.played.fills.setdefault(order, []).append(
            PlayedFill(order, time, self._latest, fill.price, fill.quantity, fill.fee or Decimal(0), resting)
        )


def play(session: Session, models: FillModels, *, arrivals: Sequence[int] | None = None) -> Played:
    """Send a session's orders to the models.

    Args:
        session: What was sent, and when.
        models: What is assumed.
        arrivals: When each command of `Session.sent` takes effect, in the time of the data; None: `models` say.
    """
    run = _Play(session, models)
    commands = _in_time(session, models) if arrivals is None else list(arrivals)
    due = 0
    for time, event in session.market:
        while due < len(commands) and commands[due] < time:
            run.arrive(session.sent[due].command, commands[due])
            due += 1
        run.show(event, time)
    for at in range(due, len(commands)):
        run.arrive(session.sent[at].command, commands[at])
    return run.finish(session.until)


def _in_time(session: Session, models: FillModels) -> list[int]:
    """Give when commands arrive: none overtakes the one before it."""
    travel, latest, found = meter(models.order_latency, "orders"), 0, list[int]()
    for one in session.sent:
        latest = max(latest, one.time + (0 if travel is None else travel(one.time)))
        found.append(latest)
    return found

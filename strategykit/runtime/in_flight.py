"""Order commands that have left and wait for their answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import attrs
import trio

from strategykit.errors import JournalError, LocalProtocolError
from strategykit.model.orders import (
    AmendOrder,
    CancelOrder,
    Command,
    CreateGroup,
    CreateOrder,
    Evidence,
    OrderRequest,
)
from strategykit.runtime.order import Order
from strategykit.runtime.ports import OrderJournal, OrderPort
from strategykit.venues.dialect import OrderReply

__all__ = ["HURRIED_REPLY_WITHIN", "REPLY_WITHIN", "InFlight", "Pending", "may_have_happened", "tell_sent"]

# A look-up of a member costs more than a call on Python 3.11.
_LEFT: Final = Evidence.LEFT
_NEVER_LEFT: Final = Evidence.NEVER_LEFT
_WITHHELD: Final = "a wire was broken, and the venue is being asked how things stand"

REPLY_WITHIN: Final = 5.0
"""Seconds until an unanswered command makes its order doubtful and its wire suspect. ALOR answers in well under 1 s;
a half-open socket was seen to accept writes for a day."""

HURRIED_REPLY_WITHIN: Final = 1.0
"""The same for what is sent while the run is being stopped: a wire that is dead has to be found out soon then."""

_UNKNOWN: Final = 100
"""Commands whose answer was lost; of more than these the newest are remembered."""


def may_have_happened(code: int) -> bool:
    """Whether a refusal with this code leaves open what became of the command: a timeout, or an error on their side.

    Zerodha answered "timed out" and executed both orders 8 s later; only a plain no is a no.
    """
    return code == 408 or 500 <= code < 600


def tell_sent(orders: Sequence[Order], send: Callable[..., bool], *what: object) -> None:
    """Send new orders, by `send` of `what`, and let each know whether it has left.

    Raises:
        LocalProtocolError: The venue has no such order; nothing has left.
    """
    evidence, reason = _NEVER_LEFT, "the command lane is down; nothing was sent"
    try:
        if send(*what):
            evidence, reason = _LEFT, ""
    except LocalProtocolError as exc:
        for order in orders:
            order.learn(evidence, str(exc))
        raise
    except JournalError as exc:
        reason = f"nothing was sent, because it can't be written down: {exc}"
    for order in orders:
        order.learn(evidence, reason)


@attrs.define(eq=False)
class Pending:
    """A command that waits for its answer."""

    order: Order
    command: Command
    within: float
    """Seconds that its answer may take."""
    deadline: float | None = None
    """By Trio's clock; None until the watcher has begun."""

    @property
    def sent(self) -> int | None:
        """When it was sent, nanoseconds UTC; None if nothing could come of it any more that nobody has told of."""
        order, command = self.order, self.command
        if isinstance(command, CreateOrder):
            return order.placed if order.venue_order_id is None else None
        amending = order.amending if isinstance(command, AmendOrder) else None
        return None if amending is None or amending.request is not command.request else amending.sent


@attrs.define(eq=False)
class InFlight:
    """Sees to it that every command is answered, or known to be unanswered.

    One task watches over all of them: it sleeps until the earliest deadline, and until for ever while nothing waits, so
    that an answer wakes nobody.
    """

    port: OrderPort
    start: Callable[..., None]
    """A nursery's ``start_soon``, for the task that watches over answers; it ends by cancellation alone."""
    lost: Callable[[Pending, str], None]
    """Called with a command whose answer won't come, and the reason."""
    journal: OrderJournal | None
    """None: nothing is written down."""
    answered: Callable[[str], bool] = lambda _: False
    """Whether the answer to a command that was sent just now is here already, to be told next: nobody watches then."""
    reply_within: float = REPLY_WITHIN
    """Seconds for an answer to what is sent from now on."""
    _pending: dict[str, Pending] = attrs.field(factory=dict, init=False)
    """By guid, in the order in which they were sent."""
    _unknown: dict[str, tuple[Pending, int]] = attrs.field(factory=dict, init=False)
    """By guid, those whose answer was lost, so that they may still arrive, and when they were sent."""
    _watching: bool = attrs.field(default=False, init=False)
    _sleep: trio.CancelScope | None = attrs.field(default=None, init=False)
    """What the watcher sleeps in, until the earliest deadline at the latest; None before it has begun."""

    def send(self, order: Order, command: Command) -> bool:
        """Write it down, then send at once; False if nothing can have left.

        Raises:
            JournalError: It can't be written down, and isn't a cancel.
        """
        if self.journal is not None:
            self.journal.intend(order, command)
        try:
            left = self.port.command(order.strategy, command)
        except LocalProtocolError as exc:
            self._not_sent(command, str(exc))
            raise
        if not left:
            self._not_sent(command, "the command lane is down")
            return False
        self._await_answer(order, command)
        return True

    def send_group(self, orders: Sequence[Order], group: CreateGroup) -> bool:
        """Write all of a group down, then send it; each order waits for an answer of its own. Else as `send`."""
        written: list[CreateOrder] = []
        try:
            for order, create in zip(orders, group.creates, strict=True):
                if self.journal is not None:
                    self.journal.intend(order, create)
                written.append(create)
            left = self.port.command(orders[0].strategy, group)
        except (JournalError, LocalProtocolError) as exc:
            for create in written:
                self._not_sent(create, str(exc))
            raise
        for order, create in zip(orders, written, strict=True):
            if left:
                self._await_answer(order, create)
            else:
                self._not_sent(create, "the command lane is down")
        return left

    def withhold(self, orders: Sequence[Order], creates: Sequence[CreateOrder]) -> None:
        """Write down new orders that aren't sent, as fills may have been missed that speak against them; tell each."""
        for order, create in zip(orders, creates, strict=True):
            with suppress(JournalError):  # That nothing was sent needs no proof; the alarm has sounded.
                if self.journal is not None:
                    self.journal.intend(order, create)
                self._not_sent(create, _WITHHELD)
        for order in orders:
            order.learn(_NEVER_LEFT, f"{_WITHHELD}; nothing was sent")

    def _not_sent(self, command: Command, reason: str) -> None:
        if self.journal is not None:
            self.journal.unsent(command, reason)

    def _await_answer(self, order: Order, command: Command) -> None:
        pending = self._pending[command.guid] = Pending(order, command, self.reply_within)
        if self.answered(command.guid):
            pending.deadline = math.inf
        elif self._sleep is not None:
            pending.deadline = trio.current_time() + pending.within
            self._sleep.deadline = min(self._sleep.deadline, pending.deadline)
        elif not self._watching:
            self._watching = True
            self.start(self._watch)

    def hold(self, order: Order, command: Command) -> None:
        """Know a command that an earlier run sent: its answer may have been told to that run."""
        self._pending[command.guid] = Pending(order, command, self.reply_within)

    def unsent(self, guid: str) -> Pending | None:
        """Nothing of the command `guid` has left after all: give it, once."""
        pending = self.take(guid)
        if pending is not None:
            self._not_sent(pending.command, "it couldn't be written down for good")
        return pending

    def take(self, guid: str) -> Pending | None:
        """The answer to `guid` has come: give what it answers, once; None if nothing waits for it."""
        pending = self._pending.pop(guid, None)
        if pending is None:
            self._unknown.pop(guid, None)
        watched = pending is not None and pending.deadline != math.inf
        if watched and not self._pending and self._sleep is not None:
            # While others wait, the watcher may wake too early and look again: cheaper than a search at each answer.
            self._sleep.deadline = math.inf
        return pending

    def forget(self, amended: OrderRequest) -> None:
        """What came of the amend to `amended` is known: nobody waits for its answer."""
        for guid, pending in list(self._pending.items()):
            if isinstance(pending.command, AmendOrder) and pending.command.request is amended:
                self.take(guid)

    def longest(self, now: float) -> float:
        """Give how many seconds the oldest command that waits has waited by `now`, of Trio's clock; 0 if none does."""
        waits = [now - (one.deadline - one.within) for one in self._pending.values() if one.deadline is not None]
        return max((seconds for seconds in waits if seconds > 0), default=0.0)

    def find(self, number: str, kind: type[AmendOrder | CancelOrder]) -> str | None:
        """Give the guid of the oldest command of its kind that waits and is about the venue's order `number`."""
        for guid, pending in self._pending.items():
            if isinstance(pending.command, kind) and pending.command.venue_order_id == number:
                return guid
        return None

    def guid_of(self, reply: OrderReply) -> str:
        """Say which command it answers: a yes to one that is gone is old news, a no may carry an older one's guid."""
        waiting = self.find(reply.venue_order_id, reply.to) or ""
        return waiting if reply.guid is None or not reply.ok else reply.guid

    def of_group(self, name: str) -> list[str]:
        """Give the guids under which the orders of the group `name` wait to be accepted."""
        return [
            guid
            for guid, pending in self._pending.items()
            if pending.order.group == name and isinstance(pending.command, CreateOrder)
        ]

    def lose_all(self, reason: str) -> None:
        """No answer will come any more."""
        for guid in list(self._pending):
            self._lose(guid, reason)

    def lose(self, pending: Pending, reason: str) -> None:
        """Nobody knows what became of a command that was taken: it may still arrive, or have arrived."""
        sent = pending.sent
        if sent is not None:
            self._unknown[pending.command.guid] = pending, sent
        if len(self._unknown) > _UNKNOWN:
            del self._unknown[next(iter(self._unknown))]
        self.lost(pending, reason)

    def newest_under_way(self) -> int | None:
        """Say when the newest command was sent that may still arrive and open something, nanoseconds UTC.

        None if all were answered, or the venue has told of what they placed.
        """
        waiting = [pending.sent for pending in self._pending.values() if pending.deadline != math.inf]
        for pending, sent in self._unknown.values():
            # An amend is given up at some time, which takes nothing back.
            waiting.append(sent if isinstance(pending.command, AmendOrder) else pending.sent)
        return max((sent for sent in waiting if sent is not None), default=None)

    def _lose(self, guid: str, reason: str) -> None:
        pending = self.take(guid)
        if pending is not None:
            self.lose(pending, reason)

    async def _watch(self) -> None:
        while True:
            now = trio.current_time()
            for pending in list(self._pending.values()):
                # What was sent before the first look was sent just now: the clock of a run stands still meanwhile.
                if pending.deadline is None:
                    pending.deadline = now + pending.within
                if pending.deadline <= now and pending.command.guid in self._pending:
                    reason = f"no answer within {pending.within:g} s"
                    self._lose(pending.command.guid, reason)
                    self.port.suspect(reason)
            waiting = [item.deadline for item in self._pending.values() if item.deadline is not None]
            with trio.CancelScope(deadline=min(waiting, default=math.inf)) as self._sleep:
                await trio.sleep_forever()

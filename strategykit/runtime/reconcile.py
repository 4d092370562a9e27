"""Asking the venue until nothing about our orders is in doubt."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

import attrs
import trio

from strategykit.errors import OrderRefused
from strategykit.model.events import Event, Fill, OrderStatus, OrderUpdate, PositionUpdate
from strategykit.model.instruments import Instrument
from strategykit.model.orders import Evidence, OrderState
from strategykit.net.timing import Timing, full_jitter
from strategykit.runtime.gateway import Gateway
from strategykit.runtime.in_flight import REPLY_WITHIN
from strategykit.runtime.order import Order
from strategykit.runtime.waking import Signal
from strategykit.venues.dialect import Ask, AskOrders, AskPositions, AskStopOrders, AskTrades

__all__ = ["Reconciler", "note_missing"]

PROPAGATION: Final = 2_000_000_000
"""Nanoseconds that a venue may take until an order that reached it shows in its lists."""

ON_ITS_WAY: Final = int(REPLY_WITHIN * 1e9) + PROPAGATION
"""Nanoseconds from when a command was sent until a list that doesn't show what it does says that it never will. A wire
that ends takes nothing back: what was sent before still arrives, over a slow network long after the next wire is open.
So it gets no less time than where its wire lives and nobody answers."""

ANSWER_WITHIN: Final = Timing().answer_within + 1.0
"""Seconds for one question. A little more than the wires take to give it up: they say why, and a question that were
given up here before would still be under way when it is asked again."""

SHORTEST_PAUSE: Final = 0.25
"""Seconds between the first two rounds that a doubt costs; each next pause is twice as long."""

STEADY_UP_TO: Final = 8.0
"""Seconds: the longest pause that isn't drawn. What an order in doubt needs is a list from `ON_ITS_WAY` after it was
sent, which these have behind them; drawn ones would have some wait twice as long for it, and spread nobody: what throws
many programs into doubt together is a wire, and they come back with drawn delays. A doubt that lasts longer is the
venue's trouble: then all pauses are drawn, so that those who share it don't ask together."""

BREATH: Final = 500
"""Rows of an answer after which others get their turn."""


@attrs.define(eq=False, kw_only=True)
class Reconciler:
    """One round after another while there is doubt; one at a time, however often doubt is raised."""

    ask: Callable[[Ask, Callable[[Sequence[Event | Instrument] | None, str], None]], None]
    start: Callable[..., None]
    account: str
    exchange: str | None
    now: Callable[[], int]
    note: Callable[[str, str], None]
    unanswered: Callable[[Ask, str], None]
    """Told of an ask that nobody waits for any longer, and why."""
    positions: Callable[[PositionUpdate], None] | None = None
    """Takes what the account holds; None: the venue can't be asked."""
    certain: Signal
    """Notified after every round."""
    rng: random.Random
    """For long pauses; it comes from the run's seed, so that a re-run asks at the same times."""
    rounds: int = attrs.field(default=0, init=False)
    """Those in which all was answered."""
    standing: tuple[OrderUpdate, ...] = attrs.field(default=(), init=False)
    """Orders of ours, those that have ended for us included, that the venue had at work in the newest of them."""
    _begun: int = attrs.field(default=0, init=False)
    """All rounds, the one that is under way included."""
    _ended: int = attrs.field(default=0, init=False)
    """Those that are over."""
    _whole: int = attrs.field(default=0, init=False)
    """Which of them was the last in which all was answered."""
    _running: bool = attrs.field(default=False, init=False)
    _again: bool = attrs.field(default=False, init=False)
    _waiting: bool = attrs.field(default=False, init=False)
    _news: trio.Event = attrs.field(factory=trio.Event, init=False)
    """Set when doubt is raised while a pause may be on."""

    @property
    def asking(self) -> bool:
        """Whether it waits for answers now."""
        return self._running and self._begun > self._ended

    def doubt(self, gateway: Gateway, after: float) -> None:
        """Something has to be asked; a round that is under way is followed by another one.

        Args:
            gateway: Whose orders are in doubt.
            after: Seconds; if nothing is in doubt any more by then, nothing is asked.
        """
        if after:
            if not self._waiting:
                self._waiting = True
                self.start(self._doubt_after, gateway, after)
            return
        self._again = True
        self._news.set()
        if not self._running:
            self._running = True
            self.start(self._run, gateway)

    def ask_once_more(self, gateway: Gateway) -> Callable[[], bool]:
        """Have one more round asked; give what says whether all of it, or of a later one, has been answered."""
        due = self._begun + 1
        self.doubt(gateway, 0.0)
        return lambda: self._whole >= due

    async def once_more(self, gateway: Gateway) -> None:
        """Return when the venue has answered everything, asked after this was called, and nothing is in doubt."""
        is_answered = self.ask_once_more(gateway)
        await self.certain.until(lambda: is_answered() and not gateway.doubtful())

    async def _doubt_after(self, gateway: Gateway, seconds: float) -> None:
        await trio.sleep(seconds)
        self._waiting = False
        if gateway.doubtful():
            self.doubt(gateway, 0.0)

    async def _run(self, gateway: Gateway) -> None:
        rounds, whole = 0, True
        try:
            while self._again or not whole or gateway.doubtful():
                if self._again:
                    rounds = 0
                self._again, self._news = False, trio.Event()
                whole = await self._round(gateway)
                self._ended = self._begun
                self.certain.notify()
                if not whole or gateway.doubtful():
                    # Whatever the venue answers, it is asked ever less often: what it doesn't know, it may never know.
                    with trio.move_on_after(self._pause(rounds)):
                        await self._news.wait()
                    rounds += 1
        finally:
            self._running = False
            self.certain.notify()

    def _pause(self, rounds: int) -> float:
        steady = SHORTEST_PAUSE * 2.0 ** min(rounds, 10)
        return steady if steady <= STEADY_UP_TO else full_jitter(self.rng, rounds, Timing())

    async def _round(self, gateway: Gateway) -> bool:
        """Ask once for fills and orders; say whether all was answered.

        Fills come first: an order's end is believed when its fills are told.
        """
        self._begun += 1
        asked_at, breaks = self.now(), gateway.outages.breaks
        shown: set[str] = set()
        standing: list[OrderUpdate] = []
        whole = True
        asks: list[Ask] = [
            AskTrades(account=self.account, exchange=self.exchange),
            AskOrders(account=self.account, exchange=self.exchange),
            AskStopOrders(account=self.account, exchange=self.exchange),
        ]
        if self.positions is not None:
            asks.append(AskPositions(account=self.account, exchange=self.exchange))
        for ask in asks:
            rows, reason = await self._answer(ask)
            if rows is None:
                whole = False
                self.note("reconcile", f"no answer about {type(ask).__name__}: {reason}")
                continue
            for count, row in enumerate(rows, 1):
                if not count % BREATH:  # A long list mustn't be taken for a strategy that holds the thread.
                    await trio.lowlevel.checkpoint()
                if isinstance(row, PositionUpdate) and self.positions is not None:
                    self.positions(row)
                elif isinstance(row, Fill):
                    gateway.filled(row)
                elif isinstance(row, OrderUpdate):
                    shown.add(row.venue_order_id)
                    if row.client_order_id is not None:
                        shown.add(row.client_order_id)
                    if gateway.updated(row, listed=True) and row.status is OrderStatus.WORKING:
                        standing.append(row)
                        if gateway.killed:
                            gateway.withdraw_shown(row)
        if whole:
            self.rounds += 1
            self.standing = tuple(standing)
            self._whole = self._begun
            note_missing(gateway, shown, asked_at=asked_at)
            gateway.outages.told(breaks)
        return whole

    async def _answer(self, ask: Ask) -> tuple[Sequence[Event | Instrument] | None, str]:
        answer: list[tuple[Sequence[Event | Instrument] | None, str]] = []
        came = trio.Event()

        def take(rows: Sequence[Event | Instrument] | None, reason: str) -> None:
            answer.append((rows, reason))
            came.set()

        self.ask(ask, take)
        with trio.move_on_after(ANSWER_WITHIN):
            await came.wait()
        if answer:
            return answer[0]
        reason = f"no answer about {type(ask).__name__} within {ANSWER_WITHIN:g} s"
        self.unanswered(ask, reason)
        return None, f"nothing within {ANSWER_WITHIN:g} s"


def note_missing(gateway: Gateway, shown: set[str], *, asked_at: int) -> None:
    """An authoritative list of all orders, asked for at `asked_at`, shows the client ids and numbers `shown`.

    An order that may have been lost on its way, long enough ago, isn't there: it never came to be. One that was thought
    to work and isn't there is in doubt from now on: should it be missing again, that is told.
    """
    for order in gateway.open_orders():
        long_ago = asked_at - order.placed >= ON_ITS_WAY and order.amending is None
        if long_ago and not order.uncertain and not shown & {order.client_order_id, order.venue_order_id}:
            order.lost_at = asked_at
    for order in gateway.doubtful():
        if order.client_order_id in shown or order.venue_order_id in shown:
            _settle_amend(gateway, order, asked_at)
            order.shown_working()
            continue
        order.back = None
        lost = order.lost_at
        if order.venue_order_id is None and order.state is OrderState.UNKNOWN:
            if _would_show(asked_at, sent=order.placed, lost=lost):
                order.lost_at, order.absent = None, True
                order.learn(Evidence.NOT_FOUND, f"the venue doesn't have it ({order.reason})")
        elif lost is not None and asked_at - lost >= PROPAGATION:
            order.lost_at = None
            if order.earlier:
                words = "the venue no longer shows it: it ended unseen, perhaps with fills that nobody has told us of"
                order.learn(Evidence.EXPIRED, words)
            gateway.contradict(f"{order.client_order_id}: the venue no longer shows order {order.venue_order_id}")


def _settle_amend(gateway: Gateway, order: Order, asked_at: int) -> None:
    """Its rows have been folded in; had the amend taken effect, one of them would have had a new number."""
    amend = order.amending
    if amend is not None and _would_show(asked_at, sent=amend.sent, lost=order.amend_lost_at):
        gateway.amend_failed(order, OrderRefused(f"{order.client_order_id}: the amend didn't reach the venue"))


def _would_show(asked_at: int, *, sent: int, lost: int | None) -> bool:
    """Whether a list that was asked for at `asked_at` would show what came of a command, had that arrived.

    Nothing was sent after it was lost: an earlier run may have had another clock, or not told when (0).
    """
    if lost is None:
        return False
    return asked_at - lost >= PROPAGATION and asked_at - min(sent or lost, lost) >= ON_ITS_WAY

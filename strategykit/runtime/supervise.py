"""Strategies side by side: each in its own nursery, so that one that fails takes nobody with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import attrs
import trio

from strategykit.errors import (
    STRATEGY_FAILURES,
    LocalProtocolError,
    StrategyBlocked,
    StrategyError,
    StrategyKilled,
    StrategykitError,
    SubscriptionRefused,
)
from strategykit.model.events import Bar, Event
from strategykit.model.instruments import Instrument
from strategykit.runtime.because import RUN_END
from strategykit.runtime.desk import Desk
from strategykit.runtime.engine import Engine
from strategykit.runtime.feeds import BarFeed, Feed
from strategykit.runtime.in_flight import HURRIED_REPLY_WITHIN
from strategykit.runtime.order import Order
from strategykit.strategy import Strategy
from strategykit.venues.dialect import AskBars
from strategykit.venues.streams import Stream, StreamKind
from strategykit.venues.subscriptions import Subscription

__all__ = ["KILL", "UNSENT", "Seat", "Supervisor"]

KILL: Final = "kill "
"""Begins the word that pulls the kill switch."""

UNSENT: Final = "unsent "
"""Begins the word that says that a command hasn't left."""

WARM_WITHIN: Final = 20.0
"""Seconds for the history of a strategy's bars to come."""

CLEAN_WITHIN: Final = 10.0
"""Seconds for a strategy's working orders to be cancelled when it ends."""


@attrs.define(eq=False, kw_only=True)
class Seat:
    """One strategy in a run."""

    name: str
    strategy: Strategy
    desk: Desk
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    failure: BaseException | None = None
    state: str = "waiting"
    """``"waiting"``, ``"warming"``, ``"running"``, ``"leaving"``, ``"ended"`` or ``"failed"``."""
    rows: list[tuple[Subscription, Feed[Any]]] = attrs.field(factory=list)
    task: trio.lowlevel.Task | None = None
    """The one that all its tasks descend from, while it runs."""
    left: list[str] = attrs.field(factory=list)
    """Orders that were still open, or in doubt, when it had gone."""
    begun: bool = False
    """Whether it has been started."""
    gone: trio.Event = attrs.field(factory=trio.Event)
    """Set when it has left, or the run goes on without it."""

    def fail(self, error: BaseException) -> None:
        """Stop this strategy for a reason; the first one stands."""
        if self.failure is None:
            self.failure = error
        self.desk.ending = self.desk.ending or f"failure of the strategy: {type(error).__name__}"
        self.desk.deafen(to_orders=True)
        self.scope.cancel(reason=f"{type(error).__name__}: {error}")


@attrs.define(eq=False, kw_only=True)
class Supervisor:
    """Runs seats until each has ended or `stop` was called."""

    engine: Engine
    seats: Sequence[Seat]
    now: Callable[[], int]
    note: Callable[[str, str], None]
    home: trio.Nursery
    """Where the strategies' tasks live; it outlives the run."""
    keep_orders: bool = False
    """True: working orders outlive their strategy."""
    require_history: bool = True
    """Whether a strategy whose history can't be loaded fails; False in a backtest, whose tape may not hold it. Where
    bars are built from trades and the venue can't be asked for any, it begins without in either case."""
    pull: Callable[[str, str], None] = lambda *_: None
    """Pulls the run's kill switch: takes a reason, and who."""
    stopping: bool = attrs.field(default=False, init=False)
    opening: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    """Around whatever comes before the strategies; `stop` cancels it too."""

    def seat(self, name: str) -> Seat:
        for seat in self.seats:
            if seat.name == name:
                return seat
        raise StrategyError(f"no strategy is named {name!r}")

    def stop(self) -> None:
        """Cancel every strategy; each leaves through its own scopes."""
        self.stopping = True
        self.engine.gateway.commands.reply_within = HURRIED_REPLY_WITHIN
        self.opening.cancel()
        for seat in self.seats:
            seat.desk.ending = seat.desk.ending or RUN_END
            seat.scope.cancel()

    def controlled(self, word: str) -> None:
        """Take a word from outside: ``"stop"``, or ``"hurry"`` when there is no more time.

        ``"kill who: why"`` pulls the kill switch. ``"unsent GUID why"`` says that a command couldn't be written down
        for good, so that nothing of it has left.
        """
        if word.startswith(UNSENT):
            guid, _, reason = word.removeprefix(UNSENT).partition(" ")
            self.engine.gateway.unsent(guid, reason)
        elif word.startswith(KILL):
            by, _, reason = word.removeprefix(KILL).partition(": ")
            self.pull(reason, by)
        elif word == "hurry":
            self.hurry()
        elif word == "stop":
            self.stop()

    def hurry(self) -> None:
        """Stop, and give clean-up no more time."""
        self.stop()
        for seat in self.seats:
            seat.desk.hurry()
            if seat.state == "running" and not self.keep_orders:
                self._ask_to_cancel(seat.name, seat.desk.open_orders())

    def abort(self) -> None:
        """Stop after an error of the run itself: nothing of a strategy is called any more, and its orders go."""
        self.keep_orders = False
        for seat in self.seats:
            seat.desk.deafen(to_orders=True)
            seat.desk.close()
        # Of all orders: who places one comes to own it a moment later, and the error may lie between.
        self._ask_to_cancel("run", self.engine.gateway.orders.values())
        self.stop()

    def kill(self, error: StrategyKilled) -> None:
        """Stop every strategy for good, and have all orders withdrawn, those to be kept, too."""
        self.keep_orders = False
        for seat in self.seats:
            seat.fail(error)
        self._ask_to_cancel("kill", self.engine.gateway.open_orders())
        self.stop()

    def abandon(self) -> None:
        """Go on without the strategies that run and haven't left."""
        for seat in self.seats:
            if not seat.begun or seat.gone.is_set():
                continue
            seat.fail(StrategyBlocked(f"{seat.name} didn't end when told to; the run was ended without it"))
            seat.desk.close()
            seat.desk.hurry()
            self._settle(seat)
            seat.gone.set()

    def stuck(self) -> list[str]:
        """Name the strategies that were told to stop and haven't begun to leave."""
        return [seat.name for seat in self.seats if self.stopping and seat.state in ("warming", "running")]

    def refused(self, owner: str, words: str) -> None:
        """A stream that `owner` needs can't be had. Without those of the account nobody can trade."""
        found = [seat for seat in self.seats if seat.name == owner]
        for seat in found:
            seat.fail(SubscriptionRefused(f"{owner}: {words}", words=words))
        if self.seats and not found:
            self.note("venue", f"refused: {words}")
            self.stop()

    def raised(self, receive: object, error: BaseException) -> None:
        """A handler raised: stop its strategy. `receive` is its feed, or what delivers to it."""
        feed = receive if isinstance(receive, Feed) else getattr(receive, "__self__", None)
        found = [seat for seat in self.seats if any(feed is mine for _, mine in seat.rows)]
        if not found:
            raise error
        for seat in found:
            seat.fail(error)

    def parked(self, task: trio.lowlevel.Task) -> None:
        """A strategy's task can't be ended: it gets no more turns, so the strategy never leaves; see to its orders."""
        above: trio.lowlevel.Task | None = task
        while above is not None:
            for seat in self.seats:
                if seat.task is above:
                    why = f"{task.name} caught its own end, again and again; it gets no more turns"
                    seat.fail(StrategyBlocked(f"{seat.name} didn't end when told to: {why}" if self.stopping else why))
                    self.note(seat.name, f"failed: {seat.failure}")
                    seat.desk.deafen(to_orders=True)
                    seat.desk.close()
                    self._ask_to_cancel(seat.name, seat.desk.open_orders())
                    return
            above = None if above.parent_nursery is None else above.parent_nursery.parent_task

    async def run(self) -> None:
        """Run all seats; returns when each has left."""
        await trio.lowlevel.checkpoint()
        for seat in self.seats:
            self._declare(seat)
        for seat in self.seats:
            seat.begun = True
            seat.desk.start_in(self.home, self._run_seat, seat)
        await self.wait_gone()

    async def wait_gone(self) -> None:
        """Return when all that have begun to run have left."""
        await trio.lowlevel.checkpoint()
        for seat in self.seats:
            if seat.begun:
                await seat.gone.wait()

    def _declare(self, seat: Seat) -> None:
        now = self.now()
        try:
            for declaration in seat.strategy.declarations():
                stream = declaration.stream(seat.strategy, now=now)
                feed = declaration.make_feed(seat.strategy, stream, seat.desk)
                seat.desk.feeds[declaration.name] = feed
                row = self.engine.want(stream, seat.name, feed.deliver, fresh_within=declaration.fresh_within)
                feed.guid = row.guid
                seat.rows.append((row, feed))
        except StrategykitError as exc:
            seat.fail(exc)

    async def _run_seat(self, seat: Seat) -> None:
        seat.task = trio.lowlevel.current_task()
        try:
            with seat.scope:
                async with trio.open_nursery() as nursery:
                    seat.desk.nursery = nursery
                    seat.state = "warming"
                    await self._warm(seat)
                    seat.state = "running"
                    await seat.strategy.run()
                    if _reacts(seat.strategy):
                        await trio.sleep_forever()
        except* seat.desk.failures as group:  # A strategy's boundary: whatever it raises stops it alone.
            seat.fail(_plain(group))
        finally:
            if not seat.gone.is_set():  # Else it was left behind, and accounted for.
                seat.state = "leaving"
                try:
                    await self._leave(seat)
                except STRATEGY_FAILURES as exc:  # The others leave as they should, whatever goes wrong with one.
                    seat.fail(exc)
                finally:
                    self._settle(seat)
                    seat.gone.set()

    async def _warm(self, seat: Seat) -> None:
        """Have the history of every bar stream loaded, side by side."""
        cold = {feed: row for row, feed in seat.rows if isinstance(feed, BarFeed) and not feed.warm}
        if not cold:
            await trio.lowlevel.checkpoint()
            return
        with trio.move_on_after(WARM_WITHIN):
            async with trio.open_nursery() as nursery:
                for feed, row in cold.items():
                    seat.desk.start_in(nursery, self._load, seat, feed, row.stream)
        for feed in cold:
            if not feed.warm:
                reason = f"{feed.stream.label}: its history of {feed.history} bars didn't come in {WARM_WITHIN:g} s"
                if self.require_history:
                    raise StrategyError(reason)
                self.note(seat.name, reason)
                feed.warmed([])

    async def _load(self, seat: Seat, feed: BarFeed, served_by: Stream) -> None:
        stream, came = feed.stream, trio.Event()
        reasons: list[str] = []

        def take(rows: Sequence[Event | Instrument] | None, reason: str) -> None:
            if rows is None:
                reasons.append(reason)
            elif not feed.warm:
                bars = [row for row in rows if isinstance(row, Bar)]
                # The last one may still be forming; the live stream tells its end.
                try:
                    feed.warmed([bar for bar in bars if bar.open_time + bar.interval <= self.now()])
                except STRATEGY_FAILURES as exc:  # A strategy's boundary: handlers get the bars that came early.
                    seat.fail(exc)
            came.set()

        ask = AskBars(
            instrument=stream.instrument or "",
            interval=stream.interval or 0,
            count=feed.history,
            until=self.now(),
            exchange=stream.exchange,
            board=stream.board,
        )
        self.engine.ask(ask, take)
        await came.wait()
        if reasons:
            built = served_by.kind is not StreamKind.BARS
            if self.require_history and not (built and self._never_answers(ask)):
                raise StrategyError(f"{stream.label}: its history can't be loaded: {reasons[0]}")
            self.note(seat.name, f"{stream.label}: no history, so its indicators begin empty: {reasons[0]}")
            feed.warmed([])

    def _never_answers(self, ask: AskBars) -> bool:
        try:
            self.engine.dialect.request(ask)
        except LocalProtocolError:
            return True
        return False

    async def _leave(self, seat: Seat) -> None:
        """Cancel working orders by policy and end the strategy's subscriptions; shielded and bounded."""
        seat.desk.deafen(to_orders=False)
        seat.desk.close()
        if not self._keeps(seat):
            with seat.desk.leaving(CLEAN_WITHIN):
                orders = list(seat.desk.open_orders())
                for order in orders:
                    order.cancel_nowait()
                for order in orders:
                    await order.ended()
        for row, feed in seat.rows:
            if not self.stopping:
                self.engine.release(row, seat.name, feed.deliver)

    def _keeps(self, seat: Seat) -> bool:
        return self.keep_orders and seat.failure is None

    def _settle(self, seat: Seat) -> None:
        """Say how it went."""
        kept = self._keeps(seat)
        seat.left = [repr(order) for order in seat.desk.open_orders() if order.uncertain or not kept]
        seat.state = "ended" if seat.failure is None else "failed"
        if seat.failure is not None:
            self.note(seat.name, f"failed: {type(seat.failure).__name__}: {seat.failure}")

    def _ask_to_cancel(self, source: str, orders: Iterable[Order]) -> None:
        """Ask for the end of orders whose strategy doesn't leave; nobody waits for it."""
        for order in list(orders):
            try:
                order.cancel_nowait()
            except STRATEGY_FAILURES as exc:  # One that can't be withdrawn is no reason to leave the others.
                self.note(source, f"{order!r} can't be cancelled: {type(exc).__name__}: {exc}")


def _reacts(strategy: Strategy) -> bool:
    """Whether the strategy has handlers, and so goes on after its `run`."""
    names = [name for name in vars(Strategy) if name.startswith("on_")]
    return any(getattr(type(strategy), name) is not getattr(Strategy, name) for name in names)


def _plain(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Give the one error that a group of one holds, or the group."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error

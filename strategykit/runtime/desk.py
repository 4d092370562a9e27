"""A strategy's place in a run: its feeds, orders, portfolio, tasks and random numbers."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from decimal import Decimal
from typing import Any, Protocol, cast

import attrs
import trio

from strategykit.errors import STRATEGY_FAILURES, ConfigError, RiskLimit, StrategyError
from strategykit.indicators import Condition
from strategykit.model.events import Fill, Gap, Side, Stale
from strategykit.model.instruments import Instrument
from strategykit.model.orders import GroupKind
from strategykit.model.portfolio import Portfolio
from strategykit.runtime.because import Because, Conditions
from strategykit.runtime.clock import RunClock
from strategykit.runtime.feeds import Feed
from strategykit.runtime.flatten import LateFills
from strategykit.runtime.gateway import Gateway
from strategykit.runtime.groups import OrderSpec
from strategykit.runtime.holding import Holding, hold_scope
from strategykit.runtime.legs import Legs, legs_scope
from strategykit.runtime.levels import Terms
from strategykit.runtime.order import Order
from strategykit.runtime.scopes import Freshness, fresh_scope, working_scope
from strategykit.runtime.waking import Signal, Wakes
from strategykit.venues.streams import UNTRADED

__all__ = ["Desk", "Reactions"]


class Reactions(Protocol):
    """The handlers of a strategy that its desk calls."""

    def own_handler(self, name: str) -> Callable[[Any], None] | None:
        """Give the handler `name` if the strategy has its own."""
        ...

    def on_gap(self, gap: Gap) -> None: ...
    def on_stale(self, stale: Stale) -> None: ...


@attrs.define(eq=False, kw_only=True)
class Desk:
    """What one running strategy has. Made by the supervisor before the strategy starts."""

    name: str
    """The strategy's name in this run."""
    clock: RunClock
    wakes: Wakes
    gateway: Gateway
    portfolio: Portfolio
    random: random.Random
    reactions: Reactions
    note: Callable[[str, str], None]
    """Takes the strategy's name and a line for the run's record."""
    failed: Callable[[BaseException], None]
    """Called with what a handler raised; stops this strategy, and no other."""
    failures: tuple[type[BaseException], ...] = STRATEGY_FAILURES
    """What the strategy may raise that stops it alone."""
    stops_at_venue: bool = False
    """Whether stops can rest at the venue, and so outlive this program."""
    links_orders: bool = False
    """Whether orders go to a venue that takes groups of linked ones."""
    kill: Callable[[str, str], None] = lambda *_: None
    """Pulls the run's kill switch: takes a reason, and who."""
    nursery: trio.Nursery | None = attrs.field(default=None, init=False)
    feeds: dict[str, Feed[Any]] = attrs.field(factory=dict, init=False)
    orders: list[Order] = attrs.field(factory=list, init=False)
    protections: dict[str, int] = attrs.field(factory=dict, init=False)
    """Positions that had a stop, by where it was: ``"venue"`` or ``"here"``."""
    _watchers: list[Callable[[Order], None]] = attrs.field(factory=list, init=False)
    _on_order: Callable[[Any], None] | None = attrs.field(
        init=False,
        repr=False,
        default=attrs.Factory(lambda self: self.reactions.own_handler("on_order"), takes_self=True),
    )
    _on_fill: Callable[[Any], None] | None = attrs.field(
        init=False,
        repr=False,
        default=attrs.Factory(lambda self: self.reactions.own_handler("on_fill"), takes_self=True),
    )
    _late_fills: LateFills = attrs.field(
        init=False, repr=False, default=attrs.Factory(lambda self: LateFills(self, self.start), takes_self=True)
    )
    conditions: Conditions | None = attrs.field(
        init=False,
        repr=False,
        default=attrs.Factory(
            lambda self: None if self.gateway.journal is None else Conditions(self.clock.turns), takes_self=True
        ),
    )
    """What its tasks have waited for; None where nobody writes down why orders are placed."""
    because: Because | None = attrs.field(default=None, init=False)
    """What places the order that is being placed; None: a line of the strategy's own."""
    ending: str = attrs.field(default="", init=False)
    """Why the strategy is told to end, in words; empty while it isn't."""
    _leaving: list[trio.CancelScope] = attrs.field(factory=list, init=False)
    _hurried: bool = attrs.field(default=False, init=False)
    _deaf: bool = attrs.field(default=False, init=False)
    _deaf_to_orders: bool = attrs.field(default=False, init=False)
    _closed: bool = attrs.field(default=False, init=False)
    _alone: str = attrs.field(default="", init=False)
    """The one instrument of all feeds, when there were `_looked` of them."""
    _looked: int = attrs.field(default=-1, init=False)

    # Time and tasks

    def now(self) -> int:
        return self.clock.reading

    async def sleep_until(self, time: int) -> None:
        await trio.sleep_until(self.clock.time_at(time))

    def start(self, function: Callable[..., Awaitable[object]], *arguments: object) -> None:
        if self.nursery is None:
            raise StrategyError(f"{self.name} isn't running")
        self.start_in(self.nursery, function, *arguments)

    def start_in(self, nursery: trio.Nursery, function: Callable[..., Awaitable[object]], *arguments: object) -> None:
        self.clock.turns.start(nursery, function, *arguments)

    def log(self, text: str) -> None:
        self.note(self.name, text)

    @contextmanager
    def leaving(self, seconds: float) -> Iterator[trio.CancelScope]:
        """Open a shielded scope of `seconds` for cleaning up; `hurry` cancels it."""
        with trio.move_on_after(seconds, shield=True) as scope:
            if self._hurried:
                scope.cancel()
            self._leaving.append(scope)
            try:
                yield scope
            finally:
                self._leaving.remove(scope)

    def hurry(self) -> None:
        """End every clean-up now: the run has no more time."""
        self._hurried = True
        for scope in self._leaving:
            scope.cancel()

    def deafen(self, *, to_orders: bool) -> None:
        """Call no handler for market data any more, so that none acts after its strategy was cleaned up after.

        Args:
            to_orders: True where the strategy has failed: nothing of its own is called from now on.
        """
        self._deaf = True
        self._deaf_to_orders = self._deaf_to_orders or to_orders
        for feed in self.feeds.values():
            feed.mute()

    @property
    def deaf(self) -> bool:
        """Whether no handler for market data is called any more."""
        return self._deaf

    def close(self) -> None:
        """Place no orders any more: those that are open now are the last ones."""
        self._closed = True

    # Feeds

    def feed(self, name: str) -> Feed[Any]:
        try:
            return self.feeds[name]
        except KeyError:
            raise StrategyError(f"{self.name} has no stream {name!r} yet; streams exist only inside a run") from None

    def feeds_of(self, instrument: str) -> list[Feed[Any]]:
        return [feed for feed in self.feeds.values() if feed.instrument == instrument]

    async def when(self, condition: Condition) -> None:
        if not isinstance(condition, Condition):
            raise TypeError(f"`when` takes a condition such as `fast > slow`, not {condition!r}")
        feeds = tuple(root for root in condition.roots if isinstance(root, Feed))
        if not feeds:
            raise StrategyError("this condition hangs on no stream, so it can never change")
        words = await feeds[0].wait_for(condition, feeds, tell=self.conditions is not None)
        if self.conditions is not None:
            self.conditions.held(words)

    def feed_gap(self, feed: Feed[Any], gap: Gap) -> None:  # noqa: ARG002 - the gap names its guid
        if not self._deaf:
            self.reactions.on_gap(gap)

    def feed_stale(self, feed: Feed[Any], stale: Stale) -> None:  # noqa: ARG002 - see above
        if not self._deaf:
            self.reactions.on_stale(stale)

    def feed_full(self, feed: Feed[Any], error: StrategyError) -> None:  # noqa: ARG002 - see above
        self.failed(error)

    # Orders

    def _one(self, instrument: str | None) -> str:
        if instrument is not None:
            return instrument
        if self._looked == len(self.feeds):  # They come one by one, and none is taken away.
            return self._alone
        found: list[str] = []
        for feed in self.feeds.values():
            stream = feed.stream
            named = stream.instrument
            if named and named not in found and stream.kind not in UNTRADED:
                found.append(named)
        if len(found) != 1:
            raise ConfigError(f"{self.name} has the instruments {found or 'none'}; say which with instrument=…")
        self._looked, self._alone = len(self.feeds), found[0]
        return found[0]

    def instrument(self, instrument: str | None = None) -> Instrument:
        return self.gateway.instrument(self._one(instrument))

    def position(self, instrument: str | None = None) -> Decimal:
        return self.portfolio.quantity(self._one(instrument))

    def submit(
        self,
        side: Side,
        quantity: Decimal | int,
        *,
        instrument: str | None = None,
        because: Because | None = None,
        **how: Any,
    ) -> Order:
        if self._closed:
            raise RiskLimit(f"{self.name} is being cleaned up after: it places no orders any more")
        self.because = because
        order = self.gateway.submit(self.name, self._one(instrument), side, quantity, **how)
        self.orders.append(order)
        return order

    def submit_group(
        self, kind: GroupKind, specs: Sequence[OrderSpec], *, instrument: str | None = None
    ) -> tuple[Order, ...]:
        if not self.links_orders:
            raise ConfigError(
                f"{self.name}: linked orders don't exist where its orders go; `self.long` and `self.short` with stop= "
                "and target=, and `self.legs`, work everywhere"
            )
        if self._closed:
            raise RiskLimit(f"{self.name} is being cleaned up after: it places no orders any more")
        self.because = None
        orders = self.gateway.submit_group(self.name, self._one(instrument), kind, specs)
        self.orders.extend(orders)
        return orders

    def accepted(self, order: Order) -> Awaitable[None]:
        """Wait until the venue has accepted an order that was placed just now."""
        return order.accepted() if self.conditions is None else self.conditions.through(order.accepted)

    @property
    def explains(self) -> bool:
        return self.conditions is not None

    async def lane_open(self, *, to_open: bool = False) -> None:
        wait = self._may_open if to_open else self._lane_open
        await (wait() if self.conditions is None else self.conditions.through(wait))

    async def _lane_open(self) -> None:
        await self.gateway.lane.until(lambda: self.gateway.lane_up)

    async def _may_open(self) -> None:
        await self.gateway.lane.until(self.gateway.outages.may_open)

    def signal(self) -> Signal:
        return Signal(self.wakes)

    def watch_orders(self, callback: Callable[[Order], None]) -> None:
        self._watchers.append(callback)

    def unwatch_orders(self, callback: Callable[[Order], None]) -> None:
        self._watchers.remove(callback)

    def ended_flat(self, orders: list[Order], at: str = "") -> None:
        self._late_fills.add(orders, at)

    def protected(self, where: str) -> None:
        self.protections[where] = self.protections.get(where, 0) + 1

    def order_changed(self, order: Order) -> None:
        if self._watchers:
            for callback in tuple(self._watchers):
                callback(order)
        if self._late_fills.any and not self._closed:
            self._late_fills.look(order)
        if self._on_order is not None and not self._deaf_to_orders:
            self._call(self._on_order, order)

    def order_filled(self, order: Order, fill: Fill) -> None:  # noqa: ARG002 - the fill says it all
        if fill.instrument not in self.portfolio.positions:
            self.portfolio.add(self.gateway.instrument(fill.instrument))
        self.portfolio.apply(fill)
        if self._on_fill is not None and not self._deaf_to_orders:
            self._call(self._on_fill, fill)

    def _call(self, handler: Callable[[Any], None], news: Order | Fill) -> None:
        try:
            handler(news)
        except self.failures as exc:  # A strategy's boundary: whatever it raises stops it alone.
            if self._closed and isinstance(exc, RiskLimit):
                self.log(str(exc))  # It would have traded on; that is no failure.
            else:
                self.failed(exc)

    def open_orders(self) -> Iterable[Order]:
        return [order for order in self.gateway.open_orders() if order.strategy == self.name]

    # Scopes. Those that can end their own block say so to type checkers: the code after them is reached.

    def hold(
        self, side: Side, quantity: Decimal | int, *, instrument: str | None, terms: Terms
    ) -> AbstractAsyncContextManager[Holding, bool]:
        scope = hold_scope(self, side, quantity, instrument=self._one(instrument), terms=terms)
        return cast("AbstractAsyncContextManager[Holding, bool]", scope)

    def legs(self, *, within: float) -> AbstractAsyncContextManager[Legs]:
        return legs_scope(self, within=within)

    def working(self, *orders: Order) -> AbstractAsyncContextManager[None]:
        return working_scope(self, orders)

    def fresh(self, feed: Feed[Any], *, within: float) -> AbstractAsyncContextManager[Freshness, bool]:
        return cast("AbstractAsyncContextManager[Freshness, bool]", fresh_scope(feed, within=within, now=self.now))

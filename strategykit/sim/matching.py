"""One instrument's order book: price-time priority, whole ticks, whole lots."""

from __future__ import annotations

import enum
from bisect import bisect_left, insort
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from typing import Final

import attrs

from strategykit.model.events import Side
from strategykit.model.orders import TimeInForce

__all__ = ["Ended", "Match", "MatchingEngine", "Order", "Outcome", "SelfTrade", "Triggered", "Why"]

_ANY_PRICE: Final = -(1 << 62)
"""The threshold of a market order: every price is good enough."""

_ALL_OR_NOTHING: Final = frozenset({TimeInForce.FILL_OR_KILL, TimeInForce.AT_THE_CLOSE})
"""ALOR protocol sheet, section 3.13: on MOEX `attheclose` acts as fill-or-kill."""

_NEVER_RESTS: Final = _ALL_OR_NOTHING | {TimeInForce.IMMEDIATE_OR_CANCEL}


class SelfTrade(enum.Enum):
    """What happens when an owner's order meets another of the same owner."""

    ALLOWED = "allowed"
    CANCEL_RESTING = "cancel_resting"
    """The older order is cancelled and the newer one goes on: the newer one is what its owner means now."""


class Why(enum.Enum):
    """Why an order ended without being filled whole."""

    NO_LIQUIDITY = "nothing more to match with"
    NOT_WHOLE = "it couldn't be filled whole"
    WOULD_TAKE = "it would have matched at once, and was to rest only"
    SELF_TRADE = "it would have traded with its own account"


@attrs.define(eq=False)
class Order:
    """An order as the book counts it."""

    number: int
    owner: str
    """Empty for the generated crowd, which may trade with itself."""
    side: Side
    quantity: int
    """Lots, above 0."""
    price: int | None = None
    """Limit in ticks; None for a market order."""
    force: TimeInForce = TimeInForce.DAY
    display: int | None = None
    """Lots that an iceberg shows at a time."""
    stop: int | None = None
    """Trigger in ticks: a buy fires when a trade prints at or above it, a sell at or below it."""
    remaining: int = attrs.field(init=False)
    visible: int = attrs.field(init=False, default=0)
    """Lots shown in the book now."""

    def __attrs_post_init__(self) -> None:
        self.remaining = self.quantity


@attrs.define(eq=False)
class Match:
    """One trade: `taker` came, `maker` rested and named the price."""

    maker: Order
    taker: Order
    price: int
    quantity: int
    maker_left: int
    """Lots of the maker's still unfilled after this trade."""
    taker_left: int


@attrs.define(eq=False)
class Ended:
    """An order left with lots unfilled."""

    order: Order
    why: Why


@attrs.define(eq=False)
class Triggered:
    """A stop fired and became `child`, which has a number of its own."""

    stop: Order
    child: Order


Outcome = Match | Ended | Triggered


@attrs.define(eq=False)
class _Level:
    """Orders of one price, oldest first; `OrderedDict` because its first item is found at once after deletions."""

    size: int = 0
    """Visible lots."""
    orders: OrderedDict[int, Order] = attrs.field(factory=OrderedDict)


class _Half:
    """One side of the book. A key is price times sign, so that the best is always the last."""

    __slots__ = ("keys", "levels", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.keys: list[int] = []
        self.levels: dict[int, _Level] = {}

    def rest(self, order: Order, price: int) -> None:
        key = price * self.sign
        level = self.levels.get(key)
        if level is None:
            level = self.levels[key] = _Level()
            insort(self.keys, key)
        order.visible = order.remaining if order.display is None else min(order.display, order.remaining)
        level.size += order.visible
        level.orders[order.number] = order

    def remove(self, order: Order, price: int) -> None:
        key = price * self.sign
        level = self.levels[key]
        del level.orders[order.number]
        level.size -= order.visible
        order.visible = 0
        if not level.orders:
            del self.levels[key]
            del self.keys[bisect_left(self.keys, key)]


class MatchingEngine:
    """The book.

    Args:
        number: Gives the number of the order that a triggered stop becomes.
        self_trade: Whether one owner's orders may meet. The crowd's always may.
    """

    def __init__(self, *, number: Callable[[], int], self_trade: SelfTrade = SelfTrade.ALLOWED) -> None:
        self._number = number
        self._prevent = self_trade is SelfTrade.CANCEL_RESTING
        self._halves = {Side.BUY: _Half(1), Side.SELL: _Half(-1)}
        self._resting: dict[int, Order] = {}
        self._stops: dict[Side, list[tuple[int, int, Order]]] = {Side.BUY: [], Side.SELL: []}
        self._waiting: dict[int, tuple[int, int, Order]] = {}
        self._arrived = 0
        self._fired: deque[Order] = deque()
        self.last: int | None = None
        """Price of the last trade, ticks."""

    def best(self, side: Side) -> int | None:
        """Give the highest bid or the lowest ask, in ticks."""
        half = self._halves[side]
        return half.keys[-1] * half.sign if half.keys else None

    def depth(self, side: Side, levels: int) -> list[tuple[int, int]]:
        """Give ``(price, visible lots)``, best first, of at most `levels` levels."""
        half = self._halves[side]
        return [(key * half.sign, half.levels[key].size) for key in half.keys[: -levels - 1 : -1]]

    def levels(self, side: Side) -> int:
        """Count the prices that have orders."""
        return len(self._halves[side].keys)

    def counts(self, side: Side, levels: int) -> list[int]:
        """Give how many orders stand at each of the best `levels` prices, as `depth` gives their lots."""
        half = self._halves[side]
        return [len(half.levels[key].orders) for key in half.keys[: -levels - 1 : -1]]

    def resting(self, side: Side) -> Iterator[Order]:
        """Yield the orders in the book as they would be served: by price, then by time."""
        half = self._halves[side]
        for key in reversed(half.keys):
            yield from half.levels[key].orders.values()

    def find(self, number: int) -> Order | None:
        """Give the order if it rests or waits for its trigger."""
        order = self._resting.get(number)
        if order is None and number in self._waiting:
            order = self._waiting[number][2]
        return order

    def submit(self, order: Order) -> list[Outcome]:
        """Execute a new order and whatever stops it sets off; give what happened, in order.

        A stop whose trigger the last trade has passed already fires at once. Stops that one order sets off fire
        after it, nearest trigger first, older first, each one's own matching before the next.
        """
        outcomes: list[Outcome] = []
        self._accept(order, outcomes)
        while self._fired:
            stop = self._fired.popleft()
            child = Order(
                self._number(), stop.owner, stop.side, stop.quantity, stop.price, stop.force, stop.display, None
            )
            outcomes.append(Triggered(stop, child))
            self._accept(child, outcomes)
        return outcomes

    def cancel(self, number: int) -> Order | None:
        """Take an order or a waiting stop out; None if it's neither."""
        order = self._resting.pop(number, None)
        if order is not None:
            assert order.price is not None
            self._halves[order.side].remove(order, order.price)
            return order
        waiting = self._waiting.pop(number, None)
        if waiting is None:
            return None
        stops = self._stops[waiting[2].side]
        del stops[bisect_left(stops, waiting)]
        return waiting[2]

    def amend(self, number: int, order: Order) -> list[Outcome]:
        """Replace an order by a new one with a new number, at the back of its queue: ALOR's rule (sheet, section 4.4).

        Raises:
            KeyError: No such order rests or waits; nothing was submitted.
        """
        if self.cancel(number) is None:
            raise KeyError(number)
        return self.submit(order)

    def _accept(self, order: Order, outcomes: list[Outcome]) -> None:
        if order.stop is not None:
            self._wait(order, order.stop)
            return
        other = self._halves[order.side.opposite]
        threshold = _ANY_PRICE if order.price is None else order.price * other.sign
        crosses = bool(other.keys) and other.keys[-1] >= threshold
        if order.force is TimeInForce.POST_ONLY and crosses:
            outcomes.append(Ended(order, Why.WOULD_TAKE))
            return
        if order.force in _ALL_OR_NOTHING and not self._enough(order, other, threshold):
            outcomes.append(Ended(order, Why.NOT_WHOLE))
            return
        if crosses:
            self._match(order, other, threshold, outcomes)
        if not order.remaining:
            return
        if order.price is None or order.force in _NEVER_RESTS:
            outcomes.append(Ended(order, Why.NO_LIQUIDITY))
            return
        self._resting[order.number] = order
        self._halves[order.side].rest(order, order.price)

    def _match(self, order: Order, other: _Half, threshold: int, outcomes: list[Outcome]) -> None:
        traded: list[int] = []
        while order.remaining and other.keys and other.keys[-1] >= threshold:
            key = other.keys[-1]
            level = other.levels[key]
            price = key * other.sign
            queue = level.orders
            while order.remaining and queue:
                maker = next(iter(queue.values()))
                if self._prevent and order.owner and maker.owner == order.owner:
                    self._drop(maker, level)
                    outcomes.append(Ended(maker, Why.SELF_TRADE))
                    continue
                quantity = min(order.remaining, maker.visible)
                order.remaining -= quantity
                maker.remaining -= quantity
                maker.visible -= quantity
                level.size -= quantity
                if not maker.remaining:
                    self._drop(maker, level)
                elif not maker.visible:
                    assert maker.display is not None
                    maker.visible = min(maker.display, maker.remaining)
                    level.size += maker.visible
                    queue.move_to_end(maker.number)
                outcomes.append(Match(maker, order, price, quantity, maker.remaining, order.remaining))
                traded.append(price)
            if not queue:
                other.keys.pop()
                del other.levels[key]
        if traded:
            self.last = traded[-1]
            # One order's trades run one way, so the first and the last are the extremes.
            self._fire(traded[0])
            self._fire(traded[-1])

    def _drop(self, maker: Order, level: _Level) -> None:
        del level.orders[maker.number]
        del self._resting[maker.number]
        level.size -= maker.visible
        maker.visible = 0

    def _enough(self, order: Order, other: _Half, threshold: int) -> bool:
        """Whether the other side holds the whole quantity, hidden lots included."""
        needed = order.quantity
        for key in reversed(other.keys):
            if key < threshold:
                return False
            for maker in other.levels[key].orders.values():
                if not (self._prevent and order.owner and maker.owner == order.owner):
                    needed -= maker.remaining
            if needed <= 0:
                return True
        return False

    def _wait(self, order: Order, stop: int) -> None:
        sign = order.side.sign
        if self.last is not None and stop * sign <= self.last * sign:
            self._fired.append(order)
            return
        self._arrived += 1
        waiting = (stop * sign, self._arrived, order)
        self._waiting[order.number] = waiting
        insort(self._stops[order.side], waiting)

    def _fire(self, price: int) -> None:
        for side, stops in self._stops.items():
            reached = price * side.sign
            while stops and stops[0][0] <= reached:
                order = stops.pop(0)[2]
                del self._waiting[order.number]
                self._fired.append(order)

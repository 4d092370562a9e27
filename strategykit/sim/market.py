"""A crowd that trades: seeded order flow around a price that trends, reverts and bursts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil, floor, sqrt
from random import Random
from typing import Final

from strategykit.model.events import Side
from strategykit.model.orders import TimeInForce
from strategykit.sim.history import MINUTE, SECOND
from strategykit.sim.matching import MatchingEngine, Order, Outcome

__all__ = ["NEVER", "Crowd", "FairPrice", "generate_past"]

NEVER: Final = (1 << 63) - 1
"""Nanoseconds; the year 2262."""

_VOLATILITY: Final = 2.0
"""Ticks a square root of a second: some 0.4 % an hour for a share of 300 with ticks of 0.01."""

_CROWDED: Final = 220
"""Resting orders above which the crowd withdraws rather than adds: 20 to 30 levels a side."""

_SPARSE: Final = 140

_THIN: Final = 15
"""Levels of a side below which the crowd fills up that side."""


class FairPrice:
    """What the crowd thinks the price should be, in ticks: passing trends, noise, and a slow pull home.

    Args:
        random: Its only source of chance.
        ticks: Where it starts and where the pull leads.
        low: It never goes below this.
        high: Nor above this.
    """

    def __init__(self, random: Random, ticks: float, *, low: float, high: float) -> None:
        self.ticks = ticks
        self.drift = 0.0
        """Ticks a second, of the current regime."""
        self._random = random
        self._home = ticks
        self._low = low
        self._high = high
        self._left = 0.0

    def move(self, seconds: float) -> float:
        """Let time pass; give where the price is now."""
        random = self._random
        self._left -= seconds
        if self._left <= 0:
            self._left = 1.5 + random.expovariate(1 / 3)
            back = -1 if self.drift > 0 else 1
            self.drift = random.choice((back, back, -back, 0)) * random.uniform(2.0, 6.0)
        pull = (self._home - self.ticks) * min(1.0, 0.003 * seconds)
        # A regime lasts some 5 s; over a longer step several of them cancel each other out.
        push = self.drift * sqrt(seconds) * min(sqrt(seconds), 2.0)
        noise = random.gauss(0.0, _VOLATILITY) * sqrt(seconds)
        self.ticks = min(max(self.ticks + pull + push + noise, self._low), self._high)
        return self.ticks


class Crowd:
    """Everyone else on one instrument's book.

    Args:
        engine: The book.
        fair: The price they trade around.
        random: Their only source of chance.
        number: Gives order numbers.
        start: When they begin, nanoseconds UTC.
        rate: Actions a second on average; four times as many in a burst. 0: none, the book stays as it is.
    """

    def __init__(
        self,
        engine: MatchingEngine,
        fair: FairPrice,
        *,
        random: Random,
        number: Callable[[], int],
        start: int,
        rate: float,
    ) -> None:
        self.next_time = start
        """When the next action is due, nanoseconds UTC."""
        self._engine = engine
        self._fair = fair
        self._random = random
        self._number = number
        self._rate = rate
        # A slow crowd can't follow a fast price: its spread would be the distance that the price runs.
        self._pace = min(1.0, rate / 100)
        self._time = start
        self._burst_until = start
        self._orders: list[Order] = []
        self._schedule()

    def open_book(self) -> None:
        """Fill the empty book around the fair price."""
        middle = floor(self._fair.ticks)
        for offset in range(30):
            for _ in range(2):
                self._rest(Side.BUY, middle - offset)
                self._rest(Side.SELL, middle + 1 + offset)

    def act(self) -> list[Outcome]:
        """Do the action that is due at `next_time`; give what it led to."""
        seconds = (self.next_time - self._time) / SECOND
        self._time = self.next_time
        fair = self._fair.move(seconds * self._pace)
        outcomes = self._choose(fair)
        self._schedule()
        return outcomes

    def resume(self, now: int) -> None:
        """Go on at `now` after a halt, during which nothing was done and the fair price stood."""
        self._time = now
        self._schedule()

    def _schedule(self) -> None:
        random = self._random
        if not self._rate:
            self.next_time = NEVER
            return
        bursting = self._time < self._burst_until
        rate = self._rate * (4 if bursting else 1)
        if not bursting and random.random() < 0.1 / self._rate:
            self._burst_until = self._time + int(random.uniform(0.1, 0.5) * SECOND)
        self.next_time = self._time + max(1, int(random.expovariate(rate) * SECOND))

    def _choose(self, fair: float) -> list[Outcome]:
        bid, ask = self._engine.best(Side.BUY), self._engine.best(Side.SELL)
        random = self._random
        if bid is None or ask is None:
            return self._rest(Side.BUY if bid is None else Side.SELL, floor(fair) if bid is None else ceil(fair))
        if fair > ask + 0.5:
            return self._take(Side.BUY, floor(fair))
        if fair < bid - 0.5:
            return self._take(Side.SELL, ceil(fair))
        chance = random.random()
        if ask - bid > 2 and chance < 0.75:
            # Someone undercuts, on the side that lags behind the fair price.
            return self._rest(Side.BUY, bid + 1) if fair - bid > ask - fair else self._rest(Side.SELL, ask - 1)
        thin = Side.BUY if self._engine.levels(Side.BUY) < self._engine.levels(Side.SELL) else Side.SELL
        if self._engine.levels(thin) < _THIN:
            offset = random.randrange(30)
            return self._rest(thin, floor(fair) - offset if thin is Side.BUY else ceil(fair) + offset)
        if self._time < self._burst_until and chance < 0.5:
            return self._take(Side.BUY if self._fair.drift > 0 else Side.SELL, None)
        if chance < 0.15:
            lean = min(max((fair - (bid + ask) / 2) / 4, -0.4), 0.4)
            return self._take(Side.BUY if random.random() < 0.5 + lean else Side.SELL, None)
        crowded = len(self._orders)
        if crowded > _CROWDED or (crowded > _SPARSE and chance < 0.55):
            return self._withdraw(fair)
        offset = min(int(random.expovariate(1 / 7)), 40)
        if random.random() < 0.5:
            return self._rest(Side.BUY, floor(fair) - offset)
        return self._rest(Side.SELL, ceil(fair) + offset)

    def _rest(self, side: Side, price: int) -> list[Outcome]:
        quantity = 1 + int(self._random.expovariate(1 / 20))
        order = Order(self._number(), "", side, quantity, max(price, 1))
        outcomes = self._engine.submit(order)
        if order.remaining:
            self._orders.append(order)
        return outcomes

    def _take(self, side: Side, price: int | None) -> list[Outcome]:
        quantity = 1 + int(self._random.expovariate(1 / (8 if price is None else 25)))
        force = TimeInForce.IMMEDIATE_OR_CANCEL
        return self._engine.submit(Order(self._number(), "", side, quantity, price, force))

    def _withdraw(self, fair: float) -> list[Outcome]:
        """Cancel the farther of two orders; filled ones that come up are forgotten."""
        orders = self._orders
        picks = sorted((self._random.randrange(len(orders)), self._random.randrange(len(orders))))
        for index in reversed(picks):
            if not orders[index].remaining:
                orders[index] = orders[-1]
                orders.pop()
                return []
        index = max(picks, key=lambda pick: abs((orders[pick].price or 0) - fair))
        self._engine.cancel(orders[index].number)
        orders[index] = orders[-1]
        orders.pop()
        return []


def generate_past(
    fair: FairPrice, random: Random, *, start: int, minutes: int, seconds: int
) -> Iterator[tuple[int, float, int]]:
    """Yield ``(time, price in ticks, lots)`` of trades before `start`: coarse ones first, then some every second.

    The price ends where the market will open.
    """
    near = start - seconds * SECOND
    step = MINUTE // 6
    for time in range(near - minutes * MINUTE, near, step):
        yield time, fair.move(step / SECOND), 1 + int(random.expovariate(1 / 300))
    step = SECOND // 2
    for time in range(near, start, step):
        yield time, fair.move(step / SECOND), 1 + int(random.expovariate(1 / 10))

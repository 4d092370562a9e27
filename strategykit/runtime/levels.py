"""On what terms a position is held, and the prices that follow from them: stop, trailing stop, target."""

from __future__ import annotations

import math
from decimal import Decimal

import attrs

from strategykit.errors import RiskLimit
from strategykit.model.events import Side
from strategykit.model.instruments import Instrument
from strategykit.runtime.requests import tick_price

__all__ = ["Levels", "Terms"]


@attrs.frozen(kw_only=True)
class Terms:
    """How a position is entered, and what ends it by itself.

    Of `stop`, `target` and `trailing`, a `float` is a part of the entry price, a `Decimal` a distance in price.
    """

    limit: Decimal | float | None = None
    """Worst price of the entry; None: at the market."""
    enter_within: float | None = None
    """Seconds after which what isn't filled of the entry is withdrawn; None: however long it takes."""
    stop: Decimal | float | None = None
    target: Decimal | float | None = None
    trailing: Decimal | float | None = None
    within: float | None = None
    """Seconds that it is held at the most."""

    @property
    def by_price(self) -> bool:
        """Whether prices have to be watched."""
        return self.stop is not None or self.target is not None or self.trailing is not None

    def check(self, side: Side) -> None:
        """Pass what makes sense for a position of `side`.

        Raises:
            RiskLimit: It doesn't; says what would.
        """
        check_distance("stop", self.stop, below=side is Side.BUY)
        check_distance("target", self.target, below=side is Side.SELL)
        check_distance("trailing", self.trailing, below=side is Side.BUY)
        check_seconds("enter_within", self.enter_within)
        check_seconds("within", self.within)


def check_distance(name: str, value: Decimal | float | None, *, below: bool) -> None:
    """Pass a distance that can be.

    Args:
        name: What it is of.
        value: A part of the price, or a `Decimal`: a distance in price.
        below: Whether it is taken off the price, so that it has to be less than all of it.

    Raises:
        RiskLimit: It can't be.
    """
    if value is None:
        return
    exact = isinstance(value, Decimal)
    if not math.isfinite(value) or value <= 0:
        raise RiskLimit(f"{name} must be a {'distance' if exact else 'part of the price'} above 0, not {value}")
    if below and not exact and value >= 1:
        raise RiskLimit(f"{name} must be a part of the price below 1, not {value}; a Decimal is a distance in price")


def check_seconds(name: str, value: float | None) -> None:
    """Pass a length of time.

    Raises:
        RiskLimit: It is none.
    """
    if value is not None and not value > 0:
        raise RiskLimit(f"{name} must be above 0 s, not {value}")


@attrs.define(eq=False)
class Levels:
    """The prices at which a position is left, on the tick: a stop is rounded away from the market, a target, too."""

    known: Instrument
    side: Side
    terms: Terms
    stop: Decimal | None = attrs.field(default=None, init=False)
    target: Decimal | None = attrs.field(default=None, init=False)
    trail: Decimal | None = attrs.field(default=None, init=False)
    """Where the trailing stop is."""
    _entry: Decimal | None = attrs.field(default=None, init=False)
    _best: Decimal | None = attrs.field(default=None, init=False)
    _distance: Decimal | None = attrs.field(default=None, init=False)
    """From the best price to the trailing stop."""
    _stop_moved: bool = attrs.field(default=False, init=False)
    _target_moved: bool = attrs.field(default=False, init=False)
    _trail_moved: bool = attrs.field(default=False, init=False)

    @property
    def protective(self) -> Decimal | None:
        """The tighter one of stop and trailing stop."""
        if self.stop is None or self.trail is None:
            return self.trail if self.stop is None else self.stop
        return max(self.stop, self.trail) if self.side is Side.BUY else min(self.stop, self.trail)

    def kind(self, price: Decimal | None) -> str:
        """Say which of the two a protective price is."""
        return "trailing" if self.trail is not None and price != self.stop else "stop"

    def enter(self, price: Decimal) -> None:
        """The position was entered at `price`, on average and so far: what hangs on that moves with it."""
        if price == self._entry:
            return
        self._entry, terms = price, self.terms
        if not self._stop_moved:
            self.stop = self._away(terms.stop, -1)
        if not self._target_moved:
            self.target = self._away(terms.target, 1)
        if not self._trail_moved and terms.trailing is not None:
            self._distance = self._length(terms.trailing)
        self._follow(price)

    def see(self, price: float) -> bool:
        """The position could be left at `price`; say whether that moves the trailing stop."""
        if self._distance is None or self._best is None or (price - float(self._best)) * self.side.sign <= 0:
            return False
        before = self.trail
        self._best = Decimal(str(price))
        self._follow(self._best)
        return self.trail != before

    def move_stop(self, price: Decimal | float) -> None:
        """Put the stop at `price`.

        Raises:
            RiskLimit: It is no price on the tick.
        """
        self.stop, self._stop_moved = self._price(price, self.side, "stop"), True

    def move_target(self, price: Decimal | float) -> None:
        """Put the target at `price`.

        Raises:
            RiskLimit: It is no price on the tick.
        """
        self.target, self._target_moved = self._price(price, self.side.opposite, "target"), True

    def move_trail(self, distance: Decimal | float) -> None:
        """Have the stop trail by `distance` from now on; it never goes back from where it is.

        Raises:
            RiskLimit: It is no distance.
        """
        check_distance("trailing", distance, below=self.side is Side.BUY)
        assert self._best is not None
        length = self._length(distance)
        if self._best - length * self.side.sign <= 0:
            raise RiskLimit(f"{self.known.symbol}: a stop that trails {self._best} by {length} can't be reached")
        self._distance, self._trail_moved = length, True
        self._follow(self._best)

    def check(self) -> None:
        """Pass levels that a price can reach.

        Raises:
            RiskLimit: One is at 0 or below.
        """
        for name, price in (("stop", self.stop), ("target", self.target), ("trailing stop", self.trail)):
            if price is not None and price <= 0:
                raise RiskLimit(
                    f"{self.known.symbol}: a {name} at {price} can't be reached; it was entered at {self._entry}"
                )

    def _follow(self, price: Decimal) -> None:
        sign = self.side.sign
        if self._best is None or (price - self._best) * sign > 0:
            self._best = price
        if self._distance is not None:
            level = self.known.round_price(self._best - self._distance * sign, side=self.side)
            if self.trail is None or (level - self.trail) * sign > 0:
                self.trail = level

    def _length(self, value: Decimal | float) -> Decimal:
        assert self._entry is not None
        return value if isinstance(value, Decimal) else self._entry * Decimal(str(value))

    def _away(self, value: Decimal | float | None, direction: int) -> Decimal | None:
        if value is None or self._entry is None:
            return None
        side = self.side if direction < 0 else self.side.opposite
        return self.known.round_price(self._entry + self._length(value) * direction * self.side.sign, side=side)

    def _price(self, price: Decimal | float, side: Side, what: str) -> Decimal:
        found = tick_price(self.known, price, side, what)
        if found is None or found <= 0:
            raise RiskLimit(f"{self.known.symbol}: {what} {price} isn't a price above 0")
        return found

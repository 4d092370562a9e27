"""Watching over a position: its stop rests at the venue where there is one to hold it, else prices are watched here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final, Protocol

import attrs
import trio

from strategykit.errors import RiskLimit, StrategykitError
from strategykit.model.events import Bar, BookSnapshot, Quote, Side, Ticker, Trade
from strategykit.model.orders import OrderState
from strategykit.runtime.because import Because, in_words
from strategykit.runtime.feeds import Feed
from strategykit.runtime.flatten import OrderSeat, lots_held
from strategykit.runtime.levels import Levels
from strategykit.runtime.order import Order
from strategykit.venues.streams import StreamKind

__all__ = ["PRICED", "Guard", "GuardSeat", "Protection", "need_prices", "price_to_leave"]

PRICED: Final = frozenset(
    {
        StreamKind.TRADES,
        StreamKind.QUOTES,
        StreamKind.BOOK,
        StreamKind.BOOK_BY_ORDER,
        StreamKind.BARS,
        StreamKind.TICKER,
    }
)
"""Streams that tell at which price a position could be left."""

MOVE_EVERY: Final = 1.0
"""Seconds from one command about a stop at the venue to the next: a stop that trails must not eat the account's rate
of messages. Meanwhile a price beyond the new level is seen here."""

_RESTS: Final = (OrderState.WORKING, OrderState.PARTIAL)


class GuardSeat(OrderSeat, Protocol):
    """What a guard needs of the strategy's desk."""

    @property
    def stops_at_venue(self) -> bool:
        """Whether stops can rest at the venue, and so outlive this program until somebody withdraws them."""
        ...

    def protected(self, where: str) -> None:
        """Count a position by where its stop was: ``"venue"`` or ``"here"``."""
        ...


@attrs.frozen
class Protection:
    """Where the stop of a position is."""

    where: str
    """``"venue"``: it rests there, for all that is held, until this run, the guard of one that is gone, or the next run
    withdraws it; ``"here"``: this program watches prices, and only while it runs; ``"none"``: there is no stop."""
    price: Decimal | None
    """Where it is to be: a stop at the venue that trails may be a moment behind."""
    order: Order | None
    """The stop that was placed at the venue, if any, whatever became of it."""
    reason: str
    """Why it is watched here, though the venue has stops; else empty."""


def price_to_leave(event: object, side: Side) -> float | None:
    """Give the price at which a position of `side` could be left, as far as `event` tells."""
    match event:
        case Trade(price=price):
            return price
        case Bar(close=close):
            return close
        case Ticker(last=last):
            return last
        case Quote(bid=bid, ask=ask):
            return bid if side is Side.BUY else ask
        case BookSnapshot(bid_prices=bids, ask_prices=asks):
            prices = bids if side is Side.BUY else asks
            return prices[0] if prices else None
    return None


def need_prices(feeds: Sequence[Feed[Any]], instrument: str) -> None:
    """Pass if there are streams that tell prices of `instrument`.

    Raises:
        RiskLimit: There is none.
    """
    if not feeds:
        raise RiskLimit(f"a stop or target on {instrument} needs a stream of its prices; declare one")


class Guard:
    """Ends a position when its stop, trailing stop or target is reached.

    Args:
        seat: The strategy's desk.
        levels: The prices.
        orders: All orders of the position, of which the first is its entry; a stop at the venue is added to them.
        feeds: What tells prices.
        end: Takes the reason for an end.
        at: The strategy's line that asked for the position, for whoever asks later what placed its stop.
    """

    def __init__(
        self,
        seat: GuardSeat,
        levels: Levels,
        orders: list[Order],
        feeds: Sequence[Feed[Any]],
        end: Callable[[str], None],
        at: str = "",
    ) -> None:
        self.levels = levels
        self._at = at
        self._seat = seat
        self._entry = orders[0]
        self._orders = orders
        self._feeds = feeds
        self._watching = False
        # Stops at venues go by trades. One that trailed a bid which nobody has met yet could fire where it is put.
        self._trails_trades = any(type(feed.last) is Trade for feed in feeds)
        self._end = end
        self._side = levels.side
        self._price: float | None = None
        """At which it could be left, as far as the last event told."""
        self._stop_at: float | None = None
        self._target_at: float | None = None
        self._order: Order | None = None
        self._kinds: dict[Decimal | None, str] = {}
        """Which stop a price of the order is; an amend that is on its way makes two of them."""
        self._last_price: Decimal | None = None
        """Of the order, when it rested last."""
        self._refused: tuple[Decimal, Decimal] | None = None
        """Price and lots that the venue wouldn't have the order amended to."""
        self._reason = ""
        """Why the stop is watched here."""
        self._over = False
        """Whether the venue holds no stop of this position any more."""
        self._fell_back = False
        self._news = seat.signal()

    @property
    def held(self) -> Decimal:
        """Lots held, by the fills so far; below 0 if more was closed than opened."""
        lots = lots_held(self._orders).get(self._entry.instrument)
        return Decimal(0) if lots is None else lots * self._side.sign

    @property
    def protection(self) -> Protection:
        wanted = self.levels.protective
        if wanted is None:
            return Protection("none", None, self._order, "")
        if self._rests():
            return Protection("venue", wanted, self._order, "")
        return Protection("here", wanted, self._order, self._reason)

    @contextmanager
    def on_duty(self) -> Iterator[None]:
        """Watch prices, if there are levels, and the orders while the block runs."""
        if self.levels.terms.by_price:
            self._watch()
        self._seat.watch_orders(self._changed)
        self._changed(self._entry)
        try:
            yield
        finally:
            self._seat.unwatch_orders(self._changed)
            for feed in self._feeds:
                feed.unwatch(self._saw)
            if self.levels.protective is not None:
                self._seat.protected("here" if self._fell_back or not self._seat.stops_at_venue else "venue")

    def move(self, change: Callable[[Levels], None]) -> None:
        """Change the levels by hand; a market that is beyond them already ends the position.

        Raises:
            RiskLimit: They can't be so, or nobody tells prices.
        """
        need_prices(self._feeds, self._entry.instrument)
        change(self.levels)
        self._watch()
        self._set()
        self._judge()

    async def keep(self) -> None:
        """Have the venue hold a stop for what is held, and move it with the levels; until cancelled."""
        while True:
            await self._news.until(lambda: self._wanted() is not None)
            await self._seat.lane_open()
            if wanted := self._wanted():
                await self._want(*wanted)
                await trio.sleep(MOVE_EVERY)

    # Here

    def _watch(self) -> None:
        if not self._watching:
            self._watching = True
            known = [feed.last for feed in self._feeds if feed.last is not None]
            self._price = price_to_leave(max(known, key=attrgetter("receive_time"), default=None), self._side)
            for feed in self._feeds:
                feed.watch(self._saw)

    def _saw(self, event: object) -> None:
        price = price_to_leave(event, self._side)
        if price is None:
            return
        self._price = price
        self._trails_trades = traded = type(event) is Trade or self._trails_trades
        if traded is (type(event) is Trade) and self.levels.see(price):
            self._set()
        self._judge()

    def _set(self) -> None:
        protective, target = self.levels.protective, self.levels.target
        self._stop_at = None if protective is None else float(protective)
        self._target_at = None if target is None else float(target)
        self._news.notify()

    def _judge(self) -> None:
        price, sign = self._price, self._side.sign
        if price is None:
            return
        if self._stop_at is not None and (price - self._stop_at) * sign <= 0:
            if not self._rests(at=self.levels.protective):
                self._end(self.levels.kind(self.levels.protective))
        elif self._target_at is not None and (price - self._target_at) * sign >= 0:
            self._end("target")

    # At the venue

    def _rests(self, at: Decimal | None = None) -> bool:
        """Whether the venue holds the stop for all that is held, at the price `at` if that is given."""
        order = self._order
        if order is None or order.state not in _RESTS or order.working_quantity < self.held:
            return False
        return at is None or order.request.stop_price == at

    def _wanted(self) -> tuple[Decimal, Decimal] | None:
        """Give price and lots that the venue's stop should have and hasn't; None if nothing can be done about it."""
        price, lots, order = self.levels.protective, self.held, self._order
        if self._over or price is None or lots <= 0:
            return None
        if order is not None:
            busy = order.amending is not None or order.cancel_wanted or order.uncertain
            if busy or order.state not in _RESTS or order.request.stop_price is None:
                return None
            if (order.request.stop_price, order.working_quantity) == (price, lots) or self._refused == (price, lots):
                return None
        return price, lots

    async def _want(self, price: Decimal, lots: Decimal) -> None:
        if self._order is None:
            self._place(price, lots)
        else:
            await self._move(self._order, price, lots)

    def _place(self, price: Decimal, lots: Decimal) -> None:
        kind = self.levels.kind(price)
        self._kinds = {price: kind}
        because = Because(in_words(kind), self._at) if self._seat.explains else None
        side, symbol = self._side.opposite, self._entry.instrument
        try:
            order = self._seat.submit(side, lots, instrument=symbol, stop=price, undoes=self._orders, because=because)
        except StrategykitError as exc:
            self._give_up(str(exc))
            return
        self._orders.append(order)
        self._order = order
        self._changed(order)  # It may have been refused already.

    async def _move(self, order: Order, price: Decimal, lots: Decimal) -> None:
        now = order.request.stop_price
        self._kinds = {now: self._kinds.get(now, "stop"), price: self.levels.kind(price)}
        try:
            await order.amend(stop=price, quantity=lots)
        except StrategykitError as exc:
            # It stands as it was, and a price beyond the new level is seen here.
            self._refused = (price, lots)
            self._seat.log(
                f"{order.instrument}: the stop at the venue can't be moved to {price} for {lots} lots: {exc}"
            )

    def _changed(self, order: Order) -> None:
        """Take in what has become of one of the position's orders."""
        if order is self._entry:
            price = order.average_price
            if price is not None:
                self.levels.enter(price)
                self._set()
        elif order is self._order:
            self._follow(order)
            self._news.notify()

    def _follow(self, order: Order) -> None:
        if order.request.stop_price is not None:
            self._last_price = order.request.stop_price
        fired = order.is_open and order.request.stop_price is None
        if fired or order.filled_quantity or order.state is OrderState.FILLED:
            self._over = True
            self._end(self._kinds.get(self._last_price, "stop"))
        elif not order.is_open:
            self._give_up(f"it ended {order.state.value}" + (f": {order.reason}" if order.reason else ""))
        elif order.state.doubtful:
            self._fall_back(order.reason)
        elif self._reason and self._rests():
            self._reason = ""
            self._seat.log(f"{order.instrument}: the stop is at the venue again, as {order.venue_order_id}")

    def _give_up(self, reason: str) -> None:
        self._over = True
        self._fall_back(reason)

    def _fall_back(self, reason: str) -> None:
        self._fell_back = True
        if not self._reason:
            self._reason = reason or "the venue doesn't say how it stands"
            self._seat.log(f"{self._entry.instrument}: the stop isn't at the venue but watched here: {self._reason}")
            self._judge()

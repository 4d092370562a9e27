"""Limits on what strategies may do, kept where no strategy reaches: every order passes here before it gets a number.

Nothing here waits or reads a clock. Orders and fills are counted from what the gateway tells, so that a re-run of a
tape comes to the same; prices are looked up when an order asks, so that market data cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal, getcontext, setcontext
from typing import Final

import attrs

from strategykit.model.events import Fill, Side
from strategykit.model.exactly import Exactly
from strategykit.model.instruments import Instrument
from strategykit.model.orders import OrderRequest
from strategykit.model.risk_limits import Limits, RiskPlan, zone_of
from strategykit.runtime.carried import CarriedTrip
from strategykit.runtime.order import Order
from strategykit.runtime.risk_books import EXACT, Place, Scope, count_order, day_end, day_of, may_fill
from strategykit.runtime.risk_terms import beyond_of, check_collar, worth_of

__all__ = ["Risk"]

ZERO: Final = Decimal(0)

# A look-up of a member costs more than a call on Python 3.11.
_BUY: Final = Side.BUY

_NEW: Final = (ZERO, False, None)
"""Of an order that isn't followed yet."""


@attrs.define(eq=False, kw_only=True)
class Risk:
    """Holds every order against the limits of its strategy and of the account.

    An order that only closes what its strategy holds, even if all that works in its direction is filled before, is held
    against the pace of orders and nothing else. Cancels never come here.
    """

    plan: RiskPlan
    instruments: Mapping[str, Instrument]
    price: Callable[[str], Decimal | None]
    """Gives the last price of an instrument; None: nobody knows."""
    tripped: Callable[[str | None], None] = lambda _: None
    """Called when a day's loss goes beyond its limit, with the strategy, or None for the account: what `opening` gives
    is to be withdrawn then."""
    keep: Callable[[CarriedTrip], None] = lambda _: None
    """Takes what went beyond its limit, for the next run of the day, before anything comes of it."""
    traded: Callable[[], None] = lambda: None
    """Called after each fill that leaves something to be held: prices may make it a loss, with nobody asking."""
    note: Callable[[str, str], None] = lambda _, __: None
    """Takes a source and a line for the run's record."""
    _account: Scope = attrs.field(init=False)
    _strategies: dict[str, tuple[Scope, Scope]] = attrs.field(factory=dict, init=False)
    """Each with the account."""
    _followed: dict[str, tuple[Decimal, bool, Place]] = attrs.field(factory=dict, init=False)
    """Lots that orders may still be filled by, whether they are open, and where they count, by client order id."""
    _places: dict[tuple[str, str], Place] = attrs.field(factory=dict, init=False)
    """By strategy and instrument."""
    _fills: dict[str, int] = attrs.field(factory=dict, init=False)
    """Fills of each instrument: an order after one isn't the same order again."""
    _alone: bool = attrs.field(default=False, init=False)
    """Whether there is but one strategy, and the account may lose as much in a day as it."""
    _day: tuple[int, int] = attrs.field(default=(0, 0), init=False)
    """When it began and when it ends; both 0 before anything was asked or told."""

    @_account.default
    def _make_account(self) -> Scope:
        return self._make_scope(None, self.plan.account, "[risk]")

    # What the gateway asks

    def check_order(self, strategy: str, request: OrderRequest, instrument: Instrument, now: int) -> None:
        """Let `request` pass, and count it, or refuse it.

        Args:
            strategy: Whose it is.
            request: What would be sent.
            instrument: What it trades.
            now: Nanoseconds UTC.

        Raises:
            RiskLimit: It would break a limit.
        """
        prices: dict[str, Decimal | None] = {}
        symbol, lots = request.instrument, request.quantity
        place = self._places.get((strategy, symbol)) or self._place(strategy, symbol)
        scopes, books = place
        if not (scopes[0].settled and scopes[1].settled and now < self._day[1]):
            self._judge(scopes, now, prices)
        before = getcontext()
        setcontext(EXACT)
        try:
            if not books[0].closes(request.side, lots):
                last = prices[symbol] if symbol in prices else self.price(symbol)
                self._check_opening(place, request, lots, last, instrument, orders=1)
            # In words: the hash of a Decimal costs as much as the rest of the look-up.
            price, stop = request.price, request.stop_price
            terms = f"{request.side.sign} {lots.normalize()!s}"
            if price is not None or stop is not None:
                terms += f" {price and price.normalize()} {stop and stop.normalize()}"
            count_order(place, terms, self._fills.get(symbol, 0), now)
        finally:
            setcontext(before)

    def closes(self, strategy: str, request: OrderRequest) -> bool:
        """Whether `request` only closes what its strategy holds, even if all that works with it is filled before."""
        with Exactly(EXACT):
            _, books = self._place(strategy, request.instrument)
            return books[0].closes(request.side, request.quantity)

    def only_closes(self, order: Order) -> bool:
        """Whether `order`, which is counted already, can only close what its strategy holds."""
        with Exactly(EXACT):
            _, books = self._place(order.strategy, order.instrument)
            return books[0].closes(order.side, ZERO)

    def check_amend(self, order: Order, wanted: OrderRequest, instrument: Instrument, now: int) -> None:
        """Let a change of `order` to `wanted` pass, and count it, or refuse it. As `check_order`."""
        self.judge(order.strategy, now)
        with Exactly(EXACT):
            place = self._place(order.strategy, wanted.instrument)
            scopes, books = place
            more = max(ZERO, wanted.quantity - may_fill(order))
            if not books[0].closes(wanted.side, more):
                last = self.price(wanted.instrument)
                self._check_opening(place, wanted, more, last, instrument, orders=0)
            for scope in scopes:
                scope.check_pace(now)
            for scope in scopes:
                scope.times.append(now)

    # What the gateway tells

    def follow(self, order: Order) -> None:
        """Something happened to `order`: count what it may still become."""
        lots, is_open, name = may_fill(order), not order.state.terminal, order.client_order_id
        had, was_open, place = self._followed.get(name, _NEW)
        if is_open is was_open and (lots is had or lots == had):
            return
        if place is None:
            key = (order.strategy, order.instrument)
            place = self._places.get(key) or self._place(*key)
        if lots or is_open:
            self._followed[name] = (lots, is_open, place)
        else:
            del self._followed[name]
        (mine, account), (book, whole) = place
        if is_open is not was_open:
            change = is_open - was_open
            mine.open_orders += change
            account.open_orders += change
        if lots != had:
            works = book.buying if order.side is _BUY else book.selling
            # Mostly it is the only one, as it comes and as it goes.
            works = EXACT.add(works, EXACT.subtract(lots, had)) if works != had else lots
            if order.side is _BUY:
                book.buying = works
            else:
                book.selling = works
            whole.changed[book] = None

    def filled(self, order: Order, fill: Fill, now: int) -> None:
        """A fill of `order` counts from now on; `judge` follows when all has come of it."""
        fee = fill.fee or ZERO
        if not (fill.quantity.is_finite() and fill.price.is_finite() and fee.is_finite()):
            return  # It can't be; whoever keeps the portfolio says so.
        before = getcontext()
        setcontext(EXACT)
        try:
            symbol, lots = fill.instrument, fill.quantity if fill.side is _BUY else -fill.quantity
            if now >= self._day[1]:
                self._turn(now)
            place = self._places.get((order.strategy, symbol)) or self._place(order.strategy, symbol)
            (mine, account), (book, whole) = place
            price, today = fill.price, fill.receive_time >= self._day[0]
            account.fill(symbol, whole, lots, price, today=today)
            mine.fill(symbol, book, lots, price, today=today)
            if today and fee:
                account.pay(fill.fee_currency or whole.currency, fee)
                mine.pay(fill.fee_currency or book.currency, fee)
            self._fills[symbol] = self._fills.get(symbol, 0) + 1
            whole.changed[book] = None
        finally:
            setcontext(before)
        if mine.holds:
            self.traded()

    def judge(self, strategy: str, now: int) -> None:
        """See what the day has brought `strategy`, and the account; `tripped` is called where it is too much."""
        self._judge(self._strategies.get(strategy) or self._scopes(strategy), now, {})

    def _judge(self, scopes: tuple[Scope, Scope], now: int, prices: dict[str, Decimal | None]) -> None:
        """As `judge`, with last prices that are known already; others are added."""
        mine, account = scopes
        if mine.settled and account.settled and now < self._day[1]:
            return
        before = getcontext()
        setcontext(EXACT)  # As by `Exactly`: this is done at every order and fill, and calls cost more than the sums.
        try:
            if now >= self._day[1]:
                self._turn(now)
            lost = mine.judge(prices)
            if mine.loss is None and self._alone:
                # What the only strategy has lost is what the account has, which may lose as much.
                all_lost, account.settled = False, mine.settled
            else:
                all_lost = account.judge(prices)
        finally:
            setcontext(before)
        if not lost and not all_lost:
            return
        for scope in ([mine] if lost else []) + ([account] if all_lost else []):
            self.keep(CarriedTrip(strategy=scope.strategy, currency=scope.currency, loss=scope.loss or ZERO, time=now))
            self._stop(scope)

    def _stop(self, scope: Scope) -> None:
        """Say that `scope` has lost too much today, and withdraw what could open more."""
        limit = f"max_daily_loss = {scope.limits.max_daily_loss:,f}"
        what = "orders that open are withdrawn, and none is placed until the next day"
        self.note("risk", f"{scope.name} has lost {scope.lost} today, more than {limit}: {what}")
        self.tripped(scope.strategy)

    def look(self, now: int) -> Decimal | None:
        """Judge all strategies and the account, though nobody asks for an order.

        Returns:
            The part of its worth that what is held may lose before something more comes of it; None: nothing is held.
        """
        prices: dict[str, Decimal | None] = {}
        for scopes in list(self._strategies.values()):
            self._judge(scopes, now, prices)
        with Exactly(EXACT):
            all_of_them = (self._account, *(mine for mine, _ in self._strategies.values()))
            return min((scope.room(prices) for scope in all_of_them if scope.holds), default=None)

    def hold(self, strategy: str, positions: Mapping[str, Decimal], now: int) -> None:
        """Have `strategy` hold what an earlier run has left it, whatever was told until now; the day begins anew.

        Args:
            strategy: Whose positions they are.
            positions: Lots by instrument, negative when short.
            now: Nanoseconds UTC.
        """
        with Exactly(EXACT):
            self._turn(now)
            scopes = self._scopes(strategy)
            for symbol in dict.fromkeys([*scopes[0].books, *positions]):
                book = scopes[0].book(symbol)
                change = positions.get(symbol, ZERO) - book.quantity
                for scope in scopes:
                    scope.hold(symbol, scope.book(symbol), change)
                scopes[1].book(symbol).changed[book] = None
            for scope in scopes:
                scope.begin_day()

    def earned(self, strategy: str, currency: str, amount: Decimal, *, time: int, now: int) -> None:
        """Count what an earlier run of `strategy` earned at `time`, or lost, if that was today."""
        with Exactly(EXACT):
            self._turn(now)
            if time >= self._day[0]:
                for scope in self._scopes(strategy):
                    scope.pay(currency, -amount)

    def stopped(self, trip: CarriedTrip, now: int) -> None:
        """An earlier run saw a loss beyond its limit: if that was today, and is beyond it still, it goes on to hold."""
        with Exactly(EXACT):
            self._turn(now)
            scope = self._account if trip.strategy is None else self._scopes(trip.strategy)[0]
            if trip.time < self._day[0] or trip.loss <= scope.limits.max_daily_loss:
                return
            scope.loss, scope.currency = trip.loss, trip.currency
            scope.lost = f"{trip.loss:,.2f} {trip.currency} in an earlier run"
        self._stop(scope)

    def begin_day(self, now: int) -> int:
        """Begin a new day, if the last one has ended; give when the next one begins, nanoseconds UTC."""
        with Exactly(EXACT):
            self._turn(now)
        return self._day[1]

    def scopes(self, strategies: Iterable[str]) -> list[Scope]:
        """Give the account and `strategies`, with what they have come to."""
        with Exactly(EXACT):
            for book in self._account.books.values():
                book.measure()
        return [self._account, *(self._scopes(strategy)[0] for strategy in strategies)]

    def opening(self, orders: Iterable[Order]) -> list[Order]:
        """Give those of `orders` that could open something, or more of it, if all of them were filled.

        Stops are taken for the ones that close, then those that were placed first.
        """
        found: list[Order] = []
        left: dict[tuple[str, str], Decimal] = {}
        with Exactly(EXACT):
            for order in sorted(orders, key=lambda order: order.request.stop_price is None):
                key = (order.strategy, order.instrument)
                held = left.get(key)
                if held is None:
                    held = self._scopes(order.strategy)[0].book(order.instrument).quantity
                lots = may_fill(order) * order.side.sign
                if lots * held < 0 and abs(lots) <= abs(held):
                    held += lots
                else:
                    found.append(order)
                left[key] = held
        return found

    def held(self) -> Iterator[tuple[str, str, Decimal]]:
        """Give strategy, symbol and lots of all that is held by the fills: by those that don't run now, too."""
        for strategy, (mine, _) in list(self._strategies.items()):
            yield from ((strategy, symbol, book.quantity) for symbol, book in mine.books.items() if book.quantity)

    # Inside

    def _make_scope(self, strategy: str | None, limits: Limits, where: str) -> Scope:
        return Scope(strategy=strategy, limits=limits, where=where, instruments=self.instruments, price=self.price)

    def _scopes(self, strategy: str) -> tuple[Scope, Scope]:
        """Give what holds for a strategy: its own, and the account's."""
        scopes = self._strategies.get(strategy)
        if scopes is None:
            where = "the strategy's own risk" if strategy in self.plan.strategies else "[risk.strategy]"
            mine = self._make_scope(strategy, self.plan.of(strategy), where)
            scopes = self._strategies[strategy] = (mine, self._account)
            least = mine.limits.max_daily_loss
            self._alone = len(self._strategies) == 1 and self._account.limits.max_daily_loss >= least
        return scopes

    def _place(self, strategy: str, symbol: str) -> Place:
        """Give where orders of a strategy on an instrument count."""
        place = self._places.get((strategy, symbol))
        if place is None:
            scopes = self._scopes(strategy)
            place = scopes, (scopes[0].book(symbol), scopes[1].book(symbol))
            if place[1][1].unit is not None:  # Else it is looked up again, as somebody may tell what it trades.
                self._places[strategy, symbol] = place
        return place

    def _turn(self, now: int) -> None:
        if now >= self._day[1]:
            zone = zone_of(self.plan.time_zone)
            self._day = (day_of(now, zone), day_end(now, zone))
            for scope in (*(mine for mine, _ in self._strategies.values()), self._account):
                scope.begin_day()

    def _check_opening(
        self,
        place: Place,
        request: OrderRequest,
        more: Decimal,
        last: Decimal | None,
        instrument: Instrument,
        *,
        orders: int,
    ) -> None:
        """Check what could open a position.

        Args:
            place: Where it counts.
            request: What would be asked for.
            more: Lots that may be filled besides all that may be already.
            last: The last price; None: nobody knows.
            instrument: What it trades.
            orders: Orders that are open then besides all that are.
        """
        symbol, side, lots = request.instrument, request.side, request.quantity
        book, whole = place[1]
        if whole.changed:
            whole.measure()
        worth, beyond, growth = worth_of(request, last, book), beyond_of(request, last), book.growth(side, more)
        for scope, its in zip(*place, strict=True):
            limits = scope.limits
            if scope.loss is not None:
                words = f"nothing is opened any more today, as it has lost {scope.lost}"
                scope.refuse("max_daily_loss", scope.loss, words)
            count = scope.open_orders + orders
            if orders and count > limits.max_open_orders:
                scope.refuse("max_open_orders", count, f"{count:,} open orders")
            if lots > limits.max_order_quantity:
                scope.refuse("max_order_quantity", lots, f"{lots:,f} lots of {symbol} in one order")
            if worth is not None and worth > limits.max_order_notional:
                words = f"an order of {symbol} worth {worth:,.2f} {instrument.currency}"
                scope.refuse("max_order_notional", worth, words)
            if beyond is not None:
                check_collar(scope, request, *beyond, instrument)
            worst, most = its.worst(side) + growth, limits.position(symbol)
            if growth and worst > most:
                words = f"{worst:,f} lots of {symbol} {'long' if side is _BUY else 'short'}, if all is filled"
                scope.refuse("max_position", worst, words, most)

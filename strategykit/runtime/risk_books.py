"""What the limits are held against: lots, money and pace of one scope, counted from orders and fills alone."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta
from decimal import Context, Decimal
from typing import Final, NoReturn
from zoneinfo import ZoneInfo

import attrs

from strategykit.errors import RiskLimit
from strategykit.model.events import Side
from strategykit.model.instruments import Instrument
from strategykit.model.risk_limits import Limits
from strategykit.runtime.order import Order

__all__ = ["ACCOUNT_SCOPE", "EXACT", "Book", "Place", "Scope", "count_order", "day_end", "day_of", "may_fill"]

ACCOUNT_SCOPE: Final = "account"
"""What the account is called among the scopes; strategies are called ``"strategy NAME"``."""

SECOND: Final = 1_000_000_000

_TIDY_EVERY: Final = 256
"""Orders that differ, placed without a fill between them."""

ZERO: Final = Decimal(0)

_ENDLESS: Final = Decimal("Infinity")

_NOTHING: Final[Mapping[str, Decimal]] = {}

# A look-up of a member costs more than a call on Python 3.11.
_BUY: Final = Side.BUY

EXACT: Final = Context(prec=60)
"""Of our own: a strategy may have set another for itself."""


def may_fill(order: Order) -> Decimal:
    """Give the lots of `order` that may still come as fills: what can be filled, and what the venue counts untold.

    While an amend is on its way, the venue may have either: the greater counts. No exit is filled before its entry.
    """
    entry = order.entry
    if entry is not None and not entry.filled_quantity and not entry.uncertain:
        return ZERO
    is_open = not order.state.terminal
    if not is_open and not order.fills_missing:
        return ZERO
    lots, told, now = ZERO, order.filled_by_number, order.venue_order_id or ""
    works = is_open and order.ending is None
    if works:
        filled = told.get(now)
        left = EXACT.subtract(order.request.quantity, filled) if filled else order.request.quantity
        if left > ZERO:
            lots = left
    if is_open and order.amending is not None:
        lots = max(lots, order.amending.request.quantity)
    if order.fills_missing:
        for number, counted in order.counted.items():
            if number != now or not works:
                lots = EXACT.add(lots, max(ZERO, EXACT.subtract(counted, told.get(number, ZERO))))
    return lots


@attrs.define(eq=False)
class Book:
    """One instrument in one scope. Lots are net; `long` and `short` are what they may become at the worst."""

    unit: Decimal | None = None
    """Money that one lot moves by for one whole point of price; None as long as nobody has told what it trades."""
    currency: str = ""
    quantity: Decimal = ZERO
    """Lots held, by the fills; negative is short."""
    buying: Decimal = ZERO
    """Lots that open orders may still buy. Of a strategy only, as is `selling`."""
    selling: Decimal = ZERO
    long: Decimal = ZERO
    """Lots long if all that buys is filled, and nothing that sells. Of the account: of all strategies, added up. As of
    the last `measure`, as is `short`."""
    short: Decimal = ZERO
    changed: dict[Book, None] = attrs.field(factory=dict, init=False, repr=False)
    """Of the account: strategies' books of which something has changed since they were measured."""
    mark: Decimal | None = None
    """Price of the last fill, or the first price that anybody knew: what the lots are worth where no data tell."""
    _placed: dict[str, list[int]] = attrs.field(factory=dict, init=False, repr=False)
    """When the same orders were placed since the last fill, by their terms."""
    _fills: int = attrs.field(default=0, init=False)
    """What `repeats` was last told."""

    def measure(self) -> None:
        """Count anew what may be held at the worst, where anything has changed. Of the account, in `EXACT`."""
        for book in self.changed:
            long, short = max(ZERO, book.quantity + book.buying), max(ZERO, book.selling - book.quantity)
            self.long += long - book.long
            self.short += short - book.short
            book.long, book.short = long, short
        self.changed.clear()

    def repeats(self, terms: str, fills: int, since: int) -> list[int]:
        """Give when orders with these terms were placed after `since`, nanoseconds UTC, for the next one to be added.

        Args:
            terms: The same for orders that are the same.
            fills: How many the instrument has had: an order after one isn't the same order again.
            since: What was placed by then doesn't count.
        """
        placed = self._placed
        if fills != self._fills:
            self._fills = fills
            placed.clear()
        times = placed.get(terms)
        if times is None:
            if placed and not len(placed) % _TIDY_EVERY:
                for other in [other for other, times in placed.items() if times[-1:] <= [since]]:
                    del placed[other]
            times = placed[terms] = []
        elif times and times[0] <= since:
            del times[: bisect_right(times, since)]
        return times

    def closes(self, side: Side, more: Decimal) -> bool:
        """Whether it is nearer to flat, or flat, when `more` lots and all that works on their side are filled."""
        return self.buying + more <= -self.quantity if side is _BUY else self.selling + more <= self.quantity

    def worst(self, side: Side) -> Decimal:
        """Give the lots that may come to be held on that side."""
        return self.long if side is _BUY else self.short

    def growth(self, side: Side, more: Decimal) -> Decimal:
        """Give the lots by which `more` lots make that worse. For a strategy's book."""
        if side is _BUY:
            return max(ZERO, self.quantity + self.buying + more) - self.long
        return max(ZERO, -self.quantity + self.selling + more) - self.short


@attrs.define(eq=False, kw_only=True)
class Scope:
    """One strategy, or the account."""

    strategy: str | None
    """None: the account."""
    limits: Limits
    instruments: Mapping[str, Instrument]
    price: Callable[[str], Decimal | None]
    """Gives the last price of an instrument; None: nobody knows."""
    where: str
    """The table of a session file in which its limits stand."""
    hits: Counter[str] = attrs.field(factory=Counter, init=False)
    """How often its limits were met, by their names."""
    times: deque[int] = attrs.field(
        init=False, default=attrs.Factory(lambda self: deque(maxlen=self.limits.max_order_rate), takes_self=True)
    )
    """Of the last orders and amends: as many as are allowed within a second."""
    books: dict[str, Book] = attrs.field(factory=dict, init=False)
    open_orders: int = attrs.field(default=0, init=False)
    loss: Decimal | None = attrs.field(default=None, init=False)
    """The day's loss that went beyond its limit: nothing is opened until the next day."""
    settled: bool = attrs.field(default=False, init=False)
    """Whether nothing was held when the day was last judged, and nothing has been paid since: prices change nothing."""
    lost: str = attrs.field(default="", init=False)
    """The same in words."""
    currency: str = attrs.field(default="", init=False)
    """In which it was lost."""
    _held: dict[str, Book] = attrs.field(factory=dict, init=False)
    """Of instruments with a position."""
    _money: dict[str, Decimal] = attrs.field(factory=dict, init=False)
    """By currency: what the day's fills brought less what they cost, less what was held when it began was worth.
    With what is held now, that is the day's result."""

    @property
    def name(self) -> str:
        return ACCOUNT_SCOPE if self.strategy is None else f"strategy {self.strategy}"

    def book(self, symbol: str) -> Book:
        """Give the book of an instrument."""
        book = self.books.get(symbol)
        if book is None:
            book = self.books[symbol] = Book()
        if book.unit is None:
            known = self.instruments.get(symbol)
            if known is not None:
                book.unit, book.currency = known.lot * known.multiplier, known.currency
        return book

    def fill(self, symbol: str, book: Book, lots: Decimal, price: Decimal, *, today: bool) -> None:
        """Count `lots`, signed, at `price`. What was told on an earlier day changes nothing of today's result."""
        if book.unit is None:
            self.hold(symbol, book, lots)
            return
        paid = lots * price
        if book.mark is None:  # What has been held since before anybody knew a price counts from this one on.
            paid += book.quantity * price
        elif not today:
            paid += book.quantity * (price - book.mark)
        money, currency, self.settled = self._money, book.currency, False
        money[currency] = money.get(currency, ZERO) - paid * book.unit
        book.mark = price
        book.quantity += lots  # As by `hold`.
        if book.quantity:
            self._held[symbol] = book
        else:
            self._held.pop(symbol, None)

    def hold(self, symbol: str, book: Book, lots: Decimal) -> None:
        """Hold so many lots more, or less."""
        self.settled = False
        book.quantity += lots
        if book.quantity:
            self._held[symbol] = book
        else:
            self._held.pop(symbol, None)

    def pay(self, currency: str, amount: Decimal) -> None:
        self._money[currency], self.settled = self._money.get(currency, ZERO) - amount, False

    def begin_day(self) -> None:
        """What is held is worth what it is worth now, and whatever was lost is forgiven."""
        held = self._worth({})
        self._money = {currency: -worth for currency, worth in held.items()}
        self.loss, self.settled = None, False

    def judge(self, prices: dict[str, Decimal | None]) -> bool:
        """Whether the day's loss has just gone beyond its limit.

        Args:
            prices: Last prices that are known already; others are added.
        """
        self.settled = not self._held
        if self.loss is not None:
            return False
        worth = _NOTHING if self.settled else self._worth(prices)
        for currency, money in self._money.items():
            loss = -money - worth.get(currency, ZERO)
            if loss > self.limits.max_daily_loss:
                self.loss, self.lost, self.currency = loss, f"{loss:,.2f} {currency}", currency
                self.hits["max_daily_loss"] += 1
                return True
        return False

    @property
    def holds(self) -> bool:
        """Whether prices can make it lose more, or less."""
        return bool(self._held)

    def room(self, prices: dict[str, Decimal | None]) -> Decimal:
        """Give the part of its worth that what is held may lose before the day's loss is beyond its limit.

        It is endless where there is no limit, or nothing more comes of it today.

        Args:
            prices: Last prices that are known already; others are added.
        """
        if self.loss is not None or not self.limits.max_daily_loss.is_finite():
            return _ENDLESS
        worth, gross = self._worth(prices), dict[str, Decimal]()
        for symbol, book in self._held.items():
            last = prices.get(symbol)
            mark = book.mark if last is None else last
            if mark is not None and book.unit is not None:
                gross[book.currency] = gross.get(book.currency, ZERO) + abs(book.quantity * mark * book.unit)
        left = [
            (self.limits.max_daily_loss + self._money.get(currency, ZERO) + worth.get(currency, ZERO)) / total
            for currency, total in gross.items()
            if total
        ]
        return min(left, default=ZERO)

    def check_pace(self, now: int) -> None:
        """Let another order, or amend, pass, or refuse it as it comes too fast. Whoever passes counts it in `times`.

        Raises:
            RiskLimit: There were as many as may be within a second.
        """
        times = self.times
        if len(times) == times.maxlen and times[0] > now - SECOND:
            count = self.limits.max_order_rate + 1
            self.refuse("max_order_rate", count, f"{count:,} orders and amends within a second")

    def refuse(self, limit: str, value: Decimal | int, words: str, allowed: Decimal | int | None = None) -> NoReturn:
        """Say no.

        Args:
            limit: The limit's name.
            value: What it would come to.
            words: The same for people.
            allowed: What is allowed; None: what the limits say.

        Raises:
            RiskLimit: In any case.
        """
        most: Decimal | int = getattr(self.limits, limit) if allowed is None else allowed
        self.hits[limit] += 1
        said = f"{limit} = {Decimal(most):,f}"
        raise RiskLimit(
            f"{self.name}: {words}, more than {said}; raise it in {self.where} of the session file",
            limit=limit,
            value=value,
            allowed=most,
            scope=self.name,
        )

    def _worth(self, prices: dict[str, Decimal | None]) -> dict[str, Decimal]:
        found: dict[str, Decimal] = {}
        for symbol, book in self._held.items():
            if symbol not in prices:
                prices[symbol] = self.price(symbol)
            last = prices[symbol]
            mark = book.mark if last is None else last
            if book.unit is None:
                self.book(symbol)  # Somebody may have told meanwhile what it trades.
            if mark is None or book.unit is None:
                continue
            worth = book.quantity * mark * book.unit
            if book.mark is None:  # See `fill`.
                book.mark = mark
                self.pay(book.currency, worth)
            found[book.currency] = found.get(book.currency, ZERO) + worth
        return found


def count_order(place: Place, terms: str, fills: int, now: int) -> None:
    """Count an order in both scopes, or refuse it: it comes too fast, or was placed too often.

    Args:
        place: Where it counts.
        terms: The same for orders that are the same.
        fills: How many its instrument has had.
        now: Nanoseconds UTC.

    Raises:
        RiskLimit: It would break a limit of one; it is counted in none.
    """
    (mine, account), (book, whole) = place
    mine.check_pace(now)
    account.check_pace(now)
    again = book.repeats(terms, fills, now - mine.limits.repeat_window)
    all_again = whole.repeats(terms, fills, now - account.limits.repeat_window)
    for scope, times in ((mine, again), (account, all_again)):
        limits, count = scope.limits, len(times) + 1
        if count > limits.max_repeats:
            words = f"the same order {count:,} times within {limits.repeat_window * 1e-9:g} s without a fill"
            scope.refuse("max_repeats", count, words)
    again.append(now)
    all_again.append(now)
    mine.times.append(now)
    account.times.append(now)


Place = tuple[tuple[Scope, Scope], tuple[Book, Book]]
"""Where orders of a strategy on an instrument count: in its scope and in the account's, each with its book of that."""


def day_of(now: int, zone: ZoneInfo) -> int:
    """Give when the day of `now` began, nanoseconds UTC."""
    today = datetime.fromtimestamp(now // SECOND, zone).date()
    return _nanoseconds(datetime.combine(today, time(), zone))


def day_end(now: int, zone: ZoneInfo) -> int:
    """Give the first midnight after `now`, nanoseconds UTC."""
    today = datetime.fromtimestamp(now // SECOND, zone).date()
    # Clocks that are put back at midnight show one day's last hour twice.
    midnights = (datetime.combine(today + timedelta(days), time(fold=fold), zone) for days in (1, 2) for fold in (0, 1))
    return next(end for end in map(_nanoseconds, midnights) if end > now)


def _nanoseconds(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp()) * SECOND

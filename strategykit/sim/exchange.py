"""A venue that isn't there: generated markets, real matching, accounts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from heapq import heappop, heappush
from itertools import count
from math import isfinite

from strategykit.errors import ConfigError, LocalProtocolError
from strategykit.model.events import (
    AccountUpdate,
    Bar,
    BookSnapshot,
    Event,
    Fill,
    InstrumentUpdate,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    Quote,
    Side,
    Trade,
)
from strategykit.model.instruments import Instrument
from strategykit.model.orders import AmendOrder, CancelOrder, Command, CreateOrder, OrderRequest
from strategykit.sim.checks import (
    NOT_FOUND_TO_AMEND,
    NOT_FOUND_TO_CANCEL,
    amended,
    cancelled,
    created,
    find_fault,
    find_shortage,
    refused,
)
from strategykit.sim.fees import NO_FEES, FeeModel
from strategykit.sim.instruments import OPENING_PRICES
from strategykit.sim.ledger import Ledger, OrderRecord
from strategykit.sim.listing import DEPTH, Listing
from strategykit.sim.market import NEVER
from strategykit.sim.matching import Ended, Match, Order, Outcome, SelfTrade
from strategykit.venues.dialect import Reply

__all__ = ["OrderRecord", "SimulatedExchange"]


class SimulatedExchange:
    """The venue. Pure: time is given and chance is seeded, so that the same calls give the same events.

    Args:
        instruments: What is listed, by symbol.
        seed: Of all generated order flow.
        start: Nanoseconds UTC; bars of some ten hours lie before it.
        accounts: Cash by account name.
        actions_per_second: Of the crowd on each instrument, on average; 0: the books stand still.
        fees: What accounts pay.
        prices: Where markets open, by symbol. Default: `OPENING_PRICES`, else 10,000 ticks.
        currency: Of the cash.
        margin_rate: Share of positions that equity must cover; 1 is no leverage.
        self_trade: Whether an account's orders may meet each other.
        witness: Told of each trade as it happens: the trade's number, and who met whom.
        numbered_from: Added to every number of an order or trade: a venue that forgot its orders never gives a number
            again.

    Raises:
        ConfigError: A value that can't be; the message says which.
    """

    def __init__(
        self,
        instruments: Mapping[str, Instrument],
        *,
        seed: int,
        start: int,
        accounts: Mapping[str, Decimal],
        actions_per_second: float = 200.0,
        fees: FeeModel = NO_FEES,
        prices: Mapping[str, Decimal] | None = None,
        currency: str = "RUB",
        margin_rate: Decimal = Decimal(1),
        self_trade: SelfTrade = SelfTrade.ALLOWED,
        witness: Callable[[int, Match], None] | None = None,
        numbered_from: int = 0,
    ) -> None:
        if not isfinite(actions_per_second) or actions_per_second < 0:
            raise ConfigError(f"actions_per_second must be 0 or above, not {actions_per_second}")
        self.instruments = dict(instruments)
        self.now = start
        """The latest time it was told, nanoseconds UTC."""
        # Numbers of 11 digits, as the real venue's; stops have short ones (ALOR protocol sheet, section 3.12).
        self._number = count(58_120_000_001 + numbered_from).__next__
        self._stop_number = count(77_120 + numbered_from).__next__
        self._trade_number = count(10_481_000_001 + numbered_from).__next__
        self._ledger = Ledger(
            self.instruments,
            {name: {currency: cash} for name, cash in accounts.items()},
            fees=fees,
            margin_rate=margin_rate,
        )
        self._witness = witness
        self._expiries: list[tuple[int, int]] = []
        self._due: list[tuple[int, int, Listing]] = []
        self._listings: dict[str, Listing] = {}
        for place, (symbol, instrument) in enumerate(self.instruments.items()):
            opening = (prices or {}).get(symbol) or OPENING_PRICES.get(symbol) or instrument.tick * 10_000
            listing = Listing(
                instrument,
                opening,
                seed=f"{seed}/{symbol}",
                start=start,
                rate=actions_per_second,
                number=self._number,
                self_trade=self_trade,
            )
            self._listings[symbol] = listing
            self._ledger.mark(symbol, instrument.price(listing.last))
            heappush(self._due, (listing.crowd.next_time, place, listing))

    def advance(self, now: int) -> list[Event]:
        """Let the market go on until `now`; give what happened.

        Trades, order updates and fills come in their order, each with the time at which it happened as
        `event_time`; then, conflated to one of each: a `BookSnapshot` and a `Quote` for every instrument whose book
        changed, a `PositionUpdate` for every position and an `AccountUpdate` for every account that a fill moved.

        Raises:
            LocalProtocolError: `now` lies before an earlier one.
        """
        told: list[Event] = []
        self._run(now, told)
        self._publish(told)
        return told

    def command(self, account: str, command: Command, now: int) -> tuple[Reply, list[Event]]:
        """Execute one command after what the market did until `now`; give the answer and what the streams carry.

        Raises:
            LocalProtocolError: `now` lies before an earlier one.
        """
        told: list[Event] = []
        self._run(now, told)
        if account not in self._ledger.accounts:
            reply = refused(command.guid, f"Portfolio {account!r} isn't available", code=403)
        elif isinstance(command, CancelOrder):
            reply = self._cancel(account, command, told)
        elif isinstance(command, AmendOrder):
            reply = self._amend(account, command, told)
        else:
            reply = self._create(account, command, told)
        self._publish(told)
        return reply, told

    def set_trading(self, symbol: str, now: int, *, trading: bool) -> list[Event]:
        """Halt or resume an instrument. While halted its crowd does nothing, and orders for it are refused."""
        told: list[Event] = []
        self._run(now, told)
        listing = self._listing(symbol)
        if trading is not listing.trading:
            listing.trading = trading
            if trading:
                listing.crowd.resume(now)
            places = {name: place for place, name in enumerate(self.instruments)}
            # A halted crowd is never due; it comes back into the queue with the others.
            self._due.clear()
            for name, each in self._listings.items():
                heappush(self._due, (each.crowd.next_time if each.trading else NEVER, places[name], each))
            told.append(listing.status(now))
        self._publish(told)
        return told

    def book(self, symbol: str, depth: int = DEPTH) -> BookSnapshot:
        return self._listing(symbol).book(depth, self.now)

    def quote(self, symbol: str) -> Quote:
        return self._listing(symbol).quote(self.now)

    def order_counts(self, symbol: str, depth: int = DEPTH) -> tuple[list[int], list[int]]:
        """Give how many orders stand at each bid and at each offer, parallel to `book`."""
        engine = self._listing(symbol).engine
        return engine.counts(Side.BUY, depth), engine.counts(Side.SELL, depth)

    def resting(self, symbol: str, side: Side) -> list[Order]:
        """Give the orders in the book as they would be served."""
        return list(self._listing(symbol).engine.resting(side))

    def instrument_update(self, symbol: str) -> InstrumentUpdate:
        """Give the trading status and the price limits."""
        return self._listing(symbol).status(self.now)

    def trades(self, symbol: str, count: int) -> list[Trade]:
        """Give the last `count` trades, oldest first; 5,000 at the most are kept."""
        kept = self._listing(symbol).trades
        return list(kept)[max(0, len(kept) - count) :]

    def bars(self, symbol: str, interval: int, since: int, until: int) -> list[Bar]:
        """Give bars that began in ``[since, until)``, oldest first; the last may still be forming.

        Raises:
            ConfigError: `interval` isn't a whole number of seconds.
        """
        return self._listing(symbol).history.bars(interval, since, until, self.now)

    def orders(self, account: str) -> list[OrderUpdate]:
        return self._ledger.orders(account, self.now, stops=False)

    def stop_orders(self, account: str) -> list[OrderUpdate]:
        return self._ledger.orders(account, self.now, stops=True)

    def record(self, venue_order_id: str) -> OrderRecord | None:
        """Give what an `OrderUpdate` can't say: type, time in force, when it was made and changed."""
        return self._ledger.records.get(venue_order_id)

    def fills(self, account: str) -> list[Fill]:
        return self._ledger.fills(account)

    def positions(self, account: str) -> list[PositionUpdate]:
        """Give the holdings, then one money row (`is_currency`) a currency."""
        self._mark()
        return self._ledger.positions(account, self.now)

    def account(self, account: str) -> AccountUpdate:
        self._mark()
        return self._ledger.account(account, self.now)

    def _listing(self, symbol: str) -> Listing:
        try:
            return self._listings[symbol]
        except KeyError:
            raise ConfigError(f"no instrument {symbol!r} here; there are: {', '.join(self._listings)}") from None

    def _run(self, now: int, told: list[Event]) -> None:
        if now < self.now:
            raise LocalProtocolError(f"the venue's time can't go back: it is {self.now} ns, and was told {now} ns")
        due, before = self._due, self.now
        self.now = now
        while due and due[0][0] <= now:
            time, place, listing = heappop(due)
            self._expire(time, told)
            # A crowd that was due before a command is told after it.
            self._tell(listing, listing.crowd.act(), max(time, before), told)
            listing.changed = True
            heappush(due, (listing.crowd.next_time, place, listing))
        self._expire(now, told)

    def _expire(self, time: int, told: list[Event]) -> None:
        while self._expiries and self._expiries[0][0] <= time:
            expired, number = heappop(self._expiries)
            record = self._ledger.records.get(str(number))
            if record is not None and record.status is OrderStatus.WORKING:
                self._listings[record.request.instrument].engine.cancel(number)
                told.append(self._ledger.end(str(number), OrderStatus.EXPIRED, expired, reason="its time was over"))

    def _publish(self, told: list[Event]) -> None:
        for listing in self._listings.values():
            if listing.changed:
                listing.changed = False
                told.append(listing.book(DEPTH, self.now))
                told.append(listing.quote(self.now))
        self._mark()
        told += self._ledger.settle(self.now)

    def _mark(self) -> None:
        for symbol, listing in self._listings.items():
            self._ledger.mark(symbol, listing.instrument.price(listing.last))

    def _tell(self, listing: Listing, outcomes: list[Outcome], time: int, told: list[Event]) -> None:
        ledger = self._ledger
        for outcome in outcomes:
            if isinstance(outcome, Match):
                number = self._trade_number()
                if self._witness is not None:
                    self._witness(number, outcome)
                told.append(listing.print_trade(outcome, number, time, self.now))
                for order in (outcome.maker, outcome.taker):
                    if order.owner:
                        price, quantity = listing.instrument.price(outcome.price), Decimal(outcome.quantity)
                        maker = order is outcome.maker
                        record = ledger.records[str(order.number)]
                        told += ledger.fill(record, price, quantity, time, trade_id=str(number), maker=maker)
            elif isinstance(outcome, Ended):
                if outcome.order.owner:
                    reason = outcome.why.value
                    told.append(ledger.end(str(outcome.order.number), OrderStatus.CANCELLED, time, reason=reason))
            else:
                told += ledger.trigger(str(outcome.stop.number), str(outcome.child.number), time)

    def _create(self, account: str, command: CreateOrder, told: list[Event]) -> Reply:
        request = command.request
        fault = self._find_fault(account, request)
        if fault is not None:
            return refused(command.guid, fault)
        return created(command.guid, self._place(account, request, told))

    def _amend(self, account: str, command: AmendOrder, told: list[Event]) -> Reply:
        old, request = self._ledger.working(command.venue_order_id, account), command.request
        if old is None or old.request.instrument != request.instrument or old.request.type is not request.type:
            return refused(command.guid, NOT_FOUND_TO_AMEND)
        # The old order's lots come free for the new one, unless that is refused.
        self._ledger.tie(old, -old.left)
        fault = self._find_fault(account, request)
        self._ledger.tie(old, old.left)
        if fault is not None:
            return refused(command.guid, fault)
        self._withdraw(old, told)
        return amended(command.guid, self._place(account, request, told))

    def _cancel(self, account: str, command: CancelOrder, told: list[Event]) -> Reply:
        record = self._ledger.working(command.venue_order_id, account)
        if record is None:
            return refused(command.guid, NOT_FOUND_TO_CANCEL)
        self._withdraw(record, told)
        return cancelled(command.guid, record.venue_order_id)

    def _withdraw(self, record: OrderRecord, told: list[Event]) -> None:
        listing = self._listings[record.request.instrument]
        listing.engine.cancel(int(record.venue_order_id))
        listing.changed = True
        told.append(self._ledger.end(record.venue_order_id, OrderStatus.CANCELLED, self.now))

    def _place(self, account: str, request: OrderRequest, told: list[Event]) -> str:
        listing = self._listings[request.instrument]
        ticks = listing.instrument.ticks
        stop = None if request.stop_price is None else ticks(request.stop_price)
        number = self._number() if stop is None else self._stop_number()
        told.append(self._ledger.accept(str(number), account, request, self.now).update(self.now))
        if stop is not None and request.expire_time is not None:
            heappush(self._expiries, (request.expire_time, number))
        if not request.active:
            return str(number)
        order = Order(
            number,
            account,
            request.side,
            int(request.quantity),
            None if request.price is None else ticks(request.price),
            request.time_in_force,
            None if request.display_quantity is None else int(request.display_quantity),
            stop,
        )
        self._tell(listing, listing.engine.submit(order), self.now, told)
        listing.changed = True
        return str(number)

    def _find_fault(self, account: str, request: OrderRequest) -> str | None:
        listing = self._listings.get(request.instrument)
        if listing is None:
            return f"BAD_INSTRUMENT: {request.instrument!r} isn't traded here"
        if not listing.trading:
            return "Security is not currently trading"
        instrument = listing.instrument
        fault = find_fault(request, instrument)
        if fault is not None:
            return fault
        low, high = instrument.price(listing.low), instrument.price(listing.high)
        for price in (request.price, request.stop_price):
            if price is not None and not low <= price <= high:
                bound = f"less than {low}" if price < low else f"greater than {high}"
                return f"BAD_PRICE_LIMITS: Price {price} can not be {bound}"
        if request.expire_time is not None and request.expire_time <= self.now:
            return "BAD_FLAGS: the order's end time has passed"
        self._mark()
        return find_shortage(self._ledger.of(account), instrument, request, self._reckon(listing, request))

    def _reckon(self, listing: Listing, request: OrderRequest) -> Decimal:
        """Give the price at which buying power is reckoned: the order's own, else what it would meet now."""
        price = request.price or request.stop_price
        if price is not None:
            return price
        best = listing.engine.best(request.side.opposite)
        return listing.instrument.price(listing.last if best is None else best)

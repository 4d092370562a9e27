"""Fills own orders against recorded data, which don't notice: for backtests and paper trading."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Context, Decimal, getcontext, setcontext
from itertools import count
from typing import Final

from strategykit.errors import ConfigError
from strategykit.model.event_class import altered
from strategykit.model.events import (
    AccountUpdate,
    Bar,
    BookDelta,
    BookSnapshot,
    ByOrderDelta,
    ByOrderSnapshot,
    Event,
    Fill,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    Quote,
    Ticker,
    Trade,
)
from strategykit.model.exactly import Exactly
from strategykit.model.instruments import Instrument
from strategykit.model.orders import AmendOrder, CancelOrder, Command, CreateOrder, OrderRequest
from strategykit.sim.agenda import NEVER, Agenda, Arrival, Delivered, Lapse, News
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
from strategykit.sim.ledger import Ledger
from strategykit.sim.models.fill_models import DEFAULT_MODELS, FillModels
from strategykit.sim.models.latency import meter
from strategykit.sim.paper_market import PaperMarket, Told
from strategykit.sim.recorded import RecordedMarket
from strategykit.venues.dialect import Reply

__all__ = ["PaperExchange"]

_NOTHING: Final[tuple[Reply | Event, ...]] = ()
_CONTEXT: Final = Context(prec=28)
_TRAVELS: Final = (Trade, Quote, BookSnapshot, BookDelta, ByOrderSnapshot, ByOrderDelta, Bar, Ticker)


class PaperExchange:
    """One account at a venue that exists only as data.

    Takers get the opposite side of the latest quote or book, whichever is newer: a book is walked level by level. A
    plain market order for more lots than are known to be there gets the rest one tick beyond the last known level.
    Where there are only trades or bars, takers get the last price or close. A market order that comes before any data
    waits for the first, and is rejected then if it can't be afforded: those placed first have the first claim.

    Resting orders fill at their own price, as maker. A stop fires by the last trade and then is a new order with a
    number of its own, as at ALOR; a bar that jumps over a stop fills it at the bar's open. What else is assumed, and
    how to have it otherwise, is in `FillModels`.

    Args:
        instruments: By symbol; parts of a lot may be traded.
        account: Its name.
        cash: Money at the start by currency; a plain number is in the first instrument's currency.
        models: What is assumed of fills, fees and latencies.
        tells_account: Whether positions and money are told after every fill, too; `positions` and `account` give them
            in any case.

    Raises:
        ConfigError: A value that can't be.
    """

    def __init__(
        self,
        instruments: Mapping[str, Instrument],
        *,
        account: str,
        cash: Decimal | Mapping[str, Decimal],
        models: FillModels = DEFAULT_MODELS,
        tells_account: bool = True,
    ) -> None:
        if not instruments:
            raise ConfigError("a paper exchange needs an instrument")
        if isinstance(cash, Decimal):
            cash = {next(iter(instruments.values())).currency: cash}
        self.instruments = dict(instruments)
        self.name = account
        self.models = models
        self._tells_account = tells_account
        self._ledger = Ledger(
            self.instruments,
            {account: cash},
            fees=models.fees,
            fees_of=models.fees_of,
            margin_rate=models.margin_rate,
            cash_step=models.cash_step,
        )
        self._account = self._ledger.of(account)
        self.markets = {symbol: RecordedMarket(instrument) for symbol, instrument in self.instruments.items()}
        """Each instrument's latest data: while it is `idle`, its events need only be noted here."""
        self._orders_travel = meter(models.order_latency, "orders")
        self._answers_travel = meter(models.answer_latency, "answers")
        self._feed_travels = meter(models.feed_latency, "feed")
        self.delays_market = self._feed_travels is not None
        """Whether strategies are told of the market later than it is known here: its events go through `shown`."""
        self._released: deque[Event] = deque()
        self.agenda = Agenda()
        """What is due, and when: the next of it at `agenda.next`."""
        self._number = count(58_120_000_001).__next__
        self._stop_number = count(77_120).__next__
        trade_number = count(10_481_000_001).__next__
        self._traders = {
            symbol: PaperMarket(market, models, self._ledger, self.agenda, self._number, trade_number)
            for symbol, market in self.markets.items()
        }
        self._live = {symbol: trader.live for symbol, trader in self._traders.items()}

    def shown(self, event: Event, now: int) -> tuple[Sequence[Reply | Event], bool]:
        """Take in one event as by `on_event`; say, too, whether strategies are to be told of it later.

        `run_due` gives a copy of such an event when its time has come. That, shown again, is news to strategies alone.
        """
        if self._feed_travels is None:
            return self.on_event(event, now), False
        if self._released and self._released[0] is event:
            self._released.popleft()
            return _NOTHING, False
        told = self.on_event(event, now)
        if event.instrument not in self.markets or not isinstance(event, _TRAVELS):
            return told, False
        self.agenda.add(now + self._feed_travels(now), Delivered(event))
        return told, True

    def command(self, command: Command, now: int) -> Sequence[Reply | Event]:
        """Take a command; give its answer and what it led to, or nothing yet while it or they are on their way."""
        if self._orders_travel is not None:
            self.agenda.add(now + self._orders_travel(now), Arrival(command))
            return _NOTHING
        before = getcontext()
        setcontext(_CONTEXT)  # As by `Exactly`: strategies ask, and may have set another one for themselves.
        try:
            if self.agenda.next > now:
                return self._executed(command, now)
            return [*self.run_due(now), *self._executed(command, now)]
        finally:
            setcontext(before)

    def on_event(self, event: Event, now: int) -> Sequence[Reply | Event]:
        """Take in one event, after what was due by `now`; give what it led to."""
        told = self.run_due(now) if self.agenda.next <= now else _NOTHING
        market = self.markets.get(event.instrument) if event.instrument is not None else None
        if market is None or not market.note(event):
            return told
        trader = self._traders[market.instrument.symbol]
        if not trader.live:
            return told
        found: list[Reply | Event] = []
        before = getcontext()
        setcontext(_CONTEXT)  # As above: where strategies are called, they set it for whoever called them.
        try:
            if trader.unpriced:
                self._price_waiting(trader, now, found)
            trader.meet(event, now, found)
            return [*told, *self._sent(found, now)] if found else told
        finally:
            setcontext(before)

    def idle(self, symbol: str) -> bool:
        """Say whether no order of `symbol` lives here: until a command or `due` brings one, no event can meet any."""
        return not self._live[symbol]

    def watch(self, symbol: str, market: RecordedMarket) -> None:
        """Go by what another object knows of an instrument, the same by now: several exchanges may share it."""
        self.markets[symbol] = self._traders[symbol].market = market

    def due(self) -> int | None:
        """When `run_due` has something to do next, nanoseconds UTC; None if never."""
        time = self.agenda.next
        return None if time == NEVER else time

    def run_due(self, now: int) -> Sequence[Reply | Event]:
        """Do what is due by `now`, each at its own time: commands that arrive, orders that lapse, news that travel."""
        agenda = self.agenda
        if agenda.next > now:
            return _NOTHING
        told: list[Reply | Event] = []
        with Exactly(_CONTEXT):
            while agenda.next <= now:
                time, task = agenda.pop()
                match task:
                    case Lapse(number):
                        told += self._sent(self._lapsed(number, time), time)
                    case Arrival(command):
                        told += self._executed(command, time)
                    case News(news):
                        told += news
                    case Delivered(event):
                        copy = altered(event, receive_time=time)
                        self._released.append(copy)
                        told.append(copy)
        return told

    def warnings(self) -> list[str]:
        """Say on what the result depends that the data don't tell, one sentence each; for reports."""
        return [line for trader in self._traders.values() for line in trader.warnings()]

    def orders(self, now: int) -> list[OrderUpdate]:
        return self._ledger.orders(self.name, now, stops=False)

    def stop_orders(self, now: int) -> list[OrderUpdate]:
        return self._ledger.orders(self.name, now, stops=True)

    def fills(self) -> list[Fill]:
        return self._ledger.fills(self.name)

    def positions(self, now: int) -> list[PositionUpdate]:
        """Give the holdings, then one money row (`is_currency`) a currency."""
        with Exactly(_CONTEXT):
            self._mark()
            return self._ledger.positions(self.name, now)

    def account(self, now: int) -> AccountUpdate:
        with Exactly(_CONTEXT):
            self._mark()
            return self._ledger.account(self.name, now)

    def mark(self, instrument: str) -> Decimal | None:
        """Give what a unit is valued at; None where nothing is known."""
        market = self.markets.get(instrument)
        return None if market is None else market.mark

    def _sent(self, told: Told, now: int) -> Sequence[Reply | Event]:
        """Give what the owner is told at once of what has happened; what travels comes by the agenda."""
        if self._tells_account and self._ledger.moved:
            self._mark()
            told += self._ledger.settle(now)
        if self._answers_travel is None or not told:
            return told
        self.agenda.add(now + self._answers_travel(now), News(told))
        return ()

    def _mark(self) -> None:
        """Value what is held at the latest prices; what nothing is known of any more keeps its value."""
        for symbol, holding in self._account.holdings.items():
            mark = self.markets[symbol].mark
            if mark is not None:
                holding.mark = mark

    def _executed(self, command: Command, now: int) -> Sequence[Reply | Event]:
        followed: Told = []
        guid, request = command.guid, command.request
        if isinstance(command, CreateOrder):
            fault = self._find_fault(request, now)
            reply = refused(guid, fault) if fault is not None else created(guid, self._place(request, now, followed))
        elif isinstance(command, AmendOrder):
            reply = self._amend(command, now, followed)
        else:
            reply = self._cancel(command, now, followed)
        return self._sent([reply, *followed], now)

    def _amend(self, command: AmendOrder, now: int, told: Told) -> Reply:
        old, request = self._ledger.working(command.venue_order_id, self.name), command.request
        if old is None or old.request.instrument != request.instrument or old.request.type is not request.type:
            return refused(command.guid, NOT_FOUND_TO_AMEND)
        self._ledger.tie(old, -old.left)
        fault = self._find_fault(request, now)
        self._ledger.tie(old, old.left)
        if fault is not None:
            return refused(command.guid, fault)
        self._traders[request.instrument].end(old, OrderStatus.CANCELLED, now, told)
        return amended(command.guid, self._place(request, now, told))

    def _cancel(self, command: CancelOrder, now: int, told: Told) -> Reply:
        record = self._ledger.working(command.venue_order_id, self.name)
        if record is None:
            return refused(command.guid, NOT_FOUND_TO_CANCEL)
        self._traders[record.request.instrument].end(record, OrderStatus.CANCELLED, now, told)
        return cancelled(command.guid, record.venue_order_id)

    def _lapsed(self, number: str, now: int) -> Told:
        record, told = self._ledger.working(number, self.name), list[Reply | Event]()
        if record is not None:
            self._traders[record.request.instrument].end(record, OrderStatus.EXPIRED, now, told)
        return told

    def _find_fault(self, request: OrderRequest, now: int) -> str | None:
        market = self.markets.get(request.instrument)
        if market is None:
            return f"BAD_INSTRUMENT: {request.instrument!r} isn't traded here"
        fault = find_fault(request, market.instrument, whole_lots=False)
        if fault is not None:
            return fault
        if request.expire_time is not None and request.expire_time <= now:
            return "BAD_FLAGS: the order's end time has passed"
        price = request.price or request.stop_price or market.taken_at(request.side)
        if price is None:
            return None
        self._mark()
        return find_shortage(self._account, market.instrument, request, price)

    def _price_waiting(self, trader: PaperMarket, now: int, told: Told) -> None:
        """The first data have come: reject those market orders that waited for them and can't be afforded."""
        market = trader.market
        trader.unpriced = False
        waiting = [one.record for one in trader.live.values() if one.waits_for_market]
        for record in waiting:
            self._ledger.tie(record, -record.left)
        self._mark()
        for record in waiting:
            price = market.taken_at(record.request.side)
            short = None if price is None else find_shortage(self._account, market.instrument, record.request, price)
            self._ledger.tie(record, record.left)
            if short is not None:
                trader.end(record, OrderStatus.REJECTED, now, told, short)

    def _place(self, request: OrderRequest, now: int, told: Told) -> str:
        stop = request.stop_price is not None
        number = str(self._stop_number() if stop else self._number())
        record, trader = self._ledger.accept(number, self.name, request, now), self._traders[request.instrument]
        before = len(told)
        if stop:
            told.append(record.update(now))
        trader.place(record, now, told)
        if len(told) == before:  # The answer says already that it works, and whatever has come of it says more.
            told.append(record.update(now))
        return number

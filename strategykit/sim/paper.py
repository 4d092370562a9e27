"""Fills own orders against recorded data, which don't notice: for backtests and paper trading."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal
from heapq import heappop, heappush
from itertools import count
from typing import Final

from strategykit.errors import ConfigError
from strategykit.model.events import AccountUpdate, Event, Fill, OrderStatus, OrderUpdate, PositionUpdate, Side
from strategykit.model.instruments import Instrument
from strategykit.model.orders import AmendOrder, CancelOrder, Command, CreateOrder, OrderRequest, TimeInForce
from strategykit.sim.checks import (
    NOT_FOUND_TO_AMEND,
    NOT_FOUND_TO_CANCEL,
    CommandResult,
    amended,
    cancelled,
    created,
    find_fault,
    find_shortage,
    refused,
)
from strategykit.sim.fees import NO_FEES, FeeModel
from strategykit.sim.ledger import Ledger, OrderRecord
from strategykit.sim.matching import Why
from strategykit.sim.recorded import Offer, Probe, RecordedMarket
from strategykit.venues.dialect import Reply

__all__ = ["FillRule", "PaperExchange"]

_NEVER: Final = 1 << 63
_NOTHING: Final[tuple[Reply | Event, ...]] = ()
_WHOLE: Final = frozenset({TimeInForce.FILL_OR_KILL, TimeInForce.AT_THE_CLOSE})
_AT_ONCE: Final = _WHOLE | {TimeInForce.IMMEDIATE_OR_CANCEL}


class FillRule(enum.Enum):
    """When a resting limit order counts as filled."""

    TOUCH = "touch"
    """The market has reached its price: hopeful, as others may have stood before it in the queue."""
    TRADE_THROUGH = "trade_through"
    """The market has gone beyond its price: careful, as the whole level must have been filled."""


class PaperExchange:
    """One account at a venue that exists only as data.

    Takers get the opposite side of the latest quote or book, whichever is newer: a book is walked level by level. A
    plain market order for more lots than are known to be there gets the rest one tick beyond the last known level.
    Where there are only trades or bars, takers get the last price or close. A market order that comes before any data
    waits for the first, and is rejected then if it can't be afforded: those placed first have the first claim.

    Resting orders fill whole, at their own price, as maker. A stop fires by the last trade and then is a new order with
    a number of its own, as at ALOR; a bar that jumps over a stop fills it at the bar's open.

    Args:
        instruments: By symbol; parts of a lot may be traded.
        account: Its name.
        cash: Money at the start by currency; a plain number is in the first instrument's currency.
        fees: What fills cost.
        rule: When resting orders fill.
        latency: Nanoseconds from giving a command to its taking effect; its answer comes at that moment.
        margin_rate: Share of positions that equity must cover; 0: any order is affordable.
        cash_step: The smallest unit of cash, to which each fill's value is rounded; None: values are exact.

    Raises:
        ConfigError: A value that can't be.
    """

    def __init__(
        self,
        instruments: Mapping[str, Instrument],
        *,
        account: str,
        cash: Decimal | Mapping[str, Decimal],
        fees: FeeModel = NO_FEES,
        rule: FillRule = FillRule.TOUCH,
        latency: int = 0,
        margin_rate: Decimal = Decimal(1),
        cash_step: Decimal | None = None,
    ) -> None:
        if latency < 0:
            raise ConfigError(f"latency must be 0 ns or more, not {latency}")
        if not instruments:
            raise ConfigError("a paper exchange needs an instrument")
        if isinstance(cash, Decimal):
            cash = {next(iter(instruments.values())).currency: cash}
        self.instruments = dict(instruments)
        self.name = account
        self.latency = latency
        self._through = rule is FillRule.TRADE_THROUGH
        self._ledger = Ledger(
            self.instruments, {account: cash}, fees=fees, margin_rate=margin_rate, cash_step=cash_step
        )
        self.markets = {symbol: RecordedMarket(instrument) for symbol, instrument in self.instruments.items()}
        """Each instrument's latest data: while it is `idle`, its events need only be noted here."""
        self._live: dict[str, dict[str, OrderRecord]] = {symbol: {} for symbol in self.instruments}
        self._unpriced: set[str] = set()
        self._pending: deque[tuple[int, Command]] = deque()
        self._expiries: list[tuple[int, int]] = []
        self._next = _NEVER
        self._number = count(58_120_000_001).__next__
        self._stop_number = count(77_120).__next__
        self._trade_number = count(10_481_000_001).__next__

    def command(self, command: Command, now: int) -> Sequence[Reply | Event]:
        """Take a command; give its answer and what it led to, or nothing yet while it is on its way."""
        if self.latency:
            self._pending.append((now + self.latency, command))
            self._plan()
            return _NOTHING
        told = list(self.run_due(now))
        self._execute(command, now, told)
        return told

    def on_event(self, event: Event, now: int) -> Sequence[Reply | Event]:
        """Take in one event, after what was due by `now`; give what it led to."""
        told = self.run_due(now) if self._next <= now else _NOTHING
        market = self.markets.get(event.instrument) if event.instrument is not None else None
        if market is None or not market.note(event):
            return told
        live = self._live[market.instrument.symbol]
        if not live:
            return told
        found = list(told)
        if market.instrument.symbol in self._unpriced:
            self._price_waiting(market, now, found)
        probe = market.probe(event)
        for record in list(live.values()):
            self._meet(record, market, probe, now, found)
        self._settle(now, found)
        return found

    def idle(self, symbol: str) -> bool:
        """Say whether no order of `symbol` lives here: until a command or `due` brings one, no event can meet any."""
        return not self._live[symbol]

    def due(self) -> int | None:
        """When `run_due` has something to do next, nanoseconds UTC; None if never."""
        return None if self._next == _NEVER else self._next

    def run_due(self, now: int) -> Sequence[Reply | Event]:
        """Do what is due by `now`: commands that have arrived, stops that have lapsed; each at its own time."""
        if self._next > now:
            return _NOTHING
        told: list[Reply | Event] = []
        while self._next <= now:
            time = self._next
            if self._expiries and self._expiries[0][0] == time:
                self._expire(str(heappop(self._expiries)[1]), time, told)
            else:
                self._execute(self._pending.popleft()[1], time, told)
            self._plan()
        return told

    def orders(self, now: int) -> list[OrderUpdate]:
        return self._ledger.orders(self.name, now, stops=False)

    def stop_orders(self, now: int) -> list[OrderUpdate]:
        return self._ledger.orders(self.name, now, stops=True)

    def fills(self) -> list[Fill]:
        return self._ledger.fills(self.name)

    def positions(self, now: int) -> list[PositionUpdate]:
        """Give the holdings, then one money row (`is_currency`) a currency."""
        self._mark()
        return self._ledger.positions(self.name, now)

    def account(self, now: int) -> AccountUpdate:
        self._mark()
        return self._ledger.account(self.name, now)

    def mark(self, instrument: str) -> Decimal | None:
        """Give what a unit is valued at; None where nothing is known."""
        return self.markets[instrument].mark if instrument in self.markets else None

    def _plan(self) -> None:
        first = self._expiries[0][0] if self._expiries else _NEVER
        self._next = min(first, self._pending[0][0]) if self._pending else first

    def _mark(self) -> None:
        for symbol, market in self.markets.items():
            mark = market.mark
            if mark is not None:
                self._ledger.mark(symbol, mark)

    def _settle(self, now: int, told: list[Reply | Event]) -> None:
        if self._ledger.moved:
            self._mark()
            told += self._ledger.settle(now)

    def _execute(self, command: Command, now: int, told: list[Reply | Event]) -> None:
        followed: list[Reply | Event] = []
        if isinstance(command, CreateOrder):
            result = self._create(command, now, followed)
        elif isinstance(command, AmendOrder):
            result = self._amend(command, now, followed)
        else:
            result = self._cancel(command, now, followed)
        told.append(Reply(command.guid, result.code, result.message, result.ok, result.venue_order_id))
        told += followed
        self._settle(now, told)

    def _create(self, command: CreateOrder, now: int, told: list[Reply | Event]) -> CommandResult:
        fault = self._find_fault(command.request, now)
        return created(self._place(command.request, now, told)) if fault is None else refused(fault)

    def _amend(self, command: AmendOrder, now: int, told: list[Reply | Event]) -> CommandResult:
        old, request = self._ledger.working(command.venue_order_id, self.name), command.request
        if old is None or old.request.instrument != request.instrument or old.request.type is not request.type:
            return refused(NOT_FOUND_TO_AMEND)
        self._ledger.tie(old, -old.left)
        fault = self._find_fault(request, now)
        self._ledger.tie(old, old.left)
        if fault is not None:
            return refused(fault)
        self._end(old, OrderStatus.CANCELLED, now, told)
        return amended(self._place(request, now, told))

    def _cancel(self, command: CancelOrder, now: int, told: list[Reply | Event]) -> CommandResult:
        record = self._ledger.working(command.venue_order_id, self.name)
        if record is None:
            return refused(NOT_FOUND_TO_CANCEL)
        self._end(record, OrderStatus.CANCELLED, now, told)
        return cancelled(record.venue_order_id)

    def _find_fault(self, request: OrderRequest, now: int) -> str | None:
        market = self.markets.get(request.instrument)
        if market is None:
            return f"BAD_INSTRUMENT: {request.instrument!r} isn't traded here"
        fault = find_fault(request, market.instrument, whole_lots=False)
        if fault is not None:
            return fault
        if request.expire_time is not None and request.expire_time <= now:
            return "BAD_FLAGS: the order's end time has passed"
        offers = market.offers(request.side)
        price = request.price or request.stop_price or (offers[0][0] if offers else market.mark)
        if price is None:
            return None
        self._mark()
        return find_shortage(self._ledger.of(self.name), market.instrument, request, price)

    def _price_waiting(self, market: RecordedMarket, now: int, told: list[Reply | Event]) -> None:
        """The first data have come: reject those market orders that waited for them and can't be afforded."""
        symbol, account = market.instrument.symbol, self._ledger.of(self.name)
        self._unpriced.discard(symbol)
        waiting = [one for one in self._live[symbol].values() if one.request.price is None and not one.is_stop]
        for record in waiting:
            self._ledger.tie(record, -record.left)
        self._mark()
        for record in waiting:
            offers = market.offers(record.request.side)
            price = offers[0][0] if offers else market.mark
            short = None if price is None else find_shortage(account, market.instrument, record.request, price)
            self._ledger.tie(record, record.left)
            if short is not None:
                self._end(record, OrderStatus.REJECTED, now, told, short)

    def _place(self, request: OrderRequest, now: int, told: list[Reply | Event]) -> str:
        stop = request.stop_price is not None
        number = self._stop_number() if stop else self._number()
        told.append(self._ledger.accept(str(number), self.name, request, now))
        record = self._ledger.records[str(number)]
        self._live[request.instrument][record.venue_order_id] = record
        market = self.markets[request.instrument]
        if not stop:
            if market.known:
                self._arrive(record, market, market.offers(request.side), now, told)
            elif request.price is None:
                self._unpriced.add(request.instrument)
            return record.venue_order_id
        if request.expire_time is not None:
            heappush(self._expiries, (request.expire_time, number))
            self._plan()
        if market.last is not None and request.active and self._fires(record, market.mark):
            self._trigger(record, market, None, now, told)
        return record.venue_order_id

    def _meet(
        self, record: OrderRecord, market: RecordedMarket, probe: Probe, now: int, told: list[Reply | Event]
    ) -> None:
        """Let one live order meet what an event showed."""
        request = record.request
        buys = request.side is Side.BUY
        if probe.since is not None and probe.since < record.created:
            if request.price is None and not record.is_stop:  # A market order that waited for data takes the close.
                self._arrive(record, market, market.offers(request.side), now, told)
            return
        if record.is_stop:
            if request.active and self._fires(record, probe.highest if buys else probe.lowest):
                self._trigger(record, market, probe.opened, now, told)
            return
        if request.price is None:
            self._arrive(record, market, market.offers(request.side), now, told)
            return
        reached = probe.buys if buys else probe.sells
        if reached is None:
            return
        gap = (request.price - reached) * request.side.sign
        if gap > 0 or (gap == 0 and not self._through):
            self._fill(record, request.price, record.left, now, told, maker=True)

    def _fires(self, record: OrderRecord, price: Decimal | None) -> bool:
        stop, sign = record.request.stop_price, record.request.side.sign
        return price is not None and stop is not None and price * sign >= stop * sign

    def _trigger(
        self,
        stop: OrderRecord,
        market: RecordedMarket,
        opened: Decimal | None,
        now: int,
        told: list[Reply | Event],
    ) -> None:
        number = str(self._number())
        told += self._ledger.trigger(stop.venue_order_id, number, now)
        symbol, side = stop.request.instrument, stop.request.side
        del self._live[symbol][stop.venue_order_id]
        child = self._live[symbol][number] = self._ledger.records[number]
        offers = market.offers(side)
        if opened is not None and stop.request.stop_price is not None:
            # Within a bar the stop was met at its own price, or at the open if that lay beyond it already.
            worse = max if side is Side.BUY else min
            offers = [(worse(opened, stop.request.stop_price), None)]
        self._arrive(child, market, offers, now, told)

    def _arrive(
        self,
        record: OrderRecord,
        market: RecordedMarket,
        offers: list[Offer],
        now: int,
        told: list[Reply | Event],
    ) -> None:
        """Let an order take what it can; the rest of it rests or ends."""
        request = record.request
        force, price, sign = request.time_in_force, request.price, request.side.sign
        if price is not None:
            # A last price that only touches the limit fills it by the rule; a quote that does can be taken.
            strict = self._through and market.top is None
            offers = [
                offer for offer in offers if (price - offer[0]) * sign >= 0 and not (strict and offer[0] == price)
            ]
            if force is TimeInForce.POST_ONLY:
                if offers:
                    self._end(record, OrderStatus.CANCELLED, now, told, Why.WOULD_TAKE.value)
                return
        there = sum((size if size is not None else record.left for _, size in offers), Decimal(0))
        if force in _WHOLE and there < record.left:
            self._end(record, OrderStatus.CANCELLED, now, told, Why.NOT_WHOLE.value)
            return
        for level, size in offers:
            taken = record.left if size is None else min(size, record.left)
            if taken:
                self._fill(record, level, taken, now, told, maker=False)
        if not record.left:
            return
        if price is None and offers and force not in _AT_ONCE:
            beyond = offers[-1][0] + market.instrument.tick * sign
            self._fill(record, beyond, record.left, now, told, maker=False)
        elif price is None or force in _AT_ONCE:
            self._end(record, OrderStatus.CANCELLED, now, told, Why.NO_LIQUIDITY.value)

    def _fill(
        self,
        record: OrderRecord,
        price: Decimal,
        quantity: Decimal,
        now: int,
        told: list[Reply | Event],
        *,
        maker: bool,
    ) -> None:
        number = record.venue_order_id
        told += self._ledger.fill(number, price, quantity, now, trade_id=str(self._trade_number()), maker=maker)
        if not record.left:
            del self._live[record.request.instrument][number]

    def _end(
        self,
        record: OrderRecord,
        status: OrderStatus,
        now: int,
        told: list[Reply | Event],
        reason: str | None = None,
    ) -> None:
        del self._live[record.request.instrument][record.venue_order_id]
        told.append(self._ledger.end(record.venue_order_id, status, now, reason=reason))

    def _expire(self, number: str, now: int, told: list[Reply | Event]) -> None:
        record = self._ledger.working(number, self.name)
        if record is not None:
            self._end(record, OrderStatus.EXPIRED, now, told)

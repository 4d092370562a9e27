"""A recording served as if it were a live venue: its market data shifted to now, orders filled against it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import count
from typing import Final

import attrs

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
    InstrumentUpdate,
    OrderUpdate,
    PositionUpdate,
    Quote,
    Trade,
)
from strategykit.model.instruments import Instrument
from strategykit.model.orders import AmendOrder, Command, CreateOrder, OrderRequest
from strategykit.sim.altered import in_lots
from strategykit.sim.checks import refused
from strategykit.sim.fees import FeeModel
from strategykit.sim.history import BarHistory
from strategykit.sim.ledger import OrderRecord
from strategykit.sim.listing import TRADES_KEPT
from strategykit.sim.models.fill_models import FillModels
from strategykit.sim.paper import PaperExchange
from strategykit.sim.recorded_books import RecordedBook
from strategykit.venues.dialect import Reply

__all__ = ["RecordedVenueMarket"]

_SERVED = (Trade, Quote, BookSnapshot, BookDelta, ByOrderSnapshot, ByOrderDelta, InstrumentUpdate)

_FIRST_TRADE: Final = 10_481_000_001
"""Of those that the recording has no number for."""

_NORMAL, _BREAK = 17, 2
"""Trading status codes. Source: ALOR protocol sheet, section 3.5."""


class RecordedVenueMarket:
    """What `SimulatedExchange` is for a generated market, for a recorded one.

    Trades, quotes, books and instrument updates are served; what else is in the recording isn't. A book that was
    recorded as changes is served whole: each venue's streams make of its states what they tell. Sizes are in lots, as
    those of a generated market, whatever the recording counts. Orders don't move the recorded market: they are filled
    by `PaperExchange`'s rules.

    Args:
        instruments: By symbol; events of others are left out. They say whether the recording counts units.
        accounts: Cash by name.
        fees: What fills cost.
        margin_rate: Share of positions that equity must cover.
        now: Nanoseconds UTC.
    """

    def __init__(
        self,
        instruments: Mapping[str, Instrument],
        *,
        accounts: Mapping[str, Decimal],
        fees: FeeModel,
        margin_rate: Decimal,
        now: int,
    ) -> None:
        self.instruments = {symbol: attrs.evolve(each, counts_units=False) for symbol, each in instruments.items()}
        self._now = now
        self._lots = {symbol: float(each.lot) for symbol, each in instruments.items() if each.counts_units}
        models = FillModels(fees=fees, margin_rate=margin_rate)
        self._papers = {
            name: PaperExchange(self.instruments, account=name, cash=cash, models=models)
            for name, cash in accounts.items()
        }
        self._traders: dict[str, PaperExchange] = {}
        self._records: dict[str, OrderRecord] = {}
        self._numbers = count(_FIRST_TRADE)
        self._trades: dict[str, deque[Trade]] = {symbol: deque(maxlen=TRADES_KEPT) for symbol in instruments}
        self._history = {symbol: BarHistory(symbol) for symbol in instruments}
        self._latest: dict[str, int] = dict.fromkeys(instruments, 0)
        self._books = {symbol: RecordedBook(symbol, now) for symbol in instruments}
        self._quotes = {symbol: Quote(symbol, None, None, None, None, None, None, now, "") for symbol in instruments}
        self._status = {symbol: self._normal(instrument, now) for symbol, instrument in self.instruments.items()}

    def feed(self, event: Event, now: int, *, shift: int) -> list[Event]:
        """Take one event of the recording; give what the streams carry.

        Args:
            event: Market data.
            now: Nanoseconds UTC.
            shift: What is added to the event's own time.
        """
        self._now = now
        symbol = event.instrument
        if symbol not in self.instruments or not isinstance(event, _SERVED):
            return []
        lot = self._lots.get(symbol)
        if lot is not None and not isinstance(event, InstrumentUpdate):
            event = in_lots(event, lot)
        time = now if event.event_time is None else event.event_time + shift
        shown = altered(event, event_time=time, receive_time=now)
        told: list[Event] = []
        match shown:
            case Trade():
                # Of another venue they may have names, or nothing; its own venue's numbers stay.
                number = shown.trade_id if type(shown.trade_id) is int else next(self._numbers)
                shown = altered(shown, guid="", snapshot=False, trade_id=number)
                self._trades[symbol].append(shown)
                # Bars want times that never go back, which a recording doesn't promise.
                self._latest[symbol] = max(self._latest[symbol], time)
                self._history[symbol].trade(self._latest[symbol], shown.price, shown.quantity)
                told.append(shown)
            case Quote():
                shown = self._quotes[symbol] = altered(shown, guid="", snapshot=False)
                told.append(shown)
            case InstrumentUpdate():
                shown = self._status[symbol] = altered(shown, guid="")
                told.append(shown)
            case _:
                moved = self._books[symbol].take(shown, now)
                if moved is None:
                    return []
                if isinstance(moved, BookSnapshot):
                    told += self._changed_books(symbol)
                shown = altered(moved, guid="")
        for paper in self._traders.values():
            self._note(paper.on_event(shown, now), told)
        return told

    def advance(self, now: int) -> list[Event]:
        """Do what is due for orders, and tell how books stand that were fed as changes; all else comes by `feed`."""
        self._now = now
        told = self._changed_books(*self._books)
        for paper in self._traders.values():
            self._note(paper.run_due(now), told)
        return told

    def command(self, account: str, command: Command, now: int) -> tuple[Reply, list[Event]]:
        told: list[Event] = []
        if account not in self._papers:
            return refused(command.guid, f"Portfolio {account!r} isn't available", code=403), told
        status = self._status.get(command.request.instrument)
        if isinstance(command, CreateOrder | AmendOrder) and status is not None and status.trading is False:
            return refused(command.guid, "Security is not currently trading"), told
        answers = list(self._trader(account, now).command(command, now))
        reply = next(answer for answer in answers if isinstance(answer, Reply) and answer.guid == command.guid)
        if isinstance(command, CreateOrder | AmendOrder) and reply.venue_order_id is not None:
            self._remember(reply.venue_order_id, account, command.request, now)
        self._note(answers, told)
        return reply, told

    def set_trading(self, symbol: str, now: int, *, trading: bool) -> list[Event]:
        """Halt or resume an instrument: while halted its orders are refused; its recording goes on."""
        if symbol not in self.instruments:
            raise ConfigError(f"no instrument {symbol!r} here; there are: {', '.join(self.instruments)}")
        status = self._status[symbol] = altered(
            self._status[symbol],
            trading_status=_NORMAL if trading else _BREAK,
            trading=trading,
            status_text="normal trading" if trading else "break",
            event_time=now,
            receive_time=now,
        )
        return [status]

    def book(self, symbol: str) -> BookSnapshot:
        return self._books[symbol].state

    def quote(self, symbol: str) -> Quote:
        return self._quotes[symbol]

    def instrument_update(self, symbol: str) -> InstrumentUpdate:
        return self._status[symbol]

    def trades(self, symbol: str, count: int) -> list[Trade]:
        kept = self._trades[symbol]
        return list(kept)[max(0, len(kept) - count) :]

    def bars(self, symbol: str, interval: int, since: int, until: int) -> list[Bar]:
        return self._history[symbol].bars(interval, since, until, self._now)

    def orders(self, account: str) -> list[OrderUpdate]:
        return self._papers[account].orders(self._now)

    def stop_orders(self, account: str) -> list[OrderUpdate]:
        return self._papers[account].stop_orders(self._now)

    def record(self, venue_order_id: str) -> OrderRecord | None:
        return self._records.get(venue_order_id)

    def fills(self, account: str) -> list[Fill]:
        return self._papers[account].fills()

    def positions(self, account: str) -> list[PositionUpdate]:
        return self._papers[account].positions(self._now)

    def account(self, account: str) -> AccountUpdate:
        return self._papers[account].account(self._now)

    def _changed_books(self, *symbols: str) -> list[Event]:
        news = [self._books[symbol].news() for symbol in symbols]
        return [state for state in news if state is not None]

    def _trader(self, account: str, now: int) -> PaperExchange:
        """Give an account's exchange; it is told of the market from its first order on."""
        paper = self._papers[account]
        if account not in self._traders:
            self._traders[account] = paper
            for symbol in self.instruments:
                latest: list[Trade | Quote | BookSnapshot] = [
                    *self.trades(symbol, 1),
                    self._quotes[symbol],
                    self._books[symbol].state,
                ]
                for event in latest:
                    if event.event_time is not None:
                        paper.on_event(event, now)
        return paper

    def _note(self, answers: Sequence[Reply | Event], told: list[Event]) -> None:
        """Pass events on; keep the records of orders up to date."""
        for answer in answers:
            if isinstance(answer, Reply):
                continue
            told.append(answer)
            if not isinstance(answer, OrderUpdate):
                continue
            record = self._records.get(answer.venue_order_id)
            if record is not None:
                record.status, record.filled, record.reason = answer.status, answer.filled, answer.reason
                record.updated = answer.event_time or record.updated
                if answer.linked_order_id is not None:
                    record.linked_order_id = answer.linked_order_id
                    child = altered(record.request, stop_price=None)
                    self._remember(answer.linked_order_id, record.account, child, record.updated)

    def _remember(self, number: str, account: str, request: OrderRequest, now: int) -> None:
        self._records[number] = OrderRecord(number, account, request, now, now, request.stop_price)

    def _normal(self, instrument: Instrument, now: int) -> InstrumentUpdate:
        return InstrumentUpdate(
            instrument.symbol,
            _NORMAL,
            True,
            "normal trading",
            None,
            None,
            None,
            None,
            None,
            now,
            "",
            instrument.exchange,
            instrument.board,
        )

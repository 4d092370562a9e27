"""What a run's result is made of, noted while the run goes on: nothing is done at an event of market data.

Orders and fills are there at the end anyway. Noted besides are the price at which each order was decided, when it was
answered and when it ended, and prices of all instruments at regular times of the run's clock and at each fill.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from math import nan
from typing import Any, Final, Protocol

import attrs
import trio

from strategykit.model.events import Fill
from strategykit.model.instruments import Instrument
from strategykit.model.orders import OrderState
from strategykit.runtime.carried import Carried
from strategykit.runtime.clock import RunClock
from strategykit.runtime.identity import parameters_of
from strategykit.runtime.order import Order
from strategykit.runtime.ports import OrderEar
from strategykit.strategy import Strategy
from strategykit.venues.subscriptions import Subscription

__all__ = ["Collected", "CollectedStrategy", "Collector", "Columns"]

Columns = Mapping[str, Sequence[Any]]
"""Columns of one length, by name."""

_SECOND: Final = 1_000_000_000

_STEPS: Final = (
    *(_SECOND // 1_000, _SECOND // 100, _SECOND // 10),
    *(seconds * _SECOND for seconds in (1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400)),
)
"""Nanoseconds between two samples: days end with a sample, whichever is taken."""

POINTS: Final = 2_000
"""Samples of a run, about: more can't be told apart on a page, and each leaves the hot loop of a replay once."""

_UNANSWERED: Final = (OrderState.INTENT, OrderState.SENT, OrderState.UNKNOWN)


class Seated(Protocol):
    """A strategy of the run, as the supervisor has it."""

    @property
    def name(self) -> str: ...
    @property
    def strategy(self) -> Strategy: ...


@attrs.frozen(kw_only=True)
class CollectedStrategy:
    """What ran."""

    name: str
    strategy: str
    """Name of its class."""
    parameters: Mapping[str, str]


@attrs.frozen(kw_only=True)
class Collected:
    """What a run's result is made of, in columns. Times are nanoseconds UTC of the run's clock."""

    started: int
    ended: int
    strategies: Sequence[CollectedStrategy]
    instruments: Sequence[Instrument]
    """Those that could be traded, or were held before."""
    orders: Columns
    """Without those of earlier runs, in the order in which they were placed."""
    fills: Columns
    """In the order in which they came."""
    begin: Columns
    """What each strategy held when the run began: strategy, instrument, lots and what they cost."""
    gaps: Columns
    times: Sequence[int]
    """Of the samples."""
    prices: Mapping[str, Sequence[float]]
    """Last price at each of `times`, by instrument; NaN while none was known."""
    interval: int
    """Nanoseconds between two samples."""
    marks: Mapping[str, Decimal]
    """Last price of each instrument, by which what is open at the end is valued."""
    capital: Mapping[str, Decimal]
    """Money at the start by currency; empty where nobody knows it."""


@attrs.define(eq=False)
class Collector:
    """Notes what a result is made of. One is for one run."""

    span: int | None = None
    """Nanoseconds that the run will last; None: nobody knows, and samples are thinned out as it goes on."""
    capital: Decimal | None = None
    """Money at the start, in each instrument's currency; None: unknown."""
    finest: int = _STEPS[0]
    """Nanoseconds between two samples at the least."""
    driven: bool = False
    """Whether somebody else calls `sample` when it is time."""
    _interval: int = attrs.field(init=False)
    _times: list[int] = attrs.field(factory=list, init=False)
    _prices: dict[str, list[float]] = attrs.field(factory=dict, init=False)
    _orders: dict[str, _Noted] = attrs.field(factory=dict, init=False)
    _fills: list[tuple[int, Order, Fill, float]] = attrs.field(factory=list, init=False)
    _strategies: list[CollectedStrategy] = attrs.field(factory=list, init=False)
    _scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    _clock: RunClock = attrs.field(init=False)
    _instruments: Mapping[str, Instrument] = attrs.field(init=False)
    _price: Callable[[str], Decimal | None] = attrs.field(init=False)

    @_interval.default
    def _first_interval(self) -> int:
        if self.span is None:
            return _SECOND
        return next((step for step in _STEPS if step >= self.finest and step * POINTS >= self.span), _STEPS[-1])

    def attach(
        self,
        *,
        clock: RunClock,
        seats: Iterable[Seated],
        instruments: Mapping[str, Instrument],
        price: Callable[[str], Decimal | None],
    ) -> None:
        """Know the run, before it begins."""
        self._clock, self._instruments, self._price = clock, instruments, price
        for seat in seats:
            kind, values = type(seat.strategy).__name__, parameters_of(seat.strategy)
            self._strategies.append(CollectedStrategy(name=seat.name, strategy=kind, parameters=values))

    def ear(self, ear: OrderEar) -> OrderEar:
        """Give what is told of a strategy's orders in place of `ear`, and tells that."""
        return _Ear(self, ear)

    async def keep(self) -> None:
        """Sample prices at regular times, until `stop`."""
        clock, due = self._clock, 0
        with self._scope:
            if self.driven:
                await trio.sleep_forever()
            while True:
                # Deadlines are floats: one that lies far ahead may be met some nanoseconds too early.
                due = self.next_sample(max(due, clock.reading))
                await trio.sleep_until(clock.time_at(due))
                self.sample()

    def next_sample(self, time: int) -> int:
        """Give when to sample next after `time`, nanoseconds UTC."""
        return (time // self._interval + 1) * self._interval

    def stop(self) -> None:
        """Sample no more: the data are over, and nothing but its own deadlines moves the run from now on."""
        self._scope.cancel()

    def changed(self, order: Order) -> None:
        """Something happened to an order."""
        if order.earlier:
            return
        now, noted = self._clock.reading, self._orders.get(order.client_order_id)
        if noted is None:
            noted = self._orders[order.client_order_id] = _Noted(self._last(order.instrument))
        if noted.answered is None and order.state not in _UNANSWERED:
            noted.answered = now
        if noted.ended is None and order.state.terminal:
            noted.ended = now

    def filled(self, order: Order, fill: Fill) -> None:
        """An order got a fill, for the first time that it was told."""
        self._fills.append((self._clock.reading, order, fill, self._last(order.instrument)))

    def collect(
        self,
        orders: Iterable[Order],
        carried: Carried,
        rows: Iterable[Subscription],
        *,
        marks: Mapping[str, Decimal] | None = None,
    ) -> Collected:
        """Give what has been collected.

        Args:
            orders: All of the run, in the order in which they were placed.
            carried: What the run began with.
            rows: Its subscriptions, for their gaps.
            marks: What open positions are worth at the end; None: by the last prices.
        """
        self.sample()
        if marks is None:
            last = {symbol: self._price(symbol) for symbol in self._instruments}
            marks = {symbol: price for symbol, price in last.items() if price is not None}
        known = {item.instrument.symbol: item.instrument for item in carried.positions} | dict(self._instruments)
        currencies = dict.fromkeys(item.currency for item in self._instruments.values())
        return Collected(
            started=self._clock.start,
            ended=self._clock.reading,
            strategies=tuple(self._strategies),
            instruments=tuple(known.values()),
            orders=_columns(_ORDER, (_order(order, self._noted(order)) for order in orders if not order.earlier)),
            fills=_columns(_FILL, (_fill(*row) for row in self._fills)),
            begin=_columns(
                _BEGIN, ((row.strategy, row.instrument.symbol, row.quantity, row.cost) for row in carried.positions)
            ),
            gaps=_columns(
                _GAP,
                (
                    (row.stream.instrument or "", row.stream.label, gap.since, gap.until, gap.reason)
                    for row in rows
                    for gap in row.gaps
                ),
            ),
            times=list(self._times),
            prices={symbol: list(column) for symbol, column in self._prices.items()},
            interval=self._interval,
            marks={symbol: price for symbol, price in marks.items() if symbol in known},
            capital={} if self.capital is None else dict.fromkeys(currencies, self.capital),
        )

    def _noted(self, order: Order) -> _Noted:
        return self._orders.get(order.client_order_id) or _Noted(nan)

    def _last(self, symbol: str) -> float:
        price = self._price(symbol)
        return nan if price is None else float(price)

    def sample(self) -> None:
        """Note the prices of now."""
        before = len(self._times)
        if before and self._times[-1] == self._clock.reading:
            return
        self._times.append(self._clock.reading)
        for symbol in self._instruments:
            column = self._prices.get(symbol)
            if column is None:
                column = self._prices[symbol] = [nan] * before
            column.append(self._last(symbol))
        if self.span is None and before >= 2 * POINTS and self._interval < _STEPS[-1]:
            self._thin_out()

    def _thin_out(self) -> None:
        """Keep one sample of each longer interval."""
        step = self._interval = _STEPS[_STEPS.index(self._interval) + 1]
        times = self._times
        kept = [n for n in range(len(times)) if not n or times[n] // step != times[n - 1] // step]
        self._times = [times[n] for n in kept]
        self._prices = {symbol: [column[n] for n in kept] for symbol, column in self._prices.items()}


@attrs.define(eq=False)
class _Noted:
    """What nobody else remembers of an order."""

    price: float
    """Last price when it was decided; NaN if none was known."""
    answered: int | None = None
    """When the venue's first word on it came."""
    ended: int | None = None


class _Ear:
    """Tells the collector before the strategy, whose handlers may place the next order."""

    def __init__(self, collector: Collector, ear: OrderEar) -> None:
        self._collector = collector
        self._ear = ear

    def order_changed(self, order: Order) -> None:
        self._collector.changed(order)
        self._ear.order_changed(order)

    def order_filled(self, order: Order, fill: Fill) -> None:
        self._collector.filled(order, fill)
        self._ear.order_filled(order, fill)


_ORDER: Final = (
    *("order", "strategy", "instrument", "side", "type", "quantity", "price", "stop_price", "state", "filled"),
    *("reason", "placed", "answered", "ended", "decision_price"),
)
_FILL: Final = (
    *("time", "event_time", "strategy", "instrument", "side", "price", "quantity", "fee", "fee_currency"),
    *("order", "trade_id", "mark"),
)
_BEGIN: Final = ("strategy", "instrument", "quantity", "cost")
_GAP: Final = ("instrument", "stream", "since", "until", "reason")


def _columns(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> Columns:
    columns: dict[str, list[Any]] = {name: [] for name in names}
    appends = [column.append for column in columns.values()]
    for row in rows:
        for append, value in zip(appends, row, strict=True):
            append(value)
    return columns


def _order(order: Order, noted: _Noted) -> tuple[Any, ...]:
    request = order.request
    return (
        *(order.client_order_id, order.strategy, request.instrument, request.side.value, request.type.value),
        *(order.quantity, request.price, request.stop_price, order.state.value, order.filled_quantity),
        *(order.reason, order.placed, noted.answered, noted.ended, noted.price),
    )


def _fill(time: int, order: Order, fill: Fill, mark: float) -> tuple[Any, ...]:
    return (
        *(time, fill.event_time, order.strategy, fill.instrument, fill.side.value, fill.price),
        *(fill.quantity, fill.fee, fill.fee_currency),
        *(order.client_order_id, fill.trade_id, mark),
    )

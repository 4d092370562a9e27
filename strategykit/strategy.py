"""What users subclass: `Strategy`."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Unpack, cast

import attrs
import trio

from strategykit.declarations import Declaration
from strategykit.defining import define, param
from strategykit.errors import StrategyError
from strategykit.indicators import Condition
from strategykit.model.events import (
    AssetUpdate,
    Bar,
    BookSnapshot,
    ByOrderDelta,
    ByOrderSnapshot,
    Fill,
    Gap,
    Quote,
    Rate,
    Side,
    Stale,
    Ticker,
    Trade,
    Volume,
)
from strategykit.model.instruments import Instrument
from strategykit.model.orders import GroupKind
from strategykit.model.portfolio import Portfolio
from strategykit.runtime.desk import Desk
from strategykit.runtime.feeds import Feed
from strategykit.runtime.groups import OrderSpec, exits_of
from strategykit.runtime.holding import Holding
from strategykit.runtime.legs import Legs
from strategykit.runtime.levels import Terms
from strategykit.runtime.order import Order
from strategykit.runtime.requests import OrderTerms
from strategykit.runtime.scopes import Freshness

if TYPE_CHECKING:  # They need numpy, which only strategies with batch handlers do.
    from strategykit.columns.batch import QuoteBatch, TradeBatch

__all__ = ["Strategy", "define", "param"]

# A look-up of a member costs more than a call on Python 3.11.
_BUY: Final = Side.BUY
_SELL: Final = Side.SELL


@define
class Strategy:
    """A trading strategy: declare streams and parameters, then react in handlers or tell a story in `run`.

    Handlers (``on_…``) are plain functions: nothing else runs meanwhile. They may use verbs that end in
    ``_nowait`` and `start`. Everything ``async`` belongs in `run`, or in tasks that `start` began.
    """

    _desk: Desk | None = attrs.field(default=None, init=False, repr=False)

    # To be overridden

    async def run(self) -> None:
        """Tell the strategy's story; its end ends nothing else: handlers go on."""
        await trio.sleep_forever()

    def on_trade(self, trade: Trade) -> None:
        """A public trade."""

    def on_trades(self, batch: TradeBatch) -> None:
        """Public trades, many at once, in the place of `on_trade`: for what needn't react to each of them."""

    def on_quote(self, quote: Quote) -> None:
        """A new best bid or ask."""

    def on_quotes(self, batch: QuoteBatch) -> None:
        """New best bids and asks, many at once, in the place of `on_quote`."""

    def on_ticker(self, ticker: Ticker) -> None:
        """New figures of the last 24 hours."""

    def on_book(self, book: BookSnapshot) -> None:
        """A new state of an order book."""

    def on_book_by_order(self, change: ByOrderSnapshot | ByOrderDelta) -> None:
        """Orders of a book came, changed or left; or all of them, whole. The feed's `orders` has them as they are."""

    def on_rate(self, rate: Rate) -> None:
        """A new rate of one asset in another."""

    def on_volume(self, volume: Volume) -> None:
        """New figures of what was traded in the last hour, day or month."""

    def on_asset(self, asset: AssetUpdate) -> None:
        """News of a currency or coin."""

    def on_bar(self, bar: Bar) -> None:
        """A bar has closed."""

    def on_order(self, order: Order) -> None:
        """One of this strategy's orders changed its state."""

    def on_fill(self, fill: Fill) -> None:
        """One of this strategy's orders was filled, in part or whole."""

    def on_gap(self, gap: Gap) -> None:
        """Data may be missing; told before the next datum of that stream."""

    def on_stale(self, stale: Stale) -> None:
        """A stream has been silent for longer than its declaration allows."""

    # Around the strategy

    @property
    def desk(self) -> Desk:
        """The run that this strategy is part of."""
        if self._desk is None:
            raise StrategyError(f"{type(self).__name__} isn't running: streams and orders exist only inside a run")
        return self._desk

    def attach(self, desk: Desk) -> None:
        """Become part of a run. For the supervisor, once, before anything is called."""
        self._desk = desk

    def own_handler(self, name: str) -> Callable[[Any], None] | None:
        """Give the handler `name` if the class has its own; None saves a call an event."""
        if getattr(type(self), name) is getattr(Strategy, name):
            return None
        return cast("Callable[[Any], None]", getattr(self, name))

    @classmethod
    def declarations(cls) -> Iterator[Declaration[Any]]:
        """Give the streams that the class declares, bases first."""
        found: dict[str, Declaration[Any]] = {}
        for base in reversed(cls.__mro__):
            found.update({name: item for name, item in vars(base).items() if isinstance(item, Declaration)})
        yield from found.values()

    @property
    def random(self) -> random.Random:
        """A generator seeded by the run: the same numbers in a re-run."""
        return self.desk.random

    def now(self) -> int:
        """The run's time, nanoseconds UTC: the tape's in replay."""
        return self.desk.now()

    async def sleep_until(self, time: int) -> None:
        """Sleep until `time`, nanoseconds UTC by the run's clock."""
        await self.desk.sleep_until(time)

    @property
    def portfolio(self) -> Portfolio:
        """What this strategy holds and has earned, from its own fills."""
        return self.desk.portfolio

    def position(self, instrument: str | None = None) -> Decimal:
        """Lots held by this strategy, negative when short."""
        return self.desk.position(instrument)

    def instrument_of(self, instrument: str | None = None) -> Instrument:
        """Reference data: tick, lot, currency. Needed where the strategy trades more than one."""
        return self.desk.instrument(instrument)

    def log(self, text: str) -> None:
        """Note a line in the run's record."""
        self.desk.log(text)

    def start(self, function: Callable[..., Awaitable[object]], *arguments: object) -> None:
        """Start a task of this strategy; it ends with the strategy at the latest."""
        self.desk.start(function, *arguments)

    # Waiting

    async def when(self, condition: Condition) -> None:
        """Return once `condition` holds; at once if it does now."""
        await self.desk.when(condition)

    def deadline_moved(self) -> None:
        """Say that a handler has moved a deadline under which a task waits.

        It need not be said of one that was computed from `trio.current_time`. Tasks need never say it.
        """
        self.desk.clock.deadline_moved()

    # Orders

    def buy_nowait(self, quantity: Decimal | int, **how: Any) -> Order:
        """Place a buy and give its handle at once; see `buy`."""
        return self.desk.submit(_BUY, quantity, **how)

    def sell_nowait(self, quantity: Decimal | int, **how: Any) -> Order:
        """Place a sell and give its handle at once; see `buy`."""
        return self.desk.submit(_SELL, quantity, **how)

    async def buy(
        self, quantity: Decimal | int, *, instrument: str | None = None, **terms: Unpack[OrderTerms]
    ) -> Order:
        """Buy `quantity` lots; return when the venue has accepted.

        Args:
            quantity: Lots.
            limit: Highest price; None is a market order. A `float` is rounded down to the tick.
            stop: The order sleeps at the venue until the market trades at or above this.
            trail: Lets the stop follow the market at this distance; on paper, and in backtests, alone.
            until: Nanoseconds UTC at which it lapses; None: as `time_in_force` says.
            time_in_force: How long it lives.
            display_quantity: Visible lots of an iceberg.
            instrument: Needed where the strategy has more than one.

        Raises:
            OrderRefused: The venue, or the lane to it, said no.
            RiskLimit: We said no; nothing was sent.
        """
        return await self._place(Side.BUY, quantity, instrument=instrument, **terms)

    async def sell(
        self, quantity: Decimal | int, *, instrument: str | None = None, **terms: Unpack[OrderTerms]
    ) -> Order:
        """Sell `quantity` lots; return when the venue has accepted. See `buy`."""
        return await self._place(Side.SELL, quantity, instrument=instrument, **terms)

    async def _place(self, side: Side, quantity: Decimal | int, **how: Any) -> Order:
        order = self.desk.submit(side, quantity, **how)
        await self.desk.accepted(order)
        return order

    def one_cancels_other_nowait(self, *orders: OrderSpec, instrument: str | None = None) -> tuple[Order, ...]:
        """Place orders that cancel each other and give their handles at once; see `one_cancels_other`."""
        return self.desk.submit_group(GroupKind.ONE_CANCELS_OTHER, orders, instrument=instrument)

    async def one_cancels_other(self, *orders: OrderSpec, instrument: str | None = None) -> tuple[Order, ...]:
        """Place orders of which the venue takes all or none; return when it has accepted them.

        What is filled of one the venue takes from the others; once one is filled whole, they are cancelled.

        Args:
            orders: Two or more.
            instrument: What all of them trade; needed where the strategy has more than one.

        Raises:
            ConfigError: Where its orders go, none are linked.
            OrderRefused: The venue, or the lane to it, said no, to all of them.
            RiskLimit: We said no; nothing was sent.
        """
        placed = self.one_cancels_other_nowait(*orders, instrument=instrument)
        for order in placed:
            await self.desk.accepted(order)
        return placed

    def bracket_nowait(
        self,
        entry: OrderSpec,
        *,
        target: Decimal | float | None = None,
        stop: Decimal | float | None = None,
        offsets: bool = False,
        instrument: str | None = None,
    ) -> tuple[Order, tuple[Order, ...]]:
        """Place a bracket and give its handles at once; see `bracket`."""
        exits = exits_of(entry, target=target, stop=stop, offsets=offsets)
        kind = GroupKind.OFFSET_BRACKET if offsets else GroupKind.BRACKET
        first, *rest = self.desk.submit_group(kind, (entry, *exits), instrument=instrument)
        return first, tuple(rest)

    async def bracket(
        self,
        entry: OrderSpec,
        *,
        target: Decimal | float | None = None,
        stop: Decimal | float | None = None,
        offsets: bool = False,
        instrument: str | None = None,
    ) -> tuple[Order, tuple[Order, ...]]:
        """Place an entry and its exits, all or none; return the entry and the exits when the venue has accepted them.

        The venue holds the exits until the entry is filled. Then each has as many lots as were filled, even while this
        program is cut off, and one cancels the other. They are good till cancelled.

        Args:
            entry: What gets in.
            target: Price of the profit's limit: the first of the exits.
            stop: Trigger of the loss's stop: the last of them. One of the two may be left out.
            offsets: Whether both are distances in price from the entry's fill instead, above 0.
            instrument: Needed where the strategy has more than one.

        It raises what `one_cancels_other` does.
        """
        first, exits = self.bracket_nowait(entry, target=target, stop=stop, offsets=offsets, instrument=instrument)
        for order in (first, *exits):
            await self.desk.accepted(order)
        return first, exits

    def open_orders(self) -> list[Order]:
        """Give this strategy's orders that can still be filled; those that an earlier run left, too."""
        return list(self.desk.open_orders())

    def kill(self, reason: str) -> None:
        """Pull the kill switch: every strategy of the run is stopped, and nothing is opened any more.

        Args:
            reason: In words; it stands in the journal, the report and every trace.
        """
        self.desk.kill(reason, f"strategy {self.desk.name}")

    # Scopes

    def long(
        self,
        quantity: Decimal | int,
        *,
        instrument: str | None = None,
        limit: Decimal | float | None = None,
        enter_within: float | None = None,
        stop: Decimal | float | None = None,
        target: Decimal | float | None = None,
        trailing: Decimal | float | None = None,
        within: float | None = None,
    ) -> AbstractAsyncContextManager[Holding, bool]:
        """Buy, and hold while the block runs; whatever the way out, sell what is held and wait for the fill.

        Of `stop`, `target` and `trailing`, a `float` is a part of the entry price, 0.02 being 2 %, and a `Decimal` a
        distance in price. The stop rests at the venue where orders go to one that has stops; else, and while that is
        in doubt, the program watches prices: `Holding.protection` says which. The target is always watched here.

        Args:
            quantity: Lots.
            instrument: Needed where the strategy has more than one.
            limit: Highest price of the entry; None buys at the market.
            enter_within: Seconds after which what isn't bought is withdrawn; what is bought by then is held.
            stop: Loss, from the mean price of the entry, that ends the block.
            target: Gain that ends the block.
            trailing: Loss, from the best price since the entry, that ends the block: of trades where the strategy
                has a stream of them, else of what it could be sold at.
            within: Seconds after which the block is ended.

        Raises:
            OrderEnded: Nothing was bought.
            RiskLimit: We said no; nothing was sent. Or a level can't be reached from where it was bought.
            Unsettled: It isn't known to be flat again; says what is left.
        """
        terms = Terms(
            limit=limit, enter_within=enter_within, stop=stop, target=target, trailing=trailing, within=within
        )
        return self.desk.hold(Side.BUY, quantity, instrument=instrument, terms=terms)

    def short(
        self,
        quantity: Decimal | int,
        *,
        instrument: str | None = None,
        limit: Decimal | float | None = None,
        enter_within: float | None = None,
        stop: Decimal | float | None = None,
        target: Decimal | float | None = None,
        trailing: Decimal | float | None = None,
        within: float | None = None,
    ) -> AbstractAsyncContextManager[Holding, bool]:
        """Sell, and hold while the block runs; whatever the way out, buy back what was sold. See `long`."""
        terms = Terms(
            limit=limit, enter_within=enter_within, stop=stop, target=target, trailing=trailing, within=within
        )
        return self.desk.hold(Side.SELL, quantity, instrument=instrument, terms=terms)

    def legs(self, *, within: float) -> AbstractAsyncContextManager[Legs]:
        """Place orders that are all to be filled, or none: `Legs.buy` and `Legs.sell` in the block.

        At its end they get `within` seconds; what is filled of them then is traded away again unless all are. An error
        in the block, or its cancellation, undoes them, too. What is filled is the strategy's to give up; to hold it
        while a block runs, nest `long` and `short`.

        Raises:
            LegsApart: Not all were filled; none is held.
            Unsettled: Not all were filled, and what was isn't known to be undone; says what is left.
        """
        return self.desk.legs(within=within)

    def working(self, *orders: Order) -> AbstractAsyncContextManager[None]:
        """Keep orders working while the block runs; on leaving, what is unfilled is cancelled and waited for."""
        return self.desk.working(*orders)

    def fresh(self, feed: Feed[Any], *, within: float) -> AbstractAsyncContextManager[Freshness, bool]:
        """Run the block while `feed` is alive: `within` seconds without an event cancel it.

        A feed that has been silent for that long already, or that has told nothing yet, is waited for.
        """
        return self.desk.fresh(feed, within=within)

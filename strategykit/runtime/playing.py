"""One run, once it has been put together: what has to be there before strategies begin, and what is owed at its end."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Final

import attrs
import trio

from strategykit.errors import ConfigError, ConnectionLost
from strategykit.model.events import Event
from strategykit.model.instruments import Instrument
from strategykit.model.orders import OrderState
from strategykit.runtime.account_check import AccountCheck
from strategykit.runtime.account_inquiry import AccountInquiry, keep_account
from strategykit.runtime.carried import Carried
from strategykit.runtime.cash_check import CashCheck
from strategykit.runtime.clock import RunClock
from strategykit.runtime.collector import Collected, Collector
from strategykit.runtime.driver import Driver
from strategykit.runtime.engine import Engine
from strategykit.runtime.gateway import Gateway
from strategykit.runtime.housekeeping import keep_fresh, keep_house
from strategykit.runtime.kill import KillSwitch
from strategykit.runtime.order import Order
from strategykit.runtime.quiet_orders import keep_asking
from strategykit.runtime.reconcile import Reconciler
from strategykit.runtime.risk import Risk
from strategykit.runtime.risk_run import LossWatch, keep_days
from strategykit.runtime.supervise import Supervisor
from strategykit.runtime.unwatched import stops_over
from strategykit.sim.paper import PaperExchange
from strategykit.venues.dialect import AskInstrument
from strategykit.venues.streams import UNTRADED, Stream, StreamKind

__all__ = ["ACCOUNT", "READY_WITHIN", "Identity", "Run"]

ACCOUNT: Final = "(account)"
"""Owner of the subscriptions that the run itself needs."""

READY_WITHIN: Final = 30.0
"""Seconds for reference data and the order lanes to be there before strategies start."""

POSITIONS_WITHIN: Final = 2.0
"""Seconds at the end of a run for the venue's positions to agree with its fills."""

CERTAIN_WITHIN: Final = 10.0
"""Seconds at the end of a run for the venue to tell how orders in doubt ended."""

_UNANSWERED: Final = (OrderState.INTENT, OrderState.SENT, OrderState.CANCEL_SENT)

_PRIVATE: Final = (
    StreamKind.ORDERS,
    StreamKind.STOP_ORDERS,
    StreamKind.FILLS,
    StreamKind.POSITIONS,
    StreamKind.SUMMARY,
)


@attrs.frozen
class Identity:
    """What ids and random numbers of a run are drawn from; kept in its tape."""

    seed: int
    start: int
    """Nanoseconds UTC. In it, so that two runs with one seed don't share order ids."""

    def random(self, purpose: str) -> random.Random:
        return random.Random(f"{self.seed}:{self.start}:{purpose}")

    @property
    def tag(self) -> str:
        return hashlib.sha256(f"{self.seed}:{self.start}".encode()).hexdigest()[:8]


@attrs.define(eq=False, kw_only=True)
class Run:
    """All parts of one run."""

    engine: Engine
    gateway: Gateway
    reconciler: Reconciler
    supervisor: Supervisor
    driver: Driver
    clock: RunClock
    exchange: str | None
    instruments: dict[str, Instrument]
    trades_at_venue: bool
    """Whether a venue answers the orders, over lanes of its own."""
    live: bool
    """Whether there are wires: a recording's subscriptions need no confirming."""
    paper: Callable[[Mapping[str, Instrument]], PaperExchange] | None
    """Makes the exchange that answers the orders where no venue does, once the instruments are known."""
    nursery: trio.Nursery
    risk: Risk
    losses: LossWatch
    kill: KillSwitch
    account_check: AccountCheck
    cash_check: CashCheck
    carried: Carried
    adopted: Sequence[Order] = ()
    """Orders of the run before that hadn't ended."""
    collector: Collector | None = None
    """Notes what a result is made of; None: nobody wants one."""
    ready: bool = attrs.field(default=False, init=False)
    """Whether all that strategies need to begin has been there."""
    over: bool = attrs.field(default=False, init=False)
    """Whether the strategies have left and nothing is in doubt, as far as that could be had."""

    async def play(self) -> None:
        """Open what the account needs, load reference data, run the strategies, and leave nothing in doubt.

        Raises:
            ConnectionLost: The venue wasn't ready in time.
        """
        try:
            await self._play()
        finally:
            self.over = True

    async def _play(self) -> None:
        if self.live:
            self.clock.turns.start(self.nursery, keep_house, self.engine, self.clock)
        elif any(
            declaration.fresh_within is not None
            for seat in self.supervisor.seats
            for declaration in seat.strategy.declarations()
        ):
            self.clock.turns.start(self.nursery, keep_fresh, self.engine, self.clock)
        self.clock.turns.start(self.nursery, keep_days, self.risk, self.clock)
        self.clock.turns.start(self.nursery, self.losses.keep)
        if self.collector is not None:
            self.clock.turns.start(self.nursery, self.collector.keep)
        lane = self.engine.dialect.commands
        if self.trades_at_venue and lane is not None:
            self.engine.connect(self.engine.command_connection, lane)
            for kind in _PRIVATE:
                if kind not in self.engine.dialect.offers.streams:
                    continue
                stream = Stream(kind=kind, account=self.gateway.account, exchange=self.exchange)
                self.engine.want(stream, ACCOUNT, None)
        missing = "reference data"
        with self.supervisor.opening, trio.move_on_after(READY_WITHIN) as scope:
            await self._load_instruments()
            missing = f"connection {self.engine.command_connection}"
            if self.paper is not None and self.instruments:
                self.engine.paper = self.paper(self.instruments)
                self.gateway.lane_changed(up=True, reason="")
            if self.trades_at_venue:
                await self.gateway.lane.until(lambda: self.gateway.lane_up)
                missing = "its word on the account's orders"
                self.gateway.doubt(0.0)
                await self.reconciler.certain.until(self._is_certain)
                missing = "the end of the orders that the run before left"
                await self._withdraw_adopted()
                if self.adopted:  # Their ends may have come by a stream, ahead of what they made of positions and cash.
                    missing = "its word on the account's positions"
                    await self.reconciler.once_more(self.gateway)
                self.account_check.begin()
                self.cash_check.begin()
                inquiry = AccountInquiry(self._ask_once_more)
                self.clock.turns.start(self.nursery, keep_account, self.account_check, self.cash_check, inquiry)
                self.clock.turns.start(self.nursery, keep_asking, self.gateway, self._ask_once_more)
        if scope.cancelled_caught:
            raise ConnectionLost(
                f"the venue wasn't ready within {READY_WITHIN:g} s: {missing} is missing; `strategykit doctor` says why"
            )
        if not self.supervisor.stopping:
            self.ready = True
            await self.supervisor.run()
        if self.kill.reason:
            await self.kill.settled.wait()
        until = trio.current_time() + POSITIONS_WITHIN
        await self.account_check.settle(POSITIONS_WITHIN, ask=self._ask_once_more)
        await self.cash_check.settle(max(until - trio.current_time(), 0.0))
        if self.trades_at_venue:
            with trio.move_on_after(CERTAIN_WITHIN):
                await self._become_certain()

    async def _become_certain(self) -> None:
        """Wait for answers about orders that are kept, and ask about whatever is in doubt then."""
        for order in self.gateway.open_orders():
            await order.changed.until(partial(_is_answered, order))
        if self.gateway.doubtful():
            self.gateway.doubt(0.0)
            await self.reconciler.certain.until(lambda: not self.gateway.doubtful())

    def _ask_once_more(self) -> Callable[[], bool]:
        """Have fills, orders and positions asked for; give what says whether all of that has been answered."""
        return self.reconciler.ask_once_more(self.gateway)

    def _is_certain(self) -> bool:
        """Whether the venue has told how all our orders stand."""
        return self.reconciler.rounds > 0 and not self.gateway.doubtful()

    async def _withdraw_adopted(self) -> None:
        """Cancel what the run before left working, as it would have done, had it come to its end."""
        if self.supervisor.keep_orders:
            return
        stood = [order for order in self.adopted if order.is_open]
        for order in self.adopted:
            order.cancel_nowait()
        for order in self.adopted:
            await order.ended()
        self._tell_unwatched([order for order in stood if order.state is OrderState.CANCELLED])

    def _tell_unwatched(self, gone: Sequence[Order]) -> None:
        """Say which positions have lost their stops, as the orders `gone` were withdrawn.

        A strategy that runs begins with its position, and can protect it anew. Nobody does it for one that doesn't run.
        """
        running = {seat.name for seat in self.supervisor.seats}
        for strategy, symbol, lots in self.kill.held():
            if not (stops := stops_over(gone, strategy, symbol, lots)):
                continue
            words = f"{lots:+} {symbol} of {strategy} stays, and the stop over it was withdrawn: {', '.join(stops)}"
            if running and strategy not in running:
                self.kill.alarms.sound("orders", f"{words}; no strategy of that name runs, so nothing watches over it")
            else:  # Without any strategy, orders are all that is seen to here; who has that done tells of positions.
                self.engine.ledger.note("orders", f"{words}; the strategy has to place another")

    def collected(self, marks: Mapping[str, Decimal] | None = None) -> Collected | None:
        """Give what a result is made of, if somebody wanted one; `marks` value what is open, else the last prices."""
        if self.collector is None:
            return None
        return self.collector.collect(self.gateway.orders.values(), self.carried, self.engine.table, marks=marks)

    async def play_and_tell(self, done: trio.Event) -> None:
        """Play; `done` is set when it is over, however it ended."""
        try:
            await self.play()
        finally:
            done.set()

    async def _load_instruments(self) -> None:
        """Load what the strategies may trade; ask for what is only recorded, too: a backtest on the tape needs it."""
        wanted: dict[str, None] = {}
        for seat in self.supervisor.seats:
            for declaration in seat.strategy.declarations():
                try:
                    stream = declaration.stream(seat.strategy, now=self.clock.reading)
                except ConfigError as exc:
                    seat.fail(exc)
                    continue
                traded = stream.instrument if stream.kind not in UNTRADED else None
                if traded is not None and traded not in self.instruments:
                    wanted[traded] = None
        streams = [row.stream for row in self.engine.table if row.stream.kind not in UNTRADED] if self.live else []
        recorded = {stream.instrument: None for stream in streams}
        for symbol in recorded:
            if symbol is not None and symbol not in wanted and symbol not in self.instruments:
                self._ask_instrument(symbol, lambda _: None)
        for order in self.gateway.open_orders():
            if order.instrument not in self.instruments:
                wanted[order.instrument] = None
        for symbol in wanted:
            await self._load_instrument(symbol)

    async def _load_instrument(self, symbol: str) -> None:
        came = trio.Event()

        def take(found: Instrument | None) -> None:
            if found is not None:
                self.instruments[symbol] = found
            came.set()

        self._ask_instrument(symbol, take)
        await came.wait()

    def _ask_instrument(self, symbol: str, take: Callable[[Instrument | None], None]) -> None:
        def answered(rows: Sequence[Event | Instrument] | None, reason: str) -> None:
            found = [row for row in rows or () if isinstance(row, Instrument) and row.symbol == symbol]
            if not found:
                self.engine.ledger.note("venue", f"no reference data of {symbol}: {reason or 'unknown there'}")
            take(found[0] if found else None)

        self.engine.ask(AskInstrument(instrument=symbol, exchange=self.exchange), answered)


def _is_answered(order: Order) -> bool:
    """Whether nothing about it is on its way, or so much is in doubt that it has to be asked for."""
    on_its_way = order.amending is not None or order.state in _UNANSWERED
    return order.state.terminal or order.uncertain or not on_its_way

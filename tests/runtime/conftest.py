"""A venue that a test has in its hand, and a gateway in front of it: the test is the wire between the two."""

from __future__ import annotations

import itertools
import random
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from strategykit.errors import OrderEnded, OrderRefused
from strategykit.model.event_class import altered
from strategykit.model.events import Event, Fill, OrderStatus, OrderUpdate, Side
from strategykit.model.instruments import Instrument
from strategykit.model.orders import (
    AmendOrder,
    CancelOrder,
    Command,
    CreateGroup,
    CreateOrder,
    OrderRequest,
    OrderState,
    OrderType,
    VenueCommand,
)
from strategykit.model.risk_limits import NO_PLAN
from strategykit.runtime.gateway import Gateway
from strategykit.runtime.order import Order
from strategykit.runtime.ports import OrderJournal
from strategykit.runtime.reconcile import Reconciler
from strategykit.runtime.risk import Risk
from strategykit.runtime.waking import Doorbell, Signal, Wakes
from strategykit.venues.dialect import Ask, AskOrders, AskStopOrders, AskTrades, Reply

WORKING, CANCELLED, FILLED = OrderStatus.WORKING, OrderStatus.CANCELLED, OrderStatus.FILLED
Rows = Sequence[Event | Instrument]


@attrs.define
class Truth:
    """One order as the venue has it."""

    number: str
    request: OrderRequest
    filled: Decimal = Decimal(0)
    status: OrderStatus = WORKING

    @property
    def left(self) -> Decimal:
        return self.request.quantity - self.filled

    def update(self) -> OrderUpdate:
        r = self.request
        return OrderUpdate(
            instrument=r.instrument,
            venue_order_id=self.number,
            client_order_id=r.client_order_id,
            status=self.status,
            side=r.side,
            quantity=r.quantity,
            filled=self.filled,
            price=r.price,
            event_time=None,
            receive_time=0,
            guid="",
            account=r.account,
            stop_price=r.stop_price,
        )


class Venue:
    """Where orders really are. What it says is put in `said` and `replies`, for the test to deliver."""

    def __init__(self, *, ids_on_fills: bool = True) -> None:
        self.orders: dict[str, Truth] = {}
        self.fills: list[Fill] = []
        self.said: list[OrderUpdate | Fill] = []
        self.replies: list[Reply] = []
        self.created: list[str] = []
        self.ids_on_fills = ids_on_fills
        self._numbers = itertools.count(1001)
        self._trades = itertools.count(1)

    def execute(self, command: Command, *, refuse: bool = False) -> None:
        match command:
            case CreateOrder(guid=guid, request=request):
                self.created.append(request.client_order_id)
                if refuse:
                    self.replies.append(Reply(guid, 400, "no money", ok=False))
                    return
                self.replies.append(self._accepted(guid, self.open(request).number))
            case AmendOrder(guid=guid, venue_order_id=number, request=request):
                old = self.orders.get(number)
                if old is None or old.status is not WORKING or refuse:
                    self.replies.append(Reply(guid, 404, "Order to update not found", ok=False))
                    return
                self.end(old, CANCELLED)
                self.replies.append(self._accepted(guid, self.open(request).number))
            case CancelOrder(guid=guid, venue_order_id=number):
                old = self.orders.get(number)
                if old is None or old.status is not WORKING or refuse:
                    self.replies.append(Reply(guid, 404, "Order to cancel not found", ok=False))
                    return
                self.end(old, CANCELLED)
                self.replies.append(self._accepted(guid, number))

    def _accepted(self, guid: str, number: str) -> Reply:
        return Reply(guid, 200, "done", True, number)

    def open(self, request: OrderRequest) -> Truth:
        order = Truth(str(next(self._numbers)), request)
        self.orders[order.number] = order
        self.said.append(order.update())
        return order

    def end(self, order: Truth, status: OrderStatus) -> None:
        order.status = status
        self.said.append(order.update())

    def fill(self, order: Truth, lots: Decimal | int | None = None) -> Fill:
        lots = order.left if lots is None else Decimal(lots)
        order.filled += lots
        r = order.request
        told = r.client_order_id if self.ids_on_fills else None
        price = r.price if r.price is not None else Decimal(100)
        trade = f"t{next(self._trades)}"
        fill = Fill(r.instrument, trade, order.number, told, r.side, lots, price, None, None, None, 0, "")
        self.fills.append(fill)
        self.said.append(fill)
        if not order.left:
            order.status = FILLED
        self.said.append(order.update())
        return fill

    def trigger(self, stop: Truth) -> Truth:
        self.end(stop, FILLED)
        kind = OrderType.MARKET if stop.request.price is None else OrderType.LIMIT
        return self.open(altered(stop.request, type=kind, stop_price=None))

    def of(self, client_order_id: str) -> list[Truth]:
        return [order for order in self.orders.values() if order.request.client_order_id == client_order_id]

    def answer(self, ask: Ask) -> Rows:
        match ask:
            case AskTrades():
                return list(self.fills)
            case AskOrders():
                return [order.update() for order in self.orders.values() if order.request.stop_price is None]
            case AskStopOrders():
                return [order.update() for order in self.orders.values() if order.request.stop_price is not None]
        raise AssertionError(ask)


class Ear:
    """A strategy, as far as the gateway knows it."""

    def __init__(self) -> None:
        self.fills: list[Fill] = []
        self.states: list[OrderState] = []
        self.on_order: Callable[[Order], None] = lambda _: None
        self.on_fill: Callable[[Order], None] = lambda _: None

    def order_changed(self, order: Order) -> None:
        self.states.append(order.state)
        self.on_order(order)

    def order_filled(self, order: Order, fill: Fill) -> None:
        self.fills.append(fill)
        self.on_fill(order)


class Stage:
    """A gateway and its reconciler between a strategy and a venue; the test is the wire."""

    def __init__(
        self, nursery: trio.Nursery, venue: Venue, *, journal: OrderJournal | None = None, tag: str = "tag"
    ) -> None:
        self.venue = venue
        self.ear = Ear()
        self.sent: list[Command] = []
        self.groups: list[CreateGroup] = []
        self.up = True
        self.suspected: list[str] = []
        self.asked = 0
        self.silent = False
        """Whether nobody answers what is asked over HTTP."""
        self.notes: list[str] = []
        bell = Doorbell()
        wakes = Wakes(bell.ring)
        instruments = {"X": Instrument("X", tick=Decimal("0.01"))}
        self.gateway = Gateway(
            port=self,
            account="D1",
            instruments=instruments,
            risk=Risk(plan=NO_PLAN, instruments=instruments, price=lambda _: None),
            tag=tag,
            wakes=wakes,
            now=self.now,
            start=nursery.start_soon,
            doubt=lambda after: self.reconciler.doubt(self.gateway, after),
            journal=journal,
        )
        self.reconciler = Reconciler(
            ask=self.ask,
            start=nursery.start_soon,
            account="D1",
            exchange=None,
            now=self.now,
            note=lambda source, text: self.notes.append(f"{source}: {text}"),
            unanswered=lambda *_: None,
            certain=Signal(wakes),
            rng=random.Random(1),
        )
        self.gateway.listen("s", self.ear)
        self.gateway.lane_changed(up=True, reason="")
        nursery.start_soon(self._drive, bell, wakes)

    async def _drive(self, bell: Doorbell, wakes: Wakes) -> None:
        while True:
            await bell.wait()
            while wakes:
                wakes.wake_next()

    def now(self) -> int:
        return int(trio.current_time() * 1e9)

    def ask(self, ask: Ask, answered: Callable[[Rows | None, str], None]) -> None:
        self.asked += 1
        if not self.silent:
            answered(self.venue.answer(ask), "")

    # The order port

    def command(self, strategy: str, command: VenueCommand) -> bool:
        if not self.up:
            return False
        if isinstance(command, CreateGroup):
            self.groups.append(command)
        else:
            self.sent.append(command)
        return True

    def suspect(self, reason: str) -> None:
        self.suspected.append(reason)

    # What a test does

    def lane(self, *, up: bool) -> None:
        self.up = up
        self.gateway.lane_changed(up=up, reason="broken")

    def order(self, lots: int = 5, **how: Any) -> Order:
        how.setdefault("limit", Decimal(100))
        return self.gateway.submit("s", "X", Side.BUY, lots, **how)

    def execute(self, *, refuse: bool = False) -> Command:
        """Let the venue take the oldest command."""
        command = self.sent.pop(0)
        self.venue.execute(command, refuse=refuse)
        return command

    async def reply(self) -> None:
        """Deliver the oldest reply."""
        self.gateway.replied(self.venue.replies.pop(0))
        await wait_all_tasks_blocked()

    async def tell(self, *numbers: int) -> None:
        """Deliver what the stream said, all of it or by position."""
        said = self.venue.said
        chosen = [said[number] for number in numbers] if numbers else list(said)
        for thing in chosen:
            self.hear(thing)
        self.venue.said = [thing for thing in said if not any(thing is one for one in chosen)]
        await wait_all_tasks_blocked()

    def hear(self, thing: OrderUpdate | Fill) -> None:
        if isinstance(thing, Fill):
            self.gateway.filled(thing)
        else:
            self.gateway.updated(thing)

    def standing(self, order: Order) -> tuple[str, int, int]:
        """Give state, lots filled and lots left."""
        return order.state.value, int(order.filled_quantity), int(order.remaining)

    async def working(self, lots: int = 5, **how: Any) -> tuple[Order, Truth]:
        """Give an order that works, and what the venue has of it."""
        order = self.order(lots, **how)
        self.execute()
        await self.reply()
        await self.tell()
        assert order.state is OrderState.WORKING
        return order, self.venue.of(order.client_order_id)[-1]

    def check(self) -> None:
        """See that what is known is what is true."""
        for order in self.gateway.orders.values():
            truths = self.venue.of(order.client_order_id)
            assert order.filled_quantity == sum(truth.filled for truth in truths), order
            assert sum(fill.quantity for fill in order.fills_seen) == order.filled_quantity
            if not truths:
                assert order.state is OrderState.REJECTED, order
                continue
            last = truths[-1]
            assert order.venue_order_id == last.number, order
            if last.status is WORKING:
                assert order.state in (OrderState.WORKING, OrderState.PARTIAL), order
                assert (order.request.price, order.remaining) == (last.request.price, last.left), order
            else:
                assert order.state.value == last.status.value, order
        ours = [fill for fill in self.venue.fills if fill.venue_order_id in self.venue.orders]
        assert sorted(fill.trade_id for fill in self.ear.fills) == sorted(fill.trade_id for fill in ours)
        assert len(self.venue.created) == len(set(self.venue.created))
        assert not self.gateway.doubtful()

    @asynccontextmanager
    async def watched(self, wait: Callable[[], Any]) -> AsyncGenerator[list[Any]]:
        """Run `wait` beside the block; what it gives or raises is in the list afterwards."""
        got: list[Any] = []
        over = trio.Event()

        async def run() -> None:
            try:
                got.append(await wait())
            except (OrderEnded, OrderRefused) as exc:
                got.append(exc)
            over.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            await wait_all_tasks_blocked()
            yield got
            with trio.fail_after(60):
                await over.wait()


@pytest.fixture
async def stage(nursery: trio.Nursery) -> Stage:
    return Stage(nursery, Venue())


@pytest.fixture
def open_stage() -> Callable[[trio.Nursery, bool], Stage]:
    """Makes a stage inside a run that the test begins by itself."""
    return lambda nursery, ids_on_fills: Stage(nursery, Venue(ids_on_fills=ids_on_fills))


@pytest.fixture
def next_stage() -> Callable[..., Stage]:
    """Makes a stage of a later run, at a venue that is there already."""
    return Stage

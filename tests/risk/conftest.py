"""A gateway whose far end, prices and time a test has in its hand."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs
import pytest

from strategykit.errors import RiskLimit
from strategykit.model.events import Fill, OrderStatus, OrderUpdate, Side
from strategykit.model.instruments import Instrument
from strategykit.model.orders import AmendOrder, CancelOrder, Command, CreateGroup, CreateOrder, VenueCommand
from strategykit.model.risk_limits import DEFAULT_PLAN, NO_PLAN, RiskPlan
from strategykit.runtime.gateway import Gateway
from strategykit.runtime.order import Order
from strategykit.runtime.ports import OrderJournal
from strategykit.runtime.risk import Risk
from strategykit.runtime.waking import Wakes
from strategykit.venues.dialect import Reply

SECOND = 1_000_000_000
NOON = 1_773_316_800 * SECOND  # 2026-03-12 12:00:00 UTC

INSTRUMENTS = {
    "X": Instrument("X"),
    "Y": Instrument("Y"),
    "LOT": Instrument("LOT", lot=Decimal(10), multiplier=Decimal(2), currency="USD"),
}


def plan_of(scope: str, **limits: Any) -> RiskPlan:
    """Give a plan in which nothing but the `limits` of one scope, ``"strategy a"`` or ``"account"``, is narrow."""
    narrow = attrs.evolve(WIDE, **limits)
    return RiskPlan(account=narrow, strategy=WIDE) if scope == "account" else RiskPlan(account=WIDE, strategy=narrow)


WIDE = NO_PLAN.strategy


class Rig:
    """Places, accepts, fills and ends orders at one moment; nothing waits."""

    def __init__(
        self,
        plan: RiskPlan = DEFAULT_PLAN,
        *,
        time: int = NOON,
        price: float | None = 100,
        journal: OrderJournal | None = None,
    ) -> None:
        self.prices: dict[str, Decimal | None] = {
            symbol: None if price is None else Decimal(str(price)) for symbol in INSTRUMENTS
        }
        self.time = time
        self.sent: list[Command] = []
        self.up = True
        self.notes: list[str] = []
        self.on_order: Callable[[Order], None] = lambda _: None
        self._numbers = itertools.count(1)
        self.risk = Risk(
            plan=plan,
            instruments=INSTRUMENTS,
            price=self.prices.get,
            note=lambda source, text: self.notes.append(f"{source}: {text}"),
            tripped=lambda strategy: self.gateway.withdraw_opening(strategy),  # noqa: PLW0108 - made below
        )
        self.gateway = Gateway(
            port=self,
            account="D1",
            instruments=INSTRUMENTS,
            tag="t",
            wakes=Wakes(lambda: None),
            now=lambda: self.time,
            start=lambda *_: None,
            doubt=lambda _: None,
            risk=self.risk,
            journal=journal,
        )
        for strategy in ("a", "b"):
            self.gateway.listen(strategy, self)
        self.gateway.lane_changed(up=True, reason="")

    # The port and the ear

    def command(self, strategy: str, command: VenueCommand) -> bool:
        if self.up:
            self.sent.extend(command.creates if isinstance(command, CreateGroup) else [command])
        return self.up

    def suspect(self, reason: str) -> None: ...

    def order_changed(self, order: Order) -> None:
        self.on_order(order)

    def order_filled(self, order: Order, fill: Fill) -> None: ...

    # What a test does

    def place(
        self,
        side: Side,
        lots: int,
        limit: float | str | None = None,
        *,
        stop: float | str | None = None,
        of: str = "a",
        symbol: str = "X",
    ) -> Order:
        """Place an order, exactly as said, and have the venue accept it."""
        order = self.gateway.submit(of, symbol, side, lots, limit=exactly(limit), stop=exactly(stop))
        self.answer(self.sent[-1], order)
        return order

    def buy(self, lots: int, limit: float | str | None = None, **how: Any) -> Order:
        return self.place(Side.BUY, lots, limit, **how)

    def sell(self, lots: int, limit: float | str | None = None, **how: Any) -> Order:
        return self.place(Side.SELL, lots, limit, **how)

    def answer(self, command: Command, order: Order, *, ok: bool = True) -> None:
        number = f"n{next(self._numbers)}" if not isinstance(command, CancelOrder) else None
        self.gateway.replied(Reply(command.guid, 200 if ok else 404, "", ok, number))

    def amend(self, order: Order, *, limit: float | str | None = None, lots: int | None = None) -> AmendOrder:
        """Ask for a change; the venue hasn't answered yet."""
        quantity = None if lots is None else Decimal(lots)
        self.gateway.amend_nowait(order, limit=exactly(limit), quantity=quantity)
        command = self.sent[-1]
        assert isinstance(command, AmendOrder)
        return command

    def fill(
        self,
        order: Order,
        lots: int | None = None,
        price: float | str = 100,
        *,
        fee: float | str | None = None,
        currency: str | None = None,
        time: int | None = None,
    ) -> Order:
        """Fill so many lots of it, else all that is left."""
        assert order.venue_order_id is not None
        told = Fill(
            instrument=order.instrument,
            trade_id=f"f{next(self._numbers)}",
            venue_order_id=order.venue_order_id,
            client_order_id=order.client_order_id,
            side=order.side,
            quantity=order.remaining if lots is None else Decimal(lots),
            price=Decimal(str(price)),
            fee=None if fee is None else Decimal(str(fee)),
            fee_currency=currency,
            event_time=None,
            receive_time=self.time if time is None else time,
            guid="",
        )
        self.gateway.filled(told)
        return order

    def end(self, order: Order, status: OrderStatus = OrderStatus.CANCELLED) -> Order:
        """Have the venue end it; it counts what it has told."""
        number = order.venue_order_id or ""
        return self.tell(order, status, number=number, filled=order.filled_by_number[number])

    def tell(self, order: Order, status: OrderStatus, *, number: str, filled: Decimal | int) -> Order:
        """Have the venue say how an order stands, and how many lots of it are filled under `number`."""
        told = OrderUpdate(
            instrument=order.instrument,
            venue_order_id=number,
            client_order_id=order.client_order_id,
            status=status,
            side=order.side,
            quantity=order.request.quantity,
            filled=Decimal(filled),
            price=order.request.price,
            event_time=None,
            receive_time=self.time,
            guid="",
        )
        self.gateway.updated(told)
        return order

    def hold(self, lots: int, price: float | str = 100, *, of: str = "a", symbol: str = "X") -> None:
        """Have a strategy come to so many lots more, or less."""
        side = Side.BUY if lots > 0 else Side.SELL
        self.fill(self.place(side, abs(lots), of=of, symbol=symbol), price=price)

    def refuses(self, ask: Callable[[], object], limit: str, scope: str) -> RiskLimit:
        """See that nothing is sent, and give why."""
        sent, orders = len(self.sent), len(self.gateway.orders)
        with pytest.raises(RiskLimit) as caught:
            ask()
        assert (caught.value.limit, caught.value.scope) == (limit, scope), str(caught.value)
        assert limit in str(caught.value)
        assert scope in str(caught.value)
        assert (len([it for it in self.sent[sent:] if not isinstance(it, CancelOrder)]), len(self.gateway.orders)) == (
            0,
            orders,
        )
        return caught.value

    def placed(self) -> int:
        return sum(isinstance(command, CreateOrder) for command in self.sent)


def exactly(price: float | str | None) -> Decimal | None:
    return None if price is None else Decimal(str(price))


@pytest.fixture
def open_rig() -> Callable[..., Rig]:
    return Rig


@pytest.fixture
def narrow() -> Callable[..., Rig]:
    """Makes a rig in which one scope has narrow limits and nothing else is limited."""

    def make(scope: str, *, time: int = NOON, price: float | None = 100, zone: str = "UTC", **limits: Any) -> Rig:
        return Rig(attrs.evolve(plan_of(scope, **limits), time_zone=zone), time=time, price=price)

    return make

"""Whatever strategies ask for and venues tell: a plain count of all orders and fills says the same as the limits do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

import attrs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strategykit.errors import OrderRefused, RiskLimit
from strategykit.model.events import Side
from strategykit.model.risk_limits import Limits, RiskPlan
from strategykit.runtime.order import Order

if TYPE_CHECKING:
    from tests.risk.conftest import Rig

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
STRATEGIES, SYMBOLS = ("a", "b"), ("X", "Y")

NARROW = Limits(
    max_order_quantity=5,
    max_order_notional=Decimal(520),
    price_collar=Decimal("0.15"),
    max_open_orders=5,
    max_order_rate=5,
    max_repeats=2,
    repeat_window=3 * SECOND,
    max_position=9,
    max_position_of={"Y": 6},
    max_daily_loss=Decimal(25),
)
PLAN = RiskPlan(
    account=attrs.evolve(NARROW, max_open_orders=7, max_order_rate=7, max_position=12, max_daily_loss=Decimal(40)),
    strategy=NARROW,
)


@attrs.define(eq=False)
class Placed:
    """An order, as the test knows it."""

    strategy: str
    symbol: str
    side: Side
    left: int
    order: Order


@attrs.define
class Plain:
    """Counts everything anew from the beginning, each time that it is asked."""

    orders: list[Placed] = attrs.field(factory=list)
    fills: list[tuple[str, str, int, Decimal, Decimal]] = attrs.field(factory=list)
    """Strategy, symbol, signed lots, price and fee."""
    asked: list[tuple[int, str]] = attrs.field(factory=list)
    """When which strategy's orders and amends passed."""
    same: list[tuple[int, str, tuple[object, ...]]] = attrs.field(factory=list)
    base: dict[str, Decimal] = attrs.field(factory=dict)
    """Result of each scope when the day began."""
    lost: set[str] = attrs.field(factory=set)

    def held(self, strategy: str, symbol: str) -> int:
        return sum(fill[2] for fill in self.fills if fill[:2] == (strategy, symbol))

    def working(self, strategy: str, symbol: str, side: Side) -> int:
        key = (strategy, symbol, side)
        return sum(it.left for it in self.orders if (it.strategy, it.symbol, it.side) == key)

    def closes(self, strategy: str, symbol: str, side: Side, more: int) -> bool:
        return self.working(strategy, symbol, side) + more <= -self.held(strategy, symbol) * side.sign

    def worst(self, scope: str, symbol: str, side: Side, strategy: str = "", more: int = 0) -> int:
        each = [
            max(
                0,
                self.held(it, symbol) * side.sign + self.working(it, symbol, side) + (more if it == strategy else 0),
            )
            for it in members(scope)
        ]
        return sum(each)

    def result(self, scope: str, prices: dict[str, Decimal | None]) -> Decimal:
        total = Decimal(0)
        for strategy, symbol, lots, price, fee in self.fills:
            if strategy in members(scope):
                total += lots * ((prices[symbol] or Decimal(0)) - price) - fee
        return total

    def judge(self, rig: Rig, strategy: str) -> None:
        """Look at the day of whoever asks, or was filled."""
        for scope in (strategy, "account"):
            loss = self.base.get(scope, Decimal(0)) - self.result(scope, rig.prices)
            if loss > limits_of(scope).max_daily_loss:
                self.lost.add(scope)

    def broken(
        self, rig: Rig, strategy: str, symbol: str, side: Side, lots: int, limit: Decimal | None, amended: Placed | None
    ) -> Iterator[tuple[str, str]]:
        """Give each limit that an order, or a change of `amended`, would break, by scope."""
        more = lots if amended is None else max(0, lots - amended.left)
        last = rig.prices[symbol]
        assert last is not None
        price = last if limit is None else max(limit, last) if side is Side.SELL else limit
        for scope in (strategy, "account"):
            limits = limits_of(scope)
            if not self.closes(strategy, symbol, side, more):
                if scope in self.lost:
                    yield scope, "max_daily_loss"
                if lots > limits.max_order_quantity:
                    yield scope, "max_order_quantity"
                if price * lots > limits.max_order_notional:
                    yield scope, "max_order_notional"
                if limit is not None and (limit - last) * side.sign > limits.price_collar * last:
                    yield scope, "price_collar"
                if amended is None and self.open(scope) + 1 > limits.max_open_orders:
                    yield scope, "max_open_orders"
                if more and self.worst(scope, symbol, side, strategy, more) > limits.position(symbol):
                    yield scope, "max_position"
            recent = [it for time, it in self.asked if time > rig.time - SECOND and it in members(scope)]
            if len(recent) + 1 > limits.max_order_rate:
                yield scope, "max_order_rate"
            what = self.what(symbol, side, lots, limit)
            again = [
                it
                for time, it, key in self.same
                if key == what and time > rig.time - limits.repeat_window and it in members(scope)
            ]
            if amended is None and len(again) + 1 > limits.max_repeats:
                yield scope, "max_repeats"

    def what(self, symbol: str, side: Side, lots: int, limit: Decimal | None) -> tuple[object, ...]:
        return symbol, side, lots, limit, sum(fill[1] == symbol for fill in self.fills)

    def open(self, scope: str) -> int:
        return sum(it.left > 0 and it.strategy in members(scope) for it in self.orders)


def members(scope: str) -> tuple[str, ...]:
    return STRATEGIES if scope == "account" else (scope,)


def limits_of(scope: str) -> Limits:
    return PLAN.account if scope == "account" else PLAN.strategy


def check_refusal(refusal: RiskLimit, broken: set[tuple[str, str]]) -> None:
    assert (refusal.scope.removeprefix("strategy "), refusal.limit) in broken, (str(refusal), broken)
    assert refusal.value is not None
    assert refusal.allowed is not None
    assert refusal.value > refusal.allowed


class Play:
    """Carries out what hypothesis draws, on the gateway and in the plain count."""

    def __init__(self, rig: Rig, data: st.DataObject) -> None:
        self.rig = rig
        self.data = data
        self.plain = Plain()

    def pick(self, *values: object) -> object:
        return self.data.draw(st.sampled_from(values))

    def working(self) -> Placed | None:
        found = [it for it in self.plain.orders if it.left]
        return self.data.draw(st.sampled_from(found)) if found else None

    def place(self) -> None:
        side = Side.BUY if self.pick(True, False) else Side.SELL
        lots = self.data.draw(st.sampled_from([1, 1, 2, 3, 5, 6]))
        self.order(str(self.pick(*STRATEGIES)), str(self.pick(*SYMBOLS)), side, lots)

    def close(self) -> None:
        """Place something that closes, or would if there weren't others that do."""
        held = [(it, symbol) for it in STRATEGIES for symbol in SYMBOLS if self.plain.held(it, symbol)]
        if held:
            strategy, symbol = self.data.draw(st.sampled_from(held))
            lots = self.plain.held(strategy, symbol)
            side = Side.SELL if lots > 0 else Side.BUY
            self.order(strategy, symbol, side, self.data.draw(st.integers(1, abs(lots) + 1)))

    def order(self, strategy: str, symbol: str, side: Side, lots: int) -> None:
        limit = self.data.draw(st.sampled_from([None, Decimal(90), Decimal(100), Decimal(110), Decimal(130)]))
        self.ask(
            lambda: self.rig.place(side, lots, None if limit is None else str(limit), of=strategy, symbol=symbol),
            strategy,
            symbol,
            side,
            lots,
            limit,
            None,
        )

    def amend(self) -> None:
        it = self.working()
        if it is None or it.order.request.price is None or it.order.cancel_wanted:
            return
        lots, limit = self.data.draw(st.integers(1, 7)), Decimal(self.data.draw(st.sampled_from([90, 100, 130])))
        command = self.ask(
            lambda: self.rig.amend(it.order, limit=str(limit), lots=lots),
            it.strategy,
            it.symbol,
            it.side,
            lots,
            limit,
            it,
        )
        if command is not None:
            self.rig.answer(self.rig.sent[-1], it.order)
            it.left = lots

    def ask(
        self,
        ask: Callable[[], object],
        strategy: str,
        symbol: str,
        side: Side,
        lots: int,
        limit: Decimal | None,
        amended: Placed | None,
    ) -> object:
        """Ask for something; see that it is refused if, and only if, it would break a limit."""
        plain = self.plain
        plain.judge(self.rig, strategy)
        broken = set(plain.broken(self.rig, strategy, symbol, side, lots, limit, amended))
        more = lots if amended is None else max(0, lots - amended.left)
        if plain.closes(strategy, symbol, side, more):
            assert {name for _, name in broken} <= {"max_order_rate", "max_repeats"}
        try:
            answer = ask()
        except RiskLimit as exc:
            check_refusal(exc, broken)
            return None
        except OrderRefused:  # It is being withdrawn.
            return None
        assert not broken
        plain.asked.append((self.rig.time, strategy))
        if isinstance(answer, Order):
            plain.same.append((self.rig.time, strategy, plain.what(symbol, side, lots, limit)))
            plain.orders.append(Placed(strategy, symbol, side, lots, answer))
        return answer

    def fill(self) -> None:
        it = self.working()
        if it is None:
            return
        lots = self.data.draw(st.integers(1, it.left))
        price, fee = Decimal(self.data.draw(st.integers(80, 120))), Decimal(self.data.draw(st.integers(0, 3)))
        it.left -= lots
        self.plain.fills.append((it.strategy, it.symbol, lots * it.side.sign, price, fee))
        self.rig.fill(it.order, lots, str(price), fee=str(fee))
        self.plain.judge(self.rig, it.strategy)

    def end(self) -> None:
        it = self.working()
        if it is not None:
            it.left = 0
            self.rig.end(it.order)

    def move(self) -> None:
        self.rig.prices[str(self.pick(*SYMBOLS))] = Decimal(self.data.draw(st.integers(85, 115)))

    def wait(self) -> None:
        before = self.rig.time
        self.rig.time += self.data.draw(st.sampled_from([SECOND // 3, SECOND, 3 * SECOND, DAY // 3]))
        if self.rig.time // DAY > before // DAY:
            self.rig.risk.begin_day(self.rig.time)
            self.plain.lost.clear()
            for scope in ("a", "b", "account"):
                self.plain.base[scope] = self.plain.result(scope, self.rig.prices)

    def check(self) -> None:
        """See that nothing is beyond its limit, by the plain count."""
        for scope in ("a", "b", "account"):
            for symbol in SYMBOLS:
                for side in Side:
                    assert self.plain.worst(scope, symbol, side) <= limits_of(scope).position(symbol)
        for found in self.rig.risk.scopes(STRATEGIES):
            name = found.strategy or "account"
            assert (found.loss is not None) == (name in self.plain.lost)
            assert found.open_orders == self.plain.open(name)
            for symbol in SYMBOLS:
                book = found.book(symbol)
                assert book.quantity == sum(self.plain.held(it, symbol) for it in members(name))
                assert book.worst(Side.BUY) == self.plain.worst(name, symbol, Side.BUY)
                assert book.worst(Side.SELL) == self.plain.worst(name, symbol, Side.SELL)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_limit_is_ever_broken_and_nothing_else_refused(open_rig: Callable[..., Rig], data: st.DataObject) -> None:
    play = Play(open_rig(PLAN), data)
    steps = [play.place] * 4 + [play.close] * 3 + [play.fill] * 3 + [play.amend, play.end, play.move, play.wait]

    for step in data.draw(st.lists(st.sampled_from(steps), min_size=15, max_size=50)):
        step()
        play.check()

"""Putting the parts of one run together; what differs between live and replay comes in as arguments."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import trio

from strategykit.errors import STRATEGY_FAILURES, LocalProtocolError
from strategykit.model.codec import make_converter
from strategykit.model.events import PositionUpdate
from strategykit.model.instruments import Instrument
from strategykit.model.orders import OrderType
from strategykit.model.portfolio import Portfolio
from strategykit.model.risk_limits import DEFAULT_PLAN, RiskPlan
from strategykit.runtime.account_check import AccountCheck
from strategykit.runtime.adopt import adopt_orders, take_positions
from strategykit.runtime.alarms import Alarms
from strategykit.runtime.carried import Carried, CarriedTrip
from strategykit.runtime.cash_check import CashCheck, Paid, paid_by
from strategykit.runtime.clock import RunClock
from strategykit.runtime.collector import Collector
from strategykit.runtime.desk import Desk
from strategykit.runtime.driver import Driver
from strategykit.runtime.engine import Engine
from strategykit.runtime.gateway import Gateway
from strategykit.runtime.kill import KillSwitch
from strategykit.runtime.order import Order
from strategykit.runtime.outside import Watcher, Wires
from strategykit.runtime.playing import ACCOUNT, READY_WITHIN, Identity, Run
from strategykit.runtime.ports import OrderJournal, OrderPort
from strategykit.runtime.prices import LastPrices
from strategykit.runtime.reconcile import Reconciler
from strategykit.runtime.recording import NullLedger
from strategykit.runtime.risk import Risk
from strategykit.runtime.risk_run import LossWatch, Marks, hold_carried
from strategykit.runtime.supervise import Seat, Supervisor
from strategykit.runtime.waking import Signal, Wakes
from strategykit.runtime.watchdog import Watchdog
from strategykit.sim.paper import PaperExchange
from strategykit.strategy import Strategy
from strategykit.venues.dialect import Ask, AskPositions, Dialect, Offers
from strategykit.venues.streams import StreamKind
from strategykit.venues.subscriptions import Subscriptions, SubscriptionState

__all__ = ["ACCOUNT", "READY_WITHIN", "Identity", "Run", "assemble"]

_TELLING: Final = frozenset({StreamKind.FILLS, StreamKind.POSITIONS})

_UNTOLD: Final = frozenset({SubscriptionState.WANTED, SubscriptionState.ASKED, SubscriptionState.LOST})


def assemble(
    *,
    identity: Identity,
    clock: RunClock,
    wakes: Wakes,
    dialect: Dialect,
    market_connections: int,
    wires: Wires,
    port: OrderPort,
    ledger: NullLedger,
    strategies: Sequence[tuple[str, Strategy]],
    instruments: dict[str, Instrument],
    account: str,
    exchange: str | None,
    nursery: trio.Nursery,
    home: trio.Nursery,
    paper: Callable[[Mapping[str, Instrument]], PaperExchange] | None,
    trades_at_venue: bool,
    live: bool,
    require_history: bool,
    keep_orders: bool,
    watchers: Sequence[Watcher] = (),
    watchdog: Watchdog | None = None,
    alarms: Alarms | None = None,
    latch: Callable[[str, str], None] = lambda *_: None,
    proven: Callable[[str], None] = lambda _: None,
    flatten: bool = False,
    others: Callable[[Mapping[str, Decimal]], None] = lambda _: None,
    cash: Callable[[Mapping[str, Decimal]], None] = lambda _: None,
    trips: Callable[[CarriedTrip], None] = lambda _: None,
    journal: OrderJournal | None = None,
    carried: Carried | None = None,
    failures: tuple[type[BaseException], ...] = STRATEGY_FAILURES,
    limits: RiskPlan = DEFAULT_PLAN,
    prices: LastPrices | None = None,
    answered: Callable[[str], bool] = lambda _: False,
    collector: Collector | None = None,
) -> Run:
    """Make a run whose strategies live in `home`, and all its other tasks in `nursery`; `Run.play` runs it."""
    guids = identity.random("guids")
    table = Subscriptions(
        dialect.limits,
        {name: min(spec.max_connections, market_connections) for name, spec in dialect.lanes.items()},
        lambda: str(uuid.UUID(int=guids.getrandbits(128), version=4)),
        dialect.cursor,
        dialect.lane,
        dialect.key,
    )

    def now() -> int:
        return clock.reading

    def start(function: Callable[..., Any], *arguments: object) -> None:
        if not run.over:  # Late news of a venue starts nothing any more.
            clock.turns.start(nursery, function, *arguments)

    alarms = alarms or Alarms(ledger.note)
    # The gateway, its reconciler, the engine and the supervisor call each other; each is made whole from functions
    # that look the others up when they are called, which is never before all of them exist.
    risk = Risk(
        plan=limits,
        instruments=instruments,
        price=Marks(
            watched=prices or LastPrices(),
            paper=lambda: engine.paper,
            feeds=lambda symbol: (feed for seat in seats for feed in seat.desk.feeds_of(symbol)),
        ),
        note=alarms.sound,
        traded=lambda: losses.traded(),  # noqa: PLW0108 - there is none yet
        tripped=lambda strategy: gateway.withdraw_opening(strategy),  # noqa: PLW0108 - there is no gateway yet
    )
    losses = LossWatch(risk=risk, clock=clock, closely=live)
    gateway = Gateway(
        port=port,
        account=account,
        instruments=instruments,
        tag=identity.tag,
        earlier=() if carried is None else carried.tags,
        wakes=wakes,
        now=now,
        start=start,
        doubt=lambda after: reconciler.doubt(gateway, after) if trades_at_venue else None,
        journal=journal,
        answered=answered,
        alarm=lambda line: alarms.sound("orders", line),
        risk=risk,
    )
    carried = carried or Carried()
    engine = Engine(
        dialect=dialect,
        table=table,
        wires=wires,
        ledger=ledger,
        gateway=gateway,
        supervisor=lambda: supervisor,
        poke=clock.poke,
        watchdog=watchdog,
        watchers=list(watchers),
        failures=failures,
    )

    def hold(position: PositionUpdate) -> None:
        engine.positions[position.instrument] = position

    reconciler = Reconciler(
        ask=engine.ask,
        start=start,
        account=account,
        exchange=exchange,
        now=now,
        note=ledger.note,
        unanswered=engine.inquiries.unanswered,
        certain=Signal(wakes),
        rng=identity.random("reconcile"),
        positions=hold if _can_ask(dialect, AskPositions(account=account, exchange=exchange)) else None,
    )
    offers = dialect.offers if trades_at_venue else None
    seats = [
        _seat(name, strategy, identity, clock, wakes, gateway, ledger, failures, offers, collector)
        for name, strategy in strategies
    ]
    if collector is not None:
        collector.attach(clock=clock, seats=seats, instruments=instruments, price=risk.price)
    for seat in seats:
        take_positions(seat.name, seat.desk.portfolio, carried)
    supervisor = Supervisor(
        engine=engine,
        seats=seats,
        now=now,
        note=ledger.note,
        home=home,
        keep_orders=keep_orders,
        require_history=require_history,
    )

    def know(symbol: str) -> None:
        for known in carried.instruments:  # What was true when it was traded is enough for trading it away.
            if known.symbol == symbol:
                instruments.setdefault(symbol, known)

    kill = KillSwitch(
        gateway=gateway,
        supervisor=supervisor,
        reconciler=reconciler if trades_at_venue else None,
        alarms=alarms,
        start=start,
        latch=latch,
        proven=proven,
        flatten=flatten,
        held=lambda: _lots(seats, risk),
        amiss=lambda: account_check.amiss(),  # noqa: PLW0108 - there is none yet
        know=know,
    )
    account_check = AccountCheck(
        positions=engine.positions,
        held=lambda: _held(seats, risk),
        foreign=lambda: gateway.foreign_lots,
        tell=lambda line: alarms.sound("account", line),
        keep=others,
        certain=lambda: not gateway.doubtful() and _is_told(table),
        before=carried.others,
    )
    cash_check = CashCheck(
        positions=engine.positions,
        paid=lambda: _paid(seats, [*adopted, *kill.closing]),
        foreign=lambda: gateway.foreign_lots,
        tell=lambda line: alarms.sound("account", line),
        keep=cash,
        note=lambda line: ledger.note("account", line),
        before=carried.cash,
    )
    supervisor.pull = kill.pull
    for seat in seats:
        seat.desk.kill = kill.pull
    clock.turns.parked = supervisor.parked
    driver = Driver(engine=engine, clock=clock, wakes=wakes)
    adopted = adopt_orders(gateway, carried, make_converter(), now=identity.start)
    risk.keep = trips  # Not before: what was folded until here is an earlier run's, which has kept its own.
    hold_carried(risk, carried, identity.start)
    run = Run(
        engine=engine,
        gateway=gateway,
        reconciler=reconciler,
        supervisor=supervisor,
        driver=driver,
        clock=clock,
        exchange=exchange,
        instruments=instruments,
        trades_at_venue=trades_at_venue,
        live=live,
        paper=paper,
        nursery=nursery,
        risk=risk,
        losses=losses,
        kill=kill,
        account_check=account_check,
        cash_check=cash_check,
        carried=carried,
        adopted=adopted,
        collector=collector,
    )
    return run


def _paid(seats: Sequence[Seat], others: Sequence[Order]) -> Paid:
    here = {seat.name for seat in seats}
    elsewhere = sum(len(order.fills_seen) - order.fills_before for order in others if order.strategy not in here)
    return paid_by((seat.desk.portfolio for seat in seats), elsewhere=elsewhere)


def _lots(seats: Sequence[Seat], risk: Risk) -> Iterator[tuple[str, str, Decimal]]:
    """Give strategy, symbol and lots of all that is held, by strategies of the run before that don't run now, too."""
    for seat in seats:
        for symbol, position in seat.desk.portfolio.positions.items():
            if position.quantity:
                yield seat.name, symbol, position.quantity
    here = {seat.name for seat in seats}
    yield from (row for row in risk.held() if row[0] not in here)


def _held(seats: Sequence[Seat], risk: Risk) -> dict[str, Decimal]:
    """Add all that up."""
    held: dict[str, Decimal] = {}
    for _, symbol, lots in _lots(seats, risk):
        held[symbol] = held.get(symbol, Decimal(0)) + lots
    return held


def _is_told(table: Subscriptions) -> bool:
    """Whether the venue tells of the account what it has to: its fills, and what it holds."""
    return not any(row.stream.kind in _TELLING and row.state in _UNTOLD for row in table)


def _can_ask(dialect: Dialect, ask: Ask) -> bool:
    try:
        return dialect.request(ask) is not None
    except LocalProtocolError:
        return False


def _seat(
    name: str,
    strategy: Strategy,
    identity: Identity,
    clock: RunClock,
    wakes: Wakes,
    gateway: Gateway,
    ledger: NullLedger,
    failures: tuple[type[BaseException], ...],
    offers: Offers | None,
    collector: Collector | None,
) -> Seat:
    def failed(error: BaseException) -> None:
        seat.fail(error)

    desk = Desk(
        name=name,
        clock=clock,
        wakes=wakes,
        gateway=gateway,
        portfolio=Portfolio(),
        random=identity.random(f"strategy {name}"),
        reactions=strategy,
        note=ledger.note,
        failed=failed,
        failures=failures,
        stops_at_venue=offers is not None and OrderType.STOP in offers.orders,
        links_orders=offers is not None and offers.links_orders,
    )
    strategy.attach(desk)
    gateway.listen(name, desk if collector is None else collector.ear(desk))
    seat = Seat(name=name, strategy=strategy, desk=desk)
    return seat

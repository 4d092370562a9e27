"""What a run comes to: values for tables and JSON, gathered from its parts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs
import msgspec

from strategykit.model.event_class import value
from strategykit.model.events import Event, OrderUpdate
from strategykit.runtime.account_report import AccountReport, report_account
from strategykit.runtime.assembly import ACCOUNT, Run
from strategykit.runtime.collector import Collected
from strategykit.runtime.feeds import BarFeed, Feed
from strategykit.runtime.order import Order
from strategykit.runtime.recording import Notes
from strategykit.runtime.risk_report import LimitReport, report_limits
from strategykit.runtime.run_digest import RunDigest

__all__ = [
    "ConnectionReport",
    "Digest",
    "ForeignOrderReport",
    "GapReport",
    "OrderReport",
    "RunReport",
    "StrategyReport",
    "SubscriptionReport",
    "report",
]


class Digest:
    """A SHA-256 over everything that happened, in order: equal digests, equal runs."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._encode = msgspec.msgpack.Encoder(enc_hook=_plain).encode
        self.events = 0

    def __call__(self, event: Event) -> None:
        self.events += 1
        self._hash.update(type(event).__name__.encode())
        self._hash.update(self._encode(event))

    def fold(self, thing: object) -> None:
        """Add something else that the run produced."""
        self._hash.update(self._encode(thing))

    def text(self) -> str:
        return self._hash.hexdigest()


def _plain(value: object) -> object:
    return repr(value)


@attrs.frozen(kw_only=True)
class StrategyReport:
    name: str
    strategy: str
    state: str
    error: str
    orders: int
    fills: int
    positions: Mapping[str, Decimal]
    realised: Mapping[str, Decimal]
    """Money a currency, before fees."""
    open_pnl: Mapping[str, Decimal]
    fees: Mapping[str, Decimal]
    pnl: Mapping[str, Decimal]
    """Realised plus open less fees, a currency."""
    left: Sequence[str]
    """Orders that were open or in doubt when it had gone."""
    fees_unknown: int = 0
    """Fills whose fee the venue didn't tell: `fees` and `pnl` are without them."""
    unpriced: Sequence[str] = ()
    """Instruments with an open position and no known price: `open_pnl` and `pnl` leave their currency out."""
    stops: Mapping[str, int] = attrs.field(factory=dict)
    """Positions that had a stop, by where it was: ``"venue"``, or ``"here"``: the program watched it, always or
    for a while."""
    silent: Sequence[str] = ()
    """Labels of its streams that told nothing: no event came, or no bar closed."""


@value(kw_only=True)
class OrderReport:
    client_order_id: str
    strategy: str
    instrument: str
    side: str
    type: str
    quantity: Decimal
    price: Decimal | None
    state: str
    filled: Decimal
    average_price: Decimal | None
    venue_order_ids: Sequence[str]
    """All that it has had: an amend gives a new one."""
    reason: str
    placed: int


@attrs.frozen(kw_only=True)
class ForeignOrderReport:
    """An order of the account that isn't this run's: somebody else's, or an earlier run's."""

    venue_order_id: str
    client_order_id: str | None
    instrument: str
    side: str
    quantity: Decimal
    price: Decimal | None
    state: str
    """The venue's word: ``"working"``, ``"filled"``…"""
    filled: Decimal
    time: int
    """Of the venue's last word on it; ours, where it has none."""


@attrs.frozen(kw_only=True)
class ConnectionReport:
    name: str
    lane: str
    state: str
    frames_in: int
    frames_out: int
    reconnects: int
    lag_p50: float | None
    """Milliseconds from the venue's time to ours; negative where our clock is behind."""
    lag_p99: float | None


@attrs.frozen(kw_only=True)
class GapReport:
    since: int
    until: int
    reason: str


@attrs.frozen(kw_only=True)
class SubscriptionReport:
    guid: str
    stream: str
    connection: str
    owners: Sequence[str]
    state: str
    data: int
    gaps: Sequence[GapReport]


@attrs.frozen(kw_only=True)
class RunReport:
    """All of it."""

    started: int
    ended: int
    strategies: Sequence[StrategyReport]
    connections: Sequence[ConnectionReport]
    subscriptions: Sequence[SubscriptionReport]
    orders: Sequence[OrderReport]
    notes: Sequence[tuple[int, str, str]]
    unaccounted: Sequence[str]
    """What our books and the venue's don't agree on; empty is what one wants."""
    unreadable: int
    late: int
    events: int
    digest: str
    limits: Sequence[LimitReport] = ()
    """Of risk: of the account, and of each strategy."""
    account: AccountReport | None = None
    """What the strategies come to together."""
    killed: str = ""
    """Who pulled the kill switch, why, and what was confirmed then; empty if nobody did."""
    alarms: Sequence[str] = ()
    """What a person has to look at, whatever else went well."""
    tape: str | None = None
    tape_failure: str = ""
    foreign: Sequence[ForeignOrderReport] = ()
    """Orders of the account that the venue showed and this run didn't place: never touched."""
    fault: BaseException | None = None
    """The error of the program's own that ended the run; `unaccounted` says so in words."""
    collected: Collected | None = None
    """What `strategykit.report` makes a result of; None unless it was asked for."""
    warnings: Sequence[str] = ()
    """On what the result depends that the data don't tell."""
    paper: str = ""
    """Why no order of a live run left this machine: a fill model answered them. Empty if they went to the venue."""

    @property
    def ok(self) -> bool:
        """Whether nothing failed and nothing is unaccounted for."""
        return (
            not self.unaccounted
            and not self.killed
            and not self.alarms
            and not self.tape_failure
            and all(not s.error and not s.left for s in self.strategies)
        )


def report(
    run: Run,
    *,
    notes: Notes,
    digest: Digest | RunDigest,
    connections: Sequence[ConnectionReport],
    marks: Mapping[str, float],
    unaccounted: Sequence[str],
    tape: str | None,
    tape_failure: str,
    fault: BaseException | None = None,
    alarms: Sequence[str] = (),
) -> RunReport:
    """Gather a run's results.

    Args:
        marks: Last known price of each instrument, for open PnL.
        unaccounted: What a comparison with the venue's books found.
    """
    strategies = [_strategy(run, index, marks) for index in range(len(run.supervisor.seats))]
    for item in strategies:
        digest.fold((item.name, item.orders, item.fills, sorted((k, str(v)) for k, v in item.pnl.items())))
    for order in run.gateway.orders.values():
        price = order.request.price  # A decimal is written as its text; what is missing was always told in words.
        digest.fold((order.client_order_id, order.state._value_, order.filled_quantity, _or_none(price)))
        for fill in order.fills_seen:
            digest.fold((fill.price, fill.quantity, _or_none(fill.fee), fill.event_time, fill.receive_time))
    subscriptions = [
        SubscriptionReport(
            guid=row.guid,
            stream=row.stream.label,
            connection=row.connection,
            owners=[owner for owner in row.owners if owner != ACCOUNT],
            state=row.state.value,
            data=row.data,
            gaps=[GapReport(since=gap.since, until=gap.until, reason=gap.reason) for gap in row.gaps],
        )
        for row in run.engine.table
    ]
    account, differences = report_account(run, marks, [item.pnl for item in strategies])
    return RunReport(
        started=run.clock.start,
        ended=run.clock.reading,
        strategies=strategies,
        connections=connections,
        subscriptions=subscriptions,
        orders=[_order(order) for order in run.gateway.orders.values()],
        notes=[*notes.lines],
        unaccounted=[*dict.fromkeys([*unaccounted, *run.gateway.contradictions, *differences])],
        unreadable=run.engine.unreadable,
        late=run.engine.table.late,
        events=digest.events,
        digest=digest.text(),
        tape=tape,
        tape_failure=tape_failure,
        foreign=[_foreign(update) for update in run.gateway.foreign.values()],
        fault=fault,
        alarms=tuple(alarms),
        warnings=() if run.engine.paper is None else tuple(run.engine.paper.warnings()),
        killed=run.kill.words,
        collected=run.collected({symbol: Decimal(str(price)) for symbol, price in marks.items()}),
        account=account,
        limits=report_limits(run.risk, [seat.name for seat in run.supervisor.seats]),
    )


def _or_none(value: Decimal | None) -> Decimal | str:
    return "None" if value is None else value


def _foreign(update: OrderUpdate) -> ForeignOrderReport:
    return ForeignOrderReport(
        venue_order_id=update.venue_order_id,
        client_order_id=update.client_order_id,
        instrument=update.instrument,
        side=update.side.value,
        quantity=update.quantity,
        price=update.price,
        state=update.status.value,
        filled=update.filled,
        time=update.receive_time if update.event_time is None else update.event_time,
    )


def _order(order: Order) -> OrderReport:
    request = order.request
    return OrderReport(
        client_order_id=order.client_order_id,
        strategy=order.strategy,
        instrument=request.instrument,
        side=request.side._value_,  # `value` takes longer, and there may be a million orders.
        type=request.type._value_,
        quantity=order.quantity,
        price=request.price,
        state=order.state._value_,
        filled=order.filled_quantity,
        average_price=order.average_price,
        venue_order_ids=tuple(order.filled_by_number),
        reason=order.reason,
        placed=order.placed,
    )


def _strategy(run: Run, index: int, marks: Mapping[str, float]) -> StrategyReport:
    seat = run.supervisor.seats[index]
    book = seat.desk.portfolio
    prices = {symbol: Decimal(str(price)) for symbol, price in marks.items()}
    orders = [order for order in run.gateway.orders.values() if order.strategy == seat.name]
    realised, fees, zero = book.realised(), book.fees(), Decimal(0)
    open_pnl = {currency: amount for currency, amount in book.open_pnl(prices).items() if amount is not None}
    currencies = dict.fromkeys([*realised, *open_pnl, *fees])
    return StrategyReport(
        name=seat.name,
        strategy=type(seat.strategy).__name__,
        state=seat.state,
        error="" if seat.failure is None else f"{type(seat.failure).__name__}: {seat.failure}",
        orders=len(orders),
        fills=sum(len(order.fills_seen) for order in orders),
        positions={symbol: position.quantity for symbol, position in book.positions.items()},
        realised=dict(realised),
        open_pnl=dict(open_pnl),
        fees=dict(fees),
        pnl={c: realised.get(c, zero) + open_pnl.get(c, zero) - fees.get(c, zero) for c in currencies},
        left=list(seat.left),
        fees_unknown=sum(position.fills_without_fee for position in book.positions.values()),
        unpriced=[symbol for symbol, position in book.positions.items() if position.quantity and symbol not in prices],
        stops=dict(seat.desk.protections),
        silent=[feed.stream.label for feed in seat.desk.feeds.values() if _told_nothing(feed)],
    )


def _told_nothing(feed: Feed[Any]) -> bool:
    return feed.seam is None if isinstance(feed, BarFeed) else feed.last is None

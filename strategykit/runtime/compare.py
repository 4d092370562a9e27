"""At the end of a run: do our books and the venue's say the same?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Final

import trio

from strategykit.errors import RemoteProtocolError
from strategykit.model.events import Event, OrderStatus, OrderUpdate
from strategykit.model.instruments import Instrument
from strategykit.model.orders import OrderState
from strategykit.net.inbox import Inbox, Input, InputKind
from strategykit.net.venue import LiveVenue
from strategykit.runtime.asks import answer_in_words
from strategykit.runtime.assembly import ACCOUNT, Run
from strategykit.runtime.engine import Engine
from strategykit.runtime.gateway import Gateway
from strategykit.venues.dialect import Answer, AskOrders, Confirmed, HttpRequest
from strategykit.venues.subscriptions import SubscriptionState

__all__ = ["compare_books", "compare_orders", "loose_ends"]

ANSWER_WITHIN: Final = 5.0
"""Seconds for the venue's last list of orders."""

_ENDS: Final = {
    OrderStatus.FILLED: OrderState.FILLED,
    OrderStatus.CANCELLED: OrderState.CANCELLED,
    OrderStatus.REJECTED: OrderState.REJECTED,
    OrderStatus.EXPIRED: OrderState.EXPIRED,
}


async def compare_books(run: Run, venue: LiveVenue, inbox: Inbox) -> list[str]:
    """Ask the venue for its orders once more and compare; give a line for each difference.

    The run's driver has ended: the inbox is read here.
    """
    lines = loose_ends(run)
    if not run.trades_at_venue or not run.gateway.orders:
        return lines
    answer = await _ask_orders(run, venue, inbox)
    if isinstance(answer, str):
        return [*lines, answer]
    note = (lambda line: run.engine.ledger.note("run", line)) if run.supervisor.keep_orders else None
    return lines + compare_orders(run.gateway, answer, went_on=note)


async def _ask_orders(run: Run, venue: LiveVenue, inbox: Inbox) -> Sequence[Event | Instrument] | str:
    """Give the venue's list of orders, or why there is none."""
    engine = run.engine
    ask = AskOrders(account=run.gateway.account, exchange=run.exchange)
    answers: list[Sequence[Event | Instrument] | str] = []
    by_http = isinstance(engine.dialect.request(ask), HttpRequest)
    while inbox.waiting:
        item = inbox.take()
        if not by_http:
            _follow(engine, item)
    if by_http:
        venue.ask(ask)
    elif venue.is_closed(engine.command_connection):
        return "the venue's orders can't be had: their connection is closed"
    else:  # By a stream: what comes on the wires has to be read.
        engine.ask(ask, lambda rows, reason: answers.append(reason if rows is None else rows))
    with trio.move_on_after(ANSWER_WITHIN):
        while not answers:
            while inbox.waiting and not answers:
                answers.extend(_read(run, ask, inbox.take()))
            await trio.sleep(0.02)  # Nobody rings for us: the driver has gone.
        return answers[0]
    return f"the venue's orders didn't come within {ANSWER_WITHIN:g} s"


def _read(run: Run, ask: AskOrders, item: Input) -> Iterator[Sequence[Event | Instrument] | str]:
    """Give what an input says in answer to `ask`, if it is one."""
    dialect = run.engine.dialect
    try:
        if item.kind is InputKind.ANSWER and item.ask == ask:
            body = item.payload if isinstance(item.payload, bytes) else item.payload.encode()
            if item.status != 200:
                yield f"the venue's orders can't be had: {answer_in_words(item.status, body)}"
            else:
                yield dialect.decode_answer(ask, body, receive_time=item.receive_time)
        elif isinstance(dialect.request(ask), HttpRequest):
            return
        elif item.kind is not InputKind.FRAME:
            _follow(run.engine, item)
        else:
            table, now = run.engine.table, item.receive_time
            for thing in dialect.decode(item.payload, table, connection=item.connection, receive_time=now):
                if isinstance(thing, Confirmed):
                    table.confirmed(thing.guid, now)  # The report says how subscriptions stand.
                elif isinstance(thing, Answer) and (thing.kind, thing.of) == (AskOrders, ask.account):
                    yield thing.rows
    except RemoteProtocolError as exc:
        if item.kind is InputKind.ANSWER:
            yield f"the venue's orders can't be read: {exc}"


def _follow(engine: Engine, item: Input) -> None:
    """Know which sessions are open, and ask a new one for what the one before was asked for."""
    if item.kind is InputKind.CLOSED:
        engine.sessions.pop(item.connection, None)
    elif item.kind is InputKind.OPENED:
        engine.sessions[item.connection] = item.status
        for row in engine.table.on(item.connection):
            engine.ask_for(row)


def loose_ends(run: Run) -> list[str]:
    """Give a line for each order that hasn't ended as it should, and each stream of the account that was refused."""
    refused = [
        f"{row.stream.label} was refused: {row.refusal}"
        for row in run.engine.table
        if row.state is SubscriptionState.REFUSED and ACCOUNT in row.owners
    ]
    left = run.gateway.open_orders()
    # What is kept on purpose is accounted for, if it is known how it stands.
    kept = run.supervisor.keep_orders
    return refused + [f"{order!r} is still open or in doubt" for order in left if order.uncertain or not kept]


def compare_orders(
    gateway: Gateway, rows: Sequence[Event | Instrument], *, went_on: Callable[[str], None] | None = None
) -> list[str]:
    """Compare the venue's list of orders with ours; give a line for each difference.

    Args:
        gateway: Has ours.
        rows: The venue's.
        went_on: Takes a line for each order that lives on, and has been filled or has ended since the last word of it;
            None: orders don't live on.
    """
    lines: list[str] = []
    shown: dict[str, OrderUpdate] = {row.venue_order_id: row for row in rows if isinstance(row, OrderUpdate)}
    for order in gateway.orders.values():
        number = order.venue_order_id
        row = shown.pop(number, None) if number is not None else None
        if row is None:
            if number is not None and order.request.stop_price is None:
                lines.append(f"{order!r}: the venue doesn't show order {number}")
            continue
        filled = order.filled_by_number.get(row.venue_order_id, Decimal(0))
        ended = _ENDS.get(row.status)
        newer = row.filled > filled or (row.filled == filled and ended is not None)
        if went_on is not None and order.is_open and not order.uncertain and newer:
            went_on(
                f"{order!r} lives on, and is {row.status.value} by now, {row.filled} filled: for the next run to tell"
            )
        elif row.filled != filled:
            lines.append(f"{order!r}: the venue says {row.filled} lots filled under {number}, we count {filled}")
        elif (ended is None) == order.state.terminal or (ended is not None and ended is not order.state):
            lines.append(f"{order!r}: the venue says {row.status.value}")
    ours = {number for order in gateway.orders.values() for number in order.filled_by_number}
    for number, row in shown.items():
        name = row.client_order_id or ""
        if not name.startswith(gateway.tag) or number in ours:
            continue
        stop = gateway.orders.get(name)
        waits = stop is not None and stop.request.stop_price is not None and stop.is_open and not stop.uncertain
        if went_on is not None and waits:
            went_on(f"{stop!r} has fired, and is order {number} by now, {row.filled} filled: for the next run to tell")
        else:
            lines.append(f"the venue shows {name} as order {number}, which we don't know")
    return lines

"""Withdrawing what a dead run has left: by calls where the venue takes them, else over a session of its own."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from typing import Final

import attrs
import trio

from strategykit.errors import ConnectionLost, LoginRefused, StrategykitError
from strategykit.journal.format import Record, RecordKind
from strategykit.journal.orders import list_orders
from strategykit.model.events import OrderStatus, OrderUpdate
from strategykit.net.http import HttpClient
from strategykit.net.network import SOCKETS, Network
from strategykit.net.timing import Timing
from strategykit.net.tokens import TokenSource
from strategykit.runtime.reconcile import ON_ITS_WAY, PROPAGATION
from strategykit.venues.dialect import AskOrders, AskStopOrders, Dialect, HttpRequest
from strategykit.venues.http_cancels import CancelsByHttp

__all__ = ["WITHDRAW_WITHIN", "Account", "Known", "Left", "known_orders", "withdraw_by_http"]

WITHDRAW_WITHIN: Final = 30.0
"""Seconds for all of it."""

_TAG: Final = re.compile(r"[0-9a-f]{8}")

_PAUSE: Final = 0.3
"""Seconds between two lists of the venue."""

_AT_ONCE: Final = 4
"""Calls under way."""


@attrs.frozen(kw_only=True)
class Known:
    """What tells our orders from those of others: the journal has it."""

    filled: Mapping[str, Decimal]
    """Lots by client order id, of all of ours."""
    numbers: Mapping[str, str]
    """Client order ids by the venue's numbers."""
    tags: tuple[str, ...] = ()
    """Beginnings of the client order ids of its runs: a damaged journal doesn't tell of every order."""
    sent: int = 0
    """When the newest command was written down, nanoseconds UTC."""

    def under_way(self, now: int) -> float:
        """Give the seconds from `now` on in which what was sent may still arrive, and then show in the venue's lists.

        A process that is gone takes nothing back that it has sent. Clocks are set back: never more than all of it.
        """
        return max(PROPAGATION, min(ON_ITS_WAY, self.sent + ON_ITS_WAY - now)) * 1e-9

    def name_of(self, order: OrderUpdate) -> str | None:
        """Give the client order id of one of ours."""
        name = order.client_order_id
        if name is not None and (name in self.filled or name.startswith(self.tags)):
            return name
        return self.numbers.get(order.venue_order_id)


def known_orders(records: Iterable[Record]) -> Known:
    """Give all orders that a journal tells of, those that have ended, too: an end may be a mistake."""
    records = list(records)
    orders = list_orders(records).orders
    return Known(
        filled={name: order.filled for name, order in orders.items()},
        numbers={number: name for name, order in orders.items() for number in order.numbers},
        tags=tuple(f"{record.facts['tag']}-" for record in records if _has_tag(record)),
        sent=max((record.time for record in records if record.kind is RecordKind.INTENT), default=0),
    )


def _has_tag(record: Record) -> bool:
    """Whether it begins a run with orders of its own, which no others can be mistaken for."""
    return record.kind is RecordKind.RUN and _TAG.fullmatch(str(record.facts.get("tag"))) is not None


@attrs.frozen(kw_only=True)
class Account:
    """Where orders are, and who may withdraw them."""

    dialect: Dialect
    cancels: CancelsByHttp
    """The same dialect."""
    base: str
    """Address of calls."""
    tokens: TokenSource
    account: str
    exchange: str | None


@attrs.frozen(kw_only=True)
class Left:
    """What came of it."""

    orders: tuple[str, ...] = ()
    """Numbers of ours that the venue still had at the end, as far as is known."""
    trouble: str = ""
    """Why it isn't known that there are none; empty if that is proven."""
    unseen: tuple[str, ...] = ()
    """Fills that the venue counts and the journal doesn't have, such as ``"2 lots of a1-cross-1"``."""
    withdrawn: int = 0
    """Orders that the venue has confirmed to be withdrawn."""


async def withdraw_by_http(
    where: Account,
    known: Known,
    *,
    say: Callable[[str], None],
    now: Callable[[], int],
    network: Network = SOCKETS,
    within: float = WITHDRAW_WITHIN,
) -> Left:
    """Withdraw all our orders, one by one, until the venue's own lists have none of them.

    They must be empty when nothing of ours can be under way to the venue any more.

    Args:
        where: The account.
        known: Our orders.
        say: Takes a line for people.
        now: Nanoseconds UTC, as the journal's.
        network: How to get there.
        within: Seconds for all of it.
    """
    work = _Work(where=where, known=known, say=say, within=within, arrives_within=known.under_way(now()))
    async with HttpClient(
        where.base,
        tokens=where.tokens,
        headers=lambda token: where.dialect.http_headers(token=token),
        classify=where.dialect.classify,
        tls=network.tls(None),
        rng=random.Random(),
        timing=Timing(),
        transport=network.transport(),
    ) as client:
        with trio.move_on_after(within):
            await work.run(client)
    return work.left()


@attrs.define(eq=False, kw_only=True)
class _Work:
    where: Account
    known: Known
    say: Callable[[str], None]
    within: float
    arrives_within: float
    """Seconds."""
    withdrawn: set[str] = attrs.field(factory=set, init=False)
    standing: tuple[str, ...] = attrs.field(default=(), init=False)
    filled: dict[str, Decimal] = attrs.field(factory=dict, init=False)
    """Lots by the venue's numbers of our orders."""
    owners: dict[str, str] = attrs.field(factory=dict, init=False)
    """Our client order ids by those numbers."""
    trouble: str = attrs.field(default="the venue has told nothing", init=False)
    proven: bool = attrs.field(default=False, init=False)

    async def run(self, client: HttpClient) -> None:
        began = trio.current_time()
        while not self.proven:
            asked_at = trio.current_time()
            try:
                found = await self._standing(client)
            except LoginRefused as exc:  # It stays refused.
                self.trouble = str(exc)
                return
            except StrategykitError as exc:
                self._trouble(str(exc))
            else:
                self.standing = tuple(row.venue_order_id for row, _ in found)
                self.proven = not found and asked_at - began >= self.arrives_within
                if found:
                    self.trouble = "orders of ours are still there"
                    await self._cancel(client, found)
            await trio.sleep(0 if self.proven else _PAUSE)

    def left(self) -> Left:
        trouble = "" if self.proven else f"not proven within {self.within:g} s: {self.trouble}"
        return Left(orders=self.standing, trouble=trouble, unseen=tuple(self._unseen()), withdrawn=len(self.withdrawn))

    def _unseen(self) -> Iterator[str]:
        totals: dict[str, Decimal] = {}
        for number, lots in self.filled.items():
            name = self.owners[number]
            totals[name] = totals.get(name, Decimal(0)) + lots
        for name, lots in totals.items():
            if (unseen := lots - self.known.filled.get(name, Decimal(0))) > 0:
                yield f"{unseen} lots of {name}"

    async def _standing(self, client: HttpClient) -> list[tuple[OrderUpdate, bool]]:
        """Give our working orders, each with whether it is a stop order.

        Raises:
            StrategykitError: The venue didn't say.
        """
        dialect, account, exchange = self.where.dialect, self.where.account, self.where.exchange
        found: list[tuple[OrderUpdate, bool]] = []
        for ask in (AskOrders(account=account, exchange=exchange), AskStopOrders(account=account, exchange=exchange)):
            request = dialect.request(ask)
            if not isinstance(request, HttpRequest):
                continue  # It is told along with something else.
            answer = None
            with trio.move_on_after(Timing().answer_within):
                answer = await client.call(request)
            if answer is None or not answer.ok:
                status = "nothing" if answer is None else f"HTTP {answer.status}"
                raise ConnectionLost(f"asked for orders, the venue answered with {status}")
            stop = isinstance(ask, AskStopOrders)
            for row in dialect.decode_answer(ask, answer.body, receive_time=0):
                name = self.known.name_of(row) if isinstance(row, OrderUpdate) else None
                if not isinstance(row, OrderUpdate) or name is None:
                    continue
                if not stop:  # A stop order that was triggered is among the others, too, by another number.
                    self.filled[row.venue_order_id], self.owners[row.venue_order_id] = row.filled, name
                if row.status is OrderStatus.WORKING:
                    found.append((row, stop))
        return found

    async def _cancel(self, client: HttpClient, found: list[tuple[OrderUpdate, bool]]) -> None:
        limit = trio.CapacityLimiter(_AT_ONCE)
        async with trio.open_nursery() as nursery:
            for row, stop in found:
                nursery.start_soon(partial(self._cancel_one, client, row, limit, stop=stop))

    async def _cancel_one(
        self, client: HttpClient, row: OrderUpdate, limit: trio.CapacityLimiter, *, stop: bool
    ) -> None:
        """Withdraw one order; whatever goes wrong, the next list says how it stands."""
        request = self.where.cancels.cancel_request(row, account=self.where.account, stop=stop)
        async with limit:
            with trio.move_on_after(Timing().answer_within):
                try:
                    answer = await client.call(request)
                    reply = self.where.cancels.read_cancel(answer.status, answer.body)
                except StrategykitError as exc:
                    self._trouble(str(exc))
                    return
                if reply.ok:
                    self.withdrawn.add(row.venue_order_id)
                    self.say(f"withdrew {row.client_order_id or row.venue_order_id} ({row.instrument})")
                else:
                    self._trouble(f"{row.venue_order_id}: {reply.code} {reply.message}")

    def _trouble(self, words: str) -> None:
        if words != self.trouble:
            self.trouble = words
            self.say(words)

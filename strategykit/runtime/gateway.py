"""The order gateway: every order of every strategy, and what the venue says of them.

Rules (RELIABILITY section 1): nothing is sent twice, a fill counts once, and an order whose answer was lost is
`UNKNOWN` until the venue tells. Whatever leaves doubt starts `reconcile`, which asks until nothing is in doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Final, Unpack

import attrs

from strategykit.errors import JournalError, OrderRefused, RiskLimit
from strategykit.model.event_class import altered
from strategykit.model.events import Fill, OrderUpdate, Side
from strategykit.model.instruments import Instrument
from strategykit.model.orders import AmendOrder, CreateOrder, Evidence, GroupKind, OrderRequest, OrderState
from strategykit.runtime.cancels import Cancels
from strategykit.runtime.flatten import trades_away
from strategykit.runtime.groups import OrderSpec, make_group, to_check
from strategykit.runtime.in_flight import InFlight, Pending, may_have_happened, tell_sent
from strategykit.runtime.order import Amendment, Order
from strategykit.runtime.order_news import FILLS_WITHIN, OrderNews
from strategykit.runtime.order_table import OrderTable
from strategykit.runtime.outages import Outages
from strategykit.runtime.ports import OrderEar, OrderJournal, OrderPort
from strategykit.runtime.requests import OrderTerms, make_amend, make_request
from strategykit.runtime.risk import Risk
from strategykit.runtime.strays import Strays
from strategykit.runtime.waking import Signal, Wakes
from strategykit.venues.dialect import OrderReply, Reply

__all__ = ["Gateway"]

# A look-up of a member costs more than a call on Python 3.11.
_ACCEPTED: Final = Evidence.ACCEPTED
_UNANSWERED: Final = (OrderState.SENT, OrderState.UNKNOWN)


@attrs.define(eq=False, kw_only=True)
class Gateway:
    """All orders of one run on one account."""

    port: OrderPort
    account: str
    instruments: Mapping[str, Instrument]
    tag: str
    """Begins every client order id; drawn from the run's seed, so that ids of two runs differ and a re-run's don't."""
    wakes: Wakes
    now: Callable[[], int]
    start: Callable[..., None]
    """A nursery's ``start_soon``, for the tasks that watch over answers."""
    doubt: Callable[[float], None]
    """Called when something has to be asked, with the seconds that the venue has to tell it by itself before."""
    _risk: Risk
    """Not to be had by the public ways that strategies have."""
    journal: OrderJournal | None = None
    answered: Callable[[str], bool] = lambda _: False
    """Whether the answer to the command of a guid, sent just now, is here already."""
    earlier: Sequence[str] = ()  # Tags of the account's runs before.
    alarm: Callable[[str], None] = lambda _: None  # Takes a line for each thing that the venue said and that can't be.
    _table: OrderTable = attrs.field(
        init=False, default=attrs.Factory(lambda self: OrderTable(self._risk.follow, self.alarm), takes_self=True)
    )
    _ears: dict[str, OrderEar] = attrs.field(factory=dict, init=False)
    _counts: dict[str, int] = attrs.field(factory=dict, init=False)
    commands: InFlight = attrs.field(
        init=False,
        default=attrs.Factory(
            lambda self: InFlight(self.port, self.start, self._lost, self.journal, self.answered), takes_self=True
        ),
    )
    _cancels: Cancels = attrs.field(
        init=False,
        default=attrs.Factory(
            lambda self: Cancels(commands=self.commands, lane_up=lambda: self.lane_up, contradict=self.contradict),
            takes_self=True,
        ),
    )
    outages: Outages = attrs.field(init=False)
    _news: OrderNews = attrs.field(
        init=False,
        default=attrs.Factory(
            lambda self: OrderNews(
                table=self._table,
                risk=self._risk,
                journal=self.journal,
                cancels=self._cancels,
                strays=Strays(self.tag, self.earlier, self.contradict, self.doubt),
                ears=self._ears,
                outages=self.outages,
                doubt=self.doubt,
                now=self.now,
            ),
            takes_self=True,
        ),
    )
    updated: Callable[..., bool] = attrs.field(init=False)
    """Folds in what the venue says of one order; False if it isn't ours."""
    filled: Callable[[Fill], bool] = attrs.field(init=False)
    """Folds in a fill, once; False if it isn't ours, or its order isn't known yet."""
    doubtful: Callable[[], list[Order]] = attrs.field(init=False)
    """Gives the orders that the venue has to be asked about."""
    open_orders: Callable[[], list[Order]] = attrs.field(init=False)
    """Gives the orders that can still be filled, as far as is known."""
    _tell: Callable[[Order], None] = attrs.field(init=False)
    killed: str = attrs.field(default="", init=False)
    """Why nothing may be opened any more; empty while the kill switch hasn't been pulled."""
    closed_for_all: bool = attrs.field(default=False, init=False)  # Whether the kill switch closes what blocks hold.
    lane: Signal = attrs.field(init=False)
    lane_changed: Callable[..., None] = attrs.field(init=False)
    """The command lane opened or ended."""

    @outages.default
    def _know_outages(self) -> Outages:
        return Outages(self._table, self.commands, self._cancels, self.doubt, self.now, Signal(self.wakes))

    def __attrs_post_init__(self) -> None:
        self.updated, self.filled, self._tell = self._news.updated, self._news.filled, self._news.tell
        self.doubtful, self.open_orders = self._table.doubtful, self._table.open
        self.lane, self.lane_changed = self.outages.lane, self.outages.lane_changed

    @property
    def lane_up(self) -> bool:
        return self.outages.lane_up

    @property
    def orders(self) -> Mapping[str, Order]:
        """By client order id, in the order in which they were placed."""
        return self._table.orders

    @property
    def foreign(self) -> Mapping[str, OrderUpdate]:
        """Orders of the account that aren't ours, by number: shown, never touched."""
        return self._table.foreign

    @property
    def foreign_lots(self) -> Mapping[str, Decimal] | None:
        """Lots that fills which aren't ours have added up to, by instrument; None: too many to count."""
        return self._news.fills.foreign

    @property
    def contradictions(self) -> list[str]:
        """What the venue said that can't be; a line each."""
        return self._table.contradictions

    def listen(self, strategy: str, ear: OrderEar) -> None:
        """Tell `ear` of everything that happens to the orders of `strategy`."""
        self._ears[strategy] = ear

    @contextmanager
    def restoring(self) -> Iterator[None]:
        """Fold what happened in an earlier run: meanwhile nothing is asked or written down, and nobody is told."""
        journal, doubt, self._news.ears = self.journal, self.doubt, {}
        parts: tuple[Gateway | OrderNews, ...] = (self, self._news)
        for part in parts:
            part.journal, part.doubt = None, lambda _: None
        try:
            yield
        finally:
            self._news.ears = self._ears
            for part in parts:
                part.journal, part.doubt = journal, doubt

    def restore(
        self, strategy: str, request: OrderRequest, *, placed: int, group: str = "", entry: Order | None = None
    ) -> Order:
        """Know an order of an earlier run of `strategy`; what has happened to it is told next."""
        told = Signal(self.wakes)
        order = Order(request, strategy, self, told, self._tell, placed, earlier=True, group=group, entry=entry)
        self._table.add(order)
        return order

    # What strategies ask

    def submit(
        self,
        strategy: str,
        instrument: str,
        side: Side,
        quantity: Decimal | int,
        *,
        undoes: Sequence[Order] = (),
        **terms: Unpack[OrderTerms],
    ) -> Order:
        """Place an order and give its handle at once; it may be refused already. Prices are as in `make_request`.

        Trading away what fills of the orders `undoes` have left is allowed when all trading has been stopped, too.

        Raises:
            RiskLimit: The order makes no sense, or would break a limit; nothing was sent.
        """
        known, now = self.instruments.get(instrument) or self.instrument(instrument), self.now()
        number = self._counts.get(strategy, 0) + 1
        name = f"{self.tag}-{strategy}-{number}"
        request = make_request(name, self.account, known, side, quantity, **terms)
        held = (self.killed or self.outages.withholds) and self._opens(strategy, request, undoes)
        self._risk.check_order(strategy, request, known, now)
        self._counts[strategy] = number
        order = Order(request, strategy, self, Signal(self.wakes), self._tell, now)
        self._table.add(order)
        create = CreateOrder(guid=name, request=request)
        if held:
            self.commands.withhold((order,), (create,))
        else:
            tell_sent((order,), self.commands.send, order, create)
        return order

    def submit_group(
        self, strategy: str, instrument: str, kind: GroupKind, specs: Sequence[OrderSpec]
    ) -> tuple[Order, ...]:
        """Place orders that the venue links, all or none; give their handles, which may be refused already.

        Raises:
            RiskLimit: One of the orders makes no sense, or would break a limit; nothing was sent.
        """
        known, count, now = self.instrument(instrument), self._counts.get(strategy, 0), self.now()
        held = False
        group = make_group(f"{self.tag}-{strategy}", count + 1, self.account, known, kind, specs)
        orders: list[Order] = []
        try:
            for request, checked in zip(group.requests, to_check(group, self._risk.price(instrument)), strict=True):
                held |= bool(self.killed or self.outages.withholds) and self._opens(strategy, checked)
                self._risk.check_order(strategy, checked, known, now)
                entry = orders[0] if orders and kind.has_entry else None
                signal = Signal(self.wakes)
                order = Order(request, strategy, self, signal, self._tell, now, group=group.guid, entry=entry)
                self._table.add(order)  # So that the next is held against what this one may become.
                orders.append(order)
        except RiskLimit:
            for order in orders:
                self._table.forget(order)
            raise
        self._counts[strategy] = count + len(orders)
        if held:
            self.commands.withhold(orders, group.creates)
        else:
            tell_sent(orders, self.commands.send_group, orders, group)
        return tuple(orders)

    def cancel_nowait(self, order: Order) -> None:
        """Withdraw `order`; while the lane is down or its number unknown, as soon as that changes."""
        self._cancels.ask(order)

    def amend_nowait(
        self,
        order: Order,
        *,
        limit: Decimal | float | None,
        quantity: Decimal | None,
        stop: Decimal | float | None = None,
    ) -> None:
        """Replace limit, trigger, or the lots that are still to be filled.

        Raises:
            OrderRefused: It can't be amended now: ended, in doubt, or another amend is on its way.
            RiskLimit: The change makes no sense, or would break a limit; nothing was sent.
        """
        known = self.instrument(order.instrument)
        if self.killed:
            raise RiskLimit(f"{self.killed}; nothing is amended any more", limit="kill_switch")
        amend = make_amend(order, order.next_guid("a"), known, limit=limit, quantity=quantity, stop=stop)
        self._risk.check_amend(order, amend.request, known, self.now())
        order.amending = Amendment(
            amend.request, sets_quantity=quantity is not None, filled=amend.filled, sent=self.now()
        )
        self._table.follow(order)
        left, reason = False, "the command lane is down"
        try:
            left = self.commands.send(order, amend)
        except JournalError as exc:
            reason = f"it can't be written down: {exc}"
        finally:
            if not left:
                order.amending = None
                self._table.follow(order)
        if not left:
            raise OrderRefused(f"{order.client_order_id}: {reason}; the amend wasn't sent")

    def withdraw_opening(self, strategy: str | None) -> None:
        """Withdraw the orders of `strategy`, or of all if it is None, that could open something, or more of it."""
        orders = [order for order in self.open_orders() if strategy in (None, order.strategy)]
        for order in self._risk.opening(orders):
            self.cancel_nowait(order)

    def withdraw_shown(self, update: OrderUpdate) -> None:
        """Have the venue withdraw one of ours that it shows as working, if we took that for ended."""
        order = self._table.by_number.get(update.venue_order_id)
        if order is not None and not order.is_open:
            self._cancels.send_back(order, update.venue_order_id)

    # What the wires say

    def replied(self, reply: Reply | OrderReply) -> bool:
        """Fold a reply in; False if no command of ours waits for it."""
        guid = reply.guid if isinstance(reply, Reply) else self.commands.guid_of(reply)
        pending = self.commands.take(guid)
        if pending is None:
            waiting = self.commands.of_group(guid) if isinstance(reply, Reply) else []
            for each in waiting if not reply.ok else ():  # After a yes each is answered by itself.
                self.replied(altered(reply, guid=each))
            return bool(waiting)
        order, named = pending.order, pending.command.guid
        if self.journal is not None:
            self.journal.heard(order, reply if reply.guid == named else altered(reply, guid=named))
        words = "" if reply.ok else f"{reply.message} ({reply.code})"
        if not reply.ok and may_have_happened(reply.code):
            self.commands.lose(pending, words)
        elif isinstance(pending.command, CreateOrder):
            self._created(order, reply, words)
        elif isinstance(pending.command, AmendOrder):
            self._amended(order, pending.command.request, reply, words)
        elif order.is_open:
            order.lost_at = self.now()
            if reply.ok:
                self._news.withdrawn(order, pending.command.venue_order_id)
            else:
                order.learn(Evidence.CANCEL_REFUSED, words)  # It has ended already, most likely: asked how.
                self.doubt(0.0)
        elif order.back:
            self.doubt(FILLS_WITHIN)
        return True

    def unsent(self, guid: str, reason: str) -> None:
        """A command that was to be sent once it was written down for good couldn't be: nothing has left."""
        pending = self.commands.unsent(guid)
        if pending is None:
            for each in self.commands.of_group(guid):
                self.unsent(each, reason)
            return
        if isinstance(pending.command, CreateOrder):
            pending.order.learn(Evidence.NEVER_LEFT, reason)
        else:
            self.amend_failed(pending.order, OrderRefused(f"{pending.order.client_order_id}: {reason}"))

    def contradict(self, line: str) -> None:
        """Note something that the venue said and that can't be."""
        self._table.contradict(line)

    def instrument(self, symbol: str) -> Instrument:
        if symbol not in self.instruments:
            why = "declare a stream of it in the strategy, or see the run's notes for what the venue didn't tell"
            raise RiskLimit(f"no instrument {symbol!r} in this run; {why}")
        return self.instruments[symbol]

    def _opens(self, strategy: str, request: OrderRequest, undoes: Sequence[Order] = ()) -> bool:
        closes = self._risk.closes(strategy, request) or (not self.closed_for_all and trades_away(undoes, request))
        if self.killed and not closes:
            words = f"{self.killed}; nothing is placed any more but what closes a position"
            raise RiskLimit(words, limit="kill_switch")
        return not closes

    def _lost(self, pending: Pending, reason: str) -> None:
        order = pending.order
        order.lost_at = self.now()
        if order.amending is not None and order.amending.request is pending.command.request:
            order.amend_lost_at = self.now()
        if order.is_open:
            order.learn(Evidence.ANSWER_LOST, reason)
        self.doubt(0.0)

    def _created(self, order: Order, reply: Reply | OrderReply, words: str) -> None:
        if reply.ok:
            number = reply.venue_order_id
            if number is not None and order.venue_order_id is None:
                self._news.number(order, number)
            elif number is not None and number != order.venue_order_id:
                order.leave_behind(number)  # A stop that had fired before this reply came.
            if order.state in _UNANSWERED:
                order.learn(self.outages.seen(order, _ACCEPTED))
            if order.cancel_wanted:
                self._cancels.if_wanted(order)
        elif order.state in _UNANSWERED:
            order.learn(Evidence.REFUSED, words)
        else:
            self._table.contradict(f"{order.client_order_id}: refused ({words}), though it is {order.state.value}")
            self.doubt(0.0)

    def _amended(self, order: Order, wanted: OrderRequest, reply: Reply | OrderReply, words: str) -> None:
        # The order's stream may have told before the reply, and the next amend may be on its way by now.
        current = order.amending is not None and order.amending.request is wanted
        words = f"{order.client_order_id}: {words}"
        if reply.ok and current:
            total = reply.quantity if isinstance(reply, OrderReply) else None
            self._news.renumber(order, reply.venue_order_id or order.venue_order_id or "", total)
        elif current:
            self.amend_failed(order, OrderRefused(words, code=reply.code, words=reply.message))
        elif not reply.ok:
            self._table.contradict(f"{words}, though the amend took effect")

    def amend_failed(self, order: Order, refusal: OrderRefused) -> None:
        """The order stands as it was; if it ended meanwhile, that wasn't the amend's doing."""
        order.stop_amending(refusal)
        self._table.follow(order)
        self._news.settle_ending(order)
        self._cancels.excess(order)
        self._cancels.if_wanted(order)

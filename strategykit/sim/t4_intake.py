"""Order requests of the simulated T4 venue's clients: what is taken, what is refused, and how.

Source: T4 protocol sheet, section 3.5.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from strategykit.model.events import Side
from strategykit.sim.exchange import SimulatedExchange
from strategykit.sim.t4_boards import Boards
from strategykit.sim.t4_live import LinkGroup, LiveOrder
from strategykit.sim.t4_orders import OrderDesk
from strategykit.sim.t4_session import T4Session
from strategykit.sim.t4_tickets import (
    BRACKETS,
    MOST_ORDERS,
    SPARKS,
    find_link_fault,
    find_price_fault,
    find_ticket_fault,
)
from strategykit.sim.t4_updates import UpdateTeller
from strategykit.sim.t4_waiting import Waiting
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.server import encode
from strategykit.venues.t4.server_orders import BatchFault, batch_acknowledge, batch_reject
from strategykit.venues.t4.server_prices import PriceWords
from strategykit.venues.t4.server_requests import Batch, Pull, PullOrders, Revise, ReviseOrders, Submission, Ticket

__all__ = ["OrderIntake"]


class OrderIntake:
    """Takes requests.

    Args:
        desk: Carries them out.
        waiting: Looks after conditions.
        teller: Tells of requests that reach no order.
        boards: Words prices.
        exchange: Where positions and books are.
        most_lots: Of one order.
    """

    def __init__(
        self,
        desk: OrderDesk,
        waiting: Waiting,
        teller: UpdateTeller,
        boards: Boards,
        exchange: SimulatedExchange,
        *,
        most_lots: int,
    ) -> None:
        self._desk = desk
        self._waiting = waiting
        self._teller = teller
        self._boards = boards
        self._exchange = exchange
        self._most_lots = most_lots

    def submit(self, session: T4Session, submission: Submission, now: int) -> None:
        """Place orders, or refuse each with its reason."""
        self._place(session, submission, self._find_faults(session, submission), now)

    def batch(self, session: T4Session, batch: Batch, now: int) -> None:
        """Place all submissions, or none."""
        batch_id = batch.batch_id or self._desk.new_id()
        faults = [
            BatchFault(
                submission=place,
                order=index,
                account_id=submission.account_id,
                market_id=submission.market_id,
                reason=reason,
            )
            for place, submission in enumerate(batch.submissions)
            for index, reason in self._batch_faults(session, submission)
        ]
        if faults or not batch.submissions:
            reason = faults[0].reason if faults else "no submissions"
            session.send(encode(order_batch_reject=batch_reject(batch_id, reason, faults)), now)
            return
        made = [
            self._make(session, submission, [""] * len(submission.tickets), now, relation_id=batch_id)
            for submission in batch.submissions
        ]
        accepted = [
            (submission.account_id, submission.market_id, [live.told.unique_id for live in lives])
            for submission, lives in zip(batch.submissions, made, strict=True)
        ]
        session.send(encode(order_batch_acknowledge=batch_acknowledge(batch_id, accepted)), now)
        for submission, lives in zip(batch.submissions, made, strict=True):
            self._start(session, submission, lives, now)

    def revise(self, session: T4Session, asked: ReviseOrders, now: int) -> None:
        """Change orders."""
        for revision in asked.revisions[:MOST_ORDERS]:
            live = self._find(session, asked.account_id, asked.market_id, revision.unique_id)
            if live is None:
                self._fail(session, asked, revision.unique_id, enums.ORDER_CHANGE_REVISION_FAILED, now)
            elif live.finished:
                self._desk.refuse_revision(live, "the order is finished", now)
            else:
                self._revise(session, live, revision, now)

    def pull(self, session: T4Session, asked: PullOrders, now: int) -> None:
        """Cancel orders. Without a market id nothing happens, and nobody is told (sheet, section 3.5)."""
        if not asked.market_id:
            return
        for each in asked.pulls[:MOST_ORDERS]:
            self._pull(session, asked, each, now)

    def _pull(self, session: T4Session, asked: PullOrders, pull: Pull, now: int) -> None:
        live = self._find(session, asked.account_id, asked.market_id, pull.unique_id)
        if live is None:
            self._fail(session, asked, pull.unique_id, enums.ORDER_CHANGE_PULL_FAILED, now)
            return
        if pull.tag is not None:
            live.told.tag = pull.tag
        self._desk.pull(live, now)

    def _revise(self, session: T4Session, live: LiveOrder, asked: Revise, now: int) -> None:
        told, words = live.told, self._boards.words(live.told.market_id, session.format)
        fault = asked.fault or find_price_fault(words, asked.limit_price, asked.stop_price, asked.trail_distance)
        volume = told.current_volume if asked.volume is None else asked.volume
        if not fault and asked.volume is not None and not told.filled < volume <= self._most_lots:
            fault = f"volume {volume}: it must be above the {told.filled} filled, and {self._most_lots} at the most"
        if fault:
            self._desk.refuse_revision(live, fault, now)
            return
        if asked.tag is not None:
            told.tag = asked.tag
        told.new_volume = volume
        if asked.max_volume is not None:
            told.max_volume = asked.max_volume
        if asked.max_show is not None:
            told.new_show = asked.max_show
        if asked.limit_price is not None:
            told.new_limit = words.read(asked.limit_price)
        if asked.stop_price is not None:
            told.new_stop = words.read(asked.stop_price)
        if asked.trail_distance is not None:
            told.trail = words.read(asked.trail_distance)
        wanted = (told.new_volume, told.new_limit, told.new_stop, told.new_show)
        same = wanted == (told.current_volume, told.current_limit, told.current_stop, told.current_show)
        if asked.activation is not None:
            self._reactivate(live, asked, words, now)
        elif same and asked.tag is not None:
            self._desk.retag(live, asked.tag, now)
        else:
            self._desk.revise(live, now)

    def _reactivate(self, live: LiveOrder, asked: Revise, words: PriceWords, now: int) -> None:
        """Give a held order another condition, or let it go."""
        assert asked.activation is not None
        if not live.held:
            self._desk.refuse_revision(live, "the order isn't held", now)
            return
        price = asked.activation.price
        live.activation = attrs.evolve(asked.activation, price=None if price is None else words.read(price))
        live.told.settle_new()
        if asked.activation.queue_submit:
            self._desk.send(live, now)
        else:
            self._desk.revise(live, now)

    def _place(self, session: T4Session, submission: Submission, faults: Sequence[str], now: int) -> None:
        lives = self._make(session, submission, faults, now)
        for live, fault in zip(lives, faults, strict=False):
            if fault:
                self._desk.refuse(live, fault, session, now)
        self._start(session, submission, [live for live in lives if not live.finished], now)

    def _make(
        self, session: T4Session, submission: Submission, faults: Sequence[str], now: int, *, relation_id: str = ""
    ) -> list[LiveOrder]:
        words = self._words(session, submission)
        linked = submission.link != enums.ORDER_LINK_NONE and not any(faults)
        group = LinkGroup(submission.link) if linked else None
        lives = []
        for index, (ticket, fault) in enumerate(zip(submission.tickets, faults, strict=False)):
            live = self._desk.make(
                session,
                _as_child(ticket) if index and submission.link in BRACKETS else ticket,
                submission.account_id,
                submission.market_id,
                words=None if fault else words,
                link=submission.link,
                group=group,
                relation_id=relation_id,
                now=now,
            )
            lives.append(live)
        if group is not None:
            for live in lives:
                live.told.linked = ",".join(each.told.unique_id for each in lives if each is not live)
        return lives

    def _start(self, session: T4Session, submission: Submission, lives: Sequence[LiveOrder], now: int) -> None:
        follows = submission.link in BRACKETS | SPARKS
        for index, live in enumerate(lives):
            reason = "" if follows and index else self._complete(live)
            if reason:
                self._desk.refuse(live, reason, session, now)
                continue
            told = live.told
            self._waiting.watch(live)
            self._desk.accept(live, now)
            if (follows and index) or told.activation_type != enums.ACTIVATION_TYPE_IMMEDIATE:
                self._desk.hold(live, now)
            elif told.price_type == enums.PRICE_TYPE_RFQ:
                self._desk.finish_quote_request(live, now)
            elif told.price_type == enums.PRICE_TYPE_MARKET_IF_TOUCHED:
                self._desk.hold(live, now, status=enums.ORDER_STATUS_WORKING)
            else:
                self._desk.send(live, now)

    def _complete(self, live: LiveOrder) -> str:
        """Fill in what depends on the market now; give why that can't be."""
        told = live.told
        board = self._boards[told.market_id]
        price_of = board.market.instrument.round_price
        if told.price_type == enums.PRICE_TYPE_FLATTEN:
            rows = self._exchange.positions(told.account_id)
            net = int(next((row.quantity for row in rows if row.instrument == told.market_id), 0))
            if not net:
                return "there's no position to flatten"
            live.side = Side.SELL if net > 0 else Side.BUY
            told.buy_sell = enums.BUY_SELL_SELL if net > 0 else enums.BUY_SELL_BUY
            told.new_volume = abs(net)
        elif told.price_type in (enums.PRICE_TYPE_JOIN, enums.PRICE_TYPE_HIT):
            joins = told.price_type == enums.PRICE_TYPE_JOIN
            bids = (live.side is Side.BUY) is joins
            prices = board.book.bid_prices if bids else board.book.ask_prices
            if not prices:
                return "there's no price to join or to hit"
            told.new_limit = price_of(prices[0])
        elif told.trail is not None and told.new_stop is None:
            assert board.quote.last is not None  # Before its first trade it is where the generated past ended.
            told.new_stop = price_of(board.quote.last) + live.side.sign * told.trail
        return ""

    def _find_faults(self, session: T4Session, submission: Submission) -> list[str]:
        """Give one text for each order, of as many as are looked at; empty: nothing is wrong with it."""
        tickets = submission.tickets[:MOST_ORDERS]
        whole = self._find_whole_fault(session, submission)
        words = self._words(session, submission)
        if whole or words is None:
            return [whole] * len(tickets)
        follows = submission.link in BRACKETS
        faults = [
            find_ticket_fault(ticket, words, most_lots=self._most_lots, child=follows and index > 0)
            for index, ticket in enumerate(tickets)
        ]
        if submission.link != enums.ORDER_LINK_NONE and any(faults):
            return [fault or "an order linked with it was refused" for fault in faults]
        return faults

    def _find_whole_fault(self, session: T4Session, submission: Submission) -> str:
        if submission.account_id not in session.accounts:
            return f"account {submission.account_id[:60]!r} isn't subscribed"
        if submission.market_id not in self._boards:
            return f"market {submission.market_id[:60]!r} isn't listed"
        return find_link_fault(submission)

    def _batch_faults(self, session: T4Session, submission: Submission) -> list[tuple[int, str]]:
        whole = self._find_whole_fault(session, submission)
        if whole:
            return [(-1, whole)]
        return [(index, fault) for index, fault in enumerate(self._find_faults(session, submission)) if fault]

    def _words(self, session: T4Session, submission: Submission) -> PriceWords | None:
        known = submission.market_id in self._boards
        return self._boards.words(submission.market_id, session.format) if known else None

    def _find(self, session: T4Session, account_id: str, market_id: str, unique_id: str) -> LiveOrder | None:
        live = self._desk.orders.get(unique_id)
        if live is None or account_id not in session.accounts:
            return None
        told = live.told
        return live if (told.account_id, told.market_id) == (account_id, market_id) else None

    def _fail(
        self,
        session: T4Session,
        asked: ReviseOrders | PullOrders,
        unique_id: str,
        change: enums.OrderChange,
        now: int,
    ) -> None:
        words = "no such order in this market and account, or the account isn't subscribed"
        self._teller.failed(session, unique_id, asked.account_id, asked.market_id, change=change, detail=words, now=now)


def _as_child(ticket: Ticket) -> Ticket:
    """An exit begins with nothing; a volume of its own bounds it."""
    return attrs.evolve(ticket, volume=0, max_volume=ticket.max_volume or ticket.volume or None)

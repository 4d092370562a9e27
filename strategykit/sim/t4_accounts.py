"""Account feeds of the simulated T4 venue: who may see which, what it begins with, and what changes.

Source: T4 protocol sheet, section 3.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

from strategykit.model.events import AccountUpdate, Event, Fill, PositionUpdate, Side
from strategykit.sim.exchange import SimulatedExchange
from strategykit.sim.t4_boards import Boards, trade_date
from strategykit.sim.t4_config import T4VenueConfig
from strategykit.sim.t4_orders import OrderDesk
from strategykit.sim.t4_session import T4Session
from strategykit.venues.t4 import server_account as wording
from strategykit.venues.t4.proto import account_pb2 as pb
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.proto import orderrouting_pb2 as routing
from strategykit.venues.t4.server import encode
from strategykit.venues.t4.server_account import DayCounts
from strategykit.venues.t4.server_orders import multi, order_whole
from strategykit.venues.t4.server_requests import SubscribeAccounts

__all__ = ["AccountFeed"]

_ZERO: Final = Decimal(0)


class AccountFeed:
    """All account subscriptions.

    Args:
        exchange: Keeps the money.
        boards: Words prices.
        desk: Has the orders.
        config: The venue's.
        sessions: Those that are logged in, in their order.
    """

    def __init__(
        self,
        exchange: SimulatedExchange,
        boards: Boards,
        desk: OrderDesk,
        config: T4VenueConfig,
        sessions: dict[T4Session, None],
    ) -> None:
        self._exchange = exchange
        self._boards = boards
        self._desk = desk
        self._config = config
        self._sessions = sessions
        self._counts: dict[tuple[str, str], DayCounts] = {}
        self._profits: dict[tuple[T4Session, str], Any] = {}
        self._profit_due = 0

    def subscribe(self, session: T4Session, asked: SubscribeAccounts, now: int) -> None:
        """Begin or end subscriptions; a subscription is also the right to trade."""
        assert session.user is not None
        wanted = session.user.accounts if asked.all_accounts else asked.accounts
        if asked.subscribe == enums.ACCOUNT_SUBSCRIBE_TYPE_NONE:
            for name in wanted or tuple(session.accounts):
                session.accounts.pop(name, None)
            session.send(encode(account_subscribe_response=wording.account_subscribed()), now)
            return
        errors = [f"account {name[:60]!r} isn't yours" for name in wanted if name not in session.user.accounts]
        if asked.subscribe != enums.ACCOUNT_SUBSCRIBE_TYPE_ALL_UPDATES:
            errors = [f"subscribe type {asked.subscribe} is unknown"]
        session.send(encode(account_subscribe_response=wording.account_subscribed(errors)), now)
        if asked.subscribe != enums.ACCOUNT_SUBSCRIBE_TYPE_ALL_UPDATES:
            return
        for name in dict.fromkeys(wanted):
            if name in session.user.accounts:
                session.accounts[name] = asked.upl_mode
                session.send(encode(account_snapshot=self._snapshot(session, name, now)), now)
                self._send_profit([session], name, now)

    def apply(self, events: Sequence[Event]) -> None:
        """Count fills."""
        for event in events:
            if isinstance(event, Fill):
                counts = self._counted(event.account or "", event.instrument)
                lots, value = int(event.quantity), event.price * event.quantity
                counts.fees += event.fee or _ZERO
                if event.side is Side.BUY:
                    counts.buys, counts.buy_value = counts.buys + lots, counts.buy_value + value
                else:
                    counts.sells, counts.sell_value = counts.sells + lots, counts.sell_value + value

    def flush(self, now: int) -> None:
        """Tell the positions and money of what orders have moved since the last call."""
        touched = list(self._desk.touched)
        self._desk.touched.clear()
        for account, market in touched:
            listeners = [session for session in self._sessions if account in session.accounts]
            if not listeners or market not in self._boards:
                continue
            rows = self._positions(account)
            row = rows.get(market) or _flat(account, market, now)
            for session in listeners:
                self._boards.define(session, market, now)
                session.send(encode(account_position=self._position(session, row, now)), now)
        for account in dict.fromkeys(account for account, _ in touched):
            if account in self._config.accounts:
                listeners = [session for session in self._sessions if account in session.accounts]
                frame = encode(account_update=self._money(account, now)) if listeners else b""
                for session in listeners:
                    session.send(frame, now)
                self._send_profit(listeners, account, now)

    def run(self, now: int) -> None:
        """Tell how profits stand, every now and then."""
        if now < self._profit_due:
            return
        self._profit_due = now + int(self._config.profit_interval * 1e9)
        for account in self._config.accounts:
            listeners = [session for session in self._sessions if account in session.accounts]
            if any(session.accounts[account] for session in listeners):
                self._send_profit(listeners, account, now)

    def forget(self, session: T4Session) -> None:
        """A connection has ended."""
        for key in [key for key in self._profits if key[0] is session]:
            del self._profits[key]

    def _snapshot(self, session: T4Session, account: str, now: int) -> pb.AccountSnapshot:
        part = pb.AccountSnapshotMessage
        assert session.user is not None
        details = wording.account_details(account, firm=session.user.firm, most_lots=self._config.max_clip)
        parts = [
            part(account_details=details),
            part(account_update=self._money(account, now)),
            part(account_currency=wording.account_currency("USD")),
        ]
        for market, row in self._positions(account).items():
            session.defined.add(market)
            parts.append(part(market_details=self._boards.details(session, market, now)))
            parts.append(part(account_position=self._position(session, row, now)))
        parts += [part(order_update_multi=group) for group in self._orders(session, account)]
        return wording.account_snapshot(account, parts)

    def _orders(self, session: T4Session, account: str) -> Iterable[routing.OrderUpdateMulti]:
        """Yield the account's orders, market by market."""
        by_market: dict[str, list[routing.OrderUpdateMultiMessage]] = {}
        for live in self._desk.orders.values():
            told = live.told
            if told.account_id == account and told.market_id in self._boards:
                whole = order_whole(told, self._boards.words(told.market_id, session.format))
                row = routing.OrderUpdateMultiMessage(order_update=whole)
                by_market.setdefault(told.market_id, []).append(row)
        for market, rows in by_market.items():
            yield multi(account, market, rows, historical=True)

    def _positions(self, account: str) -> dict[str, PositionUpdate]:
        return {row.instrument: row for row in self._exchange.positions(account) if not row.is_currency}

    def _position(self, session: T4Session, row: PositionUpdate, now: int) -> pb.AccountPosition:
        account, market = row.account or "", row.instrument
        counts = self._counted(account, market)
        working = {Side.BUY: 0, Side.SELL: 0}
        for live in self._desk.working(account, market):
            working[live.side] += live.told.working
        counts.working_buys, counts.working_sells = working[Side.BUY], working[Side.SELL]
        words = self._boards.words(market, session.format)
        last = Decimal(str(self._boards[market].quote.last or 0))
        margin = words.market.instrument.value(last, abs(row.quantity)) * self._config.margin_rate
        return wording.account_position(row, counts, words, margin=margin, trade_date=trade_date(now))

    def _money(self, account: str, now: int) -> pb.AccountUpdate:
        realised, open_pnl = self._totals(account)
        return wording.account_update(self._exchange.account(account), realised=realised, open_pnl=open_pnl, now=now)

    def _totals(self, account: str) -> tuple[Decimal, Decimal]:
        """Give what was realised, and what is open."""
        rows = self._positions(account).values()
        open_pnl = sum((row.open_pnl or _ZERO for row in rows), _ZERO)
        return sum((row.day_pnl or _ZERO for row in rows), _ZERO) - open_pnl, open_pnl

    def _send_profit(self, sessions: Iterable[T4Session], account: str, now: int) -> None:
        """Tell the profit to those who want it and were told another."""
        wanting = [session for session in sessions if session.accounts.get(account) == enums.UPL_MODE_AVERAGE]
        if not wanting:
            return
        realised, open_pnl = self._totals(account)
        working = [live.told.working for live in self._desk.working(account)]
        money: AccountUpdate = self._exchange.account(account)
        state = (realised, open_pnl, len(working), sum(working), money.buying_power)
        told = wording.account_profit(
            money, realised=realised, open_pnl=open_pnl, orders=len(working), lots=sum(working), now=now
        )
        frame = encode(account_profit=told)
        for session in wanting:
            if self._profits.get((session, account)) == state:
                continue
            self._profits[session, account] = state
            session.send(frame, now)
            for market, row in self._positions(account).items():
                words = self._boards.words(market, session.format)
                session.send(encode(account_position_profit=wording.position_profit(row, words, now)), now)

    def _counted(self, account: str, market: str) -> DayCounts:
        return self._counts.setdefault((account, market), DayCounts())


def _flat(account: str, market: str, now: int) -> PositionUpdate:
    return PositionUpdate(market, _ZERO, None, _ZERO, _ZERO, now, now, "", account=account)

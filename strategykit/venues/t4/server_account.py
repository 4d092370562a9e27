"""Accounts as T4 words them: static data, money, positions and profit.

Source: T4 protocol sheet, sections 2.2 and 3.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import attrs

from strategykit.model.events import AccountUpdate, PositionUpdate
from strategykit.venues.t4.proto import account_pb2 as pb
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.proto.price_pb2 import Price
from strategykit.venues.t4.server_prices import PriceWords
from strategykit.venues.t4.times import write_time

__all__ = [
    "DayCounts",
    "account_currency",
    "account_details",
    "account_position",
    "account_profit",
    "account_snapshot",
    "account_subscribed",
    "account_update",
    "position_profit",
]

_ZERO = Decimal(0)


@attrs.define(eq=False)
class DayCounts:
    """What one account did in one market today."""

    buys: int = 0
    sells: int = 0
    buy_value: Decimal = _ZERO
    """Sum of price times lots."""
    sell_value: Decimal = _ZERO
    working_buys: int = 0
    working_sells: int = 0
    fees: Decimal = _ZERO


def account_subscribed(errors: Sequence[str] = ()) -> pb.AccountSubscribeResponse:
    return pb.AccountSubscribeResponse(success=not errors, errors=errors)


def account_details(account_id: str, *, firm: str, most_lots: int) -> pb.AccountDetails:
    return pb.AccountDetails(
        account_id=account_id,
        account_name=account_id,
        account=account_id,
        enabled=enums.ACCOUNT_ENABLED_ENABLED,
        max_clip_size=most_lots,
        firm_id=firm,
        margin_pc=100,
        order_routing=True,
        firm=firm,
        mode=enums.ACCOUNT_MODE_BY_ACCOUNT,
        display_name=account_id,
    )


def account_currency(currency: str) -> pb.AccountCurrency:
    return pb.AccountCurrency(currency=currency, rate=1.0, import_factor=1.0)


def account_update(money: AccountUpdate, *, realised: Decimal, open_pnl: Decimal, now: int) -> pb.AccountUpdate:
    """Word the money: the balance holds what was earned before the session's realised profit."""
    margin = _double(money.initial_margin)
    return pb.AccountUpdate(
        account_id=money.account,
        status=enums.ACCOUNT_STATUS_OK,
        balance=_double((money.equity or _ZERO) - realised - open_pnl),
        rpl=float(realised),
        margin=margin,
        full_margin=margin,
        day_margin=margin,
        pre_trade_margin=margin,
        fees_and_commissions=_double(money.fees),
        margin_time=write_time(now),
    )


def account_position(
    row: PositionUpdate, counts: DayCounts, words: PriceWords, *, margin: Decimal, trade_date: int
) -> pb.AccountPosition:
    """Word a holding; net is buys less sells."""
    market, average = words.market, row.average_price
    open_pnl = row.open_pnl or _ZERO

    def sum_of(value: Decimal) -> Price:
        return Price(value=words.exact(value))

    return pb.AccountPosition(
        account_id=row.account or "",
        exchange_id=market.exchange_id,
        contract_id=market.contract_id,
        market_id=market.market_id,
        buys=counts.buys,
        sells=counts.sells,
        working_buys=counts.working_buys,
        working_sells=counts.working_sells,
        rpl=float((row.day_pnl or _ZERO) - open_pnl),
        margin=float(margin),
        currency_rate=1.0,
        trade_date=write_time(trade_date),
        total_open_volume=int(row.quantity),
        fees_and_commissions=float(counts.fees),
        day_buys=counts.buys,
        day_sells=counts.sells,
        average_open_price=None if average is None else sum_of(average),
        total_open_price=None if average is None else sum_of(average * row.quantity),
        total_buy_fill_price=sum_of(counts.buy_value),
        total_sell_fill_price=sum_of(counts.sell_value),
        day_total_buy_fill_price=sum_of(counts.buy_value),
        day_total_sell_fill_price=sum_of(counts.sell_value),
        margin_time=write_time(trade_date),
        day_margin=float(margin),
        full_margin=float(margin),
        pre_trade_margin=float(margin),
    )


def account_profit(
    money: AccountUpdate, *, realised: Decimal, open_pnl: Decimal, orders: int, lots: int, now: int
) -> pb.AccountProfit:
    """Word an account's profit, with how many orders and lots of it are working."""
    return pb.AccountProfit(
        account_id=money.account,
        update_time=write_time(now),
        upl=float(open_pnl),
        upl_trade=float(open_pnl),
        rpl=float(realised),
        day_upl=float(open_pnl),
        day_upl_trade=float(open_pnl),
        day_rpl=float(realised),
        total_working_orders=orders,
        total_working_volume=lots,
        available_cash=_double(money.buying_power),
    )


def position_profit(row: PositionUpdate, words: PriceWords, now: int) -> pb.AccountPositionProfit:
    market, open_pnl, net = words.market, _double(row.open_pnl), float(row.quantity)
    realised = float((row.day_pnl or _ZERO) - (row.open_pnl or _ZERO))
    return pb.AccountPositionProfit(
        account_id=row.account or "",
        exchange_id=market.exchange_id,
        contract_id=market.contract_id,
        market_id=market.market_id,
        update_time=write_time(now),
        has_data=True,
        net=net,
        upl=open_pnl,
        upl_trade=open_pnl,
        rpl=realised,
        upl_usd=open_pnl,
        upl_trade_usd=open_pnl,
        rpl_usd=realised,
        day_net=net,
        day_rpl=realised,
        day_rpl_usd=realised,
        day_upl=open_pnl,
        day_upl_trade=open_pnl,
        day_upl_usd=open_pnl,
        day_upl_trade_usd=open_pnl,
    )


def account_snapshot(account_id: str, parts: Sequence[pb.AccountSnapshotMessage]) -> pb.AccountSnapshot:
    return pb.AccountSnapshot(account_id=account_id, status=enums.ACCOUNT_STATUS_OK, messages=parts)


def _double(money: Decimal | None) -> float:
    return float(money or _ZERO)

"""What all strategies of a run come to together, counted anew from the fills; and whether their parts add up to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

import attrs

from strategykit.model.events import Fill
from strategykit.model.portfolio import Portfolio
from strategykit.runtime.playing import Run

__all__ = ["AccountReport", "report_account"]

ZERO = Decimal(0)


@attrs.frozen(kw_only=True)
class AccountReport:
    """The account's part that is ours: netted over strategies, where theirs are counted each by itself."""

    positions: Mapping[str, Decimal]
    others: Mapping[str, Decimal]
    """Lots that the venue counts on the account besides; as far as it told."""
    realised: Mapping[str, Decimal]
    """Money a currency, before fees."""
    open_pnl: Mapping[str, Decimal]
    fees: Mapping[str, Decimal]
    pnl: Mapping[str, Decimal]
    """Realised plus open less fees, a currency: to the last digit what those of the strategies add up to."""
    cash: Mapping[str, Decimal] = attrs.field(factory=dict)
    """What the venue counts, a currency; as far as it told."""
    cash_unchecked: str = ""
    """Why that couldn't be held against the fills; empty: it was, or there was nothing to hold against it."""


def report_account(
    run: Run, marks: Mapping[str, float], parts: Iterable[Mapping[str, Decimal]]
) -> tuple[AccountReport, list[str]]:
    """Count the account's result from the fills, and compare it with the strategies' `parts` of the profit.

    Gives the result, and a line for each currency in which they don't agree.
    """
    book = Portfolio()
    begin: dict[str, tuple[Decimal, Decimal]] = {}
    for item in run.carried.positions:
        symbol = item.instrument.symbol
        lots, cost = begin.get(symbol, (ZERO, ZERO))
        begin[symbol] = (lots + item.quantity, cost + item.cost)
    known = {item.instrument.symbol: item.instrument for item in run.carried.positions}
    known |= {item.symbol: item for item in run.carried.instruments} | dict(run.instruments)
    netted: dict[str, Decimal] = {}
    for symbol, (lots, cost) in begin.items():
        if lots:
            book.carry(known[symbol], lots, cost)
        else:  # What one strategy was long another one was short: for the account that is done, and has earned this.
            currency = known[symbol].currency
            netted[currency] = netted.get(currency, ZERO) - cost
    fills = _fills(run)
    for symbol in dict.fromkeys(fill.instrument for fill in fills):
        book.add(known[symbol])
    for fill in fills:
        book.apply(fill)
    prices = {symbol: Decimal(str(price)) for symbol, price in marks.items()}
    realised, fees = book.realised(), book.fees()
    for currency, amount in netted.items():
        realised[currency] = realised.get(currency, ZERO) + amount
    open_pnl = {currency: amount for currency, amount in book.open_pnl(prices).items() if amount is not None}
    currencies = dict.fromkeys([*realised, *open_pnl, *fees])
    pnl = {c: realised.get(c, ZERO) + open_pnl.get(c, ZERO) - fees.get(c, ZERO) for c in currencies}
    result = AccountReport(
        positions={symbol: position.quantity for symbol, position in book.positions.items()},
        others=dict(run.account_check.others),
        realised=realised,
        open_pnl=open_pnl,
        fees=fees,
        pnl=pnl,
        cash=run.cash_check.cash,
        cash_unchecked=run.cash_check.unchecked,
    )
    return result, [] if _unpriced(run, prices) else _differences(pnl, parts)


def _fills(run: Run) -> list[Fill]:
    """Give the fills of this run, in the order in which they came."""
    fills = [fill for order in run.gateway.orders.values() for fill in order.fills_seen[order.fills_before :]]
    return sorted(fills, key=lambda fill: fill.receive_time)


def _unpriced(run: Run, prices: Mapping[str, Decimal]) -> bool:
    """Whether somebody holds what nobody knows the price of, or isn't here to tell."""
    here = {seat.name for seat in run.supervisor.seats}
    owners = [item.strategy for item in run.carried.positions] + [item.strategy for item in run.carried.orders]
    away = not here.issuperset(owners)
    held = (
        symbol
        for seat in run.supervisor.seats
        for symbol, position in seat.desk.portfolio.positions.items()
        if position.quantity
    )
    return away or any(symbol not in prices for symbol in held)


def _differences(pnl: Mapping[str, Decimal], parts: Iterable[Mapping[str, Decimal]]) -> list[str]:
    sums: dict[str, Decimal] = {}
    for part in parts:
        for currency, amount in part.items():
            sums[currency] = sums.get(currency, ZERO) + amount
    return [
        f"the strategies' profits add up to {sums.get(currency, ZERO)} {currency}, and the account's is "
        f"{pnl.get(currency, ZERO)}"
        for currency in sorted({*pnl, *sums})
        if pnl.get(currency, ZERO) != sums.get(currency, ZERO)
    ]

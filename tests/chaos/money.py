"""Each strategy's lots and money, counted from the venue's own fills and its own reference data, to the last digit.

A fill belongs to the strategy that its order's name says. Nothing of the client's is asked for but what it came to.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

import attrs

from tests.chaos.rows import Row, name_of

__all__ = ["check_money"]

_UNITS: Final = {
    "SBER": ("RUB", 10),
    "GAZP": ("RUB", 10),
    "XCME_Eq ES (Z26)": ("USD", 50),
    "XCME_Ny CL (Z26)": ("USD", 1_000),
}
"""Currency, and its units that a lot is worth at a price of 1: as the exchanges list them."""

_BEGAN_WITH: Final = Decimal(1_000_000)
"""Of the currency that an account is in."""

_NAME: Final = re.compile(r"[0-9a-f]+-(.+)-\d+")
"""Of an order: the run's, the strategy's, and which of its own it is."""

_ZERO: Final = Decimal(0)


@attrs.define
class _Tally:
    """What a strategy's fills of an instrument come to."""

    lots: Decimal = _ZERO
    paid: Decimal = _ZERO
    """Money for what was bought less that for what was sold, without fees."""
    fees: Decimal = _ZERO


def check_money(record: Row) -> Iterator[str]:
    """Compare what each strategy is said to hold and to have earned, and the sums over all of them."""
    tallies = _count(record)
    ours, names = record["ours"], record["symbols"]
    for strategy, book in ours["books"].items():
        for instrument, row in book["positions"].items():
            tally = tallies.pop((strategy, names[instrument]), _Tally())
            where = f"{instrument} of {strategy}"
            if Decimal(row["quantity"]) != tally.lots:
                yield f"I3: {where}: {row['quantity']} lots for us, {tally.lots} by the venue's fills"
            if record["again"]:
                continue  # What an earlier run has earned is in its own report.
            # Whatever the order in which fills were heard of.
            realised, cost = Decimal(row["realised"]), Decimal(row["cost"])
            if realised - cost != -tally.paid or (cost and not tally.lots):
                yield f"I3: {where}: {realised} realised, {cost} open for us, {-tally.paid} in all for the venue"
            if _tells_fees(record) and sum(map(Decimal, row["fees"].values()), _ZERO) != tally.fees:
                yield f"I3: {where}: fees are {row['fees']} for us, {tally.fees} by the venue's fills"
        if not record["again"]:
            yield from _check_report(strategy, book)
    for (strategy, symbol), tally in tallies.items():
        yield f"I3: {strategy} knows nothing of {symbol}, of which its fills at the venue make {tally.lots}"
    if record["venue"] == "alor" and not record["again"]:
        yield from _check_cash(record)


def _count(record: Row) -> dict[tuple[str, str], _Tally]:
    found: dict[tuple[str, str], _Tally] = defaultdict(_Tally)
    for row in record["theirs"]["fills"]:
        match = _NAME.fullmatch(name_of(row))
        if match is None:
            continue
        t4 = record["venue"] == "t4"
        symbol = row["market"] if t4 else row["instrument"]
        lots = Decimal(row["trade_volume"] if t4 else row["quantity"])
        signed = lots if row["side"].lower() == "buy" else -lots
        tally = found[match[1], symbol]
        tally.lots += signed
        tally.paid += Decimal(row["trade_price"] if t4 else row["price"]) * signed * _UNITS[symbol][1]
        tally.fees += _ZERO if t4 else Decimal(row["fee"])
    return dict(found)


def _tells_fees(record: Row) -> bool:
    return bool(record["venue"] == "alor")


def _check_report(strategy: str, book: Row) -> Iterator[str]:
    """The report adds up what the positions say, by currency."""
    if book["report"] is None:
        return
    for what in ("realised", "fees"):
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for row in book["positions"].values():
            amounts = row["fees"] if what == "fees" else {row["currency"]: row["realised"]}
            for currency, amount in amounts.items():
                sums[currency] += Decimal(amount)
        told = {currency: Decimal(amount) for currency, amount in book["report"][what].items()}
        for currency in {*sums, *told}:
            if sums.get(currency, _ZERO) != told.get(currency, _ZERO):
                yield f"I3: {strategy}: {what} {told} in the report, {dict(sums)} by its positions"


def _check_cash(record: Row) -> Iterator[str]:
    """All strategies' cash together is what the venue says the account has."""
    ours = record["ours"]
    changed: dict[str, Decimal] = defaultdict(Decimal)
    for book in ours["books"].values():
        for currency, amount in book["cash"].items():
            changed[currency] += Decimal(amount)
    for row in record["theirs"]["positions"]:
        if row["account"] != ours["account"] or not row["is_currency"]:
            continue
        amount = Decimal(row["quantity"]) - _BEGAN_WITH
        if amount != changed.get(row["instrument"], _ZERO):
            yield f"I3: cash has changed by {changed[row['instrument']]} for us, by {amount} for the venue"

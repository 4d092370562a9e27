"""What has to be true of a run whose kill switch was pulled: nothing is left at the venue, or an alarm says what."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from tests.chaos.rows import ENDED, Row, theirs_by_name

__all__ = ["check_killed", "is_killed"]

_STAY = "positions stay open"


def is_killed(record: Row) -> bool:
    """Whether somebody pulled it."""
    return bool(record["ours"]["kill"]["reason"])


def check_killed(record: Row) -> Iterator[str]:
    """Compare what was confirmed, or told to be left, with the venue's own log."""
    ours = record["ours"]
    kill, alarms = ours["kill"], [line for line in ours["alarms"] if line.startswith("kill: ")]
    if not kill["proof"] and not alarms:
        yield "I1: the kill switch neither confirms nor alarms"
    # That the orders are gone is confirmed beside an alarm about positions which weren't to be closed.
    if kill["proof"] and ((kill["flatten"] and alarms) or any(_STAY not in line for line in alarms)):
        yield f"I1: the kill switch confirms and alarms at once: {alarms}"
    if record["paper"] or record["forgets"]:
        return
    told = "\n".join([*alarms, *(ours["unaccounted"] if record["hangs"] else ())])
    for name, rows in theirs_by_name(record).items():
        working = [row for row in rows if row["status"] not in ENDED]
        if working and not _names(told, name):
            yield f"I1: the kill switch doesn't tell of {name}, {working[-1]['status']} for the venue"
    names = {symbol: name for name, symbol in record["symbols"].items()}
    doubtful = _lots_in_doubt(record, told)
    for row in record["theirs"]["positions"]:
        if row["account"] != ours["account"] or row["is_currency"] or row["instrument"] not in names:
            continue
        name, lots = names[row["instrument"]], Decimal(str(row["quantity"]))
        if lots != doubtful[name] and lots and name not in told:
            yield f"I3: the kill switch doesn't tell of {row['quantity']} {row['instrument']} held at the venue"


def _names(told: str, order: str) -> bool:
    return bool(re.search(rf"{re.escape(order)}\b", told))


def _lots_in_doubt(record: Row, told: str) -> dict[str, Decimal]:
    """Give by instrument the lots of fills that nobody could know of, of orders that are told to be left.

    Where the venue was out of reach, these orders are all that can be told of such a position.
    """
    found: dict[str, Decimal] = defaultdict(Decimal)
    theirs = theirs_by_name(record)
    for order in record["ours"]["orders"]:
        if _names(told, order["client_order_id"]):
            filled = sum((Decimal(str(row["filled"])) for row in theirs.get(order["client_order_id"], ())), Decimal(0))
            sign = 1 if order["side"] == "buy" else -1
            found[order["instrument"]] += sign * (filled - Decimal(order["filled"]))
    return found

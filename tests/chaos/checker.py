"""The invariants I1 to I8, checked on the plain record of a run: what the client says against what the venue says.

It imports nothing of the project's, on purpose: whatever the client gets wrong, it mustn't be got wrong here the same
way. A line names the invariant that it breaks.

I1  every order ended as the venue says; I2  no order was placed twice; I3  no fill is missing, none counts twice, and
positions are the sum of the fills; I4  what is subscribed to at the venue is what is wanted; I5  what is missing lies
in a gap that was told; I6  nothing is left open; I7  what was recorded can be read, and nothing that was sent is
missing there; I8  no secret is in anything that leaves the run.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

from tests.chaos.killed import check_killed, is_killed
from tests.chaos.money import check_money
from tests.chaos.rows import ENDED, Row, name_of, theirs_by_name
from tests.chaos.told import check_numbered, check_unnumbered
from tests.chaos.written import check_journal, check_secrets, check_tapes, secrets_in

__all__ = ["check", "is_left_alone"]

_CAME_LATE: Final = re.compile(r"(\S+): (?:works|is filled|is changed|ended) as \S+, though the venue didn't have")

_LOOKS: Final = 4
"""Of a second in which the venue's book has to have stood still: orders of ours come and go while markets rest."""


def check(record: Row) -> list[str]:
    """Give a line for each thing that is wrong with a run."""
    never = _never_began(record)
    lines = [f"I6: {record['error']}"] if record["error"] and not never else []
    lines += [f"I1: not settled: {line}" for line in record["unsettled"]]
    lines += _check_left(record["left"])
    if record["ours"]:
        lines += _check_repeats(record)
    if record["ours"] and is_left_alone(record) and not record["forgets"]:
        lines += _check_orders(record)
        lines += _check_fills(record)
        lines += _check_alarms(record)
    if record["ours"] and not never:
        lines += _check_end(record)
        if not record["forgets"]:
            lines += _check_orders(record)
            lines += _check_fills(record)
        lines += _check_positions(record)
        lines += _check_alarms(record)
        lines += check_killed(record) if is_killed(record) else ()
    if record["rest"]:
        lines += _check_subscriptions(record)
        lines += _check_books(record["rest"]["books"])
        for name, told in record["rest"]["witnesses"].items():
            check_trades = check_numbered if record["venue"] == "alor" else check_unnumbered
            prints = record["rest"]["prints"][name]
            lines += check_trades(name, told, prints, record["rest"]["time"], record["ahead"])
    if record["tapes"]:
        lines += check_tapes(record)
        lines += check_secrets(Path(record["tapes"][0]).parent, record["secrets"])
    if record["journal"] and record["ours"]:
        lines += check_journal(record)
    words = "\n".join([*record["ours"].get("notes", ()), *record["ours"].get("unaccounted", ()), record["error"]])
    lines += [f"I8: {what} in what the run says" for what in secrets_in(words.encode(), record["secrets"])]
    return lines


def is_left_alone(record: Row) -> bool:
    """Whether a first run was cut off amid orders, and no second one began to look after them.

    What the first one's books say has to be true all the same, as far as they say that something has ended.
    """
    return _never_began(record) and bool(record["taken_over"])


def _never_began(record: Row) -> bool:
    """Whether a run couldn't begin to trade: it says so and leaves, which is what it should do."""
    return not record["began"] and record["error"].startswith(("ConnectionLost", "JournalFull"))


# I6, and what the run says of itself.


def _check_left(left: Row) -> Iterator[str]:
    if left["sockets"]:
        yield f"I6: {left['sockets']} sockets left open"
    if left["tasks"] > 0:
        yield f"I6: {left['tasks']} tasks left"
    yield from (f"I6: thread {name} left" for name in left["threads"])
    yield from (f"I6: {name} left open" for name in left["files"])


def _is_cut_short(record: Row) -> bool:
    """Whether the run couldn't see to its orders: told to hurry, killed, or its session taken by another login."""
    return bool(record["hurried"] or record["displaced"] or is_killed(record))


def _check_end(record: Row) -> Iterator[str]:
    ours = record["ours"]
    open_orders = [row["client_order_id"] for row in ours["orders"] if row["state"] not in ENDED]
    for name in open_orders:
        if _is_cut_short(record) or record["kept"] or record["forgets"]:
            told = any(name in line for line in ours["unaccounted"])
            if not told and not record["kept"]:
                yield f"I1: {name} hasn't ended, and nobody says so"
        else:
            yield f"I1: {name} hasn't ended"
    if not _is_cut_short(record) and not record["forgets"]:
        late = _came_late(record) | set(_overtaken(record))
        new = [line for line in ours["unaccounted"] if not any(re.search(rf"{name}\b", line) for name in late)]
        yield from (f"I1: the run says: {line}" for line in new)
    for row in ours["strategies"]:
        kind = row["error"].partition(":")[0]
        if kind == "StrategyKilled" and is_killed(record):
            continue
        # An entry that was refused because the wire was down ends a strategy that doesn't expect it, and where faults
        # last long enough, a block has to say what it leaves undecided. Limits are another's business.
        if kind not in ("", "OrderEnded", "OrderRefused", "Unsettled", "RiskLimit"):
            yield f"I1: {row['name']} failed: {row['error']}"
    if ours["tape_failure"]:
        yield f"I7: the tape failed: {ours['tape_failure']}"


# I1 to I3.


def _check_repeats(record: Row) -> Iterator[str]:
    commands = record["theirs"].get("commands", ())
    if record["venue"] == "t4":
        numbers = defaultdict(set)
        for row in commands:
            numbers[name_of(row)].add(row["unique_id"])
        repeated = {tag: len(found) for tag, found in numbers.items() if tag and len(found) > 1}
    else:
        creates = Counter(row["client_order_id"] for row in commands if row["action"] == "create")
        repeated = {name: count for name, count in creates.items() if count > 1}
    yield from (f"I2: {name} was placed {count} times" for name, count in repeated.items())
    known = {row["client_order_id"] for row in record["ours"]["orders"]}
    placed = set(map(name_of, commands)) - {""}
    yield from (f"I2: the venue got {name}, which our books don't have" for name in sorted(placed - known))


def _check_orders(record: Row) -> Iterator[str]:
    if record["paper"]:
        return
    theirs, late = theirs_by_name(record), _came_late(record)
    for order in record["ours"]["orders"]:
        name, rows = order["client_order_id"], theirs.pop(order["client_order_id"], [])
        if not rows:
            unseen = record["displaced"] or is_left_alone(record) or is_killed(record)
            if order["state"] != "rejected" and not (_is_left(order) and unseen):
                yield f"I1: {name} is {order['state']} for us, and unknown to the venue"
            continue
        # A stop that has fired goes on as a plain order; an amended one under a later number.
        plain = [row for row in rows if row.get("linked_order_id") is None]
        last = max(plain or rows, key=lambda row: (row.get("stop_price") is None, str(row["venue_order_id"])))
        if record["venue"] == "t4":
            last = rows[-1]
        status = last["status"]
        # What came late is withdrawn, or was filled before that: then its lots count, and are checked below.
        gone = name in late and order["state"] in ("rejected", "cancelled") and status in ("cancelled", "filled")
        if order["state"] in ENDED and status != order["state"] and not _same_end(order, status) and not gone:
            yield f"I1: {name} is {order['state']} for us ({order['reason']}), {status} for the venue"
        filled = sum((Decimal(str(row["filled"])) for row in rows), Decimal(0))
        # Of one that is left open, fills go on.
        if filled != Decimal(order["filled"]) and not (_is_left(order) and filled > Decimal(order["filled"])):
            yield f"I3: {name}: {order['filled']} filled for us, {filled} for the venue"
    yield from (f"I1: the venue has {name}, which our books don't" for name in theirs)


def _came_late(record: Row) -> set[str]:
    """Name orders that a venue took that had stood still, long after it had said that it doesn't have them.

    Nobody can know of them; what matters is that they are told of, and that the books are right in the end.
    """
    if not record["hangs"]:
        return set()
    # A run that was cut off has no report: its alarms tell.
    lines = [*record["ours"]["unaccounted"], *(line.removeprefix("orders: ") for line in record["ours"]["alarms"])]
    found = map(_CAME_LATE.match, lines)
    return {match[1] for match in found if match}


def _overtaken(record: Row) -> Iterator[str]:
    """Name orders of which lots were filled under an old number while they were replaced: by so many, they may be over.

    ALOR replaces an order by one for the lots that are named, whatever is filled meanwhile; it has to be told of.
    """
    for order in record["ours"]["orders"]:
        numbers = {number: Decimal(lots) for number, lots in order["numbers"].items()}
        over = Decimal(order["filled"]) - Decimal(order["quantity"])
        before = sum((lots for number, lots in numbers.items() if number != order["number"]), Decimal(0))
        if record["venue"] == "alor" and 0 < over <= before:
            yield order["client_order_id"]


def _is_left(order: Row) -> bool:
    return order["state"] not in ENDED


def _numbers_of(record: Row, names: set[str]) -> set[str]:
    """Give the venue's numbers of orders that we know by name only."""
    return {str(row["venue_order_id"]) for name in names for row in theirs_by_name(record).get(name, ())}


def _same_end(order: Row, status: str) -> bool:
    """Whether two words mean the same: what was filled in part and refused is at an end, as if withdrawn."""
    return {order["state"], status} == {"cancelled", "expired"}


def _check_fills(record: Row) -> Iterator[str]:
    ours = Counter(
        (str(fill["trade_id"]), str(fill["number"]), Decimal(fill["quantity"]), Decimal(fill["price"]))
        for order in record["ours"]["orders"]
        for fill in order["fills"]
    )
    yield from (f"I3: fill {fill} counts {count} times" for fill, count in ours.items() if count > 1)
    for order in record["ours"]["orders"]:
        total = sum((Decimal(fill["quantity"]) for fill in order["fills"]), Decimal(0))
        if total != Decimal(order["filled"]):
            yield f"I3: {order['client_order_id']}: its fills are {total}, it says {order['filled']}"
    if record["paper"]:
        return
    left = {str(number) for order in record["ours"]["orders"] if _is_left(order) for number in order["numbers"]}
    left |= _numbers_of(record, {order["client_order_id"] for order in record["ours"]["orders"] if _is_left(order)})
    theirs = Counter(_their_fill(record, row) for row in record["theirs"]["fills"])
    yield from (f"I3: fill {fill} is missing here" for fill in theirs if fill not in ours and fill[1] not in left)
    yield from (f"I3: fill {fill} is unknown to the venue" for fill in ours if fill not in theirs)


def _their_fill(record: Row, row: Row) -> tuple[str, str, Decimal, Decimal]:
    if record["venue"] == "t4":
        return row["trade_id"], row["unique_id"], Decimal(row["trade_volume"]), Decimal(row["trade_price"])
    return row["trade_id"], row["venue_order_id"], Decimal(row["quantity"]), Decimal(row["price"])


def _check_positions(record: Row) -> Iterator[str]:
    ours = record["ours"]
    by_fills: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for order in ours["orders"]:
        sign = 1 if order["side"] == "buy" else -1
        for fill in order["fills"]:
            if fill["side"] != order["side"]:
                yield f"I3: {order['client_order_id']} has a fill of the other side"
            by_fills[order["strategy"], order["instrument"]] += sign * Decimal(fill["quantity"])
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for strategy, held in ours["positions"].items():
        for instrument, quantity in held.items():
            totals[instrument] += Decimal(quantity)
            expected = by_fills.pop((strategy, instrument), Decimal(0))
            if Decimal(quantity) != expected:
                yield f"I3: {strategy} holds {quantity} {instrument}, its fills make {expected}"
    yield from (f"I3: {key} lacks a position of {quantity}" for key, quantity in by_fills.items() if quantity)
    if record["paper"] or record["forgets"] or any(map(_is_left, ours["orders"])):
        return
    yield from check_money(record)
    theirs: dict[str, Decimal] = defaultdict(Decimal)
    for row in record["theirs"]["positions"]:
        if row["account"] == ours["account"] and not row["is_currency"]:
            theirs[row["instrument"]] += Decimal(row["quantity"])
    names = record["symbols"]
    for instrument in names:
        if totals[instrument] != theirs[names[instrument]]:
            yield f"I3: {totals[instrument]} {instrument} held for us, {theirs[names[instrument]]} for the venue"


def _check_alarms(record: Row) -> Iterator[str]:
    """Nobody else trades on the account, so that whoever takes it over finds what the journal and the venue tell of.

    While a wire is down, it may well hold what nobody has told of yet: that is worth an alarm.
    """
    if record["forgets"] or any(map(_is_left, record["ours"]["orders"])):
        return
    alarms = record["ours"]["alarms"]
    yield from (f"I3: told for nothing: {line}" for line in alarms if line.startswith("account: the account holds"))


# I4 and I5.


def _check_subscriptions(record: Row) -> Iterator[str]:
    wanted, held = record["rest"]["wanted"], record["rest"]["held"]
    for row in wanted:
        # Some venues are asked for a list of orders by subscribing again.
        if row["state"] not in ("active", "stale") and not (row["state"] == "asked" and row["questioned"]):
            yield f"I4: {row['stream']} is {row['state']}"
    if record["unsettled"]:
        return
    names = Counter(name for row in held for name in row["names"])
    strength = {name for row in held for name in row["strength"]}
    for row in wanted:
        lacking = [*(set(row["names"]) - set(names)), *(set(row["strength"]) - strength)]
        yield from (f"I4: the venue doesn't have {row['stream']}: {name}" for name in lacking)
    expected = {name for row in wanted for name in row["names"]}
    yield from (f"I4: {name} is an orphan at the venue" for name in names if name not in expected)
    yield from (f"I4: {name} is subscribed to {count} times" for name, count in names.items() if count > 1)


def _check_books(books: Mapping[str, Row]) -> Iterator[str]:
    for name, book in books.items():
        for ours in book["ours"]:
            if ours is None:
                yield f"I5: there is no book of {name}"
            elif ours != book["theirs"][-1] and book["theirs"].count(book["theirs"][-1]) >= _LOOKS:
                yield f"I5: the book of {name} is {ours} for us, {book['theirs'][-1]} for the venue"

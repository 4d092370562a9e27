"""Checks after a run under faults. What the venue's own log says is the truth; how we came to ours doesn't matter."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec
import zstandard

from strategykit.config import SIMULATED_ACCOUNT, SIMULATED_TOKEN
from strategykit.net.inbox import Input, InputKind
from strategykit.runtime.recorded import slices
from strategykit.runtime.report import OrderReport, RunReport
from strategykit.runtime.rerun import RerunReport
from strategykit.tape.format import Kind
from strategykit.tape.reader import Tape, open_tape
from strategykit.tape.verify import verify_tape

__all__ = ["check_books", "check_gaps", "check_report", "check_rerun", "check_secrets", "find_secrets"]

_JWT: Final = re.compile(rb"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}")

_MAGIC: Final = b"\x28\xb5\x2f\xfd"
"""How a zstandard frame begins."""

_UNTOLD: Final = 12 * 10**9
"""Nanoseconds after which a fill has been told: a wire that died unseen looks well for 11 s."""


def check_report(result: RunReport, told: Mapping[str, Any]) -> Iterator[str]:
    """What the run itself says of its end."""
    overtaken = [f"<Order {order.client_order_id} " for order in result.orders if _overtaken(order, told)]
    for line in result.unaccounted:
        if not (line.endswith(": that is too much") and line.startswith(tuple(overtaken))):
            yield line
    if result.tape_failure:
        yield f"the tape failed: {result.tape_failure}"
    for row in result.subscriptions:
        if row.state not in ("active", "stale"):
            yield f"{row.stream} is {row.state} at the end"
    for seat in result.strategies:
        yield from (f"{seat.name} left {order}" for order in seat.left)
        kind = seat.error.partition(":")[0]
        # An entry that was refused because the wire was down ends a strategy that doesn't expect it.
        if kind and kind != "OrderEnded":
            yield f"{seat.name} failed: {seat.error}"


def check_books(result: RunReport, told: Mapping[str, Any], *, forgets: bool) -> Iterator[str]:
    """Orders, fills and positions against the venue's own."""
    creates = Counter(row["client_order_id"] for row in told["commands"] if row["action"] == "create")
    repeated = [row["client_order_id"] for row in told["commands"] if row["repeated"] and row["action"] == "create"]
    yield from (f"create of {name} came {count} times" for name, count in creates.items() if count > 1)
    yield from (f"create of {name} came again" for name in repeated)
    known = {order.client_order_id for order in result.orders}
    yield from (f"the venue got {name}, which our books don't have" for name in creates if name not in known)
    if forgets:
        return
    theirs = {row["venue_order_id"]: row for row in told["orders"] if row["account"] == SIMULATED_ACCOUNT}
    accepted = {row["client_order_id"] for row in told["commands"] if row["action"] == "create" and row["code"] == 200}
    seen: set[str] = set()
    for order in result.orders:
        seen.update(order.venue_order_ids)
        if order.client_order_id in accepted and order.state == "rejected" and not order.venue_order_ids:
            yield f"{order.client_order_id}: the venue accepted it, we say rejected ({order.reason})"
        rows = [theirs[number] for number in order.venue_order_ids if number in theirs]
        missing = [number for number in order.venue_order_ids if number not in theirs]
        yield from (f"{order.client_order_id}: the venue has no order {number}" for number in missing)
        filled = sum((Decimal(str(row["filled"])) for row in rows), Decimal(0))
        if filled != order.filled:
            yield f"{order.client_order_id}: {order.filled} filled for us, {filled} for the venue"
        if filled > order.quantity + _overtaken(order, told):
            yield f"{order.client_order_id}: {filled} filled of {order.quantity}, and no amend was overtaken by that"
        # A stop that has fired goes on as a plain order.
        last = [row for row in rows if row["stop_price"] is None] or rows
        if last and last[-1]["status"] != order.state:
            yield f"{order.client_order_id}: {order.state} for us, {last[-1]['status']} for the venue"
    yield from (f"the venue has order {number}, which our books don't" for number in theirs if number not in seen)
    yield from _check_positions(result, told["positions"])
    ours, fills = sum(row.fills for row in result.strategies), len(told["fills"])
    if ours != fills:
        yield f"{ours} fills for us, {fills} for the venue"


def _overtaken(order: OrderReport, told: Mapping[str, Any]) -> Decimal:
    """Give the lots that an amend at the venue may have asked for once more: filled before, and perhaps not told yet.

    That is what an amend of the limit can't rule out at ALOR, and the run tells; see Amending in docs/orders.md.
    """
    amends = [
        row["time"]
        for row in told["commands"]
        if (row["action"], row["code"], row["client_order_id"]) == ("amend", 200, order.client_order_id)
    ]
    fills = [row for row in told["fills"] if row["venue_order_id"] in order.venue_order_ids]
    late = [row for row in fills if any(0 <= at - row["event_time"] <= _UNTOLD for at in amends)]
    return sum((Decimal(str(row["quantity"])) for row in late), Decimal(0))


def _check_positions(result: RunReport, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    ours: dict[str, Decimal] = defaultdict(Decimal)
    for seat in result.strategies:
        for symbol, quantity in seat.positions.items():
            ours[symbol] += quantity
    theirs = {
        row["instrument"]: Decimal(str(row["quantity"]))
        for row in rows
        if row["account"] == SIMULATED_ACCOUNT and not row["is_currency"]
    }
    for symbol in {*ours, *theirs}:
        if ours[symbol] != theirs.get(symbol, Decimal(0)):
            yield f"{symbol}: {ours[symbol]} held for us, {theirs.get(symbol)} for the venue"


def check_rerun(result: RunReport, again: RerunReport) -> Iterator[str]:
    """The tape run again."""
    if again.differences or again.equal != again.recorded:
        yield f"re-run: {again.equal} of {again.recorded} order commands equal; first: {again.differences[:1]}"
    if again.run.digest != result.digest:
        yield f"re-run: another digest, over {again.run.events} events instead of {result.events}"


def check_gaps(path: Path) -> Iterator[str]:
    """Every loss of a stream that had begun is told, once, when it is back."""
    report = verify_tape(path)
    yield from (finding.words for finding in report.findings if finding.damage)
    tape = open_tape(path)
    told: Counter[str] = Counter()
    carrier: dict[str, str] = {}
    for record in tape:
        if record.kind is Kind.GAP:
            told[str(record.facts()["guid"])] += 1
        elif record.kind is Kind.SUBSCRIPTION:
            facts = record.facts()
            carrier[str(facts["guid"])] = str(facts["connection"])
    due = _gaps_due(tape, carrier)
    for guid in {*told, *due}:
        if told[guid] != due[guid]:
            yield f"{told[guid]} gaps told on {guid} of {carrier.get(guid)}, {due[guid]} were due"


def _gaps_due(tape: Tape, carrier: Mapping[str, str]) -> Counter[str]:
    due: Counter[str] = Counter()
    begun: set[str] = set()
    lost: set[str] = set()
    up: set[str] = set()
    for item in (item for _, items in slices(tape) for item in items):
        if item.kind is InputKind.OPENED:
            up.add(item.connection)
        elif item.kind is InputKind.CLOSED and item.connection in up:
            up.discard(item.connection)
            lost |= {guid for guid in begun if carrier[guid] == item.connection}
        elif item.kind is InputKind.FRAME:
            guid = _guid_of(item)
            # What comes before OPENED was asked for by nobody.
            if guid is None or carrier.get(guid) != item.connection or item.connection not in up:
                continue
            begun.add(guid)
            if guid in lost:
                lost.discard(guid)
                due[guid] += 1
    return due


def _guid_of(item: Input) -> str | None:
    try:
        frame = msgspec.json.decode(item.payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if not isinstance(frame, dict):
        return None
    if frame.get("httpCode", 200) != 200:
        return None
    guid = frame.get("guid") or frame.get("requestGuid")
    return guid if isinstance(guid, str) else None


def find_secrets(data: bytes) -> Iterator[str]:
    """Name the secrets in some output."""
    if SIMULATED_TOKEN.encode() in data:
        yield "the refresh token"
    if _JWT.search(data):
        yield "an access token"


def check_secrets(tape: Path, outputs: Iterable[tuple[str, bytes]]) -> Iterator[str]:
    """No secret is in the tape's bytes, as they are and unpacked, nor in any output."""
    for path in sorted(tape.rglob("*")):
        if path.is_file():
            yield from (f"{what} is in {path.name}" for what in find_secrets(_unpacked(path.read_bytes())))
    for name, data in outputs:
        yield from (f"{what} is in {name}" for what in find_secrets(data))


def _unpacked(data: bytes) -> bytes:
    found = data.find(_MAGIC)
    if found < 0:
        return data
    with zstandard.ZstdDecompressor().stream_reader(data[found:], read_across_frames=True) as reader:
        return data + reader.read()

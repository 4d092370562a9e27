"""What the journal of an account says of a kill switch that was pulled: what was confirmed, and what is left."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from strategykit.disk import LOCK_NAME, shown
from strategykit.errors import ConfigError, JournalError
from strategykit.journal.format import RecordKind
from strategykit.journal.latch import KILL_FILE, remove_latch
from strategykit.journal.orders import OrderLine, list_orders
from strategykit.journal.reader import Journal, Records, journal_files, read_journal
from strategykit.model.codec import make_converter
from strategykit.model.events import Side
from strategykit.runtime.carried import CarriedPosition, carry
from strategykit.runtime.order_journal import open_run_journal
from strategykit.runtime.pulls import UNKEPT
from strategykit.runtime.unwatched import protects, stop_words

__all__ = [
    "Aftermath",
    "Salvage",
    "account_folder",
    "kept_facts",
    "newest_records",
    "read_aftermath",
    "release_account",
    "salvage_records",
    "sum_up",
]

_ENDS: Final = ("kill: ", "guard: ")
"""How alarms begin that say what is left."""

_ELSE: Final = f"kill: {UNKEPT}"
"""How one begins that doesn't."""

_KEPT: Final = ("venue", "options", "account", "exchange", "real", "on_stop", "on_kill")
"""Facts about the last run that go on being true of its account."""


@attrs.frozen(kw_only=True)
class Aftermath:
    """How an account stands, as its journal has it."""

    run: Mapping[str, Any]
    """Facts about the last run; empty if there was none."""
    proof: str
    """What was confirmed after the kill switch was pulled; empty if nothing was."""
    alarms: tuple[str, ...]
    """What wasn't."""
    closed: bool
    """Whether the last run came to its end."""
    orders: tuple[str, ...]
    """Client ids of orders that could still be filled."""
    positions: tuple[str, ...]
    """Such as ``"+2 SBER of cross"``."""
    stops: tuple[str, ...] = ()
    """Open stop orders over these positions, such as ``"a1-cross-2 (sell 2 SBER at 290)"``."""

    @property
    def flatten(self) -> bool:
        """Whether positions were to be closed, too."""
        return self.run.get("on_kill") == "flatten"

    @property
    def decided(self) -> bool:
        """Whether somebody has said how the killing ended."""
        return bool(self.proof or self.alarms)

    @property
    def left(self) -> tuple[str, ...]:
        """What is there still, positions that were not to be closed among it: nobody watches over one any more.

        On paper those end with their run.
        """
        orders = () if self.proof else self.orders  # The journal may not tell how they ended; the venue did.
        return (*orders, *(self.positions if self.flatten or self.run.get("real", True) else ()))


@attrs.frozen(kw_only=True)
class Salvage:
    """What can be read of a journal, damaged or not."""

    records: Records
    damaged: bool
    """Whether there is more that can't."""
    doubts: tuple[str, ...]
    """Why orders of ours can't be told from others. A damage behind the facts about a run is no reason: all that the
    run has placed have its tag."""


def account_folder(path: Path) -> Path:
    """Give the journal's folder of the account that `path` means: itself, or the only one in it.

    Raises:
        ConfigError: There is none, or there are several; the message lists them.
    """
    if _is_account(path):
        return path
    try:
        found = sorted(child for child in path.iterdir() if child.is_dir() and _is_account(child))
    except OSError as exc:
        raise ConfigError(f"{shown(path)} can't be read: {exc.strerror}; give the folder of a journal") from None
    if not found:
        raise ConfigError(f"{shown(path)} is no journal and holds none; give the folder that [run] names as journal")
    if len(found) > 1:
        names = ", ".join(shown(child) for child in found)
        raise ConfigError(f"{shown(path)} holds the journals of {len(found)} accounts; give one of them: {names}")
    return found[0]


def _is_account(path: Path) -> bool:
    try:
        names = os.listdir(path)
    except OSError:
        return False
    return any(name in (LOCK_NAME, KILL_FILE) or name.endswith(".journal") for name in names)


def read_aftermath(folder: Path) -> Aftermath:
    """Read it, while the journal is written, too. Blocks.

    Raises:
        JournalError: It is damaged or can't be read.
    """
    return sum_up(newest_records(folder))


def sum_up(records: Records) -> Aftermath:
    """Fold records, oldest first.

    Raises:
        JournalError: One isn't what this version writes.
    """
    run: Mapping[str, Any] = {}
    proof, closed = "", False
    alarms: list[str] = []
    for record in records:
        match record.kind:
            case RecordKind.RUN:
                run, closed, proof, alarms = record.facts, False, "", []
            case RecordKind.KILLED | RecordKind.RELEASED:
                proof, alarms = "", []
            case RecordKind.NOTE if record.facts.get("proof"):
                proof = str(record.facts["proof"])
            case RecordKind.ALARM:
                text = str(record.facts.get("text"))
                if text.startswith(_ENDS) and not text.startswith(_ELSE):
                    alarms.append(text)
            case RecordKind.CLOSED:
                closed = True
    carried = carry(records, make_converter())
    return Aftermath(
        run=run,
        proof=proof,
        alarms=tuple(alarms),
        closed=closed,
        orders=tuple(order.client_order_id for order in carried.orders),
        positions=tuple(f"{item.quantity:+} {item.instrument.symbol} of {item.strategy}" for item in carried.positions),
        stops=tuple(_stops_over(carried.positions, list_orders(records).orders.values())),
    )


def _stops_over(positions: Iterable[CarriedPosition], orders: Iterable[OrderLine]) -> Iterator[str]:
    held = {(item.strategy, item.instrument.symbol): item.quantity for item in positions}
    for line in orders:
        lots = held.get((line.strategy, line.instrument))
        if lots and line.is_open and line.stop_price is not None and protects(Side(line.side), lots):
            yield stop_words(line.client_order_id, line.side, line.quantity, line.instrument, line.stop_price)


def newest_records(folder: Path) -> Records:
    """Give what is needed to know how the account stands: two files, unless even they don't hold all.

    Raises:
        JournalError: It is damaged or can't be read.
    """
    files = journal_files(folder)
    journals: list[Journal] = []
    for number in sorted(files, reverse=True):
        journals.insert(0, read_journal(files[number]))
        if len(journals) > 1 and any(journal.takes_over for journal in journals):
            break
    return Records(*journals)


def salvage_records(folder: Path) -> Salvage:
    """Give what can be read of what `newest_records` gives.

    Raises:
        JournalError: The folder can't be read.
    """
    files = journal_files(folder)
    journals: list[Journal] = []
    doubts: list[str] = []
    for number in sorted(files, reverse=True):
        try:
            journal = read_journal(files[number], damaged=True)
            facts = next((record for record in journal.records if record.kind is RecordKind.RUN), None)
        except JournalError as exc:
            doubts.append(str(exc))
            continue
        if journal.damage is not None and facts is None:
            doubts.append(str(journal.damage))
        journals.insert(0, journal)
        if len(journals) > 1 and any(journal.takes_over for journal in journals):
            break
    damaged = bool(doubts) or any(journal.damage is not None for journal in journals)
    return Salvage(records=Records(*journals), damaged=damaged, doubts=tuple(doubts))


def kept_facts(run: Mapping[str, Any]) -> dict[str, Any]:
    """Give what is true of the account beyond a run, as whoever goes on with its journal writes it."""
    return {name: run[name] for name in _KEPT if name in run}


def release_account(folder: Path, *, now: int, by: str) -> None:
    """Release the kill switch: write it down, and take the file away.

    Raises:
        JournalLocked: A run is still there.
        JournalError: It can't be written down.
    """
    facts = kept_facts(read_aftermath(folder).run)
    with open_run_journal(
        folder, now=lambda: now, run={**facts, "tag": "release"}, redact=str, in_loop=False, lasting=True
    ) as opened:
        opened.writer.write(RecordKind.RELEASED, {"by": by})
        opened.writer.write(RecordKind.CLOSED, {"reason": "released", "open": [], "unaccounted": []})
    remove_latch(folder)

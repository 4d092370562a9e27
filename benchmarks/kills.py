"""Killing a trading program, over and over: `make kills [N=1000] [SEED=1]`.

A simulated venue runs in a process of its own. Beside it a program trades, with journal and tape, and is killed with
SIGKILL at a moment that nobody chose: while it starts and takes over what the one before left, or in the midst of
orders. The next one takes over. Meanwhile every fill that a strategy was told is noted outside of it, and after each
kill these things are looked at, by what the venue itself knows:

* lost: orders that the venue has, or fills that a strategy was told, and that the journal doesn't;
* duplicates: orders that the venue got twice;
* unreadable: files of journal or tape that can't be read.

At the end one run is let live: no order may be left, and the positions of the journal have to be the venue's.
"""

from __future__ import annotations

import argparse
import os
import random
import select
import signal
import sys
import tempfile
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import attrs
import httpx

from strategykit.config import SIMULATED_ACCOUNT, RunPlan, Session, StrategySpec, VenuePlan
from strategykit.errors import JournalError, TapeError
from strategykit.journal.format import RecordKind
from strategykit.journal.reader import journal_files, read_journal
from strategykit.model.codec import make_converter
from strategykit.net.endpoints import Endpoints
from strategykit.runtime.carried import carry
from strategykit.runtime.demo import open_venue_process
from strategykit.runtime.run import journal_name, run_session
from strategykit.tape.verify import verify_tape

__all__ = ["Tally", "main"]

_TRADER: Final = str(Path(__file__).with_name("kill_trader.py"))
_TOLD: Final = "STRATEGYKIT_TOLD"

TRADING: Final = 0.7
"""The part of all kills that wait until a strategy trades; the others come while the program starts."""

BEGIN_WITHIN: Final = 10.0
"""Seconds for that."""

LOOK_EVERY: Final = 25
"""Kills between two looks at all that the venue knows; the journal's newest file is read after every one."""


@attrs.define
class Tally:
    """What was found so far."""

    kills: int = 0
    lost: set[str] = attrs.field(factory=set)
    duplicates: set[str] = attrs.field(factory=set)
    unreadable: set[str] = attrs.field(factory=set)
    others: list[str] = attrs.field(factory=list)
    """What is wrong besides, a line each."""
    orders: int = 0
    fills: int = 0
    in_flight: int = 0
    """Orders that were taken over, summed over all runs."""

    def line(self) -> str:
        return (
            f"kills: {self.kills}, lost {len(self.lost)}, duplicates {len(self.duplicates)}, "
            f"unreadable {len(self.unreadable)}"
        )

    @property
    def ok(self) -> bool:
        return not (self.lost or self.duplicates or self.unreadable or self.others)


@attrs.define(kw_only=True)
class Campaign:
    """One venue, one journal, many short lives."""

    url: str
    folder: Path
    rng: random.Random
    tally: Tally = attrs.field(factory=Tally)
    known: set[str] = attrs.field(factory=set)
    """Client order ids with an intent in the journal."""
    written: set[str] = attrs.field(factory=set)
    """Trade ids in the journal."""
    told: set[str] = attrs.field(factory=set)
    """Trade ids that a strategy was told."""
    read: set[int] = attrs.field(factory=set)
    """Numbers of the journal's files that were read."""

    @property
    def venue(self) -> VenuePlan:
        return VenuePlan(name="alor", endpoints=Endpoints.at(self.url), account=SIMULATED_ACCOUNT)

    @property
    def journal(self) -> Path:
        return self.folder / "journal" / journal_name(self.venue, real=True)

    def session(self, *, lasting: float | None, tape: Path | None) -> Session:
        dies = lasting is None
        more = {} if dies else {"most": 0}
        return Session(
            venue=self.venue,
            run=RunPlan(
                duration=None if lasting is None else int(lasting * 1e9),
                tape=tape,
                journal=self.folder / "journal",
                on_stop="keep" if dies and self.rng.random() < 0.5 else "cancel",
            ),
            strategies=tuple(
                StrategySpec(name=name, file=_TRADER, params={"instrument": symbol, **more})
                for name, symbol in (("one", "SBER"), ("two", "GAZP"))
            ),
        )

    def live_and_die(self) -> None:
        """Let one program live for a while, and kill it."""
        reading, writing = os.pipe()
        tape = self.folder / f"tape-{self.tally.kills % 3}" / str(self.tally.kills)
        pid = os.fork()
        if not pid:
            os.close(reading)
            _trade(self, tape, writing)
        os.close(writing)
        if self.rng.random() < TRADING:
            select.select([reading], [], [], BEGIN_WITHIN)
            time.sleep(self.rng.uniform(0.0, 0.3))
        else:
            time.sleep(self.rng.uniform(0.01, 0.5))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        with os.fdopen(reading) as lines:
            self.told.update(line.strip() for line in lines if line.endswith("\n") and line != "begun\n")
        self.tally.kills += 1
        self.look_at_files(tape)

    def look_at_files(self, tape: Path) -> None:
        """Read what the dead program has left."""
        try:
            # Killed before it had one: then nothing may have been told or sent either, which `look_at_venue` sees.
            for number, path in (journal_files(self.journal) if self.journal.exists() else {}).items():
                if number in self.read:
                    continue
                found = read_journal(path)
                for record in found.records:
                    self._note(record.kind, record.facts)
                if number != max(journal_files(self.journal)):
                    self.read.add(number)
        except JournalError as exc:
            self.tally.unreadable.add(str(exc))
        if tape.exists() and any(tape.iterdir()):
            try:
                verify_tape(tape)
            except TapeError as exc:
                self.tally.unreadable.add(str(exc))

    def _note(self, kind: RecordKind, facts: Any) -> None:
        if kind is RecordKind.INTENT and "placed" in facts:
            self.known.add(facts["client_order_id"])
        elif kind is RecordKind.HEARD and facts["news"]["type"] == "Fill":
            self.written.add(facts["news"]["trade_id"])

    def look_at_venue(self) -> None:
        """Compare with what the venue itself knows."""
        told = httpx.get(f"{self.url}/sim/orders", timeout=10).json()
        ours = [row for row in told["orders"] if row["account"] == SIMULATED_ACCOUNT]
        counts = Counter(row["client_order_id"] for row in ours)
        self.tally.orders = len(ours)
        self.tally.duplicates |= {name for name, count in counts.items() if count > 1}
        self.tally.lost |= {name for name in counts if name not in self.known}
        self.tally.lost |= self.told - self.written
        self.tally.fills = len(self.written)

    def end_well(self) -> None:
        """Let one program end by itself, and see that nothing is left."""
        os.environ[_TOLD] = str(os.open(os.devnull, os.O_WRONLY))
        result = run_session(self.session(lasting=12.0, tape=None), handle_signals=False)
        self.tally.others += [*result.unaccounted, *result.alarms]
        told = httpx.get(f"{self.url}/sim/orders", timeout=10).json()
        left = [row for row in told["orders"] if row["account"] == SIMULATED_ACCOUNT and row["status"] == "working"]
        self.tally.others += [f"{row['client_order_id']} still works at the venue" for row in left]
        carried = carry(read_journal(max(journal_files(self.journal).items())[1]).records, make_converter())
        held: Counter[str] = Counter()
        for position in carried.positions:
            held[position.instrument.symbol] += int(position.quantity)
        for row in told["positions"]:
            if row["account"] == SIMULATED_ACCOUNT and not row["is_currency"]:
                theirs = Decimal(row["quantity"])
                if theirs != held[row["instrument"]]:
                    self.tally.others.append(
                        f"{row['instrument']}: the venue says {theirs}, we {held[row['instrument']]}"
                    )


def _trade(campaign: Campaign, tape: Path, told: int) -> None:
    """In a process of its own: run until it is killed."""
    code = 1
    try:
        os.environ[_TOLD] = str(told)
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        error = os.open(campaign.folder / "errors", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(error, 2)
        run_session(campaign.session(lasting=None, tape=tape), tape=tape, handle_signals=False)
        code = 0
    except BaseException as exc:  # Whatever it is, it is told, and the process ends.
        os.write(2, f"{type(exc).__name__}: {exc}\n".encode())
    finally:
        os._exit(code)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("-n", type=int, default=200, help="kills; default: 200")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, open_venue_process("alor") as url:
        campaign = Campaign(url=url, folder=Path(folder), rng=random.Random(chosen.seed))
        tally = campaign.tally
        for number in range(1, chosen.n + 1):
            campaign.live_and_die()
            if number % LOOK_EVERY == 0 or number == chosen.n:
                campaign.look_at_venue()
                took = time.monotonic() - began
                print(f"{took:6.0f} s  {tally.line()}; {tally.orders} orders, {tally.fills} fills", flush=True)
            if not tally.ok:
                break
        campaign.end_well()
        campaign.look_at_venue()
        errors = Path(folder, "errors")
        said = errors.read_text() if errors.exists() else ""
    for line in [*tally.lost, *tally.duplicates, *tally.unreadable, *tally.others]:
        print(f"  {line}")
    if said:
        print(f"errors of programs that ended by themselves:\n{said[-3000:]}")
    print(tally.line())
    return 0 if tally.ok and not said else 1


if __name__ == "__main__":
    sys.exit(main())

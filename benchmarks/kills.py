"""Killing a trading program, over and over: `make kills [N=1000] [SEED=1] [VENUE=alor|t4|both]`.

A simulated venue runs in a process of its own. Beside it a program trades, with journal and tape, and is killed with
SIGKILL at a moment that nobody chose: while it starts and takes over what the one before left, or in the midst of
orders. The next one takes over. Meanwhile every number of an order, and every fill, that a strategy was told is noted
outside of it, and these things are looked at, by what the venue itself knows:

* lost: orders that the venue has, or orders and fills that a strategy was told of, and that the journal doesn't;
* duplicates: orders that the venue got twice;
* unreadable: files of journal or tape that can't be read.

At the end one run is let live: no order may be left, and the positions of the journal have to be the venue's. Where
both venues are asked for, one has the first half of the kills and the other the second: their protocols of orders
differ in numbers, revisions, and what they tell who comes back. A venue where nothing was traded proves nothing.
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
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import attrs
import httpx

from strategykit.config import RunPlan, Session, StrategySpec, VenuePlan
from strategykit.errors import JournalError, TapeError
from strategykit.journal.format import RecordKind
from strategykit.journal.reader import journal_files, read_journal
from strategykit.model.codec import make_converter
from strategykit.model.risk_limits import ACCOUNT_LIMITS, STRATEGY_LIMITS, RiskPlan
from strategykit.net.endpoints import Endpoints
from strategykit.registry.table import find_venue
from strategykit.runtime.carried import carry
from strategykit.runtime.demo import open_venue_process
from strategykit.runtime.run import journal_name, run_session
from strategykit.tape.verify import verify_tape

__all__ = ["INSTRUMENTS", "Campaign", "Tally", "added", "main"]

_TRADER: Final = str(Path(__file__).with_name("kill_trader.py"))
_TOLD: Final = "STRATEGYKIT_TOLD"

INSTRUMENTS: Final[Mapping[str, Mapping[str, str]]] = {
    "alor": {"one": "SBER", "two": "GAZP"},
    "t4": {"one": "CME_Eq/ES/XCME_Eq ES (Z26)", "two": "CME_Ny/CL/XCME_Ny CL (Z26)"},
}
"""What the strategies trade, by their names, at each venue."""

_LIMITS: Final = RiskPlan(
    account=attrs.evolve(ACCOUNT_LIMITS, max_daily_loss=Decimal(10**12)),
    strategy=attrs.evolve(STRATEGY_LIMITS, max_daily_loss=Decimal(10**12)),
)
"""A day's loss would stop all orders for the rest of the campaign, and with them what it proves."""

TRADING: Final = 0.7
"""The part of all kills that wait until a strategy trades; the others come while the program starts."""

BEGIN_WITHIN: Final = 10.0
"""Seconds for that."""

LOOK_EVERY: Final = 25
"""Kills between two looks at all that the venue knows; the journal's newest file is read after every one."""


@attrs.define
class Tally:
    """What was found so far."""

    venue: str
    kills: int = 0
    lost: set[str] = attrs.field(factory=set)
    duplicates: set[str] = attrs.field(factory=set)
    unreadable: set[str] = attrs.field(factory=set)
    others: list[str] = attrs.field(factory=list)
    """What is wrong besides, a line each."""
    orders: int = 0
    """Orders that the venue got."""
    fills: int = 0
    """Fills in the journal."""
    told: int = 0
    """Orders and fills that a strategy was told of."""

    def line(self) -> str:
        return (
            f"kills: {self.kills}, lost {len(self.lost)}, duplicates {len(self.duplicates)}, "
            f"unreadable {len(self.unreadable)}"
        )

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not (self.lost or self.duplicates or self.unreadable or self.others)

    @property
    def idle(self) -> str:
        """What didn't happen, so that nothing is proven by nothing being found; empty if all did."""
        if self.orders >= self.kills > 0 and self.fills and self.told:
            return ""
        return (
            f"{self.venue}: nothing is proven by {self.kills} kills with {self.orders} orders, {self.fills} fills and "
            f"{self.told} told to strategies"
        )

    @property
    def ok(self) -> bool:
        return self.clean and not self.idle


def added(tallies: Sequence[Tally]) -> Tally:
    """Add up what was found at several venues."""
    return Tally(
        venue=", ".join(each.venue for each in tallies),
        kills=sum(each.kills for each in tallies),
        lost={f"{each.venue}: {line}" for each in tallies for line in each.lost},
        duplicates={f"{each.venue}: {line}" for each in tallies for line in each.duplicates},
        unreadable={f"{each.venue}: {line}" for each in tallies for line in each.unreadable},
        others=[f"{each.venue}: {line}" for each in tallies for line in each.others],
        orders=sum(each.orders for each in tallies),
        fills=sum(each.fills for each in tallies),
        told=sum(each.told for each in tallies),
    )


@attrs.define(kw_only=True)
class Campaign:
    """One venue, one journal, many short lives."""

    url: str
    folder: Path
    rng: random.Random
    tally: Tally
    known: set[str] = attrs.field(factory=set)
    """Client order ids with an intent in the journal."""
    written: set[str] = attrs.field(factory=set)
    """What the journal says that the venue has said: lines as in `told`."""
    told: set[str] = attrs.field(factory=set)
    """What a strategy was told, a line each: an order's id and number, or a fill's."""
    read: set[int] = attrs.field(factory=set)
    """Numbers of the journal's files that were read."""

    @property
    def venue(self) -> VenuePlan:
        return VenuePlan(name=self.tally.venue, endpoints=Endpoints.at(self.url), account=self.account)

    @property
    def account(self) -> str:
        return find_venue(self.tally.venue).simulation.account

    @property
    def journal(self) -> Path:
        return self.folder / "journal" / journal_name(self.venue, real=True)

    def session(self, *, lasting: float | None, tape: Path | None) -> Session:
        dies = lasting is None
        more = {} if dies else {"most": 0}
        return Session(
            venue=self.venue,
            risk=_LIMITS,
            run=RunPlan(
                duration=None if lasting is None else int(lasting * 1e9),
                tape=tape,
                journal=self.folder / "journal",
                on_stop="keep" if dies and self.rng.random() < 0.5 else "cancel",
            ),
            strategies=tuple(
                StrategySpec(name=name, file=_TRADER, params={"instrument": symbol, **more})
                for name, symbol in INSTRUMENTS[self.tally.venue].items()
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
        heard = b""
        if self.rng.random() < TRADING:
            heard = _wait_begun(reading)
            time.sleep(self.rng.uniform(0.0, 0.3))
        else:
            time.sleep(self.rng.uniform(0.01, 0.5))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        with os.fdopen(reading, "rb") as rest:
            lines = (heard + rest.read()).decode().splitlines(keepends=True)
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
                    self.note(record.kind, record.facts)
                if number != max(journal_files(self.journal)):
                    self.read.add(number)
        except JournalError as exc:
            self.tally.unreadable.add(str(exc))
        if tape.exists() and any(tape.iterdir()):
            try:
                verify_tape(tape)
            except TapeError as exc:
                self.tally.unreadable.add(str(exc))

    def note(self, kind: RecordKind, facts: Any) -> None:
        """Take in a record of the journal."""
        if kind is RecordKind.INTENT and "placed" in facts:
            self.known.add(facts["client_order_id"])
        elif kind is RecordKind.HEARD:
            news = facts["news"]
            if news["type"] == "Fill":
                self.written.add(f"fill {news['venue_order_id']} {news['trade_id']}")
            if news["venue_order_id"] is not None:  # A fill that comes before any answer names the order's number, too.
                self.written.add(f"order {facts['client_order_id']} {news['venue_order_id']}")

    def look_at_venue(self) -> None:
        """Ask the venue what it knows, and compare."""
        self.compare(httpx.get(f"{self.url}/sim/orders", timeout=10).json())

    def compare(self, theirs: Mapping[str, Any]) -> None:
        """Compare with what the venue itself knows."""
        counts = Counter(map(_name_of, self._ours(theirs["orders"])))
        self.tally.orders = counts.total()
        self.tally.duplicates |= {name for name, count in counts.items() if count > 1}
        self.tally.lost |= {name for name in counts if name not in self.known}
        self.tally.lost |= self.told - self.written
        self.tally.fills = sum(line.startswith("fill ") for line in self.written)
        self.tally.told = len(self.told)

    def _ours(self, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        return [row for row in rows if row["account"] == self.account]

    def end_well(self) -> None:
        """Let one program end by itself, and see that nothing is left."""
        os.environ[_TOLD] = str(os.open(os.devnull, os.O_WRONLY))
        result = run_session(self.session(lasting=12.0, tape=None), handle_signals=False)
        self.tally.others += [*result.unaccounted, *result.alarms]
        told = httpx.get(f"{self.url}/sim/orders", timeout=10).json()
        left = [row for row in self._ours(told["orders"]) if row["status"] == "working"]
        self.tally.others += [f"{_name_of(row)} still works at the venue" for row in left]
        carried = carry(read_journal(max(journal_files(self.journal).items())[1]).records, make_converter())
        held: Counter[str] = Counter()
        for position in carried.positions:
            # T4's positions name the market alone, and strategies the exchange and the contract before it.
            held[position.instrument.symbol.rpartition("/")[2]] += int(position.quantity)
        for row in self._ours(told["positions"]):
            if not row["is_currency"]:
                theirs = Decimal(row["quantity"])
                if theirs != held[row["instrument"]]:
                    self.tally.others.append(
                        f"{row['instrument']}: the venue says {theirs}, we {held[row['instrument']]}"
                    )


def _wait_begun(reading: int) -> bytes:
    """Wait until a strategy trades, but not for ever; give what was told until then, such as of orders taken over."""
    heard, giving_up = b"", time.monotonic() + BEGIN_WITHIN
    while b"begun\n" not in heard and select.select([reading], [], [], max(0.0, giving_up - time.monotonic()))[0]:
        more = os.read(reading, 65_536)
        if not more:  # It has ended by itself.
            break
        heard += more
    return heard


def _name_of(row: Mapping[str, Any]) -> str:
    """Give our name of an order. T4 shows the tag of its last command, which is that name with a suffix."""
    return str(row["tag"].partition("~")[0] if "tag" in row else row["client_order_id"])


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


def _run(venue: str, kills: int, seed: int) -> Tally:
    """Run the campaign at one venue, and end it."""
    began, tally = time.monotonic(), Tally(venue)
    with tempfile.TemporaryDirectory() as folder, open_venue_process(venue) as url:
        campaign = Campaign(url=url, folder=Path(folder), rng=random.Random(seed), tally=tally)
        for number in range(1, kills + 1):
            campaign.live_and_die()
            if number % LOOK_EVERY == 0 or number == kills:
                campaign.look_at_venue()
                took = time.monotonic() - began
                print(f"{took:6.0f} s  {venue}: {tally.line()}; {tally.orders} orders, {tally.fills} fills", flush=True)
            if not tally.clean:
                break
        campaign.end_well()
        campaign.look_at_venue()
        said = Path(folder, "errors").read_text()
        if said:
            tally.others.append(f"errors of programs that ended by themselves:\n{said[-3000:]}")
    if tally.idle:
        tally.others.append(tally.idle)
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("-n", type=int, default=200, help="kills, of all venues together; default: 200")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--venue", choices=[*INSTRUMENTS, "both"], default="both", help="default: both")
    chosen = parser.parse_args()
    venues = list(INSTRUMENTS) if chosen.venue == "both" else [chosen.venue]
    if chosen.n < len(venues):
        parser.error(f"-n {chosen.n} is too few: at least one kill at each venue, {len(venues)}")
    shares = [chosen.n // len(venues) + (place < chosen.n % len(venues)) for place in range(len(venues))]
    tallies = [_run(venue, kills, chosen.seed) for venue, kills in zip(venues, shares, strict=True)]
    total = added(tallies)
    for line in [*sorted(total.lost), *sorted(total.duplicates), *sorted(total.unreadable), *total.others]:
        print(f"  {line}")
    print(total.line())
    return 0 if all(each.ok for each in tallies) else 1


if __name__ == "__main__":
    sys.exit(main())

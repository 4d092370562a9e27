"""``strategykit kill``: pull the kill switch of an account, and see it through; or release it."""

from __future__ import annotations

import getpass
import os
import time
from pathlib import Path
from typing import Annotated, Any, Final

import attrs
from cyclopts import App, Parameter

from strategykit.cli._launch import launch_clearing
from strategykit.cli._screen import FAILURE, OK, print_json, print_line
from strategykit.cli._signalling import signal_run
from strategykit.cli._words import counted
from strategykit.config import VenuePlan, load_session
from strategykit.config_values import parse_duration
from strategykit.disk import shown
from strategykit.errors import ConfigError, JournalError
from strategykit.journal.folder import holder_of
from strategykit.journal.latch import Latch, pull_latch, read_latch
from strategykit.runtime.aftermath import Aftermath, account_folder, read_aftermath, release_account
from strategykit.wall import wall_time

__all__ = ["register"]

_EXAMPLES: Final = """\
Examples:
  strategykit kill journal/alor-D1 --reason "the feed is wrong"
  strategykit kill journal --wait 1m --json
  strategykit kill journal/alor-D1 --session session.toml
  strategykit kill journal/alor-D1 --status
  strategykit kill journal/alor-D1 --release

JOURNAL is the folder of an account's journal, or the one around it where it
holds no other. A run that goes on withdraws its orders, and closes positions
where on_kill = "flatten" asks for that; this command waits for it, and says what
it has confirmed. Where no run is going on, it is --session that has orders
withdrawn, by this command: it reads how to get at the account there. It closes
no positions. Without --session nothing reaches the venue then, and what is said
is what the journal has.
Exit code 0 means that the venue has confirmed that it has no order of ours, or,
where no run is going on and without --session, that the journal knows of none;
and that no position is open: with the orders go their stops, so that nobody
watches over one any more, whether it was to be closed or not. With --status, 0
means that the kill switch isn't pulled. It stays pulled, and no run begins,
until --release. On a full disk the run is signalled instead, and the exit code
is 1: nothing keeps the next one from beginning."""

_LOOK: Final = 0.1
"""Seconds between two looks at the lock."""

_READ: Final = 1.0
"""Seconds between two readings of a journal that a run still writes: it may be long."""


def register(app: App) -> None:
    """Add the command to the program."""
    app.command(_kill, name="kill", help_epilogue=_EXAMPLES)


def _kill(
    journal: Annotated[Path, Parameter(help="folder of an account's journal", metavar="JOURNAL")],
    /,
    *,
    reason: Annotated[str | None, Parameter(help="why, for whoever looks at it later", metavar="TEXT")] = None,
    session: Annotated[
        Path | None,
        Parameter(help="session file of the run; where none is going on, orders are withdrawn by it", metavar="FILE"),
    ] = None,
    wait: Annotated[str, Parameter(help="how long the run may take to confirm", metavar="TIME")] = "20s",
    release: Annotated[
        bool, Parameter(negative="", show_default=False, help="let runs begin again, once you have looked")
    ] = False,
    status: Annotated[
        bool, Parameter(negative="", show_default=False, help="say how it stands, and change nothing")
    ] = False,
    json: Annotated[bool, Parameter(negative="", show_default=False, help="print JSON instead of lines")] = False,
) -> int:
    """Stop all trading of an account: its run withdraws every order, and no run begins.

    Where no run is going on, --session has them withdrawn.
    """
    if release and status:
        raise ConfigError("--release and --status were given; one thing at a time")
    if reason is not None and (release or status):
        raise ConfigError("--reason is for pulling the kill switch, and goes with neither --release nor --status")
    if session is not None and (release or status):
        raise ConfigError("--session is for withdrawing orders, and goes with neither --release nor --status")
    seconds = parse_duration(wait) * 1e-9
    folder = account_folder(journal)
    venue = None if session is None else _venue_of(session, folder)
    if release:
        return _release(folder, json=json)
    if status:
        return _status(folder, json=json)
    return _pull(folder, reason or "no reason given", seconds, venue, json=json)


def _venue_of(session: Path, folder: Path) -> VenuePlan:
    """Give how to get at the account, which is the journal's: the orders of no other are touched."""
    from strategykit.runtime.run import journal_name

    venue = load_session(session).venue
    name = journal_name(venue, real=True)
    if folder.resolve().name != name:
        raise ConfigError(
            f"--session: {shown(session)} trades on the account of {shown(name)}, and not of {shown(folder)}"
        )
    if venue.dialect().commands is None:
        raise ConfigError(f"--session: {venue.known.title} takes no orders here")
    return venue


def _pull(folder: Path, reason: str, seconds: float, venue: VenuePlan | None, *, json: bool) -> int:
    ends = time.monotonic() + seconds
    running = holder_of(folder)
    mine = Latch(
        reason=shown(" ".join(reason.split())),
        by=f"{_user()} with strategykit kill",
        time=wall_time()(),
        pid=os.getpid(),
    )
    unkept = ""
    try:
        latch: Latch | None = pull_latch(folder, mine)
    except JournalError as exc:
        # It may be there all the same, and not for good.
        latch, unkept = read_latch(folder), str(exc)
    unsent = signal_run(folder, running) if latch is None and running is not None else ""
    if not json:
        for line in _beginning(folder, latch, running, unkept, unsent, mine=latch is mine):
            print_line(line)
    waits = running is not None and not unsent
    after = _wait(folder, ends) if waits else _read(folder)
    holder = holder_of(folder)
    clears = venue is not None and holder is None and not (waits and (after.proof or _is_proven(after, ended=True)))
    if venue is not None and clears:
        after = _clear(folder, venue, mine, json=json)
    if latch is None and (latch := read_latch(folder)) is not None:  # The run has a reserve of the disk.
        unkept = ""
    proven = _is_proven(after, ended=holder is None)
    ok = proven and not unkept
    if json:
        said = {"waited": waits, "unkept": unkept or None, "unsent": unsent or None}
        said |= {"withdrawn": clears, "ok": ok}
        print_json({**_facts(folder, latch, after, holder), **said})
    else:
        for line in _verdict(after, holder, seconds if waits else 0, ok=proven):
            print_line(line)
        if holder is None and not (clears or proven or after.proof):
            print_line(f"Nothing was withdrawn just now. This does it: strategykit kill {shown(folder)} --session FILE")
            print_line("FILE is the session file of the run, or any whose [venue] table is that of the account.")
        if latch is None:
            print_line("Nothing keeps the next run from beginning: see to the disk, then pull the kill switch again.")
    return OK if ok else FAILURE


def _read(folder: Path) -> Aftermath:
    """Read how the account stands; of a journal that can't be read only that is known."""
    try:
        return read_aftermath(folder)
    except JournalError as exc:
        return Aftermath(run={}, proof="", alarms=(str(exc),), closed=False, orders=(), positions=())


def _is_proven(after: Aftermath, *, ended: bool) -> bool:
    return not after.alarms and not after.left and (bool(after.proof) or ended)


def _clear(folder: Path, venue: VenuePlan, latch: Latch, *, json: bool) -> Aftermath:
    """Do what no run is there to do: withdraw what is left."""

    def say(line: str) -> None:
        if not json:
            print_line(shown(line))

    say(f"Withdrawing what is left of our orders at {venue.known.title}.")
    cleared = launch_clearing(folder, venue, f"{latch.reason} (by {latch.by})", say)
    trouble = (f"kill: {cleared.trouble}",) if cleared.trouble else ()
    # It may be that nothing could be written down.
    return attrs.evolve(_read(folder), proof=cleared.proof, alarms=trouble)


def _beginning(
    folder: Path, latch: Latch | None, running: str | None, unkept: str, unsent: str, *, mine: bool
) -> list[str]:
    """Say what was done."""
    lines = [f"ALARM: {unkept}"] if unkept else []
    if latch is not None:
        lines.append(f"{shown(folder)}: {'' if mine else 'was '}{latch.words}")
        if running is None:
            lines.append("No run is going on. None begins until the kill switch is released.")
    elif running is None:
        lines.append(
            "No process holds the journal, so there is none to signal, and nothing was withdrawn. If a run goes on "
            "without this journal, send SIGUSR1 to its process; look at the venue's own list of orders."
        )
    elif unsent:
        lines.append(
            f"NOTHING WAS STOPPED: the run is there ({running}), and {unsent}. Send SIGUSR1 to its process where it "
            "is (kill -USR1), or end it; and look at the venue's own list of orders."
        )
    else:
        lines.append(f"The run ({running}) was sent SIGUSR1 instead, which pulls its kill switch, without the reason.")
    return lines


def _wait(folder: Path, ends: float) -> Aftermath:
    """Wait until the run, or its guard after it, has said what was confirmed; for as long as there is time."""
    read = 0.0
    after = None
    while True:
        now = time.monotonic()
        ended = holder_of(folder) is None
        if after is None or ended or now - read >= _READ or now >= ends:
            after, read = read_aftermath(folder), now
            # A guard goes on where the run couldn't confirm, and with its own file of the journal: that has no guard.
            guarded = bool(after.run.get("guard")) and (bool(after.alarms) or not after.closed)
            if after.proof or now >= ends or (not guarded and (ended or after.alarms)):
                return after
        time.sleep(_LOOK)


def _verdict(after: Aftermath, holder: str | None, seconds: float, *, ok: bool) -> list[str]:
    if ok and after.proof:
        return [f"Confirmed: {after.proof}."]
    if ok:
        held = f"; positions: {', '.join(map(shown, after.positions))}" if after.positions else ""
        return [f"By the journal no order is open{held}."]
    lines = [f"ALARM: {shown(line)}" for line in after.alarms]
    if holder is not None and not after.decided and seconds:
        lines.append(
            f"Not confirmed within {seconds:g} s: the run is still there ({holder}). Look at the venue's own list; "
            "--status says later how it ended."
        )
    if after.left:
        lines.append(f"Left, by the journal: {', '.join(map(shown, after.left))}. The venue's own list is the truth.")
    return lines


def _status(folder: Path, *, json: bool) -> int:
    latch, after, holder = read_latch(folder), read_aftermath(folder), holder_of(folder)
    if json:
        print_json({**_facts(folder, latch, after, holder), "ok": latch is None})
        return OK if latch is None else FAILURE
    print_line(f"{shown(folder)}: {'not pulled' if latch is None else latch.words}")
    print_line("No run is going on." if holder is None else f"A run is going on ({holder}).")
    if latch is not None:
        if after.proof:
            print_line(f"Confirmed: {after.proof}.")
        for line in after.alarms:
            print_line(f"ALARM: {shown(line)}")
    count = counted(len(after.orders), "order")
    if not after.proof:
        print_line(f"By the journal, {count} could still be filled.")
    elif after.orders:
        print_line(f"The next run asks the venue once more about {count}.")
    return OK if latch is None else FAILURE


def _release(folder: Path, *, json: bool) -> int:
    latch = read_latch(folder)
    if latch is not None:
        release_account(folder, now=wall_time()(), by=_user())
    was = "is not pulled" if latch is None else f"released; it was {latch.words}"
    if json:
        print_json({"journal": str(folder), "released": None if latch is None else attrs.asdict(latch), "ok": True})
    else:
        print_line(f"{shown(folder)}: {was}. Runs may begin.")
    return OK


def _facts(folder: Path, latch: Latch | None, after: Aftermath, holder: str | None) -> dict[str, Any]:
    return {
        "journal": str(folder),
        "pulled": None if latch is None else attrs.asdict(latch),
        "run": holder,
        "confirmed": after.proof or None,
        "alarms": list(after.alarms),
        "orders": list(after.orders),
        "positions": list(after.positions),
        "flatten": after.flatten,
    }


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # A user without a name, as in a container.
        return f"user {os.getuid()}"

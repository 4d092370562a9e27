"""Examining a session: everything that can be wrong before it runs, each with what to do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from strategykit.config import Session, load_session
from strategykit.doctor.findings import Finding, Verdict
from strategykit.doctor.source import read_source
from strategykit.errors import ConfigError, StrategyError
from strategykit.model.risk_limits import limits_in_words
from strategykit.runtime.load import find_strategy, load_strategy, make_strategy
from strategykit.runtime.offered import find_offered
from strategykit.secret import Secret
from strategykit.strategy import Strategy

__all__ = ["examine_file", "examine_session"]

ROOM: Final = 1 << 30
"""Bytes of free disk below which the doctor worries: a busy session records about that much a day."""


def examine_file(path: Path) -> tuple[Session | None, list[Finding]]:
    """Read a session file; give it, if it can be used, and what was found."""
    try:
        session = load_session(path)
    except ConfigError as exc:
        lines = [line.removeprefix(f"{path}: ") for line in str(exc).splitlines()]
        advice = f"mend {path}" if path.is_file() else "name a session file"
        return None, [Finding("file", Verdict.FAIL, line, advice) for line in lines]
    count = len(session.strategies)
    words = f"{count} {'strategy' if count == 1 else 'strategies'} on {session.venue.name}"
    if session.venue.known.takes_orders:
        words += f", account {session.venue.account}"
    return session, [Finding("file", Verdict.OK, words)]


def examine_session(session: Session) -> list[Finding]:
    """Look at all that doesn't need the network."""
    return [*_money(session), *_risk(session), _key(session), *_strategies(session), *_tape(session)]


def _money(session: Session) -> Iterator[Finding]:
    if not session.venue.known.takes_orders:
        yield Finding("money", Verdict.OK, f"{session.venue.known.title} takes no orders: strategies trade on paper")
    elif session.venue.loopback:
        yield Finding("money", Verdict.OK, "a venue on this machine: no order can cost anything")
    elif session.run.live:
        yield Finding("money", Verdict.WARN, "live = true: orders are real", "`run` asks for --live besides")
    else:
        yield Finding("money", Verdict.OK, "live = false: orders stay on paper")


def _risk(session: Session) -> Iterator[Finding]:
    """Say which limits are in force: the account's, and what others strategies have."""
    plan = session.risk
    account = dict(plan.account.items())
    yield Finding("risk", Verdict.OK, f"limits of the account: {limits_in_words(account)}")
    own = ((f"strategy {name}", limits) for name, limits in plan.strategies.items())
    for whose, limits in (("each strategy", plan.strategy), *own):
        words = limits_in_words(dict(limits.items()), beside=account)
        if words:
            yield Finding("risk", Verdict.OK, f"limits of {whose}: {words}; otherwise the account's")


def _key(session: Session) -> Finding:
    venue = session.venue
    try:
        venue.known.tokens({key: Secret(key) for key in venue.credentials} or venue.known.simulated(), venue.options)
    except ConfigError as exc:
        return Finding("key", Verdict.FAIL, str(exc), "mend [venue] in the session file")
    if not venue.credentials:
        words = "the simulated venue's own" if venue.known.logins else f"{venue.known.title} asks for none"
        return Finding("key", Verdict.OK, words)
    try:
        venue.secrets()
    except ConfigError as exc:
        what = " and ".join(f"the {venue.known.credentials[key].words}" for key in venue.credentials)
        where = " and ".join(f"venue.{key}" for key in venue.credentials)
        return Finding("key", Verdict.FAIL, str(exc), f"put {what} where {where} {_says(venue.credentials)}")
    return Finding("key", Verdict.OK, f"found in {', '.join(venue.credentials.values())}")


def _says(keys: Collection[str]) -> str:
    return "says" if len(keys) == 1 else "say"


def _strategies(session: Session) -> Iterator[Finding]:
    if not session.strategies:
        yield Finding("strategies", Verdict.WARN, "there are none", "`record` needs none; `run` needs a [[strategy]]")
    for spec in session.strategies:
        what = f"strategy {spec.name}"
        try:
            strategy = make_strategy(load_strategy(spec.file), spec.params)
        except (StrategyError, ConfigError) as exc:
            for line in str(exc).splitlines():
                yield Finding(what, Verdict.FAIL, line, f"mend {spec.file}, or its [strategy.params]")
            continue
        yield Finding(what, Verdict.OK, f"{type(strategy).__name__} can be made")
        for line in _lacking(session, strategy):
            yield Finding(what, Verdict.FAIL, line, "run it on a venue that has it: docs/venues/README.md has a table")
        path = find_strategy(spec.file)
        for remark in read_source(path.read_text(encoding="utf-8")):
            yield Finding(what, Verdict.WARN, f"{path}, line {remark.line}: {remark.name}", f"it {remark.words}")


def _lacking(session: Session, strategy: Strategy) -> Iterator[str]:
    """Say what a strategy declares that can't be had at the venue."""
    find = find_offered(session.venue.dialect())
    for declaration in strategy.declarations():
        try:
            find(declaration.stream(strategy, now=0), lambda _: None)
        except ConfigError as exc:
            yield str(exc)


def _tape(session: Session) -> Iterator[Finding]:
    folder = session.run.tape
    if folder is None:
        yield Finding("tape", Verdict.WARN, "nothing is recorded", "without a tape no run can be looked at again")
        return
    # The folder itself may come later; what is there already has to let us in.
    place = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        yield Finding("tape", Verdict.FAIL, f"{place} can't be written to", "choose another folder as run.tape")
        return
    free = shutil.disk_usage(place).free
    words = f"{free / 2**30:.1f} GiB free in {place}"
    if free < ROOM:
        yield Finding("tape", Verdict.WARN, words, "make room: a recording that stops is a gap")
    else:
        yield Finding("tape", Verdict.OK, words)

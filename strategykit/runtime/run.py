"""From a checked session, or a tape, to a run: what the command line calls."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import attrs
from cattrs import Converter

from strategykit.config import Session, StrategySpec, VenuePlan
from strategykit.config_models import models_as_dict
from strategykit.errors import ConfigError, StrategyError, TapeError
from strategykit.model.codec import from_dict, make_converter, to_dict
from strategykit.model.instruments import Instrument
from strategykit.model.risk_limits import DEFAULT_PLAN, NO_PLAN, RiskPlan
from strategykit.net.inbox import Inbox
from strategykit.net.network import SOCKETS, Network
from strategykit.net.recorder import Recorder
from strategykit.net.venue import LiveVenue, connect_venue
from strategykit.runtime.backtest import BacktestPlan, backtest
from strategykit.runtime.carried import Carried, read_carried
from strategykit.runtime.guard_plan import GuardPlan
from strategykit.runtime.live import LivePlan, Progress, run_live
from strategykit.runtime.load import find_strategy, load_strategy, make_strategy
from strategykit.runtime.recorded_venue import recorded_venue
from strategykit.runtime.recordings import open_recording
from strategykit.runtime.report import RunReport
from strategykit.runtime.rerun import RerunPlan, RerunReport, rerun
from strategykit.secret import Secret
from strategykit.sim.models.fill_models import DEFAULT_MODELS, FillModels
from strategykit.sim.paper import PaperExchange
from strategykit.strategy import Strategy
from strategykit.tape.reader import Tape, open_tape
from strategykit.venues.dialect import Dialect
from strategykit.venues.streams import Stream
from strategykit.wall import wall_time

__all__ = [
    "backtest_tape",
    "journal_name",
    "plan_session",
    "recorded_dialect",
    "rerun_tape",
    "run_session",
    "tape_name",
]

JOURNALS: Final = "journal"
"""Folder for journals where real orders go and none is named."""

PAPER_CASH: Final = Decimal(1_000_000)
"""Of a paper account, in each currency."""

_UNFIT: Final = re.compile(r"[^A-Za-z0-9_-]+")


def run_session(
    session: Session,
    *,
    live: bool = False,
    paper: bool = False,
    tape: Path | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
    meanwhile: Callable[[Any], Any] | None = None,
    handle_signals: bool = True,
    collect: bool = False,
) -> RunReport:
    """Run a session's strategies side by side until its time is over or it is stopped; without any, only record.

    Args:
        session: What to run.
        live: Whether the command line allows real money; the session must, too, and the loopback needs neither.
        paper: Whether orders stay here in any case, answered by a fill model, as they do where a venue takes none.
        tape: Where to record; None: a new folder in the session's tape folder, if it has one.
        on_progress: Told twice a second.
        meanwhile: An async function that runs beside it.
        handle_signals: Whether Ctrl-C stops it in good order.
        collect: Whether the report brings what a result is made of.

    Raises:
        StrategyError: A strategy's file can't be used.
        ConfigError: A parameter, a secret or an address is wrong.
        LoginRefused: The venue doesn't accept us.
        ConnectionLost: The venue wasn't ready in time.
    """
    plan = plan_session(session, live=live, paper=paper, tape=tape)
    plan = attrs.evolve(
        plan, on_progress=on_progress, meanwhile=meanwhile, handle_signals=handle_signals, collect=collect
    )
    told = plan.paper is not None and session.strategies
    return attrs.evolve(run_live(plan), paper=_why_paper(session, asked=paper) if told else "")


def plan_session(
    session: Session,
    *,
    live: bool = False,
    paper: bool = False,
    tape: Path | None = None,
    network: Network = SOCKETS,
) -> LivePlan:
    """Make what `run_live` needs of a session; the arguments are those of `run_session`.

    Args:
        network: What the sockets are made by.
    """
    venue = session.venue
    dialect = venue.dialect()
    real = not paper and dialect.commands is not None and (venue.loopback or (live and session.run.live))
    if live and not session.run.live and not venue.loopback:
        raise ConfigError("--live was given, but the session doesn't say live = true; real money needs both")
    strategies = [_strategy(spec) for spec in session.strategies]
    if tape is None and session.run.tape is not None:
        tape = session.run.tape / tape_name([name for name, _ in strategies])
    journal, secrets = _journal(session, real=real), venue.secrets()
    return LivePlan(
        dialect=dialect,
        connect=_connector(venue, secrets, dialect, network),
        secrets=tuple(secrets.values()),
        account=venue.account,
        exchange=venue.exchange,
        market_connections=venue.market_connections,
        strategies=strategies,
        record=session.record,
        duration=session.run.duration,
        seed=session.run.seed,
        tape=tape,
        journal=journal,
        guard=_guard(session, journal) if real and session.strategies else None,
        facts=_facts(session, real=real),
        limits=session.risk,
        keep_orders=session.run.on_stop == "keep",
        flatten=session.run.on_kill == "flatten",
        paper=None if real else _paper(venue.account, session.models),
        capital=None if real else PAPER_CASH,
    )


def _journal(session: Session, *, real: bool) -> Path | None:
    """Give the folder of the account's journal. Orders that cost money never go without one."""
    folder = session.run.journal
    if folder is None and real and not session.venue.loopback:
        folder = Path(JOURNALS)
    return None if folder is None or not session.strategies else folder / journal_name(session.venue, real=real)


def _guard(session: Session, journal: Path | None) -> GuardPlan | None:
    """Give what guards real orders, unless nothing can be lost, or nobody wants it."""
    wanted = session.run.guard
    if not (wanted if wanted is not None else not session.venue.loopback):
        return None
    if journal is None:
        raise ConfigError("run.guard = true needs a journal, which tells our orders; name its folder as run.journal")
    return GuardPlan(
        folder=journal.resolve(),
        venue=session.venue,
        after=session.run.guard_after * 1e-9,
        keep=session.run.on_stop == "keep",
    )


def journal_name(venue: VenuePlan, *, real: bool) -> str:
    """Give the name of an account's folder among journals, such as ``alor-D00001``."""
    return "-".join(_UNFIT.sub("-", part) for part in (venue.name, venue.account if real else "PAPER"))


def _why_paper(session: Session, *, asked: bool) -> str:
    known = session.venue.known
    if not known.takes_orders:
        return f"{known.title} takes no orders here"
    return "--paper was given" if asked else "the session doesn't say live = true"


def tape_name(strategies: Sequence[str]) -> str:
    """Give a name for a recording that starts now, such as ``20260312-091507-123-cross``."""
    now = datetime.fromtimestamp(wall_time()() / 1e9, UTC)
    what = _UNFIT.sub("-", "+".join(strategies))[:60] or "record"
    return f"{now:%Y%m%d-%H%M%S}-{now.microsecond // 1000:03d}-{what}"


def backtest_tape(
    path: Path | str,
    strategies: Sequence[tuple[str, Strategy]],
    *,
    models: FillModels = DEFAULT_MODELS,
    cash: Decimal = PAPER_CASH,
    limits: RiskPlan = DEFAULT_PLAN,
    seed: int | None = None,
    cache: Path | None = None,
    collect: bool = False,
    on_progress: Callable[[float], None] = lambda _: None,
) -> RunReport:
    """Run strategies on a tape, or on an archive.

    Args:
        path: Its folder.
        strategies: Pairs of name and strategy.
        models: What is assumed of fills.
        cash: At the start, in each instrument's currency.
        limits: Of risk.
        seed: Of ids and `Strategy.random`; None: the recording's.
        cache: A folder for what has been unpacked of an archive, for the next run on it; None: all is unpacked anew.
        collect: Whether the report brings what a result is made of.
        on_progress: Told the part that is done.

    Raises:
        ConfigError: There is a cache, and the recording is a tape.
        TapeError: The recording is damaged or can't be read.
        StrategyError: A strategy wants what the recording doesn't have.
    """
    source, dialect = open_recording(path, cache=cache)
    plan = BacktestPlan(
        source=source,
        dialect=dialect,
        strategies=strategies,
        cash=cash,
        models=models,
        limits=limits,
        seed=seed,
        collect=collect,
        on_progress=on_progress,
    )
    result = backtest(plan)
    if isinstance(source, Tape):
        return _told_torn(source, result)
    return attrs.evolve(result, notes=[*((source.first, "cache", note) for note in source.notes), *result.notes])


def rerun_tape(path: Path | str) -> RerunReport:
    """Run a recorded run again, from what its tape says of it.

    Raises:
        TapeError: The tape is damaged, or isn't of a run.
        StrategyError: A strategy's file has gone, or has changed since.
    """
    tape = open_tape(path)
    dialect, facts = recorded_venue(tape)
    specs = facts.get("strategies")
    if not isinstance(specs, list) or not specs:
        raise TapeError(f"{path}: this tape holds no run to repeat; it was recorded without strategies")
    strategies = [_recorded_strategy(spec, path) for spec in specs]
    converter = make_converter()
    plan = RerunPlan(
        tape=tape,
        dialect=dialect,
        strategies=strategies,
        account=str(facts["account"]),
        exchange=None if facts.get("exchange") is None else str(facts["exchange"]),
        market_connections=int(facts["market_connections"]),
        record=[converter.structure(item, Stream) for item in facts.get("record", [])],
        limits=from_dict(converter, facts["risk"], RiskPlan) if "risk" in facts else NO_PLAN,
        keep_orders=facts.get("on_stop") == "keep",
        flatten=facts.get("on_kill") == "flatten",
        paper=None if facts.get("real", True) else _paper(str(facts["account"]), _models(facts, converter)),
        carried=Carried() if "carried" not in facts else read_carried(facts["carried"], converter),
    )
    result = rerun(plan)
    return attrs.evolve(result, run=_told_torn(tape, result.run))


def _told_torn(tape: Tape, report: RunReport) -> RunReport:
    """Note what was cut off a tape whose writer was killed: what was run on is less than what was recorded."""
    if tape.torn is None:
        return report
    return attrs.evolve(report, notes=[(tape.header.created, "tape", str(tape.torn)), *report.notes])


def recorded_dialect(tape: Tape) -> Dialect:
    """Give the dialect that a tape was recorded in.

    Raises:
        TapeError: Its venue isn't known here.
    """
    return recorded_venue(tape)[0]


def _strategy(spec: StrategySpec) -> tuple[str, Strategy]:
    return spec.name, make_strategy(load_strategy(spec.file), spec.params)


def _connector(
    venue: VenuePlan, secrets: Mapping[str, Secret], dialect: Dialect, network: Network
) -> Callable[[Inbox, Recorder, Callable[[], int], random.Random], LiveVenue]:
    fetch = venue.known.fetcher(secrets, venue.options, venue.endpoints, network=network)

    def connect(inbox: Inbox, recorder: Recorder, stamp: Callable[[], int], rng: random.Random) -> LiveVenue:
        return connect_venue(
            dialect,
            venue.endpoints,
            fetch_token=fetch,
            inbox=inbox,
            recorder=recorder,
            rng=rng,
            stamp=stamp,
            network=network,
        )

    return connect


def _paper(account: str, models: FillModels) -> Callable[[Mapping[str, Instrument]], PaperExchange]:
    def make(instruments: Mapping[str, Instrument]) -> PaperExchange:
        cash = {item.currency: PAPER_CASH for item in instruments.values()}
        return PaperExchange(instruments, account=account, cash=cash, models=models)

    return make


def _models(facts: Mapping[str, Any], converter: Converter) -> FillModels:
    models: FillModels = from_dict(converter, facts.get("models", {}), FillModels)
    return models


def _facts(session: Session, *, real: bool) -> dict[str, Any]:
    """Give what a re-run needs to know, as JSON."""
    converter = make_converter()
    return {
        "venue": session.venue.name,
        "options": dict(session.venue.options),
        "account": session.venue.account,
        "exchange": session.venue.exchange,
        "market_connections": session.venue.market_connections,
        "real": real,
        "on_stop": session.run.on_stop,
        "on_kill": session.run.on_kill,
        **({} if session.risk == NO_PLAN else {"risk": to_dict(converter, session.risk, RiskPlan)}),
        **({} if real or session.models == DEFAULT_MODELS else {"models": models_as_dict(session.models)}),
        "record": [converter.unstructure(stream) for stream in session.record],
        "strategies": [
            {
                "name": spec.name,
                "file": spec.file if spec.file.startswith("sample:") else str(Path(spec.file).resolve()),
                "params": {name: str(value) for name, value in spec.params.items()},
                "sha256": _digest(spec.file),
            }
            for spec in session.strategies
        ],
    }


def _digest(file: str) -> str:
    return hashlib.sha256(find_strategy(file).read_bytes()).hexdigest()


def _recorded_strategy(spec: Mapping[str, Any], path: Path | str) -> tuple[str, Strategy]:
    try:
        name, file, params, digest = spec["name"], spec["file"], spec["params"], spec["sha256"]
    except (KeyError, TypeError) as exc:
        raise TapeError(f"{path}: its header says too little of a strategy: {exc} is missing") from exc
    if _digest(file) != digest:
        raise StrategyError(
            f"{file}: has changed since this run was recorded; a re-run needs the same code (SHA-256 {digest[:12]}…)"
        )
    return str(name), make_strategy(load_strategy(file), params)

"""Running a recorded run again: its frames answer, and its decisions are compared with the recorded ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

import attrs
import trio

from strategykit.errors import TapeError
from strategykit.model.codec import make_converter
from strategykit.model.instruments import Instrument
from strategykit.model.orders import VenueCommand, single_order
from strategykit.model.risk_limits import DEFAULT_PLAN, RiskPlan
from strategykit.net.inbox import Input
from strategykit.runtime.assembly import ACCOUNT, Identity, assemble
from strategykit.runtime.carried import Carried
from strategykit.runtime.clock import ReplayClock
from strategykit.runtime.driver import LEAVE_WITHIN
from strategykit.runtime.engine import Engine
from strategykit.runtime.home import run_with_home
from strategykit.runtime.prices import LastPrices
from strategykit.runtime.recorded import Contents, TapeWires, scan, slices
from strategykit.runtime.recording import Notes, NullLedger, command_facts
from strategykit.runtime.report import Digest, RunReport, report
from strategykit.runtime.waking import Wakes
from strategykit.runtime.watchdog import StepWatch, Watchdog
from strategykit.sim.paper import PaperExchange
from strategykit.strategy import Strategy
from strategykit.tape.reader import Tape
from strategykit.venues.dialect import Ask, Dialect
from strategykit.venues.streams import Stream

__all__ = ["CommandDifference", "RerunPlan", "RerunReport", "rerun"]

Slice = tuple[int, list[Input]]
"""A reading of the clock, and the inputs dispatched at it."""

HOLD_LIMIT: Final = 4.0
"""Seconds that a strategy may hold the thread. One that did so in the recorded run was interrupted there and does so
again; on a slower machine, what went well then must not be."""


@attrs.frozen
class CommandDifference:
    """One order command that came out otherwise."""

    strategy: str
    number: int
    """Which of the strategy's commands, counted from 1."""
    recorded: Mapping[str, Any] | None
    """None: the recorded run had no such command."""
    again: Mapping[str, Any] | None
    """None: the re-run had no such command."""


@attrs.frozen(kw_only=True)
class RerunPlan:
    """A recorded run, to be run again."""

    tape: Tape
    dialect: Dialect
    strategies: Sequence[tuple[str, Strategy]]
    account: str
    exchange: str | None
    market_connections: int
    record: Sequence[Stream] = ()
    limits: RiskPlan = DEFAULT_PLAN
    """Of risk, as they were then."""
    keep_orders: bool = False
    flatten: bool = False
    paper: Callable[[Mapping[str, Instrument]], PaperExchange] | None = None
    carried: Carried = attrs.field(factory=Carried)
    """What the run before had left to it."""
    hold_limit: float = HOLD_LIMIT
    """Seconds that a strategy may hold the thread before it is interrupted."""


@attrs.frozen(kw_only=True)
class RerunReport:
    """How the re-run compares."""

    recorded: int
    """Order commands on the tape."""
    equal: int
    differences: Sequence[CommandDifference]
    run: RunReport
    cut: bool = False
    """Whether the tape ends before its run did; what the strategies do beyond its end isn't compared."""
    recorded_digest: str | None = None
    """Of the recorded run, as `RunReport.digest`; None where the tape has none to compare with: its run didn't come to
    its end, or another version of strategykit wrote it, whose events may have had other fields."""

    @property
    def digest_equal(self) -> bool | None:
        """Whether events, orders and fills were the same, all of them; None if that can't be said."""
        return None if self.recorded_digest is None else self.recorded_digest == self.run.digest

    @property
    def ok(self) -> bool:
        return not self.differences and self.digest_equal is not False


class _Comparison:
    """Compares commands with the recorded ones."""

    def __init__(self, contents: Contents) -> None:
        self._recorded: dict[str, deque[Mapping[str, Any]]] = {}
        for facts in contents.commands:
            self._recorded.setdefault(str(facts.get("strategy")), deque()).append(facts)
        self._numbers: dict[str, int] = {}
        self._converter = make_converter()
        self.total = len(contents.commands)
        self.equal = 0
        self.differences: list[CommandDifference] = []
        self.over = False
        """Whether the tape has no more to compare with."""
        self.torn = False
        """Whether this is the last slice of a tape that was cut: its commands may have come too late to be on it."""

    def compare(self, strategy: str, command: VenueCommand) -> bool:
        """Compare the next command of a strategy; say whether it was sent."""
        if self.over:
            return False
        facts = command_facts(strategy, command, self._converter)
        waiting = self._recorded.get(strategy)
        recorded = waiting.popleft() if waiting else None
        number = self._numbers[strategy] = self._numbers.get(strategy, 0) + 1
        if recorded is not None and recorded.get("command") == facts["command"]:
            self.equal += 1
        elif recorded is not None or not self.torn:
            self.differences.append(CommandDifference(strategy, number, recorded, facts))
        return recorded is None or bool(recorded.get("sent", True))

    def suspect(self, reason: str) -> None:
        """The tape tells what became of the lane."""

    def finish(self) -> None:
        """Count recorded commands that didn't come again."""
        for strategy, waiting in self._recorded.items():
            for facts in waiting:
                number = self._numbers[strategy] = self._numbers.get(strategy, 0) + 1
                self.differences.append(CommandDifference(strategy, number, facts, None))


class _Silence(TapeWires):
    """The wires of a re-run: whatever is asked, the tape's own answer comes in its own place."""

    def ask(self, ask: Ask) -> None:
        """Its answer stands on the tape."""


class _VenueComparison(_Comparison):
    """The port of a re-run: commands go nowhere but to the comparison."""

    def __init__(self, contents: Contents, dialect: Dialect) -> None:
        super().__init__(contents)
        self._dialect = dialect

    def command(self, strategy: str, command: VenueCommand) -> bool:
        self._dialect.command(command)  # As live: what the venue can't be told raises.
        return self.compare(strategy, command)


class _PaperComparison(_Comparison):
    """The same for a run whose orders a paper exchange answered: it answers again, whatever the venue takes."""

    def __init__(self, contents: Contents, engine: Callable[[], Engine], clock: ReplayClock) -> None:
        super().__init__(contents)
        self._engine = engine
        self._clock = clock

    def command(self, strategy: str, command: VenueCommand) -> bool:
        sent = self.compare(strategy, command)
        engine = self._engine()
        if engine.paper is None:
            return sent
        engine.local.extend(engine.paper.command(single_order(command, "the paper exchange"), self._clock.reading))
        return True


def _told_of_last(recorded: Iterator[Slice], comparison: _Comparison) -> Iterator[Slice]:
    """Yield the slices, and tell `comparison` which one is the last."""
    before = next(recorded, None)
    for each in recorded:
        if before is not None:
            yield before
        before = each
    comparison.torn = True
    if before is not None:
        yield before


def rerun(plan: RerunPlan) -> RerunReport:
    """Run a recorded run again: its frames answer, and its decisions are compared with the recorded ones.

    Raises:
        TapeError: The tape is damaged, or isn't of a run.
    """
    contents = scan(plan.tape)
    clock = ReplayClock(plan.tape.header.clock_origin)
    watchdog = Watchdog(plan.hold_limit)
    with watchdog.watching():
        return run_with_home(clock, lambda home: _rerun(home, plan, contents, clock, watchdog))


async def _rerun(
    home: trio.Nursery, plan: RerunPlan, contents: Contents, clock: ReplayClock, watchdog: Watchdog
) -> RerunReport:
    trio.lowlevel.add_instrument(StepWatch(watchdog, home))
    notes, digest, marks = Notes(), Digest(), LastPrices()
    ledger = NullLedger(notes, lambda: clock.reading)
    header = plan.tape.header
    comparison = (
        _VenueComparison(contents, plan.dialect)
        if plan.paper is None
        else _PaperComparison(contents, lambda: run.engine, clock)
    )
    done = trio.Event()
    async with trio.open_nursery() as nursery:
        run = assemble(
            identity=Identity(header.seed, header.clock_origin),
            clock=clock,
            wakes=Wakes(clock.poke),
            dialect=plan.dialect,
            market_connections=plan.market_connections,
            wires=_Silence(contents),
            port=comparison,
            ledger=ledger,
            strategies=plan.strategies,
            instruments={},
            account=plan.account,
            exchange=plan.exchange,
            nursery=nursery,
            home=home,
            paper=plan.paper,
            trades_at_venue=plan.paper is None and bool(plan.strategies),
            live=True,
            require_history=True,
            keep_orders=plan.keep_orders,
            limits=plan.limits,
            prices=marks,
            watchers=[digest, marks],
            watchdog=watchdog,
            flatten=plan.flatten,
            carried=plan.carried,
        )
        for stream in plan.record:
            run.engine.want(stream, ACCOUNT, None)
        recorded = slices(plan.tape)
        begin = next(recorded, None)
        if begin is not None:
            clock.reading = begin[0]
        nursery.start_soon(run.play_and_tell, done)
        await run.driver.rerun(recorded if contents.ended else _told_of_last(recorded, comparison))
        # The last clean-up may go by deadlines that came after the last input.
        await run.driver.finish_by(done, contents.last)
        # Of a run that was killed nobody knows how it would have left.
        comparison.over = not contents.ended
        run.supervisor.stop()
        await run.driver.finish(done, within=LEAVE_WITHIN)
        run.supervisor.abandon()
        nursery.cancel_scope.cancel()
    comparison.finish()
    result = report(
        run,
        notes=notes,
        digest=digest,
        connections=(),
        marks=marks.prices,
        unaccounted=(),
        tape=str(plan.tape.path),
        tape_failure="",
    )
    if not contents.commands and not contents.rows:
        raise TapeError(f"{plan.tape.path}: this tape holds no run to repeat; it was recorded without strategies")
    return RerunReport(
        recorded=comparison.total,
        equal=comparison.equal,
        differences=tuple(comparison.differences),
        run=result,
        cut=not contents.ended,
        recorded_digest=contents.digest if header.strategykit_version == version("strategykit") else None,
    )

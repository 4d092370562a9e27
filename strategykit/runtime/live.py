"""A run on real wires: from a checked session to a report, with a tape of all of it."""

from __future__ import annotations

import platform
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version

import attrs
import trio

from strategykit.journal.latch import check_released
from strategykit.model.codec import make_converter
from strategykit.net.recorder import Recorder
from strategykit.runtime.assembly import Identity
from strategykit.runtime.carried import carried_facts
from strategykit.runtime.clock import WallClock
from strategykit.runtime.home import run_with_home
from strategykit.runtime.live_plan import LivePlan, Progress
from strategykit.runtime.live_session import LiveSession
from strategykit.runtime.order_journal import OpenedJournal, open_run_journal
from strategykit.runtime.recording import Notes, NullLedger, RunLedger, RunRecorder, Unrecorded
from strategykit.runtime.report import RunReport
from strategykit.runtime.stops import Stops
from strategykit.runtime.watchdog import Watchdog
from strategykit.tape.format import TapeHeader
from strategykit.tape.redact import Redactor
from strategykit.tape.writer import TapeWriter, open_tape_writer
from strategykit.wall import wall_time

__all__ = ["LivePlan", "Progress", "live_main", "run_live"]


def run_live(plan: LivePlan) -> RunReport:
    """Run a session on real wires until its time is over, it is stopped, or its strategies have ended.

    Raises:
        LoginRefused: The venue doesn't accept us.
        ConfigError: An address, token or parameter is wrong.
        ConnectionLost: The venue wasn't ready in time.
        KillSwitchPulled: Nobody has released the account's kill switch.
    """
    wall = wall_time()
    watchdog = Watchdog(plan.hold_limit)
    clock = WallClock(wall, watchdog)
    redactor = Redactor()  # For all that leaves the run: tape, report and errors.
    with watchdog.watching(), redactor.errors():
        return run_with_home(clock, lambda home: live_main(home, plan, clock, wall, watchdog, redactor, Stops()))


async def live_main(
    home: trio.Nursery,
    plan: LivePlan,
    clock: WallClock,
    wall: Callable[[], int],
    watchdog: Watchdog,
    redactor: Redactor,
    stops: Stops,
) -> RunReport:
    """Do what `run_live` does, in a loop that runs already, by `clock`; its strategies live in `home`."""
    with stops:
        async with trio.open_nursery() as listening:
            if plan.handle_signals:
                await listening.start(stops.listen)
            result = await _record_run(home, plan, clock, wall, watchdog, redactor, stops)
            listening.cancel_scope.cancel()
    return result


async def _record_run(
    home: trio.Nursery,
    plan: LivePlan,
    clock: WallClock,
    wall: Callable[[], int],
    watchdog: Watchdog,
    redactor: Redactor,
    stops: Stops,
) -> RunReport:
    identity = Identity(plan.seed if plan.seed is not None else secrets.randbits(63), clock.start)
    notes = Notes(redactor)
    for secret in plan.secrets:
        redactor.protect(secret.reveal())
    async with AsyncExitStack() as stack:
        journal = None
        if plan.journal is not None:
            if not plan.withdraw:
                check_released(plan.journal)
            facts = {**plan.facts, "tag": identity.tag, "version": version("strategykit"), "started": clock.start}
            facts["guard"] = plan.guard is not None
            journal = stack.enter_context(
                open_run_journal(
                    plan.journal,
                    now=wall,
                    run=facts,
                    redact=redactor.words,
                    in_loop=plan.in_loop,
                    lasting=plan.paper is None,
                    disk=plan.disk,
                )
            )
        writer = await stack.enter_async_context(_open_tape(plan, identity, wall, redactor, journal))
        converter = make_converter()
        ledger = NullLedger(notes, wall) if writer is None else RunLedger(notes, wall, writer, converter)
        recorder: Recorder = Unrecorded(redactor) if writer is None else RunRecorder(writer, converter)
        session = LiveSession(
            home, plan, clock, wall, watchdog, stops, identity, notes, ledger, recorder, converter, journal
        )
        result = redactor.report(await session.run())
        redactor.error(result.fault)
        if writer is not None:
            writer.summary({"digest": result.digest, "events": result.events})
            failure = "" if writer.failed is None else str(writer.failed)
            result = attrs.evolve(result, tape=str(plan.tape), tape_failure=failure)
    return result


@asynccontextmanager
async def _open_tape(
    plan: LivePlan, identity: Identity, wall: Callable[[], int], redactor: Redactor, journal: OpenedJournal | None
) -> AsyncGenerator[TapeWriter | None]:
    if plan.tape is None:
        yield None
        return
    facts = dict(plan.facts)
    if journal is not None and journal.carried:
        facts["carried"] = carried_facts(journal.carried, make_converter())
    header = TapeHeader(
        created=identity.start,
        venue=plan.dialect.name,
        seed=identity.seed,
        clock_origin=identity.start,
        strategykit_version=version("strategykit"),
        python_version=platform.python_version(),
        session=facts,
    )
    async with open_tape_writer(plan.tape, header, now=wall, redactor=redactor) as writer:
        yield writer

"""The demonstration: a simulated venue in a process of its own, strategies on real sockets, and broken wires."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import attrs
import httpx
import msgspec
import trio

from strategykit.config import RunPlan, Session, StrategySpec, VenuePlan
from strategykit.errors import StrategykitError
from strategykit.net.endpoints import Endpoints
from strategykit.registry.table import find_venue
from strategykit.registry.venue import Venue
from strategykit.runtime.assembly import Run
from strategykit.runtime.demo_books import BookWatch
from strategykit.runtime.live import Progress
from strategykit.runtime.report import RunReport
from strategykit.runtime.rerun import RerunReport
from strategykit.runtime.run import rerun_tape, run_session

__all__ = ["BREAKS", "DemoReport", "demo_session", "open_venue_process", "run_demo"]

SECONDS: Final = 20.0

BREAKS: Final = ((0.25, "market"), (0.45, "commands"), (0.5, "orders"), (0.65, "market"))
"""When, as a part of the run, the venue cuts which wires: by a TCP reset, as was seen of the real one."""

_TWICE: Final = (0.2, 0.5)
"""The same where a venue has but one kind of wire."""

_CUT_WITHIN: Final = 5.0
"""Seconds for a wire to be there that is to be cut."""

_START_WITHIN: Final = 20.0


@attrs.frozen(kw_only=True)
class DemoReport:
    """What a demonstration came to."""

    run: RunReport
    rerun: RerunReport
    venue_orders: int
    """Orders of ours in the venue's own log."""
    problems: Sequence[str]
    """Why it isn't a success; empty if it is."""

    @property
    def ok(self) -> bool:
        return not self.problems


def demo_session(url: str, *, venue: str = "alor", tape: Path | None, seconds: float, seed: int | None) -> Session:
    """Give the session that is shown at `venue`, which listens at `url`."""
    known = find_venue(venue)
    plan = VenuePlan(name=venue, endpoints=Endpoints.at(url))
    if known.simulation.account:
        plan = attrs.evolve(plan, account=known.simulation.account)
    return Session(
        venue=plan,
        run=RunPlan(duration=int(seconds * 1e9), tape=tape, seed=seed),
        strategies=tuple(StrategySpec(name=item.name, file=item.file, params=item.params) for item in known.shown),
    )


@contextmanager
def open_venue_process(venue: str = "alor", *, seed: int = 1, extra: Sequence[str] = ()) -> Generator[str]:
    """Start ``strategykit sim`` of a venue on a free loopback port in a process of its own; yield its address.

    Raises:
        StrategykitError: It didn't come up.
    """
    command = [sys.executable, "-m", "strategykit", "sim", venue, "--port", "0", "--seed", str(seed), "--json"]
    command += ["--while-read", *extra]  # A parent that is killed takes it along.
    # In a session of its own: Ctrl-C is ours, and the venue has to outlive the strategies.
    with subprocess.Popen(  # noqa: S603 - our own command
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        giving_up = threading.Timer(_START_WITHIN, process.kill)
        giving_up.daemon = True  # Ctrl-C may come while it starts: then nobody waits for it.
        try:
            giving_up.start()
            url = _read_url(process)
            giving_up.cancel()
            yield url
        finally:
            giving_up.cancel()
            process.terminate()
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:
                process.kill()


def _read_url(process: subprocess.Popen[str]) -> str:
    """Read the one JSON object that the venue prints when it listens, over however many lines."""
    assert process.stdout is not None
    assert process.stderr is not None
    text = ""
    for line in process.stdout:
        text += line
        try:
            facts = msgspec.json.decode(text)
        except msgspec.DecodeError:
            continue
        return str(facts["url"])
    raise StrategykitError(f"the simulated venue didn't start: {process.stderr.read().strip()[-500:] or 'no word'}")


def run_demo(
    *,
    venue: str = "alor",
    tape: Path,
    seconds: float = SECONDS,
    seed: int | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_news: Callable[[str], None] = lambda _: None,
) -> DemoReport:
    """Run the demonstration and check everything that it promises.

    Args:
        venue: Which, as the registry has it.
        tape: Where to record; must not exist.
        seconds: How long the strategies trade.
        seed: Of ids and jitter; None: drawn afresh.
        on_progress: Told twice a second.
        on_news: Told a line at each turn.

    Raises:
        StrategykitError: The venue didn't start, or the run couldn't.
    """
    known = find_venue(venue)
    with open_venue_process(venue) as url:
        on_news(f"a simulated {known.title} listens on {url}")
        session = demo_session(url, venue=venue, tape=tape.parent, seconds=seconds, seed=seed)
        breaking = _Breaking(url, seconds, _breaks(known), on_news)
        result = run_session(session, tape=tape, on_progress=on_progress, meanwhile=breaking.run)
        theirs = _venue_orders(url) if known.takes_orders else []
    on_news("running the tape again")
    again = rerun_tape(tape)
    problems = [*breaking.problems(result)]
    if known.takes_orders:
        problems += _compare(result, theirs, session.venue.account)
    problems += _check(result, again)
    return DemoReport(run=result, rerun=again, venue_orders=len(theirs), problems=problems)


def _breaks(venue: Venue) -> Sequence[tuple[float, str]]:
    lanes = venue.dialect({}).lanes.keys()
    if {lane for _, lane in BREAKS} <= lanes:
        return BREAKS
    # A wire that carries orders, too, is no market wire to the venue.
    return [(part, "all" if venue.takes_orders else "market") for part in _TWICE]


async def _cut(client: httpx.AsyncClient, lane: str) -> bool:
    """Have the venue cut the wires of a lane; where there are none, they may just be coming back."""
    with trio.move_on_after(_CUT_WITHIN):
        while True:
            answer = await client.post("/sim/faults", json={"fault": "reset", "lane": lane})
            if msgspec.json.decode(answer.content).get("hit", 0):
                return True
            await trio.sleep(0.1)
    return False


class _Breaking:
    """Cuts wires at the venue's end at the stated times, and watches what becomes of the run."""

    def __init__(
        self, url: str, seconds: float, breaks: Sequence[tuple[float, str]], on_news: Callable[[str], None]
    ) -> None:
        self._url = url
        self._seconds = seconds
        self._breaks = breaks
        self._on_news = on_news
        self._books = BookWatch()
        self._runs: list[Run] = []
        self._missed: list[str] = []

    async def run(self, run: Run) -> None:
        self._runs.append(run)
        run.engine.watchers.append(self._books)
        begin = trio.current_time()
        async with httpx.AsyncClient(base_url=self._url) as client:
            for part, lane in self._breaks:
                await trio.sleep_until(begin + part * self._seconds)
                wire = "wire" if lane == "all" else f"{lane} wire"
                if not await _cut(client, lane):
                    self._missed.append(f"the venue found no {wire} to cut")
                self._on_news(f"the venue cut the {wire}")

    def problems(self, result: RunReport) -> list[str]:
        """Say what the breaks did that they shouldn't have, a line each."""
        lines = [*self._missed]
        again = sum(item.reconnects for item in result.connections)
        if again < len(self._breaks):
            lines.append(f"wires were cut {len(self._breaks)} times, but only {again} were opened again")
        return lines + [line for run in self._runs for line in self._books.problems(run.engine.table)]


def _venue_orders(url: str) -> list[Mapping[str, Any]]:
    answer = httpx.get(f"{url}/sim/orders", timeout=10.0)
    rows: list[Mapping[str, Any]] = msgspec.json.decode(answer.content)["orders"]
    return rows


def _compare(result: RunReport, theirs: Sequence[Mapping[str, Any]], account: str) -> list[str]:
    """Compare our orders with the venue's own log, which knows nothing of how we came to ours."""
    problems: list[str] = []
    ours = {number: order for order in result.orders for number in order.venue_order_ids}
    for row in theirs:
        if row["account"] != account:
            continue
        order = ours.pop(row["venue_order_id"], None)
        if order is None:
            problems.append(f"the venue has order {row['venue_order_id']}, which our books don't")
        elif len(order.venue_order_ids) == 1 and (
            row["status"] != order.state or Decimal(str(row["filled"])) != order.filled
        ):
            problems.append(
                f"{order.client_order_id}: we say {order.state} with {order.filled} filled, "
                f"the venue {row['status']} with {row['filled']}"
            )
    problems.extend(f"{order.client_order_id}: the venue has no order {number}" for number, order in ours.items())
    return problems


def _check(result: RunReport, again: RerunReport) -> list[str]:
    problems = list(result.unaccounted)
    problems += [f"{item.name}: {item.error}" for item in result.strategies if item.error]
    problems += [f"{item.name}: left {order}" for item in result.strategies for order in item.left]
    problems += [f"{item.stream} is {item.state}" for item in result.subscriptions if item.state != "active"]
    if result.tape_failure:
        problems.append(result.tape_failure)
    if not result.orders:
        problems.append("no order was placed")
    if again.differences:
        problems.append(f"the re-run differs in {len(again.differences)} of {again.recorded} order commands")
    if again.digest_equal is not True:
        problems.append("the re-run's events, orders and fills have another digest than the run's")
    return problems

"""One run under faults, in this process, against a venue in another; prints what it found as one line of JSON."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import msgspec
import trio

from benchmarks.faults_check import check_books, check_gaps, check_report, check_rerun, check_secrets
from benchmarks.faults_plan import LIMITS, Plan, draw_plan
from strategykit.config import SIMULATED_ACCOUNT, RunPlan, Session, StrategySpec, VenuePlan
from strategykit.errors import StrategykitError
from strategykit.net.endpoints import Endpoints
from strategykit.runtime.assembly import Run
from strategykit.runtime.demo import open_venue_process
from strategykit.runtime.run import rerun_tape, run_session

__all__ = ["main", "run_plan"]

SETTLE_WITHIN: Final = 45.0
"""Seconds after the last fault for everything to be as it should: three requests of 10 s, two pings of 10 s, pauses."""

QUIET: Final = 1.5
"""Seconds for which it has to stay so, and in which orders have to go through again."""

UNSEEN: Final = 11.0
"""Seconds for which a half-open wire can look well: a ping every 5 s, a pong within 5."""

_CHURN: Final = str(Path(__file__).with_name("churn.py"))


def session_of(plan: Plan, url: str) -> Session:
    """Give the session that is run: two that place orders at random, and two samples."""
    return Session(
        venue=VenuePlan(name="alor", endpoints=Endpoints.at(url), account=SIMULATED_ACCOUNT),
        run=RunPlan(seed=plan.seed),
        risk=LIMITS,
        strategies=(
            StrategySpec(name="churn", file=_CHURN, params={"instrument": "SBER", "pace": plan.pace}),
            StrategySpec(name="other", file=_CHURN, params={"instrument": "GAZP", "pace": 0.1}),
            StrategySpec(
                name="cross",
                file="sample:cross",
                params={"instrument": "SBER", "interval": "1s", "fast": 2, "slow": 5, "stop": 0.01},
            ),
            StrategySpec(name="maker", file="sample:maker", params={"instrument": "GAZP", "refresh": 0.2, "edge": 1}),
        ),
    )


class _Trouble:
    """Strikes, then waits until the run has found back, then stops it as Ctrl-C does."""

    def __init__(self, plan: Plan, url: str) -> None:
        self.plan = plan
        self.url = url
        self.struck = 0
        self.found: list[str] = []

    async def __call__(self, run: Run) -> None:
        begin = trio.current_time()
        for fault in self.plan.faults:
            await trio.sleep_until(begin + fault.at)
            await trio.to_thread.run_sync(self._strike, fault.command)
        within = trio.current_time() + SETTLE_WITHIN
        since = trio.current_time()
        quiet = UNSEEN if any(fault.command["fault"] == "half_open" for fault in self.plan.faults) else QUIET
        while trio.current_time() - since < quiet:
            await trio.sleep(0.05)
            lines = _unsettled(run, forgotten=self.plan.forgets)
            if lines:
                since = trio.current_time()
            if trio.current_time() > within:
                self.found += [f"{SETTLE_WITHIN:g} s later: {line}" for line in lines or ["flapping"]]
                break
        sent = [order for order in run.gateway.orders.values() if trio.current_time() - QUIET < _age(run, order.placed)]
        if len(sent) > 3 and all(order.venue_order_id is None for order in sent):
            self.found.append(f"no order goes through any more: {sent[-1]!r} ({sent[-1].reason})")
        os.kill(os.getpid(), signal.SIGINT)
        await trio.sleep_forever()

    def _strike(self, command: dict[str, Any]) -> None:
        try:
            with httpx.Client(trust_env=False, timeout=5.0) as client:
                client.post(f"{self.url}/sim/faults", json=command).raise_for_status()
        except httpx.TransportError:
            return  # It is down already.
        self.struck += 1


def _age(run: Run, time: int) -> float:
    return (time - run.clock.start) * 1e-9


def _unsettled(run: Run, *, forgotten: bool) -> list[str]:
    rows = [f"{row.stream.label} is {row.state.value}" for row in run.engine.table]
    lines = [line for line in rows if not line.endswith((" active", " stale"))]
    lines += [f"{name} isn't open" for name in run.engine.lanes if name not in run.engine.sessions]
    if forgotten:
        return lines  # The venue can't tell any more what became of the orders that it lost.
    return lines + [f"{order!r} is in doubt" for order in run.gateway.doubtful() if order.state.doubtful]


def run_plan(plan: Plan, folder: Path) -> tuple[int, list[str]]:
    """Run one schedule; give the number of faults that struck, and what is wrong."""
    found: list[str] = []
    with open_venue_process(seed=plan.seed, extra=["--token-life", str(plan.token_life)]) as url:
        tape = folder / "tape"
        port = urlsplit(url).port or 0
        files, threads = _open_files(port), threading.active_count()
        trouble = _Trouble(plan, url)
        result = run_session(session_of(plan, url), tape=tape, meanwhile=trouble)
        left = _open_files(port) - files
        if left:
            found.append(f"files left open: {sorted(left)}")
        told: dict[str, Any] = msgspec.json.decode(httpx.get(f"{url}/sim/orders", timeout=10.0).content)
    found += trouble.found
    checks: list[Callable[[], Any]] = [
        partial(check_books, result, told, forgets=plan.forgets),
        partial(check_gaps, tape),
        lambda: check_rerun(result, rerun_tape(tape)),
        partial(check_secrets, tape, ()),
    ]
    if not plan.forgets:
        checks.insert(0, partial(check_report, result, told))
    for check in checks:
        try:
            found += check()
        except StrategykitError as exc:
            found.append(f"{type(exc).__name__}: {exc}")
    if threading.active_count() > threads + 1:  # Trio keeps a worker for a while.
        found.append(f"threads left: {threading.enumerate()}")
    return trouble.struck, found


def _open_files(port: int) -> set[str]:
    """Name what this process has open: files, pipes, and sockets to `port`; others belong to who else runs in here."""
    rows = [line.split() for line in Path("/proc/self/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    ours = {f"socket:[{row[9]}]" for row in rows if int(row[2].rpartition(":")[2], 16) == port}
    targets = [_target(fd) for fd in Path("/proc/self/fd").iterdir()]
    return {target for target in targets if target.startswith(("/", "pipe:")) or target in ours}


def _target(fd: Path) -> str:
    try:
        return str(fd.readlink())
    except OSError:
        return ""


def main() -> None:
    """Run the schedule of the seed that the command line names; the tape stays in the folder that it names."""
    seed = int(sys.argv[1])
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(tempfile.mkdtemp(prefix="faults-"))
    folder.mkdir(parents=True, exist_ok=True)
    struck, found = run_plan(draw_plan(seed), folder)
    print(msgspec.json.encode({"seed": seed, "faults": struck, "found": found}).decode())


if __name__ == "__main__":
    main()

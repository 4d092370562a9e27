"""A simulated venue in a thread of its own, live runs against it on real sockets, and the program as users start it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio

from strategykit.config import SIMULATED_ACCOUNT, RunPlan, Session, StrategySpec, VenuePlan
from strategykit.model.risk_limits import DEFAULT_PLAN, RiskPlan
from strategykit.net.endpoints import Endpoints
from strategykit.runtime.assembly import Run
from strategykit.runtime.report import RunReport
from strategykit.runtime.run import run_session
from strategykit.runtime.stops import Stops
from strategykit.sim.alor_config import AlorVenueConfig
from strategykit.sim.instruments import default_instruments
from strategykit.sim.server_alor import open_simulated_alor

FEW = {symbol: each for symbol, each in default_instruments().items() if symbol in ("SBER", "GAZP")}

HEAD = """\
import sys, time
from decimal import Decimal
import trio
from strategykit import *
from strategykit import Books, Quotes, Trades, Strategy, Order, OrderState, TimeInForce, define, param
"""


@attrs.define(eq=False)
class VenueThread:
    """A venue that runs beside the test."""

    url: str

    def fault(self, fault: str, **fields: Any) -> None:
        httpx.post(f"{self.url}/sim/faults", json={"fault": fault, **fields}, timeout=5).raise_for_status()

    def told(self) -> dict[str, Any]:
        """What the venue itself knows of orders."""
        for _ in range(200):
            try:
                found: dict[str, Any] = httpx.get(f"{self.url}/sim/orders", timeout=5).json()
            except httpx.TransportError:  # It is down on command.
                time.sleep(0.05)
            else:
                return found
        raise TimeoutError("the venue didn't come back")

    def working(self) -> list[str]:
        return [row["client_order_id"] for row in self.told()["orders"] if row["status"] == "working"]


@contextmanager
def open_venue(**settings: Any) -> Generator[VenueThread]:
    """Run a venue in a thread; leaving stops it."""
    told: list[Any] = []
    ready = threading.Event()

    async def main() -> None:
        scope = trio.CancelScope()
        with scope:
            async with open_simulated_alor(AlorVenueConfig(**{"instruments": FEW, **settings})) as venue:
                told.extend((venue.url, scope, trio.lowlevel.current_trio_token()))
                ready.set()
                await trio.sleep_forever()

    thread = threading.Thread(target=trio.run, args=(main,), name="venue")
    thread.start()
    try:
        assert ready.wait(10), "the venue didn't start"
        url, scope, token = told
        try:
            yield VenueThread(url)
        finally:
            token.run_sync_soon(scope.cancel)
    finally:
        thread.join(10)


@pytest.fixture
def venue() -> Generator[VenueThread]:
    with open_venue() as venue:
        yield venue


@attrs.define(eq=False)
class Bench:
    """A folder with strategies in it."""

    folder: Path
    files: int = 0

    def strategy(self, body: str, *, name: str = "own", **params: object) -> StrategySpec:
        """Write a strategy down, with the body of its class as given."""
        self.files += 1
        path = self.folder / f"{name}_{self.files}.py"
        text = textwrap.indent(textwrap.dedent(body), "    ")
        path.write_text(f"{HEAD}\n@define\nclass Own(Strategy):\n    instrument: str\n{text}\n")
        return StrategySpec(name=name, file=str(path), params={"instrument": "SBER", **params})

    def session(
        self, url: str, strategies: Sequence[StrategySpec], *, limits: RiskPlan = DEFAULT_PLAN, **plan: Any
    ) -> Session:
        return Session(
            risk=limits,
            venue=VenuePlan(name="alor", endpoints=Endpoints.at(url), account=SIMULATED_ACCOUNT),
            run=RunPlan(**{"duration": 2_000_000_000, "seed": 1, "tape": None, **plan}),
            strategies=tuple(strategies),
        )

    def run(
        self,
        url: str,
        strategies: Sequence[StrategySpec],
        *,
        meanwhile: Callable[[Run], Any] | None = None,
        enough: Callable[[Run], bool] | None = None,
        within: float = 20.0,
        limits: RiskPlan = DEFAULT_PLAN,
        **plan: Any,
    ) -> RunReport:
        """Run strategies live, recorded in `tape`; everything must be over in time.

        Args:
            url: The venue's.
            strategies: Which.
            meanwhile: Runs beside; where `enough` is asked, before it.
            enough: Asked until it holds; then Ctrl-C ends the run. None: the run lasts as long as its plan says.
            within: Seconds.
            limits: Of risk.
            plan: What the session's plan says besides.
        """

        async def under_deadline(run: Run) -> None:
            with trio.fail_after(within):
                if meanwhile is not None:
                    await meanwhile(run)
                if enough is not None:
                    while not enough(run):  # noqa: ASYNC110 - a run tells nobody of its insides
                        await trio.sleep(0.005)
                    os.kill(os.getpid(), signal.SIGINT)
                await trio.sleep_forever()

        if enough is not None:
            plan["duration"] = None
        session = self.session(url, strategies, limits=limits, **plan)
        return run_session(session, tape=self.tape, meanwhile=under_deadline, handle_signals=enough is not None)

    @property
    def tape(self) -> Path:
        return self.folder / "tape"


@pytest.fixture(autouse=True)
def leave_by_no_force(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep runs in this process from leaving it when the machine is too slow for them: it is that of all the tests."""
    monkeypatch.setattr(Stops, "abandon_in", lambda *_: None)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@attrs.define(eq=False)
class Program:
    """``strategykit`` as a user started it."""

    process: subprocess.Popen[str]
    began: float = attrs.field(factory=time.monotonic)
    out: str = ""
    err: str = ""

    def signal(self, number: signal.Signals = signal.SIGINT) -> float:
        self.process.send_signal(number)
        return time.monotonic()

    def wait(self, within: float = 15.0) -> int:
        """Wait for its end; give the exit code."""
        try:
            self.out, self.err = self.process.communicate(timeout=within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.out, self.err = self.process.communicate()
            pytest.fail(f"still running after {within} s: {self.err[-2000:]}")
        return self.process.returncode


Start = Callable[..., Program]


@pytest.fixture
def start(tmp_path: Path) -> Generator[Start]:
    """Start the program in a folder of its own; what still runs at the end is killed."""
    started: list[Program] = []

    def start(*arguments: str, **how: Any) -> Program:
        environment = {**os.environ, "PYTHONFAULTHANDLER": "1", "COLUMNS": "200"}
        process = subprocess.Popen(
            [sys.executable, "-m", "strategykit", *arguments],
            text=True,
            cwd=tmp_path,
            env=environment,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how},
        )
        started.append(Program(process))
        return started[-1]

    yield start
    for program in started:
        if program.process.poll() is None:
            program.process.kill()
        program.process.communicate()

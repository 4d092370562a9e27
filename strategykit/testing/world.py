"""A whole program in virtual time: a simulated venue, a network, and a live run with its strategies.

Nothing in it is a stand-in but the network and the clock: the venue's server, the wires, the tape and the run are the
ones that talk over real sockets. A minute takes half a second, and the same world does the same again.
"""

from __future__ import annotations

import math
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, Literal

import attrs
import trio
from trio._core import _run as trio_loop

from strategykit.config import PAPER_ACCOUNT, RunPlan, Session, StrategySpec, VenuePlan
from strategykit.errors import StrategykitError
from strategykit.model.risk_limits import DEFAULT_PLAN, RiskPlan
from strategykit.net.endpoints import Endpoints
from strategykit.registry.simulation import SimPlan
from strategykit.registry.table import find_venue
from strategykit.runtime.assembly import Run
from strategykit.runtime.home import run_with_home
from strategykit.runtime.live import LivePlan, live_main
from strategykit.runtime.order_journal import JournalDisk
from strategykit.runtime.report import RunReport
from strategykit.runtime.run import plan_session
from strategykit.runtime.stops import Stops
from strategykit.runtime.watchdog import Watchdog
from strategykit.sim.faults import FaultCommand
from strategykit.sim.models.fill_models import DEFAULT_MODELS, FillModels
from strategykit.sim.server import SimulatedServer
from strategykit.strategy import Strategy
from strategykit.tape.redact import Redactor
from strategykit.testing.clock import VirtualClock, VirtualWall
from strategykit.testing.disk import WORLD_RESERVE, WorldDisk
from strategykit.testing.faults import Fault, strike
from strategykit.testing.markets import START
from strategykit.testing.network import MemoryNetwork
from strategykit.testing.unsettled import unsettled
from strategykit.venues.dialect import LaneSpec

__all__ = ["Meanwhile", "Outing", "World", "run_world"]

SETTLE_WITHIN: Final = 90.0
"""Seconds after the last fault for everything to be as it should: three requests of 10 s, two pings of 20 s, pauses of
up to 30 s."""

QUIET: Final = 2.0
"""Seconds for which it has to stay so."""

UNSEEN: Final = 32.0
"""Seconds for which it has to, at the least, if a wire may be dead that looks well."""

RESTING: Final = 2.0
"""Seconds in which markets stand still, so that everybody knows the same of them."""

_LOOKS: Final = 8
"""How often both sides are looked at meanwhile: strategies go on placing and withdrawing orders."""

LEAVING: Final = 5.0
"""Seconds for the venue to notice that everybody has left."""

AtRest = Callable[[Run, SimulatedServer[Any]], None]
Meanwhile = Callable[[Run, MemoryNetwork], Awaitable[None]]


@attrs.frozen(kw_only=True)
class World:
    """What there is, and what happens to it."""

    venue: str = "alor"
    """As sessions call it."""
    strategies: Sequence[StrategySpec | tuple[str, Strategy]]
    """Files with parameters, or pairs of name and strategy."""
    faults: Sequence[Fault] = ()
    seconds: float = 60.0
    """How long the strategies run; afterwards no more faults strike, and all has to become well."""
    seed: int = 0
    """Of everything: market, latencies, ids, and which task goes first."""
    instruments: Sequence[str] | None = None
    """Symbols of the venue; None: all that it knows."""
    rate: float = 4.0
    """Actions of the crowd a second, on each instrument."""
    advances_per_second: float = 10.0
    latency: tuple[float, float] = (0.0002, 0.002)
    """Seconds that a piece takes over the network, at the least and at the most."""
    token_life: float = 1800.0
    """Seconds."""
    venue_ahead: float = 0.0
    """Seconds by which the venue's clock is ahead of ours."""
    paper: bool = False
    """Whether orders stay here in any case."""
    models: FillModels = DEFAULT_MODELS
    """What is assumed of fills where orders stay here."""
    keep_orders: bool = False
    on_kill: Literal["cancel", "flatten"] = "cancel"
    """What the kill switch does: withdraws orders, or closes positions, too."""
    limits: RiskPlan = DEFAULT_PLAN
    """Of risk."""
    start: int = START
    """Nanoseconds UTC."""
    options: Mapping[str, object] = attrs.field(factory=dict)
    """Of the venue's dialect."""
    patient: bool = True
    """Whether wires that are dead have to be found out by their silence, which takes half a minute; else all break when
    faults are over."""
    presses: int = 1
    """Signals that end the run; 2: it is hurried."""
    rests: bool = True
    """Whether markets stand still before the run is ended, so that both sides can be compared; what is ordered then is
    refused."""
    cut_off_at: float | None = None
    """Seconds after which all wires stand still for good, and the run is ended as fast as can be: what it leaves at the
    venue, the next one has to find by their journal. None: there is but one run."""
    collect: bool = False
    """Whether the report brings what a result is made of."""


@attrs.define(kw_only=True)
class Outing:
    """What became of a world."""

    report: RunReport | None = None
    """None if the run couldn't begin, or broke."""
    error: BaseException | None = None
    """Why."""
    run: Run | None = None
    """The parts of the run, as they were left; None if it didn't come to that."""
    before: Run | None = None
    """Those of the run that was cut off."""
    orders: Mapping[str, Any] = attrs.field(factory=dict)
    """What the venue knew of orders when the run ended, as its ``GET /sim/orders`` says it."""
    struck: int = 0
    """Faults that struck."""
    unsettled: Sequence[str] = ()
    """What wasn't as it should be `SETTLE_WITHIN` seconds after the last fault."""
    sockets_left: int = 0
    tasks_left: int = 0
    seconds: float = 0.0
    """How long all of it took, in its own time."""


class _Presses(Stops):
    """Signals that nobody sends: they are pressed from within."""

    def press(self) -> None:
        """Count one."""
        self.count += 1
        came, self._came = self._came, trio.Event()
        came.set()

    def abandon_in(self, seconds: float, why: Callable[[], str]) -> None:
        """Do nothing: the process that this would leave is a test's."""


def run_world(
    world: World,
    *,
    tape: Path | None = None,
    journal: Path | None = None,
    meanwhile: Meanwhile | None = None,
    at_rest: AtRest = lambda run, server: None,  # noqa: ARG005 - named for who reads the signature
) -> Outing:
    """Run a world to its end.

    Args:
        world: What there is.
        tape: Folder to record to; a second run goes to one beside it, ``…-2``. None: nothing is recorded.
        journal: Folder of journals; None: what is known of orders ends with a run.
        meanwhile: An async function that runs beside the run, once that has begun; it gets the network, too.
        at_rest: Called some times when all has become well, or was given up, and markets stand still, before the run is
            ended.
    """
    wall = VirtualWall(world.start)
    clock = VirtualClock(wall)
    outing = Outing()
    with _one_order(world.seed):
        play = _Play(world, outing, wall, clock, tape, journal, meanwhile, at_rest)
        try:
            run_with_home(clock, play.main)
        except StrategykitError as exc:
            outing.error = exc
    return outing


@contextmanager
def _one_order(seed: int) -> Iterator[None]:
    """Have Trio's loop shuffle by the seed, as pytest-trio does for Hypothesis: there is no public way."""
    before = trio_loop._ALLOW_DETERMINISTIC_SCHEDULING, trio_loop._r.getstate()  # noqa: SLF001 - as said
    trio_loop._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]  # noqa: SLF001
    trio_loop._r.seed(seed)  # noqa: SLF001
    try:
        yield
    finally:
        trio_loop._ALLOW_DETERMINISTIC_SCHEDULING = before[0]  # type: ignore[misc]  # noqa: SLF001
        trio_loop._r.setstate(before[1])  # noqa: SLF001


@asynccontextmanager
async def _another_home(clock: VirtualClock) -> AsyncIterator[trio.Nursery]:
    """Open a home for strategies beside the first one. Checkpoints on entry and exit, and ends what is left in it."""

    async def keep(*, task_status: trio.TaskStatus[trio.Nursery]) -> None:
        clock.adopt()
        async with trio.open_nursery() as home:
            task_status.started(home)
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        yield await nursery.start(keep)
        nursery.cancel_scope.cancel()


class _Play:
    """One performance."""

    def __init__(
        self,
        world: World,
        outing: Outing,
        wall: VirtualWall,
        clock: VirtualClock,
        tape: Path | None,
        journal: Path | None,
        meanwhile: Meanwhile | None,
        at_rest: AtRest,
    ) -> None:
        self.world = world
        self.outing = outing
        self.wall = wall
        self.clock = clock
        self.tape = tape
        self.journal = journal
        self.meanwhile = meanwhile
        self.at_rest = at_rest
        self.disk = WorldDisk()
        self.network = MemoryNetwork(random.Random(f"network {world.seed}"), latency=world.latency)

    async def main(self, home: trio.Nursery) -> None:
        world, outing, redactor = self.world, self.outing, Redactor()
        ahead = int(world.venue_ahead * 1e9)
        plan = SimPlan(
            instruments=world.instruments,
            rate=world.rate,
            seed=world.seed,
            token_life=world.token_life,
            advances_per_second=world.advances_per_second,
            clock=lambda: self.wall.now + ahead,
            listen=self.network.listen,
        )
        async with find_venue(world.venue).simulation.open(plan) as server:
            await trio.sleep(0.1)  # It opens tasks of its own.
            before = trio.lowlevel.current_statistics().tasks_living
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._strike_all, server)
                try:
                    with redactor.errors():
                        if world.cut_off_at is not None:
                            async with _another_home(self.clock) as first:
                                await self._run(first, server, redactor, self._cut_off)
                            outing.before, outing.run = outing.run, None
                            self.network.reset()
                        outing.report = await self._run(home, server, redactor, self._watch)
                except* StrategykitError as group:
                    outing.error = group
                nursery.cancel_scope.cancel()
            outing.orders = server.venue.orders
            outing.sockets_left = self.network.open_clients
            self.network.reset()
            await trio.sleep_until(max(trio.current_time(), self._stalled_until()) + LEAVING)
            outing.tasks_left = trio.lowlevel.current_statistics().tasks_living - before
            outing.seconds = trio.current_time()

    async def _run(
        self,
        home: trio.Nursery,
        server: SimulatedServer[Any],
        redactor: Redactor,
        watch: Callable[[Run, _Presses, SimulatedServer[Any]], Awaitable[None]],
    ) -> RunReport:
        stops = _Presses()

        async def meanwhile(run: Run) -> None:
            self.outing.run = run
            await watch(run, stops, server)

        plan = self._live(server, again=self.outing.before is not None)
        plan = attrs.evolve(plan, handle_signals=False, in_loop=True, meanwhile=meanwhile, collect=self.world.collect)
        return await live_main(home, plan, self.clock, self.wall, Watchdog(), redactor, stops)

    def _live(self, server: SimulatedServer[Any], *, again: bool) -> LivePlan:
        world = self.world
        known = find_venue(world.venue)
        venue = VenuePlan(
            name=world.venue,
            endpoints=Endpoints.at(server.url),
            account=known.simulation.account or PAPER_ACCOUNT,
            options=known.settings(world.options),
        )
        specs = [item for item in world.strategies if isinstance(item, StrategySpec)]
        # A run that goes on needs ids of its own.
        seed, tape = world.seed + 2**40 * again, self.tape
        if again and tape is not None:
            tape = tape.with_name(f"{tape.name}-2")
        on_stop: Literal["keep", "cancel"] = "keep" if world.keep_orders else "cancel"
        run = RunPlan(seed=seed, tape=None, journal=self.journal, on_stop=on_stop, on_kill=world.on_kill)
        session = Session(venue=venue, run=run, models=world.models, strategies=tuple(specs))
        plan = plan_session(session, paper=world.paper, tape=tape, network=self.network.client())
        made = dict(plan.strategies)
        pairs = [(item.name, made[item.name]) if isinstance(item, StrategySpec) else item for item in world.strategies]
        disk = JournalDisk(disk=self.disk, reserve=WORLD_RESERVE, sync_takes=self.disk.sync_takes)
        return attrs.evolve(plan, strategies=pairs, disk=disk, limits=world.limits)

    def _stalled_until(self) -> float:
        """Say until when the venue may not notice that somebody has left: what it is busy with takes its time."""
        stalls = [fault for fault in self.world.faults if (fault.venue or {}).get("fault") == "stall"]
        return max((fault.at + (fault.venue or {}).get("seconds", 0.0) for fault in stalls), default=0.0)

    async def _strike_all(self, server: SimulatedServer[Any]) -> None:
        for fault in sorted(self.world.faults, key=lambda fault: fault.at):
            await trio.sleep_until(fault.at)
            strike(fault, self.network, server, self.disk)
            self.outing.struck += 1

    async def _cut_off(self, run: Run, stops: _Presses, server: SimulatedServer[Any]) -> None:  # noqa: ARG002 - as below
        """End the run with nothing that it says or hears coming through."""
        await trio.sleep_until(self.world.cut_off_at or 0.0)
        for connection in self.network.connections:
            for way in connection.ways:
                way.stall(math.inf)
        self.network.refuse_until, self.network.refusal = math.inf, "unreachable"
        for _ in range(2):
            stops.press()
            await trio.sleep(0.1)
        await trio.sleep_forever()

    async def _watch(self, run: Run, stops: _Presses, server: SimulatedServer[Any]) -> None:
        """Wait until all is well after the last fault, then end the run."""
        async with trio.open_nursery() as nursery:
            if self.meanwhile is not None:
                nursery.start_soon(self.meanwhile, run, self.network)
            await trio.sleep_until(self.world.seconds)
            self.network.heal()
            self.disk.heal()
            if not self.world.patient:
                self.network.reset()
            server.faults.heal()
            self._trade(server, "resume")
            await self._settle(run)
            if self.world.rests:
                self._trade(server, "halt")
                for _ in range(_LOOKS):
                    await trio.sleep(RESTING / _LOOKS)
                    self.at_rest(run, server)
                self._trade(server, "resume")
            for _ in range(self.world.presses):
                stops.press()
                await trio.sleep(0.1)
            await trio.sleep_forever()

    def _trade(self, server: SimulatedServer[Any], fault: Literal["halt", "resume"]) -> None:
        for symbol in server.venue.market.instruments:
            server.faults.carry_out(FaultCommand(fault, instrument=symbol))

    async def _settle(self, run: Run) -> None:
        hidden = self.world.patient and any(_hides(fault) for fault in self.world.faults)
        quiet = max(UNSEEN, *map(_looks_well, run.engine.dialect.lanes.values())) if hidden else QUIET
        since, latest = trio.current_time(), trio.current_time() + SETTLE_WITHIN + quiet
        while trio.current_time() - since < quiet:
            await trio.sleep(0.25)
            lines = unsettled(run)
            if lines:
                since = trio.current_time()
            if trio.current_time() > latest:
                self.outing.unsettled = lines or ["it settles and unsettles"]
                return


def _looks_well(lane: LaneSpec) -> float:
    """Give the seconds until a wire that is dead has surely been found out."""
    pong = None if lane.ping_every is None else lane.ping_every + lane.pong_within
    return min((found for found in (lane.silence_within, pong) if found is not None), default=0.0) + QUIET


def _hides(fault: Fault) -> bool:
    """Whether a wire can look well long after this."""
    if fault.network is not None:
        return fault.network.what == "stall" and not fault.network.seconds
    return fault.venue is not None and fault.venue["fault"] in ("half_open", "silence")

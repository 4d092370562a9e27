"""A run without a venue: the test is the far end of its one connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import attrs
import pytest
import trio

from strategykit.net.inbox import Input, InputKind
from strategykit.runtime.assembly import Identity, Run, assemble
from strategykit.runtime.clock import ReplayClock
from strategykit.runtime.recording import Notes, NullLedger
from strategykit.runtime.waking import Wakes
from strategykit.strategy import Strategy
from strategykit.venues.alor.dialect import Alor
from strategykit.venues.dialect import Ask, Dialect, Frame
from strategykit.venues.subscriptions import Subscription

SECOND = 1_000_000_000


@attrs.define(eq=False)
class QuietWires:
    """The outside of a run that the test answers for, and its order port: keeps what it is asked for."""

    clock: ReplayClock
    dialect: Dialect
    asks: list[Ask] = attrs.field(factory=list)
    requests: list[Frame] = attrs.field(factory=list)
    asked_at: list[float] = attrs.field(factory=list)
    """Seconds since the start, a subscription."""
    ended: list[tuple[float, str]] = attrs.field(factory=list)
    """When streams were unsubscribed from, and which."""
    drops: list[str] = attrs.field(factory=list)
    tokens: int = 0

    def open(self, connection: str, lane: str) -> None: ...
    def close(self, connection: str) -> None: ...
    def refuse(self, connection: str, reason: str) -> None: ...
    def refresh_login(self, connection: str) -> None: ...
    def command(self, strategy: str, command: object) -> bool:
        return False

    def suspect(self, reason: str) -> None: ...

    def subscribe(self, row: Subscription, connection: str, session: int) -> None:
        self.requests.extend(self.dialect.subscribe([row], (), token="t"))
        self.asked_at.append(self.elapsed)

    def unsubscribe(self, row: Subscription, connection: str, session: int) -> None:
        self.ended.append((self.elapsed, row.stream.label))

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return (self.clock.reading - self.clock.start) / SECOND

    def drop(self, connection: str, reason: str) -> None:
        self.drops.append(reason)

    def refresh_token(self) -> None:
        self.tokens += 1

    def ask(self, ask: Ask) -> None:
        self.asks.append(ask)


Script = Callable[[Run, QuietWires], Awaitable[None]]


def play_quietly(
    strategies: Sequence[tuple[str, Strategy]], script: Script, *, dialect: Dialect | None = None
) -> tuple[Run, QuietWires]:
    """Run strategies on an open connection of which `script` is the far end; no question of theirs has an answer."""
    clock = ReplayClock(10**18)
    dialect = dialect or Alor()
    wires = QuietWires(clock, dialect)

    async def main() -> Run:
        done = trio.Event()
        async with trio.open_nursery() as nursery:
            run = assemble(
                identity=Identity(1, clock.start),
                clock=clock,
                wakes=Wakes(clock.poke),
                dialect=dialect,
                market_connections=1,
                wires=wires,
                port=wires,
                ledger=NullLedger(Notes(), lambda: clock.reading),
                strategies=strategies,
                instruments={},
                account="D1",
                exchange=None,
                nursery=nursery,
                home=nursery,
                paper=None,
                trades_at_venue=False,
                live=True,
                require_history=True,
                keep_orders=False,
            )
            nursery.start_soon(run.play_and_tell, done)
            await run.driver.quiet()
            for ask in wires.asks:
                await run.driver.dispatch(Input(InputKind.ANSWER, "http", clock.reading, b"no", ask, 404))
            await run.driver.dispatch(Input(InputKind.OPENED, "market-0", clock.reading, "market", status=1))
            await script(run, wires)
            run.supervisor.stop()
            await run.driver.finish(done)
            nursery.cancel_scope.cancel()
        return run

    return trio.run(main, clock=clock, instruments=[clock]), wires


@pytest.fixture
def play() -> Callable[..., tuple[Run, QuietWires]]:
    return play_quietly

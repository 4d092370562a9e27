"""Subscriptions that the venue refuses "for now": asked for again, after pauses."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import attrs
import pytest
import trio

from strategykit import Strategy, Trades, define
from strategykit.errors import SubscriptionRefused
from strategykit.net.inbox import Input, InputKind
from strategykit.runtime.assembly import Identity, Run, assemble
from strategykit.runtime.clock import ReplayClock
from strategykit.runtime.recording import Notes, NullLedger
from strategykit.runtime.waking import Wakes
from strategykit.venues.alor.dialect import Alor
from strategykit.venues.dialect import Ask
from strategykit.venues.subscriptions import Subscription

START = 10**18
SECOND = 10**9


@define
class Watcher(Strategy):
    trades = Trades("SBER")


@attrs.define(eq=False)
class Wires:
    """The outside of a run: keeps when it was asked."""

    clock: ReplayClock
    asks: list[Ask] = attrs.field(factory=list)
    asked_at: list[float] = attrs.field(factory=list)
    drops: list[str] = attrs.field(factory=list)
    tokens: int = 0

    def open(self, connection: str, lane: str) -> None: ...
    def close(self, connection: str) -> None: ...
    def refuse(self, reason: str) -> None: ...
    def unsubscribe(self, row: Subscription, connection: str, session: int) -> None: ...
    def refresh_login(self, connection: str) -> None: ...
    def command(self, strategy: str, command: object) -> bool:
        return False

    def suspect(self, reason: str) -> None: ...

    def subscribe(self, row: Subscription, connection: str, session: int) -> None:
        self.asked_at.append((self.clock.reading - START) / SECOND)

    def drop(self, connection: str, reason: str) -> None:
        self.drops.append(reason)

    def refresh_token(self) -> None:
        self.tokens += 1

    def ask(self, ask: Ask) -> None:
        self.asks.append(ask)


def play(script: Callable[[Run, Wires, Callable[[int], Awaitable[None]]], Awaitable[None]]) -> tuple[Run, Wires]:
    """Run a strategy whose only subscription is answered by `script`; it may await what `answer` gives."""
    clock = ReplayClock(START)
    wires = Wires(clock)

    async def main() -> Run:
        done = trio.Event()
        async with trio.open_nursery() as nursery:
            run = assemble(
                identity=Identity(1, clock.start),
                clock=clock,
                wakes=Wakes(clock.poke),
                dialect=Alor(),
                market_connections=1,
                wires=wires,
                port=wires,
                ledger=NullLedger(Notes(), lambda: clock.reading),
                strategies=[("watcher", Watcher())],
                instruments={},
                account="D1",
                exchange=None,
                nursery=nursery,
                paper=None,
                trades_at_venue=False,
                live=True,
                require_history=True,
                keep_orders=False,
            )

            async def answer(code: int) -> None:
                (row,) = run.engine.table
                frame = json.dumps({"requestGuid": row.guid, "httpCode": code, "message": "so"})
                await run.driver.dispatch(Input(InputKind.FRAME, "market-0", clock.reading, frame))

            nursery.start_soon(run.play_and_tell, done)
            await run.driver.quiet()
            for ask in wires.asks:
                await run.driver.dispatch(Input(InputKind.ANSWER, "http", clock.reading, b"no", ask, 404))
            await run.driver.dispatch(Input(InputKind.OPENED, "market-0", clock.reading, "market", status=1))
            await script(run, wires, answer)
            run.supervisor.stop()
            await run.driver.finish(done)
            nursery.cancel_scope.cancel()
        return run

    return trio.run(main, clock=clock, instruments=[clock]), wires


async def pass_seconds(run: Run, seconds: float) -> None:
    await run.driver.advance(run.clock.reading + int(seconds * SECOND))


@pytest.mark.parametrize("code", [429, 500, 503])
def test_it_is_asked_for_again_after_growing_pauses(code: int) -> None:
    """Three refusals in a few milliseconds used to fail every strategy that wanted the stream."""

    async def script(run: Run, wires: Wires, answer: Callable[[int], Awaitable[None]]) -> None:
        for _ in range(3):
            await answer(code)
            await pass_seconds(run, 9)
        await answer(200)

    run, wires = play(script)
    assert wires.asked_at == pytest.approx([0, 0.5, 11, 26], abs=0.3)
    assert [seat.failure for seat in run.supervisor.seats] == [None]
    assert wires.drops == []


def test_what_is_refused_for_ever_fails_who_wants_it() -> None:
    async def script(run: Run, wires: Wires, answer: Callable[[int], Awaitable[None]]) -> None:
        for _ in range(4):
            await answer(503)
            await pass_seconds(run, 9)

    run, wires = play(script)
    (seat,) = run.supervisor.seats
    assert isinstance(seat.failure, SubscriptionRefused)
    assert len(wires.asked_at) == 4


def test_a_dead_token_is_replaced_and_nothing_waited_for() -> None:
    async def script(run: Run, wires: Wires, answer: Callable[[int], Awaitable[None]]) -> None:
        await answer(401)
        await answer(200)
        await pass_seconds(run, 60)

    run, wires = play(script)
    assert wires.asked_at == [0, 0]
    assert wires.tokens == 1
    assert [seat.failure for seat in run.supervisor.seats] == [None]


@pytest.mark.parametrize("code", [401, 429, 500])
def test_a_stream_that_the_venue_ends_for_now_is_asked_for_again(code: int) -> None:
    """An answer that nobody asked for used to end the run as a mistake of ours."""

    async def script(run: Run, wires: Wires, answer: Callable[[int], Awaitable[None]]) -> None:
        await answer(200)
        await answer(code)
        await pass_seconds(run, 2)
        (row,) = run.engine.table
        assert row.state.value == "asked"
        await answer(200)
        assert row.state.value == "active"

    run, wires = play(script)
    assert len(wires.asked_at) == 2
    assert [seat.failure for seat in run.supervisor.seats] == [None]


def test_a_new_connection_asks_at_once() -> None:
    async def script(run: Run, wires: Wires, answer: Callable[[int], Awaitable[None]]) -> None:
        await answer(429)
        now = run.clock.reading
        await run.driver.dispatch(Input(InputKind.CLOSED, "market-0", now, "reset"))
        await run.driver.dispatch(Input(InputKind.OPENED, "market-0", now, "market", status=2))
        await answer(200)
        await pass_seconds(run, 60)

    _, wires = play(script)
    assert wires.asked_at == [0, 0]

"""Subscriptions that the venue refuses "for now": asked for again, after pauses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from strategykit import Strategy, Trades, define
from strategykit.errors import SubscriptionRefused
from strategykit.net.inbox import Input, InputKind
from strategykit.runtime.assembly import Run

SECOND = 10**9


@define
class Watcher(Strategy):
    trades = Trades("SBER")


async def answer(run: Run, code: int) -> None:
    """Answer the one subscription."""
    (row,) = run.engine.table
    frame = json.dumps({"requestGuid": row.guid, "httpCode": code, "message": "so"})
    await run.driver.dispatch(Input(InputKind.FRAME, "market-0", run.clock.reading, frame))


async def pass_seconds(run: Run, seconds: float) -> None:
    await run.driver.advance(run.clock.reading + int(seconds * SECOND))


@pytest.mark.parametrize("code", [429, 500, 503])
def test_it_is_asked_for_again_after_growing_pauses(play: Any, code: int) -> None:
    """Three refusals in a few milliseconds used to fail every strategy that wanted the stream."""

    async def script(run: Run, wires: Any) -> None:
        for _ in range(3):
            await answer(run, code)
            await pass_seconds(run, 9)
        await answer(run, 200)

    run, wires = play([("watcher", Watcher())], script)
    assert wires.asked_at == pytest.approx([0, 0.5, 11, 26], abs=0.3)
    assert [seat.failure for seat in run.supervisor.seats] == [None]
    assert wires.drops == []


def test_what_is_refused_for_ever_fails_who_wants_it(play: Any) -> None:
    async def script(run: Run, wires: Any) -> None:
        for _ in range(4):
            await answer(run, 503)
            await pass_seconds(run, 9)

    run, wires = play([("watcher", Watcher())], script)
    (seat,) = run.supervisor.seats
    assert isinstance(seat.failure, SubscriptionRefused)
    assert len(wires.asked_at) == 4


def test_a_dead_token_is_replaced_and_nothing_waited_for(play: Any) -> None:
    async def script(run: Run, wires: Any) -> None:
        await answer(run, 401)
        await answer(run, 200)
        await pass_seconds(run, 60)

    run, wires = play([("watcher", Watcher())], script)
    assert wires.asked_at == [0, 0]
    assert wires.tokens == 1
    assert [seat.failure for seat in run.supervisor.seats] == [None]


@pytest.mark.parametrize("code", [401, 429, 500])
def test_a_stream_that_the_venue_ends_for_now_is_asked_for_again(play: Any, code: int) -> None:
    """An answer that nobody asked for used to end the run as a mistake of ours."""

    async def script(run: Run, wires: Any) -> None:
        await answer(run, 200)
        await answer(run, code)
        await pass_seconds(run, 2)
        (row,) = run.engine.table
        assert row.state.value == "asked"
        await answer(run, 200)
        assert row.state.value == "active"

    run, wires = play([("watcher", Watcher())], script)
    assert len(wires.asked_at) == 2
    assert [seat.failure for seat in run.supervisor.seats] == [None]


def test_a_new_connection_asks_at_once(play: Any) -> None:
    async def script(run: Run, wires: Any) -> None:
        await answer(run, 429)
        now = run.clock.reading
        await run.driver.dispatch(Input(InputKind.CLOSED, "market-0", now, "reset"))
        await run.driver.dispatch(Input(InputKind.OPENED, "market-0", now, "market", status=2))
        await answer(run, 200)
        await pass_seconds(run, 60)

    _, wires = play([("watcher", Watcher())], script)
    assert wires.asked_at == [0, 0]

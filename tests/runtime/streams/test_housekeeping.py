"""Looking after subscriptions that nobody confirms, and streams that fall silent."""

from __future__ import annotations

from typing import Any

import trio

from strategykit import Bars, Quotes, Stale, Strategy, define
from strategykit.net.inbox import Input, InputKind
from strategykit.runtime.assembly import Run

SECOND = 1_000_000_000


@define
class Watching(Strategy):
    quotes = Quotes("X", fresh=5.0)

    def __attrs_post_init__(self) -> None:
        self.silences: list[Stale] = []

    def on_stale(self, stale: Stale) -> None:
        self.silences.append(stale)


@define
class Remembering(Strategy):
    bars = Bars("X", "1m", history=5)

    async def run(self) -> None:
        await trio.sleep_forever()


async def pass_seconds(run: Run, seconds: float) -> None:
    await run.driver.advance(run.clock.reading + int(seconds * SECOND))


async def confirm(run: Run, wires: Any) -> None:
    (row,) = run.engine.table
    frame = f'{{"requestGuid":"{row.guid}","httpCode":200,"message":"ok"}}'
    await run.driver.dispatch(Input(InputKind.FRAME, "market-0", run.clock.reading, frame))


def test_an_unconfirmed_subscription_is_asked_for_again_and_then_its_connection_is_given_up(play: Any) -> None:
    async def say_nothing(run: Run, wires: Any) -> None:
        for _ in range(35):
            await pass_seconds(run, 1)

    _, wires = play([("s", Watching())], say_nothing)

    first, second, third = wires.asked_at
    assert first == 0
    assert 10 <= second < 11
    assert 20 <= third < 22
    assert set(wires.drops) == {"quotes X unconfirmed after 3 requests"}


def test_a_confirmed_subscription_is_left_alone(play: Any) -> None:
    async def answer(run: Run, wires: Any) -> None:
        await pass_seconds(run, 9)
        await confirm(run, wires)
        await pass_seconds(run, 60)

    _, wires = play([("s", Watching())], answer)

    assert wires.asked_at == [0]
    assert wires.drops == []


def test_a_confirmed_stream_that_stays_silent_is_told_once(play: Any) -> None:
    strategy = Watching()

    async def answer(run: Run, wires: Any) -> None:
        await confirm(run, wires)
        await pass_seconds(run, 30)

    _, wires = play([("s", strategy)], answer)

    assert len(strategy.silences) == 1
    assert wires.asked_at == [0], "an acknowledged stream may be quiet for hours; asking again brings its replay again"


def test_a_strategy_whose_history_is_refused_fails_with_the_reason(play: Any) -> None:
    """The far end answers every question with 404."""

    async def go_on(run: Run, wires: Any) -> None:
        await pass_seconds(run, 1)

    run, _ = play([("s", Remembering()), ("other", Watching())], go_on)

    failed, other = run.supervisor.seats
    assert str(failed.failure) == "bars X 1m: its history can't be loaded: 404: no"
    assert other.failure is None


def test_data_of_others_cost_no_wire_whose_venue_answers_requests(play: Any) -> None:
    async def say_what_nobody_wants(run: Run, wires: Any) -> None:
        for number in range(30):
            await pass_seconds(run, 0.3)
            frame = f'{{"guid":"somebody-elses-{number}","data":{{"symbol":"Y"}}}}'
            await run.driver.dispatch(Input(InputKind.FRAME, "market-0", run.clock.reading, frame))

    run, wires = play([("s", Watching())], say_what_nobody_wants)

    assert run.engine.table.foreign == 30
    assert wires.drops == []

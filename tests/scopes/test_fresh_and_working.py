"""Blocks over a stream that has to be alive, and over orders that have to be gone."""

from __future__ import annotations

import pytest
import trio

from strategykit import OrderState
from strategykit.errors import ConfigError, Unsettled
from strategykit.testing import START, make_quotes, make_trades
from tests.scopes.conftest import SECOND, Stage, Teller, play

QUOTES = make_quotes("X", [100.0] * 4, spread=0.5)
"""At 0, 1, 2 and 3 s."""

LAST = make_trades("X", [100.0], start=START + 60 * SECOND)
"""Ends the market, much later."""


def test_silence_before_a_fresh_block_counts() -> None:
    async def story(teller: Teller) -> None:
        await trio.sleep(4.5)
        async with teller.fresh(teller.quotes, within=2) as freshness:
            teller.told.append(teller.seconds())
            await trio.sleep_forever()
        teller.told.extend((teller.seconds(), freshness.stale))

    assert play(story, [*QUOTES, *LAST]).teller.told == [4.5, 5.0, True]


def test_a_fresh_block_waits_for_a_stream_that_is_silent() -> None:
    """On a book that went stale long ago it would act for as long as the book may be silent."""

    async def story(teller: Teller) -> None:
        for within in (2, 3):
            await trio.sleep(6)
            async with teller.fresh(teller.quotes, within=within) as freshness:
                teller.told.append(teller.seconds())
                await trio.sleep_forever()
            teller.told.extend((teller.seconds(), freshness.stale))

    later = make_quotes("X", [101.0] * 2, spread=0.5, start=START + 20 * SECOND)
    latest = make_quotes("X", [101.0], spread=0.5, start=START + 40 * SECOND)

    assert play(story, [*QUOTES, *later, *latest, *LAST]).teller.told == [20, 23, True, 40, 43, True]


def test_a_fresh_block_waits_for_the_first_event_of_its_stream() -> None:
    async def story(teller: Teller) -> None:
        with trio.move_on_after(5) as scope:
            async with teller.fresh(teller.trades, within=2):
                teller.told.append("entered")
        teller.told.append((scope.cancelled_caught, teller.seconds()))

    assert play(story).teller.told == [(True, 5)]


def test_a_fresh_block_that_ends_by_itself_isnt_stale() -> None:
    async def story(teller: Teller) -> None:
        async with teller.fresh(teller.quotes, within=2) as freshness:
            await trio.sleep(3)
        teller.told.append(freshness.stale)

    assert play(story).teller.told == [False]


@pytest.mark.parametrize("within", [0, -1.0, float("nan")])
def test_freshness_needs_a_time_above_nothing(within: float) -> None:
    async def story(teller: Teller) -> None:
        with pytest.raises(ConfigError, match="within must be above 0 s"):
            async with teller.fresh(teller.quotes, within=within):
                teller.told.append("entered")

    assert play(story).teller.told == []


def test_working_orders_whose_cancel_is_lost_are_waited_for() -> None:
    async def story(teller: Teller) -> None:
        order = await teller.buy(1, limit=90.0)
        async with teller.working(order):
            await trio.sleep(1)
        teller.told.extend((order.state, teller.seconds()))

    def prepare(stage: Stage) -> None:
        async def cut() -> None:
            await trio.sleep(1.0)
            await stage.cut(4)

        stage.start(cut)

    stage = play(story, prepare=prepare, latency=0.1)

    state, seconds = stage.teller.told
    assert state is OrderState.CANCELLED
    assert 5 < seconds < 9
    stage.check_flat()


def test_a_run_in_a_hurry_says_which_orders_are_undecided() -> None:
    async def story(teller: Teller) -> None:
        async with teller.working(teller.buy_nowait(1, limit=90.0), teller.sell_nowait(1, limit=110.0)):
            await trio.sleep_forever()

    def prepare(stage: Stage) -> None:
        async def hurry() -> None:
            await trio.sleep(2)
            stage.run.supervisor.hurry()

        stage.start(hurry)

    stage = play(story, prepare=prepare, latency=0.5, check=False)

    assert isinstance(stage.error, Unsettled)
    assert stage.error.left == {}
    assert stage.error.doubtful == tuple(order.client_order_id for order in stage.orders)

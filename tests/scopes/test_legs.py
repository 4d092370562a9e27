"""Several orders: all of them are filled, or none is held, or the error says what is left."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit import Order, OrderState, RiskLimit, Side
from strategykit.errors import LegsApart, Unsettled
from strategykit.model.orders import Command
from tests.scopes.conftest import Stage, Teller, play, thin

BUY, SELL = Side.BUY, Side.SELL
D = Decimal


def refusing(wanted: Callable[[Command], bool], *words: str) -> Callable[[Stage], None]:
    """Have the venue treat its first such commands so."""

    def prepare(stage: Stage) -> None:
        left = list(words)
        stage.venue.verdict = lambda command: left.pop(0) if left and wanted(command) else ""

    return prepare


def sells(command: Command) -> bool:
    return command.request.side is SELL


async def both(teller: Teller, within: float = 3.0, **how: Any) -> None:
    """Buy two at the market and sell one by a limit; the two are both on X, as a venue of one instrument has them."""
    async with teller.legs(within=within) as legs:
        legs.buy(2)
        legs.sell(1, **how)
    teller.told.append("both")


def test_legs_that_are_all_filled_are_the_strategys_to_give_up() -> None:
    async def story(teller: Teller) -> None:
        await both(teller, limit=100.0)
        teller.told.append((teller.position(), teller.seconds()))

    stage = play(story, latency=0.1)

    assert stage.teller.told == ["both", (1, 0.1)]
    assert [order.state for order in stage.orders] == [OrderState.FILLED] * 2


def test_one_that_is_refused_undoes_the_other_at_once() -> None:
    async def story(teller: Teller) -> None:
        with pytest.raises(LegsApart, match=r"not all legs were filled, so none is held: .*rejected, 0 filled"):
            await both(teller)
        teller.told.append(teller.seconds())

    stage = play(story, prepare=refusing(sells, "refuse"), latency=0.1)

    assert stage.teller.told == [pytest.approx(0.2)]
    assert stage.sides == [BUY, SELL]
    stage.check_flat()


def test_one_that_isnt_filled_in_time_undoes_the_other() -> None:
    async def story(teller: Teller) -> None:
        with pytest.raises(LegsApart):
            await both(teller, limit=105.0)
        teller.told.append(teller.seconds())

    stage = play(story)

    assert stage.teller.told == [3.0]
    assert [order.state.value for order in stage.orders] == ["filled", "cancelled", "filled"]
    stage.check_flat()


def test_what_is_filled_of_a_leg_is_undone_with_the_rest() -> None:
    async def story(teller: Teller) -> None:
        with pytest.raises(LegsApart):
            async with teller.legs(within=1.5) as legs:
                legs.buy(5, limit=100.5)

    stage = play(story, thin(100, 100.4, 100.4, 100.4))

    assert [int(order.filled_quantity) for order in stage.orders] == [3, 3]
    stage.check_flat()


def test_a_fill_that_overtakes_the_cancel_makes_them_all() -> None:
    """The offer is there for the first time while the cancel is on its way."""

    async def story(teller: Teller) -> None:
        async with teller.legs(within=1.5) as legs:
            legs.buy(1)
            legs.buy(1, limit=99.0)
        teller.told.append(teller.position())

    stage = play(story, thin(100, 100, 98.5, 98.5, 98.5), latency=0.9)

    assert stage.teller.told == [2]
    assert [order.state for order in stage.orders] == [OrderState.FILLED] * 2


def test_an_error_in_the_block_undoes_what_was_placed() -> None:
    async def story(teller: Teller) -> None:
        async with teller.legs(within=5) as legs:
            order = legs.buy(2)
            await order.filled()
            raise LookupError("mine")

    stage = play(story, check=False)

    assert isinstance(stage.error, LookupError)
    assert stage.sides == [BUY, SELL]
    stage.check_flat()


def test_a_leg_that_we_refuse_undoes_those_before_it() -> None:
    async def story(teller: Teller) -> None:
        async with teller.legs(within=5) as legs:
            legs.buy(2)
            legs.sell(D("0.5"))

    stage = play(story, latency=0.1, check=False)

    assert isinstance(stage.error, RiskLimit)
    assert stage.sides == [BUY, SELL]
    stage.check_flat()


@pytest.mark.parametrize("after", [0.0, 0.05, 0.15, 2.0])
def test_a_cancel_undoes_them(after: float) -> None:
    async def story(teller: Teller) -> None:
        with trio.move_on_after(after):
            await both(teller, limit=105.0)

    stage = play(story, latency=0.1)

    assert stage.teller.told == []
    stage.check_flat()


def test_what_cant_be_undone_is_told() -> None:
    async def story(teller: Teller) -> None:
        await both(teller)

    stage = play(story, prepare=refusing(sells, *["refuse"] * 100), check=False)

    assert isinstance(stage.error, Unsettled)
    assert isinstance(stage.error.__cause__, LegsApart)
    assert stage.error.left == {"X": 2}
    assert stage.venue.held() == 2


def test_no_legs_are_all_legs() -> None:
    async def story(teller: Teller) -> None:
        async with teller.legs(within=5) as legs:
            await trio.sleep(1)
        teller.told.append((legs.orders, teller.seconds()))

    assert play(story).teller.told == [([], 1.0)]


def test_time_for_them_is_above_nothing() -> None:
    async def story(teller: Teller) -> None:
        with pytest.raises(RiskLimit, match="within must be above 0 s, not 0"):
            async with teller.legs(within=0):
                teller.told.append("placed")

    assert play(story).teller.told == []


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_whatever_breaks_all_or_none_is_held(data: st.DataObject) -> None:
    words = data.draw(st.lists(st.sampled_from(["", "", "refuse", "mute", "swallow"]), max_size=6))
    cuts = data.draw(st.lists(st.tuples(st.floats(0, 6), st.floats(0.1, 4)), max_size=2))
    limit = data.draw(st.sampled_from([None, 99.5, 100.0, 101.0]))
    latency = data.draw(st.sampled_from([0.0, 0.3]))
    moves = data.draw(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=10, max_size=10))
    placed: list[Order] = []

    async def story(teller: Teller) -> None:
        async with teller.legs(within=2) as legs:
            placed.append(legs.buy(2))
            placed.append(legs.sell(5, limit=limit))

    def prepare(stage: Stage) -> None:
        left = list(words)
        stage.venue.verdict = lambda _: left.pop(0) if left else ""
        for began, length in cuts:

            async def cut(began: float = began, length: float = length) -> None:
                await trio.sleep(began)
                await stage.cut(length)

            stage.start(cut)

    prices = [100.0]
    for move in moves:
        prices.append(prices[-1] + move)
    stage = play(story, thin(*prices), prepare=prepare, latency=latency, check=False)

    assert not any(order.is_open for order in stage.orders) or isinstance(stage.error, Unsettled)
    if stage.error is None:
        assert stage.venue.held() == -3
        assert [order.remaining for order in placed] == [0, 0]
    elif isinstance(stage.error, LegsApart):
        stage.check_flat()
    else:
        assert isinstance(stage.error, Unsettled)
        if not stage.error.doubtful:
            assert stage.error.left.get("X", 0) == stage.venue.held()

"""Positions on terms: entered by a limit or at the market, left by stop, trail, target or time, changed meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest
import trio

from strategykit import OrderEnded, OrderState, Rates, RiskLimit, Side, Strategy, define
from strategykit.model.events import Event
from strategykit.runtime.holding import Holding
from strategykit.testing import make_quotes, run_strategy
from tests.scopes.conftest import Teller, market, play, thin

BUY, SELL = Side.BUY, Side.SELL
D = Decimal


def lived(terms: dict[str, Any], events: Sequence[Event], *, side: Side = BUY) -> tuple[str, float]:
    """Hold one lot until something ends it; give what did, and when."""

    async def story(teller: Teller) -> None:
        block = teller.long if side is BUY else teller.short
        async with block(1, **terms) as holding:
            await trio.sleep_forever()
        teller.told.extend((holding.ended_by, teller.seconds()))

    stage = play(story, events, at_venue=False)
    stage.check_flat()
    ended_by, seconds = stage.teller.told
    return ended_by, seconds


# What ends it


@pytest.mark.parametrize(
    ("side", "terms", "prices", "ends"),
    [
        (BUY, {"trailing": D(2)}, [100, 101, 103, 102, 101.1, 101, 100], ("trailing", 5.0)),
        (SELL, {"trailing": D(2)}, [100, 99, 97, 98, 98.6, 99, 100], ("trailing", 4.0)),
        (BUY, {"trailing": 0.02}, [100, 101, 103, 102, 101.1, 100.98, 100], ("trailing", 5.0)),
        (BUY, {"trailing": D(5), "stop": D(1)}, [100, 101, 102, 100, 99.5, 99], ("stop", 4.0)),
        (BUY, {"stop": D("1.5"), "target": D(2)}, [100, 101, 102.4, 102.5, 103], ("target", 3.0)),
        (BUY, {"within": 2.5}, [100, 101, 102, 103, 104], ("time", 2.5)),
        (BUY, {"within": 2.5, "stop": 0.01}, [100, 99.4, 99, 99, 99], ("stop", 1.0)),
    ],
)
def test_stop_trail_target_or_time_end_it_whichever_comes_first(
    side: Side, terms: dict[str, Any], prices: list[float], ends: tuple[str, float]
) -> None:
    assert lived(terms, market(prices), side=side) == ends


def test_without_trades_it_trails_the_price_at_which_it_could_be_left() -> None:
    quotes = make_quotes("X", [100.0, 102, 103, 101.9, 100.9, 100], spread=0.5)

    assert lived({"trailing": D(2)}, quotes) == ("trailing", 4.0)


def test_a_stop_that_is_the_programs_own_is_said_to_be() -> None:
    async def story(teller: Teller) -> None:
        async with teller.long(1, stop=0.02) as holding:
            await trio.sleep(1)
            teller.told.append(holding.protection)

    stage = play(story, at_venue=False)

    (protection,) = stage.teller.told
    assert (protection.where, protection.price, protection.order, protection.reason) == ("here", D("98.49"), None, "")


# What can be changed


def test_stop_target_trail_and_time_can_be_moved_inside_the_block() -> None:
    async def story(teller: Teller) -> None:
        for change in changes:
            begun = teller.seconds()
            async with teller.long(1, stop=0.5, target=0.5, within=50) as holding:
                change(holding)
                await trio.sleep_forever()
            teller.told.append((holding.ended_by, teller.seconds() - begun))

    changes: list[Callable[[Holding], None]] = [
        lambda holding: holding.move_stop(D(99)),
        lambda holding: holding.move_target(102.0),
        lambda holding: holding.trail(D("1.5")),
        lambda holding: holding.end_within(1.5),
    ]
    path = [100, 99.5, 98.9, 100, 101, 102, 103.5, 102.5, 101.9, 100, 100, 100]
    stage = play(story, market(path), at_venue=False)

    assert stage.teller.told == [("stop", 2.0), ("target", 3.0), ("trailing", 3.0), ("time", 1.5)]
    stage.check_flat()


def test_time_can_be_given_to_a_position_that_had_none_and_be_prolonged() -> None:
    async def story(teller: Teller) -> None:
        async with teller.long(1) as holding:
            holding.end_within(2)
            await trio.sleep(1)
            holding.end_within(3.5)
            await trio.sleep_forever()
        teller.told.extend((holding.ended_by, teller.seconds()))

    assert play(story).teller.told == ["time", 4.5]


@pytest.mark.parametrize("watched", [True, False])
@pytest.mark.parametrize(("side", "price"), [(BUY, 101.0), (SELL, 99.0)])
def test_a_stop_that_is_put_beyond_the_market_ends_the_block_at_once(side: Side, price: float, watched: bool) -> None:
    async def story(teller: Teller) -> None:
        block = teller.long if side is BUY else teller.short
        async with block(1, target=0.5 if watched else None) as holding:
            await trio.sleep(1.5)
            holding.move_stop(price)
            teller.told.append(holding.ended_by)
            await trio.sleep_forever()
        teller.told.append(teller.seconds())

    stage = play(story, at_venue=False)

    assert stage.teller.told == ["stop", 1.5]
    stage.check_flat()


def test_a_level_that_cant_be_is_refused_and_the_block_goes_on() -> None:
    async def story(teller: Teller) -> None:
        async with teller.long(1, stop=0.02) as holding:
            for move, value in ((holding.move_stop, -1.0), (holding.trail, 0), (holding.end_within, 0)):
                with pytest.raises(RiskLimit):
                    move(value)
            await trio.sleep(1)
            teller.told.append((holding.ended_by, holding.protection.price, holding.instrument))

    assert play(story).teller.told == [("block", D("98.49"), "X")]


def test_levels_need_a_stream_that_tells_prices() -> None:
    @define
    class Blind(Strategy):
        rates = Rates("X")

        async def run(self) -> None:
            with pytest.raises(RiskLimit, match="a stop or target on X needs a stream of its prices"):
                async with self.long(1, instrument="X", stop=0.02):
                    raise AssertionError

    blind = run_strategy(Blind(), make_quotes("X", [100.0] * 3, spread=0.5))

    assert not blind.check().orders


# The entry


def test_an_entry_by_limit_is_waited_for() -> None:
    async def story(teller: Teller) -> None:
        async with teller.long(2, limit=99.0) as holding:
            teller.told.append((teller.seconds(), holding.entry_price, holding.entry.request.price))

    stage = play(story, make_quotes("X", [100, 100, 99, 98.5, 98.5], spread=0.5))

    assert stage.teller.told == [(3.0, D(99), D("99.00"))]
    stage.check_flat()


def test_an_entry_that_isnt_filled_in_time_is_withdrawn_and_told() -> None:
    async def story(teller: Teller) -> None:
        with pytest.raises(OrderEnded, match="ended cancelled: no fill"):
            async with teller.long(2, limit=99.0, enter_within=3):
                teller.told.append("held")
        teller.told.append(teller.seconds())

    stage = play(story, latency=0.25)

    assert stage.teller.told == [3.25]
    assert [order.state for order in stage.orders] == [OrderState.CANCELLED]


def test_what_is_filled_in_time_is_held() -> None:
    async def story(teller: Teller) -> None:
        async with teller.short(5, limit=100.0, enter_within=2) as holding:
            teller.told.append((holding.quantity, holding.entry.state, teller.seconds()))
        teller.told.append(holding.quantity)

    stage = play(story, thin(100, 99.4, 99.4, 99.4, 99.4))

    assert stage.teller.told == [(3, OrderState.CANCELLED, 2.0), 0]
    stage.check_flat()


def test_a_fill_that_overtakes_the_cancel_of_an_entry_is_held_too() -> None:
    """The cancel leaves at 2 s and arrives at 2.5 s; the rest is filled in between."""

    async def story(teller: Teller) -> None:
        async with teller.long(5, limit=100.5, enter_within=2) as holding:
            teller.told.append((holding.quantity, holding.entry.state))

    quotes = make_quotes("X", [100, 100.4, 100.4, 100.4, 99.5, 99.5, 99.5], spread=0.5, size=3, every=0.6)
    stage = play(story, quotes, latency=0.5)

    assert stage.teller.told == [(5, OrderState.FILLED)]
    stage.check_flat()


def test_a_level_that_cant_be_reached_from_the_entry_leaves_at_once() -> None:
    async def story(teller: Teller) -> None:
        with pytest.raises(RiskLimit, match=r"a stop at -49\.5 can't be reached; it was entered at 100\.5"):
            async with teller.long(1, stop=D(150)):
                teller.told.append("held")

    stage = play(story)

    assert stage.teller.told == []
    assert stage.sides == [BUY, SELL]
    stage.check_flat()


def test_a_stop_here_that_is_reached_before_all_is_entered_ends_it_before_the_block_does_anything() -> None:
    async def story(teller: Teller) -> None:
        async with teller.long(5, limit=100.5, stop=D(1)) as holding:
            teller.told.append((holding.ended_by, holding.quantity, teller.seconds()))
            await trio.lowlevel.checkpoint()
            teller.told.append("went on")

    (wide,) = make_quotes("X", [99.4], spread=2, start=thin(1, 2, 3)[2].receive_time)
    stage = play(
        story,
        [*thin(100, 100.4), wide, *make_quotes("X", [99.4] * 3, spread=2, start=wide.receive_time)],
        at_venue=False,
    )

    assert stage.teller.told == [("stop", 3, 2.0)]
    assert [order.state for order in stage.orders] == [OrderState.CANCELLED, OrderState.FILLED]
    stage.check_flat()

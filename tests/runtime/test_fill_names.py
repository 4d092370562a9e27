"""A fill counts once, under whichever name of its instrument the venue tells it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import attrs
from trio.testing import MockClock

from strategykit.model.events import Fill, Side
from strategykit.model.instruments import Instrument
from strategykit.runtime.fill_memory import FillMemory

if TYPE_CHECKING:
    from tests.runtime.conftest import Stage

LONG = "E/C/X"


async def test_a_fill_under_the_markets_short_name_is_the_orders(stage: Stage, autojump_clock: MockClock) -> None:
    cast("dict[str, Instrument]", stage.gateway.instruments)[LONG] = Instrument(LONG)
    order = stage.gateway.submit("s", LONG, Side.BUY, 5, limit=Decimal(100))
    stage.execute()
    await stage.reply()
    await stage.tell()
    truth = stage.venue.of(order.client_order_id)[-1]
    stage.venue.fill(truth, 2)
    told = next(thing for thing in stage.venue.said if isinstance(thing, Fill))

    for name in ("X", LONG, "X"):
        stage.gateway.filled(attrs.evolve(cast("Any", told), instrument=name))

    assert order.filled_quantity == 2
    assert [fill.instrument for fill in stage.ear.fills] == [LONG]
    assert stage.gateway.contradictions == []


async def test_a_fill_of_another_instrument_is_told_as_a_contradiction(stage: Stage, autojump_clock: MockClock) -> None:
    order, truth = await stage.working()
    stage.venue.fill(truth, 2)
    told = next(thing for thing in stage.venue.said if isinstance(thing, Fill))

    stage.gateway.filled(attrs.evolve(cast("Any", told), instrument="Y"))

    assert order.filled_quantity == 2
    assert [fill.instrument for fill in stage.ear.fills] == ["X"]
    assert "told to be one of Y" in stage.gateway.contradictions[0]


def test_fills_that_turn_out_to_be_ours_are_nobody_elses_any_more() -> None:
    memory = FillMemory()
    memory.keep(Fill("X", "t1", "n1", None, Side.BUY, Decimal(3), Decimal(1), None, None, None, 0, ""))
    assert memory.foreign == {"X": Decimal(3)}

    memory.take("n1")

    assert memory.foreign == {"X": Decimal(0)}

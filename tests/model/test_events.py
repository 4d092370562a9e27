from __future__ import annotations

import subprocess
import sys
from typing import get_args

import attrs
import pytest

from strategykit.model.events import Event, Gap, Quote, Side, Trade, event


def test_sides_have_signs_and_opposites() -> None:
    assert [side.sign for side in (Side.BUY, Side.SELL)] == [1, -1]
    assert [side.opposite for side in (Side.BUY, Side.SELL)] == [Side.SELL, Side.BUY]


@pytest.mark.parametrize("kind", get_args(Event))
def test_every_event_says_what_when_and_by_which_subscription(kind: type) -> None:
    names = {field.name for field in attrs.fields(kind)}

    assert {"instrument", "event_time", "receive_time", "guid"} <= names
    assert not hasattr(kind, "__dict__") or "__slots__" in vars(kind)


@pytest.mark.parametrize("kind", get_args(Event))
def test_no_event_has_a_field_that_storing_would_overwrite(kind: type) -> None:
    assert "type" not in {field.name for field in attrs.fields(kind)}


def test_events_compare_by_identity() -> None:
    one, other = (Trade("SBER", 1.0, 1.0, None, None, None, 1, "g") for _ in range(2))

    assert one != other
    assert one == one
    assert len({one, other}) == 2


def test_events_have_no_room_for_more() -> None:
    gap = Gap("SBER", 1, 2, "reset", None, 2, "g")

    with pytest.raises(AttributeError):
        gap.note = "x"  # type: ignore[attr-defined]  # that's the point


def test_what_a_venue_leaves_out_is_none() -> None:
    quote = Quote("SBER", None, None, None, None, None, None, 1, "g")

    assert (quote.open, quote.volume, quote.snapshot) == (None, None, False)


def test_events_are_really_frozen_in_development_mode() -> None:
    code = (
        "import attrs; from strategykit.model.events import Gap\n"
        "gap = Gap('SBER', 1, 2, 'reset', None, 2, 'g')\n"
        "try: gap.since = 5\n"
        "except attrs.exceptions.FrozenInstanceError: print('frozen')\n"
    )
    run = subprocess.run(
        [sys.executable, "-X", "dev", "-c", code], capture_output=True, text=True, check=True, timeout=30
    )

    assert run.stdout == "frozen\n"


def test_the_decorator_makes_positional_slotted_classes() -> None:
    @event
    class Ping:
        instrument: str
        receive_time: int = 0

    assert Ping("SBER", 5).receive_time == 5
    assert not hasattr(Ping("SBER"), "__dict__")

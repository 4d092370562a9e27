from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.errors import ConfigError
from strategykit.model.events import Side
from strategykit.model.instruments import Instrument, TickBand

D = Decimal
SBER = Instrument("SBER", tick=D("0.05"), lot=D(10))


@pytest.mark.parametrize("field", ["tick", "lot", "multiplier"])
@pytest.mark.parametrize("wrong", [D(0), D(-1), D("nan"), D("inf"), 0.01, "1"])
def test_what_counts_must_be_an_amount_above_zero(field: str, wrong: object) -> None:
    with pytest.raises(ConfigError, match=f"instrument {field} must be a Decimal above 0"):
        Instrument("SBER", **{field: wrong})  # type: ignore[arg-type]  # that's the point


def test_prices_round_to_the_tick() -> None:
    assert SBER.round_price(100.07) == D("100.05")
    assert SBER.round_price("100.08") == D("100.10")
    assert SBER.round_price(D("100.025")) == D("100.00")


def test_a_side_rounds_away_from_crossing() -> None:
    assert SBER.round_price("100.09", side=Side.BUY) == D("100.05")
    assert SBER.round_price("100.01", side=Side.SELL) == D("100.05")


def test_ticks_and_price_are_inverse() -> None:
    assert SBER.ticks(100.05) == 2001
    assert SBER.price(2001) == D("100.05")


def test_a_price_between_ticks_has_no_ticks() -> None:
    with pytest.raises(ConfigError, match=r"SBER: price 100\.07 isn't a multiple of the tick 0\.05"):
        SBER.ticks(100.07)


@pytest.mark.parametrize("wrong", ["abc", "nan", float("inf"), float("nan"), D("-inf"), ""])
def test_what_is_no_number_is_no_price(wrong: float | str | Decimal) -> None:
    with pytest.raises(ConfigError, match="isn't a number"):
        SBER.ticks(wrong)
    with pytest.raises(ConfigError, match="isn't a number"):
        SBER.round_price(wrong)


def test_value_counts_lots_and_multiplier() -> None:
    assert Instrument("Si", lot=D(10), multiplier=D("0.5")).value(D(100), D(-3)) == D(-1500)


@settings(deadline=None, max_examples=200)
@given(
    st.decimals("-1000", "1000000", places=7),
    st.sampled_from([D("0.01"), D("0.05"), D(1), D("0.0025"), D("0.03")]),
    st.sampled_from([None, Side.BUY, Side.SELL]),
)
def test_whatever_the_price_it_rounds_to_a_tick_beside_it(price: Decimal, tick: Decimal, side: Side | None) -> None:
    instrument = Instrument("X", tick=tick)

    rounded = instrument.round_price(price, side=side)

    assert instrument.price(instrument.ticks(rounded)) == rounded
    assert abs(rounded - price) < tick
    if side is None:
        assert abs(rounded - price) <= tick / 2
    else:
        assert (price - rounded) * side.sign >= 0


def test_prices_in_a_band_round_to_its_own_step() -> None:
    wide = (
        TickBand(tick=Decimal("0.25"), above=Decimal(5)),
        TickBand(tick=Decimal("0.25"), below=Decimal(-5)),
        TickBand(tick=Decimal(1), above=Decimal(0), below=Decimal(1)),
    )
    option = Instrument("O", tick=Decimal("0.05"), bands=wide)

    assert [option.tick_at(Decimal(price)) for price in ("5", "5.05", "-5.05", "0.5", "1")] == [
        Decimal(step) for step in ("0.05", "0.25", "0.25", "1", "0.05")
    ]
    assert option.round_price("5.30") == Decimal("5.25")
    assert option.round_price("5.30", side=Side.SELL) == Decimal("5.50")
    assert option.round_price("4.97", side=Side.BUY) == Decimal("4.95")

"""Whatever the models, the file that is written gives them back."""

from __future__ import annotations

import tomllib
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.config_models import make_models
from strategykit.parity.written import models_as_toml
from strategykit.sim.fees import FeeModel, FeeTier
from strategykit.sim.models.bars import BarPrice, BarRule
from strategykit.sim.models.day_end import DayEnd
from strategykit.sim.models.fill_models import DEFAULT_MODELS, FillModels
from strategykit.sim.models.impact import Impact
from strategykit.sim.models.latency import Constant, Drawn, Recorded
from strategykit.sim.models.queues import Chance, Family, FillRule, Shape

spans = st.integers(0, 10**10)
rates = st.decimals("0", "0.01", places=5)
latencies = st.one_of(
    st.builds(Constant, span=spans),
    st.builds(Drawn, samples=st.lists(spans, min_size=1, max_size=4).map(tuple), seed=st.integers(0, 9)),
    st.lists(spans, min_size=1, max_size=4, unique=True).map(
        lambda times: Recorded(times=tuple(sorted(times)), spans=tuple(times))
    ),
)
fees = st.builds(
    FeeModel,
    maker_rate=st.decimals("-0.001", "0.01", places=5),
    taker_rate=rates,
    most_rate=st.none() | rates,
    tiers=st.sampled_from([(), (FeeTier(volume=Decimal(1), maker_rate=Decimal(0), taker_rate=Decimal("0.1")),)]),
)
models = st.builds(
    FillModels,
    rule=st.sampled_from(FillRule),
    chance=st.builds(
        Chance, family=st.sampled_from(Family), exponent=st.floats(0.01, 99), shape=st.sampled_from(Shape)
    ),
    partial=st.booleans(),
    bars=st.sampled_from(BarRule),
    bar_share=st.floats(0.01, 1),
    bar_price=st.sampled_from(BarPrice),
    order_latency=latencies,
    answer_latency=latencies,
    fees=fees,
    fees_of=st.dictionaries(st.sampled_from(["SBER", 'A "B"', "MOEX"]), fees, max_size=2),
    impact=st.builds(Impact, ticks=rates),
    day_end=st.sampled_from([None, DayEnd(at="18:40"), DayEnd(at="00:00", time_zone="Europe/Moscow")]),
    cash_step=st.none() | st.just(Decimal("0.01")),
)


@settings(max_examples=50, deadline=None)
@given(wanted=models)
def test_whatever_the_models_their_file_gives_them_back(wanted: FillModels) -> None:
    assert make_models(tomllib.loads(models_as_toml(wanted))["models"]) == wanted


def test_models_as_they_are_without_a_word_need_none() -> None:
    assert models_as_toml(DEFAULT_MODELS) == "[models]\n"

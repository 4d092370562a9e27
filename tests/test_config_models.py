"""Fill models in TOML: what files may say, and how a wrong one is told."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from strategykit.config import make_session
from strategykit.config_models import load_models, make_models, models_as_dict
from strategykit.config_values import Mistakes
from strategykit.errors import ConfigError
from strategykit.model.codec import from_dict, make_converter
from strategykit.sim.fees import FeeModel, FeeTier
from strategykit.sim.models.bars import BarPrice, BarRule
from strategykit.sim.models.day_end import DayEnd
from strategykit.sim.models.fill_models import DEFAULT_MODELS, FillModels
from strategykit.sim.models.impact import Impact
from strategykit.sim.models.latency import Constant, Drawn, Recorded
from strategykit.sim.models.queues import Chance, Family, FillRule, Shape

D = Decimal

WHOLE = """
rule = "probability"
partial = true
beyond_depth = false
only_trades = true
bars = "stop_first"
bar_price = "open"
bar_share = 0.1
next_open = true
next_bar = true
stop_at_close = true
feed_latency = "3ms"
order_latency = { type = "drawn", samples = ["1ms", "2ms"], seed = 7 }
answer_latency = { type = "recorded", times = [1, 2], spans = ["5ms", "6ms"] }
margin_rate = 0.25
cash_step = "0.01"

[chance]
family = "log"
exponent = 2
shape = "of_all"

[impact]
ticks_per_lot = 0.5

[day_end]
at = "18:50"
time_zone = "Europe/Moscow"

[fees]
maker_rate = 0.0002
order_minimum = 1

[[fees.tiers]]
volume = 1000000
maker_rate = 0
taker_rate = 0.0004

[fees_of.SBER]
taker_rate = 0.0001
"""

MODELS = FillModels(
    rule=FillRule.PROBABILITY,
    partial=True,
    beyond_depth=False,
    only_trades=True,
    bars=BarRule.STOP_FIRST,
    bar_price=BarPrice.OPEN,
    bar_share=0.1,
    next_open=True,
    next_bar=True,
    stop_at_close=True,
    feed_latency=Constant(span=3_000_000),
    order_latency=Drawn(samples=(1_000_000, 2_000_000), seed=7),
    answer_latency=Recorded(times=(1, 2), spans=(5_000_000, 6_000_000)),
    margin_rate=D("0.25"),
    cash_step=D("0.01"),
    chance=Chance(family=Family.LOG, exponent=2.0, shape=Shape.OF_ALL),
    impact=Impact(ticks_per_lot=D("0.5")),
    day_end=DayEnd(at="18:50", time_zone="Europe/Moscow"),
    fees=FeeModel(
        maker_rate=D("0.0002"),
        order_minimum=D(1),
        tiers=(FeeTier(volume=D(1_000_000), maker_rate=D(0), taker_rate=D("0.0004")),),
    ),
    fees_of={"SBER": FeeModel(taker_rate=D("0.0001"))},
)


def test_a_file_says_every_model(tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    file.write_text(WHOLE, encoding="utf-8")

    assert load_models(file) == MODELS


def test_a_file_may_have_the_table_of_a_session(tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    file.write_text('[models]\nrule = "trade_through"\n', encoding="utf-8")

    assert load_models(file) == FillModels(rule=FillRule.TRADE_THROUGH)


def test_what_is_not_said_is_as_by_default() -> None:
    assert make_models({}) == DEFAULT_MODELS


def test_models_go_to_json_and_come_back() -> None:
    facts = models_as_dict(MODELS)

    assert from_dict(make_converter(), facts, FillModels) == MODELS
    assert models_as_dict(DEFAULT_MODELS) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('rule = "hope"', "models.rule = 'hope' should be one of touch, trade_through, risk_averse, probability"),
        ("partial = 1", "models.partial = 1 should be true or false"),
        ("bar_share = true", "models.bar_share = True should be a number"),
        ("bar_share = 7", "models bar_share must be above 0, and 1 at most, not 7.0"),
        ('order_latency = "soon"', "models.order_latency duration 'soon' should look like"),
        ("order_latency = 1.5", "models.order_latency should be a time such as"),
        ("order_latency = 5", 'models.order_latency = 5 should be a time such as "5ms" or "250us"'),
        ("feed_latency = true", "models.feed_latency should be a time such as"),
        ("answer_latency = 20_000_000", "models.answer_latency = 20000000 should be a time such as"),
        ('feed_latency = { type = "constant", span = 5 }', "models.feed_latency.span = 5 should be a time such as"),
        ('order_latency = { type = "drawn", samples = ["1ms", 2] }', "= 2 should be a time such as"),
        ('order_latency = { type = "recorded", times = [1], spans = [7] }', "= 7 should be a time such as"),
        ('order_latency = "-5ms"', "models.order_latency duration '-5ms' should look like"),
        ('order_latency = { type = "slow" }', "models.order_latency should be a time such as"),
        ('order_latency = { type = "drawn" }', "models.order_latency.samples is missing"),
        ('order_latency = { type = "drawn", samples = [true] }', "should be a time such as"),
        ('order_latency = { type = "drawn", samples = ["1s"], seed = "x" }', "should be a whole number"),
        ('fees = { maker_rate = "dear" }', "models.fees.maker_rate = 'dear' should be a number"),
        ("fees = { maker_rate = [] }", "models.fees.maker_rate = [] should be a number"),
        ("fees = { step = 0 }", "fee step must be above 0"),
        ("fees_of = { SBER = { rate = 1 } }", "has no key rate; known are maker_rate"),
        ("day_end = { at = 18 }", "models.day_end.at = 18 should be text in quotes"),
        ("day_end = '18:50'", "models.day_end = '18:50' should be a table with keys among at, time_zone"),
        ("impact = 1", "models.impact = 1 should be a table with keys among ticks"),
        ("fees = 0.1", "models.fees = 0.1 should be a table with keys among maker_rate"),
        ("day_end = { at = '1850x' }", "should be a time of day"),
        ("chance = { exponent = 0 }", "exponent must be above 0"),
        ("slippage = 1", "models has no key slippage; known are rule"),
    ],
)
def test_each_mistake_is_told_with_its_key(text: str, words: str) -> None:
    with pytest.raises(Mistakes) as caught:
        make_models(tomllib.loads(text))

    (line,) = caught.value.lines
    assert words in line


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    file.write_text("partial = 1\nonly_trades = 2\n", encoding="utf-8")

    with pytest.raises(ConfigError) as caught:
        load_models(file)

    assert [line.removeprefix(f"{file}: ") for line in str(caught.value).splitlines()] == [
        "models.partial = 1 should be true or false",
        "models.only_trades = 2 should be true or false",
    ]


@pytest.mark.parametrize(
    ("content", "words"), [(b"rule =", "isn't TOML"), (b"\xff", "isn't UTF-8 text"), (None, "can't be read")]
)
def test_a_file_that_is_no_file_of_models_is_refused(tmp_path: Path, content: bytes | None, words: str) -> None:
    file = tmp_path / "models.toml"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(ConfigError, match=words):
        load_models(file)


def test_models_are_a_table() -> None:
    with pytest.raises(Mistakes, match="should be a table"):
        make_models([])


def test_a_session_says_what_its_paper_trading_assumes(tmp_path: Path) -> None:
    venue = '[venue]\nname = "alor"\nurl = "http://127.0.0.1:8900"\n'
    document = tomllib.loads(f'{venue}[models]\nrule = "risk_averse"\norder_latency = "20ms"\n')

    session = make_session(document, folder=tmp_path, source="session.toml")

    assert session.models == FillModels(rule=FillRule.RISK_AVERSE, order_latency=Constant(span=20_000_000))


def test_a_mistake_in_the_models_of_a_session_is_told_like_others(tmp_path: Path) -> None:
    document = tomllib.loads('[venue]\nname = "alor"\nurl = "http://127.0.0.1:8900"\n[models]\nrule = "hope"\n')

    with pytest.raises(ConfigError, match=r"session.toml: models.rule = 'hope' should be one of"):
        make_session(document, folder=tmp_path, source="session.toml")


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [('"5ms"', 5_000_000), ('"250us"', 250_000), ('"1s500ns"', 1_000_000_500), ('"0ms"', 0), ("0", 0)],
)
def test_a_latency_says_its_unit(text: str, nanoseconds: int) -> None:
    assert make_models(tomllib.loads(f"order_latency = {text}")).order_latency == Constant(span=nanoseconds)

"""Parameters of strategies: texts become values, and what doesn't fit is told with what would."""

from __future__ import annotations

import contextlib
import enum
from decimal import Decimal
from typing import Any, Literal

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit import Strategy, define, param
from strategykit.errors import ConfigError, StrategyError
from strategykit.runtime.parameters import convert, make_strategy, strategy_parameters


class Mood(enum.Enum):
    CALM = "calm"
    WILD = 2


@define
class Many(Strategy):
    instrument: str
    fast: int = param(10, low=2, high=50, help="bars")
    stop: float = param(0.02, low=0)
    most: float = param(1.0, high=3)
    money: Decimal = Decimal(5)
    loud: bool = False
    limit: int | None = None
    way: Literal["up", "down"] = "up"
    mood: Mood = Mood.CALM
    names: list[str] = attrs.field(factory=list)


@define
class Picky(Strategy):
    fast: int = 1

    def __attrs_post_init__(self) -> None:
        if self.fast > 3:
            raise KeyError("no such speed")


def made(**params: object) -> Any:
    return make_strategy(Many, {"instrument": "SBER", **params})


def mistakes(**params: object) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        make_strategy(Many, params)
    return str(caught.value).splitlines()


def test_parameters_are_listed_in_order_with_what_they_may_be() -> None:
    listed = strategy_parameters(Many)

    assert [item.name for item in listed][:3] == ["instrument", "fast", "stop"]
    assert listed[0].required
    assert not listed[-1].required
    fast = listed[1]
    assert (fast.type, fast.default, fast.low, fast.high, fast.help) == (int, 10, 2, 50, "bars")
    assert [item.wanted for item in listed] == [
        "text",
        "a whole number from 2 to 50",
        "a number, at least 0",
        "a number, at most 3",
        "a number",
        "true or false",
        "a whole number or none",
        "'up' or 'down'",
        "'calm' or 'wild'",
        "a list",
    ]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("fast", "20", 20),
        ("fast", 20, 20),
        ("stop", "0.5", 0.5),
        ("stop", "1e-3", 0.001),
        ("stop", 1, 1.0),
        ("money", "0.10", Decimal("0.10")),
        ("money", 0.1, Decimal("0.1")),
        ("money", Decimal(2), Decimal(2)),
        ("loud", "yes", True),
        ("loud", "False", False),
        ("loud", True, True),
        ("limit", "none", None),
        ("limit", None, None),
        ("limit", "3", 3),
        ("way", "down", "down"),
        ("mood", "wild", Mood.WILD),
        ("mood", "calm", Mood.CALM),
        ("mood", Mood.WILD, Mood.WILD),
        ("names", ["a"], ["a"]),
    ],
)
def test_values_and_texts_become_what_the_annotation_says(name: str, text: object, value: object) -> None:
    given_value = getattr(made(**{name: text}), name)

    assert given_value == value
    assert type(given_value) is type(value)


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("instrument", "", "Many: parameter instrument = '' should be text that is not empty"),
        ("fast", "fast", "Many: parameter fast = 'fast' should be a whole number from 2 to 50"),
        ("fast", "5.0", "Many: parameter fast = '5.0' should be a whole number from 2 to 50"),
        ("fast", True, "Many: parameter fast = True should be a whole number from 2 to 50"),
        ("fast", 1, "Many: parameter fast = 1 is below its least value 2"),
        ("fast", "51", "Many: parameter fast = 51 is above its greatest value 50"),
        ("stop", "nan", "Many: parameter stop = 'nan' should be a number, at least 0"),
        ("stop", float("inf"), "Many: parameter stop = inf should be a number, at least 0"),
        ("stop", 10**400, "Many: parameter stop = 1000"),
        ("stop", False, "Many: parameter stop = False should be a number"),
        ("money", "NaN", "Many: parameter money = 'NaN' should be a number"),
        ("money", Decimal("Infinity"), "Many: parameter money = Decimal('Infinity') should be a number"),
        ("loud", "perhaps", "Many: parameter loud = 'perhaps' should be true or false"),
        ("loud", 1, "Many: parameter loud = 1 should be true or false"),
        ("limit", "x", "Many: parameter limit = 'x' should be a whole number or none"),
        ("way", "left", "Many: parameter way = 'left' should be 'up' or 'down'"),
        ("mood", "sad", "Many: parameter mood = 'sad' should be 'calm' or 'wild'"),
        ("names", "a,b", "Many: parameter names = 'a,b' should be a list"),
        ("instrument", "", "Many: parameter instrument = '' should be text"),
        ("instrument", 5, "Many: parameter instrument = 5 should be text"),
        ("quick", 5, "Many has no parameter quick; it has instrument, fast"),
        ("fsat", 5, "Many has no parameter fsat; did you mean fast?"),
    ],
)
def test_a_wrong_parameter_gets_one_line(name: str, value: object, line: str) -> None:
    (told,) = mistakes(**{"instrument": "SBER", name: value})

    assert told.startswith(line)


def test_all_wrong_parameters_are_told_at_once() -> None:
    assert mistakes(fast="x", quick=1) == [
        "Many has no parameter quick; it has instrument, fast, stop, most, money, loud, limit, way, mood, names",
        "Many: parameter instrument is missing; give text",
        "Many: parameter fast = 'x' should be a whole number from 2 to 50",
    ]


def test_what_an_author_checks_is_told_as_the_strategy_refusing() -> None:
    with pytest.raises(StrategyError, match="Picky refuses its parameters: KeyError: 'no such speed'"):
        make_strategy(Picky, {"fast": "4"})


def test_text_of_a_union_stays_text_only_where_nothing_else_fits() -> None:
    assert convert("5", str | int) == 5
    assert convert("five", str | int) == "five"


def test_a_literal_keeps_its_type() -> None:
    assert convert("1", Literal[1, "x"]) == 1
    with pytest.raises(ValueError, match="True"):
        convert(True, Literal[1])


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([int, float, Decimal, bool, str, int | None, Literal["a"], Mood, list[str], Any]),
    st.one_of(st.text(max_size=20), st.integers(), st.floats(), st.none(), st.lists(st.integers(), max_size=2)),
)
def test_whatever_is_given_it_is_converted_or_refused(kind: Any, value: object) -> None:
    with contextlib.suppress(ValueError):
        convert(value, kind)

"""Which sets of parameters a sweep tries, and what is wrong with a range or a condition."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit import Strategy, define, param
from strategykit.errors import ConfigError
from strategykit.sweep.axes import Axis, declared_axes, read_axes
from strategykit.sweep.space import Space
from strategykit.sweep.where import read_where


@define
class Many(Strategy):
    """Has a parameter of each kind."""

    fast: int = param(3, low=2, high=50)
    slow: int = param(8, low=3, high=200)
    stop: float = param(0.1, low=0.001, high=0.5)
    rate: Decimal = Decimal("0.1")
    kind: Literal["a", "b"] = "a"
    twice: bool = False
    free: int = 1


@define
class Bare(Strategy):
    """Declares no ranges."""

    number: int = 1


def values_of(text: str) -> tuple[str, ...]:
    (axis,) = read_axes(Many, [text], listed=False)
    return axis.values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("fast=5..20:5", ("5", "10", "15", "20")),
        ("fast=5..19:5", ("5", "10", "15")),
        ("fast=5..7", ("5", "6", "7")),
        ("fast=7..7:1", ("7",)),
        ("slow=20,30,40", ("20", "30", "40")),
        ("stop=0.1..0.4:0.1", ("0.1", "0.2", "0.3", "0.4")),
        ("stop=.1..1e-1:0.1", ("0.1",)),
        ("stop=log:0.001..0.1:3", ("0.001", "0.01", "0.1")),
        ("slow=log:3..100:4", ("3", "10", "31", "100")),
        ("rate=-0.1..0.1:0.1", ("-0.1", "0", "0.1")),
        ("kind=b,a", ("b", "a")),
        ("twice=false,true", ("false", "true")),
        ("twice", ("false", "true")),
        ("free=3", ("3",)),
    ],
)
def test_a_range_gives_its_values(text: str, values: tuple[str, ...]) -> None:
    assert values_of(text) == values


def test_what_a_strategy_declares_needs_no_range() -> None:
    fast, slow, stop = declared_axes(Many)

    assert fast.values == tuple(map(str, range(2, 51)))
    assert len(slow.values) == 198
    assert (stop.values[0], stop.values[-1], len(stop.values)) == ("0.001", "0.5", 10)
    assert read_axes(Many, [], listed=True) == [fast, slow, stop]
    assert read_axes(Many, ["fast"], listed=True) == [fast]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fst=1..2", "--param fst=1..2: Many has no parameter 'fst'; it has fast, slow"),
        ("fast=0..10:5", "fast = 0 should be a whole number from 2 to 50"),
        ("fast=5..55:5", "fast = 55 should be a whole number from 2 to 50"),
        ("fast=5,60", "fast = 60 should be a whole number from 2 to 50"),
        ("fast=5..6:0.5", "fast = 5.5 should be a whole number"),
        ("fast=x", "fast = x should be a whole number from 2 to 50"),
        ("fast=10..5:1", "10 is above 5; a range goes upwards: 5..10"),
        ("fast=5..10:-1", "a step is above 0, not -1"),
        ("fast=5..10:0", "a step is above 0, not 0"),
        ("fast=5..10..15", "is no range"),
        ("fast=", "is no range"),
        ("fast=5,5", "5 is there twice"),
        ("stop=0.1..0.2", "a grid needs a step, as in stop=0.1..0.2:0.01"),
        ("stop=log:0.1..0.2", "a grid needs a step, as in stop=log:0.1..0.2:10"),
        ("rate=log:-1..1:5", "begins above 0, not at -1"),
        ("stop=log:0.1..0.2:1", "how many values, at least 2, not 1"),
        ("stop=log:0.1..0.2:1.5", "how many values, at least 2, not 1.5"),
        ("free=0..1000000:1", "1,000,001 values; at most 100,000"),
        ("free", "free declares no low and high; give free=LOW..HIGH:STEP"),
        ("kind=c", "kind = c should be 'a' or 'b'"),
    ],
)
def test_what_is_wrong_with_a_range_is_told_with_what_would_be_right(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_axes(Many, [text], listed=True)

    assert said in str(error.value)
    assert text in str(error.value)


def test_a_parameter_has_one_range() -> None:
    with pytest.raises(ConfigError, match="fast is there twice"):
        read_axes(Many, ["fast=5", "fast=6"], listed=True)


def test_a_strategy_without_ranges_needs_some() -> None:
    with pytest.raises(ConfigError, match="Bare declares no parameter with low and high"):
        read_axes(Bare, [], listed=True)


def space(*texts: str, where: tuple[str, ...] = (), most: int = 1000, listed: bool = True) -> Space:
    return Space(strategy=Many, axes=read_axes(Many, texts, listed=listed), where=where, most=most)


def test_a_grid_has_all_combinations_that_conditions_allow() -> None:
    found = space("fast=5..15:5", "slow=10,20", where=("fast < slow", "not (fast == 5 and slow == 20)")).grid()

    assert found == [
        {"fast": "5", "slow": "10"},
        {"fast": "10", "slow": "20"},
        {"fast": "15", "slow": "20"},
    ]


def test_conditions_know_parameters_that_are_the_same_in_all_sets() -> None:
    whole = Space(
        strategy=Many, axes=read_axes(Many, ["fast=5,15"], listed=True), fixed={"slow": "10"}, where=("fast<slow",)
    )

    assert whole.grid() == [{"fast": "5"}]
    assert space("slow=5,15", where=("free + 5 < slow", "rate < 1")).grid() == [{"slow": "15"}]


def test_too_many_combinations_are_counted() -> None:
    with pytest.raises(ConfigError, match=r"49 fast x 198 slow are 9,702 combinations; the limit is 1,000"):
        space("fast", "slow").grid()


def test_a_sweep_isn_t_empty() -> None:
    with pytest.raises(ConfigError, match="no combination meets 'fast > slow'; the sweep would be empty"):
        space("fast=5", "slow=6", where=("fast > slow",)).grid()
    with pytest.raises(ConfigError, match="no combination meets"):
        space("fast=5..6", "slow=7..8", where=("fast > slow",)).draw(3, 1)


def test_a_parameter_isn_t_given_twice() -> None:
    with pytest.raises(ConfigError, match="fast is given once as 3, and once as a range"):
        Space(strategy=Many, axes=read_axes(Many, ["fast=5"], listed=True), fixed={"fast": "3"})


def test_draws_are_different_sets_within_their_ranges_and_the_same_for_a_seed() -> None:
    whole = space("fast", "slow=20,30", "stop=log:0.001..0.1", where=("fast < slow",), listed=False)

    found = whole.draw(50, 1)

    assert found == whole.draw(50, 1) != whole.draw(50, 2)
    assert len({tuple(item.values()) for item in found}) == 50
    assert all(2 <= int(item["fast"]) < int(item["slow"]) for item in found)
    assert all(0.001 <= float(item["stop"]) <= 0.1 for item in found)
    assert sum(float(item["stop"]) < 0.01 for item in found) > 10


def test_draws_end_when_there_is_nothing_new() -> None:
    assert len(space("fast=2..4", listed=False).draw(10, 1)) == 3


@pytest.mark.parametrize("count", [0, -1, 1001])
def test_a_number_of_draws_has_bounds(count: int) -> None:
    with pytest.raises(ConfigError, match="at least 1, and at most 1,000"):
        space("fast").draw(count, 1)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "fast.real < 3",
        "(lambda: 1)()",
        "[fast]",
        "fast ** 999999",
        "fast if slow else 1",
        "fast in (1, 2)",
        "f'{fast}'",
        "fast < 1j",
        "fast << 3",
        "fast @ slow",
        "~fast",
        "(fast := 3)",
        "b'a' == fast",
        "... == fast",
    ],
)
def test_conditions_compute_with_parameters_and_numbers_only(text: str) -> None:
    with pytest.raises(ConfigError, match="isn't allowed"):
        read_where(text, ["fast", "slow"])


@pytest.mark.parametrize(
    "text", ["", "fast <", "fast < slow; 1", "(" * 500, "1 +" * 100 + "1", "-" * 400 + "1", "\x00", "import os"]
)
def test_a_condition_that_is_none_is_told(text: str) -> None:
    with pytest.raises(ConfigError, match="can't be read; write it as in"):
        read_where(text, ["fast", "slow"])


def test_a_condition_names_parameters() -> None:
    with pytest.raises(ConfigError, match="slo is no parameter; there are fast, slow"):
        read_where("fast < slo", ["fast", "slow"])


@pytest.mark.parametrize("text", ["fast / (slow - slow) > 1", "fast < 'a'", "'a' * 5 == fast"])
def test_a_condition_that_can_t_be_computed_is_told_with_its_values(text: str) -> None:
    with pytest.raises(ConfigError, match="with fast = 1"):
        read_where(text, ["fast", "slow"])({"fast": 1, "slow": 2})


@given(st.integers(-9, 9), st.integers(-9, 9))
@settings(max_examples=50, deadline=None)
def test_a_condition_says_what_python_would(fast: int, slow: int) -> None:
    values = {"fast": fast, "slow": slow}
    pairs = {
        "fast < slow <= 5": fast < slow <= 5,
        "-fast + +slow != 3 or fast * 2 > slow": -fast + slow != 3 or fast * 2 > slow,
        "not fast and fast - slow >= 0": not fast and fast - slow >= 0,
        "fast // 2 == slow % 3": fast // 2 == slow % 3,
        "True": True,
    }
    assert {text: read_where(text, list(values))(values) for text in pairs} == pairs


def test_an_axis_knows_whether_it_is_whole() -> None:
    assert read_axes(Many, ["fast=log:2..50:3", "stop=0.1,0.2"], listed=True) == [
        Axis("fast", ("2", "10", "50"), 2.0, 50.0, log=True, whole=True),
        Axis("stop", ("0.1", "0.2")),
    ]

"""What values a parameter takes in a sweep, from text such as ``fast=5..50:5``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import attrs

from strategykit.errors import ConfigError
from strategykit.runtime.parameters import Parameter, convert, strategy_parameters
from strategykit.strategy import Strategy

__all__ = ["MOST_VALUES", "Axis", "declared_axes", "read_axes"]

MOST_VALUES: Final = 100_000
"""Of one parameter."""

_POINTS: Final = 10
"""Values of a declared range of numbers with fractions, where each has to be listed."""

_HOW: Final = "give NAME=LOW..HIGH:STEP, NAME=A,B,C, NAME=log:LOW..HIGH:COUNT, or NAME alone for its declared range"

_NUMBER: Final = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?"
_RANGE: Final = re.compile(rf"(log:)?({_NUMBER})\.\.({_NUMBER})(?::({_NUMBER}))?")


@attrs.frozen
class Axis:
    """One parameter, and what it may be."""

    name: str
    values: tuple[str, ...]
    """Of a grid, as text, in the order in which they were given."""
    low: float | None = None
    """Where any number up to `high` may be drawn; None: `values` are all that there is."""
    high: float | None = None
    log: bool = False
    """Whether numbers are drawn by their size: as many from 1 to 10 as from 10 to 100."""
    whole: bool = False
    """Whether they have no fractions."""
    stepped: bool = True
    """Whether somebody said which values there are; else any between `low` and `high` may be drawn."""


def read_axes(cls: type[Strategy], texts: Sequence[str], *, listed: bool) -> list[Axis]:
    """Read the ranges of a strategy's parameters.

    Args:
        cls: The strategy.
        texts: One a parameter; without any, every declared range counts.
        listed: Whether each value has to be listed, as for a grid.

    Raises:
        ConfigError: One can't be read, or is of a parameter that doesn't exist, or goes beyond what that allows; the
            message says which, and what would be right.
    """
    if not texts:
        return declared_axes(cls)
    known = {parameter.name: parameter for parameter in strategy_parameters(cls)}
    axes: dict[str, Axis] = {}
    for text in texts:
        name, equals, said = text.partition("=")
        name = name.strip().replace("-", "_")
        if name not in known:
            raise ConfigError(f"--param {text}: {cls.__name__} has no parameter {name!r}; it has {', '.join(known)}")
        if name in axes:
            raise ConfigError(f"--param {text}: {name} is there twice; give all its values at once")
        parameter = known[name]
        axis = _read(text, parameter, said.strip()) if equals else _declared(parameter, text)
        if listed and not axis.values:
            raise ConfigError(f"--param {text}: a grid needs a step, as in {name}={said}:{_step_like(axis)}")
        axes[name] = axis
    return list(axes.values())


def declared_axes(cls: type[Strategy]) -> list[Axis]:
    """Give the ranges that a strategy declares by itself, as ``param(10, low=5, high=50)``.

    Raises:
        ConfigError: It declares none.
    """
    both = [item for item in strategy_parameters(cls) if item.low is not None and item.high is not None]
    if not both:
        raise ConfigError(f"{cls.__name__} declares no parameter with low and high, so --param has to say what to try")
    return [_declared(item, item.name) for item in both]


def _declared(parameter: Parameter, text: str) -> Axis:
    low, high = parameter.low, parameter.high
    if parameter.type is bool:
        return Axis(parameter.name, ("false", "true"))
    if low is None or high is None:
        raise ConfigError(
            f"--param {text}: {parameter.name} declares no low and high; {_HOW.replace('NAME', parameter.name)}"
        )
    if parameter.type is int:
        count = int(high) - int(low) + 1
        values = tuple(str(int(low) + number) for number in range(count)) if count <= MOST_VALUES else ()
        return Axis(parameter.name, values, low, high, whole=True, stepped=False)
    begin, step = Decimal(str(low)), (Decimal(str(high)) - Decimal(str(low))) / (_POINTS - 1)
    values = tuple(_plain(begin + step * number) for number in range(_POINTS))
    return Axis(parameter.name, values, low, high, stepped=False)


def _read(text: str, parameter: Parameter, said: str) -> Axis:
    found = _RANGE.fullmatch(said)
    if found is None:
        if ".." in said or not said:
            raise ConfigError(f"--param {text}: {said!r} is no range; {_HOW.replace('NAME', parameter.name)}")
        values = tuple(item.strip() for item in said.split(","))
        if len(set(values)) != len(values):
            twice = next(item for item in values if values.count(item) > 1)
            raise ConfigError(f"--param {text}: {twice} is there twice")
        return Axis(parameter.name, tuple(_checked(text, parameter, value) for value in values))
    log, low, high = bool(found[1]), Decimal(found[2]), Decimal(found[3])
    if low > high:
        raise ConfigError(f"--param {text}: {low} is above {high}; a range goes upwards: {high}..{low}")
    if log and low <= 0:
        raise ConfigError(f"--param {text}: a logarithmic range begins above 0, not at {low}")
    for end in (low, high):
        _checked(text, parameter, _plain(end))
    if found[4] is None:
        values = ()
        if parameter.type is int and not log:
            values = _steps(text, low, high, Decimal(1))
    elif log:
        values = _powers(text, low, high, found[4], whole=parameter.type is int)
    else:
        values = _steps(text, low, high, Decimal(found[4]))
    values = tuple(_checked(text, parameter, value) for value in values)
    return Axis(parameter.name, values, float(low), float(high), log, parameter.type is int, found[4] is not None)


def _steps(text: str, low: Decimal, high: Decimal, step: Decimal) -> tuple[str, ...]:
    if step <= 0:
        raise ConfigError(f"--param {text}: a step is above 0, not {step}")
    count = int((high - low) / step) + 1
    if count > MOST_VALUES:
        raise ConfigError(f"--param {text}: that are {count:,} values; at most {MOST_VALUES:,} make sense")
    return tuple(_plain(low + step * number) for number in range(count))


def _powers(text: str, low: Decimal, high: Decimal, count: str, *, whole: bool) -> tuple[str, ...]:
    if not count.isdigit() or not 2 <= int(count) <= MOST_VALUES:
        raise ConfigError(f"--param {text}: a logarithmic range ends with how many values, at least 2, not {count}")
    number = int(count)
    first, ratio = float(low), (float(high) / float(low)) ** (1 / (number - 1))
    values = [_plain(low), *(f"{first * ratio**place:.6g}" for place in range(1, number - 1)), _plain(high)]
    if whole:
        values = [str(round(float(value))) for value in values]
    return tuple(dict.fromkeys(values))


def _checked(text: str, parameter: Parameter, value: str) -> str:
    """Give a value as the strategy gets it, after a look that it may."""
    wrong = ConfigError(f"--param {text}: {parameter.name} = {value} should be {parameter.wanted}")
    try:
        found: Any = convert(value, parameter.type)
    except ValueError:
        raise wrong from None
    if isinstance(found, int | float | Decimal) and not isinstance(found, bool):
        if parameter.low is not None and found < parameter.low:
            raise wrong
        if parameter.high is not None and found > parameter.high:
            raise wrong
    return value


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _step_like(axis: Axis) -> str:
    if axis.log:
        return "10"
    assert axis.low is not None
    assert axis.high is not None
    return f"{(axis.high - axis.low) / _POINTS:g}"

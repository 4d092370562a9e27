"""The sets of parameters that a sweep tries."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import attrs

from strategykit.errors import ConfigError
from strategykit.runtime.parameters import convert, strategy_parameters
from strategykit.strategy import Strategy
from strategykit.sweep.axes import Axis
from strategykit.sweep.where import Where, read_where

__all__ = ["MOST_SETS", "Space", "written"]

MOST_SETS: Final = 100_000
"""That a sweep tries unless more are allowed."""

_TRIES: Final = 1_000
"""For each set that is drawn, until conditions allow one that is new."""


@attrs.frozen(kw_only=True)
class Space:
    """What may be tried."""

    strategy: type[Strategy]
    axes: Sequence[Axis]
    fixed: Mapping[str, str] = attrs.field(factory=dict)
    """Parameters that are the same in all sets."""
    where: Sequence[str] = ()
    """Conditions that each set has to meet."""
    most: int = MOST_SETS
    _kinds: Mapping[str, Any] = attrs.field(init=False)
    _defaults: Mapping[str, Any] = attrs.field(init=False)
    _wheres: Sequence[Where] = attrs.field(init=False)

    @_kinds.default
    def _read_kinds(self) -> Mapping[str, Any]:
        both = [axis.name for axis in self.axes if axis.name in self.fixed]
        if both:
            raise ConfigError(f"{both[0]} is given once as {self.fixed[both[0]]}, and once as a range; leave one out")
        return {item.name: item.type for item in strategy_parameters(self.strategy)}

    @_defaults.default
    def _read_defaults(self) -> Mapping[str, Any]:
        return {item.name: item.default for item in strategy_parameters(self.strategy) if not item.required}

    @_wheres.default
    def _read_wheres(self) -> Sequence[Where]:
        return [read_where(text, list(self._kinds)) for text in self.where]

    def allows(self, values: Mapping[str, str]) -> bool:
        """Whether a set meets all conditions."""
        if not self._wheres:
            return True
        said = {**self.fixed, **values}
        known = {**self._defaults, **{name: convert(value, self._kinds[name]) for name, value in said.items()}}
        plain = {name: float(value) if isinstance(value, Decimal) else value for name, value in known.items()}
        return all(where(plain) for where in self._wheres)

    def grid(self) -> list[dict[str, str]]:
        """Give all combinations that conditions allow, the last parameter going fastest.

        Raises:
            ConfigError: There are too many, or none.
        """
        count = math.prod(len(axis.values) for axis in self.axes)
        if count > self.most:
            sizes = " x ".join(f"{len(axis.values)} {axis.name}" for axis in self.axes)
            raise ConfigError(
                f"{sizes} are {count:,} combinations; the limit is {self.most:,}: take wider steps, draw some of them "
                "by --random, or allow more by --most"
            )
        names = [axis.name for axis in self.axes]
        found = [
            values
            for chosen in itertools.product(*(axis.values for axis in self.axes))
            if self.allows(values := dict(zip(names, chosen, strict=True)))
        ]
        return self._some(found)

    def draw(self, count: int, seed: int) -> list[dict[str, str]]:
        """Give up to `count` different sets, drawn at random; the same for the same seed.

        Raises:
            ConfigError: `count` is below 1 or above the limit, or conditions allow nothing.
        """
        if not 1 <= count <= self.most:
            raise ConfigError(f"{count:,} sets can't be drawn: at least 1, and at most {self.most:,}")
        rng, found, misses = random.Random(f"sweep:{seed}"), dict[tuple[str, ...], dict[str, str]](), 0
        while len(found) < count and misses < _TRIES:
            values = {axis.name: _drawn(axis, rng) for axis in self.axes}
            if tuple(values.values()) in found or not self.allows(values):
                misses += 1
                continue
            misses = 0
            found[tuple(values.values())] = values
        return self._some(list(found.values()))

    def _some(self, found: list[dict[str, str]]) -> list[dict[str, str]]:
        if not found:
            raise ConfigError(f"no combination meets {' and '.join(map(repr, self.where))}; the sweep would be empty")
        return found


def _drawn(axis: Axis, rng: random.Random) -> str:
    if axis.stepped or axis.low is None or axis.high is None:
        return rng.choice(axis.values)
    if axis.log:
        value = math.exp(rng.uniform(math.log(axis.low), math.log(axis.high)))
    else:
        value = rng.uniform(axis.low, axis.high)
    return written(axis, value)


def written(axis: Axis, value: float) -> str:
    """Write a number that was drawn, with no more digits than say something, and not beyond its range."""
    assert axis.low is not None
    assert axis.high is not None
    if axis.whole:
        return str(min(max(round(value), math.ceil(axis.low)), math.floor(axis.high)))
    return f"{Decimal(str(min(max(float(f'{value:.6g}'), axis.low), axis.high))):f}"

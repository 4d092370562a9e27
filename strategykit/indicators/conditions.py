"""Conditions over numbers that follow streams: whether they hold, and when they begin to."""

from __future__ import annotations

import operator
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NoReturn, Protocol

from strategykit.indicators.fields import Source, is_forming

__all__ = ["Comparison", "Condition", "Cross", "Reading", "each_once"]


_SIGNS: Final[Mapping[object, str]] = {operator.lt: "<", operator.le: "<=", operator.gt: ">", operator.ge: ">="}


class Reading(Protocol):
    """One side of a comparison."""

    @property
    def value(self) -> float | None: ...
    @property
    def roots(self) -> tuple[Source, ...]: ...
    def words(self) -> str: ...


class Condition(ABC):
    """Something that holds or doesn't. While a side has no number, nobody knows, and `now` is False."""

    @property
    def now(self) -> bool:
        """Whether it is known to hold as of the latest event."""
        return self.truth() is True

    @property
    @abstractmethod
    def roots(self) -> tuple[Source, ...]:
        """The streams it hangs on, each once."""

    @abstractmethod
    def truth(self) -> bool | None:
        """Give None while it can't be known, so that ``~`` doesn't turn ignorance into truth."""

    @abstractmethod
    def words(self) -> str:
        """Say it with the numbers of this moment, such as ``"SBER bars.close > 100.9 (101.2 > 100.9)"``.

        Where a side doesn't say what it is, it is just ``"101.2 > 100.9"``.
        """

    def __bool__(self) -> NoReturn:
        raise TypeError(
            "a condition is neither true nor false by itself; use `await self.when(fast > slow)`, or `.now` for this "
            "moment. Join conditions with &, | and ~ in parentheses, not with and, or, not"
        )

    def __and__(self, other: Condition) -> Condition:
        return _Both(self, _condition(other))

    def __or__(self, other: Condition) -> Condition:
        return ~_Both(~self, ~_condition(other))

    def __invert__(self) -> Condition:
        return _Not(self)


class Comparison(Condition):
    def __init__(self, compare: Callable[[float, float], bool], left: Reading, right: Reading) -> None:
        self._compare = compare
        self._left = left
        self._right = right

    @property
    def roots(self) -> tuple[Source, ...]:
        return each_once((*self._left.roots, *self._right.roots))

    def truth(self) -> bool | None:
        left, right = self._left.value, self._right.value
        return None if left is None or right is None else self._compare(left, right)

    def words(self) -> str:
        left, right = (("?" if side.value is None else f"{side.value:.10g}") for side in (self._left, self._right))
        sign, names = _SIGNS[self._compare], (self._left.words(), self._right.words())
        numbers = f"{left} {sign} {right}"
        return f"{names[0]} {sign} {names[1]} ({numbers})" if all(names) else numbers


class _Both(Condition):
    """Known to fail as soon as one side does, known to hold once both do."""

    def __init__(self, left: Condition, right: Condition) -> None:
        self._left = left
        self._right = right

    @property
    def roots(self) -> tuple[Source, ...]:
        return each_once((*self._left.roots, *self._right.roots))

    def truth(self) -> bool | None:
        left, right = self._left.truth(), self._right.truth()
        if left is False or right is False:
            return False
        return None if left is None or right is None else True

    def words(self) -> str:
        return f"({self._left.words()}) and ({self._right.words()})"


class _Not(Condition):
    def __init__(self, of: Condition) -> None:
        self._of = of

    @property
    def roots(self) -> tuple[Source, ...]:
        return self._of.roots

    def truth(self) -> bool | None:
        truth = self._of.truth()
        return None if truth is None else not truth

    def words(self) -> str:
        return f"not ({self._of.words()})"


class Cross(Condition):
    """Holds from the event with which a relation has begun to hold until the next event; never when it is made.

    It looks after every closed bar, trade, quote or book of its streams, when all values are up to date. Events
    after which a side has no number are passed over.
    """

    def __init__(self, relation: Condition) -> None:
        self._relation = relation
        self._held = relation.truth()
        self._crossed = False
        self._replaying = True
        for root in relation.roots:
            root.listen(_weakly(self, root))
        self._replaying = False

    @property
    def roots(self) -> tuple[Source, ...]:
        return self._relation.roots

    def truth(self) -> bool | None:
        return None if self._relation.truth() is None else self._crossed

    def words(self) -> str:
        return f"crossed: {self._relation.words()}"

    def step(self) -> None:
        if self._replaying:
            return  # The streams tell what they hold, but the values have long seen it.
        holds = self._relation.truth()
        self._crossed = holds is True and self._held is False
        if holds is not None:
            self._held = holds


def _weakly(cross: Cross, root: Source) -> Callable[[Any], None]:
    """Give a callback that doesn't keep `cross` alive: conditions are made in loops, and streams live long.

    When `cross` goes, it is taken off `root`, where that can be done.
    """
    unwatch: Callable[[Callable[[Any], None]], None] | None = getattr(root, "unwatch", None)

    def leave(_: object) -> None:
        if unwatch is not None:
            unwatch(step)

    reference = weakref.ref(cross, leave)

    def step(event: Any) -> None:
        found = reference()
        if found is not None and not is_forming(event):
            found.step()

    return step


def _condition(thing: object) -> Condition:
    if not isinstance(thing, Condition):
        raise TypeError(f"conditions are joined with conditions, not with {thing!r}")
    return thing


def each_once(roots: Iterable[Source]) -> tuple[Source, ...]:
    return tuple({id(root): root for root in roots}.values())

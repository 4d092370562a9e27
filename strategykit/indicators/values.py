"""Numbers that follow streams.

A value knows its latest number; a condition knows whether it holds. Neither has a truth of its own: ``if fast > slow``
would ask once, at a moment that nobody chose, so `bool` raises and says what to write instead.
"""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from decimal import Decimal
from math import isfinite, isnan
from typing import Any, Final, NoReturn

from strategykit.errors import ConfigError
from strategykit.indicators.conditions import Comparison, Condition, Cross, each_once
from strategykit.indicators.fields import Field, Source, is_forming, title_of
from strategykit.indicators.kernels import Kernel
from strategykit.model.events import Bar

__all__ = ["Indicator", "Latest", "Operand", "Value", "crosses_above", "crosses_below"]

_MISSING: Final = object()

_SIGNS: Final[Mapping[object, str]] = {
    operator.add: "+",
    operator.sub: "-",
    operator.mul: "*",
    operator.truediv: "/",
}


class Value(ABC):
    """A number that follows one or more streams.

    ``< > <= >=`` with another value or a number give a `Condition`; ``+ - * /`` give a value. Both are worked out
    when they are read, so they cost nothing until then and may be made in a loop.
    """

    @property
    @abstractmethod
    def value(self) -> float | None:
        """The number as of the latest event; None until there is one."""

    @property
    @abstractmethod
    def roots(self) -> tuple[Source, ...]:
        """The streams it hangs on, each once."""

    def words(self) -> str:
        """Say what it is, such as ``"SBER quotes.bid"``; empty: that isn't known."""
        return ""

    @property
    def ready(self) -> bool:
        """Whether there is a number."""
        return self.value is not None

    def listen(self, callback: Callable[[float], None], /) -> None:
        """Call back with what the number was after each event that the streams hold, and then with each new one.

        The past is worked out anew, so an indicator over a value is as warm as one over the stream itself.
        A value of several streams calls back after the events of each; what they hold is taken in the order of time.
        """
        roots = self.roots
        relays = {id(root): _Relay() for root in roots}
        self.over(relays).follow(callback)
        for root in roots:
            root.listen(relays[id(root)].receive)
        past = [(_happened(event), relay, event) for relay in relays.values() for event in relay.go_live()]
        for _, relay, event in sorted(past, key=operator.itemgetter(0)):
            relay.send(event)

    @abstractmethod
    def over(self, relays: Mapping[int, Source]) -> Value:
        """Give a new value of the same kind over other streams, by the `id` of those that they stand for."""

    @abstractmethod
    def follow(self, callback: Callable[[float], None]) -> None:
        """Call back after each event from now on; for values that have seen none yet."""

    def __bool__(self) -> NoReturn:
        raise TypeError("a value is neither true nor false; use `await self.when(fast > slow)`, or read its `.value`")

    def __lt__(self, other: Operand) -> Condition:
        return Comparison(operator.lt, self, _operand(other))

    def __le__(self, other: Operand) -> Condition:
        return Comparison(operator.le, self, _operand(other))

    def __gt__(self, other: Operand) -> Condition:
        return Comparison(operator.gt, self, _operand(other))

    def __ge__(self, other: Operand) -> Condition:
        return Comparison(operator.ge, self, _operand(other))

    def __add__(self, other: Operand) -> Value:
        return _Derived(operator.add, self, _operand(other))

    def __radd__(self, other: Operand) -> Value:
        return _Derived(operator.add, _operand(other), self)

    def __sub__(self, other: Operand) -> Value:
        return _Derived(operator.sub, self, _operand(other))

    def __rsub__(self, other: Operand) -> Value:
        return _Derived(operator.sub, _operand(other), self)

    def __mul__(self, other: Operand) -> Value:
        return _Derived(operator.mul, self, _operand(other))

    def __rmul__(self, other: Operand) -> Value:
        return _Derived(operator.mul, _operand(other), self)

    def __truediv__(self, other: Operand) -> Value:
        return _Derived(operator.truediv, self, _operand(other))

    def __rtruediv__(self, other: Operand) -> Value:
        return _Derived(operator.truediv, _operand(other), self)


Operand = Value | float | Decimal
"""What a value can be compared and computed with."""


class Indicator(Value):
    """A running computation over one stream or value.

    It listens for as long as its stream lives, so make it once, before the loop that reads it.

    Args:
        source: A stream, or another value.
        make: Makes the computation, empty.
        read: Gives what it takes of an event; None: nothing.
        fresh: True if `source` is a value that has seen no event yet, so that there is no past to work out.
        named: How to say what it is, with ``{}`` where the source is named; empty: nobody can.
    """

    def __init__(
        self,
        source: Source | Value,
        make: Callable[[], Kernel],
        read: Callable[[Any], float | Bar | None],
        *,
        fresh: bool = False,
        named: str = "",
    ) -> None:
        self._named = named
        self._source = source
        self._make = make
        self._read = read
        self._update = make().update
        self._value: float | None = None
        self._followers: tuple[Callable[[float], None], ...] = ()
        if fresh and isinstance(source, Value):
            source.follow(self._take)
        else:
            source.listen(self._take)

    @property
    def value(self) -> float | None:
        return self._value

    @property
    def roots(self) -> tuple[Source, ...]:
        return self._source.roots if isinstance(self._source, Value) else (self._source,)

    def words(self) -> str:
        source = self._source.words() if isinstance(self._source, Value) else title_of(self._source)
        return self._named.replace("{}", source) if source else ""

    def _take(self, event: Any) -> None:
        item = self._read(event)
        if item is None or (type(item) is float and not isfinite(item)):
            return  # One infinite number would stay in every sum for ever.
        value = self._value = self._update(item)
        if value is not None:
            for follower in self._followers:
                follower(value)

    def over(self, relays: Mapping[int, Source]) -> Value:
        source = self._source
        over = source.over(relays) if isinstance(source, Value) else relays[id(source)]
        return Indicator(over, self._make, self._read, fresh=True, named=self._named)

    def follow(self, callback: Callable[[float], None]) -> None:
        self._followers = (*self._followers, callback)


class Latest(Value):
    """One field of the latest event of a stream, such as the close of the last bar.

    Where the stream remembers its ``last`` event, nothing is kept or listened to, and making one costs nothing.

    Raises:
        ConfigError: No event has such a field.
    """

    def __init__(self, source: Source, field: str) -> None:
        self._source = source
        self._name = field
        self._read = Field(field, forming=True)
        self._last: Any = None
        self._remembered = getattr(source, "last", _MISSING) is not _MISSING
        if not self._remembered:
            source.listen(self._take)

    @property
    def value(self) -> float | None:
        # The protocol of sources doesn't oblige them to have `last`; this one was seen to have it.
        last = self._source.last if self._remembered else self._last  # type: ignore[attr-defined]
        return None if last is None else self._read(last)

    @property
    def roots(self) -> tuple[Source, ...]:
        return (self._source,)

    def words(self) -> str:
        title = title_of(self._source)
        return f"{title}.{self._name}" if title else ""

    def _take(self, event: Any) -> None:
        self._last = event

    def over(self, relays: Mapping[int, Source]) -> Value:
        return Latest(relays[id(self._source)], self._name)

    def follow(self, callback: Callable[[float], None]) -> None:
        _tell_after(self, callback)


class _Constant(Value):
    def __init__(self, number: float) -> None:
        self._number = number

    @property
    def value(self) -> float:
        return self._number

    def words(self) -> str:
        return f"{self._number:.10g}"

    @property
    def roots(self) -> tuple[Source, ...]:
        return ()

    def over(self, relays: Mapping[int, Source]) -> Value:  # noqa: ARG002 - it hangs on no stream
        return self

    def follow(self, callback: Callable[[float], None]) -> None:
        """Do nothing: it never changes."""


class _Derived(Value):
    """Two values and what joins them; no number while one has none, or where it would be divided by 0."""

    def __init__(self, operate: Callable[[float, float], float], left: Value, right: Value) -> None:
        self._operate = operate
        self._left = left
        self._right = right

    @property
    def value(self) -> float | None:
        left, right = self._left.value, self._right.value
        if left is None or right is None:
            return None
        try:
            return self._operate(left, right)
        except ZeroDivisionError:
            return None

    def words(self) -> str:
        left, right = self._left.words(), self._right.words()
        return f"({left} {_SIGNS[self._operate]} {right})" if left and right else ""

    @property
    def roots(self) -> tuple[Source, ...]:
        return each_once((*self._left.roots, *self._right.roots))

    def over(self, relays: Mapping[int, Source]) -> Value:
        return _Derived(self._operate, self._left.over(relays), self._right.over(relays))

    def follow(self, callback: Callable[[float], None]) -> None:
        _tell_after(self, callback)


def crosses_above(left: Operand, right: Operand) -> Condition:
    """Give the condition that `left` has just risen above `right`: it was below or equal, and is above."""
    return Cross(_operand(left) > _operand(right))


def crosses_below(left: Operand, right: Operand) -> Condition:
    """Give the condition that `left` has just fallen below `right`: it was above or equal, and is below."""
    return Cross(_operand(left) < _operand(right))


class _Relay:
    """A stream that stands for another one: it gathers what that one holds, and passes on what comes then."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[Any], None]] = []
        self._held: list[Any] | None = []

    def listen(self, callback: Callable[[Any], None], /) -> None:
        self._callbacks.append(callback)

    def receive(self, event: Any) -> None:
        if self._held is None:
            self.send(event)
        else:
            self._held.append(event)

    def go_live(self) -> list[Any]:
        held, self._held = self._held, None
        return held or []

    def send(self, event: Any) -> None:
        if not is_forming(event):
            for callback in self._callbacks:
                callback(event)


def _tell_after(value: Value, callback: Callable[[float], None]) -> None:
    """Call back after each event of the streams of `value`, whose parts listen to them already, hence come first."""

    def tell(_: Any) -> None:
        number = value.value
        if number is not None:
            callback(number)

    for root in value.roots:
        root.listen(tell)


def _operand(thing: Operand) -> Value:
    if isinstance(thing, Value):
        return thing
    if isinstance(thing, bool) or not isinstance(thing, int | float | Decimal):
        raise TypeError(f"a value is compared and computed with values and numbers, not with {thing!r}")
    if isnan(thing):
        raise ConfigError("a value can't be compared with nan: nothing is above or below it")
    return _Constant(float(thing))


def _happened(event: Any) -> int:
    """Give when an event was true, nanoseconds UTC. History bars all arrive at once, so their arrival says nothing."""
    if type(event) is Bar:
        return event.open_time + event.interval
    time = event.receive_time if event.event_time is None else event.event_time
    return int(time)

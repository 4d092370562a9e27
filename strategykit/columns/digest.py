"""What a stream of events came to, as one hash: the same for events one by one and for columns, however they are cut.

Each field is hashed by itself, in parts: which rows have a value, and the values. So it takes no numpy to hash events,
and no events to hash columns.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, groupby
from operator import attrgetter, sub
from typing import TYPE_CHECKING, Any, Final

from strategykit.columns.fields import GIVEN, field_types
from strategykit.model.events import Event, Side

if TYPE_CHECKING:
    from strategykit.columns.columns import Columns

__all__ = ["ABSENT", "FAR", "WHOLE", "FieldHash", "StreamDigest", "far_text", "mark_of"]

ABSENT: Final[dict[Any, int]] = {None: 0, False: 1, True: 2, Side.BUY: 3, Side.SELL: 4}
"""The byte for values of which there are these few; what has any other value has `WHOLE`, and the value elsewhere."""

WHOLE: Final = 5

FAR: Final = -(1 << 31)
"""Stands for a step between two whole numbers that takes more than 32 bits."""

_BATCH: Final = 1_024
"""Events that are hashed at a time."""

_LITTLE: Final = array("H", [1]).tobytes() == b"\x01\x00"


class FieldHash:
    """One field of the events of one stream and class, hashed in parts, each whatever its size."""

    def __init__(self, *, few: bool) -> None:
        self.few = few
        """Whether its values are few different ones, which change often: then a byte a row says it all."""
        self.last = 0
        """The whole number that came last."""
        self._parts = {name: hashlib.sha256() for name in ("marks", "floats", "steps", "far", "texts")}
        self._mark = WHOLE
        self._run = 0

    def marks(self, marks: bytes) -> None:
        """Take a byte a row."""
        if self.few:
            self._parts["marks"].update(marks)
        else:
            for mark, alike in groupby(marks):
                self.marked(mark, sum(1 for _ in alike))

    def marked(self, mark: int, count: int) -> None:
        """Take `count` rows of one mark. Of fields that mostly have values, how many there are of each is hashed."""
        if self.few:
            self._parts["marks"].update(bytes([mark]) * count)
        elif mark == self._mark:
            self._run += count
        elif count:
            self._parts["marks"].update(f"{self._run} of {self._mark}\n".encode())
            self._mark, self._run = mark, count

    def floats(self, doubles: Any) -> None:
        """Take numbers, 8 bytes each, the lowest first."""
        self._parts["floats"].update(doubles)

    def steps(self, steps: Any, far: Any) -> None:
        """Take differences between whole numbers: 4 bytes each, and those that are `FAR` as text."""
        self._parts["steps"].update(steps)
        self._parts["far"].update(far)

    def texts(self, values: Iterable[Any]) -> None:
        self._parts["texts"].update("".join(f"{value!r}\n" for value in values).encode("utf-8", "backslashreplace"))

    def take(self, values: Sequence[Any]) -> None:
        """Take values as they are in events."""
        if values and type(values[0]) is tuple:
            self.whole([len(value) for value in values])
            values = [part for value in values for part in value]
        if not values:
            return
        types, kind = list(map(type, values)), type(values[0])
        if types.count(kind) == len(values):  # Nearly all fields are of one type, and need no look at each value.
            if kind is float:
                self.marked(WHOLE, len(values))
                self.floats(_packed(array("d", values)))
                return
            if kind is int:
                self.marked(WHOLE, len(values))
                self.whole(values)
                return
            if kind in _FEW and values.count(values[0]) == len(values):
                self.marked(mark_of(values[0]), len(values))
                return
            if kind is Side:
                self.marks(bytes([value is Side.SELL for value in values]).translate(_BY_SELLING))
                return
        if _FEW.issuperset(types):
            self.marks(bytes(map(_SINGLE.__getitem__, map(id, values))))
            return
        few = list(map(mark_of, values))
        self.marks(bytes(few))
        rest = [value for value, mark in zip(values, few, strict=True) if mark == WHOLE]
        self.floats(_packed(array("d", [value for value in rest if type(value) is float])))
        self.whole([value for value in rest if type(value) is int])
        self.texts(value for value in rest if type(value) not in (float, int))

    def whole(self, numbers: Sequence[int]) -> None:
        """Take whole numbers."""
        if not numbers:
            return
        steps = list(map(sub, numbers, chain((self.last,), numbers)))
        self.last = numbers[-1]
        try:
            packed = _packed(array("i", steps))
        except OverflowError:
            packed = _PACKED_FAR
        if _PACKED_FAR in packed:  # One is far, or it only looks so, by the halves of two.
            far = [step for step in steps if not FAR < step < -FAR]
            near = [step if FAR < step < -FAR else FAR for step in steps]
            self.steps(_packed(array("i", near)), far_text(far))
        else:
            self.steps(packed, b"")

    def text(self) -> str:
        """Give the hashes over all that came so far."""
        return f"{self._run} of {self._mark} {' '.join(part.hexdigest() for part in self._parts.values())}"


_FEW: Final = frozenset({type(None), bool, Side})

_BY_SELLING: Final = bytes(ABSENT[Side.SELL if selling else Side.BUY] for selling in range(256))
"""Gives the byte for a side by whether it is the seller's."""

_SINGLE: Final = {id(value): mark for value, mark in ABSENT.items()}
"""The same by identity, of which there is one each: an enum's hash is a call."""


def mark_of(value: object) -> int:
    """Give the byte for a value. By its type first: 1 equals True."""
    return ABSENT[value] if type(value) in _FEW else WHOLE


def far_text(steps: Iterable[int]) -> bytes:
    return "".join(f"{step}\n" for step in steps).encode()


def _packed(numbers: array[Any]) -> bytes:
    if not _LITTLE:
        numbers.byteswap()
    return numbers.tobytes()


_PACKED_FAR: Final = _packed(array("i", [FAR]))


_KIND_AND_SYMBOL: Final = attrgetter("__class__", "instrument")

_QUICK: Final[dict[str, Callable[[Sequence[Any]], list[Any]]]] = {
    "price": lambda events: [event.price for event in events],
    "quantity": lambda events: [event.quantity for event in events],
    "side": lambda events: [event.side for event in events],
    "trade_id": lambda events: [event.trade_id for event in events],
    "event_time": lambda events: [event.event_time for event in events],
    "receive_time": lambda events: [event.receive_time for event in events],
    "snapshot": lambda events: [event.snapshot for event in events],
    "open_interest": lambda events: [event.open_interest for event in events],
}
"""Gives a field of each event, for those of trades, which are by far the most: in half the time of an `attrgetter`."""


class StreamDigest:
    """The hash over the events of one stream."""

    def __init__(self) -> None:
        self._fields: dict[tuple[str, str, str], FieldHash] = {}
        self._hashed = 0
        self.waiting: Final[list[Event]] = []
        """What came and hasn't been hashed. Who appends to it directly, which saves a call each, owes a `settle`."""

    @property
    def events(self) -> int:
        """How many were taken."""
        return self._hashed + len(self.waiting)

    def take(self, event: Event) -> None:
        """Take the next event."""
        self.waiting.append(event)
        self.settle()

    def settle(self) -> None:
        """Hash what waits, if it is much."""
        if len(self.waiting) >= _BATCH:
            self._flush()

    def take_columns(self, columns: Columns) -> None:
        """Take the next events as columns."""
        from strategykit.columns.hashing import hash_column  # It needs numpy.

        self._flush()
        self._hashed += len(columns)
        for name, field, allowed in self._hashes(columns.kind, columns.symbol):
            held_back = name == "receive_time" and columns.came is not None
            hash_column(field, columns.came if held_back else columns.arrays[name], len(columns), allowed)

    def text(self) -> str:
        """Give the hash over all that came so far."""
        self._flush()
        whole = hashlib.sha256()
        for key, field in sorted(self._fields.items(), key=lambda item: item[0]):
            whole.update(f"{key!r} {field.text()}\n".encode("utf-8", "backslashreplace"))
        return whole.hexdigest()

    def _flush(self) -> None:
        waiting = self.waiting
        if not waiting:
            return
        kind, symbol = type(waiting[0]), waiting[0].instrument
        if len(set(map(type, waiting))) == 1 and [event.instrument for event in waiting].count(symbol) == len(waiting):
            self._hash(kind, symbol, waiting)
        else:
            for (kind, symbol), alike in groupby(waiting, _KIND_AND_SYMBOL):
                self._hash(kind, symbol, list(alike))
        self._hashed += len(waiting)
        waiting.clear()

    def _hash(self, kind: type, symbol: str | None, events: Sequence[Any]) -> None:
        for name, field, _ in self._hashes(kind, symbol):
            get = _QUICK.get(name)
            field.take(list(map(attrgetter(name), events)) if get is None else get(events))

    def _hashes(self, kind: Any, symbol: str | None) -> Iterator[tuple[str, FieldHash, frozenset[Any]]]:
        for name, allowed in field_types(kind).items():
            if name not in GIVEN:
                key = (kind.__name__, str(symbol), name)
                field = self._fields.get(key)
                if field is None:
                    field = self._fields[key] = FieldHash(few=allowed <= _FEW)
                yield name, field, allowed

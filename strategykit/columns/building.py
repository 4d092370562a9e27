"""Makes events of a chunk's values, by a function that is written for their class, as attrs writes `__init__`.

To call the class for each event takes longer than all that the call does: here blank ones are made, and filled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import repeat
from typing import Any

from strategykit.model.event_class import FROZEN
from strategykit.model.events import Event

__all__ = ["made"]

_Maker = Callable[[Iterator[Any], Sequence[Any], Sequence[Any]], Iterator[Any]]


def made(kind: type[Any], given: Mapping[str, object], columns: Mapping[str, list[Any]]) -> Iterator[Event]:
    """Give events of an event class.

    Args:
        kind: Their class.
        given: Fields that are the same in all of them.
        columns: All other fields, one value an event.
    """
    if FROZEN:
        return map(lambda *values: kind(**dict(zip(columns, values, strict=True)), **given), *columns.values())
    maker = _maker(tuple(given), tuple(columns))
    return maker(map(object.__new__, repeat(kind)), tuple(given.values()), tuple(columns.values()))


@cache
def _maker(given: tuple[str, ...], columns: tuple[str, ...]) -> _Maker:
    """Write the function for classes of these fields: slots that are filled, with no checks or defaults."""
    fields = (*given, *columns)
    if not all(name.isidentifier() for name in fields):
        raise ValueError(f"not names of fields: {fields}")
    rows = "".join(f"g_{name}, " for name in columns)
    lines = [
        "def maker(blanks, given, columns):",
        *([f"    {''.join(f'g_{name}, ' for name in given)}= given"] if given else []),
        f"    for {rows}blank in zip(*columns, blanks):",
        *(f"        blank.{name} = g_{name}" for name in fields),
        "        yield blank",
    ]
    space: dict[str, Any] = {}
    exec("\n".join(lines), space)  # noqa: S102 - of nothing but names of fields
    maker: _Maker = space["maker"]
    return maker

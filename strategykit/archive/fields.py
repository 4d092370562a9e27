"""Which columns an event class has, and what each of them holds."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, get_type_hints

import attrs

from strategykit.errors import TapeError
from strategykit.model.events import (
    AssetUpdate,
    Bar,
    BookDelta,
    BookSnapshot,
    ByOrderDelta,
    ByOrderSnapshot,
    Event,
    Gap,
    Quote,
    Rate,
    Side,
    Stale,
    Ticker,
    Trade,
    Volume,
)

__all__ = ["CAME", "KINDS", "TIE", "Field", "Form", "fields_of", "kind_named", "name_of"]

TIE: Final = "tie"
"""The column that says which of several events of one receive time was first, where that isn't plain."""


class Form(enum.Enum):
    """What a column holds, None where the class allows it."""

    NUMBER = "number"
    TIME = "time"
    COUNT = "count"
    FLAG = "flag"
    SIDE = "side"
    WORDS = "words"
    NAME = "name"
    """Whole numbers, texts, or both."""
    NUMBERS = "numbers"
    """A list a row."""
    NAMES = "names"
    """A list of texts a row."""


@attrs.frozen
class Field:
    """One column, named as the field of the event."""

    name: str
    form: Form
    optional: bool
    """Whether it can be None."""


CAME: Final = Field("came", Form.TIME, True)
"""When an event came that was held back and told later; `receive_time` has when it was told, so that it never falls."""

_FORMS: Final[Mapping[Any, Form]] = {
    float: Form.NUMBER,
    int: Form.COUNT,
    bool: Form.FLAG,
    Side: Form.SIDE,
    str: Form.WORDS,
    tuple[float, ...]: Form.NUMBERS,
    tuple[str | None, ...]: Form.NAMES,
}
_NOT_STORED: Final = frozenset({"instrument", "guid"})
"""They are the stream's."""


def _form(name: str, hint: Any) -> tuple[Form, bool]:
    if hint == str | int | None:
        return Form.NAME, True
    optional = hint in {kind | None for kind in (float, int, bool, Side, str)}
    bare = next(arg for arg in hint.__args__ if arg is not type(None)) if optional else hint
    form = _FORMS[bare]
    return (Form.TIME if form is Form.COUNT and name.endswith("_time") else form), optional


def _fields(kind: type) -> tuple[Field, ...]:
    hints = get_type_hints(kind)
    return tuple(
        Field(item.name, *_form(item.name, hints[item.name]))
        for item in attrs.fields(kind)
        if item.name not in _NOT_STORED
    )


_STORED: Final = (
    *(Trade, Quote, BookSnapshot, BookDelta, ByOrderSnapshot, ByOrderDelta, Bar, Ticker, Rate, Volume, AssetUpdate),
    *(Gap, Stale),
)
_FIELDS: Final[Mapping[type, tuple[Field, ...]]] = {kind: _fields(kind) for kind in _STORED}

KINDS: Final[Mapping[str, type[Event]]] = MappingProxyType({kind.__name__: kind for kind in _STORED})
"""What archives hold, by name: market data, and the holes in them."""


def fields_of(kind: type) -> tuple[Field, ...]:
    """Give the columns of a class, in the order of its fields."""
    return _FIELDS[kind]


def name_of(event: Event) -> str:
    """Name the class that an event is stored as.

    Raises:
        TapeError: It isn't market data.
    """
    for kind in type(event).__mro__:  # Dialects may have kinds of trades of their own.
        if kind in _FIELDS:
            return kind.__name__
    raise TapeError(f"{type(event).__name__} is no market data; archives hold {', '.join(KINDS)}")


def kind_named(name: str) -> type[Event]:
    """Give the class of a name.

    Raises:
        TapeError: There is none.
    """
    try:
        return KINDS[name]
    except KeyError:
        raise TapeError(f"archives hold no {name!r}; they hold {', '.join(KINDS)}") from None

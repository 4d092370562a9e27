"""From JSON to wire structs: decoders that read only the needed fields, by each format's names, and their errors.

msgspec's typed decoding refuses wrong types, missing fields, NaN and what isn't JSON by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any, Final, Generic, Protocol, TypeAlias, TypeVar, cast

import msgspec

from strategykit.errors import RemoteProtocolError
from strategykit.model.events import Event
from strategykit.venues.alor.fields import Names
from strategykit.venues.alor.times import MAX_MILLISECONDS, MAX_SECONDS, read_iso
from strategykit.venues.dialect import Cursor, Frame

__all__ = [
    "UNREADABLE",
    "FrameCursor",
    "Framed",
    "Millis",
    "Reader",
    "Seconds",
    "Size",
    "iso_time",
    "money",
    "readers",
    "renamed",
    "unreadable",
]

_T = TypeVar("_T")

UNREADABLE: Final = (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError)
"""What decoding can raise: malformed or mistyped JSON, lone surrogates, numbers out of range, nesting too deep."""

Millis = Annotated[int, msgspec.Meta(ge=0, le=MAX_MILLISECONDS)]
Seconds = Annotated[int, msgspec.Meta(ge=0, le=MAX_SECONDS)]
Size = Annotated[float, msgspec.Meta(ge=0.0)]

_MAGNITUDE: Final = 24
"""Powers of ten that money may have: beyond it a number is noise, and arithmetic with it unbounded."""

_FINEST: Final = 60
"""Digits after the point: an average price is a quotient, of as many digits as whoever divided cared for."""


class Framed(msgspec.Struct, Generic[_T], gc=False):
    """A data frame. Its guid is looked at before, and here skipped."""

    data: _T


Reader: TypeAlias = Callable[[str | bytes], Framed[_T]]


def renamed(wire: type[_T], names: Mapping[str, str], parts: Mapping[Any, Any] = MappingProxyType({})) -> type[_T]:
    """Give `wire` under a format's names. A field that the format lacks never arrives, so it needs a default.

    Args:
        wire: A struct with our names.
        names: Ours to the format's.
        parts: Types of fields to replace, such as nested structs by their own renamed forms.
    """
    fields: list[Any] = []
    for field in msgspec.structs.fields(cast("Any", wire)):
        type_ = parts.get(field.type, field.type)
        required = field.default is msgspec.NODEFAULT
        fields.append((field.name, type_) if required else (field.name, type_, field.default))
    # No name of the venue begins with a hyphen.
    encoded = {field[0]: names.get(field[0], f"-{field[0]}") for field in fields}
    return cast("type[_T]", msgspec.defstruct(wire.__name__, fields, rename=encoded, gc=False, kw_only=True))


def readers(
    wire: type[_T], names: Names, parts: Callable[[str], Mapping[Any, Any]] = lambda _: MappingProxyType({})
) -> Mapping[str, Reader[_T]]:
    """Give the functions that read data frames of `wire`, by format; `parts` gives those of `renamed` for a format."""
    made = {}
    for style in names:
        row: Any = renamed(wire, names[style], parts(style))
        framed = msgspec.defstruct("Framed", [("data", row)], gc=False)
        made[style] = cast("Reader[_T]", msgspec.json.Decoder(framed).decode)
    return made


def unreadable(frame: str | bytes, why: object) -> RemoteProtocolError:
    """Give the error to raise for a frame that can't be read."""
    return RemoteProtocolError(f"ALOR sent what can't be read ({why})", frame=frame)


def money(value: Decimal) -> Decimal:
    """Pass a number that can be counted with.

    Raises:
        ValueError: It isn't finite, or larger or finer than any money.
    """
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError(f"{value} isn't a number")  # noqa: TRY004 - callers catch what the parser raises
    if exponent < -_FINEST or value.adjusted() > _MAGNITUDE:
        raise ValueError("a number is out of any range")
    return value


def iso_time(text: str | None) -> int | None:
    """Give nanoseconds UTC of a time in ISO form.

    Raises:
        ValueError: It isn't one.
    """
    if text is None:
        return None
    time = read_iso(text)
    if time is None:
        raise ValueError(f"{text[:40]!r} isn't a time")
    return time


class FrameCursor(Cursor, Protocol):
    """A cursor of any of ALOR's streams."""

    def decode(self, frame: Frame, receive_time: int) -> Sequence[Event]:
        """Give the events of one data frame, oldest first.

        Raises:
            RemoteProtocolError: The frame can't be read.
        """
        ...

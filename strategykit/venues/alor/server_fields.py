"""Fields of a client's request, read leniently: any case of names, numbers and booleans as text."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeVar, overload

import msgspec

from strategykit.errors import RemoteProtocolError

__all__ = ["FieldError", "Fields", "read_json", "read_object"]

_T = TypeVar("_T")

_MISSING: Final[Any] = object()

_LONGEST: Final = 40
"""Characters of a number. Money needs 20; a Decimal of a million digits would take minutes."""

_DECODER: Final = msgspec.json.Decoder(Any, float_hook=Decimal)

_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}


class FieldError(ValueError):
    """A field of a request is missing or can't be; the text is for the client."""


class Fields:
    """An object's fields by name, in any case. A default stands in for what is missing or null.

    Everything here raises `FieldError` for what can't be.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = {name.lower(): value for name, value in values.items()}

    def __contains__(self, name: str) -> bool:
        return self._values.get(name.lower()) is not None

    @overload
    def text(self, name: str) -> str: ...
    @overload
    def text(self, name: str, default: _T) -> str | _T: ...
    def text(self, name: str, default: Any = _MISSING) -> Any:
        """Give a string; a whole number counts as one, because some clients send order numbers so."""
        value = self._take(name, default)
        if value is default:
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            raise FieldError(f"{name} must be a string")
        return value

    @overload
    def number(self, name: str) -> Decimal: ...
    @overload
    def number(self, name: str, default: _T) -> Decimal | _T: ...
    def number(self, name: str, default: Any = _MISSING) -> Any:
        """Give a number, exactly as it is written."""
        value = self._take(name, default)
        if value is default:
            return value
        if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
            raise FieldError(f"{name} must be a number")
        text = str(value).strip()
        try:
            # Characters that Decimal would let pass are none in JSON.
            number = Decimal(text) if "_" not in text and text.isascii() else Decimal("nan")
        except InvalidOperation:
            number = Decimal("nan")
        if not number.is_finite() or len(text) > _LONGEST or abs(number.adjusted()) > _LONGEST:
            raise FieldError(f"{name} must be a number, not {text[:_LONGEST]!r}")
        return number

    @overload
    def whole(self, name: str) -> int: ...
    @overload
    def whole(self, name: str, default: _T) -> int | _T: ...
    def whole(self, name: str, default: Any = _MISSING) -> Any:
        """Give a whole number; ``5.0`` is one."""
        number = self.number(name, default)
        if number is default:
            return number
        if number != number.to_integral_value():
            raise FieldError(f"{name} must be a whole number, not {number}")
        return int(number)

    def flag(self, name: str, *, default: bool) -> bool:
        """Give a boolean; its words count too."""
        value = self._take(name, default)
        if isinstance(value, bool):
            return value
        found = _BOOLEANS.get(str(value).lower()) if isinstance(value, str | int) else None
        if found is None:
            raise FieldError(f"{name} must be true or false")
        return found

    def choice(self, name: str, words: Mapping[str, _T], default: _T = _MISSING) -> _T:
        """Give what a word stands for; `words` has it in lower case."""
        if default is not _MISSING and name not in self:
            return default
        value = self.text(name)
        if value.lower() not in words:
            raise FieldError(f"{name} must be one of {', '.join(words)}, not {value[:100]!r}")
        return words[value.lower()]

    def object(self, name: str) -> Fields:
        """Give an object's fields; none where there is no object."""
        value = self._take(name, {})
        if not isinstance(value, dict):
            raise FieldError(f"{name} must be an object")
        return Fields(value)

    def objects(self, name: str) -> list[Fields]:
        """Give the fields of each object in a list."""
        return [Fields(value) for value in self._list(name) if isinstance(value, dict)]

    def texts(self, name: str) -> tuple[str, ...]:
        """Give a list of strings; what else is in it is left out."""
        return tuple(value for value in self._list(name) if isinstance(value, str))

    def _list(self, name: str) -> list[Any]:
        value = self._take(name, [])
        if not isinstance(value, list):
            raise FieldError(f"{name} must be a list")
        return value

    def _take(self, name: str, default: Any) -> Any:
        value = self._values.get(name.lower())
        if value is None:
            if default is _MISSING:
                raise FieldError(f"{name} is required")
            return default
        return value


def read_json(body: str | bytes) -> Any:
    """Parse JSON, fractions as `Decimal`.

    Raises:
        RemoteProtocolError: It isn't JSON, or nests too deep.
    """
    try:
        return _DECODER.decode(body)
    except (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError) as exc:
        raise RemoteProtocolError(f"isn't JSON: {exc}") from exc


def read_object(body: str | bytes) -> Fields:
    """Parse a JSON object.

    Raises:
        RemoteProtocolError: It isn't one.
    """
    value = read_json(body)
    if not isinstance(value, dict):
        raise RemoteProtocolError("isn't a JSON object")
    return Fields(value)

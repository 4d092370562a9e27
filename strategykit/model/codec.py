"""From our values to plain dicts and back: how tapes and journals keep commands, streams, instruments and events.

Amounts of money are text, so that no digit is lost; enums are their values; where one of several classes can stand,
the key ``"type"`` names which. Reading is strict: an unknown key, a missing one or a number in the place of a text is
an error, never a guess.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from decimal import Decimal
from math import isfinite
from typing import Any, Final, Union, get_args, get_origin

import attrs
import cattrs
from cattrs.errors import ForbiddenExtraKeysError
from cattrs.gen import make_dict_unstructure_fn, override
from cattrs.strategies import configure_union_passthrough

from strategykit.errors import TapeError
from strategykit.model.orders import OrderRequest

__all__ = ["TAG", "from_dict", "make_converter", "to_dict"]

TAG: Final = "type"
"""The key that names the class where a union is meant. No class of a union has such a field."""

_SHOWN: Final = 80
"""Characters of a wrong value that a message quotes."""


def make_converter() -> cattrs.Converter:
    """Make a converter for every attrs class of ours and for unions of them, such as `Command`, `Ask` and `Event`."""
    converter = cattrs.Converter(forbid_extra_keys=True, unstruct_collection_overrides={tuple: list})
    converter.register_unstructure_hook(Decimal, str)
    converter.register_structure_hook(Decimal, _decimal)
    converter.register_structure_hook(float, _float)
    for plain in (bool, int, str, type(None)):
        converter.register_structure_hook(plain, _exactly(plain))
    configure_union_passthrough(str | int | None, converter)
    # Tapes of before this field have no such key, and their commands are compared with those of a re-run.
    sparing = make_dict_unstructure_fn(OrderRequest, converter, trail=override(omit_if_default=True))
    converter.register_unstructure_hook(OrderRequest, sparing)
    converter.register_unstructure_hook_factory(_is_tagged, _make_tagging)
    converter.register_structure_hook_factory(_is_tagged, _make_untagging)
    return converter


def to_dict(converter: cattrs.Converter, value: Any, kind: Any) -> dict[str, Any]:
    """Give `value` as a dict that JSON can hold.

    Args:
        converter: Made by `make_converter`.
        value: An instance of a class of ours.
        kind: Its class; or the union that `from_dict` will be told, which adds the tag.
    """
    result: dict[str, Any] = converter.unstructure(value, unstructure_as=kind)
    return result


def from_dict(converter: cattrs.Converter, data: object, kind: Any) -> Any:
    """Give back what `to_dict` was given.

    Raises:
        TapeError: `data` isn't what `to_dict` makes of a `kind`; the message says every place that is wrong.
    """
    try:
        return converter.structure(_mapping(data), kind)
    except (cattrs.BaseValidationError, ForbiddenExtraKeysError, TypeError, ValueError, KeyError) as exc:
        reasons = "; ".join(cattrs.transform_error(exc, format_exception=_describe))
        name = kind.__name__ if isinstance(kind, type) else "value"
        raise TapeError(f"a stored {name} can't be read: {reasons}") from exc


def _decimal(value: object, _: object) -> Decimal:
    if not isinstance(value, str):
        raise TypeError(f"an amount is a text such as '101.5', not {_shown(value)}")
    try:
        amount = Decimal(value)
    except ArithmeticError as exc:  # What `Decimal("abc")` raises is no ValueError.
        raise ValueError(f"{_shown(value)} is no amount") from exc
    if not amount.is_finite():
        raise ValueError(f"{_shown(value)} is no amount")
    return amount


def _float(value: object, _: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"a number is meant, not {_shown(value)}")
    try:
        number = float(value)
    except OverflowError as exc:
        raise ValueError("a number is too big") from exc
    if not isfinite(number):
        raise ValueError(f"{_shown(value)} is no number to compute with")
    return number


def _exactly(kind: type) -> Callable[[object, object], Any]:
    """Give a hook that takes instances of `kind` only: cattrs would call it, and ``bool("false")`` is true."""

    def structure(value: object, _: object) -> Any:
        if type(value) is not kind:
            raise TypeError(f"{kind.__name__} is meant, not {_shown(value)}")
        return value

    return structure


def _is_tagged(kind: Any) -> bool:
    if get_origin(kind) not in (Union, types.UnionType):
        return False
    return all(isinstance(member, type) and attrs.has(member) for member in get_args(kind))


def _make_tagging(kind: Any, converter: cattrs.Converter) -> Callable[[Any], dict[str, Any]]:
    hooks = {member: converter.get_unstructure_hook(member) for member in get_args(kind)}

    def unstructure(value: Any) -> dict[str, Any]:
        hook = hooks.get(type(value))
        if hook is None:
            raise TypeError(f"{type(value).__name__} is none of {', '.join(member.__name__ for member in hooks)}")
        return {TAG: type(value).__name__, **hook(value)}

    return unstructure


def _make_untagging(kind: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    members = {member.__name__: (member, converter.get_structure_hook(member)) for member in get_args(kind)}

    def structure(value: object, _: Any) -> Any:
        fields = dict(_mapping(value))
        tag = fields.pop(TAG, None)
        if not isinstance(tag, str) or tag not in members:
            raise ValueError(f"{TAG!r} must be one of {', '.join(members)}, not {_shown(tag)}")
        member, hook = members[tag]
        return hook(fields, member)

    return structure


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"a dict is meant, not {_shown(value)}")
    return value


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _describe(exc: BaseException, _: type | None) -> str:
    if isinstance(exc, KeyError):
        return f"{exc.args[0]!r} is missing"
    if isinstance(exc, ForbiddenExtraKeysError):
        return f"unknown: {', '.join(sorted(map(repr, exc.extra_fields)))}"
    return str(exc)

"""A strategy's parameters: what there is to set, and setting it from text or from a session file."""

from __future__ import annotations

import difflib
import enum
import math
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, Literal, Union, cast, get_args, get_origin

import attrs

from strategykit.errors import ConfigError, StrategyError
from strategykit.strategy import Strategy

__all__ = ["Parameter", "convert", "make_strategy", "strategy_parameters"]


@attrs.frozen(kw_only=True)
class Parameter:
    """One thing that can be set, as the class declares it."""

    name: str
    type: Any
    """The annotation, resolved."""
    default: object
    """`attrs.NOTHING` where it has to be given."""
    low: float | None
    high: float | None
    help: str

    @property
    def required(self) -> bool:
        return self.default is attrs.NOTHING

    @property
    def wanted(self) -> str:
        """What would be right, in words."""
        text = _words(self.type)
        if self.low is not None and self.high is not None:
            return f"{text} from {self.low:g} to {self.high:g}"
        if self.low is not None:
            return f"{text}, at least {self.low:g}"
        if self.high is not None:
            return f"{text}, at most {self.high:g}"
        return text


def strategy_parameters(cls: type[Strategy]) -> list[Parameter]:
    """Give the parameters of a strategy, in the order of their declaration.

    Raises:
        StrategyError: An annotation names what doesn't exist.
    """
    try:
        hints = typing.get_type_hints(cls)
    except NameError as exc:
        raise StrategyError(f"{cls.__name__}: {exc}; annotations of parameters must be importable") from exc
    fields: Iterable[attrs.Attribute[Any]] = attrs.fields(cast("Any", cls))
    return [
        Parameter(
            name=field.alias or field.name,
            type=hints.get(field.name, str),
            default=_default(field),
            low=field.metadata.get("low"),
            high=field.metadata.get("high"),
            help=field.metadata.get("help", ""),
        )
        for field in fields
        if field.init
    ]


def _default(field: attrs.Attribute[Any]) -> object:
    # What a factory would make isn't known before; to people the parameter just isn't required.
    return None if isinstance(field.default, attrs.Factory) else field.default  # type: ignore[arg-type]  # a class, in truth


def make_strategy(cls: type[Strategy], params: Mapping[str, object]) -> Strategy:
    """Make a strategy; texts are converted as its annotations say.

    Raises:
        ConfigError: A parameter is unknown, missing or wrong; one line a mistake, each with what would be right.
        StrategyError: The class can't be made.
    """
    known = {parameter.name: parameter for parameter in strategy_parameters(cls)}
    wrong = [_unknown(cls, name, list(known)) for name in params if name not in known]
    values = {}
    for name, parameter in known.items():
        if name not in params:
            if parameter.required:
                wrong.append(f"{cls.__name__}: parameter {name} is missing; give {parameter.wanted}")
            continue
        try:
            values[name] = convert(params[name], parameter.type)
        except ValueError:
            wanted = f"{parameter.wanted}{' that is not empty' if parameter.type is str and not params[name] else ''}"
            wrong.append(f"{cls.__name__}: parameter {name} = {_shown(params[name])} should be {wanted}")
    if wrong:
        raise ConfigError("\n".join(wrong))
    try:
        return cls(**values)
    except ConfigError as exc:
        raise ConfigError(f"{cls.__name__}: {exc}") from exc
    except Exception as exc:  # The author's own checks may raise anything.
        raise StrategyError(f"{cls.__name__} refuses its parameters: {type(exc).__name__}: {exc}") from exc


def convert(value: object, kind: Any) -> object:
    """Give `value` as a `kind`; text is read, anything else must fit already.

    Raises:
        ValueError: It doesn't fit.
    """
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _convert_union(value, get_args(kind))
    if origin is Literal:
        for choice in get_args(kind):
            if (value == choice and type(value) is type(choice)) or value == str(choice):
                return choice
        raise ValueError(value)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return value if isinstance(value, kind) else _member(kind, value)
    if kind in _READERS:
        return _READERS[kind](value)
    if isinstance(value, str) and kind is not Any:
        raise ValueError(value)
    return value


def _convert_union(value: object, choices: tuple[Any, ...]) -> object:
    if types.NoneType in choices and (value is None or (isinstance(value, str) and value.lower() == "none")):
        return None
    # Text fits `str` always, so it comes last.
    for choice in sorted((choice for choice in choices if choice is not types.NoneType), key=lambda kind: kind is str):
        try:
            return convert(value, choice)
        except ValueError:
            continue
    raise ValueError(value)


def _member(kind: type[enum.Enum], value: object) -> enum.Enum:
    for member in kind:
        if value in (member.value, member.name) or str(value).lower() == member.name.lower():
            return member
    raise ValueError(value)


_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,30}")
_FRACTION: Final = re.compile(r"[+-]?([0-9]{1,30}\.?[0-9]{0,30}|\.[0-9]{1,30})(e[+-]?[0-9]{1,3})?", re.IGNORECASE)
_YES: Final = frozenset({"true", "yes", "on", "1"})
_NO: Final = frozenset({"false", "no", "off", "0"})


def _read_int(value: object) -> int:
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    if type(value) is int:  # A bool is no number here.
        return value
    raise ValueError(value)


def _read_float(value: object) -> float:
    if isinstance(value, str) and _FRACTION.fullmatch(value):
        value = float(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    raise ValueError(value)


def _read_decimal(value: object) -> Decimal:
    if isinstance(value, Decimal) and value.is_finite():
        return value
    if isinstance(value, str) and _FRACTION.fullmatch(value):
        return Decimal(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return Decimal(str(value))
    raise ValueError(value)


def _read_bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _YES | _NO:
        return value.lower() in _YES
    raise ValueError(value)


def _read_str(value: object) -> str:
    if isinstance(value, str) and value:
        return value
    raise ValueError(value)


_READERS: Final[Mapping[Any, Callable[[object], object]]] = {
    int: _read_int,
    float: _read_float,
    Decimal: _read_decimal,
    bool: _read_bool,
    str: _read_str,
}

_WORDS: Final[Mapping[Any, str]] = {
    int: "a whole number",
    float: "a number",
    Decimal: "a number",
    bool: "true or false",
    str: "text",
    types.NoneType: "none",
}


def _words(kind: Any) -> str:
    if get_origin(kind) in (Union, types.UnionType):
        return " or ".join(_words(choice) for choice in get_args(kind))
    if get_origin(kind) is Literal:
        return " or ".join(repr(choice) for choice in get_args(kind))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return " or ".join(repr(member.name.lower()) for member in kind)
    return _WORDS.get(kind) or f"a {getattr(kind, '__name__', kind)}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"


def _unknown(cls: type[Strategy], name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known) or 'none'}"
    return f"{cls.__name__} has no parameter {name}; {hint}"

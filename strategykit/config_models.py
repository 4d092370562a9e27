"""Fill models in TOML: the ``[models]`` table of a session file, or a file of their own."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Final, get_args, get_origin

import attrs
import cattrs
from cattrs.errors import ForbiddenExtraKeysError
from cattrs.gen import make_dict_structure_fn

from strategykit.config_values import Mistakes, parse_duration
from strategykit.errors import ConfigError
from strategykit.model.codec import make_converter, to_dict
from strategykit.sim.models.fill_models import DEFAULT_MODELS, FillModels
from strategykit.sim.models.latency import Constant, Drawn, Duration, Latency, Recorded

__all__ = ["load_models", "make_models", "models_as_dict"]

_NOTHING: Final = frozenset({"0s", "0ms", "0us", "0ns"})
_LATENCIES: Final = {"constant": Constant, "drawn": Drawn, "recorded": Recorded}


def load_models(path: Path | str) -> FillModels:
    """Read a file of fill models: the keys of a session's ``[models]`` table, in that table or without it.

    Raises:
        ConfigError: It can't be read, or something in it is wrong; one line a mistake.
    """
    path = Path(path)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ConfigError(f"{path}: can't be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: isn't UTF-8 text (byte {exc.start}); fill models are a TOML file") from None
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{path}: isn't TOML: {exc}") from None
    table = document["models"] if set(document) == {"models"} else document
    try:
        return make_models(table)
    except Mistakes as exc:
        raise ConfigError("\n".join(f"{path}: {line}" for line in exc.lines)) from None


def make_models(table: object) -> FillModels:
    """Check fill models that are given as TOML's values; what isn't said is as in `DEFAULT_MODELS`.

    Raises:
        Mistakes: Something in it is wrong; one line a mistake.
    """
    if not isinstance(table, Mapping):
        raise Mistakes("models should be a table")
    try:
        models: FillModels = _converter().structure(table, FillModels)
    except cattrs.BaseValidationError as exc:
        lines = cattrs.transform_error(exc, path="models", format_exception=_describe)
        raise Mistakes(*(_turned(line) for line in lines)) from None
    return models


def models_as_dict(models: FillModels) -> dict[str, Any]:
    """Give models as a dict that JSON can hold, without what is as in `DEFAULT_MODELS`: part of what a run is."""
    converter = make_converter()
    default = to_dict(converter, DEFAULT_MODELS, FillModels)
    said = to_dict(converter, models, FillModels)
    return {key: value for key, value in said.items() if value != default[key]}


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    for kind, check in ((bool, _bool), (int, _int), (str, _str), (float, _number), (Decimal, _amount)):
        converter.register_structure_hook(kind, check)
    converter.register_structure_hook_factory(attrs.has, lambda kind: _table_hook(kind, converter))
    converter.register_structure_hook_func(lambda kind: kind == Duration, _duration)
    converter.register_structure_hook_func(lambda kind: isinstance(kind, type) and issubclass(kind, Enum), _choice)
    converter.register_structure_hook_func(lambda kind: kind == Latency, lambda value, _: _latency(value, converter))
    # Only these unions occur, and none of theirs is a table.
    converter.register_structure_hook_func(
        lambda kind: type(None) in get_args(kind) and get_origin(kind) is not None,
        lambda value, kind: None if value is None else converter.structure(value, get_args(kind)[0]),
    )
    return converter


def _table_hook(kind: type[Any], converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    structure = make_dict_structure_fn(kind, converter, _cattrs_forbid_extra_keys=True)

    def check(value: object, _: object) -> Any:
        if not isinstance(value, Mapping):
            raise TypeError(f"= {value!r} should be a table with keys among {', '.join(attrs.fields_dict(kind))}")
        return structure(value, kind)

    return check


def _latency(value: object, converter: cattrs.Converter) -> Latency:
    if isinstance(value, str | int) and not isinstance(value, bool):
        return Constant(span=_duration(value, int))
    if not isinstance(value, Mapping) or value.get("type") not in _LATENCIES:
        raise ValueError(
            'should be a time such as "5ms" or "250us", or a table with type = "constant", "drawn" or "recorded"'
        )
    fields = {key: each for key, each in value.items() if key != "type"}
    found: Latency = converter.structure(fields, _LATENCIES[value["type"]])
    return found


def _duration(value: object, _: object) -> int:
    if isinstance(value, str):
        return 0 if value in _NOTHING else parse_duration(value)
    if isinstance(value, bool) or value != 0:  # 0 is the same in any unit.
        raise TypeError(f'= {value!r} should be a time such as "5ms" or "250us": a number alone says no unit')
    return 0


def _choice(value: object, kind: type[Enum]) -> Enum:
    words = [str(each.value) for each in kind]
    if value not in words:
        raise ValueError(f"= {value!r} should be one of {', '.join(words)}")
    return kind(value)


def _bool(value: object, _: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"= {value!r} should be true or false")
    return value


def _int(value: object, _: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"= {value!r} should be a whole number")
    return value


def _str(value: object, _: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"= {value!r} should be text in quotes")
    return value


def _number(value: object, _: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"= {value!r} should be a number")
    return float(value)


def _amount(value: object, _: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError(f"= {value!r} should be a number")
    try:
        return Decimal(str(value))
    except ArithmeticError:  # What `Decimal("abc")` raises is no ValueError.
        raise ValueError(f"= {value!r} should be a number") from None


def _turned(line: str) -> str:
    """Put the key first: ``"wrong @ models.rule"`` becomes ``"models.rule wrong"``."""
    message, _, key = line.rpartition(" @ ")
    return f"{key} {message}"


def _describe(exc: BaseException, _: type | None) -> str:
    if isinstance(exc, KeyError):
        return "is missing"
    if isinstance(exc, ForbiddenExtraKeysError):
        known = ", ".join(attrs.fields_dict(exc.cl))
        return f"has no key {', '.join(sorted(exc.extra_fields))}; known are {known}"
    return str(exc)

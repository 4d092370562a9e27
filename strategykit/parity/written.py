"""Fill models written as the ``[models]`` table of a TOML file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from typing import Any, Final

import attrs

from strategykit.sim.models.fill_models import DEFAULT_MODELS, FillModels
from strategykit.sim.models.latency import Constant, Drawn, Recorded

__all__ = ["models_as_toml"]

_LATENCIES: Final = {Constant: "constant", Drawn: "drawn", Recorded: "recorded"}


def models_as_toml(models: FillModels) -> str:
    """Give a table that `load_models` reads as the same models; what is as in `DEFAULT_MODELS` is left out."""
    lines = ["[models]"]
    for field in attrs.fields(FillModels):
        value = getattr(models, field.name)
        if value != getattr(DEFAULT_MODELS, field.name):
            lines.append(f"{field.name} = {_written(value)}")
    return "\n".join([*lines, ""])


def _written(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case Decimal():
            return f'"{value}"'
        case Enum():
            return _written(value.value)
        case str():
            return json.dumps(value, ensure_ascii=True)
        case tuple():
            return f"[{', '.join(_written(each) for each in value)}]"
        case Mapping():
            return _table({json.dumps(key): each for key, each in value.items()})
        case Constant(span=span):
            return _span(span)
        case Drawn(samples=samples):
            return _latency(value, "samples", samples)
        case Recorded(spans=spans):
            return _latency(value, "spans", spans)
        case _:
            return _table(_fields(value))


def _span(span: int) -> str:
    """Write nanoseconds with units, exactly."""
    seconds, rest = divmod(span, 10**9)
    whole = f"{seconds}s" if seconds or not rest else ""
    for unit, size in (("ms", 10**6), ("us", 10**3), ("ns", 1)):
        if rest and not rest % size:
            return f'"{whole}{rest // size}{unit}"'
    return f'"{whole}"'


def _latency(value: Drawn | Recorded, name: str, spans: tuple[int, ...]) -> str:
    fields = {key: _written(each) for key, each in _fields(value).items()}
    fields[name] = f"[{', '.join(map(_span, spans))}]"
    return f"{{{', '.join(f'{key} = {each}' for key, each in fields.items())}}}"


def _fields(value: Any) -> dict[str, Any]:
    said: dict[str, Any] = {"type": _LATENCIES[type(value)]} if type(value) in _LATENCIES else {}
    for field in attrs.fields(type(value)):
        held = getattr(value, field.name)
        if held is not None and held != field.default:
            said[field.name] = held
    return said


def _table(values: Mapping[str, Any]) -> str:
    return f"{{{', '.join(f'{key} = {_written(each)}' for key, each in values.items())}}}"

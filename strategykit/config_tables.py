"""The shape of a session file: its tables, the check of each key, and the words for what is wrong with one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal

import attrs
import cattrs
from cattrs.errors import AttributeValidationNote, ForbiddenExtraKeysError, IterableValidationNote
from cattrs.gen import make_dict_structure_fn, override

from strategykit.config_models import make_models
from strategykit.config_values import (
    Check,
    Mistakes,
    WrongValue,
    amount,
    between,
    duration,
    exactly,
    folder,
    instrument,
    matching,
    one_of,
    positions,
    public_kind,
    table,
    time_zone,
)
from strategykit.config_venue import VenueTable, read_venue
from strategykit.errors import ConfigError
from strategykit.sim.models.fill_models import DEFAULT_MODELS, FillModels
from strategykit.venues.streams import StreamKind

__all__ = ["LimitsTable", "RecordTable", "RiskTable", "RunTable", "SessionTable", "StrategyTable", "read_tables"]

_SECOND: Final = 10**9

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")


@attrs.frozen(kw_only=True)
class RunTable:
    live: bool = False
    duration: int | None = None
    seed: int | None = None
    tape: Path | None = Path("tapes")
    journal: Path | None = None
    on_stop: Literal["cancel", "keep"] = "cancel"
    on_kill: Literal["cancel", "flatten"] = "cancel"
    guard: bool | None = None
    guard_after: int = 10 * _SECOND


@attrs.frozen(kw_only=True)
class LimitsTable:
    """Limits of risk; None where nothing is said."""

    max_order_quantity: int | None = None
    max_order_notional: Decimal | None = None
    price_collar: Decimal | None = None
    max_open_orders: int | None = None
    max_order_rate: int | None = None
    max_repeats: int | None = None
    repeat_window: int | None = None
    max_position: Mapping[str, int] | None = None
    max_daily_loss: Decimal | None = None


@attrs.frozen(kw_only=True)
class RiskTable(LimitsTable):
    """The account's limits."""

    strategy: LimitsTable = LimitsTable()
    """Those of each strategy."""
    time_zone: str = "UTC"


@attrs.frozen(kw_only=True)
class StrategyTable:
    file: str
    name: str | None = None
    params: Mapping[str, object] = attrs.field(factory=dict)
    risk: LimitsTable = LimitsTable()


@attrs.frozen(kw_only=True)
class RecordTable:
    kind: StreamKind
    instrument: str
    interval: int | None = None
    depth: int | None = None
    every: int | None = None


@attrs.frozen(kw_only=True)
class SessionTable:
    venue: VenueTable
    run: RunTable = RunTable()
    risk: RiskTable = RiskTable()
    models: FillModels = DEFAULT_MODELS
    strategy: tuple[StrategyTable, ...] = ()
    record: tuple[RecordTable, ...] = ()


def _guard_after(value: Any, kind: Any) -> int:
    """Check how long a run may be silent: a moment of a busy machine isn't the end of it."""
    length: int = duration(value, kind)
    if length < 2 * _SECOND:
        raise WrongValue(f'= "{value}" should be "2s" or more: a run is heard twice a second')
    return length


_LIMITS: Final[Mapping[str, Check]] = {
    "max_order_quantity": between(1, None),
    "max_order_notional": amount,
    "price_collar": amount,
    "max_open_orders": between(1, None),
    "max_order_rate": between(1, None),
    "max_repeats": between(1, None),
    "repeat_window": duration,
    "max_position": positions,
    "max_daily_loss": amount,
}

_FIELDS: Final[Mapping[type, Mapping[str, Check]]] = {
    LimitsTable: _LIMITS,
    RiskTable: {**_LIMITS, "time_zone": time_zone},
    RunTable: {
        "live": exactly(bool),
        "duration": duration,
        "seed": between(0, None),
        "tape": folder,
        "journal": folder,
        "on_stop": one_of(("cancel", "keep")),
        "on_kill": one_of(("cancel", "flatten")),
        "guard": exactly(bool),
        "guard_after": _guard_after,
    },
    StrategyTable: {
        "file": matching(re.compile(r"(?!sample:$).+"), "a path, or sample:NAME"),
        "name": matching(_NAME, "letters, digits, - and _, at most 40 of them"),
        "params": table,
    },
    RecordTable: {
        "kind": public_kind,
        "instrument": instrument,
        "interval": duration,
        "depth": between(1, 5_000),
        "every": between(1, 86_400_000),
    },
}
_RENAMED: Final = {"duration": "for"}
"""Keys that are no Python names."""

_WANTED: Final = {
    "venue": "a session needs a [venue] table",
    "file": 'name the strategy\'s file, such as "strategies/cross.py" or "sample:cross"',
    "kind": 'say what to record, such as "trades"',
    "instrument": 'name a symbol, such as "SBER"',
}
"""What would be right, for keys that can't be left out."""


def read_tables(document: Mapping[str, object]) -> SessionTable:
    """Check what a TOML parser gave.

    Raises:
        Mistakes: Something in it is wrong.
    """
    try:
        return _converter().structure(document, SessionTable)
    except cattrs.BaseValidationError as exc:
        raise Mistakes(*_explain(exc, "")) from None


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    for cls, checks in _FIELDS.items():
        rules = {name: override(struct_hook=check, rename=_RENAMED.get(name)) for name, check in checks.items()}
        converter.register_structure_hook(cls, _after(table, _structure(cls, converter, rules)))
    converter.register_structure_hook(VenueTable, read_venue)
    converter.register_structure_hook(FillModels, lambda value, _: make_models(value))
    arrays = {name: override(struct_hook=_after(_array, converter.structure)) for name in ("strategy", "record")}
    converter.register_structure_hook(SessionTable, _structure(SessionTable, converter, arrays))
    return converter


def _structure(cls: type[Any], converter: cattrs.Converter, rules: Mapping[str, Any]) -> Check:
    return make_dict_structure_fn(cls, converter, **rules)


def _after(check: Check, structure: Check) -> Check:
    return lambda value, kind: structure(check(value, kind), kind)


def _array(value: Any, _: Any) -> list[Any]:
    if not isinstance(value, list):
        raise WrongValue("should be an array of tables: two brackets on each side of its name")
    return value


def _explain(error: BaseException, key: str) -> Iterator[str]:
    """Give one line a mistake."""
    if isinstance(error, cattrs.BaseValidationError):
        for inner in error.exceptions:
            yield from _explain(inner, _longer(key, inner))
    elif isinstance(error, ForbiddenExtraKeysError):
        known = [_RENAMED.get(name, name) for name in attrs.fields_dict(error.cl)]
        for name in sorted(error.extra_fields):
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            yield f"{key}.{name} is no known key; {hint}".removeprefix(".")
    elif isinstance(error, Mistakes):
        yield from error.lines
    elif isinstance(error, KeyError):
        yield f"{key} is missing; {_WANTED[key.rpartition('.')[2]]}"
    elif isinstance(error, ConfigError):
        yield f"{key}: {error}"
    else:
        yield f"{key} {error}"


def _longer(key: str, error: Exception) -> str:
    """Give the key of `error`, which stands right below `key`."""
    match getattr(error, "__notes__", []):
        case [AttributeValidationNote(name=name)]:
            return f"{key}.{_RENAMED.get(name, name)}".removeprefix(".")
        case [IterableValidationNote(index=int(index))]:
            return f"{key} #{index + 1}"
        case [IterableValidationNote(index=str(name))]:
            return f"{key}.{name}"
        case _:
            return key

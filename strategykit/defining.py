"""How the class of a strategy, and its parameters, are declared."""

from __future__ import annotations

from typing import Any, TypeVar, dataclass_transform

import attrs

from strategykit.errors import ConfigError

__all__ = ["define", "param"]

C = TypeVar("C")


def param(
    default: Any = attrs.NOTHING,
    *,
    low: float | None = None,
    high: float | None = None,
    step: float | None = None,
    help: str = "",  # noqa: A002 - the word that command lines use for it
) -> Any:
    """Declare a parameter once: validation, command-line flag, range of a sweep, label in a report.

    Args:
        low: The least value allowed.
        high: The greatest value allowed.
        step: Distance between two values in a sweep.
        help: What it means, with its unit; shown by ``--help``.
    """

    def check(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value is None:  # One that may be left out.
            return
        # Not the other way round: "not a number" is neither below nor above anything.
        if low is not None and not value >= low:
            raise ConfigError(f"parameter {attribute.name} = {value!r} is below its least value {low}")
        if high is not None and not value <= high:
            raise ConfigError(f"parameter {attribute.name} = {value!r} is above its greatest value {high}")

    metadata = {"low": low, "high": high, "step": step, "help": help}
    return attrs.field(default=default, metadata=metadata, validator=check)


# `param` isn't among the specifiers: of those, mypy takes a default by keyword only, and `param(20)` has one, too.
@dataclass_transform(kw_only_default=True, eq_default=False, field_specifiers=(attrs.field,))
def define(cls: type[C]) -> type[C]:
    """Make a strategy class: annotated names are parameters, the others are what they are.

    Strategies compare by identity, so that two of the same parameters stay two.
    """
    return attrs.define(cls, slots=False, eq=False, kw_only=True)

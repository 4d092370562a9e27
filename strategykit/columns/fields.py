"""What the fields of event classes may hold."""

from __future__ import annotations

import types
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, get_args, get_type_hints

import attrs

from strategykit.model import events as model

__all__ = ["GIVEN", "field_types"]

GIVEN: Final = ("instrument", "guid")
"""Fields that are the same for a whole stream: they are in no column."""


def field_types(kind: Any) -> Mapping[str, frozenset[Any]]:
    """Give the types that each field of an event class may have, in the class's own order."""
    return _field_types(kind)


@cache
def _field_types(kind: Any) -> Mapping[str, frozenset[Any]]:
    hints = get_type_hints(kind, vars(model))
    return {
        item.name: frozenset(get_args(hints[item.name]))
        if isinstance(hints[item.name], types.UnionType)
        else frozenset({hints[item.name]})
        for item in attrs.fields(kind)
    }

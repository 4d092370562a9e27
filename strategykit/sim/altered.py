"""Events are told as they are, or as copies with something changed."""

from __future__ import annotations

from typing import Any, TypeVar, cast

import attrs

__all__ = ["altered"]

T = TypeVar("T")


def altered(event: T, **changes: object) -> T:
    """Give a copy of an event with other values."""
    # To type checkers the event classes are dataclass-like, which `attrs.evolve` doesn't take.
    return cast("T", attrs.evolve(cast("Any", event), **changes))

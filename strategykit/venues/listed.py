"""Lists of all that a venue has: one odd row among thousands mustn't hide the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

import msgspec

from strategykit.errors import ConfigError, RemoteProtocolError
from strategykit.model.instruments import Instrument

__all__ = ["read_listed"]

T = TypeVar("T")

_UNFIT: Final = (msgspec.MsgspecError, ValueError, ArithmeticError, ConfigError, RemoteProtocolError)


def read_listed(rows: Iterable[T], read: Callable[[T], Instrument]) -> list[Instrument]:
    """Read rows of instruments; what can't be one is left out, such as what isn't traded yet and has no tick.

    Raises:
        Exception: What `read` raised, if none of the rows could be read.
    """
    found: list[Instrument] = []
    wrong: Exception | None = None
    for row in rows:
        try:
            found.append(read(row))
        except _UNFIT as exc:
            wrong = exc
    if wrong is not None and not found:
        raise wrong
    return found

"""Finding out how a venue calls what it lists: conversations over HTTP, as generators without a socket."""

from __future__ import annotations

import difflib
from collections.abc import Generator, Iterable, Sequence
from typing import Final, Protocol, runtime_checkable

import attrs

from strategykit.venues.asks import HttpRequest

__all__ = ["NEAR", "Listed", "LooksUp", "Lookup", "nearest"]

NEAR: Final = 5
"""Names that are suggested in the place of one that there isn't."""


@attrs.frozen(kw_only=True)
class Listed:
    """Something that a venue lists."""

    symbol: str
    """What strategies call it; of what holds several, such as an exchange, what their names begin with."""
    description: str = ""
    expires: str = ""
    """As the venue writes it; empty where it doesn't."""
    is_market: bool = True
    """Whether it can be traded; else it holds what can."""


Lookup = Generator[HttpRequest, bytes | None, Sequence[Listed]]
"""Yields calls, is sent the body of each answer, or None where the venue has no such thing, and returns what it found.

Raises `RemoteProtocolError` for an answer that can't be read.
"""


@runtime_checkable
class LooksUp(Protocol):
    """A dialect that can ask what its venue lists, beside the streams that define one market each."""

    def browse(self, text: str) -> Lookup:
        """List what is right below the name `text`; without one, the top; where nobody has it, what is found by it."""
        ...

    def look_up(self, symbol: str) -> Lookup:
        """Find a market by its whole name: it alone, or else what is called nearly so."""
        ...


def nearest(symbol: str, rows: Iterable[Listed]) -> list[Listed]:
    """Give the few rows whose names are most like `symbol`, the most like it first."""
    known = {row.symbol: row for row in rows}
    return [known[name] for name in difflib.get_close_matches(symbol, known, n=NEAR, cutoff=0.0)]

"""Data as the servers of the family word it: what each venue's words have in common, and the envelope."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from strategykit.venues.stream.server_streams import ChannelKind

__all__ = ["Row", "Wording", "encode_row", "wrap"]

Row = dict[str, Any]

_ENCODE: Final = msgspec.json.Encoder().encode


class Wording:
    """How one venue words what it tells.

    Args:
        microseconds: Whether times go out in microseconds, not milliseconds.
    """

    words: Mapping[ChannelKind, Callable[[Any, int], Row]]
    """What words a value of each kind of stream; `now` is when it is sent. Kinds that aren't here are silent."""

    def __init__(self, *, microseconds: bool) -> None:
        self._unit = 1_000 if microseconds else 1_000_000

    def time(self, nanoseconds: int) -> int:
        """Give a time in the unit of the wire."""
        return nanoseconds // self._unit


def encode_row(row: Row | list[Row]) -> bytes:
    """Make a payload."""
    return _ENCODE(row)


def wrap(stream: str, payload: bytes) -> bytes:
    """Put the envelope around a payload that is encoded already."""
    return b"".join((b'{"stream":', _ENCODE(stream), b',"data":', payload, b"}"))

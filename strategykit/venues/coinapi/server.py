"""The venue's half of the stream: frames out of items, and its control messages.

Source: CoinAPI protocol sheet, section 5.
"""

from __future__ import annotations

from typing import Final

import msgspec

from strategykit.venues.coinapi.names import DataType
from strategykit.venues.coinapi.server_items import Item
from strategykit.venues.coinapi.times import write_time

__all__ = [
    "BUFFER_OVERFLOW",
    "HEARTBEAT",
    "INVALID_KEY",
    "encode_error",
    "encode_item",
    "encode_reconnect",
    "frame_item",
]

HEARTBEAT: Final = b'{"type":"hearbeat"}'
"""Spelt as the venue spells it."""

INVALID_KEY: Final = "Invalid API key"
BUFFER_OVERFLOW: Final = "Reached maximum allowed buffered messages for this connection."

_ENCODER: Final = msgspec.json.Encoder()


def encode_item(item: Item) -> bytes:
    """Word an item as REST has it: a JSON object."""
    return _ENCODER.encode(item)


def frame_item(data_type: DataType, encoded: bytes, sequence: int | None) -> bytes:
    """Make the stream's message out of an item's words, which many connections share.

    Args:
        data_type: Its ``type``.
        encoded: From `encode_item`.
        sequence: The number in this connection; None for types that have none.
    """
    number = b"" if sequence is None else b'"sequence":%d,' % sequence
    return b'{"type":"%s",%s%s' % (data_type.encode(), number, encoded[1:])


def encode_error(message: str) -> bytes:
    """Word a permanent error, after which the connection is closed."""
    return _ENCODER.encode({"type": "error", "message": message})


def encode_reconnect(within_seconds: float, *, now: int) -> bytes:
    """Announce that the connection will be closed, whole seconds from `now`, nanoseconds UTC."""
    before = write_time(now + int(within_seconds * 1e9))
    return _ENCODER.encode({"type": "reconnect", "within_seconds": int(within_seconds), "before_time": before})

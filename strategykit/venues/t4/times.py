"""T4's times: protobuf timestamps with steps of 100 ns, against nanoseconds UTC.

Source: T4 protocol sheet, section 3.2.
"""

from __future__ import annotations

from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

__all__ = ["read_time", "write_time"]

_SECOND: Final = 1_000_000_000
_STEP: Final = 100


def read_time(stamp: Timestamp) -> int:
    """Give nanoseconds UTC; whatever the two numbers are, their sum."""
    return stamp.seconds * _SECOND + stamp.nanos


def write_time(time: int) -> Timestamp:
    """Give a timestamp, cut to T4's step."""
    seconds, nanos = divmod(time, _SECOND)
    return Timestamp(seconds=seconds, nanos=nanos - nanos % _STEP)

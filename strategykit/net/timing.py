"""How long the network is waited for, and how long between two tries."""

from __future__ import annotations

import email.utils
import random
from typing import Final

import attrs

from strategykit.errors import ConfigError, ConnectionLost

__all__ = ["MAX_RETRY_AFTER", "Timing", "TryLater", "full_jitter", "read_retry_after"]

MAX_RETRY_AFTER: Final = 3600.0
"""Seconds. A venue that asks for a longer pause is asked again after this one."""

_MAX_DOUBLINGS: Final = 30
"""Beyond any cap; `2 ** 1000` wouldn't fit a float."""


def _positive(_: Timing, attribute: attrs.Attribute[float], value: float) -> None:
    if not 0 < value < float("inf"):
        raise ConfigError(f"{attribute.name} must be a finite number of seconds above 0, not {value}")


@attrs.frozen(kw_only=True)
class Timing:
    """Deadlines and delays of one venue's connections. All in seconds."""

    open_within: float = attrs.field(default=10.0, validator=_positive)
    """From the first packet to the answered login: name, TCP, TLS, upgrade and login together."""
    close_within: float = attrs.field(default=2.0, validator=_positive)
    """For the closing handshake; a venue that doesn't answer it is left."""
    fetch_within: float = attrs.field(default=10.0, validator=_positive)
    """For one try to get a token."""
    answer_within: float = attrs.field(default=10.0, validator=_positive)
    """For one HTTP ask with all its tries."""
    retry_base: float = attrs.field(default=0.5, validator=_positive)
    """The longest first delay."""
    retry_cap: float = attrs.field(default=30.0, validator=_positive)
    """The longest of all delays."""
    stable_after: float = attrs.field(default=60.0, validator=_positive)
    """A connection that lived this long has made up for the failures before it."""


class TryLater(ConnectionLost):
    """The venue turned us away for now.

    Attributes:
        delay: Seconds that it asked us to wait; 0 where it named none.
    """

    def __init__(self, message: str, *, delay: float) -> None:
        self.delay = delay
        super().__init__(message)


def full_jitter(rng: random.Random, failures: int, timing: Timing) -> float:
    """Draw the delay after `failures` failures in a row: uniform in ``(0, min(cap, base * 2 ** failures))``.

    Source: AWS Architecture Blog, "Exponential Backoff And Jitter": clients that were cut off together come
    back spread over the whole window.
    """
    return rng.uniform(0.0, min(timing.retry_cap, timing.retry_base * 2.0 ** min(failures, _MAX_DOUBLINGS)))


def read_retry_after(value: str | None, date: str | None) -> float:
    """Give the seconds that a ``Retry-After`` header asks for; 0 where it is absent or senseless.

    Args:
        value: The header: seconds, or a date.
        date: The ``Date`` header of the same answer. A date is counted from it, so no clock of ours matters.
    """
    if value is None:
        return 0.0
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), MAX_RETRY_AFTER)
    if date is None:
        return 0.0
    try:
        then, now = email.utils.parsedate_to_datetime(text), email.utils.parsedate_to_datetime(date)
        seconds = (then - now).total_seconds()
    except (ValueError, TypeError, OverflowError):  # TypeError: only one of the two names its zone.
        return 0.0
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)

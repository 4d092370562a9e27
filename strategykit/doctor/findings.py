"""What the doctor says: one finding for each thing that it looked at."""

from __future__ import annotations

import enum

import attrs

__all__ = ["Finding", "Verdict"]


class Verdict(enum.Enum):
    OK = "ok"
    WARN = "warn"
    """It will run; something may not be as meant."""
    FAIL = "fail"


@attrs.frozen
class Finding:
    """One thing that was looked at."""

    what: str
    """Such as ``"token"``."""
    verdict: Verdict
    words: str
    """What was found."""
    advice: str = ""
    """What to do about it; empty if nothing."""

"""Why a strategy decided something: the line of its code, and what it saw."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any, Final

import attrs

from strategykit.runtime.desk import Desk

__all__ = ["explain_decision"]

_OURS: Final = str(Path(__file__).parents[1])
_DEPTH: Final = 60
"""Frames between a strategy's line and the gateway that are looked at."""

_SHOWN: Final = 160
"""Characters of an event."""


def explain_decision(desk: Desk) -> Mapping[str, Any]:
    """Give the facts behind what the strategy of `desk` is just now doing, as JSON.

    Called while the strategy's own line is on the stack: it says where the decision is written. The events are the
    newest one of each stream that the strategy has.
    """
    facts: dict[str, Any] = {}
    frame = _strategy_frame()
    if frame is not None:
        name = Path(frame.f_code.co_filename).name
        facts["at"] = f"{name}:{frame.f_lineno} {frame.f_code.co_name}"
    facts["events"] = {
        name: _short(feed.last) for name, feed in desk.feeds.items() if getattr(feed, "last", None) is not None
    }
    if desk.waited_for is not None:
        facts["condition"] = desk.waited_for.words()
    return facts


def _strategy_frame() -> FrameType | None:
    """Give the innermost frame on the way here that isn't of this package or of a library."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - nothing public gives frames without reading sources
    for _ in range(_DEPTH):
        if frame is None:
            return None
        file = frame.f_code.co_filename
        if not file.startswith((_OURS, "<")) and "site-packages" not in file and not file.startswith(sys.base_prefix):
            return frame
        frame = frame.f_back
    return None


def _short(event: Any) -> str:
    """Give the event's fields without those that name its way here."""
    fields = (
        f"{field.name}={getattr(event, field.name)!r}"
        for field in attrs.fields(type(event))
        if field.name not in ("guid", "source")
    )
    text = f"{type(event).__name__}({', '.join(fields)})"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"

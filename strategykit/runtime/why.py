"""Why an order is placed: by what, in which line of the strategy's code, and what that saw."""

from __future__ import annotations

from collections.abc import Mapping
from types import FrameType
from typing import Any, Final

import attrs

from strategykit.runtime.because import Because, in_file, is_task, own_frames
from strategykit.runtime.desk import Desk

__all__ = ["explain_decision", "explain_parameters"]

_SHOWN: Final = 240
"""Characters of an event or a parameter."""

_ROWS: Final = 3
"""Of a column, such as a book's prices."""


def explain_decision(desk: Desk | None, because: Because | None) -> Mapping[str, Any]:
    """Give the facts behind an order that is just now being placed, as JSON.

    Called while what places it is on the stack: of a line of the strategy's own that says where the decision is
    written, and whether a handler made it. The events are the newest one of each stream that the strategy has.

    Args:
        desk: Of the strategy that it is placed for; None: that doesn't run.
        because: What places it, if that is nothing of the strategy.
    """
    facts: dict[str, Any] = {}
    frames = own_frames()
    if because is None and desk is not None:
        because = desk.because
    if because is not None:
        facts["by"] = because.by
    at = because.at if because is not None and because.at else "" if frames is None else in_file(frames[0])
    if at:
        facts["at"] = at
    if desk is None:
        return facts
    facts["events"] = {
        name: _short(feed.last) for name, feed in desk.feeds.items() if getattr(feed, "last", None) is not None
    }
    if because is None and frames is not None:
        outer = frames[1]
        if not is_task(outer):
            handled = _handled(outer)
            if handled:
                facts["handler"] = handled
        elif desk.conditions is not None and (words := desk.conditions.newest()):
            facts["condition"] = words
    return facts


def explain_parameters(parameters: Mapping[str, str]) -> dict[str, str]:
    """Give a strategy's parameters as they are written down: long ones are cut."""
    return {name: _cut(text) for name, text in parameters.items()}


def _handled(frame: FrameType) -> str:
    """Say which handler a frame is, and what it was given; empty if it is none."""
    code = frame.f_code
    if not code.co_name.startswith("on_") or code.co_argcount < 2:
        return ""
    # A handler's frame goes in a moment. Of a task's, these locals would outlive what it has done with them.
    return f"{code.co_name}({_short(frame.f_locals.get(code.co_varnames[1]))})"


def _short(event: Any) -> str:
    """Give the event's fields without those that name its way here."""
    if not attrs.has(type(event)) or not hasattr(event, "receive_time"):
        return _cut(repr(event))  # Such as an order, or a batch.
    fields = (
        f"{field.name}={_value(getattr(event, field.name))}"
        for field in attrs.fields(type(event))
        if field.name not in ("guid", "source")
    )
    return _cut(f"{type(event).__name__}({', '.join(fields)})")


def _value(value: object) -> str:
    if isinstance(value, tuple) and len(value) > _ROWS:
        return f"({', '.join(map(repr, value[:_ROWS]))}, …)"
    return repr(value)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"

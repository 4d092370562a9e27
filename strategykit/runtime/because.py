"""What stands behind an order that is being placed: who placed it, in which line, after which condition.

Kept where orders are written down; nothing of it is worked out where they aren't.
"""

from __future__ import annotations

import inspect
import sys
import weakref
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import FrameType
from typing import Final

import attrs
import trio
from trio.lowlevel import Task, current_task

from strategykit.runtime.turns import Turns

__all__ = [
    "BLOCK_EXIT",
    "RUN_END",
    "Because",
    "Conditions",
    "in_file",
    "in_words",
    "is_task",
    "own_frames",
    "source_line",
]

BLOCK_EXIT: Final = "exit of the block"
RUN_END: Final = "end of the run"

_LEVELS: Final = {"trailing": "trailing stop", "time": "time stop"}

_OURS: Final = str(Path(__file__).parents[1])
_LOOP: Final = str(Path(trio.__file__).parent / "_core")
"""Beyond its frames is whoever has started the program."""

_DEPTH: Final = 60
"""Frames between a strategy's line and the gateway that are looked at."""


@attrs.frozen
class Because:
    """Why an order is placed that no line of the strategy places."""

    by: str
    """``"stop"``, ``"exit of the block"``, ``"kill switch: too hot"``, and the like."""
    at: str = ""
    """The strategy's line that asked for it, such as that of the block; empty: there is none, or nobody knows."""


def in_words(level: str) -> str:
    """Give the name of what ended a block, as `Holding.ended_by` has it, for people."""
    return _LEVELS.get(level, level)


class Conditions:
    """Which condition each task of a strategy waited for last, as it read when it held, until the task waits again.

    Args:
        turns: Of the run; it counts the moments at which everybody waits.
    """

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._held: weakref.WeakKeyDictionary[Task, tuple[str, int]] = weakref.WeakKeyDictionary()
        """Words, and the count of moments when they were last known to count."""

    def held(self, words: str) -> None:
        """The condition for which this task waited has come to hold, and nobody else has gone on since it was told."""
        self._held[current_task()] = words, self._turns.pauses

    def newest(self) -> str | None:
        """Give the condition of this task; None if it has waited for something else since, or for none at all."""
        found = self._held.get(current_task())
        return None if found is None or found[1] != self._turns.pauses else found[0]

    async def through(self, wait: Callable[[], Awaitable[object]]) -> None:
        """Wait for what belongs to placing an order: the condition counts for the next one, too."""
        words = self.newest()
        try:
            await wait()
        finally:
            if words is not None:
                self.held(words)


def own_frames() -> tuple[FrameType, FrameType] | None:
    """Give the innermost and the outermost frame of the strategy's code that is being carried out just now.

    The outermost is what strategykit, or Trio, has called: a handler, or a task's function. None: there is none on the
    way here, such as where a task of our own places an order.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - nothing public gives frames without reading sources
    inner: FrameType | None = None
    outer: FrameType | None = None
    for _ in range(_DEPTH):
        if frame is None:
            break
        file = frame.f_code.co_filename
        if file.startswith(_LOOP) or (inner is not None and file.startswith(_OURS)):
            break
        if not file.startswith((_OURS, "<", sys.base_prefix)) and "site-packages" not in file:
            inner, outer = inner or frame, frame
        frame = frame.f_back
    return None if inner is None or outer is None else (inner, outer)


def source_line() -> str:
    """Give the strategy's line that is being carried out just now, such as ``"cross.py:31 run"``; empty: none is."""
    frames = own_frames()
    return "" if frames is None else in_file(frames[0])


def in_file(frame: FrameType) -> str:
    """Say where a frame is."""
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} {frame.f_code.co_name}"


def is_task(frame: FrameType) -> bool:
    """Whether a frame is one of an async function."""
    return bool(frame.f_code.co_flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR))

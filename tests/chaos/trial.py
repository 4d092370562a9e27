"""One schedule: played, checked, and made smaller if it found something."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Final

import attrs

from strategykit.testing.faults import Fault
from strategykit.testing.scripts import shrink_script
from strategykit.testing.world import World
from tests.chaos.checker import check, is_left_alone
from tests.chaos.record import in_memory, play
from tests.chaos.worlds import SYMBOLS, draw_world, write_world

__all__ = ["Verdict", "judge", "save", "shrink", "try_schedule"]

HANGS_AFTER: Final = 600
"""Real seconds: some hundred times what a schedule takes, on a machine that is busy with other things, too."""

TRIES: Final = 60
"""Worlds that are played at the most to make a script smaller."""


@attrs.frozen(kw_only=True)
class Verdict:
    """What a schedule came to."""

    venue: str
    seed: int
    faults: int
    """That struck."""
    lines: list[str]
    """What is wrong."""
    seconds: float
    """Of this machine."""
    left_alone: bool = False
    """Whether it ended with what a first run had left, as no second one could begin."""
    world: dict[str, Any] | None = None
    """The shrunk one, where something is wrong."""


def judge(world: World, *, tape: bool = True) -> tuple[list[str], int]:
    """Play a world; give what is wrong, and how many faults struck."""
    lines, record = _judge(world, tape=tape)
    return lines, int(record.get("struck", 0))


def _judge(world: World, *, tape: bool = True) -> tuple[list[str], dict[str, Any]]:
    """Play a world; give what is wrong, and its record: an empty one if it broke."""
    symbols = SYMBOLS[world.venue]
    before = signal.signal(signal.SIGALRM, _hangs)
    signal.alarm(HANGS_AFTER)
    try:
        with in_memory() as folder:
            record = play(world, symbols=symbols, folder=folder if tape else None)
            return check(record), record
    except Exception as exc:  # noqa: BLE001 - whatever a run breaks with is what is looked for
        return [f"{type(exc).__name__}: {exc}"], {}
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def try_schedule(venue: str, seed: int, *, faults: int = 50) -> Verdict:
    """Try the schedule of a venue and a seed."""
    began = time.monotonic()
    world = draw_world(venue, seed, faults=faults)
    lines, record = _judge(world)
    return Verdict(
        venue=venue,
        seed=seed,
        faults=int(record.get("struck", 0)),
        lines=lines,
        left_alone=bool(record) and is_left_alone(record),
        world=write_world(shrink(world, lines)) if lines else None,
        seconds=time.monotonic() - began,
    )


def shrink(world: World, lines: Sequence[str], *, tries: int = TRIES) -> World:
    """Leave out faults and strategies without which the same invariant is still broken."""
    broken = {_kind(line) for line in lines}

    def fails(script: Sequence[Fault]) -> bool:
        found, _ = judge(attrs.evolve(world, faults=script))
        return bool(broken & {_kind(line) for line in found})

    return attrs.evolve(world, faults=shrink_script(world.faults, fails, most=tries))


def save(verdict: Verdict, folder: Path) -> Path:
    """Keep a schedule that found something."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{verdict.venue}-{verdict.seed}.json"
    row = {"found": verdict.lines[:5], "world": verdict.world}
    path.write_text(json.dumps(row, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _kind(line: str) -> str:
    """Give the invariant and the beginning of the words: what stays the same when names and numbers change."""
    invariant, _, words = line.partition(": ")
    return f"{invariant} {' '.join(word for word in words.split() if word.isalpha())[:40]}"


def _hangs(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"hangs for {HANGS_AFTER} s")

"""Standing alarms: what a person has to look at, however well the run goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

__all__ = ["Alarms"]

_MOST: Final = 100
"""Alarms that are kept; the first ones stand, as the later ones mostly follow from them."""


@attrs.define(eq=False)
class Alarms:
    """Each is told once, and stands until the end of the run, whose exit code it makes red."""

    note: Callable[[str, str], None]
    """Takes a source and a line for the run's record."""
    lines: list[str] = attrs.field(factory=list, init=False)
    told: list[Callable[[str], None]] = attrs.field(factory=list, init=False)
    """Called with the line of each new alarm."""

    def sound(self, source: str, text: str) -> None:
        """Raise an alarm, unless it stands already."""
        line = f"{source}: {text}"
        if line in self.lines or len(self.lines) >= _MOST:
            return
        self.lines.append(line)
        self.note(source, f"ALARM: {text}")
        for tell in self.told:
            tell(line)

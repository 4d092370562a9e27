"""Showing how far something is: a line that changes on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from rich.console import Console
from rich.live import Live
from rich.text import Text

__all__ = ["Progress", "show_progress"]

_EVERY: Final = 5.0
"""Seconds between two lines where there is no terminal: enough to see life, few enough for a log."""


class Progress:
    """Where something stands, and its turns; on the error output, so that the output proper stays what was asked for.

    Args:
        live: The line that changes; None where there is no terminal.
    """

    def __init__(self, live: Live | None) -> None:
        self._live = live
        self._last = -_EVERY

    def show(self, elapsed: float, text: str) -> None:
        """Show a text that stands `elapsed` seconds after the start."""
        if self._live is not None:
            self._live.update(Text(f"{elapsed:6.1f} s  {text}"), refresh=True)
        elif elapsed - self._last >= _EVERY:
            self._last = elapsed
            self.tell(f"{elapsed:6.1f} s  {text}")

    def tell(self, text: str) -> None:
        """Print a line that stays."""
        if self._live is not None:
            self._live.console.print(Text(text))
        else:
            with suppress(OSError):  # Nobody may listen any more; a run goes on.
                sys.stderr.write(f"{text}\n")
                sys.stderr.flush()


@contextmanager
def show_progress() -> Iterator[Progress]:
    """Yield something to tell progress to; on leaving, the line that changes is wiped."""
    if not sys.stderr.isatty():
        yield Progress(None)
        return
    # Without a refreshing thread: whoever tells is the only one who knows something new.
    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
        yield Progress(live)

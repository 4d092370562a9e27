"""What commands print: JSON for programs, one line a mistake."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Final

__all__ = [
    "FAILURE",
    "OK",
    "READER_GONE",
    "USAGE",
    "print_json",
    "print_line",
    "print_lines",
    "print_no_more",
    "tell",
]

OK: Final = 0
FAILURE: Final = 1
"""It was tried, and something is wrong."""
USAGE: Final = 2
"""The command line, a file or a parameter is wrong; nothing was tried."""
READER_GONE: Final = 128 + signal.SIGPIPE
"""Who read the lines left before their end: what a shell says of `cat` then."""


def print_json(value: object) -> None:
    """Print `value` as one JSON document; money stays exact, as text."""
    print_line(json.dumps(_without_minus(value), indent=2, ensure_ascii=False, default=_plain))


def print_line(text: str) -> None:
    """Print one line, at once."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        print_no_more()


def print_lines(lines: Iterable[str]) -> bool:
    """Print lines that may be many; False if their reader had enough, and the rest wasn't made."""
    try:
        for line in lines:
            sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        print_no_more()
        return False
    return True


def print_no_more() -> None:
    """Who read our output has had enough, as `head` does: what is printed goes nowhere, and no exit code changes."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def tell(text: str) -> None:
    """Say what is wrong, on the error output; one line a mistake."""
    with suppress(OSError):  # Nobody may listen any more; that is no reason to fail.
        for line in text.splitlines():
            sys.stderr.write(f"strategykit: {line}\n")
        sys.stderr.flush()


def _without_minus(value: object) -> object:
    """Give the same with every 0 without a sign: nothing is lost or won."""
    if isinstance(value, Mapping):
        return {key: _without_minus(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_minus(each) for each in value]
    return abs(value) if isinstance(value, float | Decimal) and not value else value


def _plain(value: object) -> object:
    if isinstance(value, Decimal | Path):
        return str(value)
    return repr(value)

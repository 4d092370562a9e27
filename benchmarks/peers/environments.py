"""Other people's engines, each installed into an environment of its own: their libraries exclude each other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import attrs

__all__ = ["PEERS", "Absent", "Peer", "install"]

INSTALL_WITHIN: Final = 600.0
"""Seconds."""


@attrs.frozen
class Peer:
    """One engine."""

    name: str
    """Of its module beside this one, and of its environment."""
    label: str
    requirements: tuple[str, ...]
    """What pip installs, to the last digit."""


PEERS: Final = (
    Peer(
        "nautilus",
        "NautilusTrader",
        (
            # The newest one for each interpreter.
            "nautilus_trader==1.221.0; python_version < '3.12'",
            "nautilus_trader==1.231.0; python_version >= '3.12'",
            "numpy==2.4.6",
            "pandas==2.3.3",
            "pyarrow==26.0.1",
        ),
    ),
    Peer("basana", "basana", ("basana==1.11", "numpy==2.4.6")),
    Peer("backtrader", "backtrader", ("backtrader==1.9.78.123", "numpy==2.4.6")),
    Peer("hftbacktest", "hftbacktest (compiled)", ("hftbacktest==2.4.4", "numba==0.68.1", "numpy==2.2.6")),
)


class Absent(Exception):
    """An engine can't be had on this machine; says why."""


def install(peer: Peer, folder: Path) -> Path:
    """Give the interpreter of the peer's environment, which is made below `folder` unless it is there.

    Raises:
        Absent: It can't be installed.
    """
    home = folder / peer.name
    python, done = home / "bin" / "python", home / "installed.txt"
    wanted = "\n".join((sys.version, *peer.requirements))
    if done.exists() and done.read_text(encoding="utf-8") == wanted:
        return python
    print(f"  installing {peer.label} into {home}", flush=True)
    _run(sys.executable, "-m", "venv", "--clear", "--without-pip", str(home))
    pip = (sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check")
    _run(*pip, "install", "--quiet", *peer.requirements)
    done.write_text(wanted, encoding="utf-8")
    return python


def _run(*command: str) -> None:
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_WITHIN)
    except subprocess.TimeoutExpired:
        raise Absent(f"{command[2]} took more than {INSTALL_WITHIN:g} s") from None
    if result.returncode:
        errors = [line for line in result.stderr.splitlines() if line.startswith("ERROR")]
        raise Absent((errors or result.stderr.splitlines() or ["nothing was said"])[-1])

"""The engines, each installed into an environment of its own: their libraries exclude each other.

All of them on one Python, the newest here that every one of them runs on: other people's newest releases need a newer
one than we do.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import attrs

__all__ = ["NEWEST", "OUR_OWN", "PEERS", "WHERE", "Absent", "Peer", "find_python", "install"]

ROOT: Final = Path(__file__).parents[2]

INSTALL_WITHIN: Final = 600.0
"""Seconds."""

NEWEST: Final = ((3, 13), (3, 12))
"""Versions that are better than an older one, the best first."""

WHERE: Final = "STRATEGYKIT_PYTHONS"
"""Names folders of interpreters, to be looked in before ``PATH``."""


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

OUR_OWN: Final = Peer("ours", "strategykit", ("--editable", f"{ROOT}[archive]"))


class Absent(Exception):
    """An engine can't be had on this machine; says why."""


def find_python() -> Path:
    """Give the newest Python that is to be found here and that we run on, this one if there is no newer one."""
    places = os.pathsep.join(filter(None, (os.environ.get(WHERE), os.environ.get("PATH"))))
    for version in NEWEST:
        if sys.version_info[:2] >= version:
            break
        found = shutil.which("python{}.{}".format(*version), path=places)
        # Some names on the path stand for a Python that isn't there, or can make no environment.
        if found and _version(Path(found), "import venv") is not None:
            return Path(found)
    return Path(sys.executable)


def install(peer: Peer, folder: Path, base: Path | None = None) -> Path:
    """Give the interpreter of the peer's environment, which is made below `folder` unless it is there.

    Args:
        peer: What to install.
        folder: Below which all environments are.
        base: The Python that it is made of; None: this one.

    Raises:
        Absent: It can't be installed.
    """
    base = base or Path(sys.executable)
    home = folder / peer.name
    python, done = home / "bin" / "python", home / "installed.txt"
    wanted = "\n".join((_version(base) or "", *peer.requirements))
    if done.exists() and done.read_text(encoding="utf-8") == wanted:
        return python
    print(f"  installing {peer.label} into {home}", flush=True)
    _run(str(base), "-m", "venv", "--clear", "--without-pip", str(home))
    pip = (sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check")
    _run(*pip, "install", "--quiet", *peer.requirements)
    done.write_text(wanted, encoding="utf-8")
    return python


def _version(python: Path, needs: str = "pass") -> str | None:
    """Give what an interpreter says of its version; None if it doesn't run, or can't do what `needs` says."""
    command = (str(python), "-c", f"{needs}; import sys; print(sys.version)")
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def _run(*command: str) -> None:
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_WITHIN)
    except subprocess.TimeoutExpired:
        raise Absent(f"{command[2]} took more than {INSTALL_WITHIN:g} s") from None
    if result.returncode:
        errors = [line for line in result.stderr.splitlines() if line.startswith("ERROR")]
        raise Absent((errors or result.stderr.splitlines() or ["nothing was said"])[-1])

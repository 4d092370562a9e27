"""What an installed strategykit needs travels in its wheel."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


def test_samples_types_and_licence_travel_along(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    for path in (ROOT / "strategies").glob("*.py"):
        assert f"strategykit/samples/{path.name}" in names
    assert "strategykit/py.typed" in names
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith("tests")]


def test_venues_schemas_travel_along_with_what_was_generated_from_them(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    schemas = list((ROOT / "strategykit").rglob("*.proto"))
    assert schemas
    for path in schemas:
        folder = path.parent.relative_to(ROOT).as_posix()
        assert {f"{folder}/{path.stem}{ending}" for ending in (".proto", "_pb2.py", "_pb2.pyi")} <= names


def test_samples_are_found_outside_the_repository(installed: Any) -> None:
    script = (
        "from strategykit.runtime.load import find_strategy, load_strategy\n"
        "print(find_strategy('sample:cross'), load_strategy('sample:cross').__name__)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        cwd=installed.folder,
        env=installed.environment,
    )

    assert done.stdout.split() == [str(installed.site / "strategykit" / "samples" / "cross.py"), "Cross"], done.stderr


@pytest.mark.slow
def test_the_demonstration_keeps_its_promises_wherever_it_is_installed(demonstration: Any, installed: Any) -> None:
    done = demonstration.ended()

    assert done.process.returncode == 0, done.out + done.err
    assert done.seconds < 45
    found = re.search(r"^re-run: ([0-9]+) of ([0-9]+) outgoing order commands equal$", done.out, re.MULTILINE)
    assert found is not None
    assert found[1] == found[2] != "0"
    assert "re-run: digest equal\n" in done.out
    for title in ("Strategies", "Connections", "Subscriptions"):
        assert f"\n{title}" in f"\n{done.out}"
    for shown in ("cross", "maker", "SBER", "GAZP", "orders in the venue's own log: "):
        assert shown in done.out
    for lane, times in (("market", 2), ("orders", 1), ("commands", 1)):
        assert done.err.splitlines().count(f"the venue cut the {lane} wire") == times
    (tape,) = (installed.folder / "tapes").iterdir()
    assert [path.name for path in tape.glob("*.tape*")] == ["000001.tape.zst"]


def test_where_nobody_looks_at_a_terminal_progress_is_plain_lines(demonstration: Any) -> None:
    done = demonstration.ended()

    assert not set("\x1b\r") & set(done.out + done.err)
    steps = [line for line in done.err.splitlines() if re.match(r" *[0-9.]+ s  [0-9,]+ events, ", line)]
    assert 4 <= len(steps) <= 6  # One every five seconds.

"""What an installed strategykit needs travels in its wheel."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("*.whl")
    return path


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


def test_samples_are_found_outside_the_repository(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
        "from strategykit.runtime.load import find_strategy, load_strategy\n"
        "print(find_strategy('sample:cross'), load_strategy('sample:cross').__name__)\n"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path)

    assert done.stdout.split() == [str(tmp_path / "site" / "strategykit" / "samples" / "cross.py"), "Cross"], (
        done.stderr
    )

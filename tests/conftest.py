"""What takes long and serves tests of several folders: the wheel, and one whole demonstration from it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Generator
from pathlib import Path

import attrs
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
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


@attrs.define(eq=False)
class Installed:
    """What the wheel holds, for programs that are run outside the repository."""

    folder: Path
    """Where they run."""

    @property
    def site(self) -> Path:
        return self.folder / "site"

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.site)}


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    installed = Installed(tmp_path_factory.mktemp("outside"))
    zipfile.ZipFile(wheel).extractall(installed.site)
    return installed


@attrs.define(eq=False)
class Demonstration:
    """``strategykit demo``, as long as users see it: over 20 s, in which it needs little of the machine."""

    process: subprocess.Popen[str]
    began: float = attrs.field(factory=time.monotonic)
    seconds: float = 0.0
    out: str = ""
    err: str = ""
    _thread: threading.Thread = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        self.out, self.err = self.process.communicate()
        self.seconds = time.monotonic() - self.began

    def ended(self, within: float = 60.0) -> Demonstration:
        """Wait until it is over."""
        self._thread.join(self.began + within - time.monotonic())
        assert not self._thread.is_alive(), f"no end within {within:g} s"
        return self

    def stop(self) -> None:
        self.process.kill()
        self._thread.join(10)


@pytest.fixture(scope="session")
def demonstration(installed: Installed) -> Generator[Demonstration]:
    """One for all tests. Ask for it early: it goes on beside them."""
    process = subprocess.Popen(
        [sys.executable, "-m", "strategykit", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=installed.folder,
        env=installed.environment,
    )
    demonstration = Demonstration(process)
    yield demonstration
    demonstration.stop()

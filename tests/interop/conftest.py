"""Clients that others wrote, installed to be set on the simulated venues.

``make interop`` runs the tests here; each bears the marker ``interop``. Everywhere else they are skipped, because they
fetch packages. A fixture names a client and its version, and tests run it in a process of its own:

* ``npm_client("alor-api@1.0.66")`` gives the ``node_modules`` folder that holds it, for ``NODE_PATH``;
* ``python_client("websockets==17.4")`` gives the Python of an environment that holds nothing else.

Each client is installed once, in a folder of its own below the folder that the environment variable
``STRATEGYKIT_CLIENTS`` names, and stays there; without the variable, below a temporary one. A test whose client can't
be had, because npm, Node or the registry is missing, is skipped and says so; a version that isn't there is a failure.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

INSTALL_WITHIN = 300
"""Seconds."""

UNREACHABLE = re.compile(
    r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|ETIMEDOUT"  # npm
    r"|NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|ConnectionReset|ProxyError"  # pip
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "interop" not in config.option.markexpr:
        skip = pytest.mark.skip(reason="drives a client that others wrote: `make interop` runs it")
        for item in items:
            if "interop" in item.keywords:
                item.add_marker(skip)


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    named = os.environ.get("STRATEGYKIT_CLIENTS", "")
    folder = Path(named).absolute() if named else tmp_path_factory.mktemp("clients")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def npm_client(clients: Path) -> Callable[[str], Path]:
    def install(package: str) -> Path:
        npm = shutil.which("npm")
        if npm is None or shutil.which("node") is None:
            pytest.skip(f"{package} needs npm and node, which aren't installed")
        quiet = ["--no-audit", "--no-fund", "--no-update-notifier", "--ignore-scripts"]
        return once(clients, package, lambda folder: [[npm, "install", *quiet, "--prefix", str(folder), package]]) / (
            "node_modules"
        )

    return install


@pytest.fixture(scope="session")
def python_client(clients: Path) -> Callable[[str], Path]:
    def install(package: str) -> Path:
        pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1")
        folder = once(
            clients,
            package,
            lambda folder: [
                [sys.executable, "-m", "venv", str(folder)],
                [str(folder / "bin" / "python"), *pip, package],
            ],
        )
        return folder / "bin" / "python"

    return install


def once(clients: Path, package: str, commands: Callable[[Path], Sequence[Sequence[str]]]) -> Path:
    """Give the folder of a client, installed by `commands` unless it was before."""
    folder = clients / re.sub(r"[^\w.@=-]", "_", package)
    whole = folder / ".whole"  # An installation that was broken off lacks it, and is made again.
    if not whole.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for command in commands(folder):
            done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_WITHIN, check=False)
            told = done.stdout + done.stderr
            if done.returncode and UNREACHABLE.search(told):
                pytest.skip(f"{package} can't be fetched: its registry isn't reachable")
            assert done.returncode == 0, told
        whole.touch()
    return folder

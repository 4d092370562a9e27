"""Clients that others wrote, installed to be set on the simulated venues.

``make interop`` runs the tests here; each bears the marker ``interop``. Everywhere else they are skipped, because they
fetch packages. A fixture names a client and its version, and tests run it in a process of its own:

* ``npm_client("alor-api@1.0.66")`` gives the ``node_modules`` folder that holds it, for ``NODE_PATH``;
* ``python_client("websockets==17.4")`` gives the Python of an environment that holds nothing else, or more packages;
* ``client``, whose parameter is one of these, runs a script of this folder with it. The script prints what it
  understood, a JSON object a line; the test gets that as one `dict`;
* ``simulated`` runs ``strategykit sim`` in a process of its own, as a user would;
* ``relayed`` runs ``strategykit relay`` in front of one, in another process;
* ``watched`` reads over HTTP what the venue itself says meanwhile, to set beside what the client says.

Each client is installed once, in a folder of its own below the folder that the environment variable
``STRATEGYKIT_CLIENTS`` names, and stays there; without the variable, below a temporary one. A test whose client can't
be had, because npm, Node or the registry is missing, is skipped and says so; a version that isn't there is a failure.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio

HERE = Path(__file__).parent

INSTALL_WITHIN = 300
"""Seconds."""
RUN_WITHIN = 60
"""Seconds."""
LEVELS = 5
"""Of each side of a book that are compared."""

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
def python_client(clients: Path) -> Callable[..., Path]:
    def install(*packages: str) -> Path:
        pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1")
        folder = once(
            clients,
            "+".join(packages),
            lambda folder: [
                [sys.executable, "-m", "venv", str(folder)],
                [str(folder / "bin" / "python"), *pip, *packages],
            ],
        )
        return folder / "bin" / "python"

    return install


def once(clients: Path, package: str, commands: Callable[[Path], Sequence[Sequence[str]]]) -> Path:
    """Give the folder of a client, installed by `commands` unless it was before."""
    folder = clients / re.sub(r"[^\w.@=+-]", "_", package)
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


@pytest.fixture(scope="session")
def client(
    request: pytest.FixtureRequest, python_client: Callable[..., Path], npm_client: Callable[[str], Path]
) -> Callable[..., Any]:
    packages = request.param.split()
    # Here and not in the test: a skip that comes up in a task of Trio loses its reason.
    if "==" in packages[0]:
        command, settings = str(python_client(*packages)), {"PYTHONPATH": ""}
    else:
        command, settings = "node", {"NODE_PATH": str(npm_client(packages[0]))}

    async def run(script: str, *arguments: str | Path, **environment: str) -> dict[str, Any]:
        with trio.fail_after(RUN_WITHIN):
            done = await trio.run_process(
                [command, HERE / script, *arguments],
                capture_stdout=True,
                capture_stderr=True,
                check=False,
                env={**os.environ, **settings, **environment},
            )
        assert done.returncode == 0, done.stderr.decode()
        told: dict[str, Any] = {}
        for line in done.stdout.decode().splitlines():
            if line.startswith("{"):
                told |= json.loads(line)
        return told

    return run


@pytest.fixture(scope="session")
def simulated() -> Callable[..., Any]:
    @asynccontextmanager
    async def serve(venue: str, *options: str) -> AsyncGenerator[str]:
        """Start the venue and yield its URL; leaving terminates it, and it has to end well."""
        async with running("sim", venue, "--json", *options) as url:
            yield url

    return serve


@pytest.fixture
def relayed(tmp_path: Path) -> Callable[..., Any]:
    @asynccontextmanager
    async def serve(venue: str, url: str, *options: str) -> AsyncGenerator[str]:
        """Start a relay in front of the venue at `url` and yield its own; leaving ends it as for `simulated`."""
        session = tmp_path / "session.toml"
        session.write_text(f'[venue]\nname = "{venue}"\nurl = "{url}"\n[run]\ntape = false\n', "utf-8")
        async with running("relay", str(session), "--json", *options) as relay:
            yield relay

    return serve


@asynccontextmanager
async def running(*words: str) -> AsyncGenerator[str]:
    """Run a command that prints where it serves, as JSON, and yield that."""
    process = await trio.lowlevel.open_process([sys.executable, "-m", "strategykit", *words], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        facts = b""
        with trio.fail_after(RUN_WITHIN):
            while not facts.rstrip().endswith(b"}"):
                more = await process.stdout.receive_some()
                assert more, f"strategykit {' '.join(words)} ended at once"
                facts += more
        yield json.loads(facts)["url"]
    finally:
        process.terminate()  # Where this runs in the background, interrupts are ignored.
        with trio.CancelScope(shield=True):
            with trio.move_on_after(10) as waiting:
                await process.wait()
            if waiting.cancelled_caught:
                process.kill()
                await process.wait()
            await process.stdout.aclose()
    assert process.returncode == 0


@attrs.define(eq=False)
class Watched:
    """What a venue says of itself over HTTP."""

    http: httpx.AsyncClient
    books: dict[str, list[Any]] = attrs.field(factory=dict)
    """By number: bids and asks, best first, `LEVELS` of each, as pairs of numbers."""

    async def get(self, path: str, **query: str | int) -> Any:
        answer = await self.http.get(path, params=query)
        answer.raise_for_status()
        return answer.json()

    async def keep_books(self, path: str, symbol: str) -> None:
        while True:
            row = await self.get(path, symbol=symbol, limit=1000)
            bids, asks = ([[float(each) for each in level] for level in row[side]] for side in ("bids", "asks"))
            self.books[str(row["lastUpdateId"])] = [sorted(bids, reverse=True)[:LEVELS], sorted(asks)[:LEVELS]]
            await trio.sleep(0.01)

    async def fault(self, fault: str, **fields: Any) -> None:
        (await self.http.post("/sim/faults", json={"fault": fault, **fields})).raise_for_status()

    def check_books(self, told: dict[str, list[Any]], *, at_least: int) -> None:
        """Compare what a client made of the book with the venue's own, number by number."""
        both = told.keys() & self.books.keys()
        assert len(both) >= at_least
        assert {number: told[number] for number in both} == {number: self.books[number] for number in both}

    @staticmethod
    def check_trades(told: Sequence[Sequence[Any]], actual: dict[int, list[float]], *, at_least: int) -> None:
        """Compare what trades a client understood with the venue's own: each once, in order, none missing between."""
        assert len(told) >= at_least
        first = int(told[0][0])
        assert [int(number) for number, *_ in told] == list(range(first, first + len(told)))
        assert {int(number): values for number, *values in told} == {
            int(number): actual[int(number)] for number, *_ in told
        }


@pytest.fixture(scope="session")
def watched() -> Callable[..., Any]:
    @asynccontextmanager
    async def watch(url: str, depth: str, symbol: str) -> AsyncGenerator[Watched]:
        """Read books from `depth` all the time."""
        async with httpx.AsyncClient(base_url=url, timeout=10) as http, trio.open_nursery() as nursery:
            watched = Watched(http)
            nursery.start_soon(watched.keep_books, depth, symbol)
            yield watched
            nursery.cancel_scope.cancel()

    return watch

"""What takes long: the wheel, one whole demonstration from it, and runs of venues that are dead."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import attrs
import pytest

from strategykit.sim.access import Access

ROOT = Path(__file__).parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with files that take long, so that none is left to one process at the end.

    No coverage is measured of generated cases: it more than doubles what a computation takes. Thousands of cases show
    that nothing was forgotten; that every line is reached, examples have to show.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker("no_cover")


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
class Beside:
    """A program that takes its time, but little of the machine: it goes on beside other tests."""

    process: subprocess.Popen[str]
    folder: Path
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

    def ended(self, within: float = 60.0) -> Beside:
        """Wait until it is over."""
        self._thread.join(max(0.0, self.began + within - time.monotonic()))
        assert not self._thread.is_alive(), f"no end within {within:g} s"
        return self


@contextmanager
def beside(*arguments: str, folder: Path, environment: Mapping[str, str] | None = None) -> Generator[Beside]:
    """Start ``strategykit``; leaving kills it if it still runs."""
    with subprocess.Popen(
        [sys.executable, "-m", "strategykit", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=environment,
    ) as process:
        try:
            yield (program := Beside(process, folder))
        finally:
            process.kill()
            program.ended()


@pytest.fixture(scope="session")
def demonstration(installed: Installed) -> Generator[Beside]:
    """``strategykit demo``, once for all tests, from the wheel. Ask for it early."""
    with beside("demo", folder=installed.folder, environment=installed.environment) as program:
        yield program


class DeadVenue:
    """A host that takes connections and says nothing; or says only what lets one in.

    Args:
        token: What its token service gives; None: nothing ever comes from it, not even that.
    """

    def __init__(self, token: str | None) -> None:
        self._token = token
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._streams: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for each in (self._listener, *self._streams):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):  # Closed.
            while True:
                stream, _ = self._listener.accept()
                self._streams.append(stream)
                if self._token is not None:
                    # Who looks for threads that another test has left knows it by its name.
                    threading.Thread(
                        target=self._welcome, args=(stream, self._token), name="beside", daemon=True
                    ).start()

    def _welcome(self, stream: socket.socket, token: str) -> None:
        with suppress(OSError):  # They hang up, as they should.
            head = b""
            while b"\r\n\r\n" not in head:
                head += stream.recv(4096)
            key = re.search(rb"^sec-websocket-key: *(\S+)", head, re.IGNORECASE | re.MULTILINE)
            if head.startswith(b"POST /refresh"):
                body = json.dumps({"AccessToken": token}).encode()
                stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            elif key:
                digest = hashlib.sha1(key[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
                stream.sendall(
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Accept: %b\r\n\r\n" % base64.b64encode(digest)
                )
            while stream.recv(4096):
                pass


@pytest.fixture(scope="session")
def run_of_a_dead_venue(tmp_path_factory: pytest.TempPathFactory) -> Generator[Callable[[str], Beside]]:
    """Runs without an end, of a host that is ``"silent"`` and of one that is ``"deaf"``. Ask for them early."""
    access = Access(login="P1", agreements=("1",), portfolios=("D1",), refresh_token="any", life=1800)
    token = access.issue("any", time.time_ns())
    with ExitStack() as stack:
        programs = {}
        for name, given in (("silent", None), ("deaf", token)):
            venue = DeadVenue(given)
            stack.callback(venue.close)
            run = ["run", "sample:maker", "--instrument", "SBER", "--url", venue.url, "--tape", name]
            programs[name] = stack.enter_context(beside(*run, folder=tmp_path_factory.mktemp(name)))
        yield programs.__getitem__

"""Ctrl-C while the program starts: no traceback, whatever Python is loading at that moment."""

from __future__ import annotations

import gc
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path

import pytest

import strategykit
from strategykit import __main__ as entry
from strategykit.runtime.demo import open_venue_process

LOADING = ["attr", "trio._core", "httpx", "cyclopts", "strategykit.model.events", "strategykit.cli.app"]
"""Modules in the order in which the program loads them."""

COMMAND = [sys.executable, "-X", "importtime", "-m", "strategykit", "demo"]


@pytest.fixture(autouse=True)
def _thawed() -> Generator[None]:
    """The entry leaves this process as if it were about to exit."""
    yield
    gc.unfreeze()


def ends_quietly(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGINT)
    try:
        _, err = process.communicate(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    assert "Traceback" not in err
    assert "KeyboardInterrupt" not in err
    return process.returncode


def wait_until_loaded(process: subprocess.Popen[str], module: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if line.rpartition("|")[2].strip().startswith(module):
            return
    pytest.fail(f"{module} was never loaded")


@pytest.mark.parametrize("module", LOADING)
def test_ctrl_c_while_a_module_is_loaded_leaves_no_traceback(tmp_path: Path, module: str) -> None:
    """Python tells what it has loaded, so that the moment depends on no machine's speed."""
    with subprocess.Popen(
        COMMAND, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        wait_until_loaded(process, module)

        assert ends_quietly(process) in (-signal.SIGINT, 1, 128 + signal.SIGINT)


@pytest.mark.parametrize("seconds", [0.1, 0.3, 0.6, 0.9])
def test_ctrl_c_at_any_moment_of_the_start_ends_without_a_traceback(tmp_path: Path, seconds: float) -> None:
    """Counted from where it is ours: before, Python itself says how it was interrupted."""
    with subprocess.Popen(
        [*COMMAND, "--for", "30s"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        wait_until_loaded(process, "strategykit.cli")
        time.sleep(seconds)

        assert ends_quietly(process) in (-signal.SIGINT, 0, 1, 128 + signal.SIGINT)


def test_ctrl_c_while_the_venue_is_started_leaves_neither_a_thread_nor_the_venue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else the program waits for both of them before it ends."""
    started: list[subprocess.Popen[str]] = []
    start = threading.Timer.start

    def interrupted_start(timer: threading.Timer) -> None:
        start(timer)
        started.append(getattr(timer.function, "__self__"))  # noqa: B009 - the process that it would kill
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Timer, "start", interrupted_start)
    before = set(threading.enumerate())

    with pytest.raises(KeyboardInterrupt), open_venue_process():
        pytest.fail("never opened")

    assert [thread for thread in threading.enumerate() if thread not in before and not thread.daemon] == []
    assert started[0].wait(5) is not None


def test_a_background_job_that_ignores_ctrl_c_goes_on_doing_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    argv, sys.argv = sys.argv, ["strategykit", "--version"]
    try:
        assert entry.main() == 0
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        sys.argv = argv
        signal.signal(signal.SIGINT, before)


def test_nothing_heavy_is_loaded_before_the_entry() -> None:
    script = "import sys, strategykit; print([name for name in ('trio', 'attrs', 'msgspec') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_the_package_gives_what_authors_need_and_nothing_else() -> None:
    assert "Strategy" in strategykit.__all__
    assert all(getattr(strategykit, name) is not None for name in strategykit.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'Strategie'"):
        strategykit.Strategie  # type: ignore[attr-defined]  # noqa: B018 - the typo that is tested


def test_a_command_whose_outputs_are_closed_does_its_work_and_tells_nobody() -> None:
    command = f'"{sys.executable}" -m strategykit venues >&- 2>&-'
    assert subprocess.run(["sh", "-c", command], check=False).returncode == 0


def test_a_demo_that_is_killed_takes_its_venue_along(tmp_path: Path) -> None:
    script = (
        "import time\n"
        "from strategykit.runtime.demo import open_venue_process\n"
        "with open_venue_process() as url:\n"
        "    print(url, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=tmp_path) as parent:
        assert parent.stdout is not None
        port = int(parent.stdout.readline().rpartition(":")[2])
        parent.kill()
    end = time.monotonic() + 20
    while is_listening(port):
        assert time.monotonic() < end
        time.sleep(0.05)


def is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionError:
        return False
    return True

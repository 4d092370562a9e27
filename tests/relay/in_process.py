"""Venues and jobs in threads of the tests' own process, whose main thread runs a relay."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any

import httpx
import trio


@contextmanager
def simulated(open_venue: Callable[[], AbstractAsyncContextManager[Any]]) -> Generator[str]:
    """Serve a simulated venue in a thread; give its address."""
    told: list[Any] = []
    ready = threading.Event()

    async def serve() -> None:
        with trio.CancelScope() as scope:
            async with open_venue() as venue:
                told.extend((venue.url, scope, trio.lowlevel.current_trio_token()))
                ready.set()
                await trio.sleep_forever()

    thread = threading.Thread(target=trio.run, args=(serve,), name="venue")
    thread.start()
    assert ready.wait(60), "the venue didn't start"
    url, scope, token = told
    try:
        yield url
    finally:
        token.run_sync_soon(scope.cancel)
        thread.join(10)


@contextmanager
def meanwhile(job: Callable[[], None]) -> Generator[Callable[[], None]]:
    """Give what starts a job in a thread; after it, this process is interrupted. What it raised is raised here."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            job()
        except BaseException as exc:  # noqa: BLE001 - it is raised again
            raised.append(exc)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=run, name="client")
    yield thread.start
    thread.join(120)
    if raised:
        raise raised[0]


def answered(port: int) -> None:
    """Wait until a relay answers, and has tried its bus if it has one."""
    transport = httpx.HTTPTransport(retries=20)
    with httpx.Client(transport=transport, timeout=60, base_url=f"http://127.0.0.1:{port}") as http:
        assert http.get("/health").json() == {"status": "ok"}
        while http.get("/statistics").json().get("bus_trouble") == "":
            pass

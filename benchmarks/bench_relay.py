"""The relay: messages a second to 1, 10, 100 and 1,000 clients on loopback, latency, and memory with stopped clients.

The clients are in a process of their own, which only counts. Compared, in the same run, from an event on:

* plain: a server on the ``websockets`` library without compression: ``json.dumps``, and the library's own
  ``broadcast``. It knows no channels, numbers nothing and bounds nothing.
* ours: the relay as `strategykit relay` runs it: worded, numbered, routed, queued in bounds.

Throughput is from the first message that any client has to the last one that all have; senders pause alike while a
client has over a megabyte to come. Latency is from the moment at which the event is there to the one at which a client
has read it, at a rate that both sides manage. Memory is what the process grows by while clients read nothing.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import attrs
import trio
from websockets.asyncio.server import ServerConnection, broadcast, serve

from benchmarks.figures import Figure, figure
from benchmarks.relay_clients import open_clients
from strategykit.model.events import Event, Quote, Side, Trade
from strategykit.relay.bus import LocalBus
from strategykit.relay.limits import RelayLimits
from strategykit.relay.server import RelayPlan, RelayServer, open_relay
from strategykit.relay.source import Source
from strategykit.runtime.outside import Answered
from strategykit.venues.alor.dialect import Alor
from strategykit.venues.dialect import Ask, Dialect
from strategykit.venues.streams import Stream
from strategykit.venues.subscriptions import Subscription

__all__ = ["main"]

COUNTS: Final = (1, 10, 100, 1_000)
DELIVERIES: Final = 200_000
ROUNDS: Final = 3
SLICE: Final = 256
"""Messages between two turns of everybody else, as a run dispatches."""

FULL: Final = 1 << 20
"""Bytes to come for a client at which senders pause."""


class _Cursor:
    def reconnected(self) -> None:
        """Nothing is kept."""


@attrs.define(eq=False)
class Venue:
    """What stands for a run: whoever asks gets what is told here."""

    routes: list[Callable[[Event], None]] = attrs.field(factory=list)
    dialect: Dialect = attrs.field(factory=Alor)

    def want(
        self,
        stream: Stream,
        owner: str,  # noqa: ARG002 - the signature of the contract
        receive: Callable[[Event], None] | None,
    ) -> Subscription:
        assert receive is not None
        self.routes.append(receive)
        return Subscription(guid="g", stream=stream, connection="market-0", cursor=_Cursor())

    def release(
        self,
        row: Subscription,  # noqa: ARG002 - as above
        owner: str,  # noqa: ARG002 - as above
        receive: Callable[[Event], None] | None,
    ) -> None:
        assert receive is not None
        self.routes.remove(receive)

    def ask(self, ask: Ask, answered: Answered) -> None:  # noqa: ARG002 - as above
        raise RuntimeError("nobody asks")

    def trade(self) -> None:
        now = time.time_ns()
        event = Trade("X", 304.45, 15.0, Side.BUY, 1, now, now, "g")
        for receive in self.routes:
            receive(event)

    def quote(self, number: int) -> None:
        now = time.time_ns()
        event = Quote("X", 304.45, float(number), 304.46, 3.0, None, now, now, "g")
        for receive in self.routes:
            receive(event)


def _text() -> str:
    """Give what the plain side sends of a trade: the same words."""
    now = time.time_ns() // 1_000
    row = {"e": "trade", "E": now, "s": "X", "p": str(304.45), "q": str(15.0), "t": now, "T": now, "m": False}
    return json.dumps({"stream": "trade.X", "data": row}, separators=(",", ":"))


def _ours(clients: int, messages: int, *, rate: float | None = None) -> dict[str, Any]:
    venue = Venue()

    async def run() -> dict[str, Any]:
        bus = LocalBus(lambda publish: Source(venue, publish, exchange=None, now=time.time_ns))
        # Senders pause in time, so that nothing is left out and nobody is too slow.
        limits = RelayLimits(queue=(1 << 30, 1 << 40), kept=(1 << 30, 1 << 40))
        async with open_relay(bus, RelayPlan(limits=limits)) as server:
            with open_clients(_port(server), clients=clients, messages=messages) as there:
                await trio.to_thread.run_sync(there.wait_ready)
                sent = 0
                while sent < messages:
                    part = min(SLICE, messages - sent) if rate is None else 1
                    for _ in range(part):
                        venue.trade()
                    sent += part
                    await trio.lowlevel.checkpoint()
                    if rate is not None:
                        await trio.sleep(1 / rate)
                    while any(client.waiting_bytes > FULL for client in server.hub.clients):  # noqa: ASYNC110
                        await trio.sleep(0.001)
                return await trio.to_thread.run_sync(there.result)

    return trio.run(run)


def _port(server: RelayServer) -> int:
    return int(server.url.rpartition(":")[2])


def _plain(clients: int, messages: int, *, rate: float | None = None) -> dict[str, Any]:
    connections: set[ServerConnection] = set()

    async def carry(connection: ServerConnection) -> None:
        connections.add(connection)
        await connection.wait_closed()

    async def run() -> dict[str, Any]:
        async with serve(carry, "127.0.0.1", 0, compression=None, ping_interval=None, backlog=1_024) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            with open_clients(port, clients=clients, messages=messages) as there:
                await asyncio.to_thread(there.wait_ready)
                sent = 0
                while sent < messages:
                    part = min(SLICE, messages - sent) if rate is None else 1
                    for _ in range(part):
                        broadcast(connections, _text())
                    sent += part
                    await asyncio.sleep(0 if rate is None else 1 / rate)
                    while any(one.transport.get_write_buffer_size() > FULL for one in connections):  # noqa: ASYNC110
                        await asyncio.sleep(0.001)
                return await asyncio.to_thread(there.result)

    return asyncio.run(run())


def _memory() -> int:
    """Give the bytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


def _ours_stopped(clients: int, messages: int) -> int:
    venue = Venue()

    async def run() -> int:
        bus = LocalBus(lambda publish: Source(venue, publish, exchange=None, now=time.time_ns))
        async with open_relay(bus, RelayPlan(limits=RelayLimits(stall=600.0))) as server:
            with open_clients(_port(server), clients=clients, messages=0, stream="bookTicker.X", reads=False) as there:
                await trio.to_thread.run_sync(there.wait_ready)
                gc.collect()
                before = _memory()
                for number in range(messages):
                    venue.quote(number)
                    if number % SLICE == 0:
                        await trio.lowlevel.checkpoint()
                if len(server.hub.clients) != clients:
                    raise RuntimeError("a stopped client was closed; there is nothing to measure")
                return max(_memory() - before, 1)

    return trio.run(run)


def _plain_stopped(clients: int, messages: int) -> int:
    connections: set[ServerConnection] = set()

    async def carry(connection: ServerConnection) -> None:
        connections.add(connection)
        await connection.wait_closed()

    async def run() -> int:
        async with serve(carry, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            with open_clients(port, clients=clients, messages=0, reads=False) as there:
                await asyncio.to_thread(there.wait_ready)
                gc.collect()
                before, text = _memory(), _text()
                for number in range(messages):
                    broadcast(connections, text)
                    if number % SLICE == 0:
                        await asyncio.sleep(0)
                return max(_memory() - before, 1)

    return asyncio.run(run())


def main(scale: float = 1.0) -> dict[str, Figure]:
    """Measure, print, and give the figures by name."""
    figures: dict[str, Figure] = {}
    rounds = ROUNDS if scale >= 1 else 1
    for clients in COUNTS:
        clients = max(int(clients * min(1, scale * 10)), 1) if scale < 1 else clients  # noqa: PLW2901 - a smaller run
        messages = max(int(DELIVERIES * scale) // max(clients, 4), 20)
        rates: dict[str, list[float]] = {"ours": [], "plain": []}
        for _ in range(rounds):
            for name, side in (("plain", _plain), ("ours", _ours)):
                gc.collect()
                rates[name].append(messages * clients / side(clients, messages)["seconds"])
        ours, plain = (statistics.median(rates[name]) for name in ("ours", "plain"))
        print(
            f"  {clients:5} clients: {ours:10,.0f} messages/s, plain {plain:10,.0f}, {ours / plain:.1f} x", flush=True
        )
        figures[f"relay_to_{clients}"] = figure(
            f"the relay to {clients} clients, against websockets' broadcast",
            f"{ours:,.0f} messages/s",
            ours / plain,
            must=0.8 if clients == 1 else 2.0,  # To one, nearly all of it is wording.
            goal=3.0,
        )
    clients, messages = max(int(100 * min(scale, 1)), 2), max(int(2_000 * scale), 20)
    found = {name: side(clients, messages, rate=200.0) for name, side in (("plain", _plain), ("ours", _ours))}
    for name, times in found.items():
        print(f"  latency, {name:5}: p50 {times['p50']:,} µs, p99 {times['p99']:,} µs, to {clients} clients")
    figures["relay_latency"] = figure(
        f"from an event to a client, p99, of {clients} clients at 200 messages/s",
        f"{found['ours']['p99'] / 1_000:.2f} ms",
        found["ours"]["p99"] / max(found["plain"]["p99"], 1),
        must=1.5,
        goal=1.0,
        better="lower",
    )
    # Enough that the kernel, which takes some 4 MB for a client, is full.
    clients, messages = max(int(20 * min(scale, 1)), 2), max(int(60_000 * scale), 100)
    ours_grown, plain_grown = _ours_stopped(clients, messages), _plain_stopped(clients, messages)
    print(f"  {clients} stopped clients: {ours_grown >> 20} MiB more, plain {plain_grown >> 20} MiB")
    figures["relay_memory"] = figure(
        f"memory for {clients} clients that read nothing of {messages} messages",
        f"{ours_grown / (1 << 20):.1f} MiB",
        ours_grown / plain_grown,
        must=0.3,
        goal=0.1,
        better="lower",
    )
    return figures


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))

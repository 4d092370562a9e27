"""Many clients in one process, as cheap as can be: they count messages and look at the times in some of them.

Run as a program: connects, prints ``ready``, reads until all have come, and prints what it saw as JSON.
"""

from __future__ import annotations

import argparse
import json
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

import attrs

__all__ = ["Clients", "open_clients"]

_START: Final = b'{"stream"'
_TIME: Final = b'"T":'
_MASK: Final = b"\0\0\0\0"


@attrs.define(eq=False)
class Clients:
    """A process full of clients."""

    process: subprocess.Popen[str]

    def wait_ready(self) -> None:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if line != "ready\n":
            raise RuntimeError(f"the clients didn't get in: {line!r}")

    def result(self) -> dict[str, Any]:
        """Wait until all have all, and give what they saw: ``seconds``, and ``latencies`` in microseconds."""
        assert self.process.stdout is not None
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found


@contextmanager
def open_clients(
    port: int, *, clients: int, messages: int, stream: str = "trade.X", reads: bool = True
) -> Generator[Clients]:
    """Start them; they are gone in the end, however it ends."""
    command = [sys.executable, "-m", "benchmarks.relay_clients", str(port), str(clients), str(messages), stream]
    process = subprocess.Popen(
        command if reads else [*command, "--stopped"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield Clients(process)
    finally:
        process.kill()
        process.communicate()


def _connect(port: int, stream: str, *, small: bool) -> socket.socket:
    wire = socket.socket()
    if small:  # Else the kernel keeps megabytes for each.
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    wire.connect(("127.0.0.1", port))
    wire.sendall(
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    head = b""
    while b"\r\n\r\n" not in head:
        head += wire.recv(4_096)
    if b" 101 " not in head:
        raise RuntimeError(head.decode())
    request = json.dumps({"method": "SUBSCRIBE", "params": [stream], "id": 1}).encode()
    # The pong to the ping behind it shows that the request has been read. In one piece, or the kernel holds the ping.
    wire.sendall(bytes((0x81, 0x80 | len(request))) + _MASK + request + b"\x89\x80" + _MASK)
    while b"\x8a\x00" not in wire.recv(4_096):
        pass
    return wire


def _main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("port", "clients", "messages"):
        parser.add_argument(name, type=int)
    parser.add_argument("stream")
    parser.add_argument("--stopped", action="store_true")
    asked = parser.parse_args()
    wires = [_connect(asked.port, asked.stream, small=asked.stopped) for _ in range(asked.clients)]
    print("ready", flush=True)
    if asked.stopped:
        sys.stdin.read()
        return
    selector = selectors.DefaultSelector()
    for each in wires:
        each.setblocking(False)
        selector.register(each, selectors.EVENT_READ, each)
    tails = dict.fromkeys(wires, b"")
    left, began, latencies = asked.messages * asked.clients, 0.0, []
    while left > 0:
        for key, _ in selector.select():
            wire: socket.socket = key.data
            data = wire.recv(262_144)
            now = time.time_ns() // 1_000
            began = began or time.perf_counter()
            if not data:
                raise RuntimeError(f"a client was closed with {left} messages to come")
            left -= (tails[wire] + data).count(_START)
            tails[wire] = data[-8:]
            at = data.find(_TIME)
            if at >= 0 and len(data) > at + 20:
                latencies.append(now - int(data[at + 4 : at + 20]))
    seconds = time.perf_counter() - began
    latencies.sort()
    picked = {name: latencies[min(int(len(latencies) * part), len(latencies) - 1)] for name, part in _PARTS.items()}
    print(json.dumps({"seconds": seconds, **picked}), flush=True)


_PARTS: Final = {"p50": 0.5, "p99": 0.99}


if __name__ == "__main__":
    _main()

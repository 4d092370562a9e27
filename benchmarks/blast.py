"""A venue that only shouts: trades in prepared frames, as fast as they are read, or so many a second.

It knows just enough of ALOR for a whole live run: a token, one instrument, empty lists, logins and confirmations. An
order is accepted, and its number is the reading of the system's monotonic clock when its bytes had come: by the stamp
that the system puts on them, where it does, so that how soon this process got the processor isn't in it.
Threads and blocking sockets: what it costs isn't measured, it only must not be the slower side. Run as a program it
prints its port, and ends with its standard input.
"""

from __future__ import annotations

import base64
import json
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

import msgspec
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import CloseConnection, Ping, TextMessage
from wsproto.utilities import generate_accept_token

from strategykit.model.instruments import Instrument
from strategykit.venues.alor.server import encode_reply
from strategykit.venues.alor.server_data import encode_security

__all__ = ["FIRST_ID", "INSTRUMENT", "open_blast"]

INSTRUMENT: Final = Instrument("SBER", board="TQBR")

FIRST_ID: Final = 10_481_000_001
"""Of the trades, which count upwards."""

_GUID: Final = b"00000000-0000-0000-0000-000000000000"
"""Stands in the prepared frames where a subscription's own guid goes; of the same length."""

_PIECE: Final = 1_400
"""Frames handed to the kernel at a time where there is no pace: some 256 KiB."""

_TURN: Final = 0.001
"""Seconds between two pieces where there is a pace, unless somebody wants bursts."""

_STAMPS: Final = 35
"""Linux's SO_TIMESTAMPNS, which Python has no name for: what is received comes with the time at which it arrived."""

_STAMP: Final = struct.Struct("@ll")
"""Seconds and nanoseconds, UTC."""

_FOREVER: Final = 4_102_444_800
"""The year 2100, in seconds: when the token dies."""


def prepare(count: int, begin: int = 0) -> bytes:
    """Give `count` frames, one after the other, of trades as ALOR's Slim format words them, from number `begin` on."""
    frames = []
    guid = _GUID.decode()
    for number in range(begin, begin + count):
        price, millis, side = 300 + number % 100 * 0.01, 1_763_715_851_000 + number, "buy" if number % 3 else "sell"
        payload = (
            f'{{"data":{{"id":{FIRST_ID + number},"sym":"SBER","bd":"TQBR","q":{1 + number % 50},"px":{price:.2f},'
            f'"t":{millis},"oi":null,"h":false,"s":"{side}"}},"guid":"{guid}"}}'
        ).encode()
        frames.append(b"\x81\x7e" + len(payload).to_bytes(2, "big") + payload)
    return b"".join(frames)


class _Client(threading.Thread):
    """One accepted connection."""

    def __init__(self, wire: socket.socket, pieces: Sequence[bytes], turn: float) -> None:
        super().__init__(daemon=True)
        self._wire = wire
        self._pieces = pieces
        self._turn = turn
        """Seconds between two pieces; 0: as fast as can be."""

    def run(self) -> None:
        with self._wire, suppress(ConnectionError):
            data = b""
            while True:
                while b"\r\n\r\n" not in data:
                    more = self._wire.recv(65_536)
                    if not more:
                        return
                    data += more
                head, _, data = data.partition(b"\r\n\r\n")
                fields = {
                    name.strip().lower(): value.strip()
                    for name, _, value in (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
                }
                if "sec-websocket-key" in fields:
                    self._talk(fields["sec-websocket-key"], data)
                    return
                size = int(fields.get("content-length", "0"))
                while len(data) < size:
                    data += self._wire.recv(65_536)
                data = data[size:]
                self._answer(head.split(b" ")[1])

    def _answer(self, path: bytes) -> None:
        if path.startswith(b"/refresh"):
            body = json.dumps({"AccessToken": _token()}).encode()
        elif b"/Securities/" in path:
            body = encode_security(INSTRUMENT, "Slim")
        else:
            body = b"[]"
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._wire.sendall(head.encode() + body)

    def _talk(self, key: str, data: bytes) -> None:
        accept = generate_accept_token(key.encode()).decode()
        self._wire.sendall(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        protocol = Connection(ConnectionType.SERVER)
        text, open_, now = "", True, time.monotonic_ns()
        while open_:
            if not data:
                data, now = _receive(self._wire)
            protocol.receive_data(data or None)  # None: the client has hung up.
            data = b""
            for event in protocol.events():
                if isinstance(event, CloseConnection):
                    open_ = False
                    if protocol.state is ConnectionState.REMOTE_CLOSING:
                        self._wire.sendall(protocol.send(event.response()))
                elif isinstance(event, Ping):
                    self._wire.sendall(protocol.send(event.response()))
                elif isinstance(event, TextMessage):
                    text += event.data
                    if event.message_finished:
                        self._wire.sendall(protocol.send(TextMessage(_reply(text, now))))
                        self._blast(text)
                        text = ""

    def _blast(self, text: str) -> None:
        request = json.loads(text)
        if request["opcode"] != "AllTradesGetAndSubscribe":
            return
        guid = request["guid"].encode()
        begin = time.monotonic()
        for number, piece in enumerate(self._pieces):
            if self._turn:
                time.sleep(max(0.0, begin + number * self._turn - time.monotonic()))
            # Piece by piece: all of them at once hold the interpreter, and with it the orders, for a tenth of a second.
            self._wire.sendall(piece.replace(_GUID, guid))


def _receive(wire: socket.socket) -> tuple[bytes, int]:
    """Give what has come, and the reading of the monotonic clock when the last of it came."""
    data, notes, _, _ = wire.recvmsg(65_536, socket.CMSG_SPACE(_STAMP.size))
    waited = 0
    for level, kind, value in notes:
        if (level, kind) == (socket.SOL_SOCKET, _STAMPS):
            seconds, nanoseconds = _STAMP.unpack(value)
            waited = time.time_ns() - seconds * 10**9 - nanoseconds
    # Read last: what may come between makes an order look later, not sooner.
    return data, time.monotonic_ns() - max(waited, 0)


def _reply(text: str, now: int) -> str:
    request = json.loads(text)
    number = str(now) if request["opcode"].startswith("create:") else None
    return encode_reply(request["guid"], 200, "Handled successfully", number)


def _token() -> str:
    claims = msgspec.json.encode({"exp": _FOREVER, "sub": "P12345", "portfolios": "D12345", "agreements": "12345"})
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (b"{}", claims, b"signed"))


def _accept(listener: socket.socket, pieces: Sequence[bytes], turn: float) -> None:
    while True:
        wire, _ = listener.accept()
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if sys.platform == "linux":
            wire.setsockopt(socket.SOL_SOCKET, _STAMPS, 1)
        _Client(wire, pieces, turn).start()


def _serve(count: int, rate: float, every: float) -> None:
    size = max(round(rate * every), 1) if rate else _PIECE
    pieces = [prepare(min(size, count - begin), begin) for begin in range(0, count, size)]
    turn = size / rate if rate else 0.0
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, pieces, turn), daemon=True).start()
        print(listener.getsockname()[1], flush=True)
        sys.stdin.read()


@contextmanager
def open_blast(count: int, *, rate: float = 0.0, every: float = _TURN) -> Generator[int]:
    """Start one in a process of its own that sends `count` trades a subscription; yield its port.

    Args:
        count: How many.
        rate: So many a second; 0: as fast as can be.
        every: Seconds between two bursts of `rate` × `every` trades.
    """
    command = [sys.executable, "-m", "benchmarks.blast", str(count), str(rate), str(every)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


if __name__ == "__main__":
    _serve(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))

"""Drives the simulated seed server with the package websockets: what it takes, what it ignores, what it says.

Usage: python seed_websockets_client.py BASE_URL, with a Python that has websockets and needs nothing of ours.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from websockets.sync.client import connect

PAIR = "SOL_USDC"
ENOUGH = 20

IGNORED = (
    "{}",
    "[]",
    "no JSON",
    '{"method":"subscribe","params":["trade.SOL_USDC"],"id":1}',
    '{"method":"SUBSCRIBE","params":["trade.SOL_USDC"],"id":"1"}',
    '{"method":"SUBSCRIBE","params":["trade.SOL_USDC"],"id":1.0}',
    '{"method":"SUBSCRIBE","params":["trade.SOL_USDC"]}',
    '{"method":"SUBSCRIBE","params":"trade.SOL_USDC","id":1}',
    '{"method":"SUBSCRIBE","params":["trade.SOL_USDC",5],"id":1}',
    '{"method":"SUBSCRIBE","params":["trade.sol_usdc"],"id":1}',
    '{"method":"SUBSCRIBE","params":["trade.SOL_USDC.x"],"id":1}',
    '{"method":"SUBSCRIBE","params":["kline.SOL_USDC"],"id":1}',
    b'{"method":"SUBSCRIBE","params":["trade.SOL_USDC"],"id":1}',
)


def main(base: str) -> None:
    with connect(base.replace("http", "ws") + "/ws", max_queue=None) as socket:

        def read() -> dict[str, Any]:
            message: dict[str, Any] = json.loads(socket.recv(timeout=10))
            return message

        for frame in IGNORED:
            socket.send(frame)
        heard = 0
        try:
            socket.recv(timeout=1)
            heard += 1
        except TimeoutError:
            pass
        socket.send(json.dumps({"method": "SUBSCRIBE", "params": [f"trade.{PAIR}"], "id": 4294967295, "more": 1}))
        trades = [read() for _ in range(ENOUGH)]
        socket.send(json.dumps({"method": "SUBSCRIBE", "params": [f"depth.{PAIR}"], "id": 0}))
        depths: list[dict[str, Any]] = []
        while len(depths) < ENOUGH:
            message = read()
            (depths if message["data"]["e"] == "depth" else trades).append(message)
        socket.send(json.dumps({"method": "UNSUBSCRIBE", "params": [f"trade.{PAIR}"], "id": 2}))
        pong = socket.ping()  # What was sent before its answer may be a trade still.
        while not pong.is_set():
            message = read()
            (depths if message["data"]["e"] == "depth" else trades).append(message)
        late = [read()["stream"] for _ in range(ENOUGH)]
    names = ("t", "p", "q")
    rows = [[each["data"][name] for name in names] for each in trades]
    changes = [[each["data"][name] for name in ("U", "u", "b", "a")] for each in depths]
    streams = sorted({each["stream"] for each in (*trades, *depths)})
    print(
        json.dumps({"heard": heard, "trades": rows, "depths": changes, "streams": streams, "late": sorted(set(late))})
    )
    print(json.dumps({"closed": socket.close_code}))


main(*sys.argv[1:])

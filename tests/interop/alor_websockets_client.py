"""Drives the simulated venue with the package websockets; prints one JSON line a finding.

Usage: python alor_websockets_client.py BASE_URL, with a Python that has websockets and needs nothing of ours.
"""

from __future__ import annotations

import json
import sys
import urllib.parse
import urllib.request
from typing import Any

from websockets.sync.client import connect


def tell(name: str, value: object) -> None:
    print(json.dumps({name: value}))


def main(base: str) -> None:
    query = urllib.parse.urlencode({"token": "simulated-refresh-token"})
    with urllib.request.urlopen(urllib.request.Request(f"{base}/refresh?{query}", method="POST")) as answer:
        token = json.load(answer)["AccessToken"]
    query = urllib.parse.urlencode({"symbol": "SBER", "exchange": "MOEX", "tf": 60, "from": 0, "to": 32536799999})
    with urllib.request.urlopen(f"{base}/md/v2/history?{query}") as answer:
        tell("history", len(json.load(answer)["history"]))
    with connect(base.replace("http", "ws") + "/ws", max_queue=None) as socket:
        asked = {"opcode": "OrderBookGetAndSubscribe", "exchange": "MOEX", "depth": 5, "format": "Slim", "token": token}
        for code in ("SBER", "GAZP"):
            socket.send(json.dumps({**asked, "code": code, "guid": code}))
        socket.send(json.dumps({**asked, "code": "NOSUCH", "guid": "NOSUCH"}))
        replies: dict[str, int] = {}
        books: dict[str, Any] = {}
        while len(replies) < 3 or len(books) < 2:
            frame = json.loads(socket.recv(timeout=10))
            if "requestGuid" in frame:
                replies[frame["requestGuid"]] = frame["httpCode"]
            else:
                books[frame["guid"]] = frame["data"]
        tell("replies", replies)
        tell("depths", {code: [len(book["b"]), len(book["a"])] for code, book in books.items()})
        pong = socket.ping()
        tell("pong", pong.wait(10))
    tell("closed", socket.close_code)


main(sys.argv[1])

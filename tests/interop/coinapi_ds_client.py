"""Drives the simulated CoinAPI DS with the package websockets: one exchange, exact symbols, a symbol that isn't there.

Usage: python coinapi_ds_client.py BASE_URL KEY SYMBOL, with a Python that has websockets and needs nothing of ours.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from websockets.sync.client import connect


def main(base: str, key: str, symbol: str) -> None:
    address = f"{base.replace('http', 'ws')}/md/ws-ds-coinbase/APIKEY-{key}"
    with connect(address, max_queue=None) as socket:
        asked = {"subscribe_data_type": ["trade", "quote", "book5"], "subscribe_filter_symbol_id": [symbol]}
        socket.send(json.dumps({"type": "hello", "heartbeat": True, **asked}))

        def read(count: int) -> list[dict[str, Any]]:
            return [json.loads(socket.recv(timeout=10)) for _ in range(count)]

        heard = read(60)
        numbers: dict[str, list[int]] = {}
        for each in heard:
            numbers.setdefault(each["type"], []).append(each["sequence"])
        wrong = {"type": "subscribe", "subscribe_data_type": ["trade"], "subscribe_filter_symbol_id": ["NO-SUCH"]}
        socket.send(json.dumps(wrong))
        error = ""
        while not error:
            (message,) = read(1)
            error = message["message"] if message["type"] == "error" else ""
        after = len(read(20))
    symbols = sorted({each["symbol_id"] for each in heard})
    print(json.dumps({"symbols": symbols, "sequences": list(numbers.values()), "error": error, "after_error": after}))


main(*sys.argv[1:])

"""Drives the simulated CoinAPI with the package websockets, as its documentation tells and its vendor's samples do.

Usage: python coinapi_websockets_client.py BASE_URL KEY, with a Python that has websockets and needs nothing of ours.
"""

from __future__ import annotations

import json
import re
import sys
import urllib.request
from collections import Counter, defaultdict
from decimal import Decimal
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

ETH = "KRAKEN_SPOT_ETH_EUR"
BTC = "COINBASE_SPOT_BTC_USD"
TICKS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z")
ENOUGH = 20


class Feed:
    """One connection, and what was understood of its messages."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.heard: dict[str, list[Any]] = defaultdict(list)
        self.sequences: dict[tuple[str, str], list[int]] = defaultdict(list)
        self.book: dict[str, dict[Decimal, Decimal]] = {}
        self.orders: dict[str, dict[str, Any]] = {}
        self.books: dict[str, Any] = {}

    def ask(self, kind: str, *types: str, **fields: Any) -> None:
        self._socket.send(json.dumps({"type": kind, "subscribe_data_type": types, **fields}))

    def wait(self, *types: str, count: int = ENOUGH) -> None:
        """Read until each of the types has come so often from now on."""
        wanted = {each: len(self.heard[each]) + count for each in types}
        while any(len(self.heard[each]) < number for each, number in wanted.items()):
            self.read()

    def read(self) -> dict[str, Any]:
        text = self._socket.recv(timeout=10)
        assert isinstance(text, str)
        message: dict[str, Any] = json.loads(text, parse_float=Decimal)
        self.heard[message["type"]].append(message)
        if "sequence" in message:
            self.sequences[message["type"], message["symbol_id"]].append(message["sequence"])
        for name in ("time_exchange", "time_coinapi"):
            assert name not in message or TICKS.fullmatch(message[name]), message[name]
        if message["type"] == "book":
            self._take_book(message)
        elif message["type"] == "book_l3":
            self._take_orders(message)
        return message

    def _take_book(self, message: dict[str, Any]) -> None:
        if message["is_snapshot"]:
            self.book = {"bids": {}, "asks": {}}
        elif not self.book:
            return
        for name, side in self.book.items():
            for level in message[name]:
                side[Decimal(level["price"])] = Decimal(level["size"])
                if level["size"] == 0:
                    del side[Decimal(level["price"])]
        self.books[message["time_exchange"]] = self.top()

    def top(self) -> Any:
        bids, asks = sorted(self.book["bids"].items(), reverse=True), sorted(self.book["asks"].items())
        return [[[float(price), float(size)] for price, size in side[:5]] for side in (bids, asks)]

    def _take_orders(self, message: dict[str, Any]) -> None:
        if message["is_snapshot"]:
            self.orders = {"bids": {}, "asks": {}}
        for name, side in self.orders.items():
            for each in message[name]:
                kind, size = each.get("update_type"), Decimal(each["size"])
                if kind in (None, "ADD"):
                    side[each["id"]] = [Decimal(each["price"]), size]
                elif kind == "UPDATE":
                    side[each["id"]][1] = size
                elif kind == "DELETE":
                    del side[each["id"]]
                else:
                    side[each["id"]][1] -= size
                    if side[each["id"]][1] == 0:
                        del side[each["id"]]

    def top_of_orders(self) -> Any:
        found = []
        for name in ("bids", "asks"):
            levels: Counter[Decimal] = Counter()
            for price, size in self.orders[name].values():
                levels[price] += size
            ordered = sorted(levels.items(), reverse=name == "bids")
            found.append([[float(price), float(size)] for price, size in ordered[:5]])
        return found


def plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal | int) else value


def five(message: dict[str, Any]) -> Any:
    return [
        [[float(level[name]) for name in ("price", "size")] for level in message[side]] for side in ("bids", "asks")
    ]


def main(base: str, key: str) -> None:
    address = base.replace("http", "ws")
    header = {"X-CoinAPI-Key": key}

    def tell(**found: Any) -> None:
        print(json.dumps(found))

    def post(**body: Any) -> None:
        request = urllib.request.Request(f"{base}/sim/faults", json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request):
            pass

    # As the vendor's SDKs do: the bare host, the key in the message, nulls and zeros for what isn't wanted.
    with connect(address, max_queue=None) as socket:
        feed = Feed(socket)
        feed.ask(
            "hello",
            *("trade", "quote", "book", "book5", "ohlcv"),
            apikey=key,
            heartbeat=True,
            subscribe_filter_symbol_id=[f"{ETH}$"],
            subscribe_filter_asset_id=None,
            subscribe_filter_exchange_id=[],
            subscribe_filter_period_id=["1SEC"],
            subscribe_update_limit_ms_quote=0,
        )
        feed.wait("trade", "quote", "book", "book5")
        feed.wait("ohlcv", count=6)
        names = ("uuid", "price", "size", "taker_side")
        tell(
            trades=[[plain(each[name]) for name in names] for each in feed.heard["trade"]],
            books=feed.books,
            fives=[five(each) for each in feed.heard["book5"]],
        )
        bars = [
            [each["time_period_start"], *(float(each[f"price_{name}"]) for name in ("open", "high", "low", "close"))]
            for each in feed.heard["ohlcv"]
        ]
        tell(bars=bars, periods=sorted({each["period_id"] for each in feed.heard["ohlcv"]}))
        tell(quotes=[[float(each["bid_price"]), float(each["ask_price"])] for each in feed.heard["quote"]])
        tell(sequences={name: numbers for (name, _), numbers in feed.sequences.items()})
        tell(symbols=sorted({symbol for _, symbol in feed.sequences}))

    # The scope: subscribe adds, unsubscribe removes, another hello replaces; prefixes match, a dollar ends them.
    with connect(f"{address}/v1", additional_headers=header, max_queue=None) as socket:
        feed = Feed(socket)
        feed.ask("hello", "trade", heartbeat=True, subscribe_filter_symbol_id=["COINBASE_SPOT_"])
        feed.wait("trade", count=2 * ENOUGH)
        prefixed = sorted({each["symbol_id"] for each in feed.heard["trade"]})
        feed.ask("subscribe", "exrate", subscribe_filter_asset_id=["BTC/USD"])
        feed.wait("exrate", count=1)
        feed.ask("unsubscribe", "trade")
        feed.wait("exrate", count=1)
        feed.heard["trade"].clear()
        feed.wait("exrate", count=1)
        removed = len(feed.heard["trade"])
        feed.ask("hello", "trade", "book_l3", "book", heartbeat=True, subscribe_filter_symbol_id=[f"{BTC}$"])
        feed.wait("trade", "book_l3", "book")
        feed.heard["exrate"].clear()
        feed.wait("trade")
        tell(prefixed=prefixed, removed=removed, replaced=sorted({each["symbol_id"] for each in feed.heard["trade"]}))
        tell(rates=len(feed.heard["exrate"]))
        post(fault="halt", instrument=BTC)
        feed.ask("subscribe", "quote", subscribe_filter_symbol_id=["NO_SUCH_SYMBOL$"])
        feed.wait("hearbeat", count=2)
        tell(by_level=feed.top(), by_order=feed.top_of_orders())
        post(fault="resume", instrument=BTC)

        # A restart is announced, and comes.
        post(fault="reconnect", seconds=1)
        feed.wait("reconnect", count=1)
        notice = feed.heard["reconnect"][0]
        tell(notice=[notice["within_seconds"], bool(TICKS.fullmatch(notice["before_time"]))])
        tell(ended=read_to_the_end(feed))

    # What isn't allowed is said, and ends the connection.
    for name, fields in (
        ("wrong", {"apikey": "00000000-0000-0000-0000-000000000000", "subscribe_data_type": ["trade"]}),
        ("unfiltered", {"apikey": key, "subscribe_data_type": ["book"]}),
    ):
        with connect(f"{address}/v1/", max_queue=None) as socket:
            feed = Feed(socket)
            socket.send(json.dumps({"type": "hello", "heartbeat": False, **fields}))
            code = read_to_the_end(feed)
            tell(**{name: [code, [each["message"] for each in feed.heard["error"]]]})


def read_to_the_end(feed: Feed) -> int | None:
    """Give the close code."""
    try:
        while True:
            feed.read()
    except ConnectionClosed as exc:
        return None if exc.rcvd is None else exc.rcvd.code


main(*sys.argv[1:])

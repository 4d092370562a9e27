"""Drives the simulated T4 venue with the package websockets, code that protoc made of its schema, and known frames.

Usage: python t4_client.py BASE_URL FRAMES, with a Python that has websockets and protobuf, the made code on its path,
and a file of frames as documented: ``{"frames": [{"from", "name", "hex", "message"}]}``. What is documented goes out
as it is, byte for byte. The venue has to have market M1, account A1, and the users of those frames.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict
from websockets.sync.client import connect

from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.proto.service_pb2 import ClientMessage, ServerMessage

BOOKS = 20
OPEN = "MARKET_MODE_OPEN"


class Client:
    """One session: what it knows is what it was told."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self.heard: dict[str, list[Any]] = defaultdict(list)
        self.order_of_arrival: list[str] = []
        self.orders: dict[str, dict[str, Any]] = {}
        self.changes: dict[str, list[str]] = defaultdict(list)
        self.fills: dict[str, list[Any]] = defaultdict(list)
        self.tags: dict[str, str] = {}
        self.by_order: dict[int, Any] = {}
        self.sequences: list[int] = []

    def say(self, frame: bytes) -> None:
        self._socket.send(frame)

    def ask(self, name: str, **fields: Any) -> None:
        message = ParseDict({name: fields}, ClientMessage())
        self.say(message.SerializeToString())

    def wait(self, wanted: Callable[[], object], within: float = 10) -> None:
        while not wanted():
            self.read(within)

    def drain(self) -> None:
        """Read until half a second brings nothing but what a halted market may still say."""
        try:
            while True:
                self.read(0.5)
        except TimeoutError:
            pass

    def read(self, within: float) -> None:
        frame = self._socket.recv(timeout=within)
        assert isinstance(frame, bytes), "T4 has no texts"
        self._take(ServerMessage.FromString(frame))

    def _take(self, message: Any) -> None:
        name = message.WhichOneof("payload")
        payload = getattr(message, name)
        self.order_of_arrival.append(name)
        self.heard[name].append(payload)
        if name == "order_update_multi":
            for each in payload.updates:
                kind = each.WhichOneof("payload")
                self._update(kind, getattr(each, kind))
        elif name.startswith("order_update"):
            self._update(name, payload)
        elif name in ("market_snapshot", "account_snapshot"):
            for each in payload.messages:
                self._take(each)
        elif name == "market_by_order_snapshot":
            self.by_order = {each.order_id: each for each in payload.orders}
            self.sequences = [payload.last_sequence]
        elif name == "market_by_order_update":
            self.sequences.append(payload.sequence)
            for each in payload.updates:
                if each.update_type == 0:
                    self.by_order[each.order_id] = each
                elif each.update_type == 1:
                    del self.by_order[each.order_id]
                else:
                    self.by_order.clear()
        elif name == "market_by_order_trade":
            self.sequences.append(payload.sequence)

    def _update(self, kind: str, update: Any) -> None:
        """Keep an order as the vendor's clients do."""
        fields = MessageToDict(update, preserving_proto_field_name=True)
        order = self.orders.setdefault(update.unique_id, {})
        if kind == "order_update":
            order.clear()
            self.tags[update.tag] = update.unique_id
        if kind == "order_update_trade":
            self.fills[update.unique_id].append([update.volume, float(update.price.value)])
        order.update(fields)
        # What is 0 is left out of the plain values.
        order["working"] = getattr(update, "working_volume", order.get("working", 0))
        order["filled"] = getattr(update, "total_fill_volume", order.get("filled", 0))
        self.changes[update.unique_id].append(fields.get("change", "").removeprefix("ORDER_CHANGE_"))

    def order(self, tag: str) -> dict[str, Any]:
        return self.orders[self.tags[tag]] if tag in self.tags else {}

    def is_at(self, tag: str, change: str) -> bool:
        return tag in self.tags and change in self.changes[self.tags[tag]]

    def told(self, tag: str) -> dict[str, Any]:
        order = self.order(tag)
        return {
            "status": order.get("status", "").removeprefix("ORDER_STATUS_"),
            "changes": self.changes[self.tags[tag]],
            "price": order.get("current_limit_price", {}).get("value"),
            "volume": order.get("current_volume", 0),
            "working": order["working"],
            "filled": order["filled"],
            "fills": self.fills[self.tags[tag]],
            "id": self.tags[tag],
        }


def sides_of(depth: Any) -> list[Any]:
    return [[[float(each.price.value), each.volume] for each in side] for side in (depth.bids, depth.offers)]


def sides_by_order(orders: dict[int, Any]) -> list[Any]:
    levels: tuple[Counter[float], Counter[float]] = Counter(), Counter()
    for each in orders.values():
        levels[0 if each.bid_offer == enums.BID_OFFER_BID else 1][float(each.price.value)] += each.volume
    return [[list(each) for each in sorted(side.items(), reverse=place == 0)[:10]] for place, side in enumerate(levels)]


def order(side: str, volume: int, tag: str, price: str | None = None) -> dict[str, Any]:
    fields: dict[str, Any] = {"buy_sell": f"BUY_SELL_{side}", "volume": volume, "tag": tag}
    if price is None:
        return {**fields, "price_type": "PRICE_TYPE_MARKET"}
    return {**fields, "price_type": "PRICE_TYPE_LIMIT", "limit_price": {"value": price}}


def main(base: str, path: str) -> None:
    with ExitStack() as stack:

        def open_session() -> Client:
            socket = connect(base.replace("http", "ws") + "/v1", max_size=1 << 22, max_queue=None)
            return Client(stack.enter_context(socket))

        trade(base, path, open_session)


def trade(base: str, path: str, open_session: Callable[[], Client]) -> None:
    frames = json.loads(Path(path).read_text())["frames"]
    known = {each["name"]: bytes.fromhex(each["hex"]) for each in frames}
    for each in frames:
        kind = ClientMessage if each["from"] == "client" else ServerMessage
        assert kind.FromString(bytes.fromhex(each["hex"])) == ParseDict(each["message"], kind()), each["name"]

    def post(path: str, **body: Any) -> None:
        request = urllib.request.Request(base + path, json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request):
            pass

    def get(path: str, token: str) -> Any:
        request = urllib.request.Request(base + path, headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def tell(**found: Any) -> None:
        print(json.dumps(found))

    # Who hasn't logged in is refused; so is who isn't known.
    stranger = open_session()
    stranger.say(known["token request `r1`"])
    stranger.wait(lambda: stranger.heard["login_response"])
    tell(stranger=stranger.heard["login_response"][0].result)

    # The session, and a token for REST.
    client = open_session()
    client.say(known["login, firm F, username u, password p, app_name a, app_license l, REAL"])
    client.wait(lambda: client.heard["login_response"])
    login = client.heard["login_response"][0]
    tell(login=login.result, accounts=[each.account_id for each in login.accounts])
    client.say(known["heartbeat, timestamp 1700000000000"])
    client.say(known["token request `r1`"])
    client.wait(lambda: client.heard["authentication_token"])
    answer = client.heard["authentication_token"][0]
    front = get("/markets/picker/firstmarket?exchangeid=CME_Eq&contractid=ES", answer.token)
    tell(request=answer.request_id, front=front["marketID"])

    # Orders before the account is subscribed are refused.
    client.ask("order_submit", account_id="A1", market_id="M1", orders=[order("BUY", 1, "early", "5000")])
    client.wait(lambda: any(each.get("status") == "ORDER_STATUS_REJECTED" for each in client.orders.values()))
    client.say(known["account subscribe, all accounts, AVERAGE"])
    client.wait(lambda: client.heard["account_snapshot"])
    accounts = client.heard["account_subscribe_response"][0].success
    tell(subscribed=accounts, balance=client.heard["account_update"][0].balance)

    # Market data: by price with each trade, by price with the whole book, by order.
    client.say(known["depth CME_Eq / ES / M1, SMART_TRADE, NORMAL"])
    client.wait(lambda: len(client.heard["market_depth"]) > BOOKS and len(client.heard["market_depth_trade"]) > BOOKS)
    details = client.heard["market_details"][0]
    first = client.order_of_arrival.index("market_details") < client.order_of_arrival.index("market_snapshot")
    tell(details_first=first, tick=details.min_price_increment.value, point=details.point_value.value)
    trades = [
        [float(each.last_trade_price.value), each.last_trade_volume, each.total_traded_volume, each.total_trade_count]
        for each in client.heard["market_depth_trade"]
    ]
    tell(trades=trades, depths=[sides_of(each) for each in client.heard["market_depth"]])
    client.ask("market_by_order_subscribe", exchange_id="CME_Eq", contract_id="ES", market_id="M1", subscribe=True)
    client.ask(
        "market_depth_subscribe",
        exchange_id="CME_Eq",
        contract_id="ES",
        market_id="M1",
        buffer="DEPTH_BUFFER_ALL",
        depth_levels="DEPTH_LEVELS_NORMAL",
    )
    client.wait(lambda: len(client.sequences) > BOOKS)
    post("/sim/faults", fault="halt", instrument="M1")
    client.wait(lambda: client.heard["market_depth"][-1].mode != enums.MARKET_MODE_OPEN)
    client.drain()
    tell(by_price=sides_of(client.heard["market_depth"][-1]), by_order=sides_by_order(client.by_order))
    tell(sequences=client.sequences)
    post("/sim/faults", fault="resume", instrument="M1")
    client.wait(lambda: client.heard["market_depth"][-1].mode == enums.MARKET_MODE_OPEN)
    client.say(known["depth off"])

    # Orders: submitted as documented, then revised and pulled under the id that the venue gave.
    client.say(known["submit A1 / M1: sell 2 limit 5954.50, tag t1"])
    client.wait(lambda: client.is_at("t1", "SUBMISSION_SUCCESS"))
    tell(submitted=client.told("t1"))
    unique_id = client.tags["t1"]
    client.ask(
        "order_revise",
        account_id="A1",
        market_id="M1",
        revisions=[{"unique_id": unique_id, "volume": 3, "limit_price": {"value": "5954.25"}}],
    )
    client.wait(lambda: client.is_at("t1", "REVISION_SUCCESS"))
    tell(revised=client.told("t1"))
    client.ask("order_pull", account_id="A1", market_id="M1", pulls=[{"unique_id": unique_id}])
    client.wait(lambda: client.is_at("t1", "PULL_SUCCESS"))
    tell(pulled=client.told("t1"))
    client.say(known["pull A1 / M1: U1"])
    client.wait(lambda: "PULL_FAILED" in client.changes["U1"])
    client.ask("order_submit", account_id="A1", market_id="M1", orders=[order("BUY", 2, "taken")])
    client.wait(lambda: client.order("taken").get("status") == "ORDER_STATUS_FINISHED")
    client.wait(lambda: client.heard["account_position"] and client.heard["account_position"][-1].buys == 2)
    tell(filled=client.told("taken"), unknown=client.changes["U1"])
    position = client.heard["account_position"][-1]
    tell(position=[position.market_id, position.buys - position.sells, position.average_open_price.value])

    # Another session of the same user displaces this one; by key prices are the exchange's raw numbers.
    keyed = open_session()
    keyed.say(known["login, api_key `KEY`"])
    keyed.wait(lambda: keyed.heard["login_response"])
    client.wait(lambda: len(client.heard["login_response"]) > 1)
    tell(displaced=client.heard["login_response"][-1].result)
    keyed.say(known["depth CME_Eq / ES / M1, SMART, ALL"])
    keyed.wait(lambda: keyed.heard["market_snapshot"])
    raw = keyed.heard["market_details"][0].min_price_increment.value
    tell(raw=raw, raw_bids=[each.price.value for each in keyed.heard["market_depth"][0].bids])


main(*sys.argv[1:])

"""The T4 venue without sockets, and clients that speak plain protobuf to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import attrs
import pytest

from strategykit.sim.faults import FaultCommand
from strategykit.sim.http_calls import HttpCall
from strategykit.sim.t4_config import T4VenueConfig, default_markets
from strategykit.sim.t4_session import T4Session
from strategykit.sim.t4_venue import T4Venue
from strategykit.venues.t4.proto import account_pb2 as account
from strategykit.venues.t4.proto import auth_pb2 as auth
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.proto import market_pb2 as market
from strategykit.venues.t4.proto import orderrouting_pb2 as routing
from strategykit.venues.t4.proto.price_pb2 import Price
from strategykit.venues.t4.proto.service_pb2 import ClientMessage, ServerMessage

ES = "XCME_Eq ES (Z26)"
START = 1_795_000_000 * 1_000_000_000


@attrs.define(eq=False)
class Tap:
    """A client's way in, as the venue sees it."""

    frames: list[bytes] = attrs.field(factory=list)
    closed: tuple[int, str] | None = None
    waiting: int = 0
    received: int = 0
    pong: bytes | None = None

    def send(self, message: str | bytes) -> None:
        assert isinstance(message, bytes)
        assert self.closed is None, "something was said after goodbye"
        self.frames.append(message)

    def send_block(self, messages: Sequence[str | bytes]) -> None:
        for message in messages:
            self.send(message)

    def send_encoded(self, text: bytes) -> None:
        raise AssertionError("T4 has no texts")

    def send_encoded_block(self, texts: Sequence[bytes]) -> None:
        raise AssertionError("T4 has no texts")

    def ping(self, payload: bytes) -> None:
        raise AssertionError("T4 sends no pings")

    def close(self, code: int, reason: str) -> None:
        self.closed = code, reason


@attrs.define(eq=False)
class Client:
    floor: Floor
    session: T4Session
    tap: Tap

    def say(self, **payload: Any) -> list[tuple[str, Any]]:
        """Send one message; give what came back at once."""
        return self.say_raw(ClientMessage(**payload).SerializeToString())

    def say_raw(self, frame: str | bytes) -> list[tuple[str, Any]]:
        self.heard()
        self.floor.venue.receive(self.session, frame, self.floor.now)
        return self.heard()

    def heard(self) -> list[tuple[str, Any]]:
        """Give the name and the content of what came since the last call."""
        frames, self.tap.frames = self.tap.frames, []
        found = []
        for frame in frames:
            message = ServerMessage.FromString(frame)
            payload = message.WhichOneof("payload")
            assert payload is not None
            found.append((payload, getattr(message, payload)))
        return found

    def heard_of(self, name: str) -> list[Any]:
        return [message for payload, message in self.heard() if payload == name]

    def login(self, **fields: Any) -> list[tuple[str, Any]]:
        return self.say(
            login_request=auth.LoginRequest(**{"api_key": "simulated-api-key", "price_format": 1, **fields})
        )

    def subscribe(self, *, market_id: str = ES, buffer: str = "ALL", levels: str = "NORMAL") -> list[tuple[str, Any]]:
        listed = self.floor.venue.config.markets[market_id]
        return self.say(
            market_depth_subscribe=market.MarketDepthSubscribe(
                exchange_id=listed.exchange_id,
                contract_id=listed.contract_id,
                market_id=market_id,
                buffer=f"DEPTH_BUFFER_{buffer}",
                depth_levels=f"DEPTH_LEVELS_{levels}",
            )
        )

    def watch(self, market_id: str = ES, *, subscribe: bool = True, **fields: Any) -> list[tuple[str, Any]]:
        listed = self.floor.venue.config.markets[market_id]
        asked = {"exchange_id": listed.exchange_id, "contract_id": listed.contract_id, "market_id": market_id, **fields}
        return self.say(market_by_order_subscribe=market.MarketByOrderSubscribe(**asked, subscribe=subscribe))

    def open_account(self, *names: str, profit: bool = False) -> list[tuple[str, Any]]:
        return self.say(
            account_subscribe=account.AccountSubscribe(
                subscribe=enums.ACCOUNT_SUBSCRIBE_TYPE_ALL_UPDATES,
                subscribe_all_accounts=not names,
                account_id=names,
                upl_mode=enums.UPL_MODE_AVERAGE if profit else enums.UPL_MODE_NONE,
            )
        )

    def order(self, *orders: routing.OrderSubmit.Order, link: str = "NONE", **fields: Any) -> list[Any]:
        """Submit; give the updates."""
        return updates(self.say(order_submit=submission(*orders, link=link, **fields)))

    def revise(self, unique_id: str, **changes: Any) -> list[Any]:
        change = routing.OrderRevise.Revise(unique_id=unique_id, **priced(changes))
        return updates(self.say(order_revise=routing.OrderRevise(account_id="SIM-1", market_id=ES, revisions=[change])))

    def pull(self, unique_id: str, *, market_id: str = ES, **fields: Any) -> list[Any]:
        each = routing.OrderPull.Pull(unique_id=unique_id, **fields)
        return updates(self.say(order_pull=routing.OrderPull(account_id="SIM-1", market_id=market_id, pulls=[each])))


@attrs.define(eq=False)
class Floor:
    """The venue and its time."""

    venue: T4Venue
    now: int = START

    def enter(self, *, login: bool = True, **fields: Any) -> Client:
        tap = Tap()
        client = Client(self, self.venue.open_session(HttpCall(method="GET", path="/v1"), tap, self.now), tap)
        if login:
            client.login(**fields)
        return client

    def trader(self, **fields: Any) -> Client:
        """Give a client that may trade."""
        client = self.enter(**fields)
        client.open_account()
        return client

    def later(self, seconds: float = 0.01) -> None:
        self.now += int(seconds * 1e9)
        self.venue.advance(self.now)

    def best(self, market_id: str = ES) -> tuple[Decimal, Decimal]:
        """Give the best bid and offer."""
        book, round_price = self.venue.exchange.book(market_id), self.venue.exchange.instruments[market_id].round_price
        return round_price(book.bid_prices[0]), round_price(book.ask_prices[0])

    def fault(self, fault: str, **fields: Any) -> int:
        return self.venue.fault(FaultCommand(fault, **fields), self.now)

    def get(self, path: str, *, key: str = "APIKey simulated-api-key", method: str = "GET", **query: str) -> Any:
        call = HttpCall(method=method, path=path, query=query, headers={"authorization": key})
        return self.venue.answer(call, self.now)


def submission(
    *orders: routing.OrderSubmit.Order, link: str = "NONE", account_id: str = "SIM-1", market_id: str = ES
) -> routing.OrderSubmit:
    return routing.OrderSubmit(
        account_id=account_id, market_id=market_id, order_link=f"ORDER_LINK_{link}", orders=orders
    )


def priced(fields: dict[str, Any]) -> dict[str, Any]:
    names = ("limit_price", "stop_price", "trail_distance", "trail_price")
    return {name: Price(value=str(value)) if name in names else value for name, value in fields.items()}


def updates(heard: Sequence[tuple[str, Any]]) -> list[Any]:
    """Give what the carriers hold, in their order."""
    found = []
    for payload, message in heard:
        if payload == "order_update_multi":
            found += [getattr(each, each.WhichOneof("payload")) for each in message.updates]
    return found


@pytest.fixture
def make_floor() -> Callable[..., Floor]:
    """Make a venue whose books stand still unless told otherwise."""

    def make(**settings: Any) -> Floor:
        few = {ES: default_markets()[ES]}
        config = T4VenueConfig(**{"actions_per_second": 0.0, "markets": few, **settings})
        return Floor(T4Venue(config, now=START))

    return make


@pytest.fixture
def floor(make_floor: Callable[..., Floor]) -> Floor:
    return make_floor()


@pytest.fixture
def ticket() -> Callable[..., routing.OrderSubmit.Order]:
    """Make an order of a submission: ``ticket("SELL", 2, limit_price="5954.50")``."""

    def make(side: str = "BUY", volume: int = 1, kind: str = "", **fields: Any) -> routing.OrderSubmit.Order:
        limit, stop = "limit_price" in fields, "stop_price" in fields
        kind = kind or ("STOP_LIMIT" if limit and stop else "LIMIT" if limit else "STOP_MARKET" if stop else "MARKET")
        return routing.OrderSubmit.Order(
            buy_sell=f"BUY_SELL_{side}",
            price_type=f"PRICE_TYPE_{kind}",
            volume=volume,
            **priced(fields),
        )

    return make

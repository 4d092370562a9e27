"""T4's client half at a desk: a guid table, one connection, and frames by hand or from the simulated venue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import attrs
import pytest

from strategykit.venues.dialect import Confirmed, Decoded
from strategykit.venues.streams import Stream, StreamKind
from strategykit.venues.subscriptions import Subscription, Subscriptions, SubscriptionState
from strategykit.venues.t4.dialect import T4
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.proto import orderrouting_pb2 as routing
from strategykit.venues.t4.proto.price_pb2 import Price
from strategykit.venues.t4.proto.service_pb2 import ServerMessage

ES = "CME_Eq/ES/XCME_Eq ES (Z26)"
ES_ID = "XCME_Eq ES (Z26)"
NOW = 1_795_000_000 * 10**9


@attrs.define(eq=False)
class Bench:
    """Rows that were asked for on one connection, and what frames make of them."""

    dialect: T4
    table: Subscriptions
    now: int = NOW

    def want(self, kind: str, instrument: str | None = ES, *, asked: bool = True, **fields: Any) -> Subscription:
        """Subscribe to a stream; those of accounts to SIM-1's."""
        stream_kind = StreamKind(kind)
        private = kind in ("orders", "fills", "positions", "summary")
        if private:
            fields.setdefault("account", "SIM-1")
        stream = Stream(kind=stream_kind, instrument=None if private else instrument, **fields)
        row = self.table.want(stream, "test")
        if asked:
            self.table.asked(row.guid)
        return row

    def want_account(self) -> None:
        for kind in ("orders", "fills", "positions", "summary"):
            self.want(kind)

    def hear_frame(self, frame: str | bytes, *, connection: str = "session-0") -> list[Decoded]:
        """Decode a frame; confirmations are carried out and left away, as the engine does."""
        found: list[Decoded] = []
        for thing in self.dialect.decode(frame, self.table, connection=connection, receive_time=self.now):
            if isinstance(thing, Confirmed):
                gap = self.table.confirmed(thing.guid, self.now)
                found += [] if gap is None else [gap]
            else:
                found.append(thing)
        return found

    def hear(self, **payload: Any) -> list[Decoded]:
        return self.hear_frame(ServerMessage(**payload).SerializeToString())

    def hear_orders(self, *updates: Any, historical: bool = False) -> list[Decoded]:
        """Hear of orders, in the usual carrier."""
        parts = [routing.OrderUpdateMultiMessage(**{_FIELDS[type(update)]: update}) for update in updates]
        multi = routing.OrderUpdateMulti(market_id=ES_ID, account_id="SIM-1", historical=historical, updates=parts)
        return self.hear(order_update_multi=multi)

    def states(self) -> set[SubscriptionState]:
        return {row.state for row in self.table}


_FIELDS: dict[type, str] = {
    routing.OrderUpdate: "order_update",
    routing.OrderUpdateStatus: "order_update_status",
    routing.OrderUpdateTrade: "order_update_trade",
    routing.OrderUpdateTradeLeg: "order_update_trade_leg",
    routing.OrderUpdateFailed: "order_update_failed",
}


@pytest.fixture(scope="session")
def make_bench() -> Callable[..., Bench]:
    def make(**options: Any) -> Bench:
        dialect = T4(**options)
        guids = (f"g{number}" for number in count(1))
        connections = {name: spec.max_connections for name, spec in dialect.lanes.items()}
        table = Subscriptions(
            dialect.limits, connections, lambda: next(guids), dialect.cursor, dialect.lane, dialect.key
        )
        return Bench(dialect, table)

    return make


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench()


def _priced(fields: dict[str, Any]) -> dict[str, Any]:
    names = ("price", "current_limit_price", "current_stop_price", "new_limit_price", "new_stop_price")
    return {name: Price(value=str(value)) if name in names else value for name, value in fields.items()}


@pytest.fixture
def tell() -> Callable[..., Any]:
    """Make an order's message: ``tell("status", "PULL_SUCCESS", "FINISHED", working_volume=0)``.

    The sequence grows by itself; the order is U1, of 3 lots at 5950.25, tagged ``run-s-1``.
    """
    kinds: dict[str, Any] = {
        "whole": routing.OrderUpdate,
        "status": routing.OrderUpdateStatus,
        "trade": routing.OrderUpdateTrade,
        "leg": routing.OrderUpdateTradeLeg,
        "failed": routing.OrderUpdateFailed,
    }
    numbers = count(1)

    def make(kind: str, change: str, status: str = "NO_CHANGE", **fields: Any) -> Any:
        values: dict[str, Any] = {"unique_id": "U1", "account_id": "SIM-1", "market_id": ES_ID}
        values |= {"change": f"ORDER_CHANGE_{change}", "status": f"ORDER_STATUS_{status}"}
        values["sequence_order"] = next(numbers)
        if kind in ("whole", "status"):
            values |= {"tag": "run-s-1", "price_type": enums.PRICE_TYPE_LIMIT, "current_volume": 3}
            values |= {"current_limit_price": "5950.25"}
        if kind == "whole":
            values["buy_sell"] = enums.BUY_SELL_BUY
        return kinds[kind](**_priced({**values, **fields}))

    return make


@pytest.fixture
def events_of() -> Callable[[Sequence[Decoded], type], list[Any]]:
    def pick(found: Sequence[Decoded], kind: type) -> list[Any]:
        return [thing for thing in found if isinstance(thing, kind)]

    return pick

"""Whatever clients send, the venue goes on, and its books stay right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strategykit.venues.t4.proto import orderrouting_pb2 as routing
from strategykit.venues.t4.proto.price_pb2 import Price
from strategykit.venues.t4.proto.service_pb2 import ClientMessage

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sim_server.t4.conftest import Floor

ES = "XCME_Eq ES (Z26)"

PRICES = st.one_of(
    st.integers(23_780, 23_880).map(lambda ticks: f"{ticks / 4:.2f}"),
    st.sampled_from(["", "0", "-1", "2.5", "-2.5", "5956.1", "NaN", "1e9", "abc", "9" * 60]),
).map(lambda text: Price(value=text))

MAYBE_PRICES = st.none() | PRICES
SMALL = st.integers(-1, 8) | st.sampled_from([2**31 - 1, -(2**31)])
DELAYS = st.none() | st.integers(-5, 300) | st.just(2**63 - 1)

ACTIVATIONS = st.builds(
    routing.OrderActivation,
    submit_delay_ms=DELAYS,
    cancel_delay_ms=DELAYS,
    activation_cancel_delay_ms=DELAYS,
    price=MAYBE_PRICES,
    volume=st.none() | SMALL,
    bid_offer=st.integers(-2, 2),
    mode=st.none() | st.integers(-1, 20),
    queue_submit=st.none() | st.booleans(),
)

TICKETS = st.builds(
    routing.OrderSubmit.Order,
    buy_sell=st.sampled_from([1, 1, -1, -1, 0, 7]),
    price_type=st.sampled_from([0, 0, 1, 1, 1, 2, 3, 6, 7, 8, 9, 15, 16, 4, -1, 99]),
    time_type=st.sampled_from([0, 0, 0, 1, 2, 3, 4, 50]),
    volume=SMALL,
    max_show=st.none() | SMALL,
    max_volume=st.none() | SMALL,
    limit_price=MAYBE_PRICES,
    stop_price=MAYBE_PRICES,
    trail_distance=st.none() | PRICES,
    activation_type=st.sampled_from([0, 0, 0, 1, 3, 4, 5, 6, 11, 14, 15, 18, -1]),
    activation_data=st.none() | ACTIVATIONS,
)

SUBMISSIONS = st.builds(
    routing.OrderSubmit,
    account_id=st.sampled_from(["SIM-1", "SIM-1", "SIM-1", "SIM-2", "x"]),
    market_id=st.sampled_from([ES, ES, ES, "x"]),
    order_link=st.sampled_from([0, 0, 1, 2, 3, 5, 7, 8, 9, 6, 77]),
    orders=st.lists(TICKETS, max_size=4),
)


@st.composite
def revisions(draw: st.DrawFn) -> tuple[int, dict[str, Any]]:
    change = {
        "volume": draw(st.none() | SMALL),
        "limit_price": draw(MAYBE_PRICES),
        "stop_price": draw(MAYBE_PRICES),
        "trail_price": draw(MAYBE_PRICES),
        "max_show": draw(st.none() | SMALL),
        "max_volume": draw(st.none() | SMALL),
        "tag": draw(st.none() | st.text(max_size=3)),
        "activation_data": draw(st.none() | ACTIVATIONS),
    }
    return draw(st.integers(0, 50)), change


STEPS = st.lists(
    st.one_of(
        SUBMISSIONS,
        st.lists(SUBMISSIONS, max_size=3).map(lambda each: routing.OrderBatch(submissions=each)),
        revisions(),
        st.integers(0, 50),
        st.floats(0.01, 0.5),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_is_ordered_fills_and_positions_agree(make_floor: Callable[..., Floor], steps: list[Any]) -> None:
    floor = make_floor(actions_per_second=100.0)
    trader = floor.trader()
    for step in steps:
        ids = list(dict.fromkeys(entry.unique_id for entry in floor.venue.log)) or ["nothing"]
        match step:
            case routing.OrderSubmit():
                trader.say(order_submit=step)
            case routing.OrderBatch():
                trader.say(order_batch=step)
            case (int(index), change):
                assert isinstance(change, dict)
                trader.revise(ids[index % len(ids)], **change)
            case int(index):
                trader.pull(ids[index % len(ids)])
            case _:
                floor.later(step)

    report: Any = floor.venue.orders
    last = {row["unique_id"]: row for row in report["orders"]}
    for unique_id, row in last.items():
        fills = [fill["trade_volume"] for fill in report["fills"] if fill["unique_id"] == unique_id]
        assert sum(fills) == row["filled"]
        assert 0 <= row["working"] <= max(0, row["volume"] - row["filled"])
        assert row["status"] != "FINISHED" or row["working"] == 0
    signed = sum(
        row["trade_volume"] * (1 if row["side"] == "BUY" else -1)
        for row in report["fills"]
        if row["account"] == "SIM-1"
    )
    held = [row for row in report["positions"] if row["account"] == "SIM-1" and row["instrument"] == ES]
    assert sum(int(row["quantity"]) for row in held) == signed
    working = {row["unique_id"]: row["working"] for row in last.values() if row["working"]}
    resting = {
        row.client_order_id: int(row.quantity - row.filled)
        for rows in (floor.venue.exchange.orders("SIM-1"), floor.venue.exchange.stop_orders("SIM-1"))
        for row in (*rows, *floor.venue.exchange.orders("SIM-2"), *floor.venue.exchange.stop_orders("SIM-2"))
        if row.status.value == "working"
    }
    assert resting.items() <= working.items(), "what rests at the exchange is told as working"


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_bytes_come_nobody_else_is_disturbed(floor: Floor, data: st.DataObject) -> None:
    client, other = floor.trader(app_name="bad"), floor.trader(app_name="good")
    frame = bytearray(
        data.draw(
            st.one_of(
                st.binary(max_size=60),
                SUBMISSIONS.map(lambda each: ClientMessage(order_submit=each).SerializeToString()),
            )
        )
    )
    for _ in range(data.draw(st.integers(0, 3))):
        if frame:
            frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    other.heard()

    client.say_raw(bytes(frame[: data.draw(st.integers(0, len(frame)))]))
    floor.later()

    assert other.tap.closed is None
    assert [name for name, _ in other.subscribe()][-1] == "market_snapshot"
    for each in (client, other):
        floor.venue.close_session(each.session, floor.now)

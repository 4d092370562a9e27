"""An order that a refused command shows as ended: how it ended is asked for, not guessed."""

from __future__ import annotations

from typing import Any

import pytest

from strategykit.model.events import Fill, OrderStatus, OrderUpdate
from strategykit.venues.dialect import OrderReply, Resubscribe

FILL: dict[str, Any] = {"volume": 3, "price": "5950.25", "exchange_trade_id": "t1", "total_fill_volume": 3}


@pytest.fixture
def bench(make_bench: Any) -> Any:
    bench = make_bench()
    bench.want("orders")
    bench.want("fills")
    bench.want("quotes")
    return bench


@pytest.mark.parametrize("change", ["PULL_REJECTED", "REVISION_REJECTED"])
def test_a_no_that_overtook_the_fill_ends_nothing(bench: Any, tell: Any, change: str) -> None:
    bench.hear_orders(tell("whole", "SUBMISSION_SUCCESS", "WORKING"))

    reply, again = bench.hear_orders(tell("status", change, "FINISHED", sequence_order=9))

    assert isinstance(reply, OrderReply)
    assert not reply.ok
    assert isinstance(again, Resubscribe)
    assert again.reason == "order U1 has ended, and nothing said how"
    assert bench.hear_orders(tell("status", change, "FINISHED", sequence_order=10))[1:] == [], "it is asked once"
    late = tell("trade", "TRADE_COMPLETED", "FINISHED", sequence_order=8, **FILL)
    fill, update = bench.hear_orders(late)
    assert isinstance(fill, Fill)
    assert isinstance(update, OrderUpdate)
    assert (update.status, int(update.filled)) == (OrderStatus.FILLED, 3)


def test_a_no_to_a_second_cancel_is_no_news_of_the_end(bench: Any, tell: Any) -> None:
    bench.hear_orders(tell("whole", "SUBMISSION_SUCCESS", "WORKING"))
    bench.hear_orders(tell("status", "PULL_SUCCESS", "FINISHED"))

    found = bench.hear_orders(tell("status", "PULL_REJECTED", "FINISHED", status_detail="nothing is left"))

    assert not [thing for thing in found if isinstance(thing, Resubscribe)]
    assert all(thing.status is OrderStatus.CANCELLED for thing in found if isinstance(thing, OrderUpdate))


def test_a_snapshot_is_believed(bench: Any, tell: Any) -> None:
    bench.hear_orders(tell("whole", "SUBMISSION_SUCCESS", "WORKING"))
    bench.hear_orders(tell("status", "PULL_REJECTED", "FINISHED"))

    found = bench.hear_orders(tell("whole", "PULL_REJECTED", "FINISHED"), historical=True)

    (update,) = [thing for thing in found if isinstance(thing, OrderUpdate)]
    assert update.status is OrderStatus.CANCELLED

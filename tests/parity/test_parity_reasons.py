"""Every fill that models give otherwise is told, with the reason."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import attrs
import pytest

from strategykit.errors import ConfigError
from strategykit.model.event_class import altered
from strategykit.model.events import BookSnapshot, Event, Fill, Side, Trade
from strategykit.model.orders import CancelOrder, CreateOrder
from strategykit.parity.comparing import ParityReport, compare
from strategykit.parity.session import Sent, Session
from strategykit.parity.traded import Tolerance
from strategykit.sim.fees import FeeModel
from strategykit.sim.models.fill_models import FillModels
from strategykit.sim.models.latency import Constant
from strategykit.sim.models.queues import FillRule
from tests.parity.known_sessions import INSTRUMENT, MS, known_session, request

SECOND = 1_000 * MS
EXACT = Tolerance(time=0)


def book(second: float, bid: float, ask: float, size: float = 10.0) -> tuple[int, Event]:
    time = int(second * SECOND)
    return time, BookSnapshot("X", (bid,), (size,), (ask,), (size,), time, time, "book")


def trade(second: float, price: float, lots: float, taker: Side) -> tuple[int, Event]:
    time = int(second * SECOND)
    return time, Trade("X", price, lots, taker, None, time, time, "trades")


def create(
    second: float, order: str, side: Side, lots: int, price: float | None, *, took: float | None = None, no: str = ""
) -> Sent:
    """A command that was given at `second`, took effect `took` seconds later and was known of as much later."""
    time = int(second * SECOND)
    effect = None if took is None else time + int(took * SECOND)
    return Sent(
        time=time,
        strategy="s",
        command=CreateOrder(
            guid=order, request=request(order, side, lots, None if price is None else round(price * 100))
        ),
        answered=effect,
        venue_time=effect,
        refusal=no,
    )


def cancel(second: float, of: Sent) -> Sent:
    time = int(second * SECOND)
    command = CancelOrder(guid=f"{of.order}-c", venue_order_id="1", request=of.command.request)
    return Sent(time=time, strategy="s", command=command, answered=time, venue_time=time)


def fill(second: float, order: str, side: Side, price: str, lots: int, fee: str | None = "0") -> Fill:
    time = int(second * SECOND)
    paid = None if fee is None else Decimal(fee)
    return Fill("X", f"{order}{time}", "1", order, side, Decimal(lots), Decimal(price), paid, "USD", time, time, "f")


def session(market: Iterable[tuple[int, Event]], sent: Iterable[Sent], fills: Iterable[Fill] = ()) -> Session:
    return Session(instruments={"X": INSTRUMENT}, market=list(market), sent=list(sent), fills=list(fills))


def reasons(report: ParityReport) -> list[tuple[tuple[str, ...], str]]:
    return [(tuple(row.fields), row.why) for row in report.differences]


QUIET = [book(1, 99.99, 100.00), book(2, 99.99, 100.00)]


def test_a_taker_that_agrees_differs_in_nothing() -> None:
    found = compare(session(QUIET, [create(1.5, "a", Side.BUY, 2, None)], [fill(1.55, "a", Side.BUY, "100.00", 2)]))

    assert (found.equal, found.orders, found.share) == (1, 1, 0.0)
    assert found.rows[0].equal
    assert found.money[0].difference == 0


def test_a_price_that_moved_while_the_order_was_on_its_way_is_latency() -> None:
    market = [book(1, 99.99, 100.00), book(2, 100.04, 100.05), book(3, 100.04, 100.05)]
    sent = [create(1.5, "a", Side.BUY, 1, None, took=1.0)]

    found = compare(session(market, sent, [fill(2.5, "a", Side.BUY, "100.05", 1)]))

    ((fields, why),) = reasons(found)
    assert fields == ("time", "price")
    assert why == "latency: taken as it was (1000.000 ms there and back) it agrees"
    assert found.money[0].difference == Decimal("0.05")


def test_a_fill_that_only_comes_later_is_latency() -> None:
    sent = [create(1.2, "a", Side.BUY, 1, None, took=0.0)]

    ((fields, why),) = reasons(compare(session(QUIET, sent, [fill(1.7, "a", Side.BUY, "100.00", 1)])))

    assert fields == ("time",)
    assert why == "latency: told +500.000 ms later than assumed"


def test_a_level_that_held_less_is_depth() -> None:
    sent = [create(1.5, "a", Side.BUY, 20, None, took=0.0)]
    fills = [fill(1.5, "a", Side.BUY, "100.00", 4), fill(1.5, "a", Side.BUY, "100.02", 16)]

    found = reasons(compare(session(QUIET, sent, fills)))

    assert [fields for fields, _ in found] == [("size",), ("price", "size")]
    assert {why for _, why in found} == {"depth: what the data showed when the order came isn't what it met"}


def test_fills_that_only_one_side_has_are_depth_for_takers() -> None:
    sent = [create(1.5, "a", Side.BUY, 1, 100.00, took=0.0), create(1.6, "b", Side.BUY, 1, 99.0, took=0.0)]

    found = reasons(compare(session(QUIET, sent, [fill(1.6, "b", Side.BUY, "99.00", 1)])))

    assert [why for _, why in found] == [
        "depth: the models found somebody to trade with, the venue nobody",
        "depth: the data show nobody at a price within the limit when the order came",
    ]
    assert all(len(fields) == 4 for fields, _ in found)


def test_a_fee_of_another_table_is_told_with_both() -> None:
    sent = [create(1.5, "a", Side.BUY, 2, None, took=0.0)]
    recorded = session(QUIET, sent, [fill(1.5, "a", Side.BUY, "100.00", 2, fee="0.30")])
    models = FillModels(fees=FeeModel(taker_rate=Decimal("0.001")))

    found = compare(recorded, models)

    assert reasons(found) == [(("fee",), "fee table: the venue took 0.30 of 200, the models 0.20")]
    assert (found.money[0].recorded_fees, found.money[0].model_fees) == (Decimal("0.30"), Decimal("0.20"))
    assert compare(recorded, models, tolerance=Tolerance(fee=Decimal("0.1"))).share == 0
    unsaid = attrs.evolve(recorded, fills=[fill(1.5, "a", Side.BUY, "100.00", 2, fee=None)])
    assert compare(unsaid, models).share == 0


def test_a_resting_order_that_the_models_fill_too_early_was_further_back_in_the_queue() -> None:
    market = [*QUIET, trade(3, 99.99, 5, Side.SELL), trade(6, 99.99, 9, Side.SELL)]
    sent = [create(1.5, "a", Side.BUY, 1, 99.99, took=0.0)]

    found = compare(session(market, sent, [fill(6, "a", Side.BUY, "99.99", 1, fee="0.50")]))

    assert reasons(found) == [
        (
            ("time", "fee"),
            "queue: the models had it earlier in the queue, by 3000.000 ms; fee 0.50, in the models 0",
        )
    ]


def test_a_resting_order_that_the_models_fill_too_late_was_further_ahead() -> None:
    market = [*QUIET, trade(3, 99.99, 5, Side.SELL), trade(6, 99.99, 9, Side.SELL)]
    sent = [create(1.5, "a", Side.BUY, 1, 99.99, took=0.0)]
    recorded = session(market, sent, [fill(3, "a", Side.BUY, "99.99", 1)])

    ((fields, why),) = reasons(compare(recorded, FillModels(rule=FillRule.RISK_AVERSE)))

    assert fields == ("time",)
    assert why == "queue: the models had it later in the queue, by 3000.000 ms"


def test_a_resting_order_that_only_the_models_fill_or_only_the_venue() -> None:
    market = [*QUIET, trade(3, 99.99, 5, Side.SELL)]
    sent = [create(1.5, "a", Side.BUY, 1, 99.99, took=0.0), create(1.6, "b", Side.BUY, 1, 99.99, took=0.0)]
    recorded = session(market, sent, [fill(3, "b", Side.BUY, "99.99", 1)])

    hopeful = compare(recorded)
    careful = compare(recorded, FillModels(rule=FillRule.RISK_AVERSE))

    assert [why for _, why in reasons(hopeful)] == [
        "queue: the models had it earlier in the queue; the venue never came to it"
    ]
    assert [why for _, why in reasons(careful)] == [
        "queue: the models had it later in the queue; the market was at its price"
    ]


def test_a_fill_that_nothing_recorded_explains_is_said_to_be_so() -> None:
    sent = [create(1.5, "a", Side.BUY, 1, 99.50, took=0.0), create(1.6, "b", Side.BUY, 1, 99.0, took=0.0)]
    late = [*QUIET, trade(9, 99.00, 1, Side.SELL)]
    recorded = session(
        late, [sent[1], sent[0]], [fill(3, "a", Side.BUY, "99.50", 1), fill(3, "b", Side.BUY, "99.00", 1)]
    )

    found = reasons(compare(recorded))
    never = reasons(compare(session(QUIET, sent[:1], recorded.fills[:1])))

    assert {why for _, why in found} == {"data: what was recorded reached its price 6000.000 ms later"}
    assert [why for _, why in never] == ["data: nothing that was recorded reached its price by then"]


def test_a_cancel_that_the_models_carry_out_first_is_latency() -> None:
    market = [*QUIET, trade(5, 99.99, 5, Side.SELL), book(6, 99.99, 100.0)]
    placed = create(1.5, "a", Side.BUY, 1, 99.99, took=0.0)
    recorded = session(market, [placed, cancel(4, placed)], [fill(5, "a", Side.BUY, "99.99", 1)])

    assert [why for _, why in reasons(compare(recorded))] == ["latency: in the models its cancel came first"]


def test_parts_of_other_sizes_and_prices_other_than_the_limit_are_told() -> None:
    market = [*QUIET, trade(3, 99.99, 12, Side.SELL), trade(4, 99.99, 9, Side.SELL)]
    sent = [create(1.5, "a", Side.BUY, 5, 99.99, took=0.0)]
    models = FillModels(rule=FillRule.RISK_AVERSE, partial=True)

    parts = reasons(compare(session(market, sent, [fill(3, "a", Side.BUY, "99.99", 4)]), models))
    better = reasons(compare(session(market, sent, [fill(3, "a", Side.BUY, "99.98", 2)]), models))

    assert parts[0] == (("size",), "queue: the market's trades reached another part of it")
    assert better[0] == (("price",), "price: the venue gave another price than the limit")


def test_orders_that_one_side_refused_are_told_with_its_words() -> None:
    no = create(1.5, "a", Side.BUY, 1, None, no="Not enough money")
    odd = attrs.evolve(
        create(1.6, "b", Side.BUY, 1, 100.0),
        command=CreateOrder(guid="b", request=altered(request("b", Side.BUY, 1, 10_000), price=Decimal("100.001"))),
    )
    recorded = session(QUIET, [no, odd], [fill(1.7, "b", Side.BUY, "100.00", 1)])

    assert [why for _, why in reasons(compare(recorded))] == [
        "refused: the venue didn't take the order: Not enough money",
        "refused: the models didn't take the order: Invalid price 100.001. Minimum price step: 0.01",
    ]


def test_an_order_that_nobody_answered_is_said_to_be_so() -> None:
    market = [book(1, 99.99, 100.00), book(2, 100.04, 100.05)]
    sent = [create(1.5, "a", Side.BUY, 1, None)]
    recorded = session(market, sent, [fill(1.6, "a", Side.BUY, "100.00", 1)])

    late = compare(recorded, FillModels(order_latency=Constant(span=SECOND)))

    assert [why for _, why in reasons(late)] == ["latency: taken as it was (unanswered) it agrees"]


def test_fills_at_one_price_and_time_count_as_one() -> None:
    sent = [create(1.5, "a", Side.BUY, 4, None)]
    parts = [fill(1.51, "a", Side.BUY, "100.00", 1, fee=None), fill(1.52, "a", Side.BUY, "100.00", 3)]

    assert compare(session(QUIET, sent, parts)).equal == 1
    assert compare(session(QUIET, sent, parts), tolerance=Tolerance(time=5 * MS)).equal == 0


def test_money_of_two_currencies_is_kept_apart() -> None:
    other = attrs.evolve(INSTRUMENT, symbol="Y", currency="EUR")
    recorded = session(QUIET, [create(1.5, "a", Side.BUY, 2, None)], [fill(1.5, "a", Side.BUY, "100.10", 2)])

    found = compare(attrs.evolve(recorded, instruments={"X": INSTRUMENT, "Y": other}))

    assert [(one.currency, one.recorded, one.model) for one in found.money] == [
        ("USD", Decimal("-0.21"), Decimal("-0.01")),  # A unit is worth the middle, 99.995.
        ("EUR", Decimal(0), Decimal(0)),
    ]


def test_whatever_the_session_its_own_models_differ_in_nothing() -> None:
    for seed in range(5):
        models = FillModels(
            rule=FillRule.PROBABILITY,
            partial=True,
            order_latency=Constant(span=11 * MS),
            answer_latency=Constant(span=3 * MS),
            fees=FeeModel(maker_rate=Decimal("0.0002")),
        )
        found = compare(known_session(models, seed=seed, steps=300, takers=True), models, tolerance=EXACT)
        assert not found.differences
        assert found.equal > 10


@pytest.mark.parametrize("wrong", [{"time": -1}, {"ticks": Decimal(-1)}, {"fee": Decimal("NaN")}])
def test_a_tolerance_below_0_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="must be 0 or more"):
        Tolerance(**wrong)

"""Sessions made with known models give them back, within the errors that docs/parity.md states."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.config_models import load_models
from strategykit.errors import ConfigError
from strategykit.model.event_class import altered
from strategykit.model.events import BookSnapshot, Event, Trade
from strategykit.parity.comparing import compare
from strategykit.parity.fitting import fit_models
from strategykit.parity.latencies import arrivals, fit_latencies
from strategykit.parity.queues import fit_queue
from strategykit.parity.reading import read_session
from strategykit.parity.session import Session
from strategykit.sim.fees import FeeModel
from strategykit.sim.models.fill_models import FillModels
from strategykit.sim.models.latency import Constant, Drawn, Latency
from strategykit.sim.models.queues import Chance, Family, FillRule
from tests.parity.known_sessions import INSTRUMENT, MS, known_session
from tests.parity.recorded_runs import trading_run

EXPONENT_WITHIN = 1.1
"""Factor, from some forty fills of resting orders at a venue that fills in part."""
WHOLE_WITHIN = 1.7
"""Factor, from 75 of them where all are filled whole."""


def middle(latency: Latency) -> int:
    match latency:
        case Constant(span=span):
            return span
        case Drawn(samples=samples):
            return sorted(samples)[len(samples) // 2]
        case _:
            raise AssertionError(latency)


spans = st.integers(0, 80).map(lambda value: value * MS)


@settings(max_examples=50, deadline=None)
@given(order=spans, answer=spans, feed=spans, ahead=st.integers(-5_000, 5_000).map(lambda value: value * MS))
def test_whatever_the_latencies_and_the_venues_clock_both_come_back_exactly(
    order: int, answer: int, feed: int, ahead: int
) -> None:
    models = FillModels(order_latency=Constant(span=order), answer_latency=Constant(span=answer))

    found = fit_latencies(known_session(models, seed=1, steps=60, feed=feed, ahead=ahead))

    assert found.split
    assert found.order is not None
    assert found.answer is not None
    assert found.feed is not None
    assert (found.order.latency, found.answer.latency) == (Constant(span=order), Constant(span=answer))
    assert found.feed.middle == feed - ahead
    assert found.resolution == 1_000_000


@pytest.mark.parametrize(("seed", "low", "width"), [(1, 1, 10), (2, 5, 40), (3, 20, 10), (4, 20, 25)])
def test_a_latency_that_varies_comes_back_as_quantiles_that_are_near(seed: int, low: int, width: int) -> None:
    true = Drawn(samples=(low * MS, (low + width) * MS), seed=seed)
    models = FillModels(order_latency=true, answer_latency=Constant(span=MS))

    found = fit_latencies(known_session(models, seed=seed, steps=400))

    assert found.order is not None
    fitted = found.order.latency
    assert isinstance(fitted, Drawn)
    assert low * MS <= min(fitted.samples)
    # An order that was sent behind a slow one waits for it: the slow ones are a little more.
    assert max(fitted.samples) <= (low + width) * MS
    assert abs(middle(fitted) - (low + width / 2) * MS) <= 0.3 * width * MS


@pytest.mark.parametrize(
    ("rule", "chance", "partial"),
    [
        (FillRule.TOUCH, Chance(), False),
        (FillRule.TRADE_THROUGH, Chance(), True),
        (FillRule.RISK_AVERSE, Chance(), True),
        (FillRule.PROBABILITY, Chance(family=Family.LOG), True),
        (FillRule.PROBABILITY, Chance(exponent=0.8), True),
        (FillRule.PROBABILITY, Chance(exponent=2.3), True),
    ],
)
def test_the_rule_of_queues_comes_back(rule: FillRule, chance: Chance, *, partial: bool) -> None:
    models = FillModels(
        rule=rule,
        chance=chance,
        partial=partial,
        order_latency=Constant(span=7 * MS),
        answer_latency=Constant(span=2 * MS),
    )
    session = known_session(models, seed=3, steps=500, ahead=40 * MS)

    fit = fit_models(session)

    assert fit.queue is not None
    assert fit.queue.resting > 20
    assert fit.models.rule is rule
    assert fit.models.partial is partial
    assert fit.queue.best.error < 0.002
    if rule is FillRule.PROBABILITY:
        assert fit.models.chance.family is chance.family
        if chance.family is Family.POWER:
            ratio = fit.models.chance.exponent / chance.exponent
            assert 1 / EXPONENT_WITHIN <= ratio <= EXPONENT_WITHIN


@pytest.mark.parametrize(("exponent", "seed"), [(0.8, 3), (1.5, 3), (2.3, 7), (3.5, 7)])
def test_an_exponent_comes_back_roughly_where_orders_are_filled_whole(exponent: float, seed: int) -> None:
    models = FillModels(
        rule=FillRule.PROBABILITY,
        chance=Chance(exponent=exponent),
        order_latency=Constant(span=7 * MS),
        answer_latency=Constant(span=2 * MS),
    )

    fit = fit_models(known_session(models, seed=seed, steps=1_300, ahead=40 * MS))

    assert fit.queue is not None
    assert fit.queue.resting >= 75
    assert fit.models.rule is FillRule.PROBABILITY
    assert fit.models.chance.family is Family.POWER
    assert not fit.models.partial
    assert 1 / WHOLE_WITHIN <= fit.models.chance.exponent / exponent <= WHOLE_WITHIN


def test_models_that_were_fitted_give_the_fills_again_from_the_file_that_was_written(tmp_path: Path) -> None:
    true = FillModels(
        rule=FillRule.RISK_AVERSE,
        partial=True,
        order_latency=Constant(span=7 * MS),
        answer_latency=Constant(span=2 * MS),
        fees=FeeModel(maker_rate=Decimal("-0.0001"), taker_rate=Decimal("0.0004")),
    )
    session = known_session(true, seed=5, steps=500, takers=True)
    fit = fit_models(session, FillModels(fees=true.fees))
    file = tmp_path / "fitted.toml"
    file.write_text(fit.as_toml())

    assert load_models(file) == fit.models == true
    report = compare(session, load_models(file))
    assert not report.differences
    assert report.equal > 30
    assert all(one.difference == 0 for one in report.money)


def stamped(session: Session, stamp: Callable[[int], int | None]) -> Session:
    """Give the session with other stamps of the venue on its market data."""
    market: list[tuple[int, Event]] = []
    for time, event in session.market:
        assert isinstance(event, Trade | BookSnapshot)
        assert event.event_time is not None
        market.append((time, altered(event, event_time=stamp(event.event_time))))
    return attrs.evolve(session, market=market)


def test_without_the_venues_clock_half_of_a_round_trip_is_the_way_there() -> None:
    models = FillModels(order_latency=Constant(span=6 * MS), answer_latency=Constant(span=4 * MS))
    session = stamped(known_session(models, seed=1, steps=200), lambda _: None)

    fit = fit_models(session)

    assert fit.models.order_latency == fit.models.answer_latency == Constant(span=5 * MS)
    assert not fit.latencies.split
    assert fit.latencies.feed is None
    assert any("isn't in the data" in line for line in fit.remarks)
    assert arrivals(session, fit.latencies)[0] == session.sent[0].time + 5 * MS


def test_a_clock_that_is_told_to_the_second_says_nothing_of_milliseconds() -> None:
    session = known_session(FillModels(order_latency=Constant(span=6 * MS)), seed=1, steps=100)

    fit = fit_models(stamped(session, lambda time: time // 10**9 * 10**9))

    assert fit.latencies.feed is None
    assert fit.latencies.resolution == 10**9
    assert any("told to 1000 ms: too coarse" in line for line in fit.remarks)


def test_what_nobody_answered_leaves_latencies_as_they_were() -> None:
    session = known_session(FillModels(), seed=1, steps=100)
    silent = attrs.evolve(
        session, sent=[attrs.evolve(one, answered=None, venue_time=None) for one in session.sent], fills=[], ended={}
    )
    assumed = FillModels(order_latency=Constant(span=9))

    fit = fit_models(silent, assumed)

    assert fit.models.order_latency == assumed.order_latency
    assert fit.latencies.round_trip is None
    assert any("no command was answered" in line for line in fit.remarks)


def test_without_limit_orders_the_rule_stays_as_it_was() -> None:
    session = known_session(FillModels(), seed=1, steps=300, takers=True)
    orders = [order for order, one in session.created.items() if one.command.request.price is None]
    takers = attrs.evolve(session, sent=[one for one in session.sent if one.order in orders])

    fit = fit_models(takers, FillModels(rule=FillRule.TRADE_THROUGH))

    assert fit.queue is None
    assert fit.models.rule is FillRule.TRADE_THROUGH
    assert any("no limit orders" in line for line in fit.remarks)
    with pytest.raises(ConfigError, match="no limit orders"):
        fit_queue(takers, fit.latencies, FillModels())


def test_a_session_without_orders_is_refused() -> None:
    with pytest.raises(ConfigError, match="no orders"):
        compare(Session(instruments={"X": INSTRUMENT}, market=[], sent=[], fills=[]))


@pytest.mark.parametrize("venue", ["alor", "t4"])
def test_a_whole_programs_latency_comes_back_from_its_tape(venue: str, tmp_path: Path) -> None:
    """A piece takes 5 to 6 ms over this network, each way; data wait up to 5 ms more for the venue to tell them."""
    tape = trading_run(tmp_path / "run", venue, advances_per_second=200.0, seconds=5.0)

    session = read_session(str(tape))
    found = fit_latencies(session)

    assert len(session.created) > 20
    assert len(session.fills) >= 3
    assert all(one.answered is not None for one in session.sent)
    assert found.split
    assert found.order is not None
    assert found.round_trip is not None
    assert found.feed is not None
    assert 10 * MS <= found.round_trip.low <= found.round_trip.high <= 13 * MS
    assert abs(found.order.middle - 11 * MS) <= 1.5 * MS
    assert abs(found.feed.middle - 8 * MS) <= 1.5 * MS

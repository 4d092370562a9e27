"""Constant rates come back from what fills cost, and nothing else passes for one."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from functools import cache

import attrs
import pytest

from strategykit.model.event_class import altered
from strategykit.model.events import Fill
from strategykit.parity.fees import fit_fees
from strategykit.parity.fitting import fit_models
from strategykit.parity.session import Session
from strategykit.sim.fees import FeeModel
from strategykit.sim.models.fill_models import FillModels
from tests.parity.known_sessions import known_session


@cache
def charged(fees: FeeModel) -> Session:
    return known_session(FillModels(fees=fees), seed=5, steps=500, takers=True)


def told(session: Session, tell: Callable[[Fill], Fill]) -> Session:
    return attrs.evolve(session, fills=[tell(fill) for fill in session.fills])


@pytest.mark.parametrize(
    "fees",
    [
        FeeModel(maker_rate=Decimal("-0.0001"), taker_rate=Decimal("0.0004")),
        FeeModel(maker_rate=Decimal("0.0003"), taker_rate=Decimal("0.0003")),
        FeeModel(taker_rate=Decimal("0.00045"), step=Decimal("0.0001")),
        FeeModel(maker_rate=Decimal("0.0002"), taker_rate=Decimal("0.00055"), step=Decimal("1e-8")),
        FeeModel(maker_rate=Decimal("0.005"), taker_rate=Decimal("0.005"), rounding=ROUND_HALF_UP),
    ],
    ids=str,
)
def test_rates_of_makers_and_takers_come_back(fees: FeeModel) -> None:
    found = fit_fees(charged(fees))

    assert found is not None
    assert found.maker is not None
    assert found.taker is not None
    assert (found.maker.rate, found.taker.rate) == (fees.maker_rate, fees.taker_rate)
    assert found.maker.low <= fees.maker_rate <= found.maker.high
    session = charged(fees)
    model = found.as_model()
    for fill in session.fills:
        value = model.rounded(session.instruments[fill.instrument].value(fill.price, fill.quantity) * fees.taker_rate)
        assert fill.fee is not None
        assert fill.fee == value or fees.maker_rate != fees.taker_rate


def test_a_sum_an_order_is_no_rate() -> None:
    session = charged(FeeModel(order_minimum=Decimal(7), maker_rate=Decimal("0.0001"), taker_rate=Decimal("0.0001")))

    assert fit_fees(session) is None
    fit = fit_models(session)
    assert fit.fees is None
    assert fit.models.fees.is_free
    assert any("fees stay as they were" in line for line in fit.remarks)


def test_one_fill_that_costs_otherwise_leaves_its_side_unknown() -> None:
    session = charged(FeeModel(maker_rate=Decimal("0.0003"), taker_rate=Decimal("0.0003")))
    created = session.created
    first = next(fill for fill in session.fills if created[fill.client_order_id or ""].command.request.price is None)
    odd = told(session, lambda fill: altered(fill, fee=Decimal(99)) if fill is first else fill)

    found = fit_fees(odd)

    assert found is not None
    assert found.taker is None
    assert found.maker is not None
    assert found.as_model() == FeeModel(maker_rate=Decimal("0.0003"))
    fit = fit_models(odd)
    assert fit.models.fees == found.as_model()
    assert any(line.startswith("taker_rate: not known") for line in fit.remarks)


@pytest.mark.parametrize("change", [{"fee": None}, {"fee_currency": "EUR"}], ids=str)
def test_what_is_not_told_or_paid_in_other_money_is_not_guessed(change: dict[str, str | None]) -> None:
    session = charged(FeeModel(maker_rate=Decimal("0.0003"), taker_rate=Decimal("0.0003")))

    assert fit_fees(told(session, lambda fill: altered(fill, **change))) is None


def test_without_the_venues_times_only_late_fills_are_makers() -> None:
    session = charged(FeeModel(maker_rate=Decimal("0.0003"), taker_rate=Decimal("0.0003")))
    bare = attrs.evolve(session, sent=[attrs.evolve(one, venue_time=None) for one in session.sent])

    known, found = fit_fees(session), fit_fees(bare)

    assert known is not None
    assert found is not None
    assert known.maker is not None
    assert found.maker is not None
    assert found.maker.rate == known.maker.rate
    stranger = told(session, lambda fill: altered(fill, client_order_id="nobody"))
    assert fit_fees(stranger) is None


def test_fees_that_are_known_stay() -> None:
    session = charged(FeeModel(maker_rate=Decimal("0.0003"), taker_rate=Decimal("0.0003")))
    known = FillModels(fees=FeeModel(taker_rate=Decimal("0.0009")))

    fit = fit_models(session, known)

    assert fit.fees is None
    assert fit.models.fees == known.fees
    assert not any("rate:" in line or "fees stay" in line for line in fit.remarks)

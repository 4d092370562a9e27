"""The [risk] tables of session files: limits hold by default, and get narrower from scope to scope, never wider."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.config import make_session
from strategykit.errors import ConfigError
from strategykit.model.codec import from_dict, make_converter, to_dict
from strategykit.model.risk_limits import (
    ACCOUNT_LIMITS,
    DEFAULT_PLAN,
    NO_PLAN,
    STRATEGY_LIMITS,
    Limits,
    RiskPlan,
    limits_in_words,
)

SECOND = 10**9
RAISE = "; raise that one, or lower this"
LENGTHEN = "; shorten that one, or lengthen this"
NEVER = "no such order could open a position"


def plan(risk: object = None, *own: object) -> RiskPlan:
    """Give the limits of a session with strategies `a`, `b`, … that have the risk tables `own`."""
    document: dict[str, object] = {"venue": {"name": "alor", "url": "http://127.0.0.1:8900"}}
    if risk is not None:
        document["risk"] = risk
    document["strategy"] = [
        {"file": "sample:cross", "name": name, **({} if table is None else {"risk": table})}
        for name, table in zip("abcdef", own, strict=False)
    ]
    return make_session(document, folder=Path(), source="it").risk


def mistakes(risk: object, *own: object) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        plan(risk, *own)
    return [line.removeprefix("it: ") for line in str(caught.value).splitlines()]


def test_limits_are_on_where_nobody_says_anything() -> None:
    assert plan() == DEFAULT_PLAN == RiskPlan(account=ACCOUNT_LIMITS, strategy=STRATEGY_LIMITS)
    assert plan({}, None) == DEFAULT_PLAN


def test_everything_can_be_said_of_the_account_and_of_all_strategies() -> None:
    said = {
        "max_order_quantity": 50,
        "max_order_notional": 250_000.5,
        "price_collar": 0.02,
        "max_open_orders": 7,
        "max_order_rate": 3,
        "max_repeats": 2,
        "repeat_window": "1m30s",
        "max_position": {"*": 60, "SBER": 5, "GAZP": 0},
        "max_daily_loss": "1000.25",
    }
    wanted = Limits(
        max_order_quantity=50,
        max_order_notional=Decimal("250000.5"),
        price_collar=Decimal("0.02"),
        max_open_orders=7,
        max_order_rate=3,
        max_repeats=2,
        repeat_window=90 * SECOND,
        max_position=60,
        max_position_of={"SBER": 5, "GAZP": 0},
        max_daily_loss=Decimal("1000.25"),
    )
    made = plan({**said, "strategy": said, "time_zone": "Europe/Moscow"})

    assert (made.account, made.strategy, made.time_zone) == (wanted, wanted, "Europe/Moscow")
    assert wanted.position("SBER") == 5
    assert wanted.position("LKOH") == 60


def test_a_narrower_account_narrows_what_strategies_have_by_default() -> None:
    made = plan({"max_order_quantity": 10, "max_open_orders": 20, "max_position": {"SBER": 3}})

    assert made.strategy == Limits(max_order_quantity=10, max_open_orders=20, max_position_of={"SBER": 3})


def test_a_wider_account_leaves_strategies_as_they_are() -> None:
    assert plan({"max_position": 10_000, "max_daily_loss": 1_000_000}).strategy == STRATEGY_LIMITS


def test_a_strategys_own_limits_narrow_those_of_all() -> None:
    made = plan(
        {"strategy": {"max_position": {"*": 100, "SBER": 50}}},
        {"max_position": 60, "max_order_quantity": 5},
        None,
        {"max_position": {"GAZP": 1}, "repeat_window": "1m"},
    )

    assert set(made.strategies) == {"a", "c"}
    assert made.of("a") == Limits(max_position=60, max_position_of={"SBER": 50}, max_order_quantity=5)
    assert made.of("b") is made.strategy
    assert made.of("c") == Limits(max_position=100, max_position_of={"SBER": 50, "GAZP": 1}, repeat_window=60 * SECOND)


def test_one_number_for_all_instruments_narrows_single_ones() -> None:
    made = plan({"strategy": {"max_position": {"SBER": 50, "GAZP": 5}}}, {"max_position": 10})

    assert made.of("a") == Limits(max_position=10, max_position_of={"SBER": 10, "GAZP": 5})


@pytest.mark.parametrize(
    ("risk", "line"),
    [
        ({"max_order": 1}, "risk.max_order is no known key; did you mean max_order_rate?"),
        ({"max_order_quantity": 0}, "risk.max_order_quantity = 0 should be a whole number, at least 1"),
        ({"max_order_quantity": 1.5}, "risk.max_order_quantity = 1.5 should be a whole number"),
        ({"max_repeats": True}, "risk.max_repeats = true should be a whole number"),
        ({"max_daily_loss": -1}, 'risk.max_daily_loss = -1 should be a number above 0, such as "0.01"'),
        ({"max_daily_loss": float("inf")}, 'risk.max_daily_loss = inf should be a number above 0, such as "0.01"'),
        ({"price_collar": "a lot"}, 'risk.price_collar = "a lot" should be a number above 0, such as "0.01"'),
        ({"repeat_window": 10}, 'risk.repeat_window = 10 should be a duration in quotes, such as "2m" or "1h30m"'),
        ({"max_position": {"SBER": -1}}, "risk.max_position.SBER = -1 should be a whole number, at least 0"),
        ({"max_position": {"*": -1}}, "risk.max_position.* = -1 should be a whole number, at least 0"),
        ({"max_position": "5"}, 'risk.max_position = "5" should be a whole number'),
        ({"time_zone": 3}, 'risk.time_zone = 3 should be text in quotes, such as "SBER"'),
        (
            {"time_zone": "Mars"},
            "risk.time_zone = \"Mars\": 'Mars' is no known time zone, such as 'UTC' or 'Europe/Moscow'",
        ),
        ([], "risk = [] should be a table, with keys of its own"),
        ({"strategy": 5}, "risk.strategy = 5 should be a table, with keys of its own"),
        (
            {"strategy": {"max_open_orders": 0}},
            "risk.strategy.max_open_orders = 0 should be a whole number, at least 1",
        ),
        (
            {"strategy": {"max_open_orders": 501}},
            f"risk.strategy.max_open_orders = 501 is wider than risk.max_open_orders = 500{RAISE}",
        ),
        (
            {"max_position": {"SBER": 3}, "strategy": {"max_position": {"SBER": 4, "GAZP": 4}}},
            f"risk.strategy.max_position.SBER = 4 is wider than risk.max_position.SBER = 3{RAISE}",
        ),
        (
            {"max_position": 3, "strategy": {"max_position": {"SBER": 4}}},
            f"risk.strategy.max_position.SBER = 4 is wider than risk.max_position = 3{RAISE}",
        ),
        (
            {"max_order_quantity": 5_001},
            f"risk.max_order_quantity = 5,001 is more than risk.max_position = 5,000: {NEVER}{RAISE}",
        ),
    ],
)
def test_a_mistake_in_the_risk_table_is_told(risk: object, line: str) -> None:
    assert mistakes(risk) == [line]


def test_every_mistake_is_told_at_once_with_those_of_other_tables() -> None:
    document = {
        "venue": {"name": "alor", "url": "https://example.org"},
        "risk": {"max_order_quantity": 6_000, "strategy": {"max_order_rate": 101}},
        "strategy": [
            {"file": "sample:cross", "risk": {"max_repeats": 21, "repeat_window": "9s", "max_open_orders": 100}},
            {"file": "sample:cross"},
        ],
    }
    with pytest.raises(ConfigError) as caught:
        make_session(document, folder=Path(), source="it")

    lines = [line.removeprefix("it: ") for line in str(caught.value).splitlines()]
    assert [line.partition(" ")[0] for line in lines[:2]] == ["venue.oauth", "strategy"]
    assert lines[2:] == [
        f"risk.max_order_quantity = 6,000 is more than risk.max_position = 5,000: {NEVER}{RAISE}",
        f"risk.strategy.max_order_rate = 101 is wider than risk.max_order_rate = 100{RAISE}",
        f"strategy #1.risk.max_repeats = 21 is wider than risk.strategy.max_repeats = 20{RAISE}",
        f"strategy #1.risk.repeat_window = 9 s is shorter than risk.strategy.repeat_window = 10 s{LENGTHEN}",
    ]


LIMITS = st.fixed_dictionaries(
    {},
    optional={
        "max_order_quantity": st.integers(1, 30),
        "max_order_notional": st.integers(1, 30),
        "max_open_orders": st.integers(1, 30),
        "max_position": st.one_of(
            st.integers(1, 30), st.dictionaries(st.sampled_from(["*", "SBER", "GAZP"]), st.integers(1, 30))
        ),
        "max_daily_loss": st.integers(1, 30),
        "repeat_window": st.integers(1, 30).map(lambda seconds: f"{seconds}s"),
    },
)


@settings(max_examples=150, deadline=None)
@given(account=LIMITS, every=LIMITS, own=LIMITS)
def test_whatever_a_file_says_no_scope_is_wider_than_the_one_around_it(
    account: dict[str, object], every: dict[str, object], own: dict[str, object]
) -> None:
    try:
        made = plan({**account, "strategy": every}, own)
    except ConfigError:
        return
    assert not list(made.strategy.wider(made.account))
    assert not list(made.of("a").wider(made.strategy))
    for symbol in ("SBER", "GAZP", "LKOH"):
        assert made.of("a").position(symbol) <= made.strategy.position(symbol) <= made.account.position(symbol)
    assert made.of("a").repeat_window >= made.strategy.repeat_window


def test_a_plan_survives_its_way_through_json() -> None:
    made = plan({"max_position": {"SBER": 3}, "time_zone": "Europe/Moscow"}, {"max_daily_loss": 5})

    assert from_dict(make_converter(), to_dict(make_converter(), made, RiskPlan), RiskPlan) == made


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"max_position": -1}, "max_position = -1 should be a whole number, at least 0"),
        ({"max_repeats": True}, "max_repeats = True should be a whole number above 0"),
        ({"price_collar": 0.1}, "price_collar = 0.1 should be a Decimal above 0"),
        ({"max_daily_loss": Decimal("NaN")}, "should be a Decimal above 0"),
        ({"max_position_of": {"SBER": -1}}, r"max_position_of\['SBER'\] = -1 should be a whole number, at least 0"),
    ],
)
def test_limits_that_cant_be_are_refused_in_code_too(values: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Limits(**values)  # type: ignore[arg-type]  # that is the point


def test_a_plan_without_a_known_time_zone_is_refused() -> None:
    with pytest.raises(ConfigError, match="'Europe' is no known time zone"):
        RiskPlan(time_zone="Europe")


def test_limits_in_words_are_those_of_a_session_file() -> None:
    limits = Limits(max_position_of={"SBER": 3}, max_order_quantity=5)

    assert limits_in_words(dict(limits.items()), beside=dict(STRATEGY_LIMITS.items())) == (
        "max_order_quantity = 5, max_position.SBER = 3"
    )
    assert limits_in_words({"repeat_window": 1_500_000_000, "max_daily_loss": Decimal("1234.5")}) == (
        "repeat_window = 1.5 s, max_daily_loss = 1,234.5"
    )


def test_without_limits_nothing_is_narrower() -> None:
    assert not list(STRATEGY_LIMITS.wider(NO_PLAN.strategy))
    assert set(NO_PLAN.strategy.wider(STRATEGY_LIMITS)) == {name for name, _ in STRATEGY_LIMITS.items()} - {
        "repeat_window"
    }


def test_nothing_may_be_held_but_what_is_named() -> None:
    made = plan({"max_position": {"*": 0, "SBER": 1_000}, "max_order_quantity": 5})

    assert (made.account.position("SBER"), made.account.position("GAZP")) == (1_000, 0)
    assert (made.of("a").position("SBER"), made.of("a").position("GAZP")) == (1_000, 0)
    assert plan({"max_position": 0}).of("a").position("GAZP") == 0


def test_a_scope_that_allows_more_than_the_one_around_it_is_refused_in_code_as_in_a_file() -> None:
    one, five = Limits(max_position=1), Limits(max_position=5)

    with pytest.raises(ConfigError) as caught:
        RiskPlan(account=one, strategy=five)
    assert str(caught.value) == f"strategy.max_position = 5 is wider than account.max_position = 1{RAISE}"
    with pytest.raises(ConfigError) as caught:
        RiskPlan(strategy=one, strategies={"a": attrs.evolve(five, repeat_window=SECOND)})
    assert str(caught.value).splitlines() == [
        f"strategies['a'].max_position = 5 is wider than strategy.max_position = 1{RAISE}",
        f"strategies['a'].repeat_window = 1 s is shorter than strategy.repeat_window = 10 s{LENGTHEN}",
    ]
    with pytest.raises(ConfigError, match=r"strategy.max_position.SBER = 2 is wider than account.max_position = 1"):
        RiskPlan(account=one, strategy=Limits(max_position_of={"SBER": 2}))


def test_what_nobody_said_of_a_strategy_may_be_more_than_the_accounts() -> None:
    assert RiskPlan(account=Limits(max_position=1)).account.max_position == 1


def test_orders_of_more_lots_than_may_be_held_are_refused_in_code_as_in_a_file() -> None:
    assert RiskPlan(strategy=Limits(max_order_quantity=5, max_position=5)).strategy.max_order_quantity == 5
    with pytest.raises(ConfigError) as caught:
        RiskPlan(strategy=Limits(max_order_quantity=6, max_position=5))
    assert (
        str(caught.value) == f"strategy.max_order_quantity = 6 is more than strategy.max_position = 5: {NEVER}{RAISE}"
    )
    with pytest.raises(ConfigError) as caught:
        RiskPlan(
            account=Limits(max_order_quantity=5_001),
            strategies={"a": Limits(max_order_quantity=3, max_position=0, max_position_of={"SBER": 2})},
        )
    assert str(caught.value).splitlines() == [
        f"account.max_order_quantity = 5,001 is more than account.max_position = 5,000: {NEVER}{RAISE}",
        f"strategies['a'].max_order_quantity = 3 is more than strategies['a'].max_position = 2: {NEVER}{RAISE}",
    ]


def test_orders_of_more_lots_than_the_scopes_around_let_be_held_are_refused() -> None:
    assert (
        RiskPlan(account=Limits(max_position=5), strategy=Limits(max_order_quantity=5)).strategy.max_position == 5_000
    )
    with pytest.raises(ConfigError) as caught:
        RiskPlan(account=Limits(max_position=5), strategy=Limits(max_order_quantity=6))
    assert str(caught.value) == f"strategy.max_order_quantity = 6 is more than account.max_position = 5: {NEVER}{RAISE}"
    assert mistakes({"max_position": 5, "strategy": {"max_order_quantity": 6}}, {"max_order_quantity": 4}) == [
        f"risk.strategy.max_order_quantity = 6 is more than risk.max_position = 5: {NEVER}{RAISE}"
    ]


def test_the_size_of_orders_that_a_scope_was_left_by_the_one_around_it_is_no_mistake_of_its_own() -> None:
    every, own = plan({"max_order_quantity": 200, "strategy": {"max_position": 5}}, {"max_position": 4}), 4

    assert (every.strategy.max_order_quantity, every.of("a").max_order_quantity) == (200, 200)
    assert every.of("a").max_position == own
    assert RiskPlan(strategy=Limits(max_position=2)).strategy.max_order_quantity == 1_000
    assert attrs.evolve(NO_PLAN, strategy=attrs.evolve(NO_PLAN.strategy, max_position=2)).strategy.max_position == 2

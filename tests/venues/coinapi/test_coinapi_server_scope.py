from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.venues.coinapi.names import DataType
from strategykit.venues.coinapi.server_scope import Filters, Scope, Subject

KRAKEN_ETH = Subject("KRAKEN_SPOT_ETH_EUR", "KRAKEN", "ETH", "EUR")
COINBASE_BTC = Subject("COINBASE_SPOT_BTC_USD", "COINBASE", "BTC", "USD")
COINBASE_ETH = Subject("COINBASE_SPOT_ETH_EUR", "COINBASE", "ETH", "EUR")
SUBJECTS = [KRAKEN_ETH, COINBASE_BTC, COINBASE_ETH, Subject("KRAKEN_SPOT_ETH_EUR_2", "KRAKEN", "ETH", "EUR")]


def some(**values: str) -> Filters:
    return Filters(**{name: frozenset(text.split()) for name, text in values.items()})


names = st.frozensets(
    st.sampled_from(["KRAKEN", "KRAKEN_SPOT_ETH_EUR", "KRAKEN_SPOT_ETH_EUR$", "COINBASE_SPOT_", "x"]), min_size=1
)
filters = st.builds(
    Filters,
    st.none() | names,
    st.none() | st.frozensets(st.sampled_from(["KRAKEN", "COINBASE"]), min_size=1),
    st.none() | st.frozensets(st.sampled_from(["ETH", "BTC", "EUR", "ETH/EUR", "EUR/ETH"]), min_size=1),
    st.none() | st.frozensets(st.sampled_from(["1MIN", "5SEC"]), min_size=1),
)
types = st.frozensets(st.sampled_from([DataType.TRADE, DataType.OHLCV, DataType.EXRATE, DataType.EXCHANGE]), min_size=1)
subjects = st.builds(
    lambda subject, period: Subject(subject.symbol, subject.exchange, subject.base, subject.quote, period),
    st.sampled_from(SUBJECTS),
    st.sampled_from(["1MIN", "5SEC", "1DAY"]),
)


@st.composite
def scopes(draw: st.DrawFn) -> Scope:
    scope = Scope()
    for asked, by in draw(st.lists(st.tuples(types, filters), max_size=4)):
        scope = scope.subscribe(asked, by)
    return scope


def seen(scope: Scope, subject: Subject) -> set[DataType]:
    return {data_type for data_type in DataType if scope.match(data_type, subject)}


@given(scopes(), types, filters, subjects)
@settings(max_examples=100, deadline=None)
def test_hello_forgets_whatever_was_before(scope: Scope, asked: frozenset[DataType], by: Filters, on: Subject) -> None:
    assert scope.hello(asked, by) == Scope().subscribe(asked, by)
    assert seen(scope.hello(asked, by), on) <= asked


@given(scopes(), types, filters, subjects)
@settings(max_examples=100, deadline=None)
def test_subscribing_only_adds_and_twice_is_once(
    scope: Scope, asked: frozenset[DataType], by: Filters, on: Subject
) -> None:
    once = scope.subscribe(asked, by)

    assert seen(once, on) == seen(scope, on) | seen(Scope().subscribe(asked, by), on)
    assert once.subscribe(asked, by) == once


@given(scopes(), types, filters, subjects)
@settings(max_examples=150, deadline=None)
def test_unsubscribing_only_takes_away_and_leaves_other_types_alone(
    scope: Scope, asked: frozenset[DataType], by: Filters, on: Subject
) -> None:
    after = scope.unsubscribe(asked, by)

    assert seen(after, on) <= seen(scope, on)
    assert seen(after, on) - asked == seen(scope, on) - asked
    assert after.unsubscribe(asked, by) == after


@given(types, filters)
@settings(max_examples=100, deadline=None)
def test_what_was_subscribed_alone_is_gone_after_unsubscribing_the_same(
    asked: frozenset[DataType], by: Filters
) -> None:
    alone = Scope().subscribe(asked, by).unsubscribe(asked, by)
    left = {data_type for data_type in asked if not by.empty and by.restrict(data_type).empty}

    # Periods name no trade: such a message neither filtered it nor says which of it to remove.
    assert set(alone.entries) == left


@given(scopes(), types)
@settings(max_examples=50, deadline=None)
def test_unsubscribing_without_filters_clears_the_types(scope: Scope, asked: frozenset[DataType]) -> None:
    after = scope.unsubscribe(asked, Filters())

    assert after.entries == {key: value for key, value in scope.entries.items() if key not in asked}


def test_a_symbol_filter_is_a_prefix_and_exact_with_a_dollar() -> None:
    prefix = Scope().hello([DataType.TRADE], some(symbols="KRAKEN_SPOT_ETH_EUR"))
    exact = Scope().hello([DataType.TRADE], some(symbols="KRAKEN_SPOT_ETH_EUR$"))

    assert [prefix.match(DataType.TRADE, each) for each in SUBJECTS] == [True, False, False, True]
    assert [exact.match(DataType.TRADE, each) for each in SUBJECTS] == [True, False, False, False]


def test_symbols_and_exchanges_add_up_while_assets_narrow() -> None:
    both = some(symbols="COINBASE_SPOT_BTC", exchanges="KRAKEN")
    narrowed = some(symbols="COINBASE_SPOT_BTC", exchanges="KRAKEN", assets="BTC")

    assert [both.match(each) for each in SUBJECTS] == [True, True, False, True]
    assert [narrowed.match(each) for each in SUBJECTS] == [False, True, False, False]


@pytest.mark.parametrize(
    ("asset", "matches"), [("ETH", True), ("EUR", True), ("ETH/EUR", True), ("EUR/ETH", False), ("BTC", False)]
)
def test_an_asset_is_base_or_quote_and_a_pair_is_a_pair(asset: str, matches: bool) -> None:
    assert some(assets=asset).match(KRAKEN_ETH) is matches


def test_removing_one_value_keeps_the_others_of_an_entry() -> None:
    scope = Scope().hello([DataType.TRADE], some(symbols="KRAKEN COINBASE"))

    after = scope.unsubscribe([DataType.TRADE], some(symbols="KRAKEN"))

    assert [after.match(DataType.TRADE, each) for each in SUBJECTS] == [False, True, True, False]


def test_an_entry_that_loses_its_last_symbol_is_deleted_not_widened() -> None:
    scope = Scope().hello([DataType.TRADE], some(symbols="KRAKEN", assets="ETH"))

    assert scope.unsubscribe([DataType.TRADE], some(symbols="KRAKEN")) == Scope()


def test_an_entry_that_loses_its_symbols_lives_on_by_its_exchanges() -> None:
    scope = Scope().hello([DataType.TRADE], some(symbols="COINBASE", exchanges="KRAKEN"))

    after = scope.unsubscribe([DataType.TRADE], some(symbols="COINBASE"))

    assert [after.match(DataType.TRADE, each) for each in SUBJECTS] == [True, False, False, True]


def test_naming_a_symbol_takes_nothing_out_of_everything() -> None:
    scope = Scope().hello([DataType.TRADE], Filters())

    assert scope.unsubscribe([DataType.TRADE], some(symbols="KRAKEN")) == scope


def test_periods_narrow_bars_only() -> None:
    scope = Scope().hello([DataType.TRADE, DataType.OHLCV], some(periods="1MIN"))
    bar = Subject("KRAKEN_SPOT_ETH_EUR", "KRAKEN", "ETH", "EUR", "5SEC")

    assert seen(scope, bar) == {DataType.TRADE}


def test_two_filters_that_become_one_are_kept_once() -> None:
    scope = Scope().subscribe([DataType.TRADE], some(symbols="A B")).subscribe([DataType.TRADE], some(symbols="A C"))

    after = scope.unsubscribe([DataType.TRADE], some(symbols="B C"))

    assert len(scope) == 2
    assert after == Scope().hello([DataType.TRADE], some(symbols="A"))

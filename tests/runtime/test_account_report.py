"""Several strategies on one account: what each holds and earns adds up to the account's, to the last digit."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.model.events import Fill, Side
from strategykit.model.instruments import Instrument
from strategykit.model.portfolio import Portfolio
from strategykit.runtime.account_report import report_account
from strategykit.runtime.carried import Carried, CarriedPosition
from strategykit.runtime.playing import Run

KNOWN = {
    "X": Instrument("X", lot=Decimal(10), currency="RUB"),
    "Y": Instrument("Y", multiplier=Decimal("12.5"), currency="USD"),
}

TRADES = st.lists(
    st.tuples(
        st.sampled_from(["one", "two", "three"]),
        st.sampled_from(sorted(KNOWN)),
        st.sampled_from(list(Side)),
        st.integers(1, 7),
        st.decimals("0.01", "999.99", places=2),
        st.decimals("-0.05", "3", places=4),
    ),
    max_size=40,
)

HELD = st.lists(
    st.tuples(st.sampled_from(["one", "two"]), st.integers(-5, 5).filter(bool), st.decimals("1", "900", places=2)),
    max_size=2,
    unique_by=lambda item: item[0],
)


def pnl(book: Portfolio, marks: dict[str, Decimal]) -> dict[str, Decimal]:
    realised, fees, opened = book.realised(), book.fees(), book.open_pnl(marks)
    zero = Decimal(0)
    return {
        currency: realised.get(currency, zero) + (opened.get(currency) or zero) - fees.get(currency, zero)
        for currency in {*realised, *fees, *opened}
    }


@settings(max_examples=150, deadline=None)
@given(TRADES, HELD)
def test_parts_add_up_to_the_whole(trades: list[Any], before: list[Any]) -> None:
    carried = Carried(
        positions=tuple(
            CarriedPosition(
                strategy=name,
                instrument=KNOWN["X"],
                quantity=Decimal(lots),
                cost=KNOWN["X"].value(price, Decimal(lots)),
            )
            for name, lots, price in before
        )
    )
    books = {name: Portfolio(KNOWN.values()) for name in ("one", "two", "three")}
    for item in carried.positions:
        books[item.strategy].carry(item.instrument, item.quantity, item.cost)
    fills = []
    for number, (name, symbol, side, lots, price, fee) in enumerate(trades):
        fill = Fill(symbol, f"t{number}", f"n{number}", None, side, Decimal(lots), price, fee, None, None, number, "")
        fills.append(fill)
        books[name].apply(fill)
    marks = {"X": 101.25, "Y": 7.5}
    prices = {symbol: Decimal(str(price)) for symbol, price in marks.items()}
    run = SimpleNamespace(
        carried=carried,
        instruments=KNOWN,
        account_check=SimpleNamespace(others={}),
        cash_check=SimpleNamespace(cash={}, unchecked=""),
        gateway=SimpleNamespace(orders={"a": SimpleNamespace(fills_seen=fills, fills_before=0)}),
        supervisor=SimpleNamespace(
            seats=[SimpleNamespace(name=name, desk=SimpleNamespace(portfolio=book)) for name, book in books.items()]
        ),
    )

    account, differences = report_account(cast("Run", run), marks, [pnl(book, prices) for book in books.values()])

    assert differences == []
    for symbol in KNOWN:
        assert account.positions.get(symbol, 0) == sum(book.quantity(symbol) for book in books.values())


def test_a_part_that_lacks_is_told() -> None:
    fill = Fill("X", "t1", "n1", None, Side.BUY, Decimal(1), Decimal(100), Decimal(1), None, None, 1, "")
    run = SimpleNamespace(
        carried=Carried(),
        instruments=KNOWN,
        account_check=SimpleNamespace(others={}),
        cash_check=SimpleNamespace(cash={}, unchecked=""),
        gateway=SimpleNamespace(orders={"a": SimpleNamespace(fills_seen=[fill], fills_before=0)}),
        supervisor=SimpleNamespace(seats=[]),
    )

    _, differences = report_account(cast("Run", run), {"X": 100.0}, [{}])

    assert differences == ["the strategies' profits add up to 0 RUB, and the account's is -1.0"]

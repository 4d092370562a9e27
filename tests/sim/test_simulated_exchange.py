"""The venue keeps its word: orders are matched, counted and told."""

from __future__ import annotations

import hashlib
from collections import Counter
from decimal import Decimal
from itertools import count
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.errors import ConfigError, LocalProtocolError
from strategykit.model.events import (
    AccountUpdate,
    BookSnapshot,
    Event,
    Fill,
    InstrumentUpdate,
    OrderStatus,
    OrderUpdate,
    PositionUpdate,
    Quote,
    Side,
    Trade,
)
from strategykit.model.instruments import Instrument
from strategykit.model.orders import AmendOrder, CancelOrder, CreateOrder, OrderRequest, OrderType, TimeInForce
from strategykit.sim.exchange import SimulatedExchange
from strategykit.sim.fees import FeeModel
from strategykit.sim.history import MINUTE, SECOND
from strategykit.sim.instruments import default_instruments
from strategykit.sim.ledger import REMEMBERED
from strategykit.sim.matching import SelfTrade
from strategykit.venues.dialect import Reply

D = Decimal
BUY, SELL = Side.BUY, Side.SELL
START = 1_700_000_000 * SECOND
SBER = default_instruments()["SBER"]
T = TypeVar("T")


class Desk:
    """An exchange and the accounts A and B, each with plenty."""

    def __init__(self, *, rate: float = 0.0, instruments: Any = None, **more: Any) -> None:
        self.exchange = SimulatedExchange(
            instruments or {"SBER": SBER},
            seed=7,
            start=START,
            accounts={"A": D(10_000_000), "B": D(10_000_000)},
            actions_per_second=rate,
            **more,
        )
        self.now = START
        self.guid = count(1).__next__

    @property
    def bid(self) -> Decimal:
        return D(str(self.exchange.quote("SBER").bid))

    @property
    def ask(self) -> Decimal:
        return D(str(self.exchange.quote("SBER").ask))

    def request(self, side: Side, quantity: Any, **values: Any) -> OrderRequest:
        wanted: dict[str, Any] = {"client_order_id": "mine", "account": "A", "instrument": "SBER"}
        if "price" in values or "stop_price" in values:
            stop = "stop_price" in values
            limit = OrderType.STOP_LIMIT if stop else OrderType.LIMIT
            wanted["type"] = limit if "price" in values else OrderType.STOP
        return OrderRequest(side=side, quantity=D(quantity), **(wanted | values))

    def send(self, side: Side, quantity: Any, **values: Any) -> tuple[Reply, list[Event]]:
        request = self.request(side, quantity, **values)
        command = CreateOrder(guid=f"g{self.guid()}", request=request)
        return self.exchange.command(request.account, command, self.now)

    def place(self, side: Side, quantity: Any, **values: Any) -> str:
        result, _ = self.send(side, quantity, **values)
        assert result.ok, result.message
        assert result.venue_order_id is not None
        return result.venue_order_id

    def cancel(self, number: str, account: str = "A") -> tuple[Reply, list[Event]]:
        command = CancelOrder(guid=f"g{self.guid()}", venue_order_id=number, request=self.request(BUY, 1))
        return self.exchange.command(account, command, self.now)

    def amend(self, number: str, side: Side, quantity: Any, **values: Any) -> tuple[Reply, list[Event]]:
        request = self.request(side, quantity, **values)
        command = AmendOrder(guid=f"g{self.guid()}", venue_order_id=number, request=request)
        return self.exchange.command(request.account, command, self.now)

    def wait(self, seconds: float) -> list[Event]:
        self.now += int(seconds * SECOND)
        return self.exchange.advance(self.now)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def of(told: list[Event], kind: type[T]) -> list[T]:
    return [event for event in told if isinstance(event, kind)]


def updates(told: list[Event]) -> list[tuple[str, OrderStatus, int]]:
    """``(number, status, lots filled)`` of each order update."""
    return [(one.venue_order_id, one.status, int(one.filled)) for one in of(told, OrderUpdate)]


def test_a_market_order_is_accepted_matched_counted_and_told_in_that_order() -> None:
    desk = Desk(fees=FeeModel(taker_rate=D("0.001")))
    ask = desk.ask

    result, told = desk.send(BUY, 1)

    number = result.venue_order_id
    assert number is not None
    assert 11 <= len(number) <= 19
    assert result == Reply("g1", 200, f"An order '{number}' has been created.", True, number)
    assert [type(event) for event in told] == [
        OrderUpdate,
        Trade,
        Fill,
        OrderUpdate,
        BookSnapshot,
        Quote,
        PositionUpdate,
        PositionUpdate,
        AccountUpdate,
    ]
    assert updates(told) == [(number, OrderStatus.WORKING, 0), (number, OrderStatus.FILLED, 1)]
    (trade,), (fill,) = of(told, Trade), of(told, Fill)
    assert (trade.price, trade.quantity, trade.side, trade.event_time) == (float(ask), 1.0, BUY, START)
    assert (fill.price, fill.quantity, fill.client_order_id, fill.account) == (ask, D(1), "mine", "A")
    assert fill.fee == (ask * 10 / 1000).quantize(D("0.01"))
    assert fill.trade_id == str(trade.trade_id)
    position, money = of(told, PositionUpdate)
    assert (position.instrument, position.quantity, position.average_price) == ("SBER", D(1), ask)
    assert (money.instrument, money.is_currency) == ("RUB", True)
    (account,) = of(told, AccountUpdate)
    assert money.quantity == account.cash == 10_000_000 - ask * 10 - fill.fee
    assert all(event.guid == "" and event.receive_time == START for event in told)


def test_a_limit_order_rests_until_the_market_comes_to_it() -> None:
    desk = Desk(rate=200, fees=FeeModel(maker_per_lot=D(1), taker_per_lot=D(5)))
    number = desk.place(BUY, 3, price=desk.bid)
    told: list[Event] = []
    while not of(told, Fill):
        told = desk.wait(0.1)

    fill = of(told, Fill)[0]
    assert fill.venue_order_id == number
    assert fill.fee == fill.quantity, "a maker's fee"
    assert START < (fill.event_time or 0) <= desk.now
    (trade,) = [one for one in of(told, Trade) if str(one.trade_id) == fill.trade_id]
    assert trade.side is SELL
    assert told.index(trade) < told.index(fill)
    assert len(of(told, BookSnapshot)) == len(of(told, Quote)) == 1, "conflated"


def test_the_book_shows_own_orders_and_the_queries_know_them(desk: Desk) -> None:
    before = desk.exchange.book("SBER")
    price = desk.bid
    number = desk.place(BUY, 7, price=price, display_quantity=D(5), client_order_id="")

    after = desk.exchange.book("SBER", 3)
    assert after.bid_sizes[0] == before.bid_sizes[0] + 5
    assert len(after.bid_prices) == len(after.ask_prices) == 3
    assert after.bid_prices[0] > after.bid_prices[1]
    assert after.ask_prices[0] < after.ask_prices[1]
    (row,) = desk.exchange.orders("A")
    assert (row.venue_order_id, row.status) == (number, OrderStatus.WORKING)
    assert (row.price, row.display_quantity) == (price, D(5))
    assert (row.client_order_id, row.snapshot, row.account) == (None, True, "A")
    assert desk.exchange.orders("B") == desk.exchange.stop_orders("A") == []
    assert desk.exchange.fills("A") == []
    record = desk.exchange.record(number)
    assert record is not None
    assert (record.created, record.updated, record.request.type) == (START, START, OrderType.LIMIT)
    assert desk.exchange.record("1") is None


def test_cancelling_frees_the_order_and_its_buying_power(desk: Desk) -> None:
    free = desk.exchange.account("A").buying_power
    number = desk.place(BUY, 5, price=desk.bid)
    assert desk.exchange.account("A").buying_power != free

    result, told = desk.cancel(number)

    assert result == Reply("g2", 200, f"An order '{number}' has been deleted.", True, number)
    assert updates(told) == [(number, OrderStatus.CANCELLED, 0)]
    assert len(of(told, BookSnapshot)) == 1
    assert desk.exchange.account("A").buying_power == free
    again, told = desk.cancel(number)
    assert again == Reply("g3", 400, "Order to cancel not found", False)
    assert told == []


def test_nobody_cancels_or_amends_anothers_order(desk: Desk) -> None:
    number = desk.place(BUY, 5, price=desk.bid)

    assert not desk.cancel(number, "B")[0].ok
    result, _ = desk.amend(number, BUY, 5, price=desk.bid, account="B")
    assert result == Reply("g3", 400, "Order to update not found", False)
    assert [row.status for row in desk.exchange.orders("A")] == [OrderStatus.WORKING]


def test_an_amended_order_is_cancelled_and_lives_on_under_a_new_number(desk: Desk) -> None:
    old = desk.place(BUY, 5, price=desk.bid)

    result, told = desk.amend(old, BUY, 8, price=desk.bid - D("0.01"))

    new = result.venue_order_id
    assert new is not None
    assert int(new) > int(old)
    assert result.message == f"An order has been updated. New order Id is '{new}'."
    assert updates(told) == [(old, OrderStatus.CANCELLED, 0), (new, OrderStatus.WORKING, 0)]


def test_an_amend_may_use_the_buying_power_of_the_order_it_replaces(desk: Desk) -> None:
    lots = 3_200
    number = desk.place(BUY, lots, price=desk.bid)
    assert not desk.send(BUY, 500, price=desk.bid)[0].ok

    result, _ = desk.amend(number, BUY, lots + 20, price=desk.bid)

    assert result.ok


def test_a_refused_amend_leaves_the_order_as_it_was(desk: Desk) -> None:
    number = desk.place(BUY, 5, price=desk.bid)
    free = desk.exchange.account("A").buying_power

    for values in ({"price": D("0.001")}, {"price": desk.bid, "instrument": "GAZP"}, {"stop_price": desk.ask}, {}):
        result, told = desk.amend(number, BUY, 5, **values)
        assert not result.ok
        assert told == []

    assert [row.status for row in desk.exchange.orders("A")] == [OrderStatus.WORKING]
    assert desk.exchange.account("A").buying_power == free


def test_what_cannot_be_filled_now_is_told_with_its_reason(desk: Desk) -> None:
    fill_or_kill = TimeInForce.FILL_OR_KILL

    _, told = desk.send(BUY, 20_000, price=desk.ask, time_in_force=fill_or_kill, account="A")
    assert not of(told, OrderUpdate), "too expensive, refused at once"
    _, told = desk.send(BUY, 3_000, price=desk.ask, time_in_force=fill_or_kill)

    ended = of(told, OrderUpdate)[-1]
    assert (ended.status, ended.reason) == (OrderStatus.CANCELLED, "it couldn't be filled whole")


def test_a_stop_waits_broker_side_and_becomes_an_order_with_an_exchange_number(desk: Desk) -> None:
    stop = desk.place(SELL, 2, stop_price=desk.bid)
    assert len(stop) < 11
    assert desk.exchange.orders("A") == []
    (row,) = desk.exchange.stop_orders("A")
    assert (row.stop_price, row.status) == (desk.bid, OrderStatus.WORKING)

    _, told = desk.send(SELL, 1, account="B")

    (fired,) = [one for one in of(told, OrderUpdate) if one.venue_order_id == stop]
    assert (fired.status, fired.filled) == (OrderStatus.FILLED, D(0))
    child = fired.linked_order_id
    assert child is not None
    assert len(child) >= 11
    lived = [one[1:] for one in updates(told) if one[0] == child]
    assert (lived[0], lived[-1]) == ((OrderStatus.WORKING, 0), (OrderStatus.FILLED, 2))
    assert sum(fill.quantity for fill in of(told, Fill) if fill.venue_order_id == child) == 2
    assert all(fill.client_order_id == "mine" for fill in of(told, Fill))
    record = desk.exchange.record(child)
    assert record is not None
    assert (record.request.type, record.is_stop) == (OrderType.MARKET, False)


def test_a_stop_limit_becomes_a_limit_order(desk: Desk) -> None:
    stop = desk.place(BUY, 2, stop_price=desk.ask, price=desk.bid)
    desk.send(BUY, 1, account="B")

    record = desk.exchange.record(stop)
    assert record is not None
    child = desk.exchange.record(record.linked_order_id or "")
    assert child is not None
    assert (child.request.type, child.status) == (OrderType.LIMIT, OrderStatus.WORKING)


def test_a_stop_lapses_at_its_end_and_a_cancelled_one_does_not(desk: Desk) -> None:
    end = START + 2 * SECOND
    lapsing = desk.place(BUY, 2, stop_price=desk.ask + 1, expire_time=end)
    cancelled = desk.place(BUY, 2, stop_price=desk.ask + 1, expire_time=end)
    desk.cancel(cancelled)
    assert desk.wait(1) == []

    told = desk.wait(5)

    assert updates(told) == [(lapsing, OrderStatus.EXPIRED, 0)]
    assert of(told, OrderUpdate)[0].event_time == end
    assert not desk.cancel(lapsing)[0].ok


def test_stops_lapse_in_step_with_the_market() -> None:
    desk = Desk(rate=100)
    desk.place(BUY, 2, stop_price=desk.ask + 5, expire_time=START + 2 * SECOND)

    told = desk.wait(4)

    place = next(index for index, event in enumerate(told) if isinstance(event, OrderUpdate))
    times = [event.event_time or 0 for event in told if isinstance(event, Trade | OrderUpdate)]
    assert times == sorted(times)
    assert 0 < place < len(told) - 3


def test_a_dormant_stop_never_fires_and_can_be_cancelled(desk: Desk) -> None:
    number = desk.place(SELL, 2, stop_price=desk.bid, active=False)
    desk.send(SELL, 1, account="B")

    assert [row.status for row in desk.exchange.stop_orders("A")] == [OrderStatus.WORKING]
    assert desk.cancel(number)[0].ok


@pytest.mark.parametrize(
    ("values", "code", "words"),
    [
        ({"instrument": "NONE"}, 400, "BAD_INSTRUMENT"),
        ({"quantity": "0"}, 400, "Invalid or unsupported quantity"),
        ({"price": D("300.001")}, 400, "Minimum price step: 0.01"),
        ({"price": D(1)}, 400, "can not be less than"),
        ({"price": D(1000)}, 400, "can not be greater than"),
        ({"stop_price": D(1000)}, 400, "can not be greater than"),
        ({"stop_price": D(300), "expire_time": START}, 400, "end time has passed"),
        ({"quantity": "1000000"}, 400, "Insufficient limits"),
        ({"quantity": "1000000", "price": D(300)}, 400, "Insufficient limits"),
        ({"account": "C"}, 403, "Portfolio 'C'"),
    ],
)
def test_a_refused_order_does_not_exist(desk: Desk, values: dict[str, Any], code: int, words: str) -> None:
    quantity = values.pop("quantity", "1")

    result, told = desk.send(BUY, quantity, **values)

    assert (result.ok, result.code, result.venue_order_id) == (False, code, None)
    assert words in result.message
    assert told == []
    assert desk.exchange.orders("A") == desk.exchange.stop_orders("A") == []


def test_buying_power_counts_positions_and_working_orders(desk: Desk) -> None:
    lots = int(10_000_000 / (desk.ask * 10)) - 10
    desk.place(BUY, lots, price=desk.bid)

    refused, _ = desk.send(BUY, 20, price=desk.bid)
    allowed, _ = desk.send(SELL, lots, price=desk.ask + 1)

    assert "Insufficient limits" in refused.message
    assert allowed.ok, "the other side needs nothing more"


def test_a_halted_instrument_takes_no_orders_and_stands_still() -> None:
    desk = Desk(rate=100, instruments={name: default_instruments()[name] for name in ("SBER", "GAZP")})
    number = desk.place(BUY, 1, price=desk.bid - 1)

    (status, *_) = of(desk.exchange.set_trading("SBER", desk.now, trading=False), InstrumentUpdate)
    assert (status.trading, status.trading_status) == (False, 2)
    assert of(desk.exchange.set_trading("SBER", desk.now, trading=False), InstrumentUpdate) == []
    assert {event.instrument for event in desk.wait(2)} == {"GAZP"}
    assert desk.send(BUY, 1)[0].message == "Security is not currently trading"
    assert desk.cancel(number)[0].ok
    assert desk.exchange.instrument_update("SBER").trading is False

    (status, *_) = of(desk.exchange.set_trading("SBER", desk.now, trading=True), InstrumentUpdate)
    assert (status.trading, status.trading_status) == (True, 17)
    assert {event.instrument for event in desk.wait(2)} == {"SBER", "GAZP"}


def test_trades_and_bars_agree_and_history_lies_before_the_start() -> None:
    desk = Desk(rate=200)
    told: list[Event] = []
    for _ in range(30):
        told += desk.wait(0.1)
    trades = of(told, Trade)

    assert len(trades) > 50
    assert desk.exchange.trades("SBER", 20) == trades[-20:]
    assert desk.exchange.trades("SBER", 10**6) == trades
    assert desk.exchange.trades("SBER", 0) == []
    ids = [int(one.trade_id or 0) for one in trades]
    assert ids == sorted(set(ids))
    live = desk.exchange.bars("SBER", SECOND, START, desk.now + 1)
    assert sum(bar.volume for bar in live) == sum(one.quantity for one in trades)
    assert live[-1].close == trades[-1].price == desk.exchange.quote("SBER").last
    minutes = desk.exchange.bars("SBER", MINUTE, 0, desk.now + 1)
    assert len(minutes) > 500
    assert len({bar.close for bar in minutes}) > 100
    assert len(desk.exchange.bars("SBER", SECOND, START - 1_000 * SECOND, START)) == 1_000
    quote = desk.exchange.quote("SBER")
    assert quote.low is not None
    assert quote.high is not None
    assert (quote.open, quote.volume) == (trades[0].price, sum(one.quantity for one in trades))
    assert (quote.low, quote.high) == (min(one.price for one in trades), max(one.price for one in trades))


def test_an_empty_side_is_shown_as_unknown_not_as_zero() -> None:
    desk = Desk(margin_rate=D(0))
    desk.place(BUY, 10**6)
    desk.place(SELL, 10**6, account="B")

    quote, book = desk.exchange.quote("SBER"), desk.exchange.book("SBER")

    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (None, None, None, None)
    assert book.bid_prices == book.ask_prices == ()
    _, told = desk.send(BUY, 1)
    assert of(told, OrderUpdate)[-1].reason == "nothing more to match with"


def test_an_account_that_may_not_meet_itself_loses_its_older_order() -> None:
    desk = Desk(self_trade=SelfTrade.CANCEL_RESTING)
    price = desk.ask - D("0.01")
    if price == desk.bid:
        desk.place(BUY, 1_000, price=desk.bid, account="B")
    resting = desk.place(SELL, 1, price=desk.ask)
    crowd = int(desk.exchange.book("SBER").ask_sizes[0]) - 1

    _, told = desk.send(BUY, crowd + 1, price=desk.ask)

    ended = [one for one in of(told, OrderUpdate) if one.venue_order_id == resting]
    assert [(one.status, one.reason) for one in ended] == [
        (OrderStatus.CANCELLED, "it would have traded with its own account")
    ]


def test_ended_orders_are_forgotten_in_the_end(desk: Desk) -> None:
    first = desk.place(BUY, 1, price=desk.bid - 1, time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL)
    for _ in range(REMEMBERED):
        desk.place(BUY, 1, price=desk.bid - 1, time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL)

    assert desk.exchange.record(first) is None
    assert len(desk.exchange.orders("A")) == REMEMBERED


def test_time_does_not_go_back(desk: Desk) -> None:
    desk.wait(1)

    with pytest.raises(LocalProtocolError, match="can't go back"):
        desk.exchange.advance(START)


def test_names_it_does_not_know_are_said_to_be_unknown(desk: Desk) -> None:
    with pytest.raises(ConfigError, match="no instrument 'X' here; there are: SBER"):
        desk.exchange.quote("X")
    for query in (desk.exchange.orders, desk.exchange.fills, desk.exchange.positions, desk.exchange.account):
        with pytest.raises(ConfigError, match="no account 'X' here; there are: A, B"):
            query("X")


@pytest.mark.parametrize("rate", [-1.0, float("nan"), float("inf")])
def test_an_impossible_rate_is_refused(rate: float) -> None:
    with pytest.raises(ConfigError, match="actions_per_second"):
        Desk(rate=rate)


def test_markets_open_where_they_are_told_to() -> None:
    own = {"X": Instrument("X", D("0.5")), "Y": Instrument("Y"), "SBER": SBER}

    exchange = Desk(instruments=own, prices={"X": D(2_000)}).exchange

    for symbol, price in (("X", 2_000), ("Y", 100), ("SBER", 305)):
        assert exchange.quote(symbol).last == pytest.approx(price, rel=0.1)
    with pytest.raises(ConfigError, match="under 100 ticks"):
        Desk(instruments=own, prices={"X": D(20)})


def test_the_default_instruments_trade_in_their_own_ticks() -> None:
    desk = Desk(rate=100, instruments=default_instruments())
    told = desk.wait(3)

    for symbol, instrument in desk.exchange.instruments.items():
        prices = [event.price for event in told if isinstance(event, Trade) and event.instrument == symbol]
        assert len(prices) > 20
        assert all(instrument.ticks(price) for price in prices)


def flat(event: Any) -> str:
    return repr([type(event).__name__, *(getattr(event, name) for name in type(event).__slots__ if name[0] != "_")])


def digest(seed: int) -> str:
    exchange = SimulatedExchange(
        default_instruments(), seed=seed, start=START, accounts={"A": D(10**7)}, actions_per_second=300
    )
    found = hashlib.sha256()
    for step in range(1, 40):
        now = START + step * SECOND // 10
        told = exchange.advance(now)
        if step % 4 == 0:
            price = D(str(exchange.quote("SBER").bid))
            request = OrderRequest(
                client_order_id=f"c{step}",
                account="A",
                instrument="SBER",
                side=Side.BUY if step % 8 else Side.SELL,
                quantity=D(2),
                type=OrderType.LIMIT,
                price=price,
            )
            result, more = exchange.command("A", CreateOrder(guid=str(step), request=request), now)
            told = [*told, *more]
            found.update(repr(result).encode())
        for event in told:
            found.update(flat(event).encode())
    return found.hexdigest()


def test_the_same_seed_and_calls_give_the_same_events() -> None:
    assert digest(1) == digest(1)
    assert digest(1) != digest(2)


def test_books_and_quotes_are_told_once_a_call_however_fast_the_market() -> None:
    exchange = SimulatedExchange(default_instruments(), seed=1, start=START, accounts={}, actions_per_second=2_500)

    told = [event for step in range(1, 101) for event in exchange.advance(START + step * SECOND // 100)]

    kinds = Counter(type(event) for event in told)
    assert kinds[Trade] > 2_000
    assert kinds[BookSnapshot] == kinds[Quote] <= 400


actions = st.lists(
    st.tuples(
        st.sampled_from(["create", "create", "create", "amend", "cancel", "wait"]),
        st.sampled_from(["A", "B"]),
        st.sampled_from(Side),
        st.integers(1, 40),
        st.integers(-4, 4),
        st.sampled_from(["market", "limit", "stop", "stop_limit", "iceberg"]),
        st.sampled_from([TimeInForce.DAY, TimeInForce.IMMEDIATE_OR_CANCEL, TimeInForce.FILL_OR_KILL]),
        st.integers(0, 30),
    ),
    max_size=30,
)


@settings(max_examples=40, deadline=None)
@given(actions, st.sampled_from([0.0, 100.0]), st.sampled_from(SelfTrade))
def test_whatever_is_sent_events_records_and_money_agree(
    sent: list[tuple[str, str, Side, int, int, str, TimeInForce, int]], rate: float, self_trade: SelfTrade
) -> None:
    fees = FeeModel(taker_rate=D("0.0005"), maker_rate=D("0.0001"))
    desk = Desk(rate=rate, fees=fees, self_trade=self_trade)
    exchange = desk.exchange
    told: list[Event] = []
    numbers: list[str] = []
    for kind, account, side, quantity, offset, shape, force, pick in sent:
        book = exchange.quote("SBER")
        around = SBER.round_price(book.last or 0) + SBER.tick * offset
        values: dict[str, Any] = {"account": account, "time_in_force": force}
        if shape in ("limit", "iceberg", "stop_limit"):
            values["price"] = around
        if shape in ("stop", "stop_limit"):
            values["stop_price"] = around
        if shape == "iceberg":
            values |= {"display_quantity": D(1 + quantity // 4), "time_in_force": TimeInForce.DAY}
        if kind == "wait":
            told += desk.wait(0.2)
        elif kind == "create" or not numbers:
            result, more = desk.send(side, quantity, **values)
            told += more
            numbers += [result.venue_order_id] if result.venue_order_id else []
        elif kind == "cancel":
            told += desk.cancel(numbers[pick % len(numbers)], account)[1]
        else:
            result, more = desk.amend(numbers[pick % len(numbers)], side, quantity, **values)
            told += more
            numbers += [result.venue_order_id] if result.venue_order_id else []
        after = exchange.book("SBER", 1)
        if after.bid_prices and after.ask_prices:
            assert after.bid_prices[0] < after.ask_prices[0]

    last: dict[str, OrderUpdate] = {}
    for update in of(told, OrderUpdate):
        before = last.get(update.venue_order_id)
        assert before is None or before.status is OrderStatus.WORKING, "nothing follows an end"
        assert before is None or before.filled <= update.filled <= update.quantity
        last[update.venue_order_id] = update
    fills = of(told, Fill)
    assert len({(fill.trade_id, fill.venue_order_id) for fill in fills}) == len(fills)
    for number, update in last.items():
        assert sum(fill.quantity for fill in fills if fill.venue_order_id == number) == update.filled
    for account in ("A", "B"):
        mine = [fill for fill in fills if fill.account == account]
        kept = [(fill.trade_id, fill.venue_order_id, fill.fee) for fill in exchange.fills(account)]
        assert kept == [(fill.trade_id, fill.venue_order_id, fill.fee) for fill in mine]
        spent = sum((fill.price * fill.quantity * 10 * fill.side.sign + (fill.fee or 0) for fill in mine), D(0))
        (*held, money) = exchange.positions(account)
        assert money.quantity == 10_000_000 - spent
        assert sum(row.quantity for row in held) == sum(fill.quantity * fill.side.sign for fill in mine)
        shown = {row.venue_order_id: row for row in exchange.orders(account) + exchange.stop_orders(account)}
        ours = {number: one for number, one in last.items() if one.account == account}
        assert {number: (row.status, row.filled) for number, row in shown.items()} == {
            number: (one.status, one.filled) for number, one in ours.items()
        }

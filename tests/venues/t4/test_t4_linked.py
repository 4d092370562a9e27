"""Groups of orders and orders that wait: worded, sent to the simulated venue, and told of in events again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from strategykit.errors import LocalProtocolError
from strategykit.model.event_class import altered
from strategykit.model.events import Fill, OrderStatus, OrderUpdate, Side
from strategykit.model.orders import (
    AmendOrder,
    CancelOrder,
    CreateGroup,
    GroupKind,
    OrderRequest,
    OrderType,
    TimeInForce,
)
from strategykit.sim.http_calls import HttpCall
from strategykit.sim.t4_config import T4VenueConfig, default_markets
from strategykit.sim.t4_session import T4Session
from strategykit.sim.t4_venue import T4Venue
from strategykit.venues.dialect import Decoded, OrderReply, Reply
from strategykit.venues.subscriptions import SubscriptionState
from strategykit.venues.t4.client import encode
from strategykit.venues.t4.dialect import T4
from strategykit.venues.t4.linked import bracket, encode_group, encode_release, one_cancels_other, single
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.server import decode_request
from strategykit.venues.t4.server_requests import Activation, Batch, Login, ReviseOrders, SubscribeAccounts

if TYPE_CHECKING:
    from tests.venues.t4.conftest import Bench

ES = "CME_Eq/ES/XCME_Eq ES (Z26)"
ES_ID = "XCME_Eq ES (Z26)"
TICK = Decimal("0.25")

ENTRY = OrderRequest(client_order_id="entry", account="SIM-1", instrument=ES, side=Side.BUY, quantity=Decimal(2))
PROFIT = OrderRequest(
    client_order_id="profit",
    account="SIM-1",
    instrument=ES,
    side=Side.SELL,
    quantity=Decimal(2),
    type=OrderType.LIMIT,
    price=Decimal("5.00"),
    time_in_force=TimeInForce.GOOD_TILL_CANCELLED,
)
LOSS = altered(PROFIT, client_order_id="loss", type=OrderType.STOP, price=None, stop_price=Decimal("-2.50"))


@pytest.mark.parametrize("kind", list(GroupKind))
def test_a_groups_command_is_worded_by_its_kind(kind: GroupKind) -> None:
    requests = (ENTRY, PROFIT, LOSS)
    linked = {
        GroupKind.ONE_CANCELS_OTHER: lambda: one_cancels_other(requests),
        GroupKind.BRACKET: lambda: bracket(ENTRY, requests[1:], offsets=False),
        GroupKind.OFFSET_BRACKET: lambda: bracket(ENTRY, requests[1:], offsets=True),
    }[kind]()

    assert T4().command(CreateGroup(guid="it", kind=kind, requests=requests)) == encode_group("it", linked)


def limit(name: str, side: Side, price: Decimal | str, lots: int = 1, **more: Any) -> OrderRequest:
    return OrderRequest(
        client_order_id=name,
        account="SIM-1",
        instrument=ES,
        side=side,
        quantity=Decimal(lots),
        type=OrderType.LIMIT,
        price=Decimal(price),
        **more,
    )


# Words


def test_a_group_is_a_batch_under_its_name() -> None:
    sent = decode_request(encode_group("g-1", bracket(ENTRY, [PROFIT, LOSS], offsets=True)))

    assert isinstance(sent, Batch)
    assert sent.batch_id == "g-1"
    (submission,) = sent.submissions
    assert (submission.link, submission.manual) == (enums.ORDER_LINK_AUTO_OCO, False)
    entry, profit, loss = submission.tickets
    assert [each.tag for each in submission.tickets] == ["entry", "profit", "loss"]
    assert [each.volume for each in submission.tickets] == [2, 0, 0]
    assert (entry.activation_type, profit.activation_type) == (
        enums.ACTIVATION_TYPE_IMMEDIATE,
        enums.ACTIVATION_TYPE_HOLD,
    )
    assert (profit.limit_price, loss.stop_price) == (Decimal("5.00"), Decimal("-2.50"))
    assert loss.time_type == enums.TIME_TYPE_GOOD_TILL_CANCELLED


@pytest.mark.parametrize(
    ("made", "link"),
    [
        (bracket(ENTRY, [altered(PROFIT, price=Decimal(6000))], offsets=False), enums.ORDER_LINK_AUTO_OCO_P),
        (one_cancels_other([limit("a", Side.BUY, "5900"), limit("b", Side.SELL, "6000")]), enums.ORDER_LINK_OCO),
        (single(ENTRY), enums.ORDER_LINK_NONE),
    ],
)
def test_each_kind_of_group_has_its_link(made: Any, link: int) -> None:
    assert made.link == link
    assert (made.account_id, made.market_id) == ("SIM-1", ES_ID)


def test_an_order_can_wait_for_a_condition_and_be_released() -> None:
    asked = single(
        limit("late", Side.BUY, "5900"),
        waits_for=enums.ACTIVATION_TYPE_AT_OR_ABOVE_TRADE_TICKS,
        activation=Activation(price=Decimal(6000), cancel_delay_ms=5_000),
    )

    (sent,) = asked.tickets
    assert sent.activation_type == enums.ACTIVATION_TYPE_AT_OR_ABOVE_TRADE_TICKS
    assert sent.activation == Activation(price=Decimal(6000), cancel_delay_ms=5_000)
    released = decode_request(encode_release(ENTRY, "U1"))
    assert isinstance(released, ReviseOrders)
    assert released.revisions[0].activation == Activation(queue_submit=True)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: encode_group("", single(ENTRY)), "a group has a name"),
        (lambda: encode_group("g"), "at least one order"),
        (lambda: one_cancels_other([PROFIT]), "two or more"),
        (lambda: one_cancels_other([PROFIT, altered(LOSS, account="SIM-2")]), "one account and one market"),
        (lambda: bracket(ENTRY, [], offsets=True), "a limit, a stop, or one of each"),
        (lambda: bracket(ENTRY, [PROFIT, PROFIT], offsets=True), "a limit, a stop, or one of each"),
        (lambda: bracket(ENTRY, [altered(ENTRY, side=Side.SELL)], offsets=True), "no price to get out at"),
        (lambda: bracket(ENTRY, [altered(PROFIT, side=Side.BUY)], offsets=True), "on the other side"),
        (lambda: bracket(ENTRY, [altered(PROFIT, quantity=Decimal(1))], offsets=True), "the entry's 2 lots"),
        (lambda: bracket(ENTRY, [altered(PROFIT, price=Decimal(-5))], offsets=True), "has to be above 0"),
        (lambda: bracket(ENTRY, [altered(LOSS, stop_price=Decimal(0))], offsets=True), "has to be below 0"),
        (lambda: bracket(ENTRY, [altered(PROFIT, price=Decimal("NaN"))], offsets=True), "is no number"),
        (lambda: bracket(ENTRY, [altered(PROFIT, expire_time=1)], offsets=False), "activation conditions"),
        (lambda: single(altered(ENTRY, client_order_id="a~b")), "with '~' in it"),
    ],
)
def test_what_is_no_group_is_refused_before_anything_leaves(make: Callable[[], object], words: str) -> None:
    with pytest.raises(LocalProtocolError, match=words):
        make()


def test_exits_of_a_sale_lie_on_its_other_sides() -> None:
    entry = altered(ENTRY, side=Side.SELL)
    profit = altered(PROFIT, side=Side.BUY, price=Decimal(-5))
    loss = altered(LOSS, side=Side.BUY, stop_price=Decimal("2.50"))

    assert len(bracket(entry, [profit, loss], offsets=True).tickets) == 3
    with pytest.raises(LocalProtocolError, match="has to be below 0"):
        bracket(entry, [altered(profit, price=Decimal(5))], offsets=True)


# With the simulated venue


@attrs.define(eq=False)
class Tap:
    """Frames on their way from the venue."""

    frames: list[bytes] = attrs.field(factory=list)
    waiting: int = 0
    received: int = 0
    pong: bytes | None = None

    def send(self, message: str | bytes) -> None:
        assert isinstance(message, bytes)
        self.frames.append(message)

    def send_block(self, messages: Sequence[str | bytes]) -> None:
        for message in messages:
            self.send(message)

    def send_encoded(self, text: bytes) -> None:
        raise AssertionError("T4 has no texts")

    def send_encoded_block(self, texts: Sequence[bytes]) -> None:
        raise AssertionError("T4 has no texts")

    def ping(self, payload: bytes) -> None:
        raise AssertionError("T4 sends no pings")

    def close(self, code: int, reason: str) -> None:
        """As when somebody else logs in."""


@attrs.define(eq=False)
class Table:
    """Our half and the venue's across from each other; the book stands still but for what is traded here."""

    bench: Bench
    venue: T4Venue
    scale: Decimal
    """Of prices in the session's format."""
    ours: tuple[T4Session, Tap]
    theirs: tuple[T4Session, Tap]
    told: list[Decoded] = attrs.field(factory=list)

    def say(self, *frames: bytes) -> list[Decoded]:
        """Send frames; give what is told of that."""
        for frame in frames:
            self.venue.receive(self.ours[0], frame, self.bench.now)
        return self.hear()

    def hear(self) -> list[Decoded]:
        """Take what came, and keep it."""
        frames = [*self.ours[1].frames]
        self.ours[1].frames.clear()
        found = [thing for frame in frames for thing in self.bench.hear_frame(frame)]
        self.told += found
        return found

    def trade(self, side: Side, lots: int) -> list[Decoded]:
        """Let somebody else take so many lots of the book."""
        request = altered(ENTRY, client_order_id="x", account="SIM-2", side=side, quantity=Decimal(lots))
        self.venue.receive(self.theirs[0], encode_group("theirs", single(request)), self.bench.now)
        return self.hear()

    def scaled(self, request: OrderRequest) -> OrderRequest:
        """Give an order whose prices are as people write them in the session's format."""
        price, stop = request.price, request.stop_price
        return altered(
            request,
            price=None if price is None else price * self.scale,
            stop_price=None if stop is None else stop * self.scale,
        )

    def best(self) -> tuple[Decimal, Decimal]:
        """Give the best bid and offer, as people write prices."""
        book, round_price = self.venue.exchange.book(ES_ID), self.venue.exchange.instruments[ES_ID].round_price
        return round_price(book.bid_prices[0]), round_price(book.ask_prices[0])

    def before(self, price: Decimal, side: Side) -> int:
        """Give the lots that are served before anything new at a price on a side of the book."""
        book = self.venue.exchange.book(ES_ID)
        bids = side is Side.BUY
        prices, sizes = (book.bid_prices, book.bid_sizes) if bids else (book.ask_prices, book.ask_sizes)
        near = [size for each, size in zip(prices, sizes, strict=True) if (Decimal(each) - price) * side.sign >= 0]
        return int(sum(near))

    def last(self, name: str) -> OrderUpdate:
        """Give the newest word on an order."""
        return [thing for thing in self.told if isinstance(thing, OrderUpdate) and thing.client_order_id == name][-1]

    def state(self, name: str) -> tuple[str, int, int]:
        """Give status, lots and filled lots."""
        update = self.last(name)
        return update.status.value, int(update.quantity), int(update.filled)


def enter(bench: Bench, venue: T4Venue, app: str, account: str) -> tuple[T4Session, Tap]:
    """Log in; another application than ours also subscribes its account."""
    tap = Tap()
    session = venue.open_session(HttpCall(method="GET", path="/v1"), tap, bench.now)
    login = decode_request(bench.dialect.login("session", guid="login", token="simulated-api-key"))
    assert isinstance(login, Login)
    venue.receive(session, encode(attrs.evolve(login, app_name=app)), bench.now)
    if app != "strategykit":
        asked = SubscribeAccounts(
            subscribe=enums.ACCOUNT_SUBSCRIBE_TYPE_ALL_UPDATES,
            all_accounts=False,
            accounts=(account,),
            upl_mode=enums.UPL_MODE_NONE,
        )
        venue.receive(session, encode(asked), bench.now)
    tap.frames.clear()
    return session, tap


@pytest.fixture(params=[("real", 1), ("decimal", 100)], ids=["real", "decimal"])
def table(make_bench: Callable[..., Bench], request: pytest.FixtureRequest) -> Table:
    price_format, scale = request.param
    bench = make_bench(price_format=price_format)
    config = T4VenueConfig(actions_per_second=0.0, cash=Decimal(10**9), markets={ES_ID: default_markets()[ES_ID]})
    venue = T4Venue(config, now=bench.now)
    ours, theirs = enter(bench, venue, "strategykit", "SIM-1"), enter(bench, venue, "somebody", "SIM-2")
    found = Table(bench, venue, Decimal(scale), ours, theirs)
    bench.want_account()
    found.say(*bench.dialect.subscribe([*bench.table], [], token=""))
    return found


def replies(found: Iterable[Decoded]) -> list[tuple[str, bool]]:
    return [(thing.guid, thing.ok) for thing in found if isinstance(thing, Reply)]


@pytest.mark.parametrize("offsets", [True, False])
def test_a_bracket_lives_and_ends_in_events(table: Table, offsets: bool) -> None:
    """Prices by offset or absolute: held exits, an entry that fills in parts, exits around it, one that cancels."""
    bid, offer = table.best()
    inside = bid + TICK if offer > bid + TICK else bid
    base = Decimal(0) if offsets else inside
    entry = table.scaled(limit("entry", Side.BUY, inside, 2))
    profit = table.scaled(altered(PROFIT, price=base + 1))
    loss = table.scaled(altered(LOSS, stop_price=base - 20))

    found = table.say(encode_group("g-1", bracket(entry, [profit, loss], offsets=offsets)))

    assert replies(found) == [("g-1", True), ("entry", True), ("profit", True), ("loss", True)]
    assert [table.state(name) for name in ("entry", "profit", "loss")] == [
        ("working", 2, 0),
        ("working", 0, 0),
        ("working", 0, 0),
    ]

    table.trade(Side.SELL, table.before(inside, Side.BUY) - 1)
    assert [table.state(name) for name in ("entry", "profit", "loss")] == [
        ("working", 2, 1),
        ("working", 1, 0),
        ("working", 1, 0),
    ]
    assert table.last("profit").price == (inside + 1) * table.scale
    assert table.last("loss").stop_price == (inside - 20) * table.scale

    table.trade(Side.SELL, 1)
    assert [table.state(name) for name in ("entry", "profit", "loss")] == [
        ("filled", 2, 2),
        ("working", 2, 0),
        ("working", 2, 0),
    ]

    table.trade(Side.BUY, table.before(inside + 1, Side.SELL) - 1)
    assert table.state("profit") == ("working", 2, 1)
    assert table.state("loss") == ("working", 1, 0)
    table.trade(Side.BUY, 1)
    assert table.state("profit") == ("filled", 2, 2)
    assert table.state("loss")[0] == "cancelled"

    fills = [thing for thing in table.told if isinstance(thing, Fill)]
    assert [(fill.client_order_id, int(fill.quantity), fill.price) for fill in fills] == [
        ("entry", 1, inside * table.scale),
        ("entry", 1, inside * table.scale),
        ("profit", 1, (inside + 1) * table.scale),
        ("profit", 1, (inside + 1) * table.scale),
    ]
    updates = [thing for thing in table.told if isinstance(thing, OrderUpdate)]
    assert {update.group for update in updates} == {"g-1"}


def test_exits_whose_entry_is_cancelled_are_cancelled_and_never_filled(table: Table) -> None:
    entry = table.scaled(limit("entry", Side.BUY, "5900", 2))
    table.say(encode_group("g-1", bracket(entry, [table.scaled(PROFIT), table.scaled(LOSS)], offsets=True)))

    cancel = CancelOrder(guid="entry-c1", venue_order_id=table.last("entry").venue_order_id, request=entry)
    found = table.say(table.bench.dialect.command(cancel))

    assert [table.state(name) for name in ("entry", "profit", "loss")] == [
        ("cancelled", 2, 0),
        ("cancelled", 0, 0),
        ("cancelled", 0, 0),
    ]
    answers = [thing for thing in found if isinstance(thing, OrderReply)]
    assert [(answer.guid, answer.ok) for answer in answers if answer.guid is not None] == [("entry-c1", True)]


def test_a_fill_of_one_reduces_the_other_and_its_end_cancels_it(table: Table) -> None:
    bid, offer = table.best()
    inside = bid + TICK if offer > bid + TICK else bid
    orders = [limit("low", Side.BUY, inside, 3), limit("high", Side.SELL, "6010", 3)]
    table.say(encode_group("pair", one_cancels_other([table.scaled(order) for order in orders])))

    table.trade(Side.SELL, table.before(inside, Side.BUY) - 2)
    assert (table.state("low"), table.state("high")) == (("working", 3, 1), ("working", 2, 0))
    table.trade(Side.SELL, 2)

    assert (table.state("low"), table.state("high")) == (("filled", 3, 3), ("cancelled", 2, 0))
    assert table.last("high").group == "pair"


def test_a_group_with_one_fault_is_refused_whole_by_its_name(table: Table) -> None:
    good, bad = limit("good", Side.BUY, "5900"), limit("bad", Side.SELL, "6010.10")

    found = table.say(encode_group("g-2", one_cancels_other([table.scaled(good), table.scaled(bad)])))

    (reply,) = found
    assert isinstance(reply, Reply)
    assert (reply.guid, reply.ok) == ("g-2", False)
    assert "isn't a multiple" in reply.message


def test_several_submissions_are_one_group(table: Table) -> None:
    orders = [table.scaled(limit(name, Side.BUY, "5900")) for name in ("one", "two")]

    found = table.say(encode_group("g-3", *(single(order) for order in orders)))

    assert replies(found) == [("g-3", True), ("one", True), ("two", True)]
    assert {table.last(name).group for name in ("one", "two")} == {"g-3"}


def test_a_new_program_is_told_which_orders_belong_together(table: Table, make_bench: Callable[..., Bench]) -> None:
    entry = table.scaled(limit("entry", Side.BUY, "5900", 2))
    table.say(encode_group("g-1", bracket(entry, [table.scaled(PROFIT), table.scaled(LOSS)], offsets=True)))

    fresh = make_bench()
    fresh.want_account()
    later = Table(fresh, table.venue, table.scale, enter(fresh, table.venue, "strategykit", "SIM-1"), table.theirs)
    later.say(*fresh.dialect.subscribe([*fresh.table], [], token=""))

    found = {thing.client_order_id: thing for thing in later.told if isinstance(thing, OrderUpdate)}
    assert {name: (update.group, update.snapshot) for name, update in found.items()} == dict.fromkeys(
        ("entry", "profit", "loss"), ("g-1", True)
    )


def test_an_order_of_a_group_is_amended_and_stays_in_it(table: Table) -> None:
    entry = table.scaled(limit("entry", Side.BUY, "5900", 2))
    table.say(encode_group("g-1", bracket(entry, [table.scaled(PROFIT), table.scaled(LOSS)], offsets=True)))

    moved = altered(entry, price=entry.price and entry.price - table.scale)
    amend = AmendOrder(guid="entry-a1", venue_order_id=table.last("entry").venue_order_id, request=moved)
    table.say(table.bench.dialect.command(amend))

    assert (table.last("entry").price, table.last("entry").group) == (5899 * table.scale, "g-1")


def test_an_order_waits_for_a_price_or_for_us(table: Table) -> None:
    second = Decimal(table.venue.exchange.book(ES_ID).ask_prices[1])
    waiting = table.scaled(limit("waiting", Side.BUY, "5900"))
    queued = table.scaled(limit("queued", Side.BUY, "5901"))
    above = Activation(price=second * table.scale)
    table.say(
        encode_group(
            "g-4",
            single(waiting, waits_for=enums.ACTIVATION_TYPE_AT_OR_ABOVE_TRADE_TICKS, activation=above),
            single(queued, waits_for=enums.ACTIVATION_TYPE_QUEUE),
        )
    )
    numbers = {name: table.last(name).venue_order_id for name in ("waiting", "queued")}
    assert table.venue.exchange.orders("SIM-1") == []

    table.say(encode_release(queued, numbers["queued"]))
    assert [order.price for order in table.venue.exchange.orders("SIM-1")] == [Decimal("5901.00")]
    table.trade(Side.BUY, table.before(second, Side.SELL))
    assert len(table.venue.exchange.orders("SIM-1")) == 2
    assert table.last("waiting").status is OrderStatus.WORKING
    assert {row.state for row in table.bench.table} == {SubscriptionState.ACTIVE}

"""At the end of a run: what our books and the venue's don't agree on is told, each with a line."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import attrs
import pytest
import trio
from trio.testing import MockClock

from strategykit.errors import RemoteProtocolError
from strategykit.model.events import Event, OrderStatus, OrderUpdate
from strategykit.net.inbox import Inbox, Input, InputKind
from strategykit.net.venue import LiveVenue
from strategykit.runtime.assembly import Run
from strategykit.runtime.compare import compare_books, compare_orders
from strategykit.runtime.order import Order
from strategykit.venues.dialect import Ask, AskOrders, AskTrades, HttpRequest

if TYPE_CHECKING:
    from tests.runtime.conftest import Stage

CANCELLED = OrderStatus.CANCELLED


def rows(stage: Stage, **changes: Any) -> list[Event]:
    """Give the venue's list of orders, the last one of it changed."""
    listed = [order.update() for order in stage.venue.orders.values()]
    listed[-1:] = [attrs.evolve(cast("Any", row), **changes) for row in listed[-1:]]
    return list(listed)


async def filled_and_cancelled(stage: Stage) -> Order:
    """Give an order that has ended with 2 of its 5 lots filled."""
    order, truth = await stage.working()
    stage.venue.fill(truth, 2)
    stage.venue.end(truth, CANCELLED)
    await stage.tell()
    return order


@pytest.mark.parametrize("changes", [{"filled": Decimal(2)}, {"status": CANCELLED}])
async def test_an_order_that_lives_on_may_be_further_than_we_know(
    stage: Stage, autojump_clock: MockClock, changes: dict[str, Any]
) -> None:
    order, _ = await stage.working()
    told: list[str] = []

    assert compare_orders(stage.gateway, rows(stage, **changes), went_on=told.append) == []
    assert told[0].startswith(f"{order!r} lives on")
    assert len(compare_orders(stage.gateway, rows(stage, **changes))) == 1
    order.lost_at = 1  # What nobody is certain of isn't taken for the later word.
    assert len(compare_orders(stage.gateway, rows(stage, **changes), went_on=told.append)) == 1


async def test_equal_books_give_no_line(stage: Stage, autojump_clock: MockClock) -> None:
    await filled_and_cancelled(stage)
    await stage.working()
    refused = stage.order()
    stage.execute(refuse=True)
    await stage.reply()

    assert refused.venue_order_id is None
    assert compare_orders(stage.gateway, rows(stage)) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"filled": Decimal(3)}, "the venue says 3 lots filled under 1001, we count 2"),
        ({"status": OrderStatus.WORKING}, "the venue says working"),
        ({"status": OrderStatus.EXPIRED}, "the venue says expired"),
        ({"venue_order_id": "1", "client_order_id": "theirs"}, "the venue doesn't show order 1001"),
    ],
)
async def test_each_difference_gives_a_line(
    stage: Stage, autojump_clock: MockClock, changes: dict[str, Any], words: str
) -> None:
    await filled_and_cancelled(stage)

    [line] = compare_orders(stage.gateway, rows(stage, **changes))

    assert words in line


async def test_an_order_under_our_id_that_we_dont_know_is_told(stage: Stage, autojump_clock: MockClock) -> None:
    order = await filled_and_cancelled(stage)
    stage.venue.open(order.request)

    assert compare_orders(stage.gateway, rows(stage)) == [
        "the venue shows tag-s-1 as order 1002, which we don't know",
    ]


async def test_numbers_from_before_an_amend_are_known(stage: Stage, autojump_clock: MockClock) -> None:
    order, _ = await stage.working()
    async with stage.watched(lambda: order.amend(limit=Decimal(99))):
        stage.execute()
        await stage.tell()
        await stage.reply()

    assert compare_orders(stage.gateway, rows(stage)) == []


async def test_a_stop_that_waits_isnt_among_the_orders(stage: Stage, autojump_clock: MockClock) -> None:
    await stage.working(limit=None, stop=Decimal(100))

    assert compare_orders(stage.gateway, []) == []


async def test_a_stop_that_lives_on_may_have_fired_since(stage: Stage, autojump_clock: MockClock) -> None:
    order, truth = await stage.working(limit=None, stop=Decimal(100))
    stage.venue.trigger(truth)
    fired, told = rows(stage)[1:], list[str]()  # Stops have a list of their own.

    assert compare_orders(stage.gateway, fired, went_on=told.append) == []
    assert told[0].startswith(f"{order!r} has fired")
    assert len(compare_orders(stage.gateway, fired)) == 1, "where orders don't live on"
    order.lost_at = 1
    assert len(compare_orders(stage.gateway, fired, went_on=told.append)) == 1


class Wires:
    """Answers the question for the orders as a test says, through an inbox that nobody else reads."""

    def __init__(self, inbox: Inbox, answer: Callable[[Ask], Input | None]) -> None:
        self.inbox = inbox
        self.answer = answer

    def ask(self, ask: Ask) -> None:
        item = self.answer(ask)
        if item is not None:
            self.inbox.put_nowait(Input(InputKind.FRAME, "market-0", 0, "noise"))
            self.inbox.put_nowait(Input(InputKind.ANSWER, "http", 0, b"", ask=AskTrades(account="D1"), status=200))
            self.inbox.put_nowait(item)


class Reader:
    """Reads what the venue answers."""

    def __init__(self, read: Callable[[bytes], list[Event]]) -> None:
        self.read = read

    def request(self, _: Ask) -> HttpRequest:
        return HttpRequest(method="GET", path="/orders")

    def decode_answer(self, ask: Ask, body: bytes, *, receive_time: int) -> list[Event]:
        return self.read(body)


@attrs.define
class Engine:
    dialect: Reader
    table: list[Any] = attrs.field(factory=list)


@attrs.define
class Supervision:
    keep_orders: bool = False


@attrs.define
class Finished:
    """A run that is over, as far as a comparison looks."""

    gateway: Any
    engine: Engine
    trades_at_venue: bool = True
    exchange: str | None = None
    supervisor: Supervision = attrs.field(factory=Supervision)


async def compared(
    stage: Stage, answer: Callable[[Ask], Input | None], read: Callable[[bytes], list[Event]], **how: Any
) -> list[str]:
    inbox = Inbox(lambda: None)
    inbox.put_nowait(Input(InputKind.FRAME, "market-0", 0, "left over"))
    run = Finished(stage.gateway, Engine(Reader(read)), **how)
    return await compare_books(cast("Run", run), cast("LiveVenue", Wires(inbox, answer)), inbox)


def answered(status: int = 200, payload: str | bytes = b"[]") -> Callable[[Ask], Input | None]:
    return lambda ask: Input(InputKind.ANSWER, "http", 0, payload, ask=ask, status=status)


def unreadable(body: bytes) -> list[Event]:
    raise RemoteProtocolError("no list", frame=body)


async def test_books_are_compared_with_what_the_venue_says_last(stage: Stage, autojump_clock: MockClock) -> None:
    await filled_and_cancelled(stage)
    assert await compared(stage, answered(), lambda _: rows(stage)) == []
    [line] = await compared(stage, answered(payload="[]"), lambda _: rows(stage, filled=Decimal(4)))
    assert "the venue says 4 lots filled" in line


async def test_a_comparison_that_cant_be_made_is_told(stage: Stage, autojump_clock: MockClock) -> None:
    await filled_and_cancelled(stage)

    [refused] = await compared(stage, answered(503, b"busy"), lambda _: [])
    [noise] = await compared(stage, answered(), unreadable)
    before = trio.current_time()
    [silent] = await compared(stage, lambda _: None, lambda _: [])

    assert "the venue's orders can't be had: 503: busy" in refused
    assert "the venue's orders can't be read: no list" in noise
    assert silent == "the venue's orders didn't come within 5 s"
    assert trio.current_time() - before == pytest.approx(5)


async def test_open_orders_are_told_but_those_that_are_kept(stage: Stage, autojump_clock: MockClock) -> None:
    order, _ = await stage.working()

    def read(_: bytes) -> list[Event]:
        return rows(stage)

    [line] = await compared(stage, answered(), read)
    assert "is still open or in doubt" in line
    assert await compared(stage, answered(), read, supervisor=Supervision(keep_orders=True)) == []
    order.cancel_nowait()
    stage.silent = True
    stage.lane(up=False)
    lines = await compared(stage, answered(), read, supervisor=Supervision(keep_orders=True))
    assert any("is still open or in doubt" in one for one in lines)


async def test_nothing_is_asked_where_no_order_was_placed_at_the_venue(stage: Stage, autojump_clock: MockClock) -> None:
    def never(ask: Ask) -> Input | None:
        raise AssertionError(ask)

    assert await compared(stage, never, lambda _: []) == []
    await stage.working()
    [line] = await compared(stage, never, lambda _: [], trades_at_venue=False)
    assert "is still open" in line


async def test_a_comparison_asks_for_the_orders_of_the_account(stage: Stage, autojump_clock: MockClock) -> None:
    await filled_and_cancelled(stage)
    asked: list[Ask] = []

    def note(ask: Ask) -> Input | None:
        asked.append(ask)
        return answered()(ask)

    await compared(stage, note, lambda _: rows(stage))

    assert asked == [AskOrders(account="D1", exchange=None)]
    assert isinstance(rows(stage)[0], OrderUpdate)

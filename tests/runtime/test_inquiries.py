"""Asking a venue whose streams answer: T4's, as the first of its kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import attrs
import pytest
import trio

from strategykit.model.events import OrderUpdate
from strategykit.model.instruments import Instrument
from strategykit.net.inbox import Input, InputKind
from strategykit.runtime.assembly import Identity, Run, assemble
from strategykit.runtime.clock import ReplayClock
from strategykit.runtime.recording import Notes, NullLedger
from strategykit.runtime.waking import Wakes
from strategykit.venues.dialect import Ask, AskBars, AskBook, AskInstrument, AskOrders, AskTrades
from strategykit.venues.streams import Stream, StreamKind
from strategykit.venues.subscriptions import Subscription
from strategykit.venues.t4.dialect import T4
from strategykit.venues.t4.proto import account_pb2 as account
from strategykit.venues.t4.proto import auth_pb2 as auth
from strategykit.venues.t4.proto import market_pb2 as market
from strategykit.venues.t4.proto import orderrouting_pb2 as routing
from strategykit.venues.t4.proto.price_pb2 import Decimal as DecimalText
from strategykit.venues.t4.proto.price_pb2 import Price
from strategykit.venues.t4.proto.service_pb2 import ServerMessage

ES = "CME_Eq/ES/M1"
ORDERS = AskOrders(account="A")


@attrs.define(eq=False)
class Outside:
    """What the engine wants of the outside."""

    opened: list[str] = attrs.field(factory=list)
    asked: list[str] = attrs.field(factory=list)
    """Kinds of the streams that were asked for."""
    ended: list[str] = attrs.field(factory=list)
    asks: list[Ask] = attrs.field(factory=list)
    drops: list[str] = attrs.field(factory=list)
    refusals: list[str] = attrs.field(factory=list)

    def open(self, connection: str, lane: str) -> None:
        self.opened.append(connection)

    def close(self, connection: str) -> None: ...
    def refresh_login(self, connection: str) -> None: ...
    def refresh_token(self) -> None: ...
    def suspect(self, reason: str) -> None: ...

    def command(self, strategy: str, command: object) -> bool:
        return False

    def refuse(self, connection: str, reason: str) -> None:
        self.refusals.append(reason)

    def subscribe(self, row: Subscription, connection: str, session: int) -> None:
        self.asked.append(row.stream.kind.value)

    def unsubscribe(self, row: Subscription, connection: str, session: int) -> None:
        self.ended.append(row.stream.kind.value)

    def ask(self, ask: Ask) -> None:
        self.asks.append(ask)

    def drop(self, connection: str, reason: str) -> None:
        self.drops.append(f"{connection}: {reason}")


@attrs.define(eq=False)
class Desk:
    """A run without strategies, and whoever asks something."""

    run: Run
    wires: Outside
    answers: list[tuple[Sequence[Any] | None, str]] = attrs.field(factory=list)

    def ask(self, ask: Ask) -> None:
        self.run.engine.ask(ask, lambda rows, reason: self.answers.append((rows, reason)))

    async def dispatch(self, kind: InputKind, payload: Any, **more: Any) -> None:
        await self.run.driver.dispatch(Input(kind, "session-0", self.run.clock.reading, payload, **more))

    async def open(self, session: int = 1) -> None:
        await self.dispatch(InputKind.OPENED, "session", status=session)

    async def hear(self, **payload: Any) -> None:
        await self.dispatch(InputKind.FRAME, ServerMessage(**payload).SerializeToString())


def play(script: Callable[[Desk], Awaitable[None]]) -> Desk:
    clock, wires = ReplayClock(10**18), Outside()
    desks: list[Desk] = []

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            run = assemble(
                identity=Identity(1, clock.start),
                clock=clock,
                wakes=Wakes(clock.poke),
                dialect=T4(),
                market_connections=1,
                wires=wires,
                port=wires,
                ledger=NullLedger(Notes(), lambda: clock.reading),
                strategies=(),
                instruments={"KNOWN": Instrument("KNOWN")},
                account="A",
                exchange=None,
                nursery=nursery,
                home=nursery,
                paper=None,
                trades_at_venue=True,
                live=True,
                require_history=True,
                keep_orders=False,
            )
            desks.append(Desk(run, wires))
            await script(desks[0])
            nursery.cancel_scope.cancel()

    trio.run(main, clock=clock, instruments=[clock])
    return desks[0]


def details() -> market.MarketDetails:
    return market.MarketDetails(
        exchange_id="CME_Eq",
        contract_id="ES",
        market_id="M1",
        min_price_increment=Price(value="0.25"),
        point_value=DecimalText(value="50"),
    )


def snapshot() -> account.AccountSnapshot:
    order = routing.OrderUpdate(
        unique_id="U1", account_id="A", market_id="M1", buy_sell="BUY_SELL_BUY", status="ORDER_STATUS_WORKING", tag="t"
    )
    multi = routing.OrderUpdateMulti(
        account_id="A", updates=[routing.OrderUpdateMultiMessage(order_update=order)], historical=True
    )
    return account.AccountSnapshot(account_id="A", messages=[account.AccountSnapshotMessage(order_update_multi=multi)])


def test_an_instrument_is_asked_for_by_its_stream_which_then_ends() -> None:
    async def script(desk: Desk) -> None:
        desk.ask(AskInstrument(instrument=ES))
        assert (desk.wires.opened, desk.wires.asked) == (["session-0"], [])
        await desk.open()
        assert desk.wires.asked == ["instrument"]
        await desk.hear(market_details=details())

    desk = play(script)

    ((rows, reason),) = desk.answers
    assert rows is not None
    assert ([row.symbol for row in rows], reason) == ([ES], "")
    assert desk.wires.ended == ["instrument"]
    assert not len(desk.run.engine.table)


def test_what_the_venue_tells_once_a_session_is_remembered() -> None:
    async def script(desk: Desk) -> None:
        await desk.open()
        await desk.hear(market_details=details())
        desk.ask(AskInstrument(instrument=ES))

    desk = play(script)

    assert len(desk.answers) == 1
    assert desk.wires.asked == []


def test_all_who_wait_for_the_same_answer_get_it_and_it_is_asked_for_once() -> None:
    async def script(desk: Desk) -> None:
        await desk.open()
        desk.ask(AskInstrument(instrument=ES))
        desk.ask(AskInstrument(instrument=ES))
        await desk.hear(market_details=details())

    desk = play(script)

    assert len(desk.answers) == 2
    assert desk.wires.asked == ["instrument"]


def test_orders_are_asked_for_by_the_stream_that_is_there_already() -> None:
    async def script(desk: Desk) -> None:
        desk.run.engine.want(Stream(kind=StreamKind.ORDERS, account="A"), "test", None)
        await desk.open()
        await desk.hear(account_snapshot=snapshot())
        desk.ask(ORDERS)
        assert desk.wires.asked == ["orders", "orders"]
        assert not desk.answers, "what was told before the question is no answer to it"
        await desk.hear(account_snapshot=snapshot())

    desk = play(script)

    ((rows, _),) = desk.answers
    assert rows is not None
    assert [type(row) for row in rows] == [OrderUpdate]
    assert desk.wires.ended == []
    (row,) = desk.run.engine.table
    assert row.owners == ["test"]


def test_a_question_outlives_its_connection() -> None:
    async def script(desk: Desk) -> None:
        await desk.open()
        desk.ask(ORDERS)
        await desk.dispatch(InputKind.CLOSED, "gone")
        await desk.open(2)
        assert desk.wires.asked == ["orders", "orders"]
        await desk.hear(account_snapshot=snapshot())

    assert len(play(script).answers) == 1


def test_a_question_that_nobody_answers_costs_its_connection() -> None:
    async def script(desk: Desk) -> None:
        await desk.open()
        desk.ask(ORDERS)
        desk.run.engine.inquiries.unanswered(ORDERS, "nothing came")
        desk.run.engine.inquiries.unanswered(AskTrades(account="A"), "nothing came")

    assert play(script).wires.drops == ["session-0: nothing came"]


def test_what_is_told_along_with_something_else_is_answered_with_nothing_at_once() -> None:
    async def script(desk: Desk) -> None:
        desk.ask(AskTrades(account="A"))

    assert play(script).answers == [((), "")]


def test_answers_for_others_answer_nobody() -> None:
    async def script(desk: Desk) -> None:
        await desk.open()
        desk.ask(AskOrders(account="B"))
        desk.ask(AskInstrument(instrument="CME_Eq/ES/M2"))
        await desk.hear(market_details=details())
        await desk.hear(account_snapshot=snapshot())

    assert play(script).answers == []


def test_charts_are_asked_for_over_http_with_the_tick_that_is_known() -> None:
    async def script(desk: Desk) -> None:
        desk.ask(AskBars(instrument="KNOWN", interval=60 * 10**9, count=1, until=0))
        desk.ask(AskBars(instrument=ES, interval=60 * 10**9, count=1, until=10**18))
        desk.ask(AskBook(instrument=ES, depth=1))

    known, unknown, book = play(script).wires.asks

    assert isinstance(known, AskBars)
    assert isinstance(unknown, AskBars)
    assert (known.tick, unknown.tick) == (Instrument("KNOWN").tick, None)
    assert isinstance(book, AskBook), "whoever sends it tells why that can't be"


def test_a_stream_that_there_is_no_place_for_is_told_as_the_answer() -> None:
    async def script(desk: Desk) -> None:
        desk.run.engine.table.connections["session"] = 0
        desk.ask(ORDERS)

    ((rows, reason),) = play(script).answers
    assert rows is None
    assert "no connection to put a subscription on" in reason


def test_a_refused_stream_is_told_as_the_answer_and_stops_nobody_else() -> None:
    async def script(desk: Desk) -> None:
        await desk.open()
        for _ in range(2):
            desk.ask(AskInstrument(instrument=ES))
            reject = market.MarketDepthSubscribeReject(market_id="M1", mode="MARKET_MODE_REJECTED")
            await desk.hear(market_depth_subscribe_reject=reject)
        assert not desk.run.supervisor.stopping

    desk = play(script)

    assert desk.answers == [(None, f"instrument {ES}: T4 refuses it: rejected (1012)")] * 2
    assert desk.wires.asked == ["instrument", "instrument"], "the next question is asked anew"
    assert not len(desk.run.engine.table)


@pytest.mark.parametrize("is_open", [True, False])
def test_a_session_that_never_opened_isnt_over(is_open: bool) -> None:
    async def script(desk: Desk) -> None:
        if is_open:
            await desk.open()
        await desk.hear(login_response=auth.LoginResponse(result="LOGIN_RESULT_LOGGED_IN_ELSEWHERE"))

    assert bool(play(script).wires.refusals) is is_open

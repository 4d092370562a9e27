"""All wires of one venue behind one object."""

from __future__ import annotations

import json
import logging
import random
import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING

import attrs
import httpx
import pytest
import trio
import trio.testing

from strategykit.errors import ConfigError, LimitReached, LocalProtocolError, LoginRefused
from strategykit.model.events import Side
from strategykit.model.orders import CreateOrder, OrderRequest
from strategykit.net.endpoints import Endpoints, client_tls
from strategykit.net.http import HttpClient
from strategykit.net.inbox import InputKind
from strategykit.net.recorder import NullRecorder
from strategykit.net.venue import LiveVenue
from strategykit.venues.dialect import AskInstrument

if TYPE_CHECKING:
    from tests.net.conftest import Rig, Venue

ASK = AskInstrument(instrument="SBER")


class Texts(httpx.AsyncByteStream):
    def __init__(self, text: bytes) -> None:
        self._text = text

    async def __aiter__(self) -> AsyncIterator[bytes]:
        await trio.lowlevel.checkpoint()
        yield self._text


class Calls(httpx.AsyncBaseTransport):
    """The venue's HTTP end: `answer` decides."""

    def __init__(self, answer: Callable[[httpx.Request], Awaitable[tuple[int, bytes]]]) -> None:
        self._answer = answer
        self.under_way = 0
        self.most = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            status, body = await self._answer(request)
        finally:
            self.under_way -= 1
        return httpx.Response(status, stream=Texts(body))


async def _path(request: httpx.Request) -> tuple[int, bytes]:
    await trio.sleep(1)
    return 200, request.url.path.encode()


def _live(rig: Rig, calls: Calls | None = None) -> LiveVenue:
    http = HttpClient(
        "http://127.0.0.1:8900",
        tokens=rig.tokens,
        headers=lambda token: rig.dialect.http_headers(token=token),
        classify=rig.dialect.classify,
        tls=client_tls(),
        rng=random.Random(2),
        timing=rig.timing,
        transport=calls or Calls(_path),
    )
    return LiveVenue(endpoints=Endpoints.at("http://127.0.0.1:8900"), wiring=rig.wiring, http=http)


@asynccontextmanager
async def _running(live: LiveVenue, *connections: tuple[str, str]) -> AsyncGenerator[None]:
    async with trio.open_nursery() as nursery:
        await nursery.start(live.run, connections)
        yield
        nursery.cancel_scope.cancel()


def _order(guid: str, instrument: str = "SBER") -> CreateOrder:
    request = OrderRequest(
        client_order_id="c-1", account="D1", instrument=instrument, side=Side.BUY, quantity=Decimal(1)
    )
    return CreateOrder(guid=guid, request=request)


async def test_run_opens_what_it_is_given_and_then_says_so(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    nursery.start_soon(venue.serve)
    live = _live(rig)
    assert not live.is_open("market-0")
    async with _running(live, ("market-0", "market"), ("orders-0", "orders"), ("commands-0", "commands")):
        assert sorted(venue.dialled) == ["ws://127.0.0.1:8900/cws"] + ["ws://127.0.0.1:8900/ws"] * 2
        assert all(live.is_open(name) for name in ("market-0", "orders-0", "commands-0"))
        assert not live.is_open("market-1")
        assert [(item.name, item.lane, item.state, item.sessions) for item in live.statistics()] == [
            ("market-0", "market", "open", 1),
            ("orders-0", "orders", "open", 1),
            ("commands-0", "commands", "open", 1),
        ]
    assert not live.is_open("market-0")
    assert venue.open == 0
    assert {item.state for item in live.statistics()} == {"ended"}


async def test_statistics_are_a_copy(rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object) -> None:
    nursery.start_soon(venue.serve)
    live = _live(rig)
    async with _running(live, ("market-0", "market")):
        before = live.statistics()[0]
        live.send("market-0", 1, lambda token: [token])
        await trio.testing.wait_all_tasks_blocked()
        after = live.statistics()[0]
    assert (before.frames_out, after.frames_out, after.bytes_out, after.reconnects) == (0, 1, 7, 0)


async def test_more_connections_can_be_opened_at_any_time(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    nursery.start_soon(venue.serve)
    live = _live(rig)
    live.open_more("market-0", "market")
    async with _running(live):
        live.open_more("market-1", "market")
        await trio.testing.wait_all_tasks_blocked()
        assert live.is_open("market-0")
        assert live.is_open("market-1")
    live.open_more("market-2", "market")  # Too late to be opened, and not an error.
    assert len(venue.dialled) == 2


async def test_a_connection_and_its_replacement_share_one_rate(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    nursery.start_soon(venue.serve)
    rig.dialect.lanes = {"market": attrs.evolve(rig.dialect.lanes["market"], messages=(3, 60.0))}
    live = _live(rig)
    async with _running(live, ("market-0", "market")):
        live.send("market-0", 1, lambda token: [token, token])
        live.open_more("market-0~2", "market")
        await trio.testing.wait_all_tasks_blocked()
        live.send("market-0~2", 1, lambda token: [token, token])
        await trio.sleep(30)
        assert sum(item.frames_out for item in live.statistics()) == 3
        await trio.sleep(31)
        assert sum(item.frames_out for item in live.statistics()) == 4


async def test_limits_are_kept_here_before_the_venue_keeps_them(rig: Rig, venue: Venue) -> None:
    live = _live(rig)
    live.open_more("orders-0", "orders")
    with pytest.raises(LimitReached, match="1 orders connections"):
        live.open_more("orders-1", "orders")
    for number in range(8):
        live.open_more(f"market-{number}", "market")
    with pytest.raises(LimitReached, match="8 market connections"):
        live.open_more("market-8", "market")
    live.open_more("commands-0", "commands")
    with pytest.raises(LimitReached, match="allows 10 connections; 'commands-1' is one more"):
        live.open_more("commands-1", "commands")
    assert len(live.statistics()) == 10
    assert venue.dialled == []


async def test_a_lane_that_isnt_and_a_name_that_is_are_refused(rig: Rig) -> None:
    live = _live(rig)
    with pytest.raises(ConfigError, match="no lane 'fast'; it has market, orders, commands"):
        live.open_more("fast-0", "fast")
    live.open_more("market-0", "market")
    with pytest.raises(ConfigError, match="market-0"):
        live.open_more("market-0", "market")


async def test_a_frame_goes_to_the_session_it_was_meant_for_or_nowhere(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    live = _live(rig)
    got: list[str | bytes] = []

    async def far_end() -> None:
        first = await venue.session()
        got.append(await first.get_message())
        await first.aclose()
        second = await venue.session()
        got.append(await second.get_message())

    nursery.start_soon(far_end)
    assert not live.send("market-0", 1, lambda token: [token])
    async with _running(live, ("market-0", "market")):
        assert live.send("market-0", 1, lambda token: [f"one {token}"])
        assert not live.send("market-0", 2, lambda token: [token])
        assert not live.send("market-1", 1, lambda token: [token])
        await trio.sleep(10)
        assert not live.send("market-0", 1, lambda token: [f"late {token}"])
        assert live.send("market-0", 2, lambda token: [f"two {token}"])
        await trio.testing.wait_all_tasks_blocked()
    assert got == ["one token-1", "two token-1"]


async def test_a_command_goes_to_the_commands_lane_of_its_session_or_nowhere(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    live = _live(rig)
    got: list[str | bytes] = []

    async def far_end() -> None:
        ws = await venue.logged_in()
        got.append(await ws.get_message())

    nursery.start_soon(far_end)
    assert not live.command(_order("a"), "commands-0", 1)
    async with _running(live, ("commands-0", "commands")):
        assert not live.command(_order("b"), "commands-0", 2)
        assert not live.sends("commands-0")
        assert live.command(_order("c"), "commands-0", 1)
        assert live.sends("commands-0")
        with pytest.raises(LocalProtocolError, match="no such order"):
            live.command(_order("d", instrument="NONE"), "commands-0", 1)
        await trio.testing.wait_all_tasks_blocked()
        assert not live.sends("commands-0")
    assert not live.sends("commands-0")
    assert not live.sends("market-0")
    assert got == ['{"command": "c"}']


async def test_a_command_for_a_session_that_has_ended_doesnt_leave_by_the_next_one(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    live = _live(rig)
    got: list[str | bytes] = []

    async def far_end() -> None:
        first = await venue.logged_in()
        await first.aclose()
        second = await venue.logged_in()
        got.append(await second.get_message())

    nursery.start_soon(far_end)
    async with _running(live, ("commands-0", "commands")):
        await trio.sleep(10)
        assert not live.command(_order("late"), "commands-0", 1)
        assert live.command(_order("new"), "commands-0", 2)
        await trio.testing.wait_all_tasks_blocked()
    assert got == ['{"command": "new"}']


async def test_a_dropped_session_is_followed_by_another(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    nursery.start_soon(venue.serve)
    live = _live(rig)
    async with _running(live, ("commands-0", "commands")):
        live.drop("commands-0", "no reply to a command within 5 s")
        live.drop("commands-0", "again")
        live.drop("market-0", "isn't there")
        await trio.sleep(5)
        live_now = live.statistics()[0]
    assert [(item.kind.value, item.status) for item in rig.inbox.waiting if item.kind is not InputKind.FRAME][:3] == [
        ("opened", 1),
        ("closed", 1),
        ("opened", 2),
    ]
    assert rig.came()[1] == ("closed", "no reply to a command within 5 s")
    assert (live_now.reconnects, live_now.reason) == (1, "no reply to a command within 5 s")


async def test_a_token_that_a_request_was_refused_for_is_replaced(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    nursery.start_soon(venue.serve)
    live = _live(rig)
    async with _running(live, ("market-0", "market")):
        live.refuse_token("token-1")
        live.refuse_token("")
        live.send("market-0", 1, lambda token: [f"with {token}"])
        await trio.testing.wait_all_tasks_blocked()
    assert "with token-2" in [entry[-1] for entry in rig.memory.told]


# Asking by HTTP


async def test_an_ask_is_answered_by_recorder_and_inbox(rig: Rig, venue: Venue, autojump_clock: object) -> None:
    live = _live(rig)
    async with _running(live):
        live.ask(ASK)
        await trio.sleep(2)
    (item,) = rig.inbox.waiting
    assert (item.kind, item.connection, item.ask, item.status, item.payload) == (
        InputKind.ANSWER,
        "http",
        ASK,
        200,
        b"/securities/SBER",
    )
    assert rig.memory.told[-1] == ("answer", ASK, item.receive_time, 200, b"/securities/SBER")


async def test_few_asks_are_under_way_at_once_and_all_are_answered(
    rig: Rig, venue: Venue, autojump_clock: object
) -> None:
    calls = Calls(_path)
    live = _live(rig, calls)
    async with _running(live):
        for _ in range(100):
            live.ask(ASK)
        await trio.sleep(60)
    assert calls.most == 4
    assert [item.status for item in rig.inbox.waiting] == [200] * 100


async def test_more_asks_than_can_wait_are_answered_at_once(rig: Rig, venue: Venue, autojump_clock: object) -> None:
    live = _live(rig)
    for _ in range(1001):
        live.ask(ASK)
    (item,) = rig.inbox.waiting
    assert (item.status, item.payload) == (0, b"1000 asks wait already")


async def test_an_ask_without_an_answer_is_told_with_the_reason(rig: Rig, venue: Venue, autojump_clock: object) -> None:
    async def never(request: httpx.Request) -> tuple[int, bytes]:
        await trio.sleep_forever()

    async def gone(request: httpx.Request) -> tuple[int, bytes]:
        await trio.lowlevel.checkpoint()
        raise httpx.ReadError("x")

    for answer, reason in ((never, b"no answer within 10 s"), (gone, b"GET /securities/SBER: broke off: ReadError")):
        live = _live(rig, Calls(answer))
        async with _running(live):
            live.ask(ASK)
            await trio.sleep(60)
        item = rig.inbox.waiting.pop()
        assert (item.status, item.payload) == (0, reason)


async def test_a_refusal_is_an_answer_with_its_status(rig: Rig, venue: Venue, autojump_clock: object) -> None:
    async def refuse(request: httpx.Request) -> tuple[int, bytes]:
        await trio.lowlevel.checkpoint()
        return 404, b"no such instrument"

    live = _live(rig, Calls(refuse))
    async with _running(live):
        live.ask(ASK)
        await trio.sleep(1)
    assert (rig.inbox.waiting[0].status, rig.inbox.waiting[0].payload) == (404, b"no such instrument")


async def test_whoever_asked_is_told_when_the_venue_is_left(rig: Rig, venue: Venue, autojump_clock: object) -> None:
    live = _live(rig)
    async with _running(live):
        for _ in range(10):
            live.ask(ASK)
        await trio.sleep(1.5)
    live.ask(ASK)
    assert [item.status for item in rig.inbox.waiting] == [200] * 4 + [0] * 7
    assert {item.payload for item in rig.inbox.waiting} == {b"/securities/SBER", b"the venue has been left"}


# Ending


async def test_a_refused_credential_ends_it_all_loudly(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    nursery.start_soon(venue.serve)
    live = _live(rig)
    with pytest.RaisesGroup(LoginRefused, flatten_subgroups=True):
        async with _running(live, ("market-0", "market")):
            rig.service.next.append(LoginRefused("revoked", code=403))
            assert "revoked" in await live.wait_refused()
            assert trio.current_time() == pytest.approx(0.8 * 1800, abs=1)
            await trio.sleep_forever()
    assert trio.current_time() == pytest.approx(1800, abs=1)  # When its last token died.
    assert rig.came()[-1][0] == "closed"
    assert venue.open == 0


async def test_a_limit_is_told_before_anything_is_opened(rig: Rig, venue: Venue, autojump_clock: object) -> None:
    live = _live(rig)
    with pytest.RaisesGroup(LimitReached, flatten_subgroups=True):
        async with _running(live, ("orders-0", "orders"), ("orders-1", "orders")):
            pass
    assert venue.dialled == []


@pytest.mark.parametrize("step", range(0, 60, 3))
async def test_cancelled_at_any_moment_nothing_is_left(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object, step: int
) -> None:
    nursery.start_soon(venue.serve)
    live = _live(rig)
    live.ask(ASK)
    scope = trio.CancelScope()

    async def cancel() -> None:
        for _ in range(step):
            await trio.lowlevel.checkpoint()
        scope.cancel()

    await trio.testing.wait_all_tasks_blocked()
    before = trio.lowlevel.current_statistics().tasks_living
    async with trio.open_nursery() as tasks:
        tasks.start_soon(cancel)
        with scope:
            await live.run([("market-0", "market"), ("commands-0", "commands")])
    assert scope.cancelled_caught
    assert venue.open == 0
    assert [item.status for item in rig.inbox.waiting if item.kind is InputKind.ANSWER] == [0]
    kinds = [item.kind for item in rig.inbox.waiting]
    assert kinds.count(InputKind.OPENED) == kinds.count(InputKind.CLOSED)
    await trio.testing.wait_all_tasks_blocked()
    assert trio.lowlevel.current_statistics().tasks_living <= before + 4  # The fake's own.


# Secrets


async def test_a_token_shows_nowhere_but_on_the_wire(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def far_end() -> None:
        ws = await venue.logged_in()
        assert "token-1" in str(await ws.get_message())
        await ws.aclose(1008, "enough")
        await venue.answer_login(await venue.session(), 403, "go away")

    nursery.start_soon(far_end)
    live = _live(rig)
    with pytest.RaisesGroup(LoginRefused, flatten_subgroups=True) as caught:
        async with _running(live, ("commands-0", "commands")):
            live.send("commands-0", 1, lambda token: [json.dumps({"token": token})])
            live.ask(ASK)
            await trio.sleep_forever()
    shown = [
        "".join(traceback.format_exception(caught.value)),
        caplog.text,
        repr(live.statistics()),
        repr(live),
        repr(rig.wiring),
        repr(rig.tokens),
        repr(rig.link()),
        *(repr(item) for item in rig.inbox.waiting),
        *(repr(entry) for entry in rig.memory.told if entry[0] not in ("out", "protect")),
    ]
    assert all("token-1" not in text for text in shown)
    assert rig.memory.told[0] == ("protect", "token-1")


def test_a_null_recorder_takes_everything() -> None:
    recorder = NullRecorder()
    recorder.protect("secret")
    recorder.opened("market-0", 1, "market", "ws://127.0.0.1", 1)
    recorder.frame_in("market-0", 2, "x")
    recorder.frame_out("market-0", 3, b"x")
    recorder.answer(ASK, 4, 200, b"")
    recorder.closed("market-0", 5, "done")
    assert vars(recorder) == {}

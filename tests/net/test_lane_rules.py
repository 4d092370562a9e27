"""What a venue's lane demands of its connections: heartbeats, a rate, words of its own at the opening."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
import trio.testing
from trio_websocket import ConnectionClosed

from strategykit.errors import ConnectionLost
from strategykit.net.connection import open_connection
from strategykit.net.link import Link
from strategykit.net.wire import Wire


def link(rig: Any, **rules: Any) -> Link:
    spec = attrs.evolve(rig.dialect.lanes["market"], **rules)
    return Link("market-0", spec, "ws://127.0.0.1:8900/ws")


async def test_our_heartbeats_leave_on_time(
    rig: Any, venue: Any, nursery: trio.Nursery, autojump_clock: object
) -> None:
    beats: list[float] = []

    async def far_end() -> None:
        ws = await venue.session()
        with contextlib.suppress(ConnectionClosed):
            while True:
                assert "beat" in json.loads(await ws.get_message())
                beats.append(trio.current_time())

    nursery.start_soon(far_end)
    began = trio.current_time()
    async with open_connection(link(rig, beat_every=20.0), rig.wiring):
        await trio.sleep(65)
    assert [round(beat - began) for beat in beats] == [20, 40, 60]


async def test_a_venue_that_falls_silent_is_left_after_its_time(
    rig: Any, venue: Any, nursery: trio.Nursery, autojump_clock: object
) -> None:
    async def far_end() -> None:
        ws = await venue.session()
        for _ in range(3):
            await trio.sleep(50)
            await ws.send_message("alive")
        await trio.sleep_forever()

    nursery.start_soon(far_end)
    began = trio.current_time()
    with pytest.RaisesGroup(pytest.RaisesExc(ConnectionLost, match="no message within 60 s"), flatten_subgroups=True):
        async with open_connection(link(rig, silence_within=60.0), rig.wiring):
            await trio.sleep_forever()
    assert trio.current_time() - began == pytest.approx(210, abs=0.1)


async def test_a_venue_that_isnt_pinged_may_be_silent(
    rig: Any, venue: Any, nursery: trio.Nursery, autojump_clock: object
) -> None:
    nursery.start_soon(venue.serve)
    async with open_connection(link(rig, ping_every=None), rig.wiring):
        await trio.sleep(86_400)


async def test_messages_leave_at_the_lanes_rate_in_their_order(
    rig: Any, venue: Any, nursery: trio.Nursery, autojump_clock: object
) -> None:
    came: list[tuple[float, str]] = []

    async def far_end() -> None:
        ws = await venue.session()
        with contextlib.suppress(ConnectionClosed):
            while True:
                frame = str(await ws.get_message())
                came.append((trio.current_time(), frame))

    nursery.start_soon(far_end)
    async with open_connection(link(rig, messages=(5, 1.0)), rig.wiring) as connection:
        for number in range(12):
            connection.send_nowait(str(number))
        await trio.sleep(10)
    assert [frame for _, frame in came] == [str(number) for number in range(12)]
    first = came[0][0]
    assert [int(when - first + 0.001) for when, _ in came] == [0] * 5 + [1] * 5 + [2] * 2


async def test_what_is_urgent_is_sent_next_within_the_rate(
    rig: Any, venue: Any, nursery: trio.Nursery, autojump_clock: object
) -> None:
    came: list[tuple[int, str]] = []
    begin = trio.current_time()

    async def far_end() -> None:
        ws = await venue.session()
        with contextlib.suppress(ConnectionClosed):
            while True:
                frame = str(await ws.get_message())
                came.append((int(trio.current_time() - begin + 0.001), frame))

    nursery.start_soon(far_end)
    async with open_connection(link(rig, messages=(2, 1.0)), rig.wiring) as connection:
        for order in ("order 1", "order 2", "order 3", "order 4"):
            connection.send_nowait(order)
        sends = [connection.sends]
        await trio.sleep(0.5)
        sends.append(connection.sends)
        assert sends == [True, False]  # What waits now may not leave yet.
        connection.send_nowait("cancel 1", urgent=True)
        connection.send_nowait("cancel 2", urgent=True)
        connection.send_nowait("order 5")
        await trio.sleep(10)
    assert came == [
        *((0, order) for order in ("order 1", "order 2")),
        *((1, cancel) for cancel in ("cancel 1", "cancel 2")),
        *((2, order) for order in ("order 3", "order 4")),
        (3, "order 5"),
    ]


async def test_the_rate_counts_over_a_reconnect(
    rig: Any, venue: Any, nursery: trio.Nursery, autojump_clock: object
) -> None:
    came: list[float] = []

    async def far_end() -> None:
        while True:
            ws = await venue.session()
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await ws.get_message()
                    came.append(trio.current_time())

    nursery.start_soon(far_end)
    limited = link(rig, messages=(3, 60.0))
    for _ in range(2):
        async with open_connection(limited, rig.wiring) as connection:
            connection.send_nowait("a")
            connection.send_nowait("b")
            await trio.sleep(5)
    async with open_connection(limited, rig.wiring):
        await trio.sleep(120)
    assert [round(when - came[0]) for when in came] == [0, 0, 5]
    # One turn has become free by now; what was cancelled while it waited hasn't left, and took none.
    assert [round(when - came[0]) for when in limited.sent_at] == [0, 5]


async def test_a_lane_that_says_so_carries_its_token_in_the_upgrade(
    rig: Any, venue: Any, nursery: trio.Nursery
) -> None:
    seen: list[Mapping[str, str]] = []

    @attrs.define
    class Keyed:
        inner: Any

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

        def upgrade_headers(self, lane: str, *, token: str) -> Mapping[str, str]:
            return {"X-Key": f"{lane} {token}"}

    @asynccontextmanager
    async def dial(url: str, headers: Mapping[str, str]) -> AsyncGenerator[Wire]:
        seen.append(headers)
        async with venue.dial(url, headers) as wire:
            yield wire

    nursery.start_soon(venue.serve)
    async with open_connection(link(rig), attrs.evolve(rig.wiring, dialect=Keyed(rig.dialect), dial=dial)):
        pass
    assert seen == [{"X-Key": "market token-1"}]

"""Channels that the venue doesn't give: their clients hear nothing, so the operator is told."""

from __future__ import annotations

import pytest
import trio

from strategykit.venues.subscriptions import SubscriptionState
from tests.relay.conftest import Relay

WHY = "no such instrument (404)"


@pytest.fixture
async def notes(relay: Relay) -> list[str]:
    source = relay.server.hub.bus.source
    assert source is not None
    found = list[str]()
    relay.nursery.start_soon(source.keep_telling, found.append)
    return found


def refuse(relay: Relay, symbol: str) -> None:
    """Have the venue refuse what it is asked for about a symbol."""
    for row, _ in relay.upstream.routes:
        if row.stream.instrument == symbol:
            row.state, row.refusal = SubscriptionState.REFUSED, WHY


async def test_a_refused_channel_is_told_once_however_often_it_is_asked_for(
    relay: Relay, notes: list[str], autojump_clock: object
) -> None:
    client = await relay.connect()
    await client.subscribe("trade.NONE", "trade.SBER")
    refuse(relay, "NONE")
    await trio.sleep(15)
    await client.unsubscribe("trade.NONE")
    await client.subscribe("trade.NONE")
    refuse(relay, "NONE")
    await trio.sleep(15)

    assert notes == [f"the venue doesn't give trade.NONE: {WHY}"]
    figures = relay.server.hub.statistics
    assert figures["upstream_refused"] == [f"trade.NONE: {WHY}"]
    assert figures["upstream_refusals"] == 1
    _, text = await relay.get("/metrics")
    assert "strategykit_relay_upstream_refusals 1\n" in text
    assert "strategykit_relay_upstream_refused 1\n" in text
    relay.upstream.trade()
    assert (await client.next())["stream"] == "trade.SBER"


async def test_a_client_that_asks_for_much_that_isn_t_there_costs_one_line(
    relay: Relay, notes: list[str], autojump_clock: object
) -> None:
    client = await relay.connect()
    await client.subscribe(*(f"trade.NONE{number}" for number in range(50)))
    for number in range(50):
        refuse(relay, f"NONE{number}")
    await trio.sleep(15)

    (line,) = notes
    assert line.startswith(f"the venue doesn't give trade.NONE0: {WHY}; trade.NONE1: ")
    assert line.endswith("; and 47 channels more")
    assert relay.server.hub.statistics["upstream_refusals"] == 50


async def test_a_refusal_is_told_also_if_its_client_has_left_before(
    relay: Relay, notes: list[str], autojump_clock: object
) -> None:
    client = await relay.connect()
    await client.subscribe("trade.NONE")
    refuse(relay, "NONE")
    await client.websocket.aclose()
    await trio.sleep(15)

    assert notes == [f"the venue doesn't give trade.NONE: {WHY}"]
    assert relay.server.hub.statistics["upstream_refused"] == []


async def test_a_venue_without_room_is_told(relay: Relay, notes: list[str], autojump_clock: object) -> None:
    relay.upstream.full = True
    client = await relay.connect()
    await client.subscribe("trade.SBER")
    await trio.sleep(15)

    assert notes == ["the venue doesn't give trade.SBER: every connection is full"]


async def test_a_kind_of_stream_that_the_venue_lacks_is_told(
    relay: Relay, notes: list[str], autojump_clock: object
) -> None:
    relay.upstream.lacks = "alor has no bars of 1 s"
    client = await relay.connect()
    await client.subscribe("kline.1s.SBER")
    await trio.sleep(15)

    assert notes == ["the venue doesn't give kline.1s.SBER: alor has no bars of 1 s"]


async def test_refusals_are_remembered_but_not_without_bounds(
    relay: Relay, notes: list[str], autojump_clock: object
) -> None:
    source = relay.server.hub.bus.source
    assert source is not None
    relay.upstream.full = True
    for number in range(2_001):
        source.want(f"trade.X{number}")
    await trio.sleep(15)
    source.want("trade.X2000")
    await trio.sleep(15)
    assert len(notes) == 1
    source.want("trade.X0")
    await trio.sleep(15)

    assert notes[0].endswith("channels more")
    assert notes[1:] == ["the venue doesn't give trade.X0: every connection is full"]

"""Clients that others wrote read, subscribe and trade at the simulated ALOR."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from strategykit.sim.server_alor import open_simulated_alor

pytestmark = pytest.mark.interop


@pytest.mark.parametrize("client", ["alor-api@1.0.66"], indirect=True)
async def test_the_npm_client_reads_subscribes_and_trades(client: Callable[..., Any]) -> None:
    async with open_simulated_alor() as venue:
        told = await client("alor_api_client.js", venue.url)

    assert told.pop("history") > 5
    assert told == {
        "security": "SBER",
        "positions": "RUB",
        "summary": 1_000_000,
        "limit": "success",
        "market": "success",
        "cancel": "success",
        "silent": [],
        "unsubscribed": 7,
        "commanded": True,
    }
    assert len(venue.exchange.orders("D12345")) == 3


@pytest.mark.parametrize("client", ["websockets==17.4"], indirect=True)
async def test_another_websocket_library_reads_and_subscribes(client: Callable[..., Any]) -> None:
    async with open_simulated_alor() as venue:
        told = await client("alor_websockets_client.py", venue.url)

    assert told.pop("history") > 5
    assert told == {
        "replies": {"SBER": 200, "GAZP": 200, "NOSUCH": 404},
        "depths": {"SBER": [5, 5], "GAZP": [5, 5]},
        "pong": True,
        "closed": 1000,
    }

"""Clients that others wrote read, subscribe and trade at the simulated ALOR."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from strategykit.sim.server_alor import open_simulated_alor

HERE = Path(__file__).parent

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def alor_api(npm_client: Callable[[str], Path]) -> Path:
    return npm_client("alor-api@1.0.66")


@pytest.fixture(scope="module")
def websockets(python_client: Callable[[str], Path]) -> Path:
    return python_client("websockets==17.4")


async def test_the_npm_client_reads_subscribes_and_trades(alor_api: Path, drive: Callable[..., Any]) -> None:
    async with open_simulated_alor() as venue:
        told = await drive(["node", HERE / "alor_api_client.js", venue.url], NODE_PATH=str(alor_api))

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


async def test_another_websocket_library_reads_and_subscribes(websockets: Path, drive: Callable[..., Any]) -> None:
    async with open_simulated_alor() as venue:
        told = await drive([websockets, HERE / "alor_websockets_client.py", venue.url])

    assert told.pop("history") > 5
    assert told == {
        "replies": {"SBER": 200, "GAZP": 200, "NOSUCH": 404},
        "depths": {"SBER": [5, 5], "GAZP": [5, 5]},
        "pong": True,
        "closed": 1000,
    }

"""A WebSocket library that knows nothing of the seed's server reads its simulated form by the protocol alone."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.interop


@pytest.mark.parametrize("client", ["websockets==17.4"], indirect=True)
async def test_a_websocket_library_subscribes_and_unsubscribes(
    client: Callable[..., Any], simulated: Callable[..., Any]
) -> None:
    async with simulated("seed") as url, httpx.AsyncClient(base_url=url) as http:
        told = await client("seed_websockets_client.py", url)
        rows = (await http.get("/api/v1/trades", params={"symbol": "SOL_USDC", "limit": 1000})).json()

    assert told["heard"] == 0
    assert told["streams"] == ["depth.SOL_USDC", "trade.SOL_USDC"]
    kept = {row["trade_id"]: [row["price"], row["quantity"]] for row in rows}
    assert all(kept[number] == values for number, *values in told["trades"])
    assert all(after[0] == before[0] + 1 for before, after in pairwise(told["trades"]))
    assert all(after[0] == before[1] + 1 for before, after in pairwise(told["depths"]))
    assert all(bids or asks for _, _, bids, asks in told["depths"])
    assert told["late"] == ["depth.SOL_USDC"]
    assert told["closed"] == 1000

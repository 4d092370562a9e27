"""A client made of T4's schema and documented frames alone reads the simulated venue and trades at it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
import pytest

from strategykit.sim.server_t4 import open_simulated_t4
from strategykit.sim.t4_config import T4User, T4VenueConfig, default_markets

ROOT = Path(__file__).parents[2]
SCHEMA = "strategykit/venues/t4/proto"
FRAMES = ROOT / "tests" / "data" / "t4" / "frames.json"

pytestmark = pytest.mark.interop

USER = T4User(firm="F", username="u", password="p", app_name="a", app_license="l", api_key="KEY", accounts=("A1",))
"""Who logs in in the documented frames."""


PACKAGES = ("websockets==17.4", "grpcio-tools==1.85.1")


@pytest.fixture
def made(python_client: Callable[..., Path], tmp_path: Path) -> Path:
    """Code that the client's own protoc makes of the schema."""
    python = python_client(*PACKAGES)
    schema = sorted(each.relative_to(ROOT) for each in (ROOT / SCHEMA).glob("*.proto"))
    subprocess.run(
        [python, "-m", "grpc_tools.protoc", "-I.", f"--python_out={tmp_path}", *schema], cwd=ROOT, check=True
    )
    return tmp_path


@pytest.mark.parametrize("client", [" ".join(PACKAGES)], indirect=True)
async def test_it_reads_the_market_and_trades(client: Callable[..., Any], made: Path) -> None:
    listed = default_markets()["XCME_Eq ES (Z26)"]
    market = attrs.evolve(listed, instrument=attrs.evolve(listed.instrument, symbol="M1"))
    # Well below what the documented order is offered at, so that it rests.
    config = T4VenueConfig(markets={"M1": market}, prices={"M1": Decimal(5900)}, users=(USER,))
    async with open_simulated_t4(config) as venue:
        told = await client("t4_client.py", venue.url, FRAMES, PYTHONPATH=str(made))
        log = venue.log

    assert (told["stranger"], told["login"], told["displaced"]) == (9, 0, 6)
    assert (told["accounts"], told["subscribed"], told["balance"]) == (["A1"], True, 1_000_000)
    assert (told["request"], told["front"]) == ("r1", "M1")

    assert (told["details_first"], told["tick"], told["point"]) == (True, "0.25", "50")
    for price, volume, *_ in told["trades"]:
        assert volume > 0
        assert price % 0.25 == 0
    for (_, _, total, count), (_, volume, later, more) in pairwise(told["trades"]):
        assert (later, more) == (total + volume, count + 1)
    for bids, offers in told["depths"]:
        assert [price for price, _ in bids] == sorted({price for price, _ in bids}, reverse=True)
        assert [price for price, _ in offers] == sorted({price for price, _ in offers})
        assert bids[0][0] < offers[0][0]
    assert len(told["by_price"][0]) == len(told["by_price"][1]) == 10
    assert told["by_price"] == told["by_order"]
    assert all(later == before + 1 for before, later in pairwise(told["sequences"]))
    assert told["raw"] == "25"
    assert all(580_000 < int(price) < 600_000 for price in told["raw_bids"])

    keep = {"fills": [], "filled": 0, "id": told["submitted"]["id"]}
    states = {name: {**told[name], "changes": None} for name in ("submitted", "revised", "pulled")}
    assert states == {
        "submitted": {"status": "WORKING", "price": "5954.50", "volume": 2, "working": 2, "changes": None, **keep},
        "revised": {"status": "WORKING", "price": "5954.25", "volume": 3, "working": 3, "changes": None, **keep},
        "pulled": {"status": "FINISHED", "price": "5954.25", "volume": 3, "working": 0, "changes": None, **keep},
    }
    filled = told["filled"]
    assert (filled["status"], filled["filled"], filled["working"]) == ("FINISHED", 2, 0)
    assert sum(volume for volume, _ in filled["fills"]) == 2
    average = sum(volume * price for volume, price in filled["fills"]) / 2
    assert told["position"][:2] == ["M1", 2]
    assert float(told["position"][2]) == pytest.approx(average)
    assert told["unknown"] == ["PULL_FAILED"]
    for name in ("pulled", "filled"):
        assert told[name]["changes"] == [each.change for each in log if each.unique_id == told[name]["id"]]

"""A client that others wrote trades at the simulated venue.

Not part of the default run: it needs Node and the package alor-api, which is found by the environment variable
ALOR_API_MODULES, the path of a ``node_modules`` folder (``npm install alor-api@1.0.66`` makes one).
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import trio

from strategykit.sim.server_alor import open_simulated_alor

SCRIPT = Path(__file__).with_name("alor_api_client.js")
MODULES = os.environ.get("ALOR_API_MODULES", "")

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="needs Node"),
    pytest.mark.skipif(
        not MODULES or not Path(MODULES, "alor-api").is_dir(), reason="needs ALOR_API_MODULES, a folder with alor-api"
    ),
]


async def test_the_npm_client_reads_subscribes_and_trades() -> None:
    with trio.fail_after(30):
        async with open_simulated_alor() as venue:
            done = await trio.run_process(
                ["node", str(SCRIPT), venue.url],
                capture_stdout=True,
                capture_stderr=True,
                check=False,
                env={**os.environ, "NODE_PATH": MODULES},
            )
    lines = [line for line in done.stdout.decode().splitlines() if line.startswith("{")]
    told = {each["name"]: each["value"] for each in map(json.loads, lines)}

    assert done.returncode == 0, done.stderr.decode()
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

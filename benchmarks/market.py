"""A busy simulated ALOR in a process of its own: `strategykit sim`, with more instruments and a faster market.

Run as a program it prints its address as JSON, and ends with its standard input.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from decimal import Decimal
from typing import Final

import trio

from strategykit.model.instruments import Instrument
from strategykit.sim.alor_config import AlorVenueConfig
from strategykit.sim.server_alor import open_simulated_alor

__all__ = ["open_market", "symbols"]

ADVANCES: Final = 100.0
"""Of the market, a second: the most that a stream of states with ALOR's least interval, 10 ms, can show."""


def symbols(count: int) -> list[str]:
    """Give the names of that many instruments."""
    return [f"S{number:03}" for number in range(count)]


async def _serve(instruments: int, actions: float) -> None:
    listed = {symbol: Instrument(symbol, Decimal("0.01"), board="TQBR") for symbol in symbols(instruments)}
    config = AlorVenueConfig(instruments=listed, actions_per_second=actions, advances_per_second=ADVANCES)
    async with open_simulated_alor(config) as venue:
        print(json.dumps({"url": venue.url}), flush=True)
        await trio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)


@contextmanager
def open_market(*, instruments: int, actions: float) -> Generator[tuple[str, int]]:
    """Start one; yield its address and the number of its process.

    Args:
        instruments: How many; see `symbols`.
        actions: Of the crowd, a second and instrument; some 0.2 of them are trades.
    """
    command = [sys.executable, "-m", "benchmarks.market", str(instruments), str(actions)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["url"], process.pid
        finally:
            process.terminate()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("instruments", type=int)
    parser.add_argument("actions", type=float)
    asked = parser.parse_args()
    trio.run(_serve, asked.instruments, asked.actions)

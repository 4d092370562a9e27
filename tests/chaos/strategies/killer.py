"""A strategy that trades nothing, and pulls the kill switch when its time has come."""

from __future__ import annotations

import trio

from strategykit import Strategy, define, param


@define
class Killer(Strategy):
    at: float = param(10.0, low=0.0, help="seconds after its start")

    async def run(self) -> None:
        await trio.sleep(self.at)
        self.kill("its time has come")

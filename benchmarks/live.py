"""A live run as `strategykit run` makes it, with strategies that are at hand."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from strategykit.config import SIMULATED_ACCOUNT, SIMULATED_TOKEN
from strategykit.model.risk_limits import NO_PLAN
from strategykit.net.endpoints import Endpoints
from strategykit.net.http import token_fetcher
from strategykit.net.inbox import Inbox
from strategykit.net.recorder import Recorder
from strategykit.net.venue import LiveVenue, connect_venue
from strategykit.runtime.assembly import Run
from strategykit.runtime.home import imports_left_alone
from strategykit.runtime.live import LivePlan, Progress, run_live
from strategykit.runtime.report import RunReport
from strategykit.secret import Secret
from strategykit.strategy import Strategy
from strategykit.venues.alor.dialect import Alor
from strategykit.venues.alor.tokens import read_refresh, refresh_request

__all__ = ["run_strategies"]


def run_strategies(
    url: str,
    strategies: Sequence[tuple[str, Strategy]],
    *,
    tape: Path | None,
    journal: Path | None = None,
    seconds: float | None = None,
    market_connections: int = 1,
    keep_orders: bool = False,
    meanwhile: Callable[[Run], Any] | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
    made: Callable[[LiveVenue, Inbox], None] = lambda _, __: None,
) -> RunReport:
    """Run strategies against the venue at `url`, orders and all, until `seconds` are over or `meanwhile` stops it.

    Args:
        url: Base of its HTTP.
        strategies: Pairs of name and strategy.
        tape: Folder to record in; None: don't.
        journal: The account's folder for what is intended, before it is sent; None: it isn't written down.
        seconds: How long.
        market_connections: At the most.
        keep_orders: Whether orders stay when the strategies leave.
        meanwhile: Gets the run, beside it.
        on_progress: Told twice a second.
        made: Gets the venue's wires, and where they put what comes, before they open.
    """
    dialect = Alor(exchange="MOEX", format="Slim")
    secret = Secret(SIMULATED_TOKEN)

    def connect(inbox: Inbox, recorder: Recorder, stamp: Callable[[], int], rng: random.Random) -> LiveVenue:
        recorder.protect(secret.reveal())
        venue = connect_venue(
            dialect,
            Endpoints.at(url),
            fetch_token=token_fetcher(url, request=lambda: refresh_request(secret), parse=read_refresh),
            inbox=inbox,
            recorder=recorder,
            rng=rng,
            stamp=stamp,
        )
        made(venue, inbox)
        return venue

    plan = LivePlan(
        dialect=dialect,
        connect=connect,
        account=SIMULATED_ACCOUNT,
        exchange="MOEX",
        market_connections=market_connections,
        strategies=strategies,
        duration=None if seconds is None else int(seconds * 1e9),
        seed=1,
        tape=tape,
        journal=journal,
        limits=NO_PLAN,  # Held against like any other, and never met, however fast a measurement trades.
        keep_orders=keep_orders,
        meanwhile=meanwhile,
        on_progress=on_progress,
        handle_signals=False,
    )
    with imports_left_alone():  # As the command does.
        return run_live(plan)

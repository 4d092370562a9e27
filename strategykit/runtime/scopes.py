"""Blocks that must end well, besides those that hold a position: orders working, a stream fresh."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio

from strategykit.errors import ConfigError, Unsettled
from strategykit.runtime.feeds import Feed
from strategykit.runtime.flatten import LEAVE_WITHIN, OrderSeat
from strategykit.runtime.order import Order

__all__ = ["Freshness", "fresh_scope", "working_scope"]


@asynccontextmanager
async def working_scope(seat: OrderSeat, orders: tuple[Order, ...]) -> AsyncGenerator[None]:
    """Yield; on leaving, cancel what is unfilled and wait for the venue's word, shielded and bounded.

    Raises:
        Unsettled: The venue's word didn't come in `LEAVE_WITHIN` seconds, or the run was in a hurry.
    """
    try:
        yield
    finally:
        since = trio.current_time()
        with seat.leaving(LEAVE_WITHIN):
            for order in orders:
                order.cancel_nowait()
            for order in orders:
                await order.ended()
        left = [order for order in orders if order.is_open]
        if left:
            ids = [order.client_order_id for order in left]
            waited = trio.current_time() - since
            raise Unsettled(f"still undecided {waited:.2g} s after their cancel: {left}", left={}, doubtful=ids)


@attrs.define(eq=False)
class Freshness:
    """How a `fresh_scope` ended."""

    stale: bool = False
    """True if silence ended the block."""


@asynccontextmanager
async def fresh_scope(feed: Feed[Any], *, within: float, now: Callable[[], int]) -> AsyncGenerator[Freshness]:
    """Wait until `feed` is alive, and yield while it is; every event pushes the deadline on by `within` seconds.

    Args:
        feed: A stream that was silent for `within` seconds, or has told nothing yet, is waited for.
        within: Seconds of silence that end the block; those before it count.
        now: The run's time, nanoseconds UTC.

    Raises:
        ConfigError: `within` isn't above 0.
    """
    if not within > 0:
        raise ConfigError(f"within must be above 0 s, not {within}")
    silent = _silent(feed, now())
    while silent is None or silent >= within:
        await anext(aiter(feed))
        silent = _silent(feed, now())
    freshness = Freshness()
    with trio.move_on_after(within - silent) as scope:

        def push(_: object) -> None:
            scope.deadline = trio.current_time() + within

        feed.watch(push)
        try:
            yield freshness
        finally:
            feed.unwatch(push)
    freshness.stale = scope.cancelled_caught


def _silent(feed: Feed[Any], now: int) -> float | None:
    """Give the seconds since the stream told something that still holds; None if there is nothing."""
    return None if feed.last is None else max(0.0, (now - feed.last.receive_time) * 1e-9)

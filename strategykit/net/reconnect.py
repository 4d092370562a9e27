"""Reconnecting: an outer loop over new sessions. Nothing heals, nothing is sent again."""

from __future__ import annotations

from typing import NoReturn

import trio

from strategykit.errors import ConnectionLost, StrategykitError
from strategykit.net.connection import in_words, leaves, open_connection
from strategykit.net.link import Link, Wiring
from strategykit.net.timing import TryLater, full_jitter

__all__ = ["keep_connected"]


async def keep_connected(
    link: Link, wiring: Wiring, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> NoReturn:
    """Keep a session open under the link's name; `started` when the first one is.

    After a loss the next try comes after a delay with full jitter, whose envelope doubles with each failure, up to a
    cap, and starts over after a session that lasted `Timing.stable_after`; a venue that names a longer delay gets it.
    Every session has a new wire and a new number; who wants something on it has to ask for it again.

    Raises:
        LoginRefused: The venue or its token service doesn't accept us. Never retried.
        ConfigError: The address or certificate is wrong. Never retried.
    """
    counts = link.statistics
    told = False
    failures = 0
    try:
        while True:
            counts.state = "connecting"
            counts.attempts += 1
            opened_at: float | None = None
            asked = 0.0
            try:
                # Before the deadline of the opening begins: a token service that is down isn't the wire's fault.
                await wiring.tokens.get()
                async with open_connection(link, wiring):
                    opened_at = trio.current_time()
                    if not told:
                        told = True
                        task_status.started()
                    await trio.sleep_forever()
            except* ConnectionLost as lost:
                counts.reason = in_words(lost)
                asked = max((leaf.delay for leaf in leaves(lost) if isinstance(leaf, TryLater)), default=0.0)
            except* StrategykitError as errors:
                counts.reason = in_words(errors)
                for leaf in leaves(errors):  # A note on the group itself would go with it.
                    leaf.add_note(f"on connection {link.name} to {link.url}")
                raise
            if opened_at is not None and trio.current_time() - opened_at >= wiring.timing.stable_after:
                failures = 0
            counts.state = "waiting"
            await trio.sleep(max(asked, full_jitter(wiring.rng, failures, wiring.timing)))
            failures += 1
    finally:
        counts.state = "ended"

"""Many clients of a venue that restarts come back spread over time, and none with more connections than before."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import attrs
import trio
import trio.testing

from strategykit.errors import ConnectionLost
from strategykit.net.endpoints import split_url
from strategykit.net.link import Link
from strategykit.net.reconnect import keep_connected
from strategykit.net.timing import Timing
from strategykit.net.wire import Wire, wrap_wire

if TYPE_CHECKING:
    from tests.net.conftest import Rig, Venue

CLIENTS, EACH = 25, 10
LINKS = CLIENTS * EACH
STABLE, DOWN = 70.0, 90.0
"""Seconds that the venue is up at first, and then down."""

TIMING = Timing()
KOLMOGOROV = 1.63
"""Over the root of the count: further from uniform come one in a hundred samples that are."""


@attrs.define(eq=False)
class Restarting:
    """A venue that all clients share. It knows which link has called when, and how many calls a client has at once."""

    venue: Venue
    nursery: trio.Nursery
    calls: list[tuple[float, str]] = attrs.field(factory=list)
    at_once: Counter[str] = attrs.field(factory=Counter)
    most: Counter[str] = attrs.field(factory=Counter)
    far_ends: list[trio.abc.Stream] = attrs.field(factory=list)
    down: bool = False

    @asynccontextmanager
    async def dial(self, client: str, url: str, headers: Mapping[str, str] | None = None) -> AsyncGenerator[Wire]:
        self.calls.append((trio.current_time(), url))
        self.at_once[client] += 1
        self.most[client] = max(self.most[client], self.at_once[client])
        try:
            if self.down:
                await trio.lowlevel.checkpoint()
                raise ConnectionLost("refused")
            near, far = trio.testing.memory_stream_pair()
            self.far_ends.append(far)
            self.nursery.start_soon(self.venue.upgrade, far)
            async with near, wrap_wire(near, split_url(url), frame_bytes=100_000, headers=headers) as wire:
                yield wire
        finally:
            self.at_once[client] -= 1

    async def go_down(self) -> None:
        self.down = True
        for stream in self.far_ends:
            await stream.aclose()

    @property
    def open(self) -> int:
        return self.at_once.total()


async def test_a_herd_that_was_dropped_at_once_comes_back_spread_over_the_envelope(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    shared = Restarting(venue, nursery)
    links: list[Link] = []
    for number in range(CLIENTS):
        client = f"client-{number}"
        rng = random.Random(number)
        wiring = attrs.evolve(type(rig)(venue).wiring, rng=rng, dial=partial(shared.dial, client), timing=TIMING)
        for place in range(EACH):
            link = rig.link()
            link.url = f"ws://127.0.0.1/{client}/{place}"
            link.lane = attrs.evolve(link.lane, ping_every=1_000.0)  # Nobody is there to answer.
            links.append(link)
            nursery.start_soon(keep_connected, link, wiring)
    await trio.sleep(STABLE)
    assert shared.open == LINKS
    shared.calls.clear()

    dropped = trio.current_time()
    await shared.go_down()
    await trio.sleep(DOWN)
    shared.down, back = False, trio.current_time()
    await trio.sleep(TIMING.retry_cap + 1)

    # All are back within one cap, with as many connections as before, and never with more.
    assert shared.open == LINKS
    assert all(link.session is not None for link in links)
    assert set(shared.most.values()) == {EACH}
    calls = [(time - dropped, link) for time, link in shared.calls]
    times: dict[str, list[float]] = defaultdict(list)
    for time, name in calls:
        times[name].append(time)
    assert len(times) == LINKS
    # The n-th delays of all links lie in the n-th window, anywhere in it alike.
    for count in range(min(map(len, times.values()))):
        window = min(TIMING.retry_cap, TIMING.retry_base * 2.0**count)
        delays = sorted(each[count] - (each[count - 1] if count else 0.0) for each in times.values())
        assert 0 <= delays[0] <= delays[-1] <= window
        distance = max(abs(delay / window - rank / LINKS) for rank, delay in enumerate(delays))
        assert distance < KOLMOGOROV / LINKS**0.5, count
    # At the cap each link calls once in half of it, on average; and the venue that is back gets no burst.
    even = LINKS / (TIMING.retry_cap / 2)
    seconds = Counter(int(time) for time, _ in calls)
    late = [seconds[second] for second in range(int(TIMING.retry_cap * 1.5), int(DOWN))]
    assert sum(late) / len(late) < 1.2 * even
    assert max(late) < even + 6 * even**0.5
    welcomed = Counter(int(time - (back - dropped)) for time, _ in calls if time >= back - dropped)
    assert welcomed.total() == LINKS
    assert max(welcomed.values()) < even + 6 * even**0.5

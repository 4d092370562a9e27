"""The network in memory never does what no network does."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from strategykit.testing.sockets import Way


async def test_a_stream_that_broke_while_it_stood_still_doesnt_go_on_behind_the_hole(
    autojump_clock: MockClock,
) -> None:
    """Else bytes from after the break would follow on those from before the standstill, and nobody could know."""
    way = Way(lambda: 0.0)
    way.put(b"before")
    assert await way.get(100, lambda: False) == b"before"
    way.stall(3.0)
    way.put(b"lost")
    way.break_off()
    assert not way.broken
    way.put(b"behind")

    with pytest.raises(trio.BrokenResourceError):
        await way.get(100, lambda: False)

    assert trio.current_time() == 3.0

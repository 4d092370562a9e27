"""The network in memory never does what no network does."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from strategykit.errors import ConfigError
from strategykit.testing.faults import NetworkFault
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


async def test_a_narrow_way_takes_its_time_for_every_byte_and_no_longer_once_it_is_wide_again(
    autojump_clock: MockClock,
) -> None:
    way = Way(lambda: 0.0)
    way.rate, way.rate_until = 1_000.0, 2.0
    way.put(b"x" * 1_500)
    way.put(b"y" * 500)

    assert await way.get(10_000, lambda: False) == b"x" * 1_500
    assert trio.current_time() == 1.5
    assert await way.get(10_000, lambda: False) == b"y" * 500
    assert trio.current_time() == 2.0
    way.put(b"z" * 5_000)
    assert await way.get(10_000, lambda: False) == b"z" * 5_000
    assert trio.current_time() == 2.0


def test_a_wire_that_lets_nothing_through_isnt_narrow() -> None:
    with pytest.raises(ConfigError, match="at least 1 byte a second where wires are narrow, not 0"):
        NetworkFault(what="narrow")

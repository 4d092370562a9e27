"""Reconnecting: new sessions, growing delays, and what ends it."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.errors import ConfigError, ConnectionLost, LoginRefused
from strategykit.net.connection import leaves
from strategykit.net.reconnect import keep_connected
from strategykit.net.timing import Timing, TryLater, full_jitter, read_retry_after

if TYPE_CHECKING:
    from tests.net.conftest import Rig, Venue


async def test_started_is_told_once_when_the_first_session_is_open(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    async def far_end() -> None:
        await (await venue.call()).aclose()
        await (await venue.session()).aclose()
        await venue.session()

    nursery.start_soon(far_end)
    link = rig.link()
    await nursery.start(keep_connected, link, rig.wiring)
    assert link.session is not None
    assert (link.statistics.attempts, link.statistics.sessions, link.statistics.state) == (2, 1, "open")
    await trio.sleep(60)
    assert (link.statistics.sessions, link.statistics.reconnects) == (2, 1)


async def test_each_session_has_its_number_and_open_and_closed_alternate(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    async def far_end() -> None:
        for number in range(3):
            await (await venue.session()).aclose(1001, f"round {number}")

    nursery.start_soon(far_end)
    nursery.start_soon(keep_connected, rig.link(), rig.wiring)
    await trio.sleep(300)
    assert [(item.kind.value, item.status) for item in rig.inbox.waiting] == [
        ("opened", 1),
        ("closed", 1),
        ("opened", 2),
        ("closed", 2),
        ("opened", 3),
        ("closed", 3),
    ]
    assert "round 2" in str(rig.inbox.waiting[-1].payload)
    assert rig.memory.kinds()[1:] == ["opened", "closed"] * 3


async def test_a_thousand_reconnects_keep_to_the_envelope_and_leave_nothing_behind(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    times: list[float] = []

    async def far_end() -> None:
        draw = random.Random(5)
        for _ in range(1000):
            stream = await venue.call()
            times.append(trio.current_time())
            how = draw.randrange(3)
            if how:
                await venue.upgrade(stream)
            if how == 2:
                await stream.send_all(b"\x81\x01x")
            await stream.aclose()

    link = rig.link()
    nursery.start_soon(keep_connected, link, rig.wiring)
    await far_end()
    tasks = trio.lowlevel.current_statistics().tasks_living
    delays = [later - earlier for earlier, later in itertools.pairwise(times)]
    for failures, delay in enumerate(delays):
        assert 0 <= delay <= min(30, 0.5 * 2 ** min(failures, 30)) + 1e-9
    long_run = delays[10:]
    assert 13 < sum(long_run) / len(long_run) < 17  # Uniform up to 30: the jitter is full.
    assert venue.open <= 1
    kinds = [item.kind.value for item in rig.inbox.waiting if item.kind.value != "frame"]
    assert kinds == ["opened", "closed"] * (len(kinds) // 2)
    assert link.statistics.sessions == len(kinds) // 2
    await trio.sleep(100)
    assert trio.lowlevel.current_statistics().tasks_living <= tasks + 5


async def test_a_session_that_was_stable_makes_up_for_the_failures_before_it(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    gaps: list[float] = []

    async def far_end() -> None:
        for _ in range(12):
            await (await venue.call()).aclose()
        for _ in range(20):
            ws = await venue.session()
            await trio.sleep(61)
            await ws.aclose()
            lost = trio.current_time()
            stream = await venue.call()
            gaps.append(trio.current_time() - lost)
            await stream.aclose()

    nursery.start_soon(far_end)
    nursery.start_soon(keep_connected, rig.link(), rig.wiring)
    await trio.sleep(7200)
    assert len(gaps) == 20
    assert max(gaps) <= 0.5


async def test_a_session_that_was_short_makes_up_for_nothing(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    nursery.start_soon(keep_connected, rig.link(), rig.wiring)
    for _ in range(40):
        ws = await venue.session()
        await trio.sleep(50)
        await ws.aclose()
    lost = trio.current_time()
    await venue.call()
    first = trio.current_time() - lost
    assert trio.current_time() > 40 * 50 + 40 * 5
    assert first <= 30


async def test_a_venue_that_names_a_delay_gets_it(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    nursery.start_soon(keep_connected, rig.link(), rig.wiring)
    request = await venue.request()
    await request.reject(429, extra_headers=[(b"Retry-After", b"120")])
    begun = trio.current_time()
    await venue.call()
    assert trio.current_time() - begun == pytest.approx(120)


async def test_of_several_named_delays_the_longest_counts(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    refusals = ExceptionGroup("both", [TryLater("a", delay=50), ExceptionGroup("in", [TryLater("b", delay=90)])])
    venue.refuse = refusals  # type: ignore[assignment]  # A group of them is raised like one.
    nursery.start_soon(keep_connected, rig.link(), rig.wiring)
    await trio.sleep(89)
    assert len(venue.dialled) == 1
    await trio.sleep(2)
    assert len(venue.dialled) == 2


@pytest.mark.parametrize(("status", "error"), [(401, LoginRefused), (404, ConfigError)])
async def test_what_will_never_work_ends_it_and_names_the_connection(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object, status: int, error: type[Exception]
) -> None:
    async def far_end() -> None:
        await (await venue.request()).reject(status)

    nursery.start_soon(far_end)
    link = rig.link()
    with pytest.raises(ExceptionGroup) as caught:
        await keep_connected(link, rig.wiring)
    (stop,) = leaves(caught.value)
    assert type(stop) is error
    assert stop.__notes__ == ["on connection market-0 to ws://127.0.0.1:8900/ws"]
    assert len(venue.dialled) == 1
    assert link.statistics.state == "ended"
    assert f"HTTP {status}" in link.statistics.reason


async def test_a_login_that_is_refused_is_never_tried_again(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    async def far_end() -> None:
        await venue.answer_login(await venue.session(), 403)

    nursery.start_soon(far_end)
    with pytest.RaisesGroup(LoginRefused, flatten_subgroups=True):
        await keep_connected(rig.link("commands"), rig.wiring)
    assert len(venue.dialled) == 1


async def test_nothing_is_dialled_before_there_is_a_token(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    rig.service.next.extend([ConnectionLost("down")] * 5)
    nursery.start_soon(venue.serve)
    await nursery.start(keep_connected, rig.link(), rig.wiring)
    assert rig.service.asked == 6
    assert len(venue.dialled) == 1


async def test_a_refused_credential_ends_it_before_anything_is_dialled(rig: Rig, venue: Venue) -> None:
    rig.service.next.append(LoginRefused("no"))
    with pytest.RaisesGroup(LoginRefused):
        await keep_connected(rig.link(), rig.wiring)
    assert venue.dialled == []


# Delays


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 5000), st.integers(0, 2**32), st.floats(0.01, 10), st.floats(10, 100))
def test_whatever_the_failures_the_delay_lies_in_its_window(failures: int, seed: int, base: float, cap: float) -> None:
    timing = Timing(retry_base=base, retry_cap=cap)
    delay = full_jitter(random.Random(seed), failures, timing)
    assert 0 <= delay <= min(cap, base * 2.0 ** min(failures, 40))


def test_the_jitter_is_full() -> None:
    rng = random.Random(1)
    delays = sorted(full_jitter(rng, 50, Timing()) for _ in range(4000))
    # Kolmogorov and Smirnov: against uniform on (0, 30), 1.63 / sqrt(n) is the 1 % point.
    distance = max(abs(delay / 30 - rank / 4000) for rank, delay in enumerate(delays))
    assert distance < 1.63 / 4000**0.5


@settings(max_examples=200, deadline=None)
@given(st.none() | st.text(max_size=40), st.none() | st.text(max_size=40))
def test_whatever_a_venue_writes_as_retry_after_the_delay_is_bounded(value: str | None, date: str | None) -> None:
    assert 0 <= read_retry_after(value, date) <= 3600


def test_a_date_is_counted_from_the_answers_own_date() -> None:
    later, now = "Wed, 21 Oct 2026 07:28:30 GMT", "Wed, 21 Oct 2026 07:28:00 GMT"
    assert read_retry_after(later, now) == 30
    assert read_retry_after(now, later) == 0
    assert read_retry_after(now, "Wed, 21 Oct 2026 07:28:00 -0000") == 0


@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan")])
def test_a_deadline_that_makes_no_sense_is_refused(value: float) -> None:
    with pytest.raises(ConfigError, match="open_within"):
        Timing(open_within=value)

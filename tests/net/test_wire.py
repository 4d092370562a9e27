"""The wire: trio-websocket with its traps closed."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing
from hypothesis import example, given, settings
from hypothesis import strategies as st

from strategykit.errors import ConfigError, ConnectionLost, LoginRefused, StrategykitError
from strategykit.net.endpoints import Target
from strategykit.net.timing import TryLater
from strategykit.net.wire import MAX_OPENING, wrap_wire

if TYPE_CHECKING:
    from tests.net.conftest import Venue

URL = "ws://127.0.0.1:8900/ws"
TARGET = Target(host="127.0.0.1", port=8900, path="/ws", secure=False)
CLOSE = b"\x88\x02\x03\xe8"
PING = b"\x89\x01a"


async def _say(venue: Venue, data: bytes) -> None:
    """Take the upgrade request, answer with `data` and hang up."""
    stream = await venue.call()
    await stream.receive_some()
    await stream.send_all(data)
    await stream.aclose()


async def _open(venue: Venue) -> None:
    async with venue.dial(URL):
        raise AssertionError("it must not open")


async def test_messages_travel_both_ways_as_text_and_bytes(venue: Venue, nursery: trio.Nursery) -> None:
    async def far_end() -> None:
        far = await venue.session()
        await far.send_message("text")
        await far.send_message(b"bytes")
        assert [await far.get_message(), await far.get_message()] == ["up", b"\x00"]
        await far.aclose()

    nursery.start_soon(far_end)
    async with venue.dial(URL) as wire:
        assert [await wire.receive(), await wire.receive()] == ["text", b"bytes"]
        assert wire.close_reason == ""
        await wire.send("up")
        await wire.send(b"\x00")
        with pytest.raises(ConnectionLost, match="code 1000"):
            await wire.receive()


async def test_ping_waits_for_its_pong(venue: Venue, nursery: trio.Nursery) -> None:
    nursery.start_soon(venue.session)
    async with venue.dial(URL) as wire:
        await wire.ping()


async def test_ping_to_a_silent_venue_waits_for_ever(
    venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    async def far_end() -> None:
        stream = await venue.call()
        await venue.upgrade(stream)

    nursery.start_soon(far_end)
    async with venue.dial(URL) as wire:
        with trio.move_on_after(3600) as waiting:
            await wire.ping()
    assert waiting.cancelled_caught


async def test_what_the_venue_says_on_closing_is_the_reason(venue: Venue, nursery: trio.Nursery) -> None:
    async def far_end() -> None:
        await (await venue.session()).aclose(1013, "come back\nlater")

    nursery.start_soon(far_end)
    async with venue.dial(URL) as wire:
        with pytest.raises(ConnectionLost):
            await wire.receive()
        assert wire.close_reason == r"closed with code 1013 (try_again_later): 'come back\nlater'"
        for again in (wire.receive, wire.ping, lambda: wire.send("x")):
            with pytest.raises(ConnectionLost, match="code 1013"):
                await again()


async def test_messages_that_came_before_the_close_are_still_received(venue: Venue, nursery: trio.Nursery) -> None:
    async def far_end() -> None:
        far = await venue.session()
        await far.send_message("last words")
        await far.aclose()

    nursery.start_soon(far_end)
    async with venue.dial(URL) as wire:
        await trio.testing.wait_all_tasks_blocked()
        assert await wire.receive() == "last words"
        with pytest.raises(ConnectionLost):
            await wire.receive()


async def test_tcp_that_ends_without_a_close_is_a_loss(venue: Venue, nursery: trio.Nursery) -> None:
    async def far_end() -> None:
        stream = await venue.call()
        await venue.upgrade(stream)
        await stream.aclose()

    nursery.start_soon(far_end)
    async with venue.dial(URL) as wire:
        with pytest.raises(ConnectionLost, match="code 1006"):
            await wire.receive()
        with pytest.raises(ConnectionLost):
            await wire.send("x")


async def test_a_message_above_the_limit_ends_the_wire(venue: Venue, nursery: trio.Nursery) -> None:
    async def far_end() -> None:
        await (await venue.session()).send_message("x" * 100_001)

    nursery.start_soon(far_end)
    async with venue.dial(URL) as wire:
        with pytest.raises(ConnectionLost, match="code 1009"):
            await wire.receive()


async def test_fragments_and_single_bytes_make_the_same_message(
    venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    async def far_end() -> None:
        stream = await venue.call()
        await venue.upgrade(stream)
        for byte in b"\x01\x04\xd0\x9f\xd1\x80" + PING + b"\x80\x02\xd1\x91":
            await stream.send_all(bytes([byte]))
            await trio.testing.wait_all_tasks_blocked()

    nursery.start_soon(far_end)
    async with venue.dial(URL) as wire:
        assert await wire.receive() == "Прё"


# trio-websocket's traps


async def test_a_ping_that_comes_while_we_close_is_harmless_and_costs_no_time(
    venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    """Trap: the library's reader crashes on it, and a bare Cancelled leaves its context manager."""

    async def far_end() -> None:
        stream = await venue.call()
        await venue.upgrade(stream)
        await stream.receive_some()  # Our close.
        await stream.send_all(PING)

    nursery.start_soon(far_end)
    begun = trio.current_time()
    async with venue.dial(URL) as wire:
        pass
    assert trio.current_time() == begun
    assert "LOCAL_CLOSING" in wire.close_reason
    assert venue.open == 0


@pytest.mark.parametrize(
    "data", [PING, PING + CLOSE, b"\x81\x01x" + CLOSE, CLOSE, b"\x81\x01x" * 50 + PING, b"\xff\xff"]
)
@pytest.mark.parametrize("error", [None, KeyError])
async def test_leaving_with_data_in_flight_lets_only_our_own_error_out(
    venue: Venue, nursery: trio.Nursery, autojump_clock: object, data: bytes, error: type[Exception] | None
) -> None:
    async def far_end() -> None:
        stream = await venue.call()
        await venue.upgrade(stream)
        await stream.send_all(data)

    async def leave() -> None:
        async with venue.dial(URL):
            await trio.testing.wait_all_tasks_blocked()
            if error is not None:
                raise error

    nursery.start_soon(far_end)
    begun = trio.current_time()
    if error is None:
        await leave()
    else:
        with pytest.RaisesGroup(error, flatten_subgroups=True):
            await leave()
    assert trio.current_time() - begun <= 2
    assert venue.open == 0


async def test_a_venue_that_ignores_our_close_is_left_after_two_seconds(
    venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    """Trap: the library waits for 60."""

    async def far_end() -> None:
        stream = await venue.call()
        await venue.upgrade(stream)

    nursery.start_soon(far_end)
    begun = trio.current_time()
    async with venue.dial(URL):
        pass
    assert trio.current_time() - begun == pytest.approx(2)


async def test_a_venue_that_never_answers_the_upgrade_is_freed_by_our_deadline(
    venue: Venue, autojump_clock: object
) -> None:
    """Trap: the library's own connect timeout never fires."""
    with trio.move_on_after(5) as deadline:
        await _open(venue)
    assert deadline.cancelled_caught
    assert trio.current_time() == pytest.approx(5)
    assert venue.open == 0


async def test_a_venue_that_hangs_up_before_the_upgrade_is_a_loss_at_once(
    venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    """Trap: the library waits on."""
    begun = trio.current_time()
    nursery.start_soon(_say, venue, b"")
    with pytest.RaisesGroup(pytest.RaisesExc(ConnectionLost, match="hung up"), flatten_subgroups=True):
        await _open(venue)
    assert trio.current_time() == begun


async def test_a_stream_that_is_gone_before_the_request_is_a_loss_at_once(autojump_clock: object) -> None:
    near, far = trio.testing.memory_stream_pair()
    await far.aclose()
    with pytest.RaisesGroup(ConnectionLost, flatten_subgroups=True):
        async with wrap_wire(near, TARGET, frame_bytes=1000):
            raise AssertionError("it must not open")
    assert trio.current_time() == 0


async def test_cancelled_from_outside_it_says_goodbye_and_waits_for_nobody(
    venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    heard = []

    async def far_end() -> None:
        stream = await venue.call()
        await venue.upgrade(stream)
        heard.append(await stream.receive_some())

    nursery.start_soon(far_end)
    with trio.CancelScope() as scope:
        async with venue.dial(URL):
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert trio.current_time() < 0.2
    await trio.testing.wait_all_tasks_blocked()
    assert heard[0][:1] == CLOSE[:1]


@pytest.mark.parametrize("step", range(14))
async def test_cancelled_at_any_moment_it_leaves_nothing_behind(
    venue: Venue, nursery: trio.Nursery, autojump_clock: object, step: int
) -> None:
    nursery.start_soon(venue.session)
    scope = trio.CancelScope()

    async def cancel() -> None:
        for _ in range(step):
            await trio.lowlevel.checkpoint()
        scope.cancel()

    async with trio.open_nursery() as tasks:
        tasks.start_soon(cancel)
        with scope:
            async with venue.dial(URL) as wire:
                await wire.ping()
                await trio.sleep_forever()
    assert scope.cancelled_caught
    assert venue.open == 0


# What the upgrade is answered with


def _http(status: int, headers: str = "", body: str = "") -> bytes:
    return f"HTTP/1.1 {status} Word\r\n{headers}Content-Length: {len(body)}\r\n\r\n{body}".encode()


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (_http(401), LoginRefused, "HTTP 401"),
        (_http(403, body="no"), LoginRefused, "HTTP 403"),
        (_http(406), ConfigError, "wss://"),
        (_http(404), ConfigError, "HTTP 404"),
        (_http(301, "Location: wss://evil.example/\r\n"), ConfigError, "wss://evil.example/"),
        (_http(302), ConfigError, "nowhere"),
        (_http(200, body="<html>"), TryLater, "HTTP 200"),
        (_http(500), TryLater, "HTTP 500"),
        (_http(503), TryLater, "HTTP 503"),
        (_http(429), TryLater, "HTTP 429"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", TryLater, "HTTP 103"),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", ConnectionLost, "rules"),
        (b"220 mail.example ESMTP\r\n\r\n", ConnectionLost, "rules"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000, ConnectionLost, "rules|more than"),
    ],
)
async def test_each_answer_to_the_upgrade_has_its_class(
    venue: Venue, nursery: trio.Nursery, autojump_clock: object, answer: bytes, error: type[Exception], words: str
) -> None:
    nursery.start_soon(_say, venue, answer)
    with pytest.RaisesGroup(
        pytest.RaisesExc(error, match=words, check=lambda exc: type(exc) is error), flatten_subgroups=True
    ):
        await _open(venue)
    assert trio.current_time() == 0


@pytest.mark.parametrize(
    ("headers", "delay"),
    [
        ("", 0),
        ("Retry-After: 17\r\n", 17),
        ("Retry-After: 999999\r\n", 3600),
        ("Retry-After: soon\r\n", 0),
        ("Retry-After: Wed, 21 Oct 2026 07:28:30 GMT\r\nDate: Wed, 21 Oct 2026 07:28:00 GMT\r\n", 30),
        ("Retry-After: Wed, 21 Oct 2026 07:28:30 GMT\r\n", 0),
        ("Retry-After: Wed, 21 Oct 2026 07:28:30 GMT\r\nDate: nonsense\r\n", 0),
    ],
)
async def test_a_venue_that_names_a_delay_is_heard(
    venue: Venue, nursery: trio.Nursery, headers: str, delay: float
) -> None:
    nursery.start_soon(_say, venue, _http(429, headers))
    with pytest.RaisesGroup(pytest.RaisesExc(TryLater, check=lambda exc: exc.delay == delay), flatten_subgroups=True):
        await _open(venue)


async def test_an_endless_refusal_is_cut(venue: Venue, nursery: trio.Nursery, autojump_clock: object) -> None:
    sent = 0

    async def far_end() -> None:
        nonlocal sent
        stream = await venue.call()
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await stream.send_all(b"x" * 10_000)
            sent += 10_000
            await trio.testing.wait_all_tasks_blocked()

    async with trio.open_nursery() as tasks:
        tasks.start_soon(far_end)
        with pytest.RaisesGroup(pytest.RaisesExc(ConnectionLost, match="more than"), flatten_subgroups=True):
            await _open(venue)
        tasks.cancel_scope.cancel()
    assert sent <= MAX_OPENING + 20_000


async def test_the_limit_of_the_opening_ends_with_it(venue: Venue, nursery: trio.Nursery) -> None:
    async def far_end() -> None:
        far = await venue.session()
        for _ in range(10):
            await far.send_message("x" * 90_000)

    nursery.start_soon(far_end)
    async with venue.dial(URL) as wire:
        for _ in range(10):
            assert len(await wire.receive()) == 90_000


# Noise


async def _survive(noise: list[bytes], *, upgraded: bool) -> None:
    near, far = trio.testing.memory_stream_pair()

    async def far_end() -> None:
        if upgraded:
            await upgrade(far)
        else:
            await far.receive_some()
        with contextlib.suppress(trio.BrokenResourceError):  # The near end has left already.
            for piece in noise:
                await far.send_all(piece)
        await far.aclose()

    async def near_end() -> None:
        async with near, wrap_wire(near, TARGET, frame_bytes=1000) as wire:
            for _ in range(100):
                await wire.receive()

    async with trio.open_nursery() as tasks:
        tasks.start_soon(far_end)
        with trio.fail_after(30):
            with pytest.raises(ExceptionGroup) as caught:
                await near_end()
    assert caught.group_contains(StrategykitError)
    assert caught.value.split(StrategykitError)[1] is None


async def upgrade(stream: trio.abc.Stream) -> None:
    from wsproto import ConnectionType, WSConnection
    from wsproto.events import AcceptConnection

    server = WSConnection(ConnectionType.SERVER)
    server.receive_data(bytes(await stream.receive_some()))
    assert list(server.events())
    await stream.send_all(server.send(AcceptConnection()))


_FRAMES = st.builds(
    lambda first, second, body: bytes([first, second]) + body,
    st.integers(0, 255) | st.sampled_from([0x81, 0x82, 0x01, 0x80, 0x88, 0x89, 0x8A]),
    st.integers(0, 255) | st.integers(0, 20),
    st.binary(max_size=40),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_FRAMES | st.binary(max_size=50), max_size=8))
@example([b"\x88\x01\x03"])  # A close with half a code.
@example([b"\x88\x02\x03\xed"])  # A close with a code that mustn't be sent.
@example([b"\x81\x02\xff\xfe"])  # Text that isn't UTF-8.
@example([b"\x89\x7e\x00\x80" + b"x" * 128])  # A ping that is too long.
@example([b"\x81\x7f\xff" + b"\xff" * 7])  # A length of 2**63.
@example([b"\x81\x85abcdhello"])  # A masked server frame.
@example([b"\xc1\x01x"])  # A reserved bit.
@example([b"\x01\x00"] + [b"\x00\x00"] * 3000 + [b"\x80\x00"])  # Thousands of empty fragments.
def test_whatever_frames_come_only_our_errors_get_out(noise: list[bytes]) -> None:
    trio.run(lambda: _survive(noise, upgraded=True), clock=trio.testing.MockClock(autojump_threshold=0))


_HEADERS = st.sampled_from(
    [
        b"HTTP/1.1 101 Switching Protocols\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"Upgrade: websocket\r\n",
        b"Connection: Upgrade\r\n",
        b"Sec-WebSocket-Accept: AAAA\r\n",
        b"Sec-WebSocket-Protocol: \xff\r\n",
        b"Sec-WebSocket-Extensions: permessage-deflate\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Length: 5\r\n",
        b"\r\n",
        b"zz\r\n",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_HEADERS | st.binary(max_size=30), max_size=12))
def test_whatever_answers_the_upgrade_only_our_errors_get_out(noise: list[bytes]) -> None:
    trio.run(lambda: _survive(noise, upgraded=False), clock=trio.testing.MockClock(autojump_threshold=0))

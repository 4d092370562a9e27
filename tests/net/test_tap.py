"""The tap: plain messages leave the stream, everything else reaches the library, and nobody can tell the difference."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import trio
import trio.testing
from hypothesis import example, given, settings
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.utilities import RemoteProtocolError

from strategykit.errors import ConnectionLost
from strategykit.net.tap import MAX_OPENING, Sieve, Tap

LIMIT = 70_000
HEAD = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


def frame(first: int, payload: bytes, *, width: int | None = None, masked: bool = False) -> bytes:
    """Make a frame; `width` is of its length: 0, 2 or 8 bytes."""
    size = len(payload)
    if width is None:
        width = 0 if size < 126 else 2 if size < 65_536 else 8
    mask = 0x80 if masked else 0
    short = {0: size, 2: 126, 8: 127}[width]
    return bytes((first, short | mask)) + (size.to_bytes(width, "big") if width else b"") + payload


def text(words: str) -> bytes:
    return frame(0x81, words.encode())


class Library:
    """What wsproto makes of bytes: messages, other events, and at last an error."""

    def __init__(self) -> None:
        self.connection = Connection(ConnectionType.CLIENT)
        self.messages: list[str | bytes] = []
        self.others: list[tuple[str, object]] = []
        self.error = ""
        self._parts: list[str | bytes] = []

    def feed(self, data: bytes | bytearray) -> None:
        if self.error:
            return
        try:
            self.connection.receive_data(bytes(data))
            for event in self.connection.events():
                if isinstance(event, TextMessage | BytesMessage):
                    self._parts.append(event.data if isinstance(event, TextMessage) else bytes(event.data))
                    if event.message_finished:
                        parts, self._parts = self._parts, []
                        whole: str | bytes = (
                            "".join(part for part in parts if isinstance(part, str))
                            if isinstance(parts[0], str)
                            else b"".join(part for part in parts if isinstance(part, bytes))
                        )
                        self.messages.append(whole)
                elif isinstance(event, Ping | Pong):
                    self.others.append((type(event).__name__, bytes(event.payload)))
                elif isinstance(event, CloseConnection):
                    self.others.append(("close", (event.code, event.reason)))
                    self.error = "closed"
        except RemoteProtocolError as exc:
            self.error = str(exc)


def chunks(data: bytes, cuts: Iterable[int]) -> Iterable[bytes]:
    start = 0
    for cut in sorted({cut for cut in cuts if 0 < cut < len(data)}):
        yield data[start:cut]
        start = cut
    yield data[start:]


SIMPLE = st.one_of(
    st.text(max_size=200).map(text),
    st.sampled_from([125, 126, 127, 65_535, 65_536]).map(lambda size: frame(0x81, b"x" * size)),
    st.binary(max_size=300).map(lambda payload: frame(0x82, payload)),
    st.binary(max_size=125).map(lambda payload: frame(0x89, payload)),
    st.binary(max_size=20).map(lambda payload: frame(0x8A, payload)),
)
ODD = st.sampled_from(
    [
        frame(0x01, b"half ") + frame(0x89, b"amid") + frame(0x80, b"whole"),
        frame(0x02, b"half ") + frame(0x00, b"and ") + frame(0x80, b"half"),
        frame(0x81, b"\xff\xfe"),
        frame(0x81, b"short", width=2),
        frame(0x81, b"short", width=8),
        frame(0x81, b"masked", masked=True),
        frame(0x81, b"m" * 126, masked=True),
        frame(0xC1, b"reserved bit"),
        frame(0x83, b"reserved opcode"),
        frame(0x88, b"\x03\xe8bye"),
        frame(0x88, b""),
        frame(0x89, b"p" * 126),
        frame(0x09, b"a ping in parts"),
        frame(0x80, b"continues nothing"),
    ]
)


@settings(max_examples=200, deadline=None)
@given(
    frames=st.lists(st.one_of(SIMPLE, SIMPLE, SIMPLE, ODD), max_size=12),
    cuts=st.lists(st.integers(0, 2_000), max_size=30),
    torn=st.integers(0, 8),
)
@example(frames=[frame(0x81, b"half", masked=True)[:3]], cuts=[], torn=0)
@example(frames=[text("a"), text("b")], cuts=list(range(1, 100)), torn=0)
@example(frames=[frame(0x81, b"\xff\xfe")], cuts=[], torn=1)
@example(frames=[frame(0x81, b"\xd0\xd0never whole")], cuts=list(range(1, 100)), torn=3)
@example(frames=[frame(0x81, "ы".encode() * 9)], cuts=list(range(1, 100)), torn=1)
@example(frames=[frame(0x81, b"x" * 126), frame(0x81, b"y" * 65_536)], cuts=list(range(1, 200)), torn=1)
def test_whatever_comes_in_whatever_pieces_the_library_alone_would_have_said_the_same(
    frames: list[bytes], cuts: list[int], torn: int
) -> None:
    data = b"".join(frames)
    data = data[: len(data) - torn]
    alone, behind, sieve = Library(), Library(), Sieve(LIMIT)
    passed = bytearray()

    pieces = list(chunks(HEAD + data, cuts))
    for piece in pieces:
        passed += sieve.feed(piece)
    assert passed.startswith(HEAD)
    behind.feed(bytes(passed[len(HEAD) :]))
    alone.feed(data)

    assert [*sieve.messages, *behind.messages] == alone.messages
    assert behind.others == alone.others
    assert behind.error == alone.error


def test_a_frame_above_the_limit_is_the_librarys_business_at_once() -> None:
    sieve = Sieve(100)
    sieve.feed(HEAD)

    begun = frame(0x81, b"y" * 101)[:4]

    assert sieve.feed(text("fits")) == b""
    assert sieve.feed(begun) == begun
    assert sieve.off
    assert sieve.feed(text("after")) == text("after")
    assert list(sieve.messages) == ["fits"]


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\n\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\n\r\n",
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1_000])
def test_after_any_other_answer_everything_goes_to_the_library(head: bytes, size: int) -> None:
    sieve, data = Sieve(LIMIT), head + text("a") + text("b")

    passed = b"".join(sieve.feed(data[start : start + size]) for start in range(0, len(data), size))

    assert passed == data
    assert not sieve.messages


async def _opened(far: trio.abc.Stream, near: trio.abc.Stream) -> Tap:
    tap = Tap(near, LIMIT)
    await far.send_all(HEAD)
    assert await tap.receive_some() == HEAD
    tap.opened()
    return tap


async def test_a_stream_that_brings_more_than_is_taken_is_not_read_on(autojump_clock: object) -> None:
    near, far = trio.testing.memory_stream_pair()
    tap = await _opened(far, near)
    reads: list[bytes] = []

    async def library() -> None:
        while data := await tap.receive_some():
            reads.append(bytes(data))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(library)
        await far.send_all(b"".join(text(str(number)) for number in range(300)))
        await trio.testing.wait_all_tasks_blocked()
        await far.send_all(frame(0x89, b"ping"))
        await trio.testing.wait_all_tasks_blocked()
        assert reads == []

        taken = [await tap.next() for _ in range(300)]
        await trio.testing.wait_all_tasks_blocked()

        assert taken == [str(number) for number in range(300)]
        assert reads == [frame(0x89, b"ping")]
        nursery.cancel_scope.cancel()


async def test_once_messages_are_discarded_they_hold_nothing_up(autojump_clock: object) -> None:
    near, far = trio.testing.memory_stream_pair()
    tap = await _opened(far, near)
    reads: list[bytes] = []

    async def library() -> None:
        reads.append(bytes(await tap.receive_some()))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(library)
        await far.send_all(b"".join(text(str(number)) for number in range(300)))
        await trio.testing.wait_all_tasks_blocked()

        tap.discard()
        await far.send_all(text("more") + frame(0x88, b"\x03\xe8"))

    assert reads == [frame(0x88, b"\x03\xe8")]
    tap.end()
    assert await tap.next() is None


async def test_who_waits_for_a_message_is_told_when_none_will_come_this_way(autojump_clock: object) -> None:
    near, _far = trio.testing.memory_stream_pair()
    tap = Tap(near, LIMIT)
    got: list[object] = []

    async def take() -> None:
        got.append(await tap.next())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take)
        await trio.testing.wait_all_tasks_blocked()
        assert got == []
        tap.end()

    assert got == [None]


async def test_an_answer_that_goes_on_and_on_is_given_up(autojump_clock: object) -> None:
    near, far = trio.testing.memory_stream_pair()
    tap = Tap(near, LIMIT)
    await far.send_all(b"x" * (MAX_OPENING + 1))

    async def read_all() -> None:
        while True:
            await tap.receive_some()

    with pytest.raises(ConnectionLost, match="without answering the upgrade"):
        await read_all()


async def test_what_is_sent_goes_straight_through(autojump_clock: object) -> None:
    near, far = trio.testing.memory_stream_pair()
    tap = Tap(near, LIMIT)

    await tap.wait_send_all_might_not_block()
    await tap.send_all(b"up")
    await tap.aclose()

    assert await far.receive_some() == b"up"
    assert await far.receive_some() == b""

from __future__ import annotations

import pytest

from strategykit.errors import ConnectionLost
from strategykit.net.inbox import MAX_WAITING, MAX_WAITING_BYTES, Inbox, Input, InputKind


class Bell:
    """Counts how often it was rung."""

    rings = 0

    def __call__(self) -> None:
        self.rings += 1


def frame(text: str = "{}") -> Input:
    return Input(InputKind.FRAME, "market-0", 1, text)


def test_inputs_wait_in_the_order_in_which_they_came() -> None:
    inbox = Inbox(Bell())
    for text in "abc":
        inbox.put_nowait(frame(text))

    assert [item.payload for item in inbox.waiting] == ["a", "b", "c"]
    assert inbox.most == 3


def test_only_an_empty_inbox_wakes_its_reader() -> None:
    bell = Bell()
    inbox = Inbox(bell)
    inbox.put_nowait(frame())
    inbox.put_nowait(frame())
    assert bell.rings == 1

    inbox.waiting.clear()
    inbox.put_nowait(frame())

    assert bell.rings == 2
    assert inbox.most == 2


def test_a_backlog_drops_the_connection_but_control_still_fits() -> None:
    """A wire that is faster than the program must end as a gap that is told, not as data that is ever older."""
    inbox = Inbox(Bell())
    one = frame()
    for _ in range(MAX_WAITING):
        inbox.put_nowait(one)

    with pytest.raises(ConnectionLost, match=f"market-0: {MAX_WAITING} inputs wait"):
        inbox.put_nowait(one)
    inbox.put_nowait(Input(InputKind.CLOSED, "market-0", 2, "too slow"))

    assert inbox.waiting[-1].kind is InputKind.CLOSED


def test_few_frames_that_fill_the_memory_drop_the_connection_too() -> None:
    """Books of a megabyte reach no count: 200,000 of them would be 200 GB."""
    inbox = Inbox(Bell())
    quarter = frame("x" * (MAX_WAITING_BYTES // 4 - 1000))
    for _ in range(4):
        inbox.put_nowait(quarter)

    with pytest.raises(ConnectionLost, match=r"market-0: 3.. MiB wait to be dispatched, of at most 256 MiB"):
        inbox.put_nowait(quarter)

    assert len(inbox.waiting) == 5  # It is on record: what is counted there is dispatched.
    inbox.put_nowait(Input(InputKind.CLOSED, "market-0", 2, "too slow"))
    assert inbox.waiting[-1].kind is InputKind.CLOSED


def test_what_was_taken_makes_room() -> None:
    inbox = Inbox(Bell())
    half = frame("x" * (MAX_WAITING_BYTES // 2 - 1000))
    for _ in range(3):
        inbox.put_nowait(half)
        inbox.put_nowait(half)
        assert (inbox.take(), inbox.take()) == (half, half)
    assert inbox.bytes == 0

    inbox.put_nowait(half)
    inbox.waiting.clear()
    inbox.put_nowait(frame())

    assert inbox.bytes < 1000

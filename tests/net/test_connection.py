"""One session: what is read, written, beaten, renewed and told, and in which order."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import attrs
import pytest
import trio
import trio.testing

from strategykit.errors import ConfigError, ConnectionLost, LoginRefused
from strategykit.net.connection import Connection, open_connection
from strategykit.net.inbox import MAX_WAITING, Inbox, Input, InputKind
from strategykit.net.link import Link
from strategykit.net.outbox import MAX_UNSENT

if TYPE_CHECKING:
    from trio_websocket import WebSocketConnection

    from tests.net.conftest import Rig, Venue

NOON = 1_773_000_000_000_000_000


async def _until_lost(rig: Rig, link: Link) -> None:
    """Open a session and stay until it ends."""
    async with open_connection(link, rig.wiring):
        await trio.sleep_forever()


def _lost(words: str) -> pytest.RaisesGroup[ConnectionLost]:
    return pytest.RaisesGroup(pytest.RaisesExc(ConnectionLost, match=words), flatten_subgroups=True)


# Reading


async def test_what_comes_is_stamped_recorded_and_queued_in_order(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    async def far_end() -> None:
        far = await venue.session()
        await trio.sleep(1)
        await far.send_message("one")
        await trio.sleep(2)
        await far.send_message(b"two")
        await far.aclose()

    nursery.start_soon(far_end)
    link = rig.link()
    with _lost("code 1000"):
        await _until_lost(rig, link)

    opened, one, two, closed = rig.inbox.waiting
    assert (opened.kind, opened.payload, opened.status, opened.receive_time) == (InputKind.OPENED, "market", 1, NOON)
    assert (one.kind, one.payload, one.receive_time, one.connection) == (
        InputKind.FRAME,
        "one",
        NOON + 1_000_000_000,
        "market-0",
    )
    assert (two.payload, two.receive_time) == (b"two", NOON + 3_000_000_000)
    assert (closed.kind, closed.status) == (InputKind.CLOSED, 1)
    assert "code 1000" in str(closed.payload)
    assert rig.memory.told == [
        ("protect", "token-1"),
        ("opened", "market-0", NOON, "market", "ws://127.0.0.1:8900/ws", 1),
        ("in", "market-0", one.receive_time, "one"),
        ("in", "market-0", two.receive_time, b"two"),
        ("closed", "market-0", closed.receive_time, closed.payload),
    ]
    assert rig.woken == 1
    counts = link.statistics
    assert (counts.sessions, counts.frames_in, counts.bytes_in, counts.frames_out) == (1, 2, 6, 0)
    assert (counts.last_frame_time, counts.longest_silence) == (two.receive_time, 2_000_000_000)


async def test_the_recorder_has_each_thing_before_the_inbox_has_it(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    seen: list[tuple[object, ...]] = []

    class Watched(Inbox):
        def put_nowait(self, item: Input) -> None:
            seen.append((item.kind.value, rig.memory.kinds()[-1]))

    wiring = attrs.evolve(rig.wiring, inbox=Watched(lambda: None))

    async def far_end() -> None:
        far = await venue.session()
        await far.send_message("x")
        await far.aclose()

    nursery.start_soon(far_end)
    with _lost("code 1000"):
        async with open_connection(rig.link(), wiring):
            await trio.sleep_forever()
    assert seen == [("opened", "opened"), ("frame", "in"), ("closed", "closed")]


async def test_pings_are_answered_while_nobody_empties_the_inbox(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    """Trap: with its queue full, trio-websocket reads nothing, so it answers nothing, and the venue hangs up."""
    nursery.start_soon(_until_lost_quietly, rig, rig.link())
    far = await venue.session()
    for number in range(5000):
        await far.send_message(str(number))
    with trio.fail_after(1):
        await far.ping()
    assert [payload for kind, payload in rig.came() if kind == "frame"] == [str(number) for number in range(5000)]


async def _until_lost_quietly(rig: Rig, link: Link) -> None:
    with pytest.raises(ExceptionGroup):
        await _until_lost(rig, link)


async def test_an_inbox_that_nobody_empties_ends_the_session_at_its_bound(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    rig.inbox.waiting.extend([Input(InputKind.FRAME, "other", 0, "")] * (MAX_WAITING - 2))

    async def far_end() -> None:
        far = await venue.session()
        for text in ("fits", "is the one too much"):
            await far.send_message(text)

    nursery.start_soon(far_end)
    with _lost("too slow for this feed"):
        await _until_lost(rig, rig.link())
    assert [kind for kind, _ in rig.came()][-4:] == ["opened", "frame", "frame", "closed"]


async def test_a_wire_that_never_waits_still_lets_others_run(rig: Rig, autojump_clock: object) -> None:
    class Torrent:
        close_reason = ""

        async def receive(self) -> str:  # No checkpoint: everything is there already.
            return "x"

        async def send(self, frame: str | bytes) -> None:
            await trio.lowlevel.checkpoint()

        async def ping(self) -> None:
            await trio.lowlevel.checkpoint()

    connection = Connection(rig.link(), rig.wiring, Torrent())
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as tasks:
            tasks.start_soon(connection.read)
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()
            scope.cancel()
    assert 0 < len(rig.inbox.waiting) <= 200


# Writing


async def test_a_frame_is_made_with_the_token_that_is_newest_when_its_turn_comes(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    far = None

    async def far_end() -> None:
        nonlocal far
        far = await venue.session()

    nursery.start_soon(far_end)
    async with open_connection(rig.link(), rig.wiring) as connection:
        assert connection.send_nowait(lambda token: [f"first {token}"])
        await trio.testing.wait_all_tasks_blocked()
        rig.tokens.invalidate("token-1")
        assert connection.send_nowait(lambda token: [f"second {token}"])
        assert connection.send_nowait("as it is")
        assert far is not None
        got = [await far.get_message() for _ in range(3)]
    assert got == ["first token-1", "second token-2", "as it is"]
    out = [entry for entry in rig.memory.told if entry[0] in ("protect", "out")]
    assert [entry[-1] for entry in out] == ["token-1", "first token-1", "token-2", "second token-2", "as it is"]


async def test_a_frame_that_needs_no_token_waits_for_none(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    sessions: list[WebSocketConnection] = []

    async def far_end() -> None:
        sessions.append(await venue.session())

    nursery.start_soon(far_end)
    async with open_connection(rig.link(), rig.wiring) as connection:
        rig.tokens.invalidate("token-1")
        rig.service.next.append(trio.sleep_forever)
        connection.send_nowait("an order")
        await trio.testing.wait_all_tasks_blocked()
        with trio.fail_after(1):
            assert await sessions[0].get_message() == "an order"
    assert rig.service.asked == 1


async def test_nothing_is_taken_for_a_session_that_ends(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    nursery.start_soon(venue.serve)
    link = rig.link()
    with _lost("the gateway wants it"):
        async with open_connection(link, rig.wiring) as connection:
            connection.drop("the gateway wants it")
            connection.drop("a second reason")
            assert not connection.send_nowait("too late")
            assert link.session is connection
            await trio.sleep_forever()
    assert not connection.send_nowait("much too late")
    assert link.session is None
    assert rig.came()[-1] == ("closed", "the gateway wants it")


async def test_a_session_whose_owner_has_left_takes_nothing(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    nursery.start_soon(venue.serve)
    async with open_connection(rig.link(), rig.wiring) as connection:
        pass
    assert not connection.send_nowait("too late")
    assert rig.came()[-1] == ("closed", "closed by us")


async def test_a_line_of_unsent_frames_has_an_end_and_ends_the_session(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    nursery.start_soon(venue.serve)
    with _lost("doesn't read"):
        async with open_connection(rig.link(), rig.wiring) as connection:
            sent = sum(connection.send_nowait("x") for _ in range(MAX_UNSENT + 10))
            assert sent == MAX_UNSENT
            await trio.sleep_forever()


# Beating


async def test_a_half_open_wire_is_found_within_ping_and_pong(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    async def far_end() -> None:
        stream = await venue.call()
        await venue.upgrade(stream)  # From now on it takes everything and brings nothing.

    nursery.start_soon(far_end)
    with _lost("no pong within 10 s"):
        await _until_lost(rig, rig.link())
    closed = rig.inbox.waiting[-1]
    assert closed.kind is InputKind.CLOSED
    assert closed.receive_time == NOON + 30_000_000_000


async def test_a_venue_that_stops_reading_is_found_too(rig: Rig, autojump_clock: object) -> None:
    """A send that blocks for ever keeps the ping from leaving; its deadline counts all the same."""

    class Stuck:
        close_reason = ""

        async def receive(self) -> str:
            await trio.sleep_forever()

        async def send(self, frame: str | bytes) -> None:
            await trio.sleep_forever()

        async def ping(self) -> None:
            await trio.sleep_forever()

    connection = Connection(rig.link(), rig.wiring, Stuck())
    connection.send_nowait("x")
    with _lost("no pong"):
        async with trio.open_nursery() as tasks:
            tasks.start_soon(connection.write)
            tasks.start_soon(connection.read)
            tasks.start_soon(connection.ping)
    assert trio.current_time() == pytest.approx(30)


async def test_a_quiet_venue_that_answers_pings_is_left_in_peace(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    nursery.start_soon(venue.serve)
    with trio.move_on_after(86_400) as day:
        await _until_lost(rig, rig.link())
    assert day.cancelled_caught
    assert rig.came() == [("opened", "market"), ("closed", "closed by us")]


# Opening


async def test_the_whole_opening_has_one_deadline(rig: Rig, venue: Venue, autojump_clock: object) -> None:
    """Trap: TCP is accepted and the upgrade never answered. The library's own timeout doesn't fire."""
    with pytest.raises(ConnectionLost, match="within 10 s"):
        await _until_lost(rig, rig.link())
    assert trio.current_time() == pytest.approx(10)
    assert venue.open == 0
    assert rig.came() == []


async def test_a_login_that_is_never_answered_falls_under_that_deadline(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    async def far_end() -> None:
        request = await venue.request()
        await trio.sleep(6)
        await request.accept()

    nursery.start_soon(far_end)
    with pytest.raises(ConnectionLost, match="within 10 s"):
        await _until_lost(rig, rig.link("commands"))
    assert trio.current_time() == pytest.approx(10, abs=0.2)
    assert venue.open == 0
    assert rig.memory.kinds() == ["protect", "out"]


async def test_the_deadline_ends_with_the_opening(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    async def far_end() -> None:
        request = await venue.request()
        await trio.sleep(9.9)
        await request.accept()

    nursery.start_soon(far_end)
    async with open_connection(rig.link(), rig.wiring):
        await trio.sleep(100)


async def test_a_deadline_that_passes_with_the_last_byte_of_the_login_counts(
    rig: Rig, autojump_clock: trio.testing.MockClock
) -> None:
    """Told as open, a session must not end for the opening's deadline."""

    class Late:
        close_reason = ""
        sent = ""

        async def receive(self) -> str:
            autojump_clock.jump(10)
            return json.dumps({"reply": json.loads(self.sent)["login"], "code": 200})

        async def send(self, frame: str | bytes) -> None:
            self.sent = str(frame)

        async def ping(self) -> None:
            await trio.lowlevel.checkpoint()

    @asynccontextmanager
    async def dial(url: str, headers: Mapping[str, str]) -> AsyncGenerator[Late]:
        yield Late()

    with pytest.raises(ConnectionLost, match="within 10 s"):
        async with open_connection(rig.link("commands"), attrs.evolve(rig.wiring, dial=dial)):
            raise AssertionError("it must not open")
    assert rig.came() == []


# Logging in


async def test_a_lane_that_needs_it_is_logged_in_before_it_is_told_open(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    nursery.start_soon(venue.logged_in)
    async with open_connection(rig.link("commands"), rig.wiring):
        pass
    login, reply = (entry[-1] for entry in rig.memory.told[1:3])
    assert json.loads(str(login)) == {"login": "login-commands-0-1-1", "token": "token-1"}
    assert json.loads(str(reply))["code"] == 200
    assert rig.memory.kinds() == ["protect", "out", "in", "opened", "closed"]
    assert rig.came() == [("opened", "commands"), ("closed", "closed by us")]


async def test_frames_that_come_during_the_login_are_handed_on_in_order(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    async def far_end() -> None:
        ws = await venue.session()
        for frame in ("not JSON", '{"data": 1}', '{"reply": "another", "code": 401}'):
            await ws.send_message(frame)
        await venue.accept_login(ws)
        await ws.send_message('{"data": 2}')

    nursery.start_soon(far_end)
    async with open_connection(rig.link("commands"), rig.wiring):
        await trio.testing.wait_all_tasks_blocked()
    assert [payload for _, payload in rig.came()] == [
        "not JSON",
        '{"data": 1}',
        '{"reply": "another", "code": 401}',
        "commands",
        '{"data": 2}',
        "closed by us",
    ]


async def test_a_dead_token_is_renewed_once_at_login(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    tokens: list[str] = []

    async def far_end() -> None:
        ws = await venue.session()
        tokens.append(await venue.answer_login(ws, 401, "Invalid JWT token!"))
        tokens.append(await venue.accept_login(ws))

    nursery.start_soon(far_end)
    async with open_connection(rig.link("commands"), rig.wiring):
        assert tokens == ["token-1", "token-2"]
    assert rig.service.asked == 2


async def test_the_reply_to_a_login_is_handed_on_like_any_other_frame(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    """A venue may say more in it than yes."""
    nursery.start_soon(venue.serve)
    async with open_connection(rig.link("commands"), rig.wiring):
        pass
    assert [kind for kind, _ in rig.all_that_came()] == ["frame", "opened", "closed"]
    assert '"login-commands-0-1-1"' in str(rig.all_that_came()[0][1])


async def test_a_fresh_token_that_is_refused_too_means_that_we_are(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    async def far_end() -> None:
        ws = await venue.session()
        await venue.answer_login(ws, 401)
        await venue.answer_login(ws, 401, "Invalid JWT token!")

    nursery.start_soon(far_end)
    with pytest.RaisesGroup(
        pytest.RaisesExc(LoginRefused, match="Invalid", check=lambda exc: exc.code == 401), flatten_subgroups=True
    ):
        await _until_lost(rig, rig.link("commands"))
    assert rig.service.asked == 2
    assert rig.came() == []


@pytest.mark.parametrize(("code", "error"), [(403, LoginRefused), (400, LoginRefused), (503, ConnectionLost)])
async def test_a_login_that_is_refused_for_another_reason_isnt_tried_again(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object, code: int, error: type[Exception]
) -> None:
    async def far_end() -> None:
        await venue.answer_login(await venue.session(), code)

    nursery.start_soon(far_end)
    with pytest.RaisesGroup(error, flatten_subgroups=True):
        await _until_lost(rig, rig.link("commands"))
    assert rig.service.asked == 1


# Renewing


async def test_a_session_that_needs_a_login_is_renewed_with_its_token(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    tokens: list[str] = []

    async def far_end() -> None:
        ws = await venue.session()
        for _ in range(3):
            tokens.append(await venue.accept_login(ws))
            await ws.send_message(f"after {tokens[-1]}")

    nursery.start_soon(far_end)
    nursery.start_soon(rig.tokens.keep_fresh)
    async with open_connection(rig.link("commands"), rig.wiring) as connection:
        await trio.sleep(2 * 0.8 * 1800 + 1)
        assert connection.send_nowait("still open")
    assert tokens == ["token-1", "token-2", "token-3"]
    frames = [payload for kind, payload in rig.came() if kind == "frame"]
    assert frames == ["after token-1", "after token-2", "after token-3"]


async def test_a_lane_without_a_login_sends_nothing_when_the_token_is_renewed(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    nursery.start_soon(venue.serve)
    nursery.start_soon(rig.tokens.keep_fresh)
    link = rig.link()
    async with open_connection(link, rig.wiring):
        await trio.sleep(7200)
    assert rig.service.asked > 4
    assert link.statistics.frames_out == 0


class Ending:
    """A wire that takes nothing any more, and has something left to say."""

    close_reason = "closed"

    def __init__(self) -> None:
        self.said = False

    async def receive(self) -> str:
        if self.said:
            raise ConnectionLost("closed")
        await trio.sleep(0.05)
        self.said = True
        return "why"

    async def send(self, frame: str | bytes) -> None:
        await trio.lowlevel.checkpoint()
        raise ConnectionLost("closed")

    async def ping(self) -> None:
        await trio.sleep_forever()


async def test_the_last_words_of_a_venue_are_heard_even_if_sending_finds_the_end_first(
    rig: Rig, autojump_clock: object
) -> None:
    @asynccontextmanager
    async def dial(url: str, headers: Mapping[str, str]) -> AsyncGenerator[Ending]:
        await trio.lowlevel.checkpoint()
        yield Ending()

    with _lost("closed"):
        async with open_connection(rig.link(), attrs.evolve(rig.wiring, dial=dial)) as connection:
            connection.send_nowait("an order")
            await trio.sleep_forever()
    assert rig.came() == [("opened", "market"), ("frame", "why"), ("closed", "closed")]


async def test_a_session_that_outlives_its_token_logs_in_once(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    nursery.start_soon(venue.serve)
    nursery.start_soon(rig.tokens.keep_fresh)
    link = rig.link("commands")
    link.lane = attrs.evolve(link.lane, renews=False)
    async with open_connection(link, rig.wiring):
        await trio.sleep(7200)
    assert rig.service.asked > 4
    assert link.statistics.frames_out == 1


async def test_secrets_in_the_reply_to_a_login_are_hidden_before_it_is_recorded(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    async def far_end() -> None:
        ws = await venue.session()
        request = json.loads(await ws.get_message())
        await ws.send_message(json.dumps({"reply": request["login"], "code": 200, "secrets": ["canary"]}))

    nursery.start_soon(far_end)
    async with open_connection(rig.link("commands"), rig.wiring):
        pass
    told = [entry for entry in rig.memory.told if "canary" in str(entry)]
    assert told[0] == ("protect", "canary")
    assert len(told) == 2


async def test_a_renewal_without_a_reply_is_a_loss(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    nursery.start_soon(venue.logged_in)
    nursery.start_soon(rig.tokens.keep_fresh)
    with _lost(r"renewal of the login \(login-commands-0-1-2\) had no reply within 10 s"):
        await _until_lost(rig, rig.link("commands"))
    assert rig.inbox.waiting[-1].receive_time == NOON + (1440 + 10) * 1_000_000_000


async def test_a_renewal_that_is_refused_is_told(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    async def far_end() -> None:
        ws = await venue.session()
        await venue.accept_login(ws)
        await venue.answer_login(ws, 403, "account closed")

    nursery.start_soon(far_end)
    nursery.start_soon(rig.tokens.keep_fresh)
    with pytest.RaisesGroup(LoginRefused, flatten_subgroups=True):
        await _until_lost(rig, rig.link("commands"))
    assert "account closed" in str(rig.came()[-1])


# Ending


async def test_an_error_of_the_owner_is_told_as_the_reason_only_if_it_is_one_of_ours(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object
) -> None:
    nursery.start_soon(venue.serve)
    for error, reason in ((ConfigError("no such file"), "no such file"), (KeyError("x"), "closed by us")):
        with pytest.RaisesGroup(type(error), flatten_subgroups=True):
            async with open_connection(rig.link(), rig.wiring):
                raise error
        assert rig.came()[-1] == ("closed", reason)


@pytest.mark.parametrize("step", range(40))
async def test_cancelled_at_any_moment_open_and_closed_come_as_a_pair_and_nothing_is_left(
    rig: Rig, venue: Venue, nursery: trio.Nursery, autojump_clock: object, step: int
) -> None:
    nursery.start_soon(venue.serve)
    scope = trio.CancelScope()

    async def cancel() -> None:
        for _ in range(step):
            await trio.lowlevel.checkpoint()
        scope.cancel()

    link = rig.link("commands")
    async with trio.open_nursery() as tasks:
        tasks.start_soon(cancel)
        with scope:
            await _until_lost(rig, link)
    assert scope.cancelled_caught
    assert rig.came() in ([], [("opened", "commands"), ("closed", "closed by us")])
    assert venue.open == 0
    assert link.session is None

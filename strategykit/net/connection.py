"""One session on one wire: log in, then read, write, beat and renew until something ends it.

The reader does nothing but stamp, copy and queue: whatever a strategy does, the venue's messages are taken off the
socket and its pings are answered.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Final, NoReturn

import trio

from strategykit.errors import ConnectionLost, LoginRefused, StrategykitError
from strategykit.net.inbox import Input, InputKind
from strategykit.net.link import Job, Link, Wiring
from strategykit.net.outbox import MAX_UNSENT, Outbox
from strategykit.net.wire import Wire
from strategykit.venues.dialect import LOGIN, ErrorClass, Frame, Reply

__all__ = ["CLOSED_BY_US", "Connection", "in_words", "leaves", "open_connection"]

CLOSED_BY_US: Final = "closed by us"
"""Reason of a CLOSED that ends a run: nothing was lost."""

_BREATH: Final = 64
"""Frames after which the reader yields for certain, in case a wire has so many ready that it never waits."""

_SHOWN: Final = 200
"""Characters of a venue's words in a message."""

_LAST_WORDS: Final = 0.2
"""Seconds for the reader to take what came before the end of a wire that was found by sending."""


class Connection:
    """One open session. Made by `open_connection`, which also runs its tasks.

    Attributes:
        number: 1 for the first session of its link.
        token: The one that the last login was made with; empty on a lane that needs none.
    """

    def __init__(self, link: Link, wiring: Wiring, wire: Wire) -> None:
        self.number = link.statistics.sessions + 1
        self._link = link
        self._wiring = wiring
        self._wire = wire
        self._counts = link.statistics
        self._outbox = Outbox()
        self._dropped = trio.Event()
        self._drop_reason = ""
        self._sending = False
        """Whether the wire has been handed a frame and hasn't taken it yet."""
        self._last: int | None = None
        """When the last frame came, or the session opened; nanoseconds."""
        self._logins = 0
        self.token = ""
        self._awaited = ""
        """Guid of the login whose reply the reader looks out for."""
        self._reply: Reply | None = None
        self._replied = trio.Event()

    # For others: plain calls that never wait.

    def send_nowait(self, job: Job, *, urgent: bool = False) -> bool:
        """Put `job` in the line of things to send; False if the session is ending, then nothing of it leaves.

        A line that is full ends the session: its wire takes nothing any more.

        Args:
            job: What to send.
            urgent: Whether it goes before all that isn't.
        """
        if self._dropped.is_set() or self._outbox.closed:
            return False
        if not self._outbox.put(job, urgent=urgent):
            self.drop(f"{MAX_UNSENT} frames wait to be sent: the venue doesn't read")
            return False
        return True

    @property
    def sends(self) -> bool:
        rate = self._link.lane.messages
        return self._sending or (bool(self._outbox) and (rate is None or len(self._link.sent_at) < rate[0]))

    def drop(self, reason: str) -> None:
        """End the session now, as lost; a new one is opened as after any loss."""
        if not self._dropped.is_set():
            self._drop_reason = reason
            self._dropped.set()

    # For `open_connection`, in this order.

    async def log_in(self) -> None:
        """Log in where the lane needs it, reading in place: no other task reads yet."""
        await self._log_in(self._read_reply)

    def tell_opened(self) -> None:
        """Say that the session is open: first to the recorder, then in the inbox."""
        now = self._last = self._wiring.stamp()
        self._counts.sessions = self.number
        self._counts.state = "open"
        self._link.session = self
        name, lane = self._link.name, self._link.lane.name
        self._wiring.recorder.opened(name, now, lane, self._link.url, self.number)
        self._wiring.inbox.put_nowait(Input(InputKind.OPENED, name, now, lane, status=self.number))
        if self._wiring.session_tokens is not None:
            self._wiring.session_tokens.opened(self)

    async def read(self) -> NoReturn:
        """Take every message off the wire at once: stamp, copy, queue."""
        while True:
            for _ in range(_BREATH):
                frame = await self._wire.receive()
                if self._awaited:
                    self._find_reply(frame, self._awaited)
                self._hand_on(frame, self._took(frame))
            await trio.lowlevel.checkpoint()

    async def write(self) -> NoReturn:
        """Send what was put in the line, in its order, each with the token that is newest when its turn comes."""
        while True:
            await self._wait_turn()  # Before the next one is chosen: what is urgent may come meanwhile.
            job = await self._outbox.get()
            frames = (job,) if isinstance(job, str | bytes) else job(await self._wiring.tokens.get())
            for frame in frames:
                await self._wait_turn()
                self._count_turn()
                await self._send(frame)

    async def ping(self) -> None:
        """Find a wire that takes everything and brings nothing."""
        lane = self._link.lane
        while lane.ping_every is not None:
            await trio.sleep(lane.ping_every)
            with trio.move_on_after(lane.pong_within) as waiting:
                await self._wire.ping()
            if waiting.cancelled_caught:
                raise ConnectionLost(f"no pong within {lane.pong_within:g} s: the wire is dead")

    async def beat(self) -> None:
        """Send the heartbeats that the venue wants."""
        every = self._link.lane.beat_every
        while every is not None:
            await trio.sleep(every)
            await self._send(self._wiring.dialect.beat(self._wiring.stamp()))

    async def listen_for_silence(self) -> None:
        """Find a venue that should say something every so often, and doesn't."""
        within = self._link.lane.silence_within
        while within is not None and self._last is not None:
            quiet = (self._wiring.stamp() - self._last) * 1e-9
            if quiet >= within:
                raise ConnectionLost(f"no message within {within:g} s: the wire is dead")
            await trio.sleep(within - quiet)

    async def renew(self) -> None:
        """Log in again whenever the token was renewed, for a session that would die with its token."""
        await trio.lowlevel.checkpoint()
        while self.token and self._link.lane.renews:
            await self._wiring.tokens.wait_renewed(self.token)
            await self._log_in(self._wait_reply)

    async def end_when_dropped(self) -> NoReturn:
        await self._dropped.wait()
        raise ConnectionLost(self._drop_reason)

    def tell_closed(self, reason: str) -> None:
        """Say that the session is over, after its last frame: first to the recorder, then in the inbox."""
        self._link.session = None
        if self._wiring.session_tokens is not None:
            self._wiring.session_tokens.closed(self)
        self._counts.reason = reason
        self._outbox.close()
        now = self._wiring.stamp()
        self._wiring.recorder.closed(self._link.name, now, reason)
        self._wiring.inbox.put_nowait(Input(InputKind.CLOSED, self._link.name, now, reason, status=self.number))

    # Frames

    def _took(self, frame: Frame) -> int:
        now = self._wiring.stamp()
        if self._wiring.session_tokens is not None:
            self._hide(self._wiring.session_tokens.look(frame))
        self._wiring.recorder.frame_in(self._link.name, now, frame)
        counts = self._counts
        counts.frames_in += 1
        counts.bytes_in += len(frame)
        counts.last_frame_time = now
        if self._last is not None:
            counts.longest_silence = max(counts.longest_silence, now - self._last)
            self._last = now
        return now

    def _hand_on(self, frame: Frame, now: int) -> None:
        self._wiring.inbox.put_nowait(Input(InputKind.FRAME, self._link.name, now, frame))

    async def _wait_turn(self) -> None:
        """Wait until one more message is within the lane's rate."""
        rate = self._link.lane.messages
        if rate is None:
            return
        (most, seconds), sent_at = rate, self._link.sent_at
        while len(sent_at) >= most:
            await trio.sleep_until(sent_at[0] + seconds)
            sent_at.popleft()

    def _count_turn(self) -> None:
        if self._link.lane.messages is not None:
            self._link.sent_at.append(trio.current_time())

    async def _send(self, frame: Frame) -> None:
        # Recorded first, with no checkpoint between: whatever may have left is on record.
        self._wiring.recorder.frame_out(self._link.name, self._wiring.stamp(), frame)
        self._counts.frames_out += 1
        self._counts.bytes_out += len(frame)
        self._sending = True
        try:
            await self._wire.send(frame)
        except ConnectionLost:
            # The reader finds the end, too, but after the venue's last words, which may say why.
            await trio.sleep(_LAST_WORDS)
            raise
        finally:
            self._sending = False

    # Logins

    async def _log_in(self, wait_reply: Callable[[str], Awaitable[Reply]]) -> None:
        tokens, dialect = self._wiring.tokens, self._wiring.dialect
        may_retry = True
        while True:
            token = await tokens.get()
            self._logins += 1
            guid = f"{LOGIN}{self._link.name}-{self.number}-{self._logins}"
            frame = dialect.login(self._link.lane.name, guid=guid, token=token)
            if frame is None:
                return
            self.token = token
            self._awaited, self._reply, self._replied = guid, None, trio.Event()
            link = self._link
            if link.login_sent is not None:
                link.stray_login = link.login_sent
            link.login_sent = trio.current_time()
            await self._send(frame)
            reply = await wait_reply(guid)
            self._awaited, link.login_sent = "", None
            if reply.ok:
                return
            asks = dialect.classify(reply.code)
            words = f"the login was refused with code {reply.code}: {reply.message[:_SHOWN]!r}"
            if asks is ErrorClass.RETRY:
                raise ConnectionLost(words)
            if asks is ErrorClass.STOP or not may_retry:
                raise LoginRefused(words, code=reply.code, words=reply.message)
            # A token can be dead before its time, once; a fresh one that is refused means that we are.
            tokens.invalidate(token)
            may_retry = False

    async def _read_reply(self, guid: str) -> Reply:
        while True:
            frame = await self._wire.receive()
            found = self._find_reply(frame, guid)
            self._hand_on(frame, self._took(frame))
            if found:
                assert self._reply is not None
                return self._reply

    async def _wait_reply(self, guid: str) -> Reply:
        within = self._wiring.timing.open_within
        with trio.move_on_after(within):
            await self._replied.wait()
        if self._reply is None:
            raise ConnectionLost(f"the renewal of the login ({guid}) had no reply within {within:g} s")
        return self._reply

    def _find_reply(self, frame: Frame, guid: str) -> bool:
        reply = self._wiring.dialect.login_reply(frame, guid)
        if reply is None:
            return False
        self._hide(reply.secrets)
        self._reply = reply
        self._replied.set()
        return True

    def _hide(self, secrets: tuple[str, ...]) -> None:
        """See to it that nobody sees what a frame holds: before it is recorded."""
        for secret in secrets:
            self._wiring.recorder.protect(secret, passing=True)


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Give the errors in a group, however deep; an error that is no group gives itself."""
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from leaves(part)
    else:
        yield error


def in_words(error: BaseException) -> str:
    """Give what a group of errors says, each thing once."""
    return "; ".join(dict.fromkeys(str(leaf) for leaf in leaves(error)))


@asynccontextmanager
async def open_connection(link: Link, wiring: Wiring) -> AsyncGenerator[Connection]:
    """Connect and log in, tell it, and yield the session while its tasks run. Checkpoints on entry and exit.

    Name, TCP, TLS, upgrade and login together have `Timing.open_within`. What comes during a login, its reply included,
    is recorded and put in the inbox as it comes, so before the OPENED. Once OPENED was told, CLOSED is told, after the
    session's last frame and whatever ended it.

    Args:
        link: Holds the session while it is open.
        wiring: Where frames go and tokens come from.

    Raises:
        ConnectionLost: It couldn't be opened, or ended. Errors come in a group.
        LoginRefused: The venue doesn't accept us.
        ConfigError: The address or certificate is wrong.
    """
    opening = trio.CancelScope(relative_deadline=wiring.timing.open_within)
    with opening:
        headers = wiring.dialect.upgrade_headers(link.lane.name, token=await wiring.tokens.get())
        async with wiring.dial(link.url, headers) as wire:
            connection = Connection(link, wiring, wire)
            await connection.log_in()
            if opening.cancel_called:  # The last moment: from here on this scope must not cancel any more.
                await trio.lowlevel.checkpoint()
            opening.deadline = float("inf")
            connection.tell_opened()
            reason = CLOSED_BY_US
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(connection.read)
                    nursery.start_soon(connection.write)
                    nursery.start_soon(connection.ping)
                    nursery.start_soon(connection.beat)
                    nursery.start_soon(connection.listen_for_silence)
                    nursery.start_soon(connection.renew)
                    nursery.start_soon(connection.end_when_dropped)
                    yield connection
                    # Its tasks go first: the reader would report our own close as a lost connection.
                    nursery.cancel_scope.cancel()
            except* StrategykitError as errors:
                reason = in_words(errors)
                raise
            finally:
                connection.tell_closed(reason)
    if opening.cancelled_caught:
        raise ConnectionLost(f"wasn't open and logged in within {wiring.timing.open_within:g} s")

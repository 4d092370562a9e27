"""Recording a run: what the wires saw, with secrets taken out before anything is kept."""

from __future__ import annotations

import secrets as random_ids
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import attrs
import trio

from strategykit.errors import TapeError
from strategykit.tape.disk import Disk, RealDisk, in_words, lock_tape, sync_directory
from strategykit.tape.format import (
    BODY_AT,
    HEAD,
    MAX_BODY,
    SEGMENT_NAME,
    TAIL,
    Kind,
    TapeHeader,
    bytes_of,
    encode_json,
    encode_record,
    shown,
)
from strategykit.tape.reader import MARK_BODY
from strategykit.tape.redact import Redactor
from strategykit.tape.spool import Spool, TapeLimits

__all__ = ["TapeWriter", "open_tape_writer"]

_MAX_CONNECTIONS: Final = (1 << 16) - 1
_IN: Final = Kind.IN.value
_OUT: Final = Kind.OUT.value
_IN_BINARY: Final = Kind.IN_BINARY.value
_OUT_BINARY: Final = Kind.OUT_BINARY.value
_pack_head: Final = HEAD.pack
_pack_tail: Final = TAIL.pack


class TapeWriter:
    """The recorder's front. Its calls don't block, and a failing disk doesn't make them raise: trading goes on.

    Times are nanoseconds UTC, and may go back. Connections are known by name.

    Attributes:
        failed: Why recording has stopped; None while it hasn't. What comes afterwards is only counted.
        dropped: Records that weren't kept, because recording had stopped or ended.
    """

    def __init__(
        self, now: Callable[[], int], limits: TapeLimits, redactor: Redactor, scope: trio.CancelScope | None
    ) -> None:
        self.failed: TapeError | None = None
        self.dropped = 0
        self.names: list[str] = []
        """Connections in the order of their first use; the first has number 1."""
        self._now = now
        self._limits = limits
        self._redactor = redactor
        self._failing = trio.Event()
        self._scope = scope
        self._token = trio.lowlevel.current_trio_token()
        self._spool: Spool | None = None
        """None before recording has begun, after it has ended, and once it has failed."""
        self._numbers = {"": 0}
        self._seq = 0
        self._taken = 0
        self._crowded_at = limits.batch_bytes

    @property
    def waiting(self) -> int:
        """Bytes that were taken and aren't written yet; 0 where nothing is recorded any more."""
        return 0 if self._spool is None else self._taken - self._spool.written

    def protect(self, secret: str, *, passing: bool = False) -> None:
        """Keep `secret` out of everything that is recorded from now on; tokens before they are used, as `passing`."""
        self._redactor.protect(secret, passing=passing)

    async def wait_failed(self) -> TapeError:
        """Wait until recording has stopped by a failure, and say by which."""
        await self._failing.wait()
        assert self.failed is not None
        return self.failed

    def frame_in(self, connection: str, time: int, frame: str | bytes) -> None:
        """Record a frame as it arrived, before anything is made of it."""
        if isinstance(frame, str):
            for secret in self._redactor.texts:  # What `Redactor.text` does, without a call where there is nothing.
                if secret in frame:
                    frame = self._redactor.text(frame)
            self._put(_IN, time, connection, frame.encode("utf-8", "surrogatepass"))
        else:
            self._put(_IN_BINARY, time, connection, self._redactor.binary(frame))

    def frame_out(self, connection: str, time: int, frame: str | bytes) -> None:
        """Record a frame that is about to be sent."""
        if isinstance(frame, str):
            self._put(_OUT, time, connection, bytes_of(self._redactor.text(frame)))
        else:
            self._put(_OUT_BINARY, time, connection, self._redactor.binary(frame))

    def opened(self, connection: str, time: int, lane: str, url: str, session: int | str = "") -> None:
        """Record that a connection works; `session` tells its successive openings apart."""
        self._put_facts(Kind.OPENED, time, {"lane": lane, "url": url, "session": session}, connection)

    def closed(self, connection: str, time: int, reason: str) -> None:
        self._put_facts(Kind.CLOSED, time, {"reason": self._redactor.words(reason)}, connection)

    def answer(self, ask: Mapping[str, Any], time: int, status: int, body: str | bytes) -> None:
        """Record an HTTP answer. The answer to a login holds a secret that nobody knows yet: `protect` it first."""
        line = encode_json({"ask": self._redactor.value(ask), "status": status})
        raw = bytes_of(body) if isinstance(body, str) else body
        self._put(Kind.ANSWER, time, "http", line + b"\n" + self._redactor.bytes(raw))

    def subscription(self, time: int, facts: Mapping[str, Any]) -> None:
        """Record a change in the guid table: ``guid``, ``stream``, ``connection``, ``owners``."""
        self._put_facts(Kind.SUBSCRIPTION, time, facts)

    def command(self, time: int, facts: Mapping[str, Any]) -> None:
        """Record an order command: ``strategy``, ``command``."""
        self._put_facts(Kind.COMMAND, time, facts)

    def mark(self, time: int, count: int) -> None:
        """Record the run clock's reading when a slice of inputs is dispatched, and how many inputs are in it."""
        self._put(Kind.MARK, time, "", MARK_BODY.pack(time, count))

    def gap(self, time: int, facts: Mapping[str, Any]) -> None:
        """Record a hole in the data: ``guid``, ``since``, ``until``, ``reason``."""
        self._put_facts(Kind.GAP, time, facts)

    def note(self, words: str, facts: Mapping[str, Any] | None = None) -> None:
        """Record a remark, as of now."""
        self._put_facts(Kind.NOTE, self._now(), {"note": self._redactor.words(words), **(facts or {})})

    def summary(self, facts: Mapping[str, Any]) -> None:
        """Record the run's result, as of now."""
        self._put_facts(Kind.SUMMARY, self._now(), facts)

    def _put_facts(self, kind: Kind, time: int, facts: Mapping[str, Any], connection: str = "") -> None:
        self._put(kind, time, connection, encode_json(self._redactor.value(facts)))

    def _put(self, kind: int, time: int, connection: str, body: bytes) -> None:
        spool = self._spool
        if spool is None:
            self.dropped += 1
            return
        number = self._numbers.get(connection)
        if number is None:
            if len(self.names) == _MAX_CONNECTIONS:
                self._give_up(time, f"a connection beyond {_MAX_CONNECTIONS} was named")
                return
            number = self._declare(connection, time)
        size = len(body)
        if size > MAX_BODY:
            self._give_up(time, f"a record of {size} bytes came; the largest that a tape holds is {MAX_BODY}")
            return
        # As `encode_record` does, without the call: this runs for every frame.
        seq = self._seq + 1
        checked = _pack_tail(kind, seq, time, number) + body
        record = _pack_head(size, crc32(checked)) + checked
        self._seq = seq  # After what can raise: a hole in the numbers would make the tape unreadable.
        waiting = spool.waiting
        waiting.append(record)
        if len(waiting) == 1:
            spool.some.set()
        self._taken = taken = self._taken + size + BODY_AT
        if taken >= self._crowded_at:
            self._crowd(spool, time)

    def _crowd(self, spool: Spool, time: int) -> None:
        """A batch is full: have it written, or give up if too much waits."""
        behind = self._taken - spool.written
        if behind > self._limits.waiting_bytes:
            self._give_up(time, f"the disk is too slow: {behind} bytes wait to be written")
            return
        self._crowded_at = self._taken + self._limits.batch_bytes
        spool.relieve(behind)

    def _declare(self, connection: str, time: int) -> int:
        self.names.append(connection)
        number = self._numbers[connection] = len(self.names)
        self._put_own(Kind.NAME, time, number, bytes_of(connection))
        return number

    def _put_own(self, kind: Kind, time: int, number: int, body: bytes) -> None:
        if self._spool is not None:
            self._seq += 1
            record = encode_record(kind, self._seq, time, number, body)
            self._taken += len(record)
            self._spool.waiting.append(record)
            self._spool.some.set()

    def _give_up(self, time: int, words: str) -> None:
        """Stop by our own decision; the tape says so itself, because what is on it will look whole."""
        self._put_own(Kind.NOTE, time, 0, encode_json({"note": f"recording stopped: {words}"}))
        self.fail(TapeError(f"recording has stopped: {words}"))

    def fail(self, error: TapeError) -> None:
        """Note a failure. Called by any thread."""
        if self.failed is None:
            self.failed = error
            self._spool = None
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._tell)

    def _tell(self) -> None:
        self._failing.set()
        if self._scope is not None:
            self._scope.cancel()

    def begin(self, spool: Spool) -> None:
        """Start recording. Called by `open_tape_writer`, as `end` and `fail` are."""
        self._spool = spool
        spool.start()

    def end(self) -> None:
        self._spool = None


@asynccontextmanager
async def open_tape_writer(
    path: str | Path,
    header: TapeHeader,
    *,
    now: Callable[[], int],
    secrets: Iterable[str] = (),
    redactor: Redactor | None = None,
    required: bool = False,
    compress: bool = True,
    disk: Disk | None = None,
    limits: TapeLimits | None = None,
) -> AsyncGenerator[TapeWriter]:
    """Record to a new tape, the directory `path`. Checkpoints on entry and exit.

    Leaving writes what waits, seals and compresses, cancelled or not, within `TapeLimits.close_within` seconds.

    Args:
        path: Is made if it isn't there; must not hold a recording.
        header: Of the run; redacted as all else.
        now: Nanoseconds UTC, for notes and the summary.
        secrets: Protected from the first byte on; more of them by `TapeWriter.protect`.
        redactor: Knows what to hide, where others hide it, too; None: one of its own.
        required: True cancels the body when recording fails, and raises; else the run goes on without a tape.
        compress: Whether sealed segments are compressed.
        disk: How files are reached.
        limits: When to write, sync and roll.

    Raises:
        TapeError: The tape can't be made, or another writer has it; if `required`, also that recording failed.
    """
    directory, limits = Path(path), limits or TapeLimits()
    redactor = redactor or Redactor()
    for secret in secrets:
        redactor.protect(secret)
    header = attrs.evolve(header, session=redactor.value(header.session), venue=redactor.text(header.venue))
    with ExitStack() as held:
        with trio.CancelScope() as scope:
            writer = TapeWriter(now, limits, redactor, scope if required else None)
            spool = await trio.to_thread.run_sync(
                _make_tape, directory, header, writer, disk or RealDisk(), limits, compress, held
            )
            writer.begin(spool)
            try:
                yield writer
            finally:
                writer.end()
                # Bounded by `close`: a wait in a thread can't be cancelled.
                with trio.CancelScope(shield=True):
                    ended = await trio.to_thread.run_sync(spool.close)
                if not ended:
                    words = f"the disk didn't take everything within {limits.close_within:g} s; the tape isn't sealed"
                    writer.fail(TapeError(f"{shown(directory)}: {words}"))
        if required and writer.failed is not None:
            raise writer.failed


def _make_tape(
    directory: Path,
    header: TapeHeader,
    writer: TapeWriter,
    disk: Disk,
    limits: TapeLimits,
    compress: bool,  # noqa: FBT001 - called through `to_thread`, which passes no keywords.
    held: ExitStack,
) -> Spool:
    """Make the directory and its first segment; the lock goes to `held`."""
    instance = random_ids.token_hex(8)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync_directory(disk, directory.parent)
        held.enter_context(lock_tape(directory, instance, disk))
        if any(SEGMENT_NAME.fullmatch(entry.name) for entry in directory.iterdir()):
            raise TapeError(f"{shown(directory)} holds a recording already; record to another name")
        return Spool(
            directory, header, instance, writer.names, disk=disk, limits=limits, compress=compress, fail=writer.fail
        )
    except OSError as exc:
        raise TapeError(f"{shown(directory)} can't be recorded to: {in_words(exc, directory)}") from exc

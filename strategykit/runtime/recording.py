"""From what a run says to what a tape keeps, and back: the JSON of commands, asks, subscriptions and gaps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from strategykit.model.codec import make_converter
from strategykit.model.events import Gap
from strategykit.model.orders import VenueCommand
from strategykit.net.inbox import Inbox, Input, InputKind
from strategykit.net.recorder import NullRecorder
from strategykit.tape.redact import Redactor
from strategykit.tape.writer import TapeWriter
from strategykit.venues.dialect import Ask
from strategykit.venues.subscriptions import Subscription

__all__ = ["Notes", "NullLedger", "RunLedger", "RunRecorder", "Unrecorded", "command_facts", "stop_input"]


def command_facts(strategy: str, command: VenueCommand, converter: Any) -> dict[str, Any]:
    """Give what makes two commands equal: who sent it and every field of it."""
    return {"strategy": strategy, "command": converter.unstructure(command, unstructure_as=VenueCommand)}


@attrs.define(eq=False)
class Notes:
    """Lines about the run, bounded, without secrets; the newest stand."""

    redactor: Redactor = attrs.field(factory=Redactor)
    """The run's: notes quote what a venue sent."""
    lines: list[tuple[int, str, str]] = attrs.field(factory=list)
    """Time in nanoseconds UTC, source, text."""
    most: int = 10_000

    def add(self, time: int, source: str, text: str) -> None:
        self.lines.append((time, source, self.redactor.words(text)))
        del self.lines[: -self.most]


@attrs.define(eq=False)
class RunRecorder:
    """What the wires tell, turned into what the tape takes. It is net's `Recorder`."""

    writer: TapeWriter
    converter: Any = attrs.field(factory=make_converter)

    def opened(self, connection: str, time: int, lane: str, url: str, session: int) -> None:
        self.writer.opened(connection, time, lane, url, session)

    def closed(self, connection: str, time: int, reason: str) -> None:
        self.writer.closed(connection, time, reason)

    def frame_in(self, connection: str, time: int, frame: str | bytes) -> None:
        self.writer.frame_in(connection, time, frame)

    def frame_out(self, connection: str, time: int, frame: str | bytes) -> None:
        self.writer.frame_out(connection, time, frame)

    def answer(self, ask: Ask, time: int, status: int, body: bytes) -> None:
        facts: Mapping[str, Any] = self.converter.unstructure(ask, unstructure_as=Ask)
        self.writer.answer(facts, time, status, body)

    def protect(self, secret: str, *, passing: bool = False) -> None:
        self.writer.protect(secret, passing=passing)


class Unrecorded(NullRecorder):
    """Keep nothing of what the wires tell but what has to be hidden in reports."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def protect(self, secret: str, *, passing: bool = False) -> None:
        self._redactor.protect(secret, passing=passing)


class NullLedger:
    """Write nothing down but notes."""

    keeps = False
    """Whether what is told is kept; where it isn't, nobody needs to word it."""

    def __init__(self, notes: Notes, now: Callable[[], int]) -> None:
        self._notes = notes
        self._now = now

    def mark(self, reading: int, count: int) -> None:
        """Forget it."""

    def subscription(self, row: Subscription) -> None:
        """Forget it."""

    def gap(self, gap: Gap, row: Subscription | None) -> None:
        """Forget it: the guid table keeps its own."""

    def command(self, facts: Mapping[str, Any], *, sent: bool) -> None:
        """Forget it."""

    def control(self, word: str, time: int) -> None:
        """Forget it."""

    def note(self, source: str, text: str) -> None:
        self._notes.add(self._now(), source, text)


class RunLedger(NullLedger):
    """What the run itself writes down on its tape."""

    keeps = True

    def __init__(self, notes: Notes, now: Callable[[], int], writer: TapeWriter, converter: Any) -> None:
        super().__init__(notes, now)
        self._writer = writer
        self._converter = converter

    def mark(self, reading: int, count: int) -> None:
        self._writer.mark(reading, count)

    def subscription(self, row: Subscription) -> None:
        facts = {
            "guid": row.guid,
            "connection": row.connection,
            "owners": list(row.owners),
            "stream": self._converter.unstructure(row.stream),
        }
        self._writer.subscription(self._now(), facts)

    def gap(self, gap: Gap, row: Subscription | None) -> None:
        facts = {
            "guid": gap.guid,
            "stream": "" if row is None else row.stream.label,
            "since": gap.since,
            "until": gap.until,
            "reason": self._notes.redactor.words(gap.reason),
        }
        self._writer.gap(self._now(), facts)

    def command(self, facts: Mapping[str, Any], *, sent: bool) -> None:
        self._writer.command(self._now(), {**facts, "sent": sent})

    def control(self, word: str, time: int) -> None:
        self._writer.note("control", {"control": word, "time": time})

    def note(self, source: str, text: str) -> None:
        super().note(source, text)
        self._writer.note(text, {"source": source})


def stop_input(ledger: NullLedger, inbox: Inbox, time: int, word: str) -> None:
    """Put a word from outside in the queue, and on the tape in the same place."""
    ledger.control(word, time)
    inbox.put_nowait(Input(InputKind.CONTROL, "control", time, word))

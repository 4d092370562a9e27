"""What a backtest came to, as one SHA-256: the same for a tape, for the archive made of it, and for every repetition.

It is taken over the events that strategies were told, stream by stream; over every command that they sent and the
reading of the clock at which they did; and over their orders and fills. Streams that nobody wants don't count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from strategykit.columns.digest import StreamDigest
from strategykit.model.events import Event
from strategykit.model.orders import VenueCommand
from strategykit.runtime.feeds import MARKET
from strategykit.runtime.ports import OrderPort
from strategykit.venues.subscriptions import Subscription

if TYPE_CHECKING:
    from strategykit.columns.columns import Columns

__all__ = ["RunDigest", "TellingPort"]

_AT_ONCE: Final = 1 << 14
"""Bytes."""


class RunDigest:
    """The SHA-256 over a backtest."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._encode_into = msgspec.msgpack.Encoder(enc_hook=repr).encode_into
        self._waiting = bytearray()
        """What is to be hashed: a lot at once takes less time than each by itself."""
        self._streams: dict[str, tuple[str, StreamDigest]] = {}
        self._wanted: Callable[[str], Subscription | None] = lambda _: None

    @property
    def events(self) -> int:
        """How many were told to strategies."""
        return sum(stream.events for _, stream in self._streams.values())

    def watch(self, wanted: Callable[[str], Subscription | None]) -> None:
        """Know how to find the subscription of a guid, if anybody wants it: for events that come one by one."""
        self._wanted = wanted

    def __call__(self, event: Event) -> None:
        row = self._wanted(event.guid) if type(event) in MARKET else None
        if row is not None:
            self._stream(row).take(event)

    def of(self, row: Subscription) -> Callable[[Event], None]:
        """Give what takes the events of a subscription that are told from now on, one by one; it owes a `settle`."""
        return self._stream(row).waiting.append

    def settle(self) -> None:
        """Hash what waits; to be called every few thousand events, so that no more than those are kept."""
        for _, stream in self._streams.values():
            stream.settle()

    def take_columns(self, row: Subscription, columns: Columns) -> None:
        """Take events of a subscription."""
        self._stream(row).take_columns(columns)

    def decided(self, reading: int, strategy: str, command: VenueCommand) -> None:
        """Take a command, and when it was given."""
        self._encode_into((reading, strategy, type(command).__name__, command), self._waiting, -1)
        if len(self._waiting) > _AT_ONCE:
            self._flush()

    def fold(self, thing: Any) -> None:
        """Take something else that the run produced, in the order in which it did."""
        self._encode_into(thing, self._waiting, -1)
        if len(self._waiting) > _AT_ONCE:
            self._flush()

    def text(self) -> str:
        """Give the hash over all that came so far."""
        self._flush()
        whole = self._hash.copy()
        for name, stream in sorted(((name, stream.text()) for name, stream in self._streams.values())):
            whole.update(f"{name} {stream}\n".encode())
        return whole.hexdigest()

    def _flush(self) -> None:
        self._hash.update(self._waiting)
        self._waiting.clear()

    def _stream(self, row: Subscription) -> StreamDigest:
        found = self._streams.get(row.guid)
        if found is None:
            found = self._streams[row.guid] = (row.stream.label, StreamDigest())
        return found[1]


class TellingPort:
    """Tells a digest of each command before it goes its way."""

    def __init__(self, port: OrderPort, digest: RunDigest, now: Callable[[], int]) -> None:
        self._port = port
        self._digest = digest
        self._now = now

    def command(self, strategy: str, command: VenueCommand) -> bool:
        self._digest.decided(self._now(), strategy, command)
        return self._port.command(strategy, command)

    def suspect(self, reason: str) -> None:
        self._port.suspect(reason)

"""What the engine of a run asks of everything around it: wires, a ledger, whoever runs the strategies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from strategykit.model.events import Event, Gap
from strategykit.model.instruments import Instrument
from strategykit.venues.dialect import Ask
from strategykit.venues.streams import Stream
from strategykit.venues.subscriptions import Subscription

__all__ = ["Answered", "Finder", "Ledger", "NoWires", "Strategies", "Watcher", "Wires"]

Answered = Callable[[Sequence[Event | Instrument] | None, str], None]
"""Takes the rows of an answer, or None and the reason why there is none."""


Finder = Callable[[Stream, Callable[[Event], None] | None], tuple[Stream, Callable[[Event], None] | None]]
"""Takes a wanted stream and who is to get its events; gives the stream that serves it, and who gets those."""


class Wires(Protocol):
    """What the engine asks of the outside. Nothing here blocks."""

    def open(self, connection: str, lane: str) -> None:
        """Open one more connection, and keep it open."""
        ...

    def close(self, connection: str) -> None:
        """Close a connection for good, in good order."""
        ...

    def subscribe(self, row: Subscription, connection: str, session: int) -> None: ...
    def unsubscribe(self, row: Subscription, connection: str, session: int) -> None: ...
    def ask(self, ask: Ask) -> None: ...
    def drop(self, connection: str, reason: str) -> None:
        """Take a connection for dead: close it and open a new one."""
        ...

    def refuse(self, connection: str, reason: str) -> None:
        """The venue has ended a connection and won't have us any more: nothing is opened again."""
        ...

    def refresh_token(self) -> None:
        """The venue refused the token: have a new one fetched."""
        ...

    def refresh_login(self, connection: str) -> None:
        """The venue refused a command for its login: have that connection log in again, with a new token."""
        ...


class Ledger(Protocol):
    """What the run writes down about itself."""

    def subscription(self, row: Subscription) -> None: ...
    def gap(self, gap: Gap, row: Subscription | None) -> None: ...
    def note(self, source: str, text: str) -> None: ...


class Strategies(Protocol):
    """What the engine tells whoever runs the strategies."""

    def refused(self, owner: str, words: str) -> None:
        """A stream that `owner` needs can't be had."""
        ...

    def raised(self, receive: object, error: BaseException) -> None:
        """A route's receiver raised: whatever a strategy raises stops it alone."""
        ...

    def controlled(self, word: str) -> None:
        """A word came from outside the run."""
        ...


class Watcher(Protocol):
    """Sees every event of the run before anyone else: a digest, or a count."""

    def __call__(self, event: Event) -> None: ...


class NoWires:
    """Wires that lead nowhere: what comes, comes of itself. Who has answers to asks says how."""

    def open(self, connection: str, lane: str) -> None:
        """Connections open by themselves."""

    def close(self, connection: str) -> None:
        """They end by themselves."""

    def subscribe(self, row: Subscription, connection: str, session: int) -> None:
        """Its data come, or they don't."""

    def unsubscribe(self, row: Subscription, connection: str, session: int) -> None:
        """Its data go on coming, to nobody."""

    def drop(self, connection: str, reason: str) -> None:
        """Nothing to drop."""

    def refuse(self, connection: str, reason: str) -> None:
        """Nothing to end."""

    def refresh_token(self) -> None:
        """Nothing to refresh."""

    def refresh_login(self, connection: str) -> None:
        """Nothing to refresh."""

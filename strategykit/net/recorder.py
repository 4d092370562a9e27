"""Who is told, first and in order, of everything that the wires saw. The tape writer is one; so is nobody."""

from __future__ import annotations

from typing import Protocol

from strategykit.venues.dialect import Ask

__all__ = ["NullRecorder", "Recorder"]


class Recorder(Protocol):
    """The copy that is made of every frame before anything else happens to it.

    All methods are plain calls that never block, made in the order in which things happened. Times are nanoseconds UTC.
    """

    def opened(self, connection: str, time: int, lane: str, url: str, session: int) -> None:
        """A connection is open and logged in. The frames of its login came before this."""
        ...

    def closed(self, connection: str, time: int, reason: str) -> None:
        """A connection that was told as opened has ended; none of its frames comes after this."""
        ...

    def frame_in(self, connection: str, time: int, frame: str | bytes) -> None: ...

    def frame_out(self, connection: str, time: int, frame: str | bytes) -> None:
        """A frame is about to be handed to the wire: whatever may have left is told here, never the other way round."""
        ...

    def answer(self, ask: Ask, time: int, status: int, body: bytes) -> None:
        """An HTTP ask has its answer; status 0 means that there was none, and `body` says why."""
        ...

    def protect(self, secret: str, *, passing: bool = False) -> None:
        """Never store this text. Called before the first frame that could contain it.

        One that is `passing`, such as an access token, will be followed by others and needn't be known for ever.
        """
        ...


class NullRecorder:
    """Keep nothing."""

    def opened(self, connection: str, time: int, lane: str, url: str, session: int) -> None:
        """Forget it."""

    def closed(self, connection: str, time: int, reason: str) -> None:
        """Forget it."""

    def frame_in(self, connection: str, time: int, frame: str | bytes) -> None:
        """Forget it."""

    def frame_out(self, connection: str, time: int, frame: str | bytes) -> None:
        """Forget it."""

    def answer(self, ask: Ask, time: int, status: int, body: bytes) -> None:
        """Forget it."""

    def protect(self, secret: str, *, passing: bool = False) -> None:
        """Nothing is stored, so nothing needs protection."""

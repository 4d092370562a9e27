"""A named connection that outlives its sessions: where it leads, what it has counted, what it shares with others."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, Protocol

import attrs
import trio

from strategykit.net.inbox import Inbox
from strategykit.net.recorder import Recorder
from strategykit.net.timing import Timing
from strategykit.net.tokens import TokenSource
from strategykit.net.wire import Dial
from strategykit.venues.dialect import Dialect, Frame, LaneSpec

if TYPE_CHECKING:
    from strategykit.net.session_tokens import SessionTokens

__all__ = ["ConnectionStatistics", "Job", "Link", "Session", "Wiring"]

Job = Frame | Callable[[str], list[Frame]]
"""A frame to send, or what makes frames from the newest token when its turn comes."""


class Session(Protocol):
    """The part of an open connection that others may touch: plain calls that never wait."""

    @property
    def number(self) -> int:
        """1 for the first session under this name."""
        ...

    @property
    def token(self) -> str:
        """The one that its last login was made with; empty on a lane that needs none."""
        ...

    @property
    def sends(self) -> bool:
        """Whether something is on its way to the wire, and may leave: the lane's rate doesn't hold it back."""
        ...

    def send_nowait(self, job: Job, *, urgent: bool = False) -> bool:
        """Put `job` in the line of things to send; False if the session is ending, then nothing of it leaves."""
        ...

    def drop(self, reason: str) -> None:
        """End the session now, as lost; a new one is opened as after any loss."""
        ...


@attrs.define(eq=False, kw_only=True)
class ConnectionStatistics:
    """Counters of one named connection, over all its sessions. Times and spans in nanoseconds."""

    name: str
    lane: str
    state: Literal["connecting", "open", "waiting", "ended"] = "connecting"
    """`waiting` is between two tries; `ended` is for good."""
    attempts: int = 0
    sessions: int = 0
    """Sessions that were open and logged in; also the number of the newest one."""
    frames_in: int = 0
    frames_out: int = 0
    bytes_in: int = 0
    """As `len` gives it: characters of a text frame."""
    bytes_out: int = 0
    last_frame_time: int | None = None
    longest_silence: int = 0
    """Between two frames of one session, or between its opening and its first frame."""
    reason: str = ""
    """Why the last session or attempt ended."""

    @property
    def reconnects(self) -> int:
        return max(0, self.sessions - 1)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Wiring:
    """What all connections of one venue share."""

    dialect: Dialect
    tokens: TokenSource
    inbox: Inbox
    recorder: Recorder
    dial: Dial
    """Opens a wire: to an address, with HTTP headers."""
    rng: random.Random
    """For the jitter of reconnects."""
    stamp: Callable[[], int]
    """Now, nanoseconds UTC."""
    timing: Timing = attrs.field(factory=Timing)
    session_tokens: SessionTokens | None = None
    """Asks for the tokens of HTTP calls, where the venue gives them over a session."""


@attrs.define(eq=False)
class Link:
    """A name, where it leads, and the session that is open under it."""

    name: str
    lane: LaneSpec
    url: str
    statistics: ConnectionStatistics = attrs.field(init=False)
    session: Session | None = attrs.field(default=None, init=False)
    """None while it isn't open."""
    login_sent: float | None = attrs.field(default=None, init=False)
    """On Trio's clock: when the last login was sent, while it isn't answered."""
    stray_login: float | None = attrs.field(default=None, init=False)
    """The same of the newest one that was never answered."""
    sent_at: deque[float] = attrs.field(factory=deque, init=False)
    """When the last messages left, on Trio's clock, where the lane has a rate: a venue goes on counting over a
    reconnect."""
    kept: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    """Around everything that keeps it open: cancelled, it is closed for good."""

    @statistics.default
    def _fresh(self) -> ConnectionStatistics:
        return ConnectionStatistics(name=self.name, lane=self.lane.name)

"""What can go wrong, as a tree: a class exists where a caller acts differently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

__all__ = [
    "STRATEGY_FAILURES",
    "ConfigError",
    "ConnectionLost",
    "JournalDamaged",
    "JournalError",
    "JournalFull",
    "JournalLocked",
    "KillSwitchPulled",
    "LegsApart",
    "LimitReached",
    "LocalProtocolError",
    "LoginRefused",
    "OrderEnded",
    "OrderRefused",
    "Refused",
    "RemoteProtocolError",
    "ResultError",
    "RiskLimit",
    "StrategyBlocked",
    "StrategyError",
    "StrategyKilled",
    "StrategykitError",
    "SubscriptionRefused",
    "TapeError",
    "Unsettled",
    "only_error",
]

_SHOWN = 200
"""Characters of a frame that an error message quotes; frames can be megabytes."""


STRATEGY_FAILURES: Final = (Exception, SystemExit)
"""What stops one strategy at its boundary, and nobody else: a strategy that calls `sys.exit` ends itself alone."""


class StrategykitError(Exception):
    """The root: everything this package raises on purpose."""


class ConfigError(StrategykitError):
    """The file, the command line or a parameter is wrong; the message says which, and what would be right."""


class KillSwitchPulled(ConfigError):
    """The kill switch of an account was pulled, and nobody has released it: no run begins there.

    Attributes:
        reason: Why it was pulled.
        by: Who, or what, did so.
        time: When, nanoseconds UTC; None where that isn't known.
    """

    def __init__(self, message: str, *, reason: str, by: str, time: int | None) -> None:
        self.reason = reason
        self.by = by
        self.time = time
        super().__init__(message)


class LocalProtocolError(StrategykitError):
    """We tried what the dialect forbids: a bug on this side."""


class LimitReached(LocalProtocolError):
    """A venue's limit would be broken; nothing was sent. The message names the limit, its value and its unit."""


class RemoteProtocolError(StrategykitError):
    """The venue sent what its dialect can't read.

    Attributes:
        frame: What arrived, whole. Messages quote its beginning only.
    """

    def __init__(self, message: str, *, frame: str | bytes = "") -> None:
        self.frame = frame
        if frame:
            text = frame if isinstance(frame, str) else frame.decode("utf-8", "backslashreplace")
            shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"
            message = f"{message}: {shown!r}"
        super().__init__(message)


class ConnectionLost(StrategykitError):
    """The wire ended, or was found dead; `keep_connected` opens a new one."""


class Refused(StrategykitError):
    """The venue said no.

    Attributes:
        code: The venue's number for it; 0 where it gave none.
        words: The venue's own text.
    """

    def __init__(self, message: str, *, code: int = 0, words: str = "") -> None:
        self.code = code
        self.words = words
        super().__init__(message)


class LoginRefused(Refused):
    """Credentials were refused. Never retried: a wrong key stays wrong, and retries lock accounts."""


class SubscriptionRefused(Refused):
    """A stream can't be had; it fails the strategies that asked for it."""


class OrderRefused(Refused):
    """The venue, or the lane to it, refused an order; the order doesn't exist there."""


class OrderEnded(StrategykitError):
    """An order that was waited for ended without what was waited for."""


class LegsApart(OrderEnded):
    """Not every leg was filled; those that were have been undone, and nothing is left of them."""


class Unsettled(StrategykitError):
    """A block that was to end well couldn't: something is left, or isn't known to be over.

    Attributes:
        left: Lots by instrument that its fills so far have left, below 0 where they were sold; empty if none are.
        doubtful: Client order ids of its orders that may still be filled, as far as is known.
    """

    def __init__(self, message: str, *, left: Mapping[str, Decimal], doubtful: Sequence[str]) -> None:
        self.left = dict(left)
        self.doubtful = tuple(doubtful)
        super().__init__(message)


class RiskLimit(StrategykitError):
    """We said no, before anything was sent.

    Attributes:
        limit: The one that would be broken, such as ``"max_position"``; empty where a request makes no sense.
        value: What it would come to; None where a request makes no sense, as `allowed`.
        allowed: What the limit allows.
        scope: Whose limit it is: ``"account"``, or ``"strategy NAME"``.
    """

    def __init__(
        self,
        message: str,
        *,
        limit: str = "",
        value: Decimal | int | None = None,
        allowed: Decimal | int | None = None,
        scope: str = "",
    ) -> None:
        self.limit = limit
        self.value = value
        self.allowed = allowed
        self.scope = scope
        super().__init__(message)


class StrategyError(StrategykitError):
    """A strategy's file or class can't be used; the message says what would be right."""


class StrategyBlocked(StrategykitError):
    """A strategy held the thread for longer than its limit and was interrupted."""


class StrategyKilled(StrategykitError):
    """The kill switch was pulled; the message says by whom, and why."""


class TapeError(StrategykitError):
    """A recording is damaged or can't be read; the message says which file and where in it."""


class ResultError(StrategykitError):
    """A stored result of a run can't be read or written; the message says which file, and what is wrong with it."""


class JournalError(StrategykitError):
    """The record of orders can't be read or written; the message says which file, where in it, and what would be right.

    Where it can't be written, no orders may be placed; cancels still go out.
    """


class JournalDamaged(JournalError):
    """A journal's file isn't what was written. `strategykit orders --salvage` makes a new one of what is whole.

    Attributes:
        path: The file.
        offset: Bytes from its beginning: where the first record is that can't be trusted.
    """

    def __init__(self, message: str, *, path: str, offset: int) -> None:
        self.path = path
        self.offset = offset
        super().__init__(f"{path}, byte {offset}: {message}")


class JournalLocked(JournalError):
    """Another process writes this journal.

    Attributes:
        pid: Its number; None where it didn't say.
    """

    def __init__(self, message: str, *, pid: int | None) -> None:
        self.pid = pid
        super().__init__(message)


class JournalFull(JournalError):
    """The disk is full: orders are refused from now on, while cancels and the venue's news are still written."""


def only_error(group: BaseExceptionGroup[StrategykitError]) -> StrategykitError:
    """Give the first error of a group of ours: what one line for a person is made of."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, StrategykitError)
    return error

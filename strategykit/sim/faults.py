"""What a simulated venue can do wrong on command, as values. `server_faults` and the venues carry them out."""

from __future__ import annotations

import enum
from collections import deque
from typing import Any, Final, Literal

import attrs
import msgspec

from strategykit.errors import RemoteProtocolError

__all__ = ["WIRE_FAULTS", "AnswerFault", "AnswerPlan", "FaultCommand", "Lane", "Mishap", "decode_fault"]

Lane = Literal["market", "orders", "ws", "commands", "cws", "all"]
"""Which connections. One that carries a private subscription is of ``"orders"``, one for order commands alone of
``"commands"``, else of ``"market"``; ``"ws"`` is market and orders, ``"cws"`` is commands."""

WIRE_FAULTS: Final = frozenset(
    {"drop", "reset", "stall", "half_open", "garbage", "restart", "refuse_upgrades", "fail_calls"}
)
"""What can go wrong on any wire; a venue has faults of its own beside them."""


class Mishap(enum.Enum):
    """What can happen to an answer."""

    LATE = "late"
    MISSING = "missing"
    DUPLICATE = "duplicate"


@attrs.frozen
class AnswerFault:
    mishap: Mishap
    seconds: float = 0.0
    """For LATE: by how much."""


@attrs.define(eq=False)
class AnswerPlan:
    """What will happen to the next answers of one kind, in their order."""

    waiting: deque[AnswerFault] = attrs.field(factory=deque)

    def add(self, fault: AnswerFault, count: int) -> None:
        self.waiting.extend([fault] * count)

    def clear(self) -> None:
        """Nothing happens to them."""
        self.waiting.clear()

    def take(self) -> AnswerFault | None:
        """Give what happens to the answer that is due now; None: nothing, it is sent."""
        return self.waiting.popleft() if self.waiting else None


class FaultCommand(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /sim/faults``."""

    fault: str
    """One of `WIRE_FAULTS` or of the venue's own."""
    lane: Lane = "all"
    seconds: float = 5.0
    """How long it lasts; of a late answer: by how much."""
    count: int = 1
    """How many answers, updates or fills."""
    code: int = 1001
    """Close code of a drop."""
    status: int = 0
    """For refused upgrades: the HTTP status, 0: silence; for failed calls likewise, 0: 503."""
    frame: str | None = None
    """For garbage: the text to send; without it, one that is no JSON."""
    binary: str | None = None
    """For garbage: a binary message instead, in hexadecimal digits."""
    forget_orders: bool = False
    instrument: str = ""
    """Which one, for the faults of an instrument; empty: whichever is next."""
    arguments: dict[str, Any] = {}
    """Whatever else one of the venue's own faults takes."""


_DECODER = msgspec.json.Decoder(FaultCommand)


def decode_fault(body: bytes) -> FaultCommand:
    """Read a command.

    Raises:
        RemoteProtocolError: It says what isn't possible; the message says what.
    """
    try:
        command = _DECODER.decode(body)
        bytes.fromhex(command.binary or "")
    except ValueError as exc:  # msgspec's errors are such, too.
        raise RemoteProtocolError(f"no such fault: {exc}") from exc
    if not 0 <= command.seconds <= 86_400 or not 0 <= command.count <= 100_000:
        raise RemoteProtocolError("seconds must be 0 to 86400 and count 0 to 100000")
    if not 1000 <= command.code <= 4999 or command.code in (1005, 1006, 1015):
        raise RemoteProtocolError(f"{command.code} can't be sent as a close code")
    if command.status and not 300 <= command.status <= 599:
        raise RemoteProtocolError("status must be 300 to 599, or 0 for silence")
    return command

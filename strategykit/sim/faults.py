"""What the simulated venue can do wrong on command, as values. `server_faults` carries them out."""

from __future__ import annotations

import enum
from collections import deque
from typing import Literal

import attrs
import msgspec

from strategykit.errors import RemoteProtocolError

__all__ = ["AnswerFault", "AnswerPlan", "FaultCommand", "Lane", "Mishap", "decode_fault"]

Lane = Literal["market", "orders", "ws", "commands", "cws", "all"]
"""Which connections. A connection of /ws that carries a private subscription is one of ``"orders"``, else of
``"market"``; ``"ws"`` is both; ``"commands"`` and ``"cws"`` are the same."""


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

    def take(self) -> AnswerFault | None:
        """Give what happens to the answer that is due now; None: nothing, it is sent."""
        return self.waiting.popleft() if self.waiting else None


FaultName = Literal[
    "drop",
    "reset",
    "stall",
    "half_open",
    "garbage",
    "late_acknowledgement",
    "missing_acknowledgement",
    "duplicate_acknowledgement",
    "late_reply",
    "missing_reply",
    "duplicate_reply",
    "duplicate_fill",
    "restart",
    "refuse_upgrades",
    "revoke_tokens",
    "halt",
    "resume",
]


class FaultCommand(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /sim/faults``."""

    fault: FaultName
    lane: Lane = "all"
    seconds: float = 5.0
    """How long it lasts; of a late answer: by how much."""
    count: int = 1
    """How many answers or fills."""
    code: int = 1001
    """Close code of a drop."""
    status: int = 0
    """For refused upgrades: the HTTP status; 0: silence."""
    frame: str | None = None
    """For garbage: the text to send; without it, one that is no JSON."""
    forget_orders: bool = False
    instrument: str = ""


_DECODER = msgspec.json.Decoder(FaultCommand)


def decode_fault(body: bytes) -> FaultCommand:
    """Read a command.

    Raises:
        RemoteProtocolError: It says what isn't possible; the message says what.
    """
    try:
        command = _DECODER.decode(body)
    except msgspec.DecodeError as exc:
        raise RemoteProtocolError(f"no such fault: {exc}") from exc
    if not 0 <= command.seconds <= 86_400 or not 0 <= command.count <= 100_000:
        raise RemoteProtocolError("seconds must be 0 to 86400 and count 0 to 100000")
    if not 1000 <= command.code <= 4999 or command.code in (1005, 1006, 1015):
        raise RemoteProtocolError(f"{command.code} can't be sent as a close code")
    if command.status and not 300 <= command.status <= 599:
        raise RemoteProtocolError("status must be 300 to 599, or 0 for silence")
    return command

"""What the guard of a run has to know: passed to it as one line of JSON, with secrets by reference only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from strategykit.config import VenuePlan
from strategykit.errors import ConfigError
from strategykit.net.endpoints import Endpoints

__all__ = ["GuardPlan", "decode_plan", "encode_plan"]


@attrs.frozen(kw_only=True)
class GuardPlan:
    """Whom to watch, and how to withdraw its orders."""

    folder: Path
    """The account's journal."""
    venue: VenuePlan
    after: float
    """Seconds of silence after which a run counts as hung."""
    keep: bool
    """Whether working orders are to outlive a run that dies."""


def encode_plan(plan: GuardPlan, pid: int) -> bytes:
    """Give it as a line, with the number of the process that is watched."""
    facts = attrs.asdict(plan, recurse=True, value_serializer=lambda _, __, value: _plain(value))
    return f"{json.dumps({**facts, 'pid': pid})}\n".encode()


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else dict(value) if isinstance(value, Mapping) else value


def decode_plan(line: bytes) -> tuple[GuardPlan, int]:
    """Give back what `encode_plan` was given.

    Raises:
        ConfigError: It is something else.
    """
    try:
        facts = json.loads(line)
        pid, venue = int(facts.pop("pid")), facts.pop("venue")
        endpoints = Endpoints(**venue.pop("endpoints"))
        folder = Path(facts.pop("folder"))
        return GuardPlan(folder=folder, venue=VenuePlan(endpoints=endpoints, **venue), **facts), pid
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise ConfigError(f"this is no plan of a guard: {type(exc).__name__}") from exc

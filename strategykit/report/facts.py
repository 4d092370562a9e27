"""What made a run what it is: kept with its result, so that two results can be told apart and one made again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

__all__ = ["RunFacts"]


@attrs.frozen(kw_only=True)
class RunFacts:
    """What a result has to say besides what happened."""

    kind: str
    """``"backtest"``, ``"paper"``, ``"live"`` or ``"simulation"``."""
    source: str
    """Where the market came from: a recording, or a venue."""
    models: Mapping[str, str] = attrs.field(factory=dict)
    """What answered the orders, where no venue did: names and values."""
    identity: str = ""
    """Hash of code, parameters, data, models, seed and version; empty where nobody computed it."""
    seed: int | None = None
    digest: str = ""
    """SHA-256 over events, orders and fills."""
    version: str = ""
    """Of strategykit."""
    python: str = ""
    problems: Sequence[str] = ()
    """What a person has to look at: what failed, and what isn't accounted for."""

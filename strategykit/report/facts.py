"""What made a run what it is: kept with its result, so that two results can be told apart and one made again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from strategykit.model.codec import make_converter, to_dict
from strategykit.sim.models.fill_models import DEFAULT_MODELS, FillModels

__all__ = ["RunFacts", "models_in_words"]


@attrs.frozen(kw_only=True)
class RunFacts:
    """What a result has to say besides what happened."""

    kind: str
    """``"backtest"``, ``"paper"``, ``"live"``, ``"simulated venue"`` or ``"simulation"``."""
    source: str
    """Where the market came from: a recording, or a venue."""
    models: Mapping[str, str] = attrs.field(factory=dict)
    """What answered the orders, where no venue did: names and values."""
    identity: str = ""
    """Hash of code, parameters, data, models, seed, version and its sources; empty where nobody computed it."""
    seed: int | None = None
    digest: str = ""
    """SHA-256 over events, orders and fills."""
    version: str = ""
    """Of strategykit."""
    python: str = ""
    problems: Sequence[str] = ()
    """What a person has to look at: what failed, and what isn't accounted for."""
    warnings: Sequence[str] = ()
    """On what the result depends that the data don't tell. Results that were kept before this field have none."""


def models_in_words(models: FillModels) -> dict[str, str]:
    """Give what fill models assume, as names and values: all that isn't as it would be by itself."""
    converter = make_converter()
    said, plain = (_flat("", to_dict(converter, item, FillModels)) for item in (models, DEFAULT_MODELS))
    return {name: value for name, value in said.items() if plain.get(name) != value}


def _flat(prefix: str, value: object) -> dict[str, str]:
    if isinstance(value, Mapping):
        parts = [_flat(f"{prefix}.{name}" if prefix else str(name), item) for name, item in value.items()]
        return {name: text for part in parts for name, text in part.items()}
    return {prefix: "none" if value is None else str(value)}

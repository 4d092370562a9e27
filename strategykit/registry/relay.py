"""A relay of this project, as a venue like any other."""

from __future__ import annotations

from functools import partial
from typing import Final

import attrs

from strategykit.registry.stream import BACKPACK
from strategykit.registry.venue import Credential, Venue
from strategykit.venues.stream.relay import RELAYED, Relayed

__all__ = ["RELAY"]

RELAY: Final[Venue] = attrs.evolve(
    BACKPACK,
    name="relay",
    title="relay",
    make_dialect=partial(Relayed, RELAYED),
    logins=[{"token": Credential(words="access token", example="env:RELAY_TOKEN", simulated="simulated-relay-token")}],
    places={},
    home=None,
)
"""Its simulation is Backpack's: to clients it is such a server, whatever venue it has."""

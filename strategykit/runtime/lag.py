"""How long market data are under way."""

from __future__ import annotations

from collections import deque

import attrs

from strategykit.model.events import BookSnapshot, Event, Quote, Trade
from strategykit.venues.subscriptions import Subscriptions

__all__ = ["Lag"]


@attrs.define(eq=False)
class Lag:
    """Milliseconds between the venue's stamp and ours, a connection; the newest count."""

    table: Subscriptions
    samples: dict[str, deque[float]] = attrs.field(factory=dict)

    def __call__(self, event: Event) -> None:
        if not isinstance(event, Trade | Quote | BookSnapshot) or event.event_time is None or event.snapshot:
            return
        row = self.table.by_guid.get(event.guid)
        if row is not None:
            samples = self.samples.setdefault(row.connection, deque(maxlen=20_000))
            samples.append((event.receive_time - event.event_time) / 1e6)

    def percentile(self, connection: str, part: float) -> float | None:
        samples = sorted(self.samples.get(connection, ()))
        return samples[min(int(len(samples) * part), len(samples) - 1)] if samples else None

"""Why a fill differs: by trying what would have come of it had one thing been as it was."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import attrs

from strategykit.model.instruments import Instrument
from strategykit.model.orders import CancelOrder
from strategykit.parity.latencies import Latencies, arrivals
from strategykit.parity.playing import Played, play
from strategykit.parity.session import Sent, Session
from strategykit.parity.traded import Piece, Tolerance, differing, modelled, pieces
from strategykit.sim.models.fill_models import FillModels
from strategykit.sim.models.queues import FillRule

__all__ = ["Reasons"]

_MS = 1e-6
"""Milliseconds a nanosecond."""


class Reasons:
    """Says why fills differ. What it has to try is tried once, when it is asked for first."""

    def __init__(
        self, session: Session, models: FillModels, played: Played, latencies: Latencies, tolerance: Tolerance
    ) -> None:
        self._session = session
        self._models = models
        self._played = played
        self._latencies = latencies
        self._tolerance = tolerance

    def why(self, create: Sent, number: int, recorded: Piece | None, model: Piece | None, fields: Sequence[str]) -> str:
        """Say why fill `number` of an order, counted from 0, came out otherwise in the models."""
        words = self._main(create, number, recorded, model, fields)
        if recorded is None or model is None or "fee" not in fields or words.startswith("fee"):
            return words
        return f"{words}; fee {recorded.fee}, in the models {model.fee}"

    def _main(
        self, create: Sent, number: int, recorded: Piece | None, model: Piece | None, fields: Sequence[str]
    ) -> str:
        order = create.order
        if order in self._played.refused:
            return f"refused: the models didn't take the order: {self._played.refused[order]}"
        if create.refusal:
            return f"refused: the venue didn't take the order: {create.refusal}"
        if list(fields) == ["fee"] and recorded is not None and model is not None:
            value = self._instrument(create).value(recorded.price, recorded.quantity)
            return f"fee table: the venue took {recorded.fee} of {value.normalize():f}, the models {model.fee}"
        if self._agrees(self._in_time, create, number, recorded):
            return f"latency: taken as it was ({self._span(create)}) it agrees"
        if self._rested(create, recorded, model):
            return self._queued(create, number, recorded, model)
        if recorded is None:
            return "depth: the models found somebody to trade with, the venue nobody"
        if model is None:
            return "depth: the data show nobody at a price within the limit when the order came"
        if list(fields) == ["time"]:
            return f"latency: told {(recorded.time - model.time) * _MS:+.3f} ms later than assumed"
        return "depth: what the data showed when the order came isn't what it met"

    def _queued(self, create: Sent, number: int, recorded: Piece | None, model: Piece | None) -> str:
        if recorded is None:
            return "queue: the models had it earlier in the queue; the venue never came to it"
        if model is not None:
            if model.price != recorded.price:
                return "price: the venue gave another price than the limit"
            if model.time == recorded.time or abs(model.time - recorded.time) <= self._tolerance.time:
                return "queue: the market's trades reached another part of it"
            by = f"{abs(recorded.time - model.time) * _MS:.3f} ms"
            if model.time < recorded.time:
                return f"queue: the models had it earlier in the queue, by {by}"
            if self._touched(create, number, recorded):
                return f"queue: the models had it later in the queue, by {by}"
            return f"data: what was recorded reached its price {by} later"
        ended = self._played.ended.get(create.order)
        if self._touched(create, number, recorded):
            return "queue: the models had it later in the queue; the market was at its price"
        if ended is not None and ended <= recorded.time and self._cancelled(create):
            return "latency: in the models its cancel came first"
        return "data: nothing that was recorded reached its price by then"

    def _rested(self, create: Sent, recorded: Piece | None, model: Piece | None) -> bool:
        if create.command.request.price is None:
            return False
        if model is not None:
            return bool(model.resting)
        # It came later than what the order met on arriving would have.
        known = create.answered if create.answered is not None else create.time
        return recorded is not None and recorded.time > known + self._tolerance.time

    def _cancelled(self, create: Sent) -> bool:
        return create.order in self._withdrawn

    def _span(self, create: Sent) -> str:
        return (
            "unanswered"
            if create.answered is None
            else f"{(create.answered - create.time) * _MS:.3f} ms there and back"
        )

    def _instrument(self, create: Sent) -> Instrument:
        return self._session.instruments[create.command.request.instrument]

    @cached_property
    def _withdrawn(self) -> frozenset[str]:
        return frozenset(one.order for one in self._session.sent if isinstance(one.command, CancelOrder))

    @cached_property
    def _arrivals(self) -> list[int]:
        return arrivals(self._session, self._latencies)

    @cached_property
    def _in_time(self) -> Played:
        """With commands that take effect when they did."""
        models = self._models
        if self._latencies.answer is not None:
            models = attrs.evolve(models, answer_latency=self._latencies.answer.latency)
        return play(self._session, models, arrivals=self._arrivals)

    @cached_property
    def _hopeful(self) -> Played:
        """With commands that take effect when they did, and orders that are first in every queue."""
        models = attrs.evolve(self._models, rule=FillRule.TOUCH, only_trades=False, partial=False)
        return play(self._session, models, arrivals=self._arrivals)

    def _agrees(self, played: Played, create: Sent, number: int, recorded: Piece | None) -> bool:
        found = pieces(modelled(played.fills.get(create.order, ())), self._tolerance)
        model = found[number] if number < len(found) else None
        if recorded is None or model is None:
            return recorded is model
        return set(differing(recorded, model, self._instrument(create), self._tolerance)) <= {"fee"}

    def _touched(self, create: Sent, number: int, recorded: Piece) -> bool:
        fills = self._hopeful.fills.get(create.order, ())
        return any(fill.time <= recorded.time + self._tolerance.time for fill in fills[: number + 1])

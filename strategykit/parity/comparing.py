"""Recorded fills beside those that models give, order by order: what is equal, and what differs in what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import zip_longest
from typing import Final

import attrs

from strategykit.errors import ConfigError
from strategykit.model.events import Side
from strategykit.parity.latencies import Latencies, fit_latencies
from strategykit.parity.playing import Played, play
from strategykit.parity.reasons import Reasons
from strategykit.parity.session import Sent, Session
from strategykit.parity.traded import Piece, Tolerance, differing, modelled, pieces
from strategykit.parity.traded import recorded as as_recorded
from strategykit.sim.models.fill_models import DEFAULT_MODELS, FillModels

__all__ = ["FillRow", "Money", "ParityReport", "compare"]

_ZERO: Final = Decimal(0)


@attrs.frozen(kw_only=True)
class FillRow:
    """One fill of the recorded run, of the models, or of both."""

    order: str
    """Client id."""
    strategy: str
    instrument: str
    side: str
    number: int
    """Which of the order's fills, counted from 1."""
    recorded: Piece | None
    """None: the run had no such fill."""
    model: Piece | None
    """None: the models give none."""
    fields: Sequence[str]
    """In what they differ: ``time``, ``price``, ``size``, ``fee``; all of it where one is missing."""
    why: str
    """Empty where nothing differs."""

    @property
    def equal(self) -> bool:
        return not self.fields


@attrs.frozen(kw_only=True)
class Money:
    """What all fills came to in one currency, fees taken off; what is still held at the last known price."""

    currency: str
    recorded: Decimal
    model: Decimal
    recorded_fees: Decimal
    model_fees: Decimal

    @property
    def difference(self) -> Decimal:
        """By how much the models are too hopeful."""
        return self.model - self.recorded


@attrs.frozen(kw_only=True)
class ParityReport:
    """How a recorded run compares with what models make of its orders."""

    orders: int
    rows: Sequence[FillRow]
    """All fills, order by order."""
    money: Sequence[Money]
    latencies: Latencies
    """Of the recorded run."""
    left_out: Sequence[str]

    @property
    def differences(self) -> Sequence[FillRow]:
        return [row for row in self.rows if not row.equal]

    @property
    def equal(self) -> int:
        return sum(row.equal for row in self.rows)

    @property
    def share(self) -> float:
        """Part of the fills that differ, 0 to 1."""
        return len(self.differences) / len(self.rows) if self.rows else 0.0


def compare(
    session: Session, models: FillModels = DEFAULT_MODELS, *, tolerance: Tolerance | None = None
) -> ParityReport:
    """Let models answer the orders of a recorded run, and compare the fills.

    Fills of one order at one price within the tolerated time count as one: venues split them by who was met.

    Raises:
        ConfigError: The session has no orders.
    """
    if not session.sent:
        raise ConfigError("this session has no orders")
    tolerance = tolerance or Tolerance()
    played, latencies = play(session, models), fit_latencies(session)
    reasons = Reasons(session, models, played, latencies, tolerance)
    fills = session.fills_of()
    rows: list[FillRow] = []
    for order, create in session.created.items():
        theirs = pieces(as_recorded(fills.get(order, ())), tolerance)
        ours = pieces(modelled(played.fills.get(order, ())), tolerance)
        rows += _rows(session, create, theirs, ours, tolerance, reasons)
    return ParityReport(
        orders=len(session.created),
        rows=tuple(rows),
        money=tuple(_money(session, played)),
        latencies=latencies,
        left_out=tuple(session.left_out),
    )


def _rows(
    session: Session,
    create: Sent,
    theirs: Sequence[Piece],
    ours: Sequence[Piece],
    tolerance: Tolerance,
    reasons: Reasons,
) -> Iterator[FillRow]:
    request = create.command.request
    instrument = session.instruments[request.instrument]
    for number, (recorded, model) in enumerate(zip_longest(theirs, ours)):
        fields = differing(recorded, model, instrument, tolerance)
        yield FillRow(
            order=create.order,
            strategy=create.strategy,
            instrument=request.instrument,
            side=request.side.value,
            number=number + 1,
            recorded=recorded,
            model=model,
            fields=fields,
            why=reasons.why(create, number, recorded, model, fields) if fields else "",
        )


def _money(session: Session, played: Played) -> Iterator[Money]:
    theirs = [(fill.instrument, fill.side, fill.price, fill.quantity, fill.fee or _ZERO) for fill in session.fills]
    requests = {order: create.command.request for order, create in session.created.items()}
    ours = [
        (requests[fill.order].instrument, requests[fill.order].side, fill.price, fill.quantity, fill.fee)
        for fills in played.fills.values()
        for fill in fills
    ]
    for currency in dict.fromkeys(instrument.currency for instrument in session.instruments.values()):
        recorded, recorded_fees = _worth(session, played, theirs, currency)
        model, model_fees = _worth(session, played, ours, currency)
        yield Money(
            currency=currency,
            recorded=recorded,
            model=model,
            recorded_fees=recorded_fees,
            model_fees=model_fees,
        )


def _worth(
    session: Session,
    played: Played,
    fills: Iterable[tuple[str, Side, Decimal, Decimal, Decimal]],
    currency: str,
) -> tuple[Decimal, Decimal]:
    worth, paid = _ZERO, _ZERO
    for symbol, side, price, quantity, fee in fills:
        instrument = session.instruments[symbol]
        if instrument.currency == currency:
            mark = played.marks.get(symbol, price)
            worth += instrument.value(mark - price, quantity) * side.sign - fee
            paid += fee
    return worth, paid

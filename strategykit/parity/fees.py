"""Fee rates that a recorded run shows: a share of the value that explains every fill's fee to the last digit."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import Final

import attrs

from strategykit.model.events import Fill
from strategykit.parity.session import Sent, Session
from strategykit.sim.fees import FeeModel, round_money

__all__ = ["FeeFit", "Rate", "fit_fees"]

_LEAST: Final = 3
"""Fills: fewer may agree by accident."""
_DIGITS: Final = 12
"""Of a rate, behind the point."""
_RESTED: Final = 100_000_000
"""Nanoseconds from an order's taking effect, or from the news of that, after which its fill came to it."""
_ROUNDINGS: Final = (ROUND_HALF_EVEN, ROUND_HALF_UP)


@attrs.frozen(kw_only=True)
class Rate:
    """A share of the value; of all that explain the fees, the one with the fewest digits."""

    rate: Decimal
    low: Decimal
    """The least that would explain them."""
    high: Decimal
    fills: int


@attrs.frozen(kw_only=True)
class FeeFit:
    """What fills of resting orders cost, and those of orders that took. None: there were too few, or no one rate."""

    maker: Rate | None
    taker: Rate | None
    step: Decimal
    """The smallest unit in which fees are told."""
    rounding: str

    def as_model(self) -> FeeModel:
        """Give them as fill models have them; what isn't known costs nothing."""
        nothing = Decimal(0)
        return FeeModel(
            maker_rate=nothing if self.maker is None else self.maker.rate,
            taker_rate=nothing if self.taker is None else self.taker.rate,
            step=self.step,
            rounding=self.rounding,
        )


def fit_fees(session: Session) -> FeeFit | None:
    """Find the rates of makers and of takers; None where the fills show neither.

    Fills of which nobody can say whether their order rested are left aside, and so is a side on which any fill's fee
    isn't told, is told in another currency, or isn't the same share of its value as the others'.
    """
    sides: dict[bool, list[tuple[Decimal, Decimal | None]]] = {True: [], False: []}
    created = session.created
    for fill in session.fills:
        sent = created.get(fill.client_order_id or "")
        rested = None if sent is None else _rested(sent, fill)
        if rested is not None:
            instrument = session.instruments[fill.instrument]
            ours = fill.fee_currency in (None, instrument.currency)
            sides[rested].append((abs(instrument.value(fill.price, fill.quantity)), fill.fee if ours else None))
    told = [fee.normalize() for paid in sides.values() for _, fee in paid if fee is not None]
    step = min((Decimal(1).scaleb(min(int(fee.as_tuple().exponent), 0)) for fee in told), default=Decimal(1))
    for rounding in _ROUNDINGS:
        maker, taker = (_rate(sides[rested], step, rounding) for rested in (True, False))
        if maker is not None or taker is not None:
            return FeeFit(maker=maker, taker=taker, step=step, rounding=rounding)
    return None


def _rested(sent: Sent, fill: Fill) -> bool | None:
    """Say whether a fill came to an order that rested; None where its times don't tell."""
    if sent.command.request.price is None:
        return False
    if sent.venue_time is not None and fill.event_time is not None:
        since = fill.event_time - sent.venue_time
        return since > _RESTED or (False if not since else None)
    return True if sent.answered is not None and fill.receive_time - sent.answered > _RESTED else None


def _rate(paid: Sequence[tuple[Decimal, Decimal | None]], step: Decimal, rounding: str) -> Rate | None:
    fees = [(value, fee) for value, fee in paid if fee is not None and value]
    if len(fees) < max(_LEAST, len(paid)):
        return None
    low = max((fee - step / 2) / value for value, fee in fees)
    high = min((fee + step / 2) / value for value, fee in fees)
    for digits in range(_DIGITS + 1):
        unit = Decimal(1).scaleb(-digits)
        rate = low.quantize(unit, rounding=ROUND_CEILING)
        if rate > high:
            continue
        if all(round_money(value * rate, step, rounding) == fee for value, fee in fees):
            return Rate(rate=rate, low=low, high=high, fills=len(fees))
    return None

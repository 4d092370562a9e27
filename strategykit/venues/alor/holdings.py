"""Positions and money, client side. Source: ALOR protocol sheet, sections 3.6 to 3.9."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from strategykit.model.events import AccountUpdate, Event, PositionUpdate
from strategykit.venues.alor.fields import CURRENCY_POWER, POSITION, RISK, SPECTRA_RISK, SUMMARY
from strategykit.venues.alor.orders import account_of
from strategykit.venues.alor.parsing import UNREADABLE, Reader, iso_time, money, readers, renamed, unreadable
from strategykit.venues.streams import Stream, StreamKind

__all__ = [
    "AccountCursor",
    "PositionCursor",
    "PositionRow",
    "SummaryRow",
    "position_of",
    "summary_of",
]


class PositionRow(msgspec.Struct, gc=False):
    """One holding as it comes."""

    symbol: str
    units: Decimal
    """Pieces. Of the fields that could be lots or pieces none is read (section 8, point 16)."""
    portfolio: str | None = None
    average_price: Decimal | None = None
    lot: Decimal | None = None
    day_pnl: Decimal | None = None
    open_pnl: Decimal | None = None
    is_currency: bool | None = False
    existing: bool | None = False


class _Power(msgspec.Struct, gc=False):
    currency: str
    buying_power: Decimal | None = None


class SummaryRow(msgspec.Struct, gc=False):
    """A portfolio's money. It has no key of its own: the first field must at least be there."""

    evaluation: Decimal | None
    buying_power: Decimal | None = None
    profit: Decimal | None = None
    initial_margin: Decimal | None = None
    commission: Decimal | None = None
    by_currency: list[_Power] | None = None
    by_currency_twin: list[_Power] | None = None
    """One source calls Slim's list ``bpv2``, another ``bp2v``: both are read (section 8, point 10)."""


class _RiskRow(msgspec.Struct, gc=False):
    evaluation: Decimal | None
    portfolio: str | None = None
    initial_margin: Decimal | None = None
    minimal_margin: Decimal | None = None
    status: str | None = None
    calculated: str | None = None


class _SpectraRow(msgspec.Struct, gc=False):
    free: Decimal | None
    portfolio: str | None = None
    blocked: Decimal | None = None
    fee: Decimal | None = None
    amount: Decimal | None = None
    clearing_margin: Decimal | None = None
    current_margin: Decimal | None = None


def _money(value: Decimal | None) -> Decimal | None:
    return None if value is None else money(value)


def position_of(row: PositionRow, *, account: str, guid: str, receive_time: int, snapshot: bool) -> PositionUpdate:
    """Give the event of a row: lots of an instrument, money of a currency.

    Raises:
        ValueError: Something in it can't be, or the lot is missing: pieces are never taken for lots.
    """
    currency = row.is_currency is True
    units, lot = money(row.units), _money(row.lot)
    if lot is not None and lot < 0:
        raise ValueError("a lot below 0")
    if not currency and units and not lot:
        raise ValueError("a position without its lot")
    return PositionUpdate(
        row.symbol,
        units if currency or not lot else units / lot,
        _money(row.average_price) or None,  # A price of 0 says that there is none.
        _money(row.open_pnl),
        _money(row.day_pnl),
        None,
        receive_time,
        guid,
        snapshot,
        row.portfolio or account,
        currency,
        lot or None,
    )


def summary_of(row: SummaryRow, *, account: str, guid: str, receive_time: int) -> AccountUpdate:
    """Give the event of a portfolio's summary.

    Raises:
        ValueError: Something in it can't be.
    """
    powers = row.by_currency if row.by_currency is not None else row.by_currency_twin
    by_currency = tuple(
        (power.currency, money(power.buying_power)) for power in powers or () if power.buying_power is not None
    )
    return AccountUpdate(
        None,
        account,
        "summary",
        _money(row.evaluation),
        _money(row.buying_power),
        None,
        _money(row.initial_margin),
        None,
        _money(row.profit),
        _money(row.commission),
        None,
        None,
        receive_time,
        guid,
        by_currency,
    )


def _risk_of(row: _RiskRow, *, account: str, guid: str, receive_time: int) -> AccountUpdate:
    return AccountUpdate(
        None,
        row.portfolio or account,
        "risk",
        _money(row.evaluation),
        None,
        None,
        _money(row.initial_margin),
        _money(row.minimal_margin),
        None,
        None,
        row.status,
        iso_time(row.calculated),
        receive_time,
        guid,
    )


def _spectra_of(row: _SpectraRow, *, account: str, guid: str, receive_time: int) -> AccountUpdate:
    """Profit is the day's variation margin: of the intermediate clearing, and of current positions since."""
    margins = [money(margin) for margin in (row.clearing_margin, row.current_margin) if margin is not None]
    return AccountUpdate(
        None,
        row.portfolio or account,
        "spectra_risk",
        None,
        _money(row.free),
        _money(row.amount),
        _money(row.blocked),
        None,
        sum(margins, Decimal(0)) if margins else None,
        _money(row.fee),
        None,
        None,
        receive_time,
        guid,
    )


def _summary_parts(style: str) -> Mapping[Any, Any]:
    power: Any = renamed(_Power, CURRENCY_POWER[style])
    return {list[_Power] | None: list[power] | None}


_POSITIONS: Final = readers(PositionRow, POSITION)

_MESSAGES: Final[Mapping[StreamKind, tuple[Mapping[str, Reader[Any]], Callable[..., AccountUpdate]]]] = {
    StreamKind.SUMMARY: (readers(SummaryRow, SUMMARY, _summary_parts), summary_of),
    StreamKind.RISK: (readers(_RiskRow, RISK), _risk_of),
    StreamKind.SPECTRA_RISK: (readers(_SpectraRow, SPECTRA_RISK), _spectra_of),
}


class PositionCursor:
    """Holdings. What is replayed is told again: it is the state, and state may be told twice."""

    __slots__ = ("_account", "_guid", "_read")

    def __init__(self, guid: str, stream: Stream, style: str) -> None:
        self._guid = guid
        self._account = account_of(stream)
        self._read = _POSITIONS[style]

    def decode(self, frame: str | bytes, receive_time: int) -> Sequence[Event]:
        try:
            row = self._read(frame).data
            replayed = row.existing is True
            return (
                position_of(row, account=self._account, guid=self._guid, receive_time=receive_time, snapshot=replayed),
            )
        except UNREADABLE as exc:
            raise unreadable(frame, exc) from exc

    def reconnected(self) -> None:
        """Nothing is kept between frames."""


class AccountCursor:
    """Money and margin: one of three messages, as the stream's kind says."""

    __slots__ = ("_account", "_event_of", "_guid", "_read")

    def __init__(self, guid: str, stream: Stream, style: str) -> None:
        self._guid = guid
        self._account = account_of(stream)
        read, self._event_of = _MESSAGES[stream.kind]
        self._read = read[style]

    def decode(self, frame: str | bytes, receive_time: int) -> Sequence[Event]:
        try:
            row = self._read(frame).data
            return (self._event_of(row, account=self._account, guid=self._guid, receive_time=receive_time),)
        except UNREADABLE as exc:
            raise unreadable(frame, exc) from exc

    def reconnected(self) -> None:
        """Nothing is kept between frames."""

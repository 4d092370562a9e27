"""From JSON to values: the messages of the stream and the items of REST, read with types and checked.

Numbers are read to the nearest double. Source: CoinAPI protocol sheet, sections 5 and 8.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Final

import msgspec

from strategykit.errors import RemoteProtocolError
from strategykit.venues.coinapi.names import DataType
from strategykit.venues.coinapi.times import read_time
from strategykit.venues.dialect import Frame

__all__ = [
    "UNREADABLE",
    "AssetRow",
    "BarRow",
    "BookRow",
    "ErrorRow",
    "LevelRow",
    "MarketRow",
    "Number",
    "OrderRow",
    "OrdersRow",
    "PlainBarRow",
    "QuoteRow",
    "RateRow",
    "ReconnectRow",
    "Row",
    "Size",
    "Top5Row",
    "Top20Row",
    "Top50Row",
    "TopRow",
    "TradeRow",
    "VolumePart",
    "VolumeRow",
    "check_prices",
    "nanoseconds",
    "read_frame",
    "unreadable",
]

UNREADABLE: Final = (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError)
"""What decoding can raise: malformed or mistyped JSON, lone surrogates, numbers out of range, nesting too deep."""

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - compared with times that have no zone, either
_LAST_DAY: Final = 106_000
"""In 2260: 64 bits of nanoseconds end in 2262."""

_MOST: Final = 1e30

Number = Annotated[float, msgspec.Meta(ge=-_MOST, le=_MOST)]
"""A price or rate. Prices of spreads may be below 0."""
Size = Annotated[float, msgspec.Meta(ge=0.0, le=_MOST)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]


class LevelRow(msgspec.Struct, gc=False):
    price: Number
    size: Size


class OrderRow(msgspec.Struct, gc=False):
    """An order of a book, or a change of one."""

    price: Number
    size: Size
    id: str | None = None
    """None: it is a whole level, of a venue that doesn't show its orders."""
    update_type: str | None = None


class _Stamped(msgspec.Struct, gc=False, kw_only=True, tag_field="type"):
    """What is about one symbol and comes with a number."""

    symbol_id: str
    sequence: _Count | None = None
    time_exchange: str
    """By the venue's clock."""
    time_coinapi: str
    """When CoinAPI had it. All of a symbol have the same form, so that they compare as texts."""
    time: int = msgspec.field(name="-", default=0)
    """The chosen one of the two in nanoseconds UTC, filled in when the row has been read."""


class TradeRow(_Stamped, gc=False, kw_only=True, tag=DataType.TRADE.value):
    uuid: str
    price: Number
    size: Size
    """0: a marker, not a trade."""
    taker_side: str | None = None


class QuoteRow(_Stamped, gc=False, kw_only=True, tag=DataType.QUOTE.value):
    """A price of null, or 0, is none; a size of 0 isn't known."""

    ask_price: Number | None = None
    ask_size: Size | None = None
    bid_price: Number | None = None
    bid_size: Size | None = None


class TopRow(_Stamped, gc=False, kw_only=True):
    """The best levels, whole."""

    asks: list[LevelRow] | None = None
    bids: list[LevelRow] | None = None


class Top5Row(TopRow, gc=False, kw_only=True, tag=DataType.BOOK5.value):
    """Five a side."""


class Top20Row(TopRow, gc=False, kw_only=True, tag=DataType.BOOK20.value):
    """Twenty."""


class Top50Row(TopRow, gc=False, kw_only=True, tag=DataType.BOOK50.value):
    """Fifty."""


class BookRow(TopRow, gc=False, kw_only=True, tag=DataType.BOOK.value):
    """All levels, or those that changed; a size of 0 removes its level."""

    is_snapshot: bool | None = None


class OrdersRow(_Stamped, gc=False, kw_only=True, tag=DataType.BOOK_L3.value):
    """All orders, or what changed of them."""

    asks: list[OrderRow] | None = None
    bids: list[OrderRow] | None = None
    is_snapshot: bool | None = None


class PlainBarRow(msgspec.Struct, gc=False, kw_only=True):
    """A bar as REST has it, for a symbol and period that were asked for. One without trades may have no prices."""

    time_period_start: str
    price_open: Number | None = None
    price_high: Number | None = None
    price_low: Number | None = None
    price_close: Number | None = None
    volume_traded: Size = 0.0
    time: int = msgspec.field(name="-", default=0)
    """Start in nanoseconds UTC, filled in when the row has been read."""


class BarRow(PlainBarRow, gc=False, kw_only=True, tag_field="type", tag=DataType.OHLCV.value):
    symbol_id: str
    period_id: str
    sequence: _Count | None = None
    """Counted over all periods of a symbol."""


class RateRow(msgspec.Struct, gc=False, tag_field="type", tag=DataType.EXRATE.value):
    """What one asset is worth in another, on average over 24 hours."""

    asset_id_base: str
    asset_id_quote: str
    time: str
    rate: Number
    rate_type: str | None = None
    nanoseconds: int = msgspec.field(name="-", default=0)
    """`time` as a number, filled in when the row has been read."""


class VolumePart(msgspec.Struct, gc=False):
    symbol_id: str
    volume_base: Size
    volume_quote: Size


class VolumeRow(msgspec.Struct, gc=False, tag_field="type", tag=DataType.VOLUME.value):
    period_id: str
    time_coinapi: str
    volume_by_symbol: list[VolumePart]


class AssetRow(msgspec.Struct, gc=False, tag_field="type", tag=DataType.ASSET.value):
    """What is known of an asset differs from one to the next; it is handed on as it came, besides."""

    asset_id: str
    name: str | None = None
    type_is_crypto: int | None = None
    price_usd: Number | None = None
    volume_1hrs_usd: Size | None = None
    volume_1day_usd: Size | None = None
    volume_1mth_usd: Size | None = None


class ReconnectRow(msgspec.Struct, gc=False, tag_field="type", tag="reconnect"):
    """The server will close the connection."""

    within_seconds: float | None = None


class ErrorRow(msgspec.Struct, gc=False, tag_field="type", tag="error"):
    """The server closes the connection; most of the time."""

    message: str | None = None


MarketRow = TradeRow | QuoteRow | Top5Row | Top20Row | Top50Row | BookRow | OrdersRow
"""What has a symbol, a number and two times."""

Row = MarketRow | BarRow | RateRow | VolumeRow | AssetRow | ReconnectRow | ErrorRow


class _Typed(msgspec.Struct, gc=False):
    type: str


_READ: Final[Callable[[Frame], Row]] = msgspec.json.Decoder(Row).decode
_TYPE: Final = msgspec.json.Decoder(_Typed).decode
_KNOWN: Final = frozenset(
    str(row.__struct_config__.tag)
    for row in (
        *(TradeRow, QuoteRow, Top5Row, Top20Row, Top50Row, BookRow, OrdersRow),
        *(BarRow, RateRow, VolumeRow, AssetRow, ReconnectRow, ErrorRow),
    )
)


def read_frame(frame: Frame) -> Row | str:
    """Read one message of the stream; give just its type if that is none of those above, such as a heartbeat.

    Raises:
        RemoteProtocolError: It can't be read.
    """
    try:
        return _READ(frame)
    except UNREADABLE as exc:
        try:
            kind = _TYPE(frame).type
        except UNREADABLE:
            kind = ""
        if not kind or kind in _KNOWN:
            raise unreadable(frame, exc) from exc
        return kind


def unreadable(frame: Frame, why: object) -> RemoteProtocolError:
    """Give the error to raise for what can't be read."""
    return RemoteProtocolError(f"CoinAPI sent what can't be read ({why})", frame=frame)


def nanoseconds(text: str) -> int:
    """Give a time in nanoseconds UTC.

    Raises:
        ValueError: It isn't one.
    """
    # Nearly all have this form; the general way takes four times as long.
    fraction = text[20:27]
    if len(text) == 28 and text[7] == "-" and text[16] == ":" and text[27] == "Z" and text.isascii():
        whole = datetime.fromisoformat(text[:19]) - _EPOCH
        if 0 <= whole.days < _LAST_DAY and not whole.microseconds and fraction.isdigit():
            return (whole.days * 86_400 + whole.seconds) * 1_000_000_000 + int(fraction) * 100
    time = read_time(text)
    if time is None:
        raise ValueError(f"{text[:40]!r} isn't a time")
    return time


def check_prices(row: PlainBarRow) -> tuple[float, float, float, float] | None:
    """Give a bar's open, high, low and close; None if it has no prices, since nothing was traded.

    Raises:
        ValueError: No prices can make such a bar.
    """
    prices: Sequence[float | None] = (row.price_open, row.price_high, row.price_low, row.price_close)
    found = [price for price in prices if price is not None]
    if not found:
        return None
    if len(found) < 4:
        raise ValueError("a bar with some prices, but not all")
    first, high, low, last = found
    if not (low <= first <= high and low <= last <= high):
        raise ValueError("a bar's prices aren't between its low and high")
    return first, high, low, last

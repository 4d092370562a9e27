"""From JSON to values: what the venues of the family send, read with types and checked.

Numbers come as decimal strings and are read to the nearest double; what isn't finite, negative or absurdly large is
refused. Integers may come as strings, too: Backpack documents one so and sends the other. Times are milliseconds or
microseconds, told apart by how large they are. Source: stream protocol sheet, sections 3 to 5.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Generic, TypeAlias, TypeVar, cast

import msgspec

from strategykit.errors import RemoteProtocolError

__all__ = [
    "LAST_MS",
    "UNREADABLE",
    "AggregateRow",
    "BinanceBarRow",
    "BinanceTickerRow",
    "BookRow",
    "Framed",
    "Id",
    "KlineRow",
    "Level",
    "NaiveBarRow",
    "PartialRow",
    "Price",
    "QuoteRow",
    "Reader",
    "Size",
    "SpotPartialRow",
    "TickerRow",
    "Time",
    "TradeRow",
    "check_bar",
    "lax_decoder",
    "nanoseconds",
    "read_naive",
    "reader",
    "unreadable",
]

T = TypeVar("T")

UNREADABLE: Final = (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError)
"""What decoding can raise: malformed or mistyped JSON, lone surrogates, numbers out of range, nesting too deep."""

_MOST: Final = 1e15
_MOST_IN_A_DAY: Final = 1e18
LAST_MS: Final = 9_223_372_036_854
"""Milliseconds at which 64 bits of nanoseconds end, in 2262; as microseconds that is April 1970."""

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - the times that are read have no zone
_LAST_YEAR: Final = 2261

Price = Annotated[float, msgspec.Meta(gt=0.0, le=_MOST)]
Size = Annotated[float, msgspec.Meta(ge=0.0, le=_MOST)]
Sum = Annotated[float, msgspec.Meta(ge=0.0, le=_MOST_IN_A_DAY)]
Id = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
Time = Annotated[int, msgspec.Meta(ge=0, le=LAST_MS * 1_000)]
Level = tuple[Price, Size]
"""A size of 0 removes its level."""


def nanoseconds(time: int) -> int:
    """Give a time in nanoseconds, whichever unit it came in."""
    return time * 1_000 if time > LAST_MS else time * 1_000_000


def read_naive(text: str) -> int:
    """Read Backpack's ``2024-09-11T12:00:00``, which is UTC; give nanoseconds.

    Raises:
        ValueError: It isn't such a time.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None or not _EPOCH.year <= moment.year <= _LAST_YEAR:
        raise ValueError(f"{text[:40]!r} isn't a time without a zone, from 1970 on")
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1_000


class Framed(msgspec.Struct, Generic[T], gc=False):
    """A data frame. The name of its stream is looked at before, and here skipped."""

    data: T


class TradeRow(msgspec.Struct, gc=False):
    """A trade."""

    t: Id
    p: Price
    q: Annotated[float, msgspec.Meta(gt=0.0, le=_MOST)]
    m: bool | None
    """The buyer was the maker: the taker sold. A relay says null where its venue doesn't say."""
    T: Time


class AggregateRow(TradeRow, gc=False):
    """Trades of one order at one price, as one, with a number of its own."""

    t: Id = msgspec.field(name="a")


class QuoteRow(msgspec.Struct, gc=False):
    """Best bid and ask. A side that is empty is null, or 0."""

    u: Id
    b: Size | None
    B: Size | None
    a: Size | None
    A: Size | None
    T: Time | None = None


class TickerRow(msgspec.Struct, gc=False):
    """The last 24 hours. Prices of what wasn't traded are 0, or null; the seed's relatives leave some out."""

    c: Size | None
    o: Size | None = None
    h: Size | None = None
    l: Size | None = None  # noqa: E741 - the venue's name
    v: Sum | None = None
    turnover: Sum | None = msgspec.field(default=None, name="V")
    n: Id | None = None
    E: Time | None = None

    def __post_init__(self) -> None:
        if self.h is not None and self.l is not None and self.l > self.h:
            raise ValueError("a ticker whose low is above its high")


class BinanceTickerRow(TickerRow, gc=False):
    turnover: Sum | None = msgspec.field(default=None, name="q")


class BookRow(msgspec.Struct, gc=False):
    """Changes of a book. The seed's reference sends no numbers and no times."""

    b: tuple[Level, ...]
    a: tuple[Level, ...]
    U: Id | None = None
    u: Id | None = None
    pu: Id | None = None
    """Of futures: `u` of the message before."""
    E: Time | None = None
    T: Time | None = None

    def __post_init__(self) -> None:
        if (self.U is None) != (self.u is None) or (self.u is not None and self.before > self.u):  # type: ignore[operator]
            raise ValueError("the numbers of a book's changes don't go together")

    @property
    def before(self) -> int | None:
        """The number that a book has to have for these changes to lead on from it; None: they carry none."""
        if self.pu is not None:
            return self.pu
        return None if self.U is None else self.U - 1


class PartialRow(msgspec.Struct, gc=False):
    """A small book, whole, as futures send it."""

    u: Id
    b: tuple[Level, ...]
    a: tuple[Level, ...]
    E: Time | None = None
    T: Time | None = None


class SpotPartialRow(PartialRow, gc=False):
    u: Id = msgspec.field(name="lastUpdateId")
    b: tuple[Level, ...] = msgspec.field(name="bids")
    a: tuple[Level, ...] = msgspec.field(name="asks")


class BinanceBarRow(msgspec.Struct, gc=False):
    t: Time
    o: Price
    h: Price
    l: Price  # noqa: E741 - the venue's name
    c: Price
    v: Size
    x: bool

    def __post_init__(self) -> None:
        check_bar(self.o, self.h, self.l, self.c)


class KlineRow(msgspec.Struct, gc=False):
    k: BinanceBarRow
    E: Time | None = None


class NaiveBarRow(msgspec.Struct, gc=False, rename={"x": "X"}):
    """Backpack's. A bar without trades may have no prices."""

    t: str
    o: Price | None
    h: Price | None
    l: Price | None  # noqa: E741 - the venue's name
    c: Price | None
    v: Size
    x: bool
    E: Time | None = None

    def __post_init__(self) -> None:
        read_naive(self.t)
        prices = [price for price in (self.o, self.h, self.l, self.c) if price is not None]
        if len(prices) == 4:
            check_bar(*prices)
        elif prices:
            raise ValueError("a bar with some prices, but not all")


def check_bar(opened: float, high: float, low: float, close: float) -> None:
    """Pass a bar that prices can make.

    Raises:
        ValueError: They can't.
    """
    if not (low <= opened <= high and low <= close <= high):
        raise ValueError("a bar's prices aren't between its low and high")


Reader: TypeAlias = Callable[[str | bytes], Framed[T]]


def lax_decoder(wanted: Any) -> msgspec.json.Decoder[Any]:
    """Make a decoder that takes numbers as strings."""
    return msgspec.json.Decoder(wanted, strict=False)


def reader(row: type[T]) -> Reader[T]:
    """Give the function that reads data frames of `row`."""
    wanted: Any = msgspec.defstruct("Framed", [("data", row)], gc=False)
    return cast("Reader[T]", lax_decoder(wanted).decode)


def unreadable(frame: str | bytes, why: object) -> RemoteProtocolError:
    """Give the error to raise for a frame that can't be read."""
    return RemoteProtocolError(f"a stream venue sent what can't be read ({why})", frame=frame)

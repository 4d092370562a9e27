"""HTTP, client side: what can be asked, and how answers are read. Source: ALOR protocol sheet, sections 5.1 and 5.2.

Rows are those of the sockets, so the cursors read them. Answers in another format than the one asked for are read too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Final, TypeVar, cast

import attrs
import msgspec

from strategykit.errors import ConfigError, LocalProtocolError, RemoteProtocolError
from strategykit.model.events import Bar, BookSnapshot, Event, Trade
from strategykit.model.instruments import Instrument
from strategykit.venues.alor.bars import BarRow, check_bar
from strategykit.venues.alor.fields import BAR, SECURITY
from strategykit.venues.alor.holdings import AccountCursor, PositionCursor
from strategykit.venues.alor.market import BookCursor, TradeCursor
from strategykit.venues.alor.names import MAX_BOOK_DEPTH, MIN_FREQUENCY, NANOS
from strategykit.venues.alor.orders import FillCursor, OrderCursor
from strategykit.venues.alor.parsing import UNREADABLE, FrameCursor, Seconds, money, renamed
from strategykit.venues.alor.subscribing import exchange_of
from strategykit.venues.alor.times import MAX_SECONDS, write_timeframe
from strategykit.venues.dialect import (
    Ask,
    AskAccount,
    AskBars,
    AskBook,
    AskInstrument,
    AskInstruments,
    AskOrders,
    AskPastTrades,
    AskPositions,
    AskStopOrders,
    AskTrades,
    HttpRequest,
)
from strategykit.venues.listed import read_listed
from strategykit.venues.streams import Stream, StreamKind

__all__ = [
    "all_trades_request",
    "ask_request",
    "boards_request",
    "book_request",
    "quoted",
    "read_all_trades",
    "read_answer",
    "read_boards",
    "read_book",
    "read_securities",
    "read_time",
    "securities_request",
    "time_request",
]

_T = TypeVar("_T")

_PLAIN: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")

_PARTS: Final[Mapping[type, str]] = {
    AskOrders: "orders",
    AskStopOrders: "stoporders",
    AskTrades: "trades",
    AskPositions: "positions",
    AskAccount: "summary",
}

_ROWS: Final[Mapping[type, tuple[StreamKind, Callable[[str, Stream, str], FrameCursor]]]] = {
    AskOrders: (StreamKind.ORDERS, OrderCursor),
    AskStopOrders: (StreamKind.STOP_ORDERS, OrderCursor),
    AskTrades: (StreamKind.FILLS, FillCursor),
    AskPositions: (StreamKind.POSITIONS, PositionCursor),
    AskAccount: (StreamKind.SUMMARY, AccountCursor),
}


class _SecurityRow(msgspec.Struct):
    symbol: str
    tick: Decimal
    lot: Decimal
    tick_value: Decimal | None = None
    exchange: str | None = None
    board: str | None = None
    primary_board: str | None = None
    currency: str | None = None
    description: str | None = None
    cfi: str | None = None


def quoted(text: str) -> str:
    """Give `text` as one segment of a path.

    Raises:
        LocalProtocolError: It can't be one.
    """
    if text in ("", ".", ".."):
        raise LocalProtocolError(f"{text!r} can't stand in a path")
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        raise LocalProtocolError("a name that isn't Unicode can't stand in a path") from None
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in raw)


def ask_request(ask: Ask, *, exchange: str, board: str | None, style: str) -> HttpRequest:
    """Give the call for `ask`.

    Raises:
        LocalProtocolError: The venue can't be asked so.
    """
    if isinstance(ask, AskBars):
        return _bars_request(ask, exchange=exchange, board=board, style=style)
    query = {"format": style, "jsonResponse": "true"}
    if isinstance(ask, AskInstrument):
        path = f"/md/v2/Securities/{quoted(ask.exchange or exchange)}/{quoted(ask.instrument)}"
        return HttpRequest(
            method="GET", path=path, query=query if board is None else query | {"instrumentGroup": board}
        )
    if isinstance(ask, AskInstruments):
        return securities_request(ask.exchange or exchange, style=style)
    if isinstance(ask, AskPastTrades | AskBook):
        raise LocalProtocolError(
            f"{type(ask).__name__} isn't asked over ALOR's HTTP: streams begin with what they need"
        )
    where = quoted(exchange_of(ask.account, ask.exchange, exchange))
    return HttpRequest(
        method="GET", path=f"/md/v2/Clients/{where}/{quoted(ask.account)}/{_PARTS[type(ask)]}", query=query
    )


def read_answer(ask: Ask, body: bytes, *, receive_time: int, style: str) -> Sequence[Event | Instrument]:
    """Read the body of a successful answer to `ask`; rows are marked as snapshots, whatever they say themselves.

    Raises:
        RemoteProtocolError: It can't be read.
    """
    if isinstance(ask, AskBars):
        return _read_bars(ask, body, receive_time=receive_time, style=style)
    if isinstance(ask, AskInstrument):
        return [_security(body, style)]
    if isinstance(ask, AskInstruments):
        return read_securities(body, style=style)
    if isinstance(ask, AskPastTrades | AskBook):
        raise LocalProtocolError("ALOR is never asked for past trades or a book")
    kind, cursor = _ROWS[type(ask)]
    rows = [body] if isinstance(ask, AskAccount) else _split(body)
    return _read_rows(rows, Stream(kind=kind, account=ask.account), cursor, receive_time=receive_time, style=style)


def time_request() -> HttpRequest:
    """Ask what time the venue has; it needs no token."""
    return HttpRequest(method="GET", path="/md/v2/time")


def read_time(body: bytes) -> int:
    """Give nanoseconds UTC. The venue says whole seconds.

    Raises:
        RemoteProtocolError: It can't be read.
    """
    return _decoded(body, Seconds) * NANOS


def book_request(exchange: str, instrument: str, *, depth: int, style: str) -> HttpRequest:
    """Ask for an order book.

    Raises:
        LocalProtocolError: The venue doesn't give so many levels.
    """
    if not 1 <= depth <= MAX_BOOK_DEPTH:
        raise LocalProtocolError(f"a book depth of {depth} levels: the venue gives 1 to {MAX_BOOK_DEPTH}")
    path = f"/md/v2/orderbooks/{quoted(exchange)}/{quoted(instrument)}"
    return HttpRequest(method="GET", path=path, query={"depth": str(depth), "format": style})


def read_book(body: bytes, instrument: str, *, receive_time: int, style: str) -> BookSnapshot:
    """Read an order book.

    Raises:
        RemoteProtocolError: It can't be read.
    """
    stream = Stream(kind=StreamKind.BOOK, instrument=instrument)
    rows = _read_rows([body], stream, BookCursor, receive_time=receive_time, style=style)
    return cast("BookSnapshot", rows[0])


def all_trades_request(
    exchange: str, instrument: str, *, since: int | None = None, until: int | None = None, most: int, style: str
) -> HttpRequest:
    """Ask for public trades of this session, from `since` to `until`, nanoseconds UTC, whole seconds of them."""
    query = {"format": style, "take": str(most)}
    if since is not None:
        query["from"] = str(since // NANOS)
    if until is not None:
        query["to"] = str(-(-until // NANOS))
    path = f"/md/v2/Securities/{quoted(exchange)}/{quoted(instrument)}/alltrades"
    return HttpRequest(method="GET", path=path, query=query)


def read_all_trades(body: bytes, instrument: str, *, receive_time: int, style: str) -> list[Trade]:
    """Read public trades, each once.

    Raises:
        RemoteProtocolError: They can't be read.
    """
    stream = Stream(kind=StreamKind.TRADES, instrument=instrument)
    rows = _read_rows(_split(body), stream, TradeCursor, receive_time=receive_time, style=style)
    return cast("list[Trade]", rows)


def boards_request(exchange: str, instrument: str) -> HttpRequest:
    """Ask on which boards an instrument trades."""
    path = f"/md/v2/Securities/{quoted(exchange)}/{quoted(instrument)}/availableBoards"
    return HttpRequest(method="GET", path=path)


def read_boards(body: bytes) -> list[str]:
    """Read names of boards.

    Raises:
        RemoteProtocolError: They can't be read.
    """
    return _decoded(body, list[str])


def securities_request(exchange: str, *, most: int | None = None, offset: int = 0, style: str) -> HttpRequest:
    """Ask for the reference data of everything listed: in pages of `most`, or all at once."""
    query = {"format": style} if most is None else {"format": style, "limit": str(most), "offset": str(offset)}
    return HttpRequest(method="GET", path=f"/md/v2/Securities/{quoted(exchange)}", query=query)


def read_securities(body: bytes, *, style: str) -> list[Instrument]:
    """Read reference data.

    Raises:
        RemoteProtocolError: It can't be read, or none of it can.
    """
    return read_listed(_split(body), partial(_security, style=style))


def _styles(style: str) -> list[str]:
    return [style, *(each for each in MIN_FREQUENCY if each != style)]


def _decoded(body: bytes, type_: type[_T] | Any) -> _T:
    try:
        return cast("_T", msgspec.json.decode(body, type=type_))
    except UNREADABLE as exc:
        raise RemoteProtocolError(f"ALOR answered what can't be read ({exc})", frame=body) from exc


def _any_style(style: str, read: Callable[[str], _T]) -> _T:
    """Read in the format asked for, else in the others; if none fits, tell what was wrong with the first."""
    first: RemoteProtocolError | None = None
    for each in _styles(style):
        try:
            return read(each)
        except RemoteProtocolError as exc:
            first = first or exc
    assert first is not None
    raise first


def _split(body: bytes) -> list[bytes]:
    rows: list[msgspec.Raw] = _decoded(body, list[msgspec.Raw])
    return [bytes(row) for row in rows]


def _read_rows(
    rows: list[bytes],
    stream: Stream,
    make: Callable[[str, Stream, str], FrameCursor],
    *,
    receive_time: int,
    style: str,
) -> list[Event]:
    def read(each: str) -> list[Event]:
        cursor = make("", stream, each)
        return [event for row in rows for event in cursor.decode(b'{"data":%b}' % row, receive_time)]

    events: list[Any] = _any_style(style, read)
    # The rows have `existing` too, which says nothing here (section 5.1). A summary has no such field.
    return [attrs.evolve(event, snapshot=True) if hasattr(event, "snapshot") else event for event in events]


def _security(body: bytes, style: str) -> Instrument:
    def read(each: str) -> _SecurityRow:
        return _decoded(body, renamed(_SecurityRow, SECURITY[each]))

    row: _SecurityRow = _any_style(style, read)
    try:
        tick, lot = money(row.tick), money(row.lot)
        # What a tick is worth: of one piece for shares, of one contract for futures and options, whose prices may be
        # points. Whether a future's lot is 1 or its pieces isn't said, so the lot is taken out again.
        value = tick if not row.tick_value else money(row.tick_value)
        pieces = lot if (row.cfi or "")[:1] in ("F", "O") else Decimal(1)
        return Instrument(
            row.symbol,
            tick,
            lot,
            value / tick / pieces,
            row.currency or "RUB",
            row.exchange or "MOEX",
            row.board or row.primary_board,
            row.description or "",
        )
    except (ValueError, ArithmeticError, ConfigError) as exc:
        raise RemoteProtocolError(f"ALOR answered an instrument that can't be ({exc})", frame=body) from exc


def _bars_request(ask: AskBars, *, exchange: str, board: str | None, style: str) -> HttpRequest:
    """Ask for bars. Whether the end is inclusive isn't known, so what lies beyond is cut off on reading."""
    if ask.count < 1:
        raise LocalProtocolError(f"{ask.count} bars can't be asked for")
    until = -(-ask.until // NANOS)
    since = max(0, (ask.until - ask.count * ask.interval) // NANOS)
    if not 0 <= until <= MAX_SECONDS:
        raise LocalProtocolError(f"bars until {until} s: the venue takes Unix seconds, 0 to {MAX_SECONDS}")
    query = {
        "symbol": ask.instrument,
        "exchange": ask.exchange or exchange,
        "tf": write_timeframe(ask.interval),
        "from": str(since),
        "to": str(until),
        "countBack": str(ask.count),
        "format": style,
        "jsonResponse": "true",
    }
    group = ask.board or board
    if group is not None:
        query["instrumentGroup"] = group
    return HttpRequest(method="GET", path="/md/v2/history", query=query)


def _read_bars(ask: AskBars, body: bytes, *, receive_time: int, style: str) -> list[Bar]:
    def read(each: str) -> list[BarRow]:
        row: Any = renamed(BarRow, BAR[each])
        # The list has two names, whatever the format (section 8, point 11).
        shape = msgspec.defstruct("History", [("history", list[row] | None, None), ("h", list[row] | None, None)])
        answer: Any = _decoded(body, shape)
        rows = answer.h if answer.history is None else answer.history
        if rows is None:
            raise RemoteProtocolError("ALOR answered a history without its list", frame=body)
        return list(rows)

    bars: dict[int, BarRow] = {}
    rows: list[BarRow] = _any_style(style, read)
    for row in rows:
        try:
            check_bar(row)
        except ValueError as exc:
            raise RemoteProtocolError(f"ALOR answered what can't be read ({exc})", frame=body) from exc
        if row.time * NANOS < ask.until:
            bars[row.time] = row
    known_until = min(ask.until, receive_time)
    last = max(bars, default=0)
    return [
        Bar(
            ask.instrument,
            time * NANOS,
            ask.interval,
            bars[time].open,
            bars[time].high,
            bars[time].low,
            bars[time].close,
            bars[time].volume,
            # A later bar proves that one is closed; for the last there is only the clock.
            time != last or time * NANOS + ask.interval <= known_until,
            None,
            receive_time,
            "",
            snapshot=True,
        )
        for time in sorted(bars)
    ]

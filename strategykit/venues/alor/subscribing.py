"""Subscription requests, client side; what the venue would refuse is refused here, by value and limit.

Source: ALOR protocol sheet, sections 1.4 and 2.2 to 2.3.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from strategykit.errors import LocalProtocolError
from strategykit.venues.alor.bars import BarCursor
from strategykit.venues.alor.market import symbol_of
from strategykit.venues.alor.names import (
    MAX_BOOK_DEPTH,
    MAX_PAST_TRADES,
    MIN_FREQUENCY,
    NANOS,
    OPCODES,
)
from strategykit.venues.alor.orders import account_of
from strategykit.venues.alor.times import MAX_SECONDS, write_timeframe
from strategykit.venues.dialect import Cursor
from strategykit.venues.streams import PRIVATE, Stream, StreamKind

__all__ = ["encode_authorize", "encode_ping", "encode_subscribe", "encode_unsubscribe", "exchange_of"]

_MILLI: Final = 1_000_000
_ENCODE: Final = msgspec.json.Encoder().encode

_CONFLATED: Final = frozenset({StreamKind.BOOK, StreamKind.QUOTES, StreamKind.BARS})
_BY_INTERVAL: Final = frozenset({StreamKind.BARS, StreamKind.CLUSTERS})


def exchange_of(account: str, exchange: str | None, usual: str) -> str:
    """Give the exchange under which a portfolio is asked for: accounts of the single cash position have their own."""
    if exchange is not None:
        return exchange
    return "UNITED" if account.startswith("E") else usual


def encode_subscribe(
    guid: str, stream: Stream, cursor: Cursor, *, token: str, style: str, exchange: str, board: str | None
) -> str:
    """Word the request for `stream`.

    Args:
        guid: The key under which its data come.
        stream: What is wanted.
        cursor: Where the stream stands: bars go on from the last one held.
        token: The newest access token.
        style: Payload format.
        exchange: Where the stream names none.
        board: Where the stream names none; None: the venue's primary one.

    Raises:
        LocalProtocolError: The venue can't do this.
    """
    kind = stream.kind
    request: dict[str, Any] = {"opcode": OPCODES[kind]}
    if kind in PRIVATE:
        account = account_of(stream)
        request["portfolio"] = account
        request["exchange"] = exchange_of(account, stream.exchange, exchange)
        request["skipHistory"] = stream.skip_history
    else:
        request["code"] = symbol_of(stream)
        request["exchange"] = stream.exchange or exchange
        group = stream.board or board
        if group is not None and kind is not StreamKind.CLUSTERS:
            request["instrumentGroup"] = group
    if kind in _BY_INTERVAL:
        _add_history(request, stream, cursor)
    elif stream.interval is not None:
        raise LocalProtocolError(f"a subscription to {kind.value} has no interval")
    _add_depth(request, stream)
    _add_frequency(request, stream, style)
    request |= {"format": style, "guid": guid, "token": token}
    return _ENCODE(request).decode()


def encode_unsubscribe(guid: str, *, token: str) -> str:
    return _ENCODE({"opcode": "unsubscribe", "guid": guid, "token": token}).decode()


def encode_ping(guid: str, *, token: str) -> str:
    """Word the application's ping. Undocumented, so use it only where the venue answers it (section 6.2)."""
    return _ENCODE({"opcode": "ping", "guid": guid, "confirm": True, "token": token}).decode()


def encode_authorize(guid: str, *, token: str) -> str:
    """Word the login of a command socket, which also renews it."""
    return _ENCODE({"opcode": "authorize", "guid": guid, "token": token}).decode()


def _add_history(request: dict[str, Any], stream: Stream, cursor: Cursor) -> None:
    if stream.interval is None:
        raise LocalProtocolError(f"a subscription to {stream.kind.value} needs an interval")
    request["tf"] = write_timeframe(stream.interval)
    since = stream.since
    held = cursor.last_open if isinstance(cursor, BarCursor) else None
    if held is not None:
        since = held  # What came before it was told; from here on the outage is filled.
    skip = since is None or (stream.skip_history and held is None)
    seconds = 0 if since is None else since // NANOS
    if not 0 <= seconds <= MAX_SECONDS:
        raise LocalProtocolError(f"bars since {seconds} s: the venue takes Unix seconds, 0 to {MAX_SECONDS}")
    request["from"] = seconds
    if stream.kind is StreamKind.BARS:
        request["skipHistory"] = skip


def _add_depth(request: dict[str, Any], stream: Stream) -> None:
    depth = stream.depth
    if stream.kind is StreamKind.BOOK:
        if depth is None:
            return
        if not 1 <= depth <= MAX_BOOK_DEPTH:
            raise LocalProtocolError(f"a book depth of {depth} levels: the venue gives 1 to {MAX_BOOK_DEPTH}")
        request["depth"] = depth
    elif stream.kind is StreamKind.TRADES:
        past = 0 if depth is None or stream.skip_history else depth
        if not 0 <= past <= MAX_PAST_TRADES:
            raise LocalProtocolError(f"{past} past trades: the venue gives 0 to {MAX_PAST_TRADES}")
        request["depth"] = past
    elif depth is not None:
        raise LocalProtocolError(f"a subscription to {stream.kind.value} has no depth")


def _add_frequency(request: dict[str, Any], stream: Stream, style: str) -> None:
    frequency = stream.frequency
    if frequency is None:
        return
    if stream.kind not in _CONFLATED:
        raise LocalProtocolError(f"a subscription to {stream.kind.value} has no frequency: the venue sends everything")
    least = MIN_FREQUENCY[style]
    if frequency < least * _MILLI or frequency % _MILLI:
        raise LocalProtocolError(
            f"a frequency of {frequency / _MILLI:g} ms: the venue takes whole ms, in {style} at least {least}"
        )
    request["frequency"] = frequency // _MILLI

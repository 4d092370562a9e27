"""The venue's reading of the GET calls under ``/md/v2``. Source: ALOR protocol sheet, sections 5.1 and 5.2."""

from __future__ import annotations

from typing import Final

from strategykit.venues.alor.names import DEFAULT_BOOK_DEPTH, FORMATS, MAX_BOOK_DEPTH, NANOS, SIDES
from strategykit.venues.alor.server_fields import FieldError, Fields
from strategykit.venues.alor.server_requests import (
    BadRequest,
    GetAllTrades,
    GetBars,
    GetBoards,
    GetBook,
    GetCurrencyPairs,
    GetPortfolio,
    GetQuotes,
    GetRiskRates,
    GetSecurities,
    GetSecurity,
    GetTime,
    GetTradeHistory,
    HttpValue,
    PortfolioPart,
)
from strategykit.venues.alor.server_streams import read_interval, read_seconds
from strategykit.venues.alor.times import MAX_SECONDS

__all__ = ["read_call"]

_SEARCH_LIMIT: Final = 25
_MOST_TRADES: Final = 50_000
_MOST_FILLS: Final = 1_000

_LAST: Final = MAX_SECONDS * NANOS
"""Nothing has happened after it."""

_LISTED: Final = {part.value: part for part in PortfolioPart}
_BY_NUMBER: Final = frozenset({PortfolioPart.ORDERS, PortfolioPart.STOP_ORDERS})
_SIDE_WORDS: Final = {word: word for word in SIDES}


def read_call(parts: list[str], query: Fields) -> HttpValue:
    """Read a call from its path after ``/md/v2`` and its query.

    Raises:
        FieldError: A parameter is missing or can't be.
    """
    style = query.choice("format", FORMATS, "Simple")
    match [part.lower() for part in parts[:1]]:
        case ["time"] if len(parts) == 1:
            return GetTime()
        case ["securities"]:
            return _securities(parts[1:], query, style)
        case ["orderbooks"] if len(parts) == 3:
            depth = _limit(query, "depth", DEFAULT_BOOK_DEPTH, MAX_BOOK_DEPTH)
            return GetBook(format=style, exchange=parts[1], symbol=parts[2], depth=depth or DEFAULT_BOOK_DEPTH)
        case ["history"] if len(parts) == 1:
            return _history(query, style)
        case ["risk"] if [part.lower() for part in parts] == ["risk", "rates"]:
            return GetRiskRates(
                exchange=query.text("exchange", None),
                category=query.text("riskCategoryId"),
                ticker=query.text("ticker", None),
                search=query.text("search", None),
                limit=_limit(query, "limit"),
                offset=_offset(query),
            )
        case ["clients"]:
            return _portfolio(parts[1:], query, style)
        case ["stats"]:
            return _past_fills(parts[1:], query, style)
    return _unknown()


def _unknown() -> BadRequest:
    return BadRequest(guid="", code=404, message="There is no such call")


def _limit(query: Fields, name: str, default: int | None = None, most: int = 1_000_000_000) -> int | None:
    if name not in query:
        return default
    limit = query.whole(name)
    if not 1 <= limit <= most:
        raise FieldError(f"{name} must be 1 to {most}, not {limit}")
    return limit


def _offset(query: Fields) -> int:
    offset = query.whole("offset", 0)
    if offset < 0:
        raise FieldError(f"offset must be 0 or above, not {offset}")
    return offset


def _securities(parts: list[str], query: Fields, style: str) -> HttpValue:
    words = [part.lower() for part in parts]
    board = query.text("instrumentGroup", None)
    match words:
        case []:
            return GetSecurities(
                format=style,
                query=query.text("query", ""),
                exchange=query.text("exchange", None),
                board=board,
                market=query.text("sector", None),
                cfi=query.text("cficode", ""),
                limit=_limit(query, "limit", _SEARCH_LIMIT),
                offset=_offset(query),
            )
        case ["currencypairs"]:
            return GetCurrencyPairs()
        case [_]:
            return GetSecurities(
                format=style,
                exchange=parts[0],
                board=board,
                market=query.text("market", None),
                limit=_limit(query, "limit"),
                offset=_offset(query),
            )
        case [_, "quotes"]:
            return _quotes(parts[0], style)
        case [_, _]:
            return GetSecurity(format=style, exchange=parts[0], symbol=parts[1], board=board)
        case [_, _, "availableboards"]:
            return GetBoards(exchange=parts[0], symbol=parts[1])
        case [_, _, "actualfuturesquote"]:
            return GetQuotes(format=style, symbols=((parts[0], parts[1]),), nearest=True)
        case [_, _, "alltrades"]:
            return _all_trades(parts[0], parts[1], query, style, past=False)
        case [_, _, "alltrades", "history"]:
            return _all_trades(parts[0], parts[1], query, style, past=True)
    return _unknown()


def _quotes(listed: str, style: str) -> GetQuotes:
    pairs = []
    for each in listed.split(","):
        exchange, colon, symbol = each.strip().partition(":")
        if not (exchange and colon and symbol):
            raise FieldError(f"symbols must be as EXCHANGE:SYMBOL, not {each[:100]!r}")
        pairs.append((exchange, symbol))
    return GetQuotes(format=style, symbols=tuple(pairs))


def _seconds(query: Fields, name: str) -> int | None:
    return read_seconds(query, name) if name in query else None


def _end(query: Fields) -> int:
    """Give the end of a period. Who wants all there is names a time far ahead, AlorPy the year 3000: that means now."""
    return _LAST if query.whole("to") > MAX_SECONDS else read_seconds(query, "to")


def _all_trades(exchange: str, symbol: str, query: Fields, style: str, *, past: bool) -> GetAllTrades:
    if past and "limit" not in query:
        raise FieldError("limit is required")
    return GetAllTrades(
        format=style,
        exchange=exchange,
        symbol=symbol,
        since=_seconds(query, "from"),
        until=_end(query) if "to" in query else None,
        from_id=query.whole("fromId", None),
        to_id=query.whole("toId", None),
        quantity_from=query.number("qtyFrom", None),
        quantity_to=query.number("qtyTo", None),
        price_from=query.number("priceFrom", None),
        price_to=query.number("priceTo", None),
        side=query.choice("side", _SIDE_WORDS, None),
        limit=_limit(query, "limit", None, _MOST_TRADES) if past else _limit(query, "take"),
        offset=_offset(query),
        descending=query.flag("descending", default=False),
        past=past,
    )


def _history(query: Fields, style: str) -> GetBars:
    return GetBars(
        format=style,
        exchange=query.text("exchange"),
        symbol=query.text("symbol"),
        interval=read_interval(query),
        since=read_seconds(query, "from"),
        until=_end(query),
        count=_limit(query, "countBack"),
    )


def _portfolio(parts: list[str], query: Fields, style: str) -> HttpValue:
    words = [part.lower() for part in parts]
    bare = query.flag("withoutCurrency", default=False)
    if len(parts) == 2 and words[1] == PortfolioPart.POSITIONS.value:
        return GetPortfolio(format=style, part=PortfolioPart.POSITIONS, login=parts[0], without_currency=bare)
    if len(parts) == 4 and words[3] == PortfolioPart.FILLS.value:
        part, last = PortfolioPart.FILLS, parts[2]
    elif len(parts) in (3, 4) and words[2] in _LISTED:
        part, last = _LISTED[words[2]], "".join(parts[3:])
    else:
        return _unknown()
    numbered = part in _BY_NUMBER
    if last and not numbered and part not in (PortfolioPart.FILLS, PortfolioPart.POSITIONS):
        return _unknown()
    return GetPortfolio(
        format=style,
        part=part,
        exchange=parts[0],
        account=parts[1],
        order_id=last or None if numbered else None,
        symbol=None if numbered else last or None,
        without_currency=bare,
    )


def _past_fills(parts: list[str], query: Fields, style: str) -> HttpValue:
    if [part.lower() for part in parts[2:4]] != ["history", "trades"] or len(parts) > 5:
        return _unknown()
    return GetTradeHistory(
        format=style,
        exchange=parts[0],
        account=parts[1],
        symbol=parts[4] if len(parts) == 5 else query.text("ticker", None),
        since=query.text("dateFrom", None),
        from_id=query.text("from", None),
        limit=_limit(query, "limit", None, _MOST_FILLS),
        descending=query.flag("descending", default=False),
        side=query.choice("side", _SIDE_WORDS, None),
    )

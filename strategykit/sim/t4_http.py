"""REST at the simulated T4 venue: login, market lists, charts.

Source: T4 protocol sheet, sections 1.5 and 1.6.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from strategykit.model.events import Bar, Side, Trade
from strategykit.sim.exchange import SimulatedExchange
from strategykit.sim.http_calls import HttpAnswer, HttpCall, json_answer
from strategykit.sim.t4_access import Grant, T4Access
from strategykit.sim.t4_boards import CENTRAL, Boards, trade_date
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.server_prices import ListedMarket, PriceWords
from strategykit.venues.t4.server_requests import Login

__all__ = ["RestDesk"]

_SECOND: Final = 1_000_000_000
_UNITS: Final = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800}
_FIRST_YEAR: Final = 1971
_LAST_YEAR: Final = 2199
_MOST_TRADES: Final = 5_000
_FORMATS: Final = {
    "decimal": enums.PRICE_FORMAT_DECIMAL,
    "real": enums.PRICE_FORMAT_REAL,
    "clearingdecimal": enums.PRICE_FORMAT_CLEARING_DECIMAL,
}


class _LoginBody(msgspec.Struct, rename="camel"):
    firm: str = ""
    user_name: str = ""
    password: str = ""
    app_name: str = ""
    app_license: str = ""
    price_format: str | int = 0


class _BadCall(Exception):
    """A parameter is missing or can't be; the text says which."""


class RestDesk:
    """Answers calls.

    Args:
        access: Who may.
        boards: What is listed.
        exchange: What was traded.
    """

    def __init__(self, access: T4Access, boards: Boards, exchange: SimulatedExchange) -> None:
        self._access = access
        self._boards = boards
        self._exchange = exchange

    def answer(self, call: HttpCall, now: int) -> HttpAnswer:
        """Answer one request; whatever it is, there is an answer."""
        route = call.path.rstrip("/").lower()
        if route == "/login":
            return self._login(call, now) if call.method == "POST" else _refuse(405, "POST only")
        grant = self._access.read(call.headers, now)
        if grant is None:
            return _refuse(401, "Unauthorized")
        if call.method != "GET":
            return _refuse(405, "GET only")
        query = {name.lower(): value for name, value in call.query.items()}
        try:
            return self._route(route, query, grant, now)
        except _BadCall as exc:
            return _refuse(400, str(exc))

    def _route(self, route: str, query: Mapping[str, str], grant: Grant, now: int) -> HttpAnswer:
        match route:
            case "/markets/exchanges":
                return self._exchanges()
            case "/markets/contracts":
                wanted = _text(query, "exchangeid")
                return json_answer(200, [row for row in self._contracts() if row["exchangeID"] == wanted])
            case "/markets/contracts/search":
                text = _text(query, "search").lower()
                rows = self._contracts()
                return json_answer(
                    200, [row for row in rows if text in f"{row['contractID']} {row['description']}".lower()]
                )
            case "/markets/picker/firstmarket":
                return json_answer(200, _market_row(self._found(query)[0]))
            case "/markets/picker/groups":
                count = len(self._found(query))
                return json_answer(200, [{"strategyType": "None", "expiryDate": 0, "marketCount": count}])
            case "/markets/picker":
                outright = query.get("strategytype", "None").lower() == "none"
                return json_answer(200, [_market_row(row) for row in self._found(query) if outright])
            case "/chart/barchart":
                return self._bars(query, grant, now)
            case "/chart/tradehistory":
                return self._trades(query, grant, now)
            case "/chart/consolidatedchart":
                return _refuse(406, "only the binary form of this chart is known, and it isn't simulated")
            case _:
                return _refuse(404, "Not found")

    def _login(self, call: HttpCall, now: int) -> HttpAnswer:
        try:
            body = msgspec.json.decode(call.body, type=_LoginBody)
        except ValueError:  # msgspec's errors are such, too.
            return _refuse(400, "the body isn't a login")
        price_format = body.price_format
        if isinstance(price_format, str):
            price_format = _FORMATS.get(price_format.lower(), -1)
        if price_format not in _FORMATS.values():
            return _refuse(400, "priceFormat is Decimal, Real or ClearingDecimal")
        login = Login(
            api_key="",
            firm=body.firm,
            username=body.user_name,
            password=body.password,
            app_name=body.app_name,
            app_license=body.app_license,
            price_format=enums.PRICE_FORMAT_DECIMAL,
        )
        found = self._access.check(login)
        if isinstance(found, tuple):
            return _refuse(401, found[1])
        chosen = next(each for each in _FORMATS.values() if each == price_format)
        token, expires = self._access.issue(found, chosen, now)
        return json_answer(200, {"token": token, "expires": expires // _SECOND})

    def _exchanges(self) -> HttpAnswer:
        known = {market.exchange_id: market for market in self._boards.markets.values()}
        rows = [
            {"exchangeId": name, "clearingExchange": name.partition("_")[0], "description": market.exchange_description}
            for name, market in known.items()
        ]
        return json_answer(200, rows)

    def _contracts(self) -> list[dict[str, str]]:
        known = {(market.exchange_id, market.contract_id): market for market in self._boards.markets.values()}
        return [
            {
                "exchangeID": exchange,
                "contractID": contract,
                "description": market.contract_description,
                "contractType": "Future",
            }
            for (exchange, contract), market in known.items()
        ]

    def _found(self, query: Mapping[str, str]) -> list[ListedMarket]:
        """Give the markets of a contract, the front one first."""
        key = _text(query, "exchangeid"), _text(query, "contractid")
        found = [each for each in self._boards.markets.values() if (each.exchange_id, each.contract_id) == key]
        if not found:
            raise _BadCall(f"no contract {key[1][:40]!r} of exchange {key[0][:40]!r}")
        return sorted(found, key=lambda market: market.expiry_date)

    def _chosen(self, query: Mapping[str, str]) -> ListedMarket:
        found = self._found(query)
        wanted = query.get("marketid") or found[0].market_id
        for market in found:
            if market.market_id == wanted:
                return market
        raise _BadCall(f"no market {wanted[:60]!r} of that contract")

    def _bars(self, query: Mapping[str, str], grant: Grant, now: int) -> HttpAnswer:
        market = self._chosen(query)
        words = self._boards.words(market.market_id, grant.format)
        unit = _UNITS.get(_text(query, "barinterval").lower())
        if unit is None:
            raise _BadCall("bars are made by Second, Minute, Hour, Day or Week; others aren't simulated")
        period = query.get("barperiod", "1")
        if not period.isascii() or not period.isdigit() or not 0 < int(period[:9]) <= 100_000:
            raise _BadCall("barPeriod is a whole number above 0")
        interval = unit * int(period) * _SECOND
        since, until = _times(query, "tradedatestart", "tradedateend", now)
        bars = self._exchange.bars(market.market_id, interval, since, until)
        answer = {
            "tradeDateStart": _date(since),
            "tradeDateEnd": _date(until - 1),
            "activeMarket": market.market_id,
            "bars": [_bar_row(bar, words) for bar in bars],
            **_footing(words),
        }
        return json_answer(200, answer)

    def _trades(self, query: Mapping[str, str], grant: Grant, now: int) -> HttpAnswer:
        market = self._chosen(query)
        words = self._boards.words(market.market_id, grant.format)
        if "since" in query:
            since, until = _time(query["since"], "since"), now + 1
        elif "start" in query:
            since, until = _times(query, "start", "end", now)
        else:
            since, until = _times(query, "tradedatestart", "tradedateend", now)
        trades = self._exchange.trades(market.market_id, _MOST_TRADES)
        answer = {
            "exchangeID": market.exchange_id,
            "contractID": market.contract_id,
            "marketID": market.market_id,
            "requestStatusMessage": "",
            "tradeDateStart": _date(since),
            "tradeDateEnd": _date(until - 1),
            "trades": [_trade_row(trade, words) for trade in trades if since <= (trade.event_time or 0) < until],
            "vwaPs": [],
            **_footing(words),
        }
        return json_answer(200, answer)


def _market_row(market: ListedMarket) -> dict[str, Any]:
    return {
        "exchangeID": market.exchange_id,
        "contractID": market.contract_id,
        "marketID": market.market_id,
        "expiryDate": market.expiry_date,
        "strategyType": "None",
        "description": market.instrument.description,
    }


def _footing(words: PriceWords) -> dict[str, Any]:
    """Give the lists that every chart ends with."""
    market = words.market
    tick = market.instrument.tick
    definition = {
        "marketID": market.market_id,
        "minPriceIncrement": words.exact(tick),
        "priceCode": market.price_code,
        "tickValue": str(market.instrument.value(tick, market.instrument.lot).normalize()),
        "vpt": market.vtt,
    }
    return {"marketDefinitions": [definition], "modeChanges": [], "openInterests": [], "settlements": []}


def _bar_row(bar: Bar, words: PriceWords) -> dict[str, Any]:
    """Word a bar; who traded at which side isn't kept."""
    return {
        "tradeDate": _date(trade_date(bar.open_time), local=False),
        "time": _wall(bar.open_time),
        "closeTime": _wall(bar.open_time + bar.interval - 100, part=True),
        "marketID": bar.instrument,
        "openPrice": words.text(bar.open),
        "highPrice": words.text(bar.high),
        "lowPrice": words.text(bar.low),
        "closePrice": words.text(bar.close),
        "volume": int(bar.volume),
        "volumeAtBid": 0,
        "volumeAtOffer": 0,
        "trades": 0,
        "tradesAtBid": 0,
        "tradesAtOffer": 0,
    }


def _trade_row(trade: Trade, words: PriceWords) -> dict[str, Any]:
    time = trade.event_time or 0
    return {
        "marketID": trade.instrument,
        "tradeDate": _date(trade_date(time), local=False),
        "time": _wall(time, part=True),
        "tradePrice": words.text(trade.price),
        "volume": int(trade.quantity),
        "aggressorSide": "Buy" if trade.side is Side.BUY else "Sell",
    }


def _text(query: Mapping[str, str], name: str) -> str:
    value = query.get(name, "")
    if not value:
        raise _BadCall(f"{name} is missing")
    return value


def _times(query: Mapping[str, str], first: str, last: str, now: int) -> tuple[int, int]:
    """Give nanoseconds UTC, the end exclusive: an end that is a mere date holds its whole day."""
    since = _time(_text(query, first), first)
    text = query.get(last, "")
    until = _time(text, last) if text else now + 1
    if text and "T" not in text:
        until += 86_400 * _SECOND
    return since, max(since, until)


def _time(text: str, name: str) -> int:
    """Read US Central wall-clock time."""
    try:
        read = dt.datetime.fromisoformat(text)
    except ValueError as exc:
        raise _BadCall(f"{name} {text[:40]!r} isn't YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS") from exc
    if not _FIRST_YEAR <= read.year <= _LAST_YEAR:
        raise _BadCall(f"{name} {text[:40]!r} lies before {_FIRST_YEAR} or after {_LAST_YEAR}")
    return int(read.replace(tzinfo=CENTRAL).timestamp()) * _SECOND


def _wall(time: int, *, part: bool = False) -> str:
    """Write US Central wall-clock time, with seven digits of the second if wanted."""
    text = dt.datetime.fromtimestamp(time // _SECOND, CENTRAL).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{time % _SECOND // 100:07d}" if part else text


def _date(time: int, *, local: bool = True) -> str:
    zone = CENTRAL if local else dt.UTC
    return dt.datetime.fromtimestamp(time // _SECOND, zone).strftime("%Y-%m-%dT00:00:00")


def _refuse(status: int, words: str) -> HttpAnswer:
    return json_answer(status, {"message": words})

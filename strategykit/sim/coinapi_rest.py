"""REST of the simulated CoinAPI: keys, credits, paths, formats.

Source: CoinAPI protocol sheet, section 8.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from typing import Any, Final

import attrs

from strategykit.sim.coinapi_access import CoinAccess
from strategykit.sim.coinapi_figures import Figures
from strategykit.sim.coinapi_files import BUCKET, CoinFiles
from strategykit.sim.coinapi_history import History, list_periods
from strategykit.sim.coinapi_market import CoinMarket
from strategykit.sim.coinapi_queries import CallRefused, Query
from strategykit.sim.coinapi_symbols import CoinSymbol
from strategykit.sim.http_calls import HttpAnswer, HttpCall
from strategykit.venues.coinapi.server import INVALID_KEY
from strategykit.venues.coinapi.server_keys import read_credentials
from strategykit.venues.coinapi.server_tables import CONTENT_TYPES, encode_csv, encode_json

__all__ = ["CoinRest"]

_ITEMS_A_CREDIT: Final = 100
_CREDITS_A_DAY: Final = 10
"""The most that a call with ``date=`` costs."""


class CoinRest:
    """Answers to HTTP requests."""

    def __init__(self, market: CoinMarket, figures: Figures, access: CoinAccess, files: CoinFiles) -> None:
        self._market = market
        self._figures = figures
        self._access = access
        self._files = files
        self._history = History(market, figures)

    def answer(self, call: HttpCall, now: int) -> HttpAnswer:
        sender = read_credentials(call.path, call.query, call.headers)
        parts = [part for part in sender.path.split("/") if part]
        if parts[:1] not in (["v1"], [BUCKET]):
            return _fail(404, "REST is at /v1, flat files are at /bucket/, and WebSockets at / and /v1/")
        if self._access.find_key(sender.keys) is None:
            return _fail(401, INVALID_KEY)
        if call.method not in ("GET", "HEAD"):
            return _fail(405, "Only GET is served here")
        if parts[0] == BUCKET:
            return self._files.answer(sender.path, call, now)
        query = Query(call.query)
        try:
            kind = _read_format(call)
            found = self._find(parts[1:], query, now)
        except CallRefused as exc:
            return _fail(exc.status, str(exc))
        cost = max(1, -(-len(found) // _ITEMS_A_CREDIT)) if isinstance(found, list) else 1
        paid, headers = self._access.charge(min(cost, _CREDITS_A_DAY) if query.whole_day else cost, now)
        if not paid:
            return attrs.evolve(_fail(429, "Quota exceeded"), headers=headers)
        return attrs.evolve(_word(found, kind, call), headers={**headers, **_encoding(call)})

    def _find(self, parts: list[str], query: Query, now: int) -> Any:
        history = self._history
        match parts:
            case ["trades", "latest" as how]:
                return history.trades("", how, query, now)
            case ["trades", name, "history" | "latest" as how]:
                return history.trades(name, how, query, now)
            case ["quotes", "current" | "latest" as how]:
                return history.quotes("", how, query, now)
            case ["quotes", name, "history" | "latest" | "current" as how]:
                return history.quotes(name, how, query, now)
            case ["orderbooks", "current" as how]:
                return history.books("", how, query, now)
            case ["orderbooks", name, "history" | "latest" | "current" as how]:
                return history.books(name, how, query, now)
            case ["orderbooks", name, "depth", "current"]:
                return history.depth(name, query, now)
            case ["orderbooks3", name, "current"]:
                return history.orders_book(name, now)
            case ["ohlcv", "periods"]:
                return list_periods()
            case ["ohlcv", "exchanges", exchange, "history"]:
                return history.exchange_bars(exchange, query, now)
            case ["ohlcv", name, "history" | "latest" as how]:
                return history.bars(name, how, query, now)
            case ["exchangerate", base]:  # As the vendor's SDKs ask for it; the sheet doesn't list it.
                return history.rates(base, now)
            case ["exchangerate", base, quote]:
                return history.rate(base, quote, now)
            case ["exchangerate", base, quote, "history"]:
                return history.rate_history(base, quote, query, now)
            case _:
                return self._find_metadata(parts, query, now)

    def _find_metadata(self, parts: list[str], query: Query, now: int) -> Any:
        figures = self._figures
        match parts:
            case ["exchanges", *names] if len(names) < 2:
                wanted = _chosen(figures.exchanges, names or query.values("filter_exchange_id"))
                return [figures.exchange(name, now) for name in wanted]
            case ["assets", *names] if len(names) < 2:
                wanted = _chosen(figures.assets, names or query.values("filter_asset_id"))
                return [figures.asset(name, now) for name in wanted]
            case ["symbols", "map", exchange]:
                return [_mapped(symbol) for symbol in self._market.symbols.values() if symbol.exchange == exchange]
            case ["symbols"] | ["symbols", _] | ["symbols", _, "active"]:
                return [figures.symbol(symbol.name, now) for symbol in self._list_symbols(parts[1:2], query)]
            case ["symbols", _, "history"]:
                return []  # Of those that were delisted there are none.
            case _:
                raise CallRefused(404, "There's no such path here")

    def _list_symbols(self, exchanges: list[str], query: Query) -> Iterable[CoinSymbol]:
        wanted = frozenset(exchanges) or query.values("filter_exchange_id")
        names, assets = query.values("filter_symbol_id"), query.values("filter_asset_id")
        for symbol in self._market.symbols.values():
            if (
                (not wanted or symbol.exchange in wanted)
                and (not names or any(part in symbol.name for part in names))
                and (not assets or not assets.isdisjoint({symbol.base, symbol.quote}))
            ):
                yield symbol


def _read_format(call: HttpCall) -> str:
    kind = call.query.get("output_format", "json").lower()
    if kind not in CONTENT_TYPES:
        raise CallRefused(400, "output_format must be json or csv here")
    return kind


def _word(found: Any, kind: str, call: HttpCall) -> HttpAnswer:
    if kind == "json":
        body = encode_json(found)
    else:
        body = encode_csv(found if isinstance(found, list) else [found], call.query)
    if _encoding(call):
        body = gzip.compress(body, compresslevel=1, mtime=0)
    return HttpAnswer(status=200, body=body, content_type=CONTENT_TYPES[kind])


def _encoding(call: HttpCall) -> dict[str, str]:
    return {"Content-Encoding": "gzip"} if "gzip" in call.headers.get("accept-encoding", "").lower() else {}


def _fail(status: int, message: str) -> HttpAnswer:
    return HttpAnswer(status=status, body=encode_json({"error": message}))


def _chosen(names: Iterable[str], wanted: Iterable[str]) -> list[str]:
    chosen = frozenset(wanted)
    return [name for name in names if not chosen or name in chosen]


def _mapped(symbol: CoinSymbol) -> dict[str, Any]:
    return {
        "symbol_id": symbol.name,
        "symbol_id_exchange": symbol.venue_name,
        "asset_id_base_exchange": symbol.base,
        "asset_id_quote_exchange": symbol.quote,
        "asset_id_base": symbol.base,
        "asset_id_quote": symbol.quote,
        "price_precision": symbol.price_step,
        "size_precision": symbol.size_step,
    }

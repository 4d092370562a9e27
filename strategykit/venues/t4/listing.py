"""REST, client side: exchanges, their contracts, and the markets of these, by the names that strategies use.

A list tells neither tick nor point value: a market's definition comes over its session, as everywhere.

Source: T4 protocol sheet, section 1.6.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from strategykit.errors import RemoteProtocolError
from strategykit.venues.asks import HttpRequest
from strategykit.venues.lookups import Listed, Lookup, nearest
from strategykit.venues.t4.names import join_market

__all__ = ["browse", "look_up"]

_MOST_GROUPS: Final = 60
"""Groups of strategies, such as the spreads of one month, that are looked through for one market."""

_OUTRIGHT: Final = "None"
"""T4's word for markets that are no strategies of several others."""

_READ: Final = msgspec.json.Decoder(list[dict[str, Any]])


def browse(text: str) -> Lookup:
    """List exchanges; or the contracts of the exchange `text`; or a contract's markets; or contracts found by it."""
    exchange, _, rest = text.strip().strip("/").partition("/")
    contract = rest.partition("/")[0]
    if contract:
        found = yield from _markets(exchange, contract)
        return found
    exchanges = yield from _exchanges()
    if not exchange:
        return exchanges
    named = next((row.symbol for row in exchanges if row.symbol.lower() == exchange.lower()), None)
    if named is not None:
        found = yield from _contracts(named)
    else:
        found = yield from _search(exchange)
    return found


def look_up(symbol: str) -> Lookup:
    """Find a market among the outright ones of its contract, then among the strategies; or what is called nearly so."""
    exchange, _, rest = symbol.partition("/")
    contract = rest.partition("/")[0]
    markets = (yield from _markets(exchange, contract)) if exchange and contract else []
    if markets:
        found = [row for row in markets if row.symbol == symbol] or (yield from _strategy(exchange, contract, symbol))
        return found or nearest(symbol, markets)
    contracts = ((yield from _contracts(exchange)) or (yield from _search(contract or exchange))) if exchange else []
    if contracts:
        return nearest(f"{exchange}/{contract}", contracts)
    exchanges = yield from _exchanges()
    return nearest(exchange, exchanges)


def _exchanges() -> Lookup:
    body = yield _get("/markets/exchanges", {})
    return [
        Listed(symbol=_name(row, "exchangeid"), description=_text(row, "description"), is_market=False)
        for row in _rows(body)
    ]


def _contracts(exchange: str) -> Lookup:
    body = yield _get("/markets/contracts", {"exchangeid": exchange})
    return _read_contracts(body)


def _search(text: str) -> Lookup:
    body = yield _get("/markets/contracts/search", {"search": text.lower()})
    return _read_contracts(body)


def _read_contracts(body: bytes | None) -> list[Listed]:
    return [
        Listed(
            symbol=f"{_name(row, 'exchangeid')}/{_name(row, 'contractid')}",
            description=_text(row, "description"),
            is_market=False,
        )
        for row in _rows(body)
    ]


def _markets(exchange: str, contract: str) -> Lookup:
    query = {"exchangeid": exchange, "contractid": contract, "strategytype": _OUTRIGHT}
    body = yield _get("/markets/picker", query)
    return _read_markets(exchange, contract, body)


def _strategy(exchange: str, contract: str, symbol: str) -> Lookup:
    """Look for one market through the groups of strategies, each of which is a call."""
    place = {"exchangeid": exchange, "contractid": contract}
    body = yield _get("/markets/picker/groups", place)
    groups = [(_name(row, "strategytype"), _text(row, "expirydate")) for row in _rows(body)]
    for kind, expiry in [group for group in groups if group[0] != _OUTRIGHT][:_MOST_GROUPS]:
        body = yield _get("/markets/picker", {**place, "strategytype": kind, "expirydate": expiry})
        found = [row for row in _read_markets(exchange, contract, body) if row.symbol == symbol]
        if found:
            return found
    return []


def _read_markets(exchange: str, contract: str, body: bytes | None) -> list[Listed]:
    return [
        Listed(
            symbol=join_market(exchange, contract, _name(row, "marketid")),
            description=_text(row, "description"),
            expires=_text(row, "expirydate"),
        )
        for row in _rows(body)
    ]


def _get(path: str, query: dict[str, str]) -> HttpRequest:
    return HttpRequest(method="GET", path=path, query=query, headers={"Accept": "application/json"})


def _rows(body: bytes | None) -> Iterator[dict[str, Any]]:
    """Yield the rows of a list, with keys in small letters: T4 spells them in more than one way."""
    if body is None:
        return
    try:
        rows: Sequence[dict[str, Any]] = _READ.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
        raise RemoteProtocolError(f"this isn't a list of T4's: {exc}", frame=body) from exc
    for row in rows:
        yield {key.lower(): value for key, value in row.items()}


def _name(row: dict[str, Any], key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value:
        raise RemoteProtocolError(f"a row of a list of T4's without its {key}: {row!r:.200}")
    return value


def _text(row: dict[str, Any], key: str) -> str:
    """Give what may be missing, or a number."""
    value = row.get(key)
    return str(value) if isinstance(value, str | int) else ""

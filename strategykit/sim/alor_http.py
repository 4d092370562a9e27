"""HTTP at the simulated venue: the token service, reference data, history, portfolios and orders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

import attrs

from strategykit.model.events import Event, Trade
from strategykit.model.orders import CancelOrder
from strategykit.sim.access import Access
from strategykit.sim.alor_config import AlorVenueConfig
from strategykit.sim.alor_desk import Desk
from strategykit.sim.alor_encoding import Encoder, Shape
from strategykit.sim.alor_market import VenueMarket
from strategykit.sim.http_calls import HttpAnswer, HttpCall, json_answer
from strategykit.sim.tokens import Claims
from strategykit.venues.alor.names import INVALID_TOKEN
from strategykit.venues.alor.server_data import encode_bars, encode_list, encode_trade_history
from strategykit.venues.alor.server_http import REPEATED, decode_http
from strategykit.venues.alor.server_requests import (
    BadRequest,
    CancelAll,
    Estimate,
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
    HttpCommand,
    HttpValue,
    OrderGroups,
    PortfolioPart,
    Refresh,
)
from strategykit.venues.streams import StreamKind

__all__ = ["HttpDesk"]

_SECOND: Final = 1_000_000_000

_FREE: Final = GetTime | GetSecurities | GetSecurity | GetBoards | GetQuotes | GetCurrencyPairs | GetRiskRates | GetBars
"""What is answered without a token. Source: ALOR protocol sheet, section 1.3."""

_MONEY: Final = {
    PortfolioPart.SUMMARY: StreamKind.SUMMARY,
    PortfolioPart.RISK: StreamKind.RISK,
    PortfolioPart.SPECTRA_RISK: StreamKind.SPECTRA_RISK,
}

_NOT_FOUND_CODE: Final = "OrderToCancelNotFound"


class HttpDesk:
    """Answers calls.

    Args:
        market: What is shown and traded.
        access: Who may.
        desk: Executes orders.
        encoder: Words payloads.
        config: The venue's.
    """

    def __init__(
        self, market: VenueMarket, access: Access, desk: Desk, encoder: Encoder, config: AlorVenueConfig
    ) -> None:
        self._market = market
        self._access = access
        self._desk = desk
        self._encoder = encoder
        self._config = config

    def answer(self, call: HttpCall, now: int) -> HttpAnswer:
        """Answer one request; whatever it is, there is an answer."""
        value = decode_http(call.method, call.path, call.query, call.headers, call.body)
        if isinstance(value, BadRequest):
            return _refuse(value.code, value.message)
        if isinstance(value, Refresh):
            return self._refresh(value, now)
        header = call.headers.get("authorization", "")
        token = header[7:].strip() if header[:7].lower() == "bearer " else ""
        claims = self._access.check(token, now)
        if claims is None and (header or not isinstance(value, _FREE)):
            return _refuse(401, INVALID_TOKEN)
        account = _account_of(value)
        if claims is not None and account is not None and account not in claims.portfolios:
            return _refuse(403, f"Portfolio {account!r} isn't available")
        missing = self._find_missing(value)
        if missing is not None:
            return missing
        return self._serve_market(value, now) or self._serve_account(value, claims, now)

    def _serve_market(self, value: HttpValue, now: int) -> HttpAnswer | None:
        match value:
            case GetTime():
                return json_answer(200, now // _SECOND)
            case GetCurrencyPairs():
                return json_answer(200, [])
            case GetSecurities():
                return self._securities(value)
            case GetSecurity():
                return _body(self._encoder.security(self._market.instruments[value.symbol], value.format))
            case GetBoards():
                return json_answer(200, [self._market.instruments[value.symbol].board or ""])
            case GetAllTrades():
                return self._all_trades(value)
            case GetQuotes():
                rows = [self._market.quote(symbol) for _, symbol in value.symbols]
                return self._row(rows[0], value.format) if value.nearest else self._rows(rows, value.format)
            case GetBook():
                return self._row(self._market.book(value.symbol), value.format, depth=value.depth)
            case GetBars():
                return self._bars(value, now)
            case GetRiskRates():
                return json_answer(200, {"list": [], "total": 0})
            case _:
                return None

    def _serve_account(self, value: HttpValue, claims: Claims | None, now: int) -> HttpAnswer:
        match value:
            case GetPortfolio():
                return self._portfolio(value, claims)
            case GetTradeHistory():
                return _body(encode_list([]))  # The same holds for own trades.
            case HttpCommand():
                return self._command(value, now)
            case CancelAll():
                count = self._desk.cancel_all(value.account, now, stops=value.stops)
                if not count:
                    return _refuse(400, "Order to cancel not found", code=_NOT_FOUND_CODE)
                return _confirm(json=value.json)
            case Estimate():
                return json_answer(200, self._estimate(value))
            case OrderGroups():
                return json_answer(400, {"title": "BadRequest", "status": 400, "detail": "groups aren't simulated"})
            case tuple():
                return json_answer(200, [self._estimate(each) for each in value])
            case _:
                return _refuse(404, "Not found")

    def _find_missing(self, value: HttpValue) -> HttpAnswer | None:
        """Refuse what names an instrument that isn't listed."""
        named: Sequence[str] = ()
        if isinstance(value, GetSecurity | GetBoards | GetAllTrades | GetBook | GetBars | Estimate):
            named = (value.symbol,)
        elif isinstance(value, GetQuotes):
            named = tuple(symbol for _, symbol in value.symbols)
        elif isinstance(value, tuple):
            named = tuple(each.symbol for each in value)
        for symbol in named:
            if symbol not in self._market.instruments:
                return _refuse(404, f"Instrument {symbol[:100]!r} not found")
        return None

    def _refresh(self, value: Refresh, now: int) -> HttpAnswer:
        token = self._access.issue(value.token, now, allowed=value.portfolios or None)
        if token is None:
            return _refuse(403, "Invalid refresh token")
        return json_answer(200, {"AccessToken": token})

    def _rows(self, events: Sequence[Event], style: str) -> HttpAnswer:
        return _body(self._encoder.rows(events, style))

    def _row(self, event: Event, style: str, *, kind: StreamKind | None = None, depth: int | None = None) -> HttpAnswer:
        return _body(self._encoder.encode(event, Shape(kind=kind, format=style, depth=depth)))

    def _securities(self, value: GetSecurities) -> HttpAnswer:
        wanted = value.query.casefold()
        found = [
            instrument
            for instrument in self._market.instruments.values()
            if wanted in instrument.symbol.casefold() or wanted in instrument.description.casefold()
            if value.exchange in (None, instrument.exchange)
            if value.board in (None, instrument.board)
            if value.market in (None, self._encoder.market_of(instrument))
        ]
        end = None if value.limit is None else value.offset + value.limit
        return _body(encode_list(self._encoder.security(each, value.format) for each in found[value.offset : end]))

    def _all_trades(self, value: GetAllTrades) -> HttpAnswer:
        if value.past:
            return _body(encode_trade_history([], 0))  # As old as this run: there are no past days.
        rows = [trade for trade in self._market.trades(value.symbol, 5_000) if _fits(trade, value)]
        if value.descending:
            rows.reverse()
        end = None if value.limit is None else value.offset + value.limit
        return self._rows(rows[value.offset : end], value.format)

    def _bars(self, value: GetBars, now: int) -> HttpAnswer:
        """Answer with bars that began in ``[since, until]``; `prev` and `next` are the nearest ones outside."""
        every = self._market.bars(value.symbol, value.interval, 0, now + 1)
        upto = [bar for bar in every if bar.open_time <= value.until]
        found = [bar for bar in upto if bar.open_time >= value.since]
        if value.count is not None and len(found) < value.count:
            found = upto[max(0, len(upto) - value.count) :]
        before = upto[-len(found) - 1].open_time if len(upto) > len(found) else None
        after = every[len(upto)].open_time if len(every) > len(upto) else None
        return _body(encode_bars(found, value.format, next_=after, previous=before))

    def _portfolio(self, value: GetPortfolio, claims: Claims | None) -> HttpAnswer:
        market, account = self._market, value.account
        if value.login is not None:
            if claims is None or value.login != claims.login:
                return _refuse(403, f"Login {value.login!r} isn't available")
            return self._rows([row for name in claims.portfolios for row in market.positions(name)], value.format)
        match value.part:
            case PortfolioPart.ORDERS | PortfolioPart.STOP_ORDERS:
                rows = market.orders if value.part is PortfolioPart.ORDERS else market.stop_orders
                return self._pick(rows(account), value, lambda row: row.venue_order_id == value.order_id)
            case PortfolioPart.FILLS:
                fills = [fill for fill in market.fills(account) if value.symbol in (None, fill.instrument)]
                return self._rows(fills, value.format)
            case PortfolioPart.POSITIONS:
                holdings = [
                    row for row in market.positions(account) if not (value.without_currency and row.is_currency)
                ]
                if value.symbol is None:
                    return self._rows(holdings, value.format)
                return self._pick(holdings, value, lambda row: row.instrument == value.symbol)
            case part:
                return self._row(market.account(account), value.format, kind=_MONEY[part])

    def _pick(self, rows: Sequence[Any], value: GetPortfolio, wanted: Callable[[Any], bool]) -> HttpAnswer:
        """Answer with all rows, or with the one that is asked for by name."""
        if value.order_id is None and value.symbol is None:
            return self._rows(rows, value.format)
        found = next(filter(wanted, rows), None)
        return _refuse(404, "Not found") if found is None else self._row(found, value.format)

    def _command(self, value: HttpCommand, now: int) -> HttpAnswer:
        command = value.command
        result, repeated = self._desk.execute(command, now, by="http")
        old: dict[str, object] = {"message": "success", "orderNumber": result.venue_order_id}
        if isinstance(command, CancelOrder):
            if not result.ok:
                return _refuse(400, result.message, code=f"{_NOT_FOUND_CODE} (404)")
            return _confirm(json=value.json)
        if not result.ok:
            old = {"code": "BadRequest", "message": result.message}
        if repeated:
            return json_answer(400, {"message": REPEATED, "oldResponse": {"statusCode": result.code, "body": old}})
        return json_answer(result.code, old)

    def _estimate(self, value: Estimate) -> dict[str, object]:
        """Say how many lots the portfolio's free money buys. Source: ALOR protocol sheet, section 5.3."""
        instrument, quote = self._market.instruments[value.symbol], self._market.quote(value.symbol)
        known = value.price or Decimal(str(quote.ask or quote.last or 0))
        power = self._market.account(value.account).buying_power or Decimal(0)
        money = power if value.budget is None else min(value.budget, power)
        lot = instrument.value(known, Decimal(1))
        held = next((row for row in self._market.positions(value.account) if row.instrument == value.symbol), None)
        buys = int(money / lot) if lot else 0
        sells = int(held.quantity) if held is not None else 0
        quantity = Decimal(buys) if value.quantity is None else value.quantity
        fee = self._config.fees.fee(instrument, known, quantity, maker=False)
        return {
            "portfolio": value.account,
            "ticker": value.symbol,
            "exchange": value.exchange,
            "quantityToSell": max(sells, 0),
            "quantityToBuy": max(buys, 0),
            "notMarginQuantityToSell": max(sells, 0),
            "notMarginQuantityToBuy": max(buys, 0),
            "orderEvaluation": float(lot * quantity),
            "commission": float(fee),
            "buyPrice": float(known),
            "isUnitedPortfolio": False,
        }

    def report(self) -> dict[str, object]:
        """Say what the venue knows of orders, as plain values, for checkers."""
        market = self._market
        names = self._config.portfolios
        rows = [_plain(row) for name in names for row in (*market.orders(name), *market.stop_orders(name))]
        fills = [_plain(fill) for name in names for fill in market.fills(name)]
        held = [_plain(row) for name in names for row in market.positions(name)]
        return {"orders": rows, "fills": fills, "positions": held, "commands": self._desk.report()}


def _plain(event: Any) -> dict[str, object]:
    return {name: getattr(value, "value", value) for name, value in attrs.asdict(event, recurse=False).items()}


def _account_of(value: HttpValue) -> str | None:
    """Give the portfolio that a call acts for."""
    if isinstance(value, HttpCommand):
        return value.command.request.account
    if isinstance(value, GetPortfolio):
        return value.account if value.login is None else None
    if isinstance(value, GetTradeHistory | CancelAll | Estimate):
        return value.account
    return value[0].account if isinstance(value, tuple) and value else None


def _fits(trade: Trade, value: GetAllTrades) -> bool:
    time, number = trade.event_time or 0, int(trade.trade_id or 0)
    price, quantity = Decimal(str(trade.price)), Decimal(str(trade.quantity))
    side = None if trade.side is None else trade.side.value
    bounds: tuple[tuple[Any, Any, Any], ...] = (
        (value.since, time, value.until),
        (value.from_id, number, value.to_id),
        (value.quantity_from, quantity, value.quantity_to),
        (value.price_from, price, value.price_to),
    )
    inside = all((low is None or low <= found) and (high is None or found <= high) for low, found, high in bounds)
    return inside and value.side in (None, side)


def _refuse(status: int, words: str, *, code: str = "") -> HttpAnswer:
    return json_answer(status, {"code": code or str(status), "message": words})


def _body(data: bytes) -> HttpAnswer:
    return HttpAnswer(status=200, body=data)


def _confirm(*, json: bool) -> HttpAnswer:
    """Confirm a cancel: a bare word, or JSON where that is asked for. Source: ALOR protocol sheet, section 5.3."""
    if json:
        return json_answer(200, {"message": "success"})
    return HttpAnswer(status=200, body=b"success", content_type="text/plain; charset=utf-8")

"""Who is told what on the simulated CoinAPI, and when.

Source: CoinAPI protocol sheet, sections 4 and 5.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Final

import attrs

from strategykit.model.events import Event
from strategykit.sim.coinapi_figures import VOLUME_WINDOWS, Figures
from strategykit.sim.coinapi_market import CoinMarket, News
from strategykit.sim.coinapi_session import CoinSession
from strategykit.sim.history import MINUTE, SECOND
from strategykit.venues.coinapi.names import NUMBERED, DataType
from strategykit.venues.coinapi.server import encode_item
from strategykit.venues.coinapi.server_items import Item, VolumeItem
from strategykit.venues.coinapi.server_scope import Filters, Scope, Subject
from strategykit.venues.coinapi.times import write_time

__all__ = ["GapPlan", "Publisher"]

_SNAPSHOTS: Final = (DataType.BOOK, DataType.BOOK_L3)
_METADATA: Final = (DataType.ASSET, DataType.EXCHANGE, DataType.SYMBOL)

_EVERY: Final = {
    "rates": SECOND,
    "metadata": MINUTE,
    "1HRS": MINUTE,
    "1DAY": MINUTE,
    "1MTH": 10 * MINUTE,
}


@attrs.define(eq=False)
class GapPlan:
    """Messages that will be lost on the way."""

    data_type: DataType | None
    """None: of whichever type is next."""
    symbol: str
    """Empty: of whichever symbol is next."""
    left: int

    def covers(self, news: News) -> bool:
        return news.data_type in NUMBERED and self.data_type in (None, news.data_type) and self.symbol in ("", news.key)


class Publisher:
    """All connections and what goes to them."""

    def __init__(self, market: CoinMarket, figures: Figures, *, now: int) -> None:
        self.sessions: dict[CoinSession, None] = {}
        self.late_snapshots = 0
        """How many of the next book snapshots come after an update."""
        self.gaps: list[GapPlan] = []
        self._market = market
        self._figures = figures
        self._due = {name: now - now % every + every for name, every in _EVERY.items()}
        self._volumes = {period: self._make_volumes(period, now) for period in VOLUME_WINDOWS}

    def publish(self, events: Iterable[Event], now: int) -> None:
        """Tell what happened, and what has become due by time."""
        for news in self._market.take(events, now):
            takers = self._tell(news, now)
            if news.data_type is DataType.BOOK_L3 and not takers:
                self._market.boards[news.key].forget_orders()
        self._tell_bars(now)
        if self._is_due("rates", now):
            for news in self._rates(now):
                self._tell(news, now)
        for period in VOLUME_WINDOWS:
            if self._is_due(period, now):
                self._volumes[period] = self._make_volumes(period, now)
                for session in self.sessions:
                    self._send_volumes(session, session.scope, period, now)
        if self._is_due("metadata", now):
            for data_type in _METADATA:
                for news in self._metadata(data_type, now):
                    self._tell(news, now)

    def join(self, session: CoinSession, types: Iterable[DataType], filters: Filters, now: int) -> None:
        """Send what a hello or subscribe is answered with: whole books, metadata, the latest volumes.

        A book that is live already comes whole again.
        """
        asked = Scope().subscribe(types, filters)
        for data_type in _SNAPSHOTS:
            for board in self._market.boards.values():
                subject = board.symbol.subject
                if asked.match(data_type, subject) and session.wants(data_type, subject):
                    self._send_snapshot(session, data_type, subject, now)
        for data_type in _METADATA:
            if data_type in asked.entries:
                for news in self._metadata(data_type, now):
                    if asked.match(data_type, news.subject) and session.wants(data_type, news.subject):
                        session.deliver(data_type, news.key, news.subject, encode_item(news.make()), now)
        if DataType.VOLUME in asked.entries:
            for period in VOLUME_WINDOWS:
                self._send_volumes(session, asked, period, now)

    def _tell(self, news: News, now: int) -> list[CoinSession]:
        takers = [session for session in self.sessions if session.wants(news.data_type, news.subject)]
        if not takers:
            return takers
        if self._loses(news):
            for session in takers:
                session.skip(news.data_type, news.key)
            return takers
        encoded = encode_item(news.make())
        for session in takers:
            session.deliver(news.data_type, news.key, news.subject, encoded, now)
            if (news.data_type, news.key) in session.snapshots_due:
                session.snapshots_due.discard((news.data_type, news.key))
                self._deliver_snapshot(session, news.data_type, news.subject, now)
        return takers

    def _loses(self, news: News) -> bool:
        for plan in self.gaps:
            if plan.covers(news):
                plan.left -= 1
                if plan.left <= 0:
                    self.gaps.remove(plan)
                return True
        return False

    def _send_snapshot(self, session: CoinSession, data_type: DataType, subject: Subject, now: int) -> None:
        if self.late_snapshots:
            self.late_snapshots -= 1
            if data_type is DataType.BOOK_L3:
                self._market.boards[subject.symbol or ""].snapshot(data_type, now)  # So that there will be changes.
            session.snapshots_due.add((data_type, subject.symbol or ""))
        else:
            self._deliver_snapshot(session, data_type, subject, now)

    def _deliver_snapshot(self, session: CoinSession, data_type: DataType, subject: Subject, now: int) -> None:
        name = subject.symbol or ""
        item = self._market.boards[name].snapshot(data_type, now)
        session.deliver(data_type, name, subject, encode_item(item), now)

    def _tell_bars(self, now: int) -> None:
        if not any(DataType.OHLCV in session.scope.entries for session in self.sessions):
            return
        for board in self._market.boards.values():
            for period, subject in board.periods.items():
                if any(session.wants(DataType.OHLCV, subject) for session in self.sessions):
                    for news in board.bars_due(period, now):
                        self._tell(news, now)
                else:
                    board.stop_bars(period)

    def _rates(self, now: int) -> list[News]:
        if not any(DataType.EXRATE in session.scope.entries for session in self.sessions):
            return []
        news = []
        for item in self._figures.rates(now):
            base, quote = item.asset_id_base, item.asset_id_quote
            key = f"{base}/{quote} {item.rate_type}"
            news.append(News(DataType.EXRATE, key, Subject(base=base, quote=quote), partial(_same, item)))
        return news

    def _metadata(self, data_type: DataType, now: int) -> list[News]:
        figures = self._figures
        if not any(data_type in session.scope.entries for session in self.sessions):
            return []
        match data_type:
            case DataType.ASSET:
                return [
                    News(data_type, name, Subject(base=name), partial(figures.asset, name, now))
                    for name in figures.assets
                ]
            case DataType.EXCHANGE:
                return [
                    News(data_type, name, Subject(exchange=name), partial(figures.exchange, name, now))
                    for name in figures.exchanges
                ]
            case _:
                return [
                    News(data_type, name, symbol.subject, partial(figures.symbol, name, now))
                    for name, symbol in self._market.symbols.items()
                ]

    def _make_volumes(self, period: str, now: int) -> VolumeItem:
        return VolumeItem(period, write_time(now), self._figures.volumes(period, self._market.symbols, now))

    def _send_volumes(self, session: CoinSession, asked: Scope, period: str, now: int) -> None:
        whole, symbols = self._volumes[period], self._market.symbols
        rows = tuple(
            row
            for row in whole.volume_by_symbol
            if asked.match(DataType.VOLUME, symbols[row.symbol_id].subject)
            and session.wants(DataType.VOLUME, symbols[row.symbol_id].subject)
        )
        if rows:
            item = VolumeItem(whole.period_id, whole.time_coinapi, rows)
            session.deliver(DataType.VOLUME, period, Subject(), encode_item(item), now)

    def _is_due(self, name: str, now: int) -> bool:
        if now < self._due[name]:
            return False
        self._due[name] = now - now % _EVERY[name] + _EVERY[name]
        return True


def _same(item: Item) -> Item:
    return item

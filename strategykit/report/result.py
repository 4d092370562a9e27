"""What a run left: its orders, fills and prices in columns, and all that follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pyarrow as pa

from strategykit.errors import ConfigError
from strategykit.report import store
from strategykit.report.curves import Curve, Market
from strategykit.report.facts import RunFacts
from strategykit.report.summary import Number, summarise
from strategykit.report.tables import TABLES, TableName, as_arrow, as_pandas, as_polars
from strategykit.report.trips import Trip, round_trips
from strategykit.runtime.collector import Collected

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

__all__ = ["Result"]


@attrs.define(eq=False)
class Result:
    """One run, to be looked at: computed when it is asked for, and kept then.

    ::

        result = Result.load("results/cross")
        result.metrics()["sharpe"]
        result.to_polars("trips")
        result.save_html("cross.html")
    """

    facts: RunFacts
    collected: Collected
    name: str = ""
    """What it is called beside others; by default its strategies' names."""

    def __attrs_post_init__(self) -> None:
        self.name = self.name or " + ".join(self.strategies) or "run"

    @property
    def strategies(self) -> list[str]:
        return [item.name for item in self.collected.strategies]

    @cached_property
    def owners(self) -> list[str]:
        """The strategies, and those that an earlier run left something of."""
        columns = (self.collected.begin["strategy"], self.collected.fills["strategy"])
        return list(dict.fromkeys([*self.strategies, *(name for column in columns for name in column)]))

    @cached_property
    def currencies(self) -> list[str]:
        """Those of all that could be traded, the one with the most fills first; then those in which fees were paid."""
        known = {item.symbol: item.currency for item in self.collected.instruments}
        fills = self.collected.fills
        counts = dict.fromkeys(known.values(), 0)
        for symbol in fills["instrument"]:
            counts[known[symbol]] += 1
        ranked = sorted(counts, key=lambda currency: -counts[currency])
        return list(dict.fromkeys([*ranked, *(item for item in fills["fee_currency"] if item)]))

    @cached_property
    def market(self) -> Market:
        return Market(self.collected)

    @cached_property
    def trips(self) -> list[Trip]:
        """Round trips, first in first out; those that are open at the end come last."""
        return round_trips(self.collected)

    def capital(self, currency: str | None = None) -> Decimal | None:
        """Give the money at the start; None where nobody knows it."""
        return self.collected.capital.get(self._currency(currency))

    def curve(self, strategy: str | None = None, currency: str | None = None) -> Curve:
        """Give the profit over time of one strategy, or of all together."""
        return self.market.curve(self._chosen(strategy), self._currency(currency))

    def metrics(self, strategy: str | None = None, currency: str | None = None) -> dict[str, Number]:
        """Give every figure of `strategykit.report.summary.METRICS`, of one strategy or of all together.

        Args:
            strategy: Its name; None: all of the run.
            currency: Each is counted by itself; None: the one with the most fills.

        Raises:
            ConfigError: There's no such strategy or currency.
        """
        chosen, money = self._chosen(strategy), self._currency(currency)
        key = (tuple(chosen), money)
        if key not in self._metrics:
            self._metrics[key] = summarise(
                self.collected, self.market, self.trips, chosen, money, self.collected.capital.get(money)
            )
        return dict(self._metrics[key])

    @cached_property
    def _metrics(self) -> dict[tuple[tuple[str, ...], str], dict[str, Number]]:
        return {}

    def _chosen(self, strategy: str | None) -> list[str]:
        if strategy is None:
            return self.owners
        if strategy not in self.owners:
            raise ConfigError(f"no strategy {strategy!r} in this run; there are {', '.join(self.owners) or 'none'}")
        return [strategy]

    def _currency(self, currency: str | None) -> str:
        if currency is None:
            return self.currencies[0] if self.currencies else ""
        if currency not in self.currencies:
            raise ConfigError(f"no money in {currency!r} in this run; there is {', '.join(self.currencies) or 'none'}")
        return currency

    # Tables

    def columns(self, table: TableName) -> Mapping[str, Sequence[Any]]:
        """Give a table's columns: `strategykit.report.tables.TABLES` names them. Times are nanoseconds UTC.

        Raises:
            ConfigError: There's no such table.
        """
        match table:
            case "orders":
                return self.collected.orders
            case "fills":
                return self.collected.fills
            case "gaps":
                return self.collected.gaps
            case "trips":
                return self._trip_columns
            case "positions":
                return self._position_columns()
            case "equity":
                return self._equity_columns()
            case "prices":
                times, prices = self.collected.times, self.collected.prices
                return {
                    "time": [time for _ in prices for time in times],
                    "instrument": [symbol for symbol in prices for _ in times],
                    "price": [price for column in prices.values() for price in column],
                }
        raise ConfigError(f"no table {table!r} in a result; there are {', '.join(TABLES)}")

    def to_arrow(self, table: TableName) -> pa.Table:
        return as_arrow(table, self.columns(table))

    def to_polars(self, table: TableName) -> pl.DataFrame:
        """Give a table as a polars frame, amounts as doubles.

        Raises:
            ConfigError: There's no such table, or polars isn't installed.
        """
        return as_polars(table, self.to_arrow(table))

    def to_pandas(self, table: TableName) -> pd.DataFrame:
        """Give a table as a pandas frame, amounts as doubles.

        Raises:
            ConfigError: There's no such table, or pandas isn't installed.
        """
        return as_pandas(table, self.to_arrow(table))

    @cached_property
    def _trip_columns(self) -> dict[str, list[Any]]:
        rows = [self._trip_row(trip) for trip in self.trips]
        return {name: [row[n] for row in rows] for n, name in enumerate(TABLES["trips"])}

    def _trip_row(self, trip: Trip) -> tuple[Any, ...]:
        worst, best = self._excursion(trip)
        others = {currency: fee for currency, fee in trip.fees.items() if currency != trip.currency}
        return (
            *(trip.strategy, trip.instrument, trip.currency, trip.side, trip.lots),
            *(trip.entry_time, trip.entry_price, trip.exit_time, trip.exit_price, trip.open),
            *(trip.pnl, trip.fees.get(trip.currency, Decimal(0)), trip.net),
            ", ".join(f"{fee:f} {currency}" for currency, fee in others.items()),
            *(trip.duration, worst, best, trip.entry_order, trip.exit_order),
        )

    def _excursion(self, trip: Trip) -> tuple[float, float]:
        """Give the lowest and the highest profit on the way, by the sampled prices and its own."""
        instrument = next(item for item in self.collected.instruments if item.symbol == trip.instrument)
        unit = float(instrument.value(Decimal(1), trip.lots)) * (1.0 if trip.side == "long" else -1.0)
        seen = [
            (price - float(trip.entry_price)) * unit
            for price in self.market.window(trip.instrument)(trip.entry_time, trip.exit_time)
        ]
        ends = [0.0, float(trip.pnl)]
        return min(seen + ends), max(seen + ends)

    def _position_columns(self) -> dict[str, list[Any]]:
        columns: dict[str, list[Any]] = {name: [] for name in TABLES["positions"]}
        for strategy in self.owners:
            for symbol in self.market.held(strategy):
                line = self.market.position(strategy, symbol)
                columns["time"] += line.times.tolist()
                columns["strategy"] += [strategy] * len(line.lots)
                columns["instrument"] += [symbol] * len(line.lots)
                columns["lots"] += line.lots
        return columns

    def _equity_columns(self) -> dict[str, list[Any]]:
        columns: dict[str, list[Any]] = {name: [] for name in TABLES["equity"]}
        for currency in self.currencies:
            for strategy in self.owners:
                curve = self.curve(strategy, currency)
                columns["time"] += curve.times.tolist()
                columns["strategy"] += [strategy] * len(curve.times)
                columns["currency"] += [currency] * len(curve.times)
                columns["pnl"] += curve.pnl.tolist()
                columns["gross"] += curve.gross.tolist()
        return columns

    # Files

    def as_json(self) -> dict[str, Any]:
        """Give what the run was and its figures, as values for JSON; the tables are in Parquet."""
        return {
            "name": self.name,
            **attrs.asdict(self.facts),
            "started": self.collected.started,
            "ended": self.collected.ended,
            "strategies": [attrs.asdict(item) for item in self.collected.strategies],
            "metrics": {
                currency: {
                    "": self.metrics(None, currency),
                    **{owner: self.metrics(owner, currency) for owner in self.owners},
                }
                for currency in self.currencies
            },
        }

    def save(self, folder: Path | str) -> Path:
        """Write the result into a new folder: JSON and Parquet. It is there as a whole, or not at all.

        Raises:
            ResultError: There is something already, or it can't be written.
        """
        tables = {name: self.to_arrow(name) for name in TABLES}
        return store.save(Path(folder), self.facts, self.collected, self.as_json(), tables)

    @classmethod
    def load(cls, folder: Path | str, *, name: str = "") -> Result:
        """Read a result that was saved.

        Args:
            folder: Where it is.
            name: What it is called beside others; empty: as the folder.

        Raises:
            ResultError: There is none, it isn't whole, or it is of another version; says which file.
        """
        facts, collected = store.load(Path(folder))
        return cls(facts, collected, name or Path(folder).resolve().name)

    def save_html(self, path: Path | str) -> Path:
        """Write the report as one HTML file that needs nothing else.

        Raises:
            ConfigError: Plotly isn't installed.
            ResultError: It can't be written.
        """
        return store.write_text(Path(path), self.html())

    def html(self) -> str:
        """Give the report as one HTML page that needs nothing else.

        Raises:
            ConfigError: Plotly isn't installed.
        """
        from strategykit.report.page import result_page

        return result_page(self)

    def _repr_html_(self) -> str:
        from strategykit.report.notebook import notebook_cell

        return notebook_cell(self)

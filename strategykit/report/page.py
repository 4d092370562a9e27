"""The page of one result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from strategykit.report.document import Cell, Drawing, Part, Row, Table, Text, document
from strategykit.report.figures import equity_figure, price_figure, traded
from strategykit.report.metrics import period_of
from strategykit.report.result import Result
from strategykit.report.summary import METRICS, Metric, Number
from strategykit.report.thinning import PIXELS
from strategykit.report.trips import Trip
from strategykit.report.words import duration_in_words, in_words, money, time_in_words

__all__ = ["MOST_TRIPS", "facts_part", "metrics_tables", "result_page", "subtitle", "toned"]

MOST_TRIPS: Final = 1_000
"""In the page's table; all are in the Parquet file."""

_MOST_PRICES: Final = 8
"""Instruments that are drawn, those with the most fills."""

_MOST_LINES: Final = 100
"""Of problems, and of warnings."""


def result_page(result: Result) -> str:
    """Give the report of one run as HTML.

    Raises:
        ConfigError: Plotly isn't installed.
    """
    return document(result.name, subtitle(result), _parts(result))


def subtitle(result: Result) -> str:
    ours = result.collected
    length = duration_in_words(ours.ended - ours.started)
    begin, end = (time_in_words(time) for time in (ours.started, ours.ended))
    return f"{result.facts.kind} on {result.facts.source}: {begin} to {end} UTC, {length}"


def _parts(result: Result) -> Iterator[Part]:
    if result.facts.problems:
        lines = [Text(line, "bad") for line in result.facts.problems[:_MOST_LINES]]
        yield Part("What has to be looked at", [*lines, *_rest(len(result.facts.problems), "lines")])
    if result.facts.warnings:
        lines = [Text(line, "bad") for line in result.facts.warnings[:_MOST_LINES]]
        yield Part("What the data don't tell", [*lines, *_rest(len(result.facts.warnings), "lines")])
    for currency in result.currencies:
        suffix = f" in {currency}" if len(result.currencies) > 1 else ""
        yield Part(f"Profit{suffix}", [Drawing(figure=equity_figure(result, currency), name="equity"), _drawn(result)])
        yield Part(f"Figures{suffix}", [metrics_tables(result, currency), *_assumed(result)])
        symbols = traded(result, currency)
        for symbol, _ in symbols[:_MOST_PRICES]:
            figure = Drawing(figure=price_figure(result, symbol), name="price")
            yield Part(f"Orders and fills of {symbol}", [figure, *_gaps(result, symbol)])
        if len(symbols) > _MOST_PRICES:
            more = f"{len(symbols) - _MOST_PRICES} more instruments were traded"
            yield Part("Other instruments", [Text(f"{more}; the {_MOST_PRICES} with the most fills are drawn.")])
    yield _trips(result)
    yield facts_part(result)


def _drawn(result: Result) -> Text:
    interval = duration_in_words(result.collected.interval)
    return Text(
        f"Prices are sampled every {interval} of the run and at each fill. Of each of {PIXELS:,} parts of the time "
        "the lowest, the highest and the last point are drawn. Shaded: gaps in the data."
    )


def _assumed(result: Result) -> Iterator[Text]:
    span = result.collected.ended - result.collected.started
    yield Text(
        f"Returns are of the capital, by the {period_of(span)[0]} (UTC), nights and weekends included, and annualised "
        "by the calendar; what is annualised needs a run of a day or more. Each currency is counted by itself."
    )


def metrics_tables(result: Result, currency: str) -> Row:
    """Give all figures of one currency in groups, a column for all strategies and one for each."""
    owners = result.owners if len(result.owners) > 1 else []
    columns = [result.metrics(None, currency), *(result.metrics(owner, currency) for owner in owners)]
    groups: dict[str, list[list[Cell | str]]] = {}
    for metric in METRICS:
        if any(found[metric.name] is not None for found in columns):
            figures = (toned(metric, found[metric.name]) for found in columns)
            groups.setdefault(metric.group, []).append([Cell(metric.label, hint=metric.means), *figures])
    heads = ["all", *owners] if owners else [""]
    return Row([Table(head=[group, *heads], rows=rows, name="metrics") for group, rows in groups.items()])


def toned(metric: Metric, value: Number) -> Cell:
    """Give a figure's cell: gains green, losses red."""
    signed = metric.name in ("pnl", "open_pnl", "total_return", "cagr", "sharpe", "sortino")
    tone = "" if not signed or not value else "good" if value > 0 else "bad"
    return Cell(in_words(metric, value), right=True, tone=tone)


def _gaps(result: Result, symbol: str) -> Iterator[Text]:
    gaps = result.collected.gaps
    rows = [row for row in zip(*gaps.values(), strict=True) if row[0] == symbol]
    for _, stream, since, until, reason in rows[:5]:
        yield Text(f"gap in {stream}: {time_in_words(since, digits=3)} to {time_in_words(until, digits=3)}, {reason}")
    if len(rows) > 5:
        yield Text(f"… and {len(rows) - 5:,} more gaps")


def _rest(count: int, what: str) -> list[Text]:
    return [Text(f"… and {count - _MOST_LINES:,} more {what}")] if count > _MOST_LINES else []


_TRIP_HEAD: Final = (
    *("strategy", "instrument", "side", "lots", "entry", "entry price", "exit", "exit price", "duration"),
    *("profit", "fees", "net", "worst", "best"),
)


def _trips(result: Result) -> Part:
    trips = result.trips
    shown = list(range(len(trips)))
    texts = [
        Text(
            "First in, first out: an entry order and an exit order a row. Worst and best are the lowest and highest "
            "profit on the way, by the sampled prices. Click a head to sort."
        )
    ]
    if len(trips) > MOST_TRIPS:
        shown = sorted(sorted(shown, key=lambda n: -abs(trips[n].net))[:MOST_TRIPS])
        most = f"Of {len(trips):,} trades the {MOST_TRIPS:,} with the largest profit or loss are shown"
        texts.append(Text(f"{most}; trips.parquet has all."))
    columns = result.columns("trips")
    rows = [_trip(trips[n], columns["worst"][n], columns["best"][n]) for n in shown]
    return Part(f"Trades: {len(trips):,}", [*texts, Table(head=_TRIP_HEAD, rows=rows, sortable=True, name="trips")])


def _trip(trip: Trip, worst: float, best: float) -> list[Cell | str]:
    prices = (trip.entry_price, trip.exit_price)
    entry, leaving = (
        Cell("–" if price is None else f"{float(price):.8g}", right=True, sort=float(price or 0)) for price in prices
    )
    begin = Cell(time_in_words(trip.entry_time), tone="time", sort=float(trip.entry_time))
    end = Cell("open" if trip.open else time_in_words(trip.exit_time), tone="time", sort=float(trip.exit_time))
    length = Cell(duration_in_words(trip.duration), right=True, sort=float(trip.duration))
    lots = Cell(f"{trip.lots:f}", right=True, sort=float(trip.lots))
    amounts = [_amount(value) for value in (trip.pnl, trip.fees.get(trip.currency, Decimal(0)))]
    net = Cell(
        money(trip.net),
        right=True,
        sort=float(trip.net),
        tone="good" if trip.net > 0 else "bad" if trip.net < 0 else "",
    )
    return [
        *(trip.strategy, trip.instrument, trip.side, lots, begin, entry, end, leaving, length),
        *(*amounts, net, _amount(worst), _amount(best)),
    ]


def _amount(value: Decimal | float) -> Cell:
    return Cell(money(value), right=True, sort=float(value))


def facts_part(result: Result) -> Part:
    """Give what the run was, and the strategies' parameters."""
    facts, ours = result.facts, result.collected
    rows: list[Sequence[Cell | str]] = [
        [Cell(name, tone="strong"), value]
        for name, value in (
            ("run identity", facts.identity),
            ("kind", facts.kind),
            ("data", facts.source),
            ("began", f"{time_in_words(ours.started, digits=3)} UTC"),
            ("ended", f"{time_in_words(ours.ended, digits=3)} UTC"),
            ("seed", "" if facts.seed is None else str(facts.seed)),
            *((f"model: {name}", value) for name, value in facts.models.items()),
            ("digest of the run", facts.digest),
            ("strategykit", facts.version),
            ("Python", facts.python),
        )
        if value
    ]
    parameters: list[Sequence[Cell | str]] = [
        [item.name, item.strategy, name, value] for item in ours.strategies for name, value in item.parameters.items()
    ]
    return Part(
        "Run",
        [
            Table(head=["", ""], rows=rows, name="facts"),
            Table(head=["strategy", "class", "parameter", "value"], rows=parameters, name="parameters"),
        ],
    )

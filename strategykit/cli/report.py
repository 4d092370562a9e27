"""``strategykit report``: a run's result in tables or as a page, or several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import App, Parameter

from strategykit.cli._keep import need_libraries
from strategykit.cli._screen import OK, print_json, print_line
from strategykit.cli._table import Column, print_table
from strategykit.cli._words import counted
from strategykit.errors import ConfigError

if TYPE_CHECKING:
    from strategykit.report.result import Result

__all__ = ["register"]

_EXAMPLES: Final = """\
Examples:
  strategykit replay cross.py --tape tapes/20260312-091507 --instrument SBER \\
      --out results/cross
  strategykit report results/cross
  strategykit report results/cross --html cross.html
  strategykit report results/cross results/slow --html both.html"""

_MOST: Final = 20
"""Trades that are printed; all of them are on the page, and in trips.parquet."""


def register(app: App) -> None:
    """Add the command to the program."""
    app.command(_report, name="report", help_epilogue=_EXAMPLES)


def _report(
    folder: Annotated[Path, Parameter(help="result of a run, as --out made it", metavar="DIR")],
    /,
    *others: Annotated[Path, Parameter(help="further ones: they are compared", metavar="DIR")],
    html: Annotated[Path | None, Parameter(help="write a page, too: one file that needs nothing else")] = None,
    json: Annotated[bool, Parameter(negative="", show_default=False, help="print JSON instead of tables")] = False,
) -> int:
    """Show what a run came to; of several runs, what they came to side by side."""
    need_libraries()
    from strategykit.report.result import Result

    if html is not None and html.is_dir():
        raise ConfigError(f"--html {html}: is a folder; name an HTML file to be made")
    results = [Result.load(path) for path in (folder, *others)]
    if html is not None:
        _write_page(results, html)
    if json:
        values = [result.as_json() for result in results]
        print_json(values[0] if len(values) == 1 else values)
        return OK
    if len(results) == 1:
        _show(results[0])
    else:
        _compare(results)
    if html is not None:
        print_line(f"page: {html}")
    return OK


def _write_page(results: Sequence[Result], path: Path) -> None:
    from strategykit.report.comparison import comparison_page
    from strategykit.report.store import write_text

    if len(results) == 1:
        results[0].save_html(path)
    else:
        write_text(path, comparison_page(results))


def _show(result: Result) -> None:
    from strategykit.report.page import subtitle
    from strategykit.report.summary import METRICS
    from strategykit.report.words import in_words

    print_line(f"{result.name}: {subtitle(result)}")
    for currency in result.currencies:
        owners = [None, *(result.owners if len(result.owners) > 1 else [])]
        figures = [result.metrics(owner, currency) for owner in owners]
        names = [owner or ("all" if len(owners) > 1 else "run") for owner in owners]
        print_table(
            f"Figures (money in {currency})",
            ["figure", *(Column(name, right=True) for name in names)],
            [
                (metric.label, *(in_words(metric, found[metric.name]) for found in figures))
                for metric in METRICS
                if any(found[metric.name] is not None for found in figures)
            ],
        )
    _show_trips(result)
    for line in result.facts.problems:
        print_line(f"problem: {line}")
    for line in result.facts.warnings:
        print_line(f"warning: {line}")
    told = [f"{name} {value}" for item in result.collected.strategies for name, value in item.parameters.items()]
    print_line(f"parameters: {', '.join(told) or 'none'}")
    for name, value in result.facts.models.items():
        print_line(f"model: {name} {value}")
    if result.facts.identity:
        print_line(f"identity: {result.facts.identity}")
    print_line(f"SHA-256 over events, orders and fills: {result.facts.digest or 'unknown'}")


def _show_trips(result: Result) -> None:
    from strategykit.report.words import duration_in_words, money, time_in_words

    print_table(
        "Trades (first in, first out; times in UTC)",
        [
            Column("strategy", spare=len(result.owners) < 2),
            "instrument",
            "side",
            Column("lots", right=True),
            Column("entry"),
            Column("price", right=True),
            Column("duration", right=True),
            Column("price", right=True),
            Column("profit", right=True),
            Column("fees", right=True, spare=True),
            Column("net", right=True),
        ],
        [
            (
                trip.strategy,
                trip.instrument,
                f"{trip.side}, open" if trip.open else trip.side,
                f"{trip.lots:f}",
                time_in_words(trip.entry_time),
                f"{float(trip.entry_price):.8g}",
                duration_in_words(trip.duration),
                "" if trip.exit_price is None else f"{float(trip.exit_price):.8g}",
                money(trip.pnl),
                money(trip.pnl - trip.net),
                money(trip.net),
            )
            for trip in result.trips[:_MOST]
        ],
    )
    if len(result.trips) > _MOST:
        print_line(f"… and {counted(len(result.trips) - _MOST, 'more trade')}; the page has them, and trips.parquet")


def _compare(results: Sequence[Result]) -> None:
    from strategykit.report.comparison import distinct_names, told_of
    from strategykit.report.summary import METRICS
    from strategykit.report.words import in_words

    names = distinct_names(results)
    for currency in dict.fromkeys(currency for result in results for currency in result.currencies[:1]):
        of = {name: result.metrics(None, currency) for name, result in names.items() if currency in result.currencies}
        print_table(
            f"Figures (money in {currency})",
            ["figure", *(Column(name, right=True) for name in of)],
            [
                (metric.label, *(in_words(metric, found[metric.name]) for found in of.values()))
                for metric in METRICS
                if any(found[metric.name] is not None for found in of.values())
            ],
        )
    said = {name: told_of(result) for name, result in names.items()}
    keys = dict.fromkeys(key for one in said.values() for key in one)
    print_table(
        "What differs",
        ["", *names],
        [
            (key, *(one.get(key, "–") for one in said.values()))
            for key in keys
            if len({one.get(key) for one in said.values()}) > 1
        ],
    )
    for name, result in names.items():
        for what, lines in (("problem", result.facts.problems), ("warning", result.facts.warnings)):
            for line in lines:
                print_line(f"{what} of {name}: {line}")

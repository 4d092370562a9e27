"""Several results on one page: profit over profit, figures side by side, and in what their parameters differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from strategykit.errors import ConfigError
from strategykit.report.document import Cell, Drawing, Part, Table, Text, document
from strategykit.report.figures import COLOURS, Figure, axis, base_layout, line
from strategykit.report.metrics import Floats
from strategykit.report.page import toned
from strategykit.report.result import Result
from strategykit.report.summary import METRICS
from strategykit.report.words import time_in_words

__all__ = ["comparison_page", "distinct_names", "told_of"]

MOST_CURVES: Final = 40
"""Drawn over each other; more is a picture of nothing."""

_MOST_HINTS: Final = 10
"""Lines that are shown of a run's problems when the pointer rests on their number; its own page has them all."""


def comparison_page(results: Sequence[Result], *, title: str = "") -> str:
    """Give one page for several results.

    Args:
        results: Two or more.
        title: Of the page; empty: how many there are.

    Raises:
        ConfigError: Plotly isn't installed, or there is nothing to compare.
    """
    if not results:
        raise ConfigError("a comparison needs results")
    names = distinct_names(results)
    currencies = list(dict.fromkeys(currency for result in results for currency in result.currencies[:1]))
    parts = []
    for currency in currencies:
        of = {name: result for name, result in names.items() if currency in result.currencies}
        suffix = f" in {currency}" if len(currencies) > 1 else ""
        notes = [Text("Profit is after fees. The begin of each run is at 0, where runs are of different times.")]
        if len(of) > MOST_CURVES:
            notes.append(Text(f"Of {len(of):,} runs the first {MOST_CURVES} are drawn; the table has all."))
        shown = dict(list(of.items())[:MOST_CURVES])
        parts.append(Part(f"Profit{suffix}", [Drawing(figure=_curves(shown, currency), name="comparison"), *notes]))
        parts.append(Part(f"Figures{suffix}", [_figures(of, currency)]))
    parts.append(Part("Runs", [_runs(names)]))
    parts.append(Part("Parameters", [_parameters(names), Text("What isn't the same in all runs is printed bold.")]))
    return document(title or f"{len(results)} runs", ", ".join(names)[:300], parts)


def distinct_names(results: Sequence[Result]) -> dict[str, Result]:
    """Give each result a name of its own: what is called the same gets a number."""
    names: dict[str, Result] = {}
    for result in results:
        name, count = result.name, 1
        while name in names:
            count += 1
            name = f"{result.name} ({count})"
        names[name] = result
    return names


def told_of(result: Result) -> dict[str, str]:
    """Give what a run was told: parameters, with the strategy's name if there are several, and models."""
    several = len(result.collected.strategies) > 1
    parameters = {
        f"{item.name}.{name}" if several else name: value
        for item in result.collected.strategies
        for name, value in item.parameters.items()
    }
    return parameters | {f"model: {name}": value for name, value in result.facts.models.items()}


def _curves(results: Mapping[str, Result], currency: str) -> Figure:
    """Draw profit and drawdown of all, by the calendar if all ran at one time, else each from its own begin."""
    begin = max(result.collected.started for result in results.values())
    together = all(result.collected.ended > begin for result in results.values())
    data = []
    for n, (name, result) in enumerate(results.items()):
        curve, colour = result.curve(None, currency), COLOURS[n % len(COLOURS)]
        times = curve.times if together else curve.times - curve.times[0]
        dash = {} if n < len(COLOURS) else {"dash": ("dot", "dash", "longdash")[(n // len(COLOURS) - 1) % 3]}
        profit = line(name, times, curve.pnl, colour, legendgroup=name)
        profit["line"] |= dash
        fall = line(name, times, _depth(curve.pnl), colour, legendgroup=name, showlegend=False, yaxis="y2")
        data += [_in_hours(profit, together=together), _in_hours(fall, together=together)]
    layout = base_layout(
        560,
        xaxis=axis(type="date", anchor="y2") if together else axis("hours since each began", anchor="y2"),
        yaxis=axis(f"profit, {currency}", domain=[0.36, 1.0]),
        yaxis2=axis(f"drawdown, {currency}", domain=[0.0, 0.29]),
    )
    return {"data": data, "layout": layout}


def _in_hours(trace: Figure, *, together: bool) -> Figure:
    return trace if together else {**trace, "x": [x / 3_600_000 for x in trace["x"]]}


def _depth(pnl: Floats) -> Floats:
    return np.asarray(pnl - np.maximum.accumulate(pnl))


def _figures(results: Mapping[str, Result], currency: str) -> Table:
    columns = [result.metrics(None, currency) for result in results.values()]
    rows = [
        [Cell(metric.label, hint=metric.means), *(toned(metric, found[metric.name]) for found in columns)]
        for metric in METRICS
        if any(found[metric.name] is not None for found in columns)
    ]
    return Table(head=[f"money in {currency}", *results], rows=rows, name="metrics")


def _runs(results: Mapping[str, Result]) -> Table:
    rows: list[list[Cell | str]] = [
        [
            name,
            *(result.facts.kind, result.facts.source, result.facts.identity),
            Cell(time_in_words(result.collected.started), tone="time"),
            Cell(time_in_words(result.collected.ended), tone="time"),
            *(
                Cell(f"{len(lines):,}", right=True, tone="bad" if lines else "", hint="\n".join(lines[:_MOST_HINTS]))
                for lines in (result.facts.problems, result.facts.warnings)
            ),
        ]
        for name, result in results.items()
    ]
    head = ["run", "kind", "data", "identity", "began, UTC", "ended, UTC", "problems", "warnings"]
    return Table(head=head, rows=rows, sortable=True, name="runs")


def _parameters(results: Mapping[str, Result]) -> Table:
    said = [told_of(result) for result in results.values()]
    rows = []
    for name in dict.fromkeys(name for one in said for name in one):
        values = [one.get(name, "–") for one in said]
        tone = "strong" if len(set(values)) > 1 else ""
        rows.append([Cell(name, tone=tone), *(Cell(value, tone=tone) for value in values)])
    return Table(head=["", *results], rows=rows, name="parameters")

"""The page of a sweep: a heat map of two parameters, and every set in a table."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from strategykit.report.document import Cell, Drawing, Part, Table, Text, document
from strategykit.report.figures import axis as drawn_axis
from strategykit.report.figures import base_layout
from strategykit.report.summary import METRICS
from strategykit.report.words import time_in_words
from strategykit.sweep.results import Sweep, shown_figure
from strategykit.sweep.work import Outcome

__all__ = ["heat_map", "sweep_page"]

_METRICS: Final = ("pnl", "total_return", "sharpe", "sortino", "max_drawdown", "trades", "hit_rate", "fees")

_MOST_ROWS: Final = 2_000
_MOST_MAPS: Final = 6
_MOST_CELLS: Final = 10_000


def sweep_page(sweep: Sweep) -> str:
    """Give the page as HTML.

    Raises:
        ConfigError: Plotly isn't installed.
    """
    names = ", ".join(axis.name for axis in sweep.axes)
    return document(f"Sweep of {sweep.strategy}", f"{names} on {sweep.source}", _parts(sweep))


def _parts(sweep: Sweep) -> Iterator[Part]:
    if sweep.failed:
        yield Part("What has to be looked at", [Text(line, "bad") for line in sweep.failures()])
    if sweep.doubtful:
        yield Part("What the data don't tell", [Text(line, "bad") for line in sweep.warnings()])
    if sweep.forward:
        yield _forward(sweep)
    maps = [figure for pair in itertools.combinations(_names(sweep), 2) if (figure := heat_map(sweep, *pair))]
    if maps:
        way = "lowest" if sweep.objective.smallest else "highest"
        note = Text(f"Where other parameters vary, too, a cell shows the {way} of its sets: one lucky set colours it.")
        figures = [Drawing(figure=figure, name="heat") for figure in maps[:_MOST_MAPS]]
        yield Part(_label(sweep.objective.metric), [*figures, *([note] if len(sweep.axes) > 2 else [])])
    yield _sets(sweep)


def _names(sweep: Sweep) -> list[str]:
    return [axis.name for axis in sweep.axes if len({item.parameters[axis.name] for item in sweep.outcomes}) > 1]


def _words(metric: str) -> str:
    return metric.replace("_", " ")


def _label(name: str) -> str:
    return next(metric.label for metric in METRICS if metric.name == name)


def heat_map(sweep: Sweep, across: str, up: str) -> dict[str, Any] | None:
    """Give the drawing of the objective over two parameters; None where there are too many values to see any."""
    columns, rows = (_ordered(item.parameters[name] for item in sweep.outcomes) for name in (across, up))
    if len(columns) * len(rows) > _MOST_CELLS:
        return None
    best: dict[tuple[str, str], Outcome] = {}
    for outcome in sweep.outcomes:
        place = outcome.parameters[across], outcome.parameters[up]
        if place not in best or sweep.objective.rank(outcome) < sweep.objective.rank(best[place]):
            best[place] = outcome
    values = [[_value(sweep, best.get((column, row))) for column in columns] for row in rows]
    if all(value is None for line in values for value in line):
        return None
    heat = {
        "type": "heatmap",
        "x": columns,
        "y": rows,
        "z": values,
        "colorscale": "Viridis",
        "reversescale": sweep.objective.smallest,
        "hovertemplate": f"{across} %{{x}}<br>{up} %{{y}}<br>{sweep.objective.metric} %{{z}}<extra></extra>",
        "hoverongaps": False,
    }
    layout = base_layout(
        460, xaxis=drawn_axis(across, type="category"), yaxis=drawn_axis(up, type="category"), hovermode="closest"
    )
    return {"data": [heat], "layout": layout}


def _value(sweep: Sweep, outcome: Outcome | None) -> float | None:
    return None if outcome is None else sweep.objective.value(outcome)


def _ordered(values: Iterator[str]) -> list[str]:
    found = list(dict.fromkeys(values))
    try:
        return sorted(found, key=float)
    except ValueError:
        return found


def _forward(sweep: Sweep) -> Part:
    metric = sweep.objective.metric
    rows: list[list[Cell | str]] = [
        [
            Cell(time_in_words(item.split.since), tone="time"),
            Cell(time_in_words(item.split.middle), tone="time"),
            Cell(time_in_words(item.split.until), tone="time"),
            *_set(sweep, item.chosen.parameters),
            _figure(item.chosen, metric),
            *(_figure(item.proven, name) for name in _columns(sweep)),
            _remarks(item.proven),
        ]
        for item in sweep.forward
    ]
    head = ["chosen from", "reported from", "to", *(axis.name for axis in sweep.axes), f"{_words(metric)} before"]
    table = Table(head=[*head, *map(_words, _columns(sweep)), ""], rows=rows, sortable=True, name="forward")
    return Part("Walk forward", [table, Text("Each set was the best of the window before the one that it reports on.")])


def _sets(sweep: Sweep) -> Part:
    ranked = sweep.best()
    rows: list[list[Cell | str]] = [
        [*_set(sweep, outcome.parameters), *(_figure(outcome, name) for name in _columns(sweep)), _remarks(outcome)]
        for outcome in ranked[:_MOST_ROWS]
    ]
    head = [*(axis.name for axis in sweep.axes), *map(_words, _columns(sweep)), ""]
    more = len(ranked) - _MOST_ROWS
    rest = [Text(f"… and {more:,} more sets; all of them are in the JSON")] if more > 0 else []
    which = " of the last window" if sweep.forward else ""
    return Part(f"Sets{which}", [Table(head=head, rows=rows, sortable=True, name="sets"), *rest])


def _columns(sweep: Sweep) -> Sequence[str]:
    return list(dict.fromkeys([sweep.objective.metric, *_METRICS]))


def _set(sweep: Sweep, parameters: Mapping[str, str]) -> list[Cell | str]:
    return [_cell(parameters[axis.name]) for axis in sweep.axes]


def _remarks(outcome: Outcome) -> str:
    return "; ".join([outcome.error, *outcome.warnings] if outcome.error else outcome.warnings)


def _cell(text: str) -> Cell:
    try:
        return Cell(text, sort=float(text), right=True)
    except ValueError:
        return Cell(text)


def _figure(outcome: Outcome, metric: str) -> Cell:
    value = outcome.metrics.get(metric)
    sort = float("-inf") if value is None else float(value)
    return Cell(shown_figure(outcome, metric), sort=sort, right=True)

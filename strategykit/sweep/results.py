"""What a sweep came to: every set with its figures, the best of them, and each split of a walk forward."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import attrs

from strategykit.report import store
from strategykit.report.summary import METRICS, Metric
from strategykit.report.words import in_words, time_in_words
from strategykit.sweep.axes import Axis
from strategykit.sweep.forward import Forward
from strategykit.sweep.sweeping import Objective
from strategykit.sweep.work import Outcome

__all__ = ["Sweep", "shown_figure"]

_METRICS: Final = {metric.name: metric for metric in METRICS}

_ANNUALISED: Final = ("cagr", "volatility", "sharpe", "sortino")

_SHOWN: Final = 10
"""Errors that are told, and warnings."""


@attrs.frozen
class Sweep:
    """All of it."""

    strategy: str
    source: str
    axes: Sequence[Axis]
    objective: Objective
    outcomes: Sequence[Outcome]
    """In the order in which they were tried; of a walk forward, those of the last split."""
    forward: Sequence[Forward] = ()

    @property
    def failed(self) -> list[Outcome]:
        """Sets that weren't run to the end, or whose strategy failed."""
        return [outcome for outcome in self._runs if outcome.error]

    @property
    def doubtful(self) -> list[Outcome]:
        """Sets whose figures depend on what the data don't tell, such as what came first within a bar."""
        return [outcome for outcome in self._runs if outcome.warnings]

    @property
    def _runs(self) -> Sequence[Outcome]:
        """All runs, those that prove what was chosen included."""
        proven = [item.proven for item in self.forward]
        return [*(outcome for item in self.forward for outcome in item.tried), *proven] or self.outcomes

    def best(self, count: int | None = None) -> list[Outcome]:
        """Give outcomes, the best first, each set of parameters once."""
        once = {tuple(outcome.parameters.items()): outcome for outcome in self.outcomes}
        return self.objective.best(list(once.values()))[:count]

    def tables(self, best: int, metrics: Sequence[str]) -> list[tuple[str, list[list[str]]]]:
        """Give what is printed: titles and rows, the first of them the head."""
        names = [axis.name for axis in self.axes]
        doubt = ["in doubt"] if self.doubtful else []
        head = [*names, *(metric.replace("_", " ") for metric in metrics), *doubt]
        found = []
        if self.forward:
            rows = [
                [
                    time_in_words(item.split.middle),
                    time_in_words(item.split.until),
                    *(item.chosen.parameters[name] for name in names),
                    *(shown_figure(outcome, metrics[0]) for outcome in (item.chosen, item.proven)),
                    *(shown_figure(item.proven, metric) for metric in metrics[1:]),
                    *(_yes(item.proven) for _ in doubt),
                ]
                for item in self.forward
            ]
            words = [metrics[0].replace("_", " "), *head[len(names) + 1 :]]
            top = ["from", "to", *names, f"{words[0]} before", words[0], *words[1:]]
            found.append(("Walk forward: chosen on the window before, reported on this one (UTC)", [top, *rows]))
        rows = [
            [
                *(outcome.parameters[name] for name in names),
                *(shown_figure(outcome, metric) for metric in metrics),
                *(_yes(outcome) for _ in doubt),
            ]
            for outcome in self.best(best)
        ]
        which = " of the last window" if self.forward else ""
        found.append((f"Best sets{which} by {self.objective.metric.replace('_', ' ')}", [head, *rows]))
        return found

    def lines(self) -> list[str]:
        """Give what is to be said besides."""
        total, failed = len(self._runs), len(self.failed)
        runs = f"{total:,} runs, {failed:,} of them failed" if failed else f"{total:,} runs"
        return [*self.failures(), *self.warnings(), runs]

    def failures(self) -> list[str]:
        """Say what went wrong, a line each."""
        told = dict.fromkeys(
            f"{' '.join(f'{name}={value}' for name, value in outcome.parameters.items())}: {outcome.error}"
            for outcome in self.failed
        )
        lines = [*list(told)[:_SHOWN], *([f"… and {len(told) - _SHOWN:,} more"] if len(told) > _SHOWN else [])]
        metric, run = self.objective.metric, [outcome for outcome in self.outcomes if not outcome.error]
        if run and all(self.objective.value(outcome) is None for outcome in self.outcomes):
            why = ": what is annualised needs runs of a day or more; --objective pnl decides by profit"
            lines.append(f"no set has a {metric}{why if metric in _ANNUALISED else ''}")
        return lines

    def warnings(self) -> list[str]:
        """Say how many runs depend on what the data don't tell, and how those do that are looked at first."""
        doubtful, total = len(self.doubtful), len(self._runs)
        if not doubtful:
            return []
        first = [item.proven for item in self.forward] or self.best(1)
        told = list(dict.fromkeys(line for outcome in first for line in outcome.warnings))
        which = "the chosen sets" if self.forward else "the best set"
        depend = "depends" if doubtful == 1 else "depend"
        return [
            f"{doubtful:,} of {total:,} runs {depend} on what the data don't tell{'' if told else f'; not so {which}'}",
            *(f"{which}: {line}" for line in told[:_SHOWN]),
            *([f"… and {len(told) - _SHOWN:,} more"] if len(told) > _SHOWN else []),
        ]

    def as_json(self) -> dict[str, Any]:
        """Give all of it as values for JSON."""
        return {
            "strategy": self.strategy,
            "source": self.source,
            "objective": attrs.asdict(self.objective),
            "axes": [attrs.asdict(axis) for axis in self.axes],
            "best": [attrs.asdict(outcome) for outcome in self.best(1)],
            "outcomes": [attrs.asdict(outcome) for outcome in self.outcomes],
            "walk_forward": [
                {
                    "split": attrs.asdict(item.split),
                    "chosen": attrs.asdict(item.chosen),
                    "proven": attrs.asdict(item.proven),
                }
                for item in self.forward
            ],
        }

    def html(self) -> str:
        """Give the report as one HTML page that needs nothing else.

        Raises:
            ConfigError: Plotly isn't installed.
        """
        from strategykit.sweep.page import sweep_page

        return sweep_page(self)

    def save_html(self, path: Path | str) -> Path:
        """Write the page.

        Raises:
            ConfigError: Plotly isn't installed.
            ResultError: It can't be written.
        """
        return store.write_text(Path(path), self.html())


def _yes(outcome: Outcome) -> str:
    return "yes" if outcome.warnings else ""


def shown_figure(outcome: Outcome, metric: str) -> str:
    """Write a figure of an outcome."""
    known: Metric = _METRICS[metric]
    value = outcome.metrics.get(metric)
    if value is None:
        return "–"
    return in_words(known, Decimal(str(value)) if known.unit == "money" else value)

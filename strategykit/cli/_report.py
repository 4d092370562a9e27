"""Printing what a run came to."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import attrs

from strategykit.cli._screen import FAILURE, OK, print_json, print_line, print_table, tell
from strategykit.cli.tape import when
from strategykit.runtime.report import RunReport

__all__ = ["complaints", "print_run", "run_as_json", "show_run"]


def print_run(report: RunReport, *, json: bool) -> int:
    """Print a report and give the exit code: failure if a strategy failed, or something isn't accounted for."""
    if json:
        print_json(run_as_json(report))
    else:
        show_run(report)
    for line in complaints(report):
        tell(line)
    return OK if report.ok else FAILURE


def run_as_json(report: RunReport) -> dict[str, object]:
    return {"ok": report.ok, **attrs.asdict(report)}


def show_run(report: RunReport) -> None:
    """Print the tables of a report."""
    if report.strategies:
        print_table(
            "Strategies",
            ["strategy", "state", "#orders", "#fills", "#position", "#realised", "#open", "#fees", "#PnL"],
            [
                (
                    row.name if row.name == row.strategy.lower() else f"{row.name} ({row.strategy})",
                    row.state,
                    row.orders,
                    row.fills,
                    _amounts(row.positions, plain=True),
                    _amounts(row.realised),
                    _amounts(row.open_pnl),
                    _amounts(row.fees),
                    _amounts(row.pnl),
                )
                for row in report.strategies
            ],
        )
    print_table(
        "Connections",
        ["connection", "lane", "state", "#frames in", "#frames out", "#reconnects", "#lag p50, ms", "#lag p99, ms"],
        [
            (
                row.name,
                row.lane,
                row.state,
                f"{row.frames_in:,}",
                f"{row.frames_out:,}",
                row.reconnects,
                _milliseconds(row.lag_p50),
                _milliseconds(row.lag_p99),
            )
            for row in report.connections
        ],
    )
    print_table(
        "Subscriptions",
        ["guid", "stream", "connection", "state", "#data", "gaps"],
        [
            (
                row.guid,
                row.stream,
                row.connection,
                row.state,
                f"{row.data:,}",
                "\n".join(f"{when(gap.since)} to {when(gap.until)[11:]}: {gap.reason}" for gap in row.gaps),
            )
            for row in report.subscriptions
        ],
    )
    if report.tape:
        print_line(f"tape: {report.tape}")
    print_line(f"events: {report.events:,}   SHA-256 over events, orders and fills: {report.digest}")


def complaints(report: RunReport) -> list[str]:
    """Say what went wrong in a run, a line each."""
    lines = [f"strategy {row.name} failed: {row.error}" for row in report.strategies if row.error]
    lines += [f"strategy {row.name} left {order}" for row in report.strategies for order in row.left]
    lines += [f"unaccounted for: {line}" for line in report.unaccounted]
    if report.tape_failure:
        lines.append(f"recording failed: {report.tape_failure}")
    return lines


def _amounts(amounts: Mapping[str, Decimal], *, plain: bool = False) -> str:
    return "\n".join(
        f"{amount:f} {name}" if plain else f"{amount:,.2f} {name}" for name, amount in sorted(amounts.items())
    )


def _milliseconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"

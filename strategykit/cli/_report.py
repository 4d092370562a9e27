"""Printing what a run came to: the tables, the complaints and the exit code."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Final

import attrs

from strategykit.cli._screen import FAILURE, OK, print_json, print_line, tell
from strategykit.cli._table import Column, print_table
from strategykit.cli._words import amounts, counted, duration, seconds_only, short_id, when_within
from strategykit.model.risk_limits import limits_in_words
from strategykit.runtime.report import ForeignOrderReport, RunReport, StrategyReport

__all__ = ["complaints", "hints", "print_run", "run_as_json", "show_run"]

_MOST: Final = 20
"""Lines of a table that may grow without bounds; all of it is in the JSON."""


def print_run(report: RunReport, *, json: bool, orders: bool = False) -> int:
    """Print a report and give the exit code: failure if a strategy failed, or something isn't accounted for.

    Args:
        report: What a run came to.
        json: Whether as JSON.
        orders: Whether the tables have one of orders.

    Raises:
        Exception: The error of the program's own that ended the run, after everything is printed.
    """
    if json:
        print_json(run_as_json(report))
    else:
        show_run(report, orders=orders)
    for line in complaints(report):
        tell(line)
    if report.fault is not None:
        raise report.fault  # As any other error: with --debug, it shows where it comes from.
    return OK if report.ok else FAILURE


def run_as_json(report: RunReport) -> dict[str, object]:
    fields = attrs.fields(RunReport)
    # `unaccounted` says the fault in words; results have files of their own.
    plain = attrs.filters.exclude(fields.fault, fields.collected)
    return {"ok": report.ok, **attrs.asdict(report, filter=plain)}


def show_run(report: RunReport, *, orders: bool = False) -> None:
    """Print the tables of a report."""
    _show_strategies(report)
    if orders:
        _show_orders(report)
    _show_foreign(report)
    _show_connections(report)
    _show_subscriptions(report)
    _show_notes(report)
    for line in [*cautions(report), *hints(report), *limits_met(report), *limits_in_force(report)]:
        print_line(line)
    if report.tape:
        print_line(f"tape: {report.tape}")
    print_line(f"events: {report.events:,}   SHA-256 over events, orders and fills: {report.digest}")


def complaints(report: RunReport) -> list[str]:
    """Say what went wrong in a run, a line each."""
    lines = [f"strategy {row.name} failed: {row.error}" for row in report.strategies if row.error]
    lines += [f"strategy {row.name} left {order}" for row in report.strategies for order in row.left]
    lines += [report.killed] if report.killed else []
    lines += [f"ALARM: {line}" for line in report.alarms]
    # What the venue said and what can't be was an alarm at once.
    lines += [f"unaccounted for: {line}" for line in report.unaccounted if f"orders: {line}" not in report.alarms]
    if report.tape_failure:
        lines.append(f"recording failed: {report.tape_failure}")
    return lines


def cautions(report: RunReport) -> list[str]:
    """Say what nobody knows, whose money it was, where its stops were, and which sums aren't whole, a line each."""
    lines = [f"warning: {line}" for line in report.warnings]
    if report.paper:
        lines.append(f"note: {report.paper}: orders stayed on paper, a fill model answered them")
    for row in report.strategies:
        if row.stops:
            lines.append(f"note: {_where_stops_were(row)}")
        if row.fees_unknown:
            which = "of one fill" if row.fees_unknown == 1 else f"of {row.fees_unknown:,} fills"
            lines.append(f"note: the venue told no fee {which} of {row.name}; its fees and PnL are without them")
        if row.unpriced:
            lines.append(
                f"note: no price of {', '.join(row.unpriced)} is known; the PnL of {row.name} is without open positions"
            )
    return lines


def limits_met(report: RunReport) -> list[str]:
    """Say which limits of risk were met, a line each."""
    return [
        f"limit met {counted(row.hits, 'time')}: {row.scope}, {limits_in_words({row.limit: row.allowed})}"
        for row in report.limits
        if row.hits
    ]


def limits_in_force(report: RunReport) -> list[str]:
    """Say what the limits of risk were: of the account, and what others strategies had."""
    scopes: dict[str, dict[str, Decimal | int]] = {}
    for row in report.limits:
        scopes.setdefault(row.scope, {})[row.limit] = row.allowed
    account, *others = scopes.items() or [("", {})]
    if others and all(limits == others[0][1] for _, limits in others):
        others = [("each strategy", others[0][1])]
    words = [(scope, limits_in_words(limits, beside=account[1])) for scope, limits in others]
    lines = [f"limits of the account: {limits_in_words(account[1])}"] if account[1] else []
    return lines + [f"limits of {scope}: {text}; otherwise the account's" for scope, text in words if text]


def _where_stops_were(row: StrategyReport) -> str:
    there, here = row.stops.get("venue", 0), row.stops.get("here", 0)
    if not here:
        return f"the stops of {row.name} rested at the venue ({there:,} of {there:,} positions)"
    how = "at times" if there else "only as long as it runs"
    return f"the stops of {row.name} were watched by the program, {how} ({here:,} of {there + here:,} positions)"


def hints(report: RunReport) -> list[str]:
    """Say why a strategy may have done nothing, a line each."""
    length = duration(report.ended - report.started)
    lines = []
    for row in report.strategies:
        if row.orders or row.error:
            continue
        for label in row.silent:
            kind, _, rest = label.partition(" ")
            of, _, interval = rest.rpartition(" ")
            what = f"bar of {interval} closed for {of}" if kind == "bars" else f"event of {label} came"
            lines.append(f"hint: {row.name} placed no order; no {what} within the {length} of this run")
    return lines


def _show_strategies(report: RunReport) -> None:
    rows = report.strategies
    currencies = {name for row in rows for part in (row.realised, row.open_pnl, row.fees, row.pnl) for name in part}
    only = next(iter(currencies)) if len(currencies) == 1 else None
    print_table(
        f"Strategies (money in {only})" if only else "Strategies",
        [Column("strategy", words=True), "state", *(Column(name, right=True) for name in _NUMBERS)],
        [
            (
                _full_name(row),
                row.state,
                row.orders,
                row.fills,
                amounts(row.positions, plain=True),
                *(amounts(part, unit=only) for part in (row.realised, row.open_pnl, row.fees, row.pnl)),
            )
            for row in rows
        ]
        + _together(report, only),
    )
    if report.account is not None and report.account.cash_unchecked:
        print_line(f"The account's cash wasn't compared: {report.account.cash_unchecked}")


def _together(report: RunReport, only: str | None) -> list[tuple[object, ...]]:
    """Give the last line of several: the account's part that is theirs."""
    account = report.account
    if account is None or len(report.strategies) < 2:
        return []
    money = (amounts(part, unit=only) for part in (account.realised, account.open_pnl, account.fees, account.pnl))
    orders, fills = (sum(getattr(row, name) for row in report.strategies) for name in ("orders", "fills"))
    return [("all", "", orders, fills, amounts(account.positions, plain=True), *money)]


_NUMBERS: Final = ("orders", "fills", "position", "realised", "open", "fees", "PnL")


def _full_name(row: StrategyReport) -> str:
    return row.name if row.name == row.strategy.lower() else f"{row.name} ({row.strategy})"


def _show_orders(report: RunReport) -> None:
    clock = when_within(report.started, report.ended)
    if not report.orders:
        print_line("Orders: none")
    print_table(
        "Orders (times in UTC)",
        [
            Column("time", shorten=seconds_only),
            "strategy",
            "instrument",
            "side",
            Column("lots", right=True),
            Column("limit", right=True),
            "state",
            Column("filled", right=True),
            Column("average\nprice", right=True, spare=True),
            Column("reason", words=True, spare=not any(row.reason for row in report.orders)),
        ],
        [
            (
                clock(row.placed),
                row.strategy,
                row.instrument,
                row.side,
                f"{row.quantity:f}",
                row.type if row.price is None else f"{row.price:f}",
                row.state,
                f"{row.filled:f}",
                "" if row.average_price is None else f"{row.average_price:.10g}",
                row.reason,
            )
            for row in report.orders
        ],
    )


def _show_foreign(report: RunReport) -> None:
    """Show what others did on the account meanwhile, and what of theirs is still working."""
    clock = when_within(report.started, report.ended)
    rows = [row for row in report.foreign if _concerns(row, report)]
    rows.sort(key=lambda row: (row.state != "working", -row.time))
    print_table(
        "Orders of the account that aren't this run's (times in UTC)",
        [
            Column("time", shorten=seconds_only),
            Column("order", shorten=short_id),
            "instrument",
            "side",
            Column("lots", right=True),
            Column("limit", right=True),
            "state",
            Column("filled", right=True),
        ],
        [
            (
                clock(row.time),
                row.venue_order_id,
                row.instrument,
                row.side,
                f"{row.quantity:f}",
                "market" if row.price is None else f"{row.price:f}",
                row.state,
                f"{row.filled:f}",
            )
            for row in rows[:_MOST]
        ],
    )
    _tell_rest(len(rows))


def _concerns(row: ForeignOrderReport, report: RunReport) -> bool:
    # Venues list what ended earlier in the day, too: that is history.
    return row.state == "working" or row.time >= report.started


def _show_connections(report: RunReport) -> None:
    print_table(
        "Connections",
        [
            "connection",
            Column("lane", spare=True),
            "state",
            Column("frames\nin", right=True),
            Column("frames\nout", right=True),
            Column("reconnects", right=True),
            Column("lag p50\nms", right=True),
            Column("lag p99\nms", right=True),
        ],
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


def _show_subscriptions(report: RunReport) -> None:
    clock = when_within(report.started, report.ended)
    print_table(
        "Subscriptions (times in UTC)",
        [
            Column("guid", shorten=short_id),
            "stream",
            Column("connection", spare=True),
            "state",
            Column("data", right=True),
            Column("gaps", words=True, spare=not any(row.gaps for row in report.subscriptions)),
        ],
        [
            (
                row.guid,
                row.stream,
                row.connection,
                row.state,
                f"{row.data:,}",
                "\n".join(f"{clock(gap.since)} to {clock(gap.until)}: {gap.reason}" for gap in row.gaps),
            )
            for row in report.subscriptions
        ],
    )


def _show_notes(report: RunReport) -> None:
    """Show what strategies and the run remarked; the same words of the same source once, when they first came."""
    clock = when_within(report.started, report.ended)
    times = Counter((source, text) for _, source, text in report.notes)
    first: dict[tuple[str, str], int] = {}
    for time, source, text in report.notes:
        first.setdefault((source, text), time)
    rows = [
        (clock(time), source, text if times[source, text] == 1 else f"{text} ({times[source, text]:,} times)")
        for (source, text), time in first.items()
    ]
    print_table(
        "Notes (times in UTC)", [Column("time", shorten=seconds_only), "of", Column("note", words=True)], rows[:_MOST]
    )
    _tell_rest(len(rows))


def _tell_rest(count: int) -> None:
    if count > _MOST:
        print_line(f"… and {count - _MOST:,} more in --json")


def _milliseconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"

"""``strategykit parity``: a recorded run's fills beside those of fill models, and models that fit it."""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import attrs
from cyclopts import App, Parameter

from strategykit.cli._progress import show_progress
from strategykit.cli._screen import FAILURE, OK, print_json, print_line
from strategykit.cli._table import Column, print_table
from strategykit.cli._words import counted, when_within
from strategykit.config_models import load_models
from strategykit.config_values import parse_duration
from strategykit.disk import RealDisk, write_file
from strategykit.errors import ConfigError

if TYPE_CHECKING:
    from strategykit.parity.comparing import FillRow, ParityReport
    from strategykit.parity.fitting import Fit
    from strategykit.parity.session import Session
    from strategykit.parity.traded import Piece
    from strategykit.sim.models.fill_models import FillModels

__all__ = ["register"]

_EXAMPLES: Final = """\
Examples:
  strategykit parity tapes/20260312-091507
  strategykit parity tapes/20260312-091507 --models models.toml --within-time 20ms
  strategykit parity tapes/20260312-091507 --fit fitted.toml
  strategykit replay cross.py --tape tapes/20260312-091507 --models fitted.toml"""

_SHOWN: Final = 20
"""Differences that are printed; `--json` has all of them."""


def register(app: App) -> None:
    """Add the command to the program."""
    app.command(_parity, name="parity", help_epilogue=_EXAMPLES)


def _parity(
    tape: Annotated[Path, Parameter(help="folder of a recorded run whose orders went to a venue", metavar="TAPE")],
    /,
    *,
    models: Annotated[
        Path | None, Parameter(help="TOML file of fill models; default: replay's", metavar="FILE")
    ] = None,
    fit: Annotated[
        Path | None, Parameter(help="write the models that fit the run best, for `replay --models`", metavar="FILE")
    ] = None,
    compare_only: Annotated[
        bool, Parameter(negative="", show_default=False, help="fit nothing, which takes most of the time")
    ] = False,
    within_time: Annotated[
        str, Parameter(help="how much later or earlier an equal fill may come", metavar="TIME")
    ] = "100ms",
    within_price: Annotated[str, Parameter(help="how far its price may be off, in ticks", metavar="TICKS")] = "0",
    within_fee: Annotated[str, Parameter(help="how far its fee may be off, in money", metavar="MONEY")] = "0.01",
    may_differ: Annotated[
        float, Parameter(help="part of the fills that may differ, 0 to 1, for exit code 0", metavar="PART")
    ] = 0.0,
    json: Annotated[bool, Parameter(negative="", show_default=False, help="print JSON instead of tables")] = False,
) -> int:
    """Compare the fills of a recorded run with those that fill models give its orders, and fit models to it.

    The orders are sent to the models at the times at which the run sent them. Every fill that differs in time, price,
    size or fee is listed with the reason. Exit code 1: more of them differ than may.
    """
    from strategykit.parity.traded import Tolerance

    if compare_only and fit is not None:
        raise ConfigError("--compare-only fits nothing, so there is nothing for --fit to write")
    if not 0 <= may_differ <= 1:
        raise ConfigError(f"--may-differ {may_differ} should be a part: 0 to 1")
    if fit is not None and fit.is_dir():
        raise ConfigError(f"--fit {fit}: is a folder; name a TOML file to be made")
    tolerance = Tolerance(
        time=0 if within_time == "0" else parse_duration(within_time),
        ticks=_number("--within-price", within_price),
        fee=_number("--within-fee", within_fee),
    )
    from strategykit.sim.models.fill_models import DEFAULT_MODELS

    assumed = DEFAULT_MODELS if models is None else load_models(models)
    session, report, fitted = _work(tape, assumed, tolerance, compare_only=compare_only)
    better = None
    if fitted is not None:
        from strategykit.parity.comparing import compare

        better = compare(session, fitted.models, tolerance=tolerance)
        if fit is not None:
            unfinished, disk = fit.parent / f".{fit.name}.unfinished", RealDisk()
            write_file(disk, unfinished, fitted.as_toml().encode())
            disk.rename(unfinished, fit)
    if json:
        print_json(_as_json(report, fitted, better))
    else:
        _show(report, fitted, better)
        if fit is not None:
            print_line(f"models: {fit}")
    return OK if report.share <= may_differ else FAILURE


def _work(
    tape: Path, models: FillModels, tolerance: Any, *, compare_only: bool
) -> tuple[Session, ParityReport, Fit | None]:
    from strategykit.parity.comparing import compare
    from strategykit.parity.fitting import fit_models
    from strategykit.parity.reading import read_session

    with show_progress() as progress:
        began = time.monotonic()

        def showing(what: str) -> Callable[[float], None]:
            return lambda part: progress.show(time.monotonic() - began, f"{what}, {part:.0%}")

        session = read_session(str(tape), on_progress=showing("reading the tape"))
        report = compare(session, models, tolerance=tolerance)
        fitted = None if compare_only else fit_models(session, models, on_progress=showing("fitting models"))
    return session, report, fitted


def _number(flag: str, text: str) -> Decimal:
    try:
        value = Decimal(text)
    except ArithmeticError:  # What `Decimal("abc")` raises is no ValueError.
        value = Decimal("NaN")
    if not value.is_finite() or value < 0:
        raise ConfigError(f"{flag} {text!r} should be a number, 0 or more")
    return value


def _show(report: ParityReport, fitted: Fit | None, better: ParityReport | None) -> None:
    differences = report.differences
    times = [piece.time for row in differences for piece in (row.recorded, row.model) if piece is not None]
    when = when_within(min(times), max(times)) if times else str
    print_table(
        "Fills that differ (times in UTC; recorded, then the models')",
        [
            Column("order"),
            Column("side"),
            Column("time", spare=True),
            Column("fill", right=True),
            Column("time", spare=True),
            Column("fill", right=True),
            Column("differ"),
            Column("why", words=True),
        ],
        [
            (
                f"{row.order} {row.number}",
                row.side,
                *_cells(row.recorded, when),
                *_cells(row.model, when),
                ", ".join(row.fields) if row.recorded and row.model else "missing",
                row.why,
            )
            for row in differences[:_SHOWN]
        ],
    )
    if len(differences) > _SHOWN:
        print_line(f"… and {counted(len(differences) - _SHOWN, 'more difference')}; --json has them all")
    kinds: dict[str, int] = {}
    for row in differences:
        kind = row.why.partition(":")[0]
        kinds[kind] = kinds.get(kind, 0) + 1
    ranked = sorted(kinds.items(), key=lambda each: -each[1])
    print_table("Why", ["reason", Column("fills", right=True)], ranked)
    print_table(
        "Money, with what is held at the last price",
        ["currency", *(Column(title, right=True) for title in ("recorded", "models", "difference", "fees", "fees"))],
        [
            (
                one.currency,
                *(f"{each:z,.2f}" for each in (one.recorded, one.model, one.difference)),
                *(f"{each:z,.2f}" for each in (one.recorded_fees, one.model_fees)),
            )
            for one in report.money
        ],
    )
    for line in report.left_out:
        print_line(f"left out: {line}")
    if fitted is not None and better is not None:
        print_line("")
        print_line(fitted.as_toml())
        print_line(f"with these models: {_equal(better)}")
    print_line(f"parity: {_equal(report)}, of {counted(report.orders, 'order')}")


def _equal(report: ParityReport) -> str:
    return f"{report.equal} of {counted(len(report.rows), 'fill')} equal, {len(report.differences)} different"


def _cells(piece: Piece | None, when: Callable[[object], str]) -> tuple[str, str]:
    return ("", "none") if piece is None else (when(piece.time), f"{piece.quantity.normalize():f} at {piece.price}")


def _as_json(report: ParityReport, fitted: Fit | None, better: ParityReport | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "orders": report.orders,
        "equal": report.equal,
        "different": len(report.differences),
        "share_different": report.share,
        "differences": [_row(row) for row in report.differences],
        "money": [{**attrs.asdict(one), "difference": one.difference} for one in report.money],
        "latencies": attrs.asdict(report.latencies, filter=lambda field, _: field.name != "latency"),
        "left_out": list(report.left_out),
    }
    if fitted is not None and better is not None:
        trials = [] if fitted.queue is None else fitted.queue.trials
        found["fit"] = {
            "toml": fitted.as_toml(),
            "remarks": list(fitted.remarks),
            "rules": [{"rule": one.words, "partial": one.partial, "error": one.error} for one in trials],
            "equal": better.equal,
            "different": len(better.differences),
        }
    return found


def _row(row: FillRow) -> dict[str, Any]:
    return {**attrs.asdict(row), "fields": list(row.fields)}

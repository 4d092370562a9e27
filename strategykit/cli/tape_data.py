"""``strategykit tape export`` and ``tape import``: recordings as columns for others, and files of others for us."""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final

import attrs
from cyclopts import App, Parameter

from strategykit.cli._progress import Progress, show_progress
from strategykit.cli._screen import FAILURE, OK, print_json, print_line
from strategykit.cli._table import Column, print_table
from strategykit.cli._words import counted, when
from strategykit.disk import shown
from strategykit.model.bars import interval as parse_interval
from strategykit.wall import wall_time

__all__ = ["register_data"]

_EXPORT: Final = """\
Examples:
  strategykit tape export tapes/20260312-091507 --to archives/march
  strategykit tape export tapes/monday tapes/tuesday --to archives/week --json
  strategykit replay cross.py --tape archives/march --instrument SBER"""

_IMPORT: Final = """\
Examples:
  strategykit tape import T-TRADES/D-20240506/E-KRAKEN/*.csv.gz --to tapes/kraken-20240506
  strategykit tape import --from hftbacktest btcusdt_20240808.gz btcusdt_20240809.gz --to tapes/august
  strategykit tape import --from cryptofeed BINANCE.0.gz BINANCE.http.0.0.gz BINANCE.ws.1.0.gz --to tapes/session
  strategykit tape import --from lean equity/usa/minute/spy/*.zip --factors factor_files/spy.csv --to archives/spy
  strategykit tape import --from ohlcv sber.csv --symbol SBER --time-zone Europe/Moscow --to archives/sber
  strategykit tape import --from tardis binance_trades_2024-08-08_BTCUSDT.csv.gz --to archives/btc"""

_EVERY: Final = 0.2
"""Seconds between two looks of a person, at the least."""


def register_data(tape: App) -> None:
    """Add the commands to ``strategykit tape``."""
    tape.command(_export, name="export", help_epilogue=_EXPORT)
    tape.command(_import, name="import", help_epilogue=_IMPORT)


_Json = Annotated[bool, Parameter(negative="", show_default=False, help="print JSON instead of tables")]


def _export(
    *tapes: Annotated[Path, Parameter(help="folders of tapes, in the order of time", metavar="TAPE")],
    to: Annotated[Path, Parameter(help="folder of the archive to be made", metavar="PATH")],
    json: _Json = False,
) -> int:
    """Decode tapes once and for all: an archive of Parquet files, which replays faster, and which others read."""
    from strategykit.runtime.export import Told, export_tapes

    with show_progress() as progress:
        pace = _Pace(progress)

        def told(now: Told) -> None:
            pace.show(f"{now.part:.0%} {'stored' if now.storing else 'read'}, {counted(now.rows, 'event')}")

        archive = export_tapes(tapes, to, on_progress=told)
    files = [(entry, kind, files) for entry in archive.manifest.streams for kind, files in entry.files.items()]
    if json:
        rows = [
            {
                "stream": entry.stream.label,
                "kind": kind,
                "rows": sum(file.rows for file in each),
                "bytes": sum(file.bytes for file in each),
                "files": [file.path for file in each],
            }
            for entry, kind, each in files
        ]
        print_json({"archive": str(to), "rows": archive.rows, "first": archive.first, "last": archive.last, "of": rows})
        return OK
    print_table(
        str(to),
        ["stream", "kind", *(Column(name, right=True) for name in ("days", "rows", "bytes"))],
        [
            (entry.stream.label, kind, len(each), f"{sum(f.rows for f in each):,}", f"{sum(f.bytes for f in each):,}")
            for entry, kind, each in files
        ],
    )
    print_line(f"{counted(archive.rows, 'event')} from {when(archive.first)} to {when(archive.last)} (UTC)")
    return OK


def _import(
    *files: Annotated[Path, Parameter(help="files of one recording", metavar="FILE")],
    to: Annotated[Path, Parameter(help="folder of the tape or archive to be made", metavar="PATH")],
    source: Annotated[
        str, Parameter(name="--from", help="coinapi, hftbacktest, cryptofeed, tardis, lean or ohlcv", metavar="FORMAT")
    ] = "coinapi",
    symbol: Annotated[
        str | None, Parameter(help="whose data they are, where files don't tell; else the only one")
    ] = None,
    interval: Annotated[str | None, Parameter(help="ohlcv: how long a bar is, such as 1m; else its rows tell")] = None,
    time_zone: Annotated[str, Parameter(help="ohlcv: of times that don't say theirs")] = "UTC",
    adjusted: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="ohlcv: take the columns adjusted for splits and dividends"),
    ] = False,
    factors: Annotated[
        Path | None, Parameter(help="lean: factor file, to adjust prices of shares", metavar="FILE")
    ] = None,
    currency: Annotated[
        str | None, Parameter(help="archives: of prices; else what the format or the symbol says")
    ] = None,
    multiplier: Annotated[
        Decimal, Parameter(help="archives: money a contract moves by for one point of price")
    ] = Decimal(1),
    whole: Annotated[
        bool,
        Parameter(
            negative="", show_default=False, help="a last line of text without an end is whole: nothing is missing"
        ),
    ] = False,
    refuse: Annotated[int, Parameter(help="rows that may be refused; one more, and nothing is kept")] = 100,
    json: _Json = False,
) -> int:
    """Make a tape, or an archive, of files that somebody else recorded: it replays like any other.

    Each row that can't be taken is told; if there are any, the exit code is 1, though the others are kept.
    """
    from strategykit.runtime.importing import ImportPlan, import_files

    with show_progress() as progress:
        pace = _Pace(progress)
        report = import_files(
            ImportPlan(
                format=source,
                paths=files,
                to=to,
                symbol=symbol,
                interval=None if interval is None else parse_interval(interval),
                time_zone=time_zone,
                adjusted=adjusted,
                factors=factors,
                currency=currency,
                multiplier=multiplier,
                whole=whole,
                most_refused=refuse,
                now=wall_time(),
                tell=progress.tell,
                on_progress=lambda part, rows: pace.show(f"{part:.0%}, {counted(rows, 'row')}"),
            )
        )
    if json:
        print_json(attrs.asdict(report))
    else:
        print_line(f"{counted(report.messages, 'message')} from {when(report.first)} to {when(report.last)} (UTC)")
        for stream in report.streams:
            print_line(shown(stream.label))
        if report.refused:
            print_line(f"{counted(report.refused, 'row')} refused")
        print_line(f"{report.made}: {shown(to)}")
    return FAILURE if report.refused else OK


@attrs.define
class _Pace:
    """Shows progress no more often than somebody can look."""

    progress: Progress
    began: float = attrs.field(factory=time.monotonic)
    _last: float = 0.0

    def show(self, text: str) -> None:
        elapsed = time.monotonic() - self.began
        if elapsed - self._last >= _EVERY:
            self._last = elapsed
            self.progress.show(elapsed, text)

"""``strategykit tape``: what is in a recording, whether it is whole, and making whole ones of torn or foreign files."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated, Any, Final

import attrs
from cyclopts import App, Parameter

from strategykit.cli._screen import FAILURE, OK, READER_GONE, print_json, print_line, print_lines, tell
from strategykit.cli._table import Column, print_table
from strategykit.cli._words import counted, short_id, when
from strategykit.cli.tape_data import register_data
from strategykit.runtime.recordings import MANIFEST
from strategykit.tape.info import TapeInfo, tape_info
from strategykit.tape.lines import tape_lines
from strategykit.tape.reader import open_tape
from strategykit.tape.recover import recover_tape
from strategykit.tape.verify import verify_tape
from strategykit.venues.streams import stream_label

__all__ = ["register"]

_EXAMPLES: Final = """\
Examples:
  strategykit tape info tapes/20260312-091507
  strategykit tape verify tapes/20260312-091507 --json
  strategykit tape cat tapes/20260312-091507 | head
  strategykit tape recover tapes/20260312-091507
  strategykit tape export tapes/20260312-091507 --to archives/march
  strategykit tape import T-TRADES/D-20240506/E-KRAKEN/*.csv.gz --to tapes/kraken-20240506"""

_Path = Annotated[Path, Parameter(help="folder of a tape, or one of its segments", metavar="PATH")]
_Json = Annotated[bool, Parameter(negative="", show_default=False, help="print JSON instead of tables")]


def register(app: App) -> None:
    """Add the command to the program."""
    tape = App(name="tape", help="Look into a recording, or seal one whose writer was killed.", help_epilogue=_EXAMPLES)
    tape.command(_info, name="info", help_epilogue=_EXAMPLES)
    tape.command(_verify, name="verify", help_epilogue=_EXAMPLES)
    tape.command(_cat, name="cat", help_epilogue=_EXAMPLES)
    tape.command(_recover, name="recover", help_epilogue=_EXAMPLES)
    register_data(tape)
    app.command(tape)


def _info(path: _Path, /, *, json: _Json = False) -> int:
    """Say what a tape holds."""
    info = tape_info(path)
    if json:
        value = attrs.asdict(info)
        value["torn"] = None if info.torn is None else str(info.torn)
        for row, connection in zip(value["connections"], info.connections, strict=True):
            row["reconnects"] = connection.reconnects
        print_json(value)
    else:
        _show(path, info)
    return OK


def _show(path: Path, info: TapeInfo) -> None:
    header = info.header
    length = 0.0 if info.first_time is None or info.last_time is None else (info.last_time - info.first_time) / 1e9
    state = (
        "sealed" if info.sealed else "not sealed: it is still written, or its writer was killed (then: tape recover)"
    )
    rows = [
        ("venue", header.venue),
        ("recorded", when(header.created)),
        ("from, to", f"{when(info.first_time)} to {when(info.last_time)}, {length:.1f} s"),
        ("by", f"strategykit {header.strategykit_version}, Python {header.python_version}"),
        ("seed", header.seed),
        ("size", f"{counted(info.segments, 'segment')}, {counted(info.file_bytes, 'byte')}"),
        ("state", state if info.torn is None else f"{state}; {info.torn}"),
        ("records", ", ".join(f"{count:,} {kind}" for kind, count in info.records.items())),
        ("commands", info.commands),
    ]
    print_table(str(path), ["what", Column("value", words=True)], rows)
    print_table(
        "Connections",
        ["connection", *(Column(name, right=True) for name in ("frames\nin", "frames\nout", "bytes", "reconnects"))],
        [(c.name, f"{c.frames_in:,}", f"{c.frames_out:,}", f"{c.bytes:,}", c.reconnects) for c in info.connections],
    )
    print_table(
        "Subscriptions",
        [Column("guid", shorten=short_id), "stream", "connection"],
        [(row.get("guid"), _stream(row.get("stream")), row.get("connection")) for row in info.subscriptions],
    )
    print_table(
        "Gaps (times in UTC)",
        [Column("guid", shorten=short_id), "from", "until", Column("reason", words=True)],
        [(gap.guid, when(gap.since), when(gap.until), gap.reason) for gap in info.gaps],
    )


def _stream(facts: Any) -> str:
    if not isinstance(facts, dict):
        return str(facts)
    of, interval = facts.get("instrument") or facts.get("account"), facts.get("interval")
    return stream_label(str(facts.get("kind", "")), None if of is None else str(of), _whole_number(interval))


def _whole_number(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _verify(path: _Path, /, *, json: _Json = False) -> int:
    """Check a tape, or an archive, to its last byte; exit code 1 if something of it is missing."""
    if (path / MANIFEST).is_file():
        return _verify_archive(path, json=json)
    report = verify_tape(path)
    if json:
        print_json({"ok": report.ok, **attrs.asdict(report)})
        return OK if report.ok else FAILURE
    for finding in report.findings:
        print_line(f"{'damage' if finding.damage else 'note'}: {finding.words}")
    size = f"{counted(report.records, 'record')} in {counted(report.segments, 'segment')}"
    print_line(f"{'whole' if report.ok else 'damaged'}: {size}")
    return OK if report.ok else FAILURE


def _verify_archive(path: Path, *, json: bool) -> int:
    from strategykit.archive.reader import Archive  # It needs libraries that tapes don't.

    archive = Archive.open(path)
    archive.verify()
    streams = archive.manifest.streams
    rows = sum(entry.rows for entry in streams)
    files = sum(len(each) for entry in streams for each in entry.files.values())
    if json:
        print_json({"ok": True, "files": files, "rows": rows})
    else:
        print_line(f"whole: {counted(rows, 'row')} in {counted(files, 'file')}")
    return OK


def _cat(path: _Path, /, *, json: _Json = False) -> int:  # noqa: ARG001 - the lines are JSON in any case
    """Print every record as one line of JSON."""
    tape = open_tape(path)
    lines = (json_module.dumps(line, ensure_ascii=False, separators=(",", ":")) for line in tape_lines(tape))
    if not print_lines(lines):
        return READER_GONE
    if tape.torn is not None:
        tell(str(tape.torn))
    return OK


def _recover(
    path: Annotated[Path, Parameter(help="folder of a tape", metavar="PATH")], /, *, json: _Json = False
) -> int:
    """Seal a tape whose writer was killed: what was cut off in the middle is put aside, the rest stays as it is."""
    recovery = recover_tape(path)
    if json:
        print_json({"recovered": False} if recovery is None else {"recovered": True, **attrs.asdict(recovery)})
    elif recovery is None:
        print_line(f"{path} is sealed; there is nothing to recover")
    else:
        if recovery.aside is not None:
            print_line(f"put aside in {recovery.aside}: {counted(recovery.cut, 'byte')} that were no whole record")
        print_line(f"sealed: {recovery.segment}")
    return OK

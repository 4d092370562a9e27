"""``strategykit tape``: what is in a recording, whether it is whole, and all of it as lines."""

from __future__ import annotations

import json as json_module
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import attrs
from cyclopts import App, Parameter

from strategykit.cli._screen import FAILURE, OK, print_json, print_line, print_table
from strategykit.tape.info import TapeInfo, tape_info
from strategykit.tape.lines import tape_lines
from strategykit.tape.verify import verify_tape

__all__ = ["register", "when"]

_EXAMPLES: Final = """\
Examples:
  strategykit tape info tapes/20260312-091507
  strategykit tape verify tapes/20260312-091507 --json
  strategykit tape cat tapes/20260312-091507 | head"""

_Path = Annotated[Path, Parameter(help="folder of a tape, or one of its segments", metavar="PATH")]
_Json = Annotated[bool, Parameter(negative="", show_default=False, help="print JSON instead of tables")]


def register(app: App) -> None:
    """Add the command to the program."""
    tape = App(name="tape", help="Look into a recording.", help_epilogue=_EXAMPLES)
    tape.command(_info, name="info", help_epilogue=_EXAMPLES)
    tape.command(_verify, name="verify", help_epilogue=_EXAMPLES)
    tape.command(_cat, name="cat", help_epilogue=_EXAMPLES)
    app.command(tape)


def when(time: object) -> str:
    """Write nanoseconds UTC for people."""
    if not isinstance(time, int):
        return ""
    seconds, rest = divmod(time, 10**9)
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{rest // 10**6:03d}"
    except (OverflowError, ValueError, OSError):  # A damaged or invented time: still better than nothing.
        return f"{time} ns"


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
    state = "sealed" if info.sealed else "not sealed: it is still written, or its writer was killed"
    rows = [
        ("venue", header.venue),
        ("recorded", when(header.created)),
        ("from, to", f"{when(info.first_time)} to {when(info.last_time)}, {length:.1f} s"),
        ("by", f"strategykit {header.strategykit_version}, Python {header.python_version}"),
        ("seed", header.seed),
        ("size", f"{info.segments} segments, {info.file_bytes:,} bytes"),
        ("state", state if info.torn is None else f"{state}; {info.torn}"),
        ("records", ", ".join(f"{count:,} {kind}" for kind, count in info.records.items())),
        ("commands", info.commands),
    ]
    print_table(str(path), ["what", "value"], rows)
    print_table(
        "Connections",
        ["connection", "#frames in", "#frames out", "#bytes", "#reconnects"],
        [(c.name, f"{c.frames_in:,}", f"{c.frames_out:,}", f"{c.bytes:,}", c.reconnects) for c in info.connections],
    )
    if info.subscriptions:
        print_table(
            "Subscriptions",
            ["guid", "stream", "connection"],
            [(row.get("guid"), _stream(row.get("stream")), row.get("connection")) for row in info.subscriptions],
        )
    if info.gaps:
        print_table(
            "Gaps",
            ["guid", "from", "until", "reason"],
            [(gap.guid, when(gap.since), when(gap.until), gap.reason) for gap in info.gaps],
        )


def _stream(facts: Any) -> str:
    if not isinstance(facts, dict):
        return str(facts)
    parts = [facts.get("kind"), facts.get("instrument") or facts.get("account")]
    interval = facts.get("interval")
    if isinstance(interval, int):
        parts.append(f"{interval / 1e9:g}s")
    return " ".join(str(part) for part in parts if part)


def _verify(path: _Path, /, *, json: _Json = False) -> int:
    """Check a tape to its last byte; exit code 1 if something of it is missing."""
    report = verify_tape(path)
    if json:
        print_json({"ok": report.ok, **attrs.asdict(report)})
        return OK if report.ok else FAILURE
    for finding in report.findings:
        print_line(f"{'damage' if finding.damage else 'note'}: {finding.words}")
    print_line(f"{'whole' if report.ok else 'damaged'}: {report.records:,} records in {report.segments} segments")
    return OK if report.ok else FAILURE


def _cat(path: _Path, /, *, json: _Json = False) -> int:  # noqa: ARG001 - the lines are JSON in any case
    """Print every record as one line of JSON."""
    for line in tape_lines(path):
        print_line(json_module.dumps(line, ensure_ascii=False, separators=(",", ":")))
    return OK

"""All benchmarks, each in a process of its own: `python -m benchmarks`."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Final

from benchmarks.figures import Figure, Incomplete, misses

__all__ = ["find_benchmarks", "main"]

_HERE: Final = Path(__file__).parent

_EXAMPLES: Final = """\
examples:
  python -m benchmarks                       all of them, some minutes
  python -m benchmarks frames replay         two of them; what build/bench.json has of the others stays there
  python -m benchmarks --scale 0.1 decode    a tenth of the usual size: quick, and noisy
  python -m benchmarks --json figures.json   the figures go there, not to build/bench.json

Ratios are taken within one run, so that they can be compared between machines; absolute figures can't.
It ends with 1 if a ratio misses what it must be by more than half, a benchmark couldn't be run, or an engine that it
is run beside can't be installed here; the figures that don't need that engine are there all the same."""


def find_benchmarks() -> list[str]:
    """Give their names: those of the files `bench_NAME.py` beside this one."""
    return sorted(path.stem.removeprefix("bench_") for path in _HERE.glob("bench_*.py"))


def _run_here(name: str, scale: float, path: Path) -> None:
    missing: list[str] = []
    try:
        figures = import_module(f"benchmarks.bench_{name}").main(scale)
    except Incomplete as exc:
        figures, missing = exc.figures, exc.reasons
    path.write_text(json.dumps([figures, missing]), encoding="utf-8")


def _run_apart(name: str, scale: float) -> tuple[dict[str, Figure], list[str]]:
    """Run one in a fresh process, which prints what it likes; give its figures, and what is missing of them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figures.json"
        command = [sys.executable, "-m", "benchmarks", name, "--scale", str(scale), "--here", str(path)]
        if subprocess.run(command, check=False).returncode:
            return {}, [f"{name} couldn't be run"]
        figures, missing = json.loads(path.read_text(encoding="utf-8"))
        return figures, [f"{name}: {reason}" for reason in missing]


def _print_table(figures: dict[str, Figure]) -> None:
    head = ("what", "figure", "ratio", "must", "goal", "better")
    rows = [
        (
            item.get("what", name),
            item.get("figure", ""),
            f"{item['ratio']:.2f}",
            f"{item['must']:g}",
            f"{item['goal']:g}",
            item["better"],
        )
        for name, item in figures.items()
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    print()
    for row in (head, tuple("-" * width for width in widths), *rows):
        cells = [
            f"{text:<{width}}" if place < 2 else f"{text:>{width}}"
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def _keep(figures: dict[str, Figure], path: Path, *, whole: bool) -> None:
    """Write figures for programs; where not all benchmarks were run, those that are there already stay."""
    before: dict[str, object] = {}
    if not whole and path.exists():
        try:
            before = dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError):
            print(f"{path} can't be read, and is made anew", file=sys.stderr)
    kept = {
        name: {"ratio": item["ratio"], "must": item["must"], "goal": item["goal"], "better": item["better"]}
        for name, item in figures.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(before | kept, indent=2) + "\n", encoding="utf-8")


def main() -> int:
    """Run what the command line asks for; 1 if something is far too slow, or couldn't be run."""
    known = find_benchmarks()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure this framework's speed, beside a peer or the least that Python could do, in the same run.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which (default: all): {', '.join(known)}")
    parser.add_argument(
        "--json", type=Path, default=Path("build/bench.json"), help="where the figures go (%(default)s)"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="part of the usual size (%(default)g)")
    parser.add_argument("--here", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    for name in asked.names:
        if name not in known:
            parser.error(f"there is no benchmark {name!r}; there are {', '.join(known)}")
    if not 0 < asked.scale <= 100:
        parser.error(f"--scale {asked.scale:g} should be above 0 and at most 100")
    if asked.here is not None:
        _run_here(asked.names[0], asked.scale, asked.here)
        return 0
    names = list(dict.fromkeys(asked.names)) or known
    figures: dict[str, Figure] = {}
    failed: list[str] = []
    for place, name in enumerate(names, 1):
        print(f"[{place}/{len(names)}] {name}", flush=True)
        began = time.monotonic()
        found, missing = _run_apart(name, asked.scale)
        print(f"  {'incomplete' if missing else 'done'} after {time.monotonic() - began:.0f} s", flush=True)
        failed += missing
        figures |= found
    _print_table(figures)
    _keep(figures, asked.json, whole=set(names) == set(known))
    print(f"\nThe figures are in {asked.json}.")
    failed += [
        f"{name} is {item['ratio']:.2f}, and must be {item['must']:g}" for name, item in figures.items() if misses(item)
    ]
    for line in failed:
        print(f"FAILED: {line}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Planted defects: `make defects [ONLY=name]` breaks one line at a time and sees whether a test notices.

The list is `tests/chaos/defects.toml`. The tree is copied once for each of a few workers; there, one defect after the
other is put in, the tests that ought to notice are run, and the defect is taken out again. A defect counts as caught
when one of its tests fails. One whose tests pass, can't be collected or don't come to an end wasn't caught: a test
that hangs says nothing about why. Before that, all these tests have to pass on the copy as it is.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import trio

__all__ = ["LIST", "PAGE", "ROOT", "Defect", "Verdict", "find_faults", "make_page", "names_on_page", "read_list"]

ROOT: Final = Path(__file__).parents[1]
LIST: Final = "tests/chaos/defects.toml"
PAGE: Final = "docs/defects.md"

WITHIN: Final = 180.0
"""Seconds for the tests of one defect."""

_PYTEST: Final = ("-m", "pytest", "-x", "-q", "--tb=line", "-rfE", "-p", "no:cacheprovider", "--hypothesis-seed=0")
"""The same examples in each run: what was caught once is caught again."""

_FAILED: Final = re.compile(r"^(?:FAILED|ERROR) (\S+::\w+)", re.MULTILINE)
_ROW: Final = re.compile(r"^\| `([a-z0-9-]+)` \|", re.MULTILINE)


@attrs.frozen(kw_only=True)
class Defect:
    """One change of the code that some test has to notice."""

    name: str
    file: str
    """From the project's folder."""
    old: str
    """What stands there, exactly once."""
    new: str
    stands_for: str
    """What goes wrong with it, for people."""
    tests: tuple[str, ...]
    """Node ids, quickest first."""


@attrs.frozen
class Verdict:
    """What the tests said of a defect."""

    by: str
    """The test that noticed; empty if none did."""
    words: str
    """Why none did."""
    seconds: float


def read_list(root: Path = ROOT) -> list[Defect]:
    """Read the list of defects."""
    rows = tomllib.loads((root / LIST).read_text(encoding="utf-8"))["defect"]
    return [Defect(**{**row, "tests": tuple(row["tests"])}) for row in rows]


def find_faults(defects: Iterable[Defect], root: Path = ROOT) -> list[str]:
    """Say what is wrong with the list: names that stand twice, lines that changed, tests that are gone."""
    found: list[str] = []
    known = list(defects)
    found += [f"{name}: stands twice" for name, count in Counter(item.name for item in known).items() if count > 1]
    tests: dict[str, set[str]] = {}
    for item in known:
        path = root / item.file
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        if (times := text.count(item.old)) != 1:
            found.append(f"{item.name}: its old text is {times} times in {item.file}, not once")
        elif item.old == item.new:
            found.append(f"{item.name}: changes nothing")
        else:
            try:
                ast.parse(text.replace(item.old, item.new))
            except SyntaxError as exc:
                found.append(f"{item.name}: makes no Python: {exc}")
        if not item.tests:
            found.append(f"{item.name}: names no test")
        for test in item.tests:
            file, _, function = test.partition("::")
            if file not in tests:
                tests[file] = _functions(root / file)
            if function not in tests[file]:
                found.append(f"{item.name}: there is no {test}")
    return found


def _functions(path: Path) -> set[str]:
    if not path.is_file():
        return set()
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return {node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def make_page(defects: Sequence[Defect], caught: Mapping[str, str]) -> str:
    """Make the page that says which test caught which defect; `caught` gives the tests by the defects' names."""
    rows = []
    for item in defects:
        file = item.file.removeprefix("strategykit/")
        test = caught[item.name].removeprefix("tests/").replace("::", " ")
        rows.append(f"| `{item.name}` | {item.stands_for} | `{file}` | `{test}` |")
    return _PAGE.format(count=len(defects), rows="\n".join(rows))


def names_on_page(page: str) -> list[str]:
    """Give the names of the defects that a page tells of."""
    return _ROW.findall(page)


_PAGE: Final = """# Planted defects

A suite that passes proves little unless it fails when it should. `tests/chaos/defects.toml` holds {count} small changes
of the code, each a mistake that has cost somebody money or could: a subscription that isn't restored, an order that is
sent again, a fill that counts twice, a record that is reported as safe before it is.

```console
$ make defects
```

tries all of them, with `ONLY=jitter` those whose name has that in it, and ends with `defects: C of P caught`; the exit
code is 0 if that is all of them.

Each is put into a copy of the tree, the tests below are run there, and one of them has to fail. A test that doesn't
end, or can't even be collected, catches nothing. The list can't rot: a test of the suite fails when a line that it
changes, or a test that it names, isn't there any more. `python -m benchmarks.defects --write-table` makes this page
after all have been tried.

| defect | what goes wrong | in | caught by |
|---|---|---|---|
{rows}
"""


class _Copy:
    """One copy of the tree, in which one defect at a time is planted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stamp = 0

    def write(self, path: Path, text: str) -> None:
        path.write_text(text, encoding="utf-8")
        # Compiled files are told apart by size and second: each writing gets a second of its own.
        self._stamp += 2
        time = path.stat().st_mtime_ns + self._stamp * 10**9
        os.utime(path, ns=(time, time))

    async def test(self, tests: Sequence[str], within: float) -> tuple[int | None, str]:
        """Run tests; give pytest's exit code, None if they didn't end, and what it printed."""
        environment = {**os.environ, "PYTHONPATH": str(self.folder)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        output = b""
        async with trio.open_nursery() as nursery:
            process: trio.Process = await nursery.start(
                partial(
                    trio.run_process,
                    [sys.executable, *_PYTEST, *tests],
                    cwd=self.folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    check=False,
                    start_new_session=True,  # So that what tests have started can be ended with them.
                    deliver_cancel=_end_group,
                )
            )
            assert process.stdout is not None
            with trio.move_on_after(within) as scope:
                async for piece in process.stdout:
                    output += piece
                await process.wait()
            if scope.cancelled_caught:
                nursery.cancel_scope.cancel()
        return None if scope.cancelled_caught else process.returncode, output.decode(errors="replace")

    async def judge(self, defect: Defect) -> Verdict:
        path = self.folder / defect.file
        text = path.read_text(encoding="utf-8")
        begun = trio.current_time()
        self.write(path, text.replace(defect.old, defect.new))
        try:
            code, output = await self.test(defect.tests, WITHIN)
        finally:
            self.write(path, text)
        seconds = trio.current_time() - begun
        if code is None:
            return Verdict("", f"its tests didn't end within {WITHIN:g} s", seconds)
        if code == 0:
            return Verdict("", "all its tests pass", seconds)
        failed = _FAILED.search(output)
        if code != 1 or failed is None:
            return Verdict("", f"pytest ended with exit code {code}: {output[-2000:]}", seconds)
        return Verdict(failed[1], "", seconds)


async def _end_group(process: trio.Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await trio.lowlevel.checkpoint()


def copy_tree(root: Path, folder: Path) -> None:
    """Copy what belongs to the project, as it stands, to `folder`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        check=True,
        capture_output=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        source, target = root / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


async def try_all(defects: Sequence[Defect], *, workers: int) -> dict[str, Verdict]:
    """Try `defects`, each in a copy of the tree, and tell of each.

    Raises:
        SystemExit: The tests don't pass on the tree as it is.
    """
    with tempfile.TemporaryDirectory(prefix="defects-") as folder:
        copies = [_Copy(Path(folder) / str(number)) for number in range(min(workers, len(defects)))]
        for copy in copies:
            copy_tree(ROOT, copy.folder)
        if faults := find_faults(defects, copies[0].folder):  # Somebody may be at work on the tree.
            raise SystemExit("\n".join(faults))
        tests = list(dict.fromkeys(test for item in defects for test in item.tests))
        print(f"{len(tests)} tests that have to pass without a defect", flush=True)
        code, output = await copies[0].test(tests, WITHIN * len(defects))
        if code != 0:
            raise SystemExit(f"they don't:\n{output[-4000:]}")
        verdicts: dict[str, Verdict] = {}
        waiting = list(reversed(defects))

        async def work(copy: _Copy) -> None:
            while waiting:
                defect = waiting.pop()
                verdict = verdicts[defect.name] = await copy.judge(defect)
                how = f"caught by {verdict.by}" if verdict.by else f"NOT CAUGHT: {verdict.words}"
                print(f"[{len(verdicts)}/{len(defects)}] {defect.name}: {how} ({verdict.seconds:.1f} s)", flush=True)

        async with trio.open_nursery() as nursery:
            for copy in copies:
                nursery.start_soon(work, copy)
    return verdicts


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.defects")
    parser.add_argument("--only", default="", help="those whose name has this in it")
    parser.add_argument("--workers", type=int, default=2, help="defects tried at a time")
    parser.add_argument("--write-table", action="store_true", help=f"write {PAGE}, if all were caught")
    options = parser.parse_args()
    defects = [item for item in read_list() if options.only in item.name]
    if not defects:
        raise SystemExit(f"no defect has {options.only!r} in its name")
    if faults := find_faults(defects):
        raise SystemExit("\n".join(faults))
    verdicts = trio.run(partial(try_all, defects, workers=options.workers))
    caught = {name: verdict.by for name, verdict in verdicts.items() if verdict.by}
    width = max(map(len, verdicts))
    print()
    for item in defects:
        print(f"{item.name:{width}}  {caught.get(item.name, 'NOT CAUGHT')}")
    print(f"defects: {len(caught)} of {len(defects)} caught")
    if len(caught) < len(defects):
        raise SystemExit(1)
    if options.write_table and not options.only:
        (ROOT / PAGE).write_text(make_page(defects, caught), encoding="utf-8")


if __name__ == "__main__":
    main()

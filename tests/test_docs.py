"""Every block of code in the README and in docs/ is carried out, page by page, as a reader would.

How pages are written, so that they can be:

* ``python`` blocks run in order in one namespace. One whose first line is ``# name.py`` is saved under that name, too:
  a strategy is loaded as the program loads it, a test waits for the ``$ pytest`` that runs it.
* ``toml`` blocks are session files; the first line names the file. Each has to load.
* ``console`` blocks are typed: each line that starts with ``$ `` has to exit with 0, and what is shown below it has to
  be found in what it prints, line by line, in order. Numbers stand for any number, ``…`` for any text, and the
  rules of tables may have other lengths. A venue (``strategykit sim``) goes on until the page ends; with `` &`` at the
  end of a line anything goes on until ``$ wait``.
* ``json`` blocks have to be JSON. ``mermaid`` blocks, and those without a language, are drawings; they may hold no
  commands.

Altered are only times and places: port 8900 is a free one, tapes are called by the names that they got, and nothing
runs for longer than `LONGEST` seconds. ``$ make`` only has to name a target of the Makefile.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from strategykit.config import load_session
from strategykit.model.orders import TRANSITIONS, Evidence, OrderState
from strategykit.model.risk_limits import ACCOUNT_LIMITS, LIMIT_WORDS, STRATEGY_LIMITS
from strategykit.runtime.load import load_strategy

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LANGUAGES: Final = ("python", "toml", "console", "json", "mermaid", "")
LONGEST: Final = 1.5
"""Seconds: pages say ``--for 2m``, and nobody waits for that here."""
WITHIN: Final = 60.0
"""Seconds for one command on a machine that does other things, too."""

_FENCE: Final = re.compile(r"^```([a-z]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@attrs.frozen
class Block:
    """One fenced block of a page."""

    language: str
    text: str
    line: int
    """Of the page, at which the text begins."""

    @property
    def file(self) -> str | None:
        """The name in the first line's comment, if it is one."""
        found = re.match(r"# ([a-z_]+\.(?:py|toml))\n", self.text)
        return found[1] if found else None


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [Block(match[1], match[2], text.count("\n", 0, match.start()) + 2) for match in _FENCE.finditer(text)]


def commands_of(block: Block) -> Iterator[tuple[str, list[str]]]:
    """Give each command with the lines shown below it; a backslash at the end goes on in the next line."""
    command, shown = "", list[str]()
    lines = iter(block.text.splitlines())
    for line in lines:
        if line.startswith("$ "):
            if command:
                yield command, shown
            command, shown = line.removeprefix("$ "), []
            while command.endswith("\\"):
                command = command.removesuffix("\\") + next(lines).strip()
        elif line.strip():
            shown.append(line)
    if command:
        yield command, shown


def shortened(text: str) -> str:
    """Cap every ``--for`` and every ``for = "…"`` at `LONGEST`."""

    def cap(match: re.Match[str]) -> str:
        parts = re.findall(r"([0-9.]+)(ms|[smh])", match[2])
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
        return f"{match[1]}{min(seconds, LONGEST):g}s"

    return re.sub(r'(--for |^for = ")([0-9.hms]+)', cap, text, flags=re.MULTILINE)


def pattern_of(shown: str) -> re.Pattern[str]:
    """Give what a shown line has to look like."""
    parts = []
    for piece in re.split(r"(…|[━─]+|[+-]?[0-9][0-9.,:]*|\s+)", " ".join(shown.split())):
        if not piece:
            continue
        if piece == "…":
            parts.append(r".*")
        elif piece[0] in "━─":
            parts.append(r"[━─]+")
        elif piece.isspace():
            parts.append(r"\s*")
        elif re.fullmatch(r"[+-]?[0-9][0-9.,:]*", piece):
            parts.append(r"[+-]?[0-9][0-9.,:]*")
        else:
            parts.append(re.escape(piece))
    return re.compile("".join(parts))


def missing(shown: list[str], output: str) -> str | None:
    """Give the first shown line that isn't found below the ones before it."""
    lines = iter(output.replace("┃", "│").splitlines())
    for line in shown:
        if line.strip() != "…" and not any(pattern_of(line).search(" ".join(given.split())) for given in lines):
            return line
    return None


@attrs.define
class Reader:
    """Someone who does what a page says, in an empty folder."""

    page: Path
    folder: Path
    stack: ExitStack
    port: int
    names: dict[str, Any] = attrs.field(factory=dict)
    background: list[tuple[subprocess.Popen[bytes], Path, str, list[str]]] = attrs.field(factory=list)

    def follow(self) -> None:
        for block in blocks_of(self.page):
            getattr(self, f"_{block.language or 'drawing'}")(block)
        assert not self.background, "a page that starts something with & says `$ wait`"

    def _drawing(self, block: Block) -> None:
        assert "\n$ " not in f"\n{block.text}", f"{self.page.name}:{block.line}: name its language"

    _mermaid = _drawing

    def _json(self, block: Block) -> None:
        json.loads(block.text)

    def _toml(self, block: Block) -> None:
        assert block.file is not None, f"{self.page.name}:{block.line}: its first line names no file"
        path = self.folder / block.file
        path.write_text(self._here(block.text), encoding="utf-8")
        load_session(path)

    def _python(self, block: Block) -> None:
        text = self._here(block.text)
        if block.file is not None:
            path = self.folder / block.file
            path.write_text(text, encoding="utf-8")
            if not block.file.startswith("test_"):
                cls = load_strategy(str(path))
                self.names[cls.__name__] = cls
            return
        # Padded, so that a traceback shows the page's own line.
        code = compile("\n" * (block.line - 1) + text, str(self.page), "exec")
        exec(code, self.names)

    def _console(self, block: Block) -> None:
        for command, shown in commands_of(block):
            self._type(self._here(command), shown, f"{self.page.name}:{block.line}: $ {command}")

    def _type(self, command: str, shown: list[str], where: str) -> None:
        if command.startswith("make "):
            assert re.search(rf"^{command.removeprefix('make ')}:", (ROOT / "Makefile").read_text(), re.MULTILINE), (
                where
            )
        elif command.startswith("strategykit sim "):
            self._serve(command, shown, where)
        elif command.endswith(" &"):
            output = self.folder / f".background-{len(self.background)}"
            process = self._start(command.removesuffix(" &"), output)
            self.background.append((process, output, where, shown))
        elif command == "wait":
            for process, output, begun, stated in self.background:
                self._check(process.wait(WITHIN), output.read_text(), [*stated, *shown], begun)
            self.background.clear()
        else:
            output = self.folder / ".output"
            self._check(self._start(command, output).wait(WITHIN), output.read_text(), shown, where)

    def _check(self, code: int, output: str, shown: list[str], where: str) -> None:
        assert code == 0, f"{where}\nexit code {code}\n{output}"
        line = missing(shown, output)
        assert line is None, f"{where}\nisn't in the output: {line}\n{output}"

    def _start(self, command: str, output: Path) -> subprocess.Popen[bytes]:
        path = f"{self.folder / '.bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        with output.open("wb") as file:
            process = subprocess.Popen(
                ["bash", "-o", "pipefail", "-c", f"exec {command}" if "|" not in command else command],
                cwd=self.folder,
                env={**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        self.stack.callback(end, process)
        return process

    def _serve(self, command: str, shown: list[str], where: str) -> None:
        output = self.folder / ".venue"
        process = self._start(command, output)
        begin = time.monotonic()
        while not listens(self.port):
            assert process.poll() is None, f"{where}\nended: {output.read_text()}"
            assert time.monotonic() - begin < WITHIN, f"{where}\nnobody listens: {output.read_text()}"
            time.sleep(0.05)  # Another process: there is nothing to be told by.
        while (line := missing(shown, output.read_text())) is not None:  # It prints once it listens.
            assert time.monotonic() - begin < WITHIN, f"{where}\nisn't in the output: {line}\n{output.read_text()}"
            time.sleep(0.05)

    def _here(self, text: str) -> str:
        """Put the port, the tapes and the times of this run in place of the page's."""
        return shortened(re.sub(r"tapes/[0-9-]+-([a-z_+-]+)", self._tape, text.replace("8900", str(self.port))))

    def _tape(self, match: re.Match[str]) -> str:
        made = sorted(
            path for path in self.folder.glob("tapes/*") if re.fullmatch(rf"[0-9-]+-{re.escape(match[1])}", path.name)
        )
        assert made, (
            f"{self.page.name} names {match[0]}; there is {[path.name for path in self.folder.glob('tapes/*')]}"
        )
        return f"tapes/{made[-1].name}"


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()  # SIGINT is ignored by children of a suite that was started in the background.
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def reader(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Reader]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    programs = tmp_path / ".bin"
    programs.mkdir()
    for name, module in (("strategykit", "strategykit"), ("pytest", "pytest -p no:cacheprovider")):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
    with ExitStack() as stack:
        yield Reader(request.param, tmp_path, stack, port)


@pytest.mark.slow
@pytest.mark.parametrize("reader", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix(), indirect=True)
def test_what_a_page_says_can_be_done(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(reader.folder)
    reader.follow()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_block_names_a_language_that_is_carried_out(page: Path) -> None:
    text = page.read_text(encoding="utf-8")

    assert text.count("```") == 2 * len(blocks_of(page)), "a fence that isn't closed, or indented"
    assert {block.language for block in blocks_of(page)} <= set(LANGUAGES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith("https://"):
            assert (page.parent / target.partition("#")[0]).exists(), f"{page.name}: {target}"


def test_the_table_of_order_states_is_the_programs() -> None:
    """The page shows, a line a state and where it can go, what `TRANSITIONS` says; nothing more, nothing less."""
    page = (ROOT / "docs" / "orders.md").read_text(encoding="utf-8")

    assert order_table() in page, f"docs/orders.md should hold:\n\n{order_table()}"


def test_the_drawing_of_order_states_is_the_programs() -> None:
    page = (ROOT / "docs" / "orders.md").read_text(encoding="utf-8")
    lines = []
    for state in OrderState:
        for then in OrderState:
            found = [item.value for item in Evidence if TRANSITIONS.get((state, item)) is then is not state]
            lines += [f"    {state.value} --> {then.value}: {', '.join(found)}"] if found else []
    ends = [f"    {state.value} --> [*]" for state in OrderState if state.terminal]
    drawing = "\n".join(["```mermaid", "stateDiagram-v2", "    [*] --> intent", *lines, *ends, "```"])

    assert drawing in page, f"docs/orders.md should have\n{drawing}"


def test_the_table_of_limits_is_the_programs() -> None:
    page = (ROOT / "docs" / "orders.md").read_text(encoding="utf-8")

    assert limits_table() in page, f"docs/orders.md should hold:\n\n{limits_table()}"


def limits_table() -> str:
    """Give the risk limits as Markdown, with what they are where nobody says otherwise."""
    rows = ["| limit | a strategy | the account | means |", "|---|---:|---:|---|"]
    known = [dict(limits.items()) for limits in (STRATEGY_LIMITS, ACCOUNT_LIMITS)]
    for name, words in LIMIT_WORDS.items():
        values = [f'"{int(it[name]) / 1e9:g}s"' if name == "repeat_window" else f"{it[name]:,}" for it in known]
        rows.append(f"| `{name}` | {values[0]} | {values[1]} | {words} |")
    return "\n".join(rows)


def order_table() -> str:
    """Give the state table as Markdown: what happens down the side, the state it happens in across the top."""
    states = list(OrderState)
    rows = [f"| | {' | '.join(state.value for state in states)} |", "|---|" + "---|" * len(states)]
    for item in Evidence:
        ends = [(state, TRANSITIONS.get((state, item))) for state in states]
        cells = ["" if end is None else "=" if end is state else f"**{end.value}**" for state, end in ends]
        rows.append(f"| {item.value} | {' | '.join(cells)} |")
    return "\n".join(rows)


@pytest.mark.parametrize(
    ("shown", "output", "lacking"),
    [
        (["re-run: 20 of 20 equal"], "re-run: 7 of 7 equal\n", None),
        (["│ cross │ ended │ …"], "┃ cross    ┃ ended ┃  3 ┃\n", None),
        (["│ cross │ ended │ …"], "│ cross    │ failed │  3 │\n", "│ cross │ ended │ …"),
        (["first", "second"], "second\nfirst\n", "second"),
        (["tape: tapes/20261121-102042-980-cross"], "tape: tapes/20270101-000000-001-cross\n", None),
        (
            ["tape: tapes/20261121-102042-980-cross"],
            "tape: tapes/20270101-000000-001-maker\n",
            "tape: tapes/20261121-102042-980-cross",
        ),
    ],
)
def test_shown_output_matches_but_for_numbers_and_widths(shown: list[str], output: str, lacking: str | None) -> None:
    assert missing(shown, output) == lacking


def test_times_are_capped_and_nothing_else_is() -> None:
    assert (
        shortened('run x.py --for 1h30m --latency 50ms\nfor = "8h"\n')
        == 'run x.py --for 1.5s --latency 50ms\nfor = "1.5s"\n'
    )

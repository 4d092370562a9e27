"""Reading a strategy's source for what would make a replay differ: other clocks than the run's, unseeded randomness."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Final

import attrs

__all__ = ["Remark", "read_source"]

_CLOCK: Final = "reads the wall clock; use self.now(), which is the tape's time in a replay"
_SLEEP: Final = "blocks the whole program; use await trio.sleep(…)"
_RANDOM: Final = "draws unseeded randomness; use self.random, which repeats in a re-run"

_NAMES: Final[Mapping[str, str]] = {
    **{f"time.{name}": _CLOCK for name in ("time", "time_ns", "monotonic", "monotonic_ns", "localtime", "gmtime")},
    **{f"time.{name}": _CLOCK for name in ("perf_counter", "perf_counter_ns", "ctime", "strftime")},
    **{f"datetime.datetime.{name}": _CLOCK for name in ("now", "utcnow", "today")},
    "datetime.date.today": _CLOCK,
    "time.sleep": _SLEEP,
    "asyncio.sleep": "doesn't run on Trio; use await trio.sleep(…)",
    "uuid.uuid1": _RANDOM,
    "uuid.uuid4": _RANDOM,
    "os.urandom": _RANDOM,
    "random.SystemRandom": _RANDOM,
}
_PREFIXES: Final[Mapping[str, str]] = {
    "random.": _RANDOM,
    "secrets.": _RANDOM,
    "numpy.random.": _RANDOM,
}
_SEEDED: Final = frozenset({"random.Random", "numpy.random.default_rng", "numpy.random.Generator"})
"""Sources of randomness that are as good as their seed: without one they count."""


@attrs.frozen(order=True)
class Remark:
    """One line that would make a replay differ."""

    line: int
    name: str
    """What it uses, such as ``"time.time"``."""
    words: str


def read_source(text: str) -> list[Remark]:
    """Give the remarks on a strategy's source, by line.

    Names are followed through imports and their aliases, not through variables: it helps the author, it proves nothing.

    Raises:
        SyntaxError: It isn't Python.
    """
    tree = ast.parse(text)
    names = dict(_imported(tree))
    found: set[Remark] = set()
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name) and id(node) not in inner:
            name = _dotted(node, names)
            words = _words(name)
            if words:
                found.add(Remark(node.lineno, name, words))
        if isinstance(node, ast.Call) and not node.args and not node.keywords:
            name = _dotted(node.func, names)
            if name in _SEEDED:
                found.add(Remark(node.lineno, name, _RANDOM))
    return sorted(found)


def _words(name: str) -> str:
    if name in _NAMES:
        return _NAMES[name]
    if name in _SEEDED:
        return ""
    return next((words for prefix, words in _PREFIXES.items() if name.startswith(prefix)), "")


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Give what each imported name stands for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                # `import a.b` binds `a`; `import a.b as c` binds the whole.
                yield (alias.asname, alias.name) if alias.asname else (alias.name.partition(".")[0],) * 2
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _dotted(node: ast.expr, names: Mapping[str, str]) -> str:
    """Give the full name that ``a.b.c`` stands for; nothing where its root wasn't imported."""
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    if isinstance(node, ast.Attribute):
        root = _dotted(node.value, names)
        return f"{root}.{node.attr}" if root else ""
    return ""

"""Rules that a linter doesn't know: who imports whom, what pure folders never touch, how long a module is."""

from __future__ import annotations

import ast
import functools
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs
import pytest

ROOT: Final = Path(__file__).parents[1]
PACKAGE: Final = ROOT / "strategykit"

LINES: Final = 400

SHELL: Final = frozenset({"errors", "secret", "model", "venues"})
PROGRAM: Final = (
    SHELL
    | {"config", "registry", "columns", "archive", "disk", "foreign", "tape", "journal", "sim", "net", "runtime"}
    | {"indicators", "wall"}
    | {"strategy", "declarations", "defining", "config_models"}
)

MAY_IMPORT: Final[dict[str, frozenset[str]]] = {
    "errors": frozenset(),
    "secret": frozenset({"errors"}),
    "model": frozenset({"errors"}),
    "venues": frozenset({"errors", "secret", "model"}),
    "columns": frozenset({"errors", "model", "venues"}),
    "disk": frozenset({"errors"}),
    "wall": frozenset(),
    "foreign": frozenset({"errors", "disk"}),
    "archive": SHELL | {"columns", "disk", "foreign"},
    "tape": SHELL | {"disk", "foreign"},
    "journal": frozenset({"errors", "model", "disk"}),
    "sim": SHELL,
    "net": SHELL,
    "config_values": SHELL | {"net"},
    "registry": SHELL | {"net", "sim", "config_values"},
    "config_venue": SHELL | {"config_values", "registry"},
    "config_models": SHELL | {"sim", "config_values"},
    "config_tables": SHELL | {"sim", "config_values", "config_models", "config_venue"},
    "config_risk": SHELL | {"config_values", "config_tables"},
    "config": SHELL | {"net", "sim", "registry", "config_values", "config_venue", "config_tables", "config_risk"},
    "runtime": PROGRAM,
    "indicators": PROGRAM,
    "strategy": PROGRAM,
    "declarations": PROGRAM,
    "defining": frozenset({"errors"}),
    "author": PROGRAM,
    "": frozenset({"author"}),  # strategykit/__init__.py: it re-exports.
    "report": PROGRAM,
    "parity": PROGRAM,
    "sweep": PROGRAM | {"report", "config_values"},
    "testing": PROGRAM | {"report"},
    "doctor": PROGRAM,
    "relay": PROGRAM,
    "cli": PROGRAM | {"", "report", "parity", "sweep", "testing", "doctor", "relay", "config_values"},
    "__main__": frozenset({"cli"}),
}
"""``{part: the other parts that it may import}``. A part is a folder or a module right inside the package."""

PURE: Final = frozenset({"model", "venues", "columns", "sim", "report"})

SERVERS: Final = frozenset({"alor_config.py", *(path.name for path in (PACKAGE / "sim").glob("server*.py"))})
"""Modules of `sim` that do I/O: they put simulated venues on a socket. Everything else there computes."""

IMPURE: Final = frozenset(
    {
        *("trio", "trio_websocket", "asyncio", "threading", "multiprocessing", "concurrent", "subprocess", "selectors"),
        *("socket", "ssl", "http", "httpx", "urllib", "os", "time", "secrets", "tempfile", "shutil"),
    }
)
PACKAGED_AS: Final = {"google": "protobuf"}
"""Libraries whose module has another name than their package."""

DANGEROUS: Final = frozenset({"pickle", "dill", "marshal", "shelve", "yaml"})
DANGEROUS_CALLS: Final = frozenset({"eval", "exec"})
OUTSIDE_CALLS: Final = frozenset({"open", "print", "input"})
CLOCK_CALLS: Final = frozenset({"now", "utcnow", "today"})
FLOATS: Final = re.compile(r"(?<!st_)(?:price|size|volume|value|worth|quantity|lots|error|return|length)s?$(?<!values)")
"""What names of floats end with; sizes of files, and a mapping's `values`, are none."""


def modules() -> list[Path]:
    """Give those that people wrote."""
    written = (path for path in PACKAGE.rglob("*.py") if not path.name.endswith("_pb2.py"))
    return sorted(path for path in written if "samples" not in path.relative_to(PACKAGE).parts)


def strategies() -> list[Path]:
    return sorted((ROOT / "strategies").glob("*.py"))


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@attrs.frozen
class Seen:
    """What there is to say of a module; its tree would take too much memory to be kept."""

    imports: list[tuple[int, str]]
    wrong_imports: list[str]
    impurities: list[str]
    dangers: list[str]
    float_sums: list[str]
    says_what_is_public: bool


@functools.cache
def seen(path: Path) -> Seen:
    """Read one of the package's modules, once for all tests."""
    tree = parsed(path)
    return Seen(
        imports=list(imports(tree)),
        wrong_imports=wrong_imports(part_of(path), tree),
        impurities=impurities(tree) if is_pure(path) else ["not looked for"],
        dangers=dangers(tree),
        float_sums=float_sums(tree),
        says_what_is_public=says_what_is_public(tree),
    )


def part_of(path: Path) -> str:
    first, *rest = path.relative_to(PACKAGE).parts
    return first if rest else ("" if path.stem == "__init__" else path.stem)


def is_pure(path: Path) -> bool:
    return part_of(path) in PURE and not (part_of(path) == "sim" and path.name in SERVERS)


@functools.lru_cache(maxsize=1)
def nodes(tree: ast.Module) -> list[ast.AST]:
    """Give all of a tree, found once for all that is looked for in it."""
    return list(ast.walk(tree))


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Give line and dotted name of all that a module imports, wherever in it; ``from a import b`` is ``a.b``."""
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module or ''}.{alias.name}") for alias in node.names)


def imports_from(tree: ast.Module, tops: frozenset[str]) -> list[str]:
    return [f"line {line}: imports {name}" for line, name in imports(tree) if name.partition(".")[0] in tops]


def wrong_imports(part: str, tree: ast.Module) -> list[str]:
    found = []
    for line, name in imports(tree):
        top, *inner = name.split(".")
        # `from strategykit import sma` takes from the package itself, whose part is "".
        target = inner[0] if inner and inner[0] in MAY_IMPORT else ""
        if top == "strategykit" and target != part and target not in MAY_IMPORT[part]:
            found.append(f"line {line}: {part or 'the package'} imports {name}")
    return found


def name_of(node: ast.expr) -> str:
    """Give the last name of ``a.b.c``; nothing for what isn't a name."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def impurities(tree: ast.Module) -> list[str]:
    """Give what a pure module may not do: I/O, clocks, and randomness that nobody seeded."""
    found = imports_from(tree, IMPURE)
    found += [
        f"line {line}: {name} has a state that all share"
        for line, name in imports(tree)
        if name.startswith("random.") and name != "random.Random"
    ]
    shared = any(name == "random" for _, name in imports(tree))
    for node in nodes(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="random"), attr=attr) if shared and attr != "Random":
                found.append(f"line {node.lineno}: random.{attr} has a state that all share")
            case ast.Call(func=func, args=[], keywords=[]) if name_of(func) == "Random":
                found.append(f"line {node.lineno}: Random() without a seed")
            case ast.Call(func=ast.Attribute(value=owner, attr=attr)) if attr in CLOCK_CALLS:
                if name_of(owner) in {"datetime", "date"}:
                    found.append(f"line {node.lineno}: {attr}() reads the clock")
            case ast.Call(func=ast.Name(id=called)) if called in OUTSIDE_CALLS:
                found.append(f"line {node.lineno}: {called}()")
            case _:
                pass
    return found


def dangers(tree: ast.Module) -> list[str]:
    """Give what could turn data into running code."""
    return imports_from(tree, DANGEROUS) + [
        f"line {node.lineno}: {node.func.id}()"
        for node in nodes(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in DANGEROUS_CALLS
    ]


def float_sums(tree: ast.Module) -> list[str]:
    """Give where floats are added up by `sum`, to be seen by their names, or by a float that it begins with.

    From Python 3.12 on, `sum` makes up for what it rounds off; before, it doesn't. `math.fsum` is the same everywhere,
    and a sum of decimals says so by its start.
    """
    found = []
    for node in nodes(tree):
        match node:
            case ast.Call(func=ast.Name(id="sum"), args=[ast.GeneratorExp(elt=part) | ast.ListComp(elt=part) | part]):
                names = (name_of(each) for each in ast.walk(part) if isinstance(each, ast.Name | ast.Attribute))
                wrong = not isinstance(part, ast.Compare) and any(map(FLOATS.search, names))
            case ast.Call(func=ast.Name(id="sum"), args=[_, ast.Constant(value=float())]):
                wrong = True
            case _:
                continue
        if wrong:
            found.append(f"line {node.lineno}: {ast.unparse(node)}")
    return found


def says_what_is_public(tree: ast.Module) -> bool:
    """Whether ``__all__`` stands in the module; one that holds but a docstring needs none."""
    if all(isinstance(node, ast.Expr) for node in tree.body):
        return True
    targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    targets += [node.target for node in tree.body if isinstance(node, ast.AnnAssign)]
    return any(name_of(target) == "__all__" for target in targets)


@pytest.mark.parametrize("path", modules(), ids=named)
def test_imports_point_one_way(path: Path) -> None:
    assert seen(path).wrong_imports == []


@pytest.mark.parametrize("path", [path for path in modules() if is_pure(path)], ids=named)
def test_pure_folders_do_no_io_and_read_no_clock(path: Path) -> None:
    assert seen(path).impurities == []


@pytest.mark.parametrize("path", [*modules(), *strategies()], ids=named)
def test_no_data_can_become_running_code(path: Path) -> None:
    assert (seen(path).dangers if path.is_relative_to(PACKAGE) else dangers(parsed(path))) == []


@pytest.mark.parametrize("path", [*modules(), *strategies()], ids=named)
def test_every_python_adds_floats_up_to_the_same(path: Path) -> None:
    assert (seen(path).float_sums if path.is_relative_to(PACKAGE) else float_sums(parsed(path))) == []


@pytest.mark.parametrize("path", modules(), ids=named)
def test_modules_are_short_and_say_what_is_public(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())

    assert lines <= LINES, f"{lines} lines; split along the seam you feel while explaining it"
    assert seen(path).says_what_is_public, "no __all__"


@pytest.mark.parametrize("path", strategies(), ids=named)
def test_samples_need_only_what_authors_are_given(path: Path) -> None:
    names = [name for _, name in imports(parsed(path))]

    assert [name for name in names if name.split(".")[0] not in {"strategykit", "trio"} | sys.stdlib_module_names] == []
    assert [name for name in names if name.startswith("strategykit.") and name.split(".")[1] in MAY_IMPORT] == []


def test_every_library_that_is_imported_is_a_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [line for name, lines in project["optional-dependencies"].items() if name != "dev" for line in lines]
    named = [*project["dependencies"], *extras]
    declared = {re.split(r"[>=<~\[ ]", line)[0].replace("-", "_").lower() for line in named}
    tops = {name.partition(".")[0] for path in modules() for _, name in seen(path).imports}
    tops = {PACKAGED_AS.get(top, top) for top in tops}

    assert tops - sys.stdlib_module_names - {"strategykit"} <= declared


def test_every_part_of_the_house_has_its_rule() -> None:
    assert {part_of(path) for path in modules()} <= MAY_IMPORT.keys()


def test_servers_of_the_simulated_venue_are_listed_and_exist() -> None:
    assert {name for name in SERVERS if not (PACKAGE / "sim" / name).is_file()} == set()


@pytest.mark.parametrize(
    ("part", "line"),
    [
        ("model", "import strategykit.venues.streams"),
        ("venues", "from strategykit.net import inbox"),
        ("net", "from strategykit.tape.writer import TapeWriter"),
        ("runtime", "from strategykit.cli import main"),
        ("runtime", "from strategykit import Strategy"),
        ("config", "import strategykit"),
    ],
)
def test_an_import_that_points_the_wrong_way_is_found(part: str, line: str) -> None:
    assert len(wrong_imports(part, ast.parse(f"def late():\n    {line}"))) == 1


@pytest.mark.parametrize(
    "line",
    [
        "import trio",
        "from time import monotonic",
        "from random import choice",
        "import random; random.random()",
        "Random()",
        "datetime.now(tz=UTC)",
        "datetime.datetime.utcnow()",
        "open('x')",
    ],
)
def test_an_impurity_is_found(line: str) -> None:
    assert len(impurities(ast.parse(line))) == 1


@pytest.mark.parametrize(
    "line",
    ["from random import Random", "import random; random.Random(7)", "random.random()", "Random(seed)", "order.now()"],
)
def test_seeded_randomness_and_given_time_are_pure(line: str) -> None:
    assert impurities(ast.parse(line)) == []


@pytest.mark.parametrize("line", ["import pickle", "from yaml import load", "eval(text)", "exec(text)"])
def test_a_danger_is_found(line: str) -> None:
    assert len(dangers(ast.parse(line))) == 1


@pytest.mark.parametrize(
    "line",
    [
        "sum(sizes[:count], 0.0)",
        "sum(row.volume for row in rows)",
        "sum(self.queue(price).values())",
        "sum(self._error(order) for order in orders) / len(orders)",
    ],
)
def test_a_sum_of_floats_is_found(line: str) -> None:
    assert len(float_sums(ast.parse(line))) == 1


@pytest.mark.parametrize(
    "line",
    [
        "fsum(sizes)",
        "sum(len(order.fills) for order in orders)",
        "sum(map(len, held))",
        "sum((row.fee for row in rows), ZERO)",
    ],
)
def test_sums_of_counts_and_of_money_are_the_same_everywhere(line: str) -> None:
    assert float_sums(ast.parse(line)) == []

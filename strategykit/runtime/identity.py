"""What a run is, as one SHA-256: two runs with the same one come out the same, to the last order."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Final

from strategykit.disk import shown
from strategykit.errors import TapeError
from strategykit.model.codec import make_converter, to_dict
from strategykit.model.risk_limits import DEFAULT_PLAN, RiskPlan
from strategykit.runtime.load import find_strategy
from strategykit.runtime.parameters import strategy_parameters
from strategykit.sim.models.fill_models import FillModels
from strategykit.strategy import Strategy

__all__ = ["code_digest", "data_digest", "parameters_of", "program_version", "run_identity"]

_PIECE: Final = 1 << 20
"""Bytes that are read at a time."""

_PACKAGE: Final = Path(__file__).parents[1]
_SAMPLES: Final = "samples"
"""Folder of an installed package: strategies, of which each run counts its own."""


def run_identity(
    *,
    code: Iterable[str],
    parameters: Iterable[Mapping[str, str]],
    data: str,
    models: FillModels,
    seed: int | None,
    cash: Decimal,
    version: str,
    limits: RiskPlan = DEFAULT_PLAN,
    window: tuple[int, int] | None = None,
) -> str:
    """Give the identity of a run.

    Args:
        code: Of each strategy, as `code_digest` gives it.
        parameters: Of each strategy, as `parameters_of` gives them.
        data: As `data_digest` gives it.
        models: What is assumed of fills.
        seed: That was given; None: the recording's own.
        cash: At the start.
        version: Of strategykit, as `program_version` gives it.
        limits: Of risk.
        window: First nanosecond that counts, and first that doesn't any more; None: all of the recording.
    """
    converter = make_converter()
    facts = {
        "strategies": [[digest, sorted(values.items())] for digest, values in zip(code, parameters, strict=True)],
        "data": data,
        "models": to_dict(converter, models, FillModels),
        "limits": to_dict(converter, limits, RiskPlan),
        "seed": seed,
        "cash": str(cash.normalize()),
        "window": window,
        "version": version,
    }
    return hashlib.sha256(
        json.dumps(facts, sort_keys=True, default=str).encode("utf-8", "backslashreplace")
    ).hexdigest()


def program_version(package: Path = _PACKAGE) -> str:
    """Give strategykit's version, and the SHA-256 over its sources: a checkout changes without getting another number.

    Reading them takes some hundredths of a second, so whoever has many runs asks once. The same sources give the same
    whether they are a checkout or installed. Libraries don't count, as in `code_digest`.
    """
    whole = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        place = path.relative_to(package)
        if place.parts[0] != _SAMPLES and path.is_file():  # An editor's lock leads nowhere.
            source = path.read_bytes()
            whole.update(f"{place.as_posix()} {len(source)}\n".encode("utf-8", "backslashreplace"))
            whole.update(source)
    return f"{version_of('strategykit')} {whole.hexdigest()}"


def parameters_of(strategy: Strategy) -> dict[str, str]:
    """Give what a strategy was made with, those that nobody set, too."""
    return {item.name: str(getattr(strategy, item.name, "")) for item in strategy_parameters(type(strategy))}


def code_digest(file: str) -> str:
    """Give the SHA-256 over a strategy's file, and over the modules beside it that it imports, and those that they do.

    Where the folder is doesn't count. Libraries don't, either.

    Raises:
        StrategyError: There is no such file.
    """
    path = find_strategy(file)
    sources = {path.name: path.read_bytes()}
    todo = [path]
    while todo:
        for beside in _imported(todo.pop(), path.parent):
            name = beside.relative_to(path.parent).as_posix()
            if name not in sources:
                sources[name] = beside.read_bytes()
                todo.append(beside)
    whole = hashlib.sha256()
    for name, source in sorted(sources.items()):
        whole.update(f"{name} {len(source)}\n".encode("utf-8", "backslashreplace"))
        whole.update(source)
    return whole.hexdigest()


def _imported(path: Path, folder: Path) -> Iterator[Path]:
    """Give the files below `folder` that a file imports, wherever in it; nothing for one that can't be read."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files(folder, alias.name)
        elif isinstance(node, ast.ImportFrom):
            home = folder if not node.level else path.parents[node.level - 1]
            if home != folder and folder not in home.parents:
                continue
            yield from _files(home, node.module or "")
            for alias in node.names:
                yield from _files(home, f"{node.module}.{alias.name}" if node.module else alias.name)


def _files(home: Path, dotted: str) -> Iterator[Path]:
    """Give the module of a name, and the packages that it is in."""
    here = home
    for part in filter(None, dotted.split(".")):
        here /= part
        for found in (here.with_suffix(".py"), here / "__init__.py"):
            if found.is_file():
                yield found


def data_digest(path: Path | str) -> str:
    """Give the SHA-256 over what a tape or an archive holds; of an archive, by the SHA-256 of each of its files.

    Raises:
        TapeError: It can't be read.
    """
    folder = Path(path)
    manifest = folder / "manifest.json"
    files = [manifest] if manifest.is_file() else sorted(item for item in folder.glob("*") if item.is_file())
    whole = hashlib.sha256()
    try:
        for file in files:
            if file.name.startswith((".", "lock")):
                continue
            whole.update(f"{file.name} {file.stat().st_size}\n".encode("utf-8", "backslashreplace"))
            with file.open("rb") as source:
                while piece := source.read(_PIECE):
                    whole.update(piece)
    except OSError as exc:
        raise TapeError(f"{shown(folder)} can't be read: {exc.strerror}") from exc
    return whole.hexdigest()

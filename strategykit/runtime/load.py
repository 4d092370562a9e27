"""Strategy files: from a path to the one class in it."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
import types
from pathlib import Path
from typing import Final

from strategykit.errors import StrategyError
from strategykit.runtime.parameters import Parameter, make_strategy, strategy_parameters
from strategykit.strategy import Strategy

__all__ = [
    "SAMPLE",
    "Parameter",
    "find_strategy",
    "load_strategy",
    "make_strategy",
    "sample_names",
    "strategy_parameters",
]

SAMPLE: Final = "sample:"
"""Begins the name of a strategy that came with the package, as in ``sample:cross``."""


def sample_names() -> list[str]:
    """Give the names of the strategies that came with the package."""
    return sorted(path.stem for path in _samples().glob("*.py") if not path.stem.startswith("_"))


def find_strategy(path_or_sample: str) -> Path:
    """Give the file that `path_or_sample` names.

    Raises:
        StrategyError: There is none.
    """
    if path_or_sample.startswith(SAMPLE):
        name = path_or_sample.removeprefix(SAMPLE)
        if name not in sample_names():
            raise StrategyError(f"no sample is called {name!r}; there are {', '.join(sample_names())}")
        return _samples() / f"{name}.py"
    path = Path(path_or_sample)
    if path.is_dir():
        raise StrategyError(f"{path}: is a directory; name one strategy file, such as {path / 'cross.py'}")
    if not path.is_file():
        hint = f"; {SAMPLE}{path.stem} comes with strategykit" if path.stem in sample_names() else ""
        raise StrategyError(f"{path}: no such file; name a Python file with one strategy{hint}")
    if path.suffix != ".py":
        raise StrategyError(f"{path}: isn't a Python file; a strategy's name ends in .py")
    return path


def load_strategy(path_or_sample: str) -> type[Strategy]:
    """Import a strategy file and give its class.

    Modules next to the file can be imported by it.

    Args:
        path_or_sample: Path of a Python file, or ``sample:NAME``.

    Raises:
        StrategyError: The file is missing, doesn't import (the message names its line), or doesn't hold exactly one
            strategy.
    """
    path = find_strategy(path_or_sample)
    module = _import(path)
    found = [
        item
        for name, item in vars(module).items()
        if isinstance(item, type)
        and issubclass(item, Strategy)
        and item.__module__ == module.__name__
        and not name.startswith("_")
    ]
    # A strategy may be built on another one of the same file; the one that nothing is built on is meant.
    ends = [cls for cls in dict.fromkeys(found) if not any(cls in other.__mro__[1:] for other in found)]
    if not ends:
        raise StrategyError(
            f"{path}: holds no strategy; write a class that inherits from Strategy, with @define above it"
        )
    if len(ends) > 1:
        names = ", ".join(cls.__name__ for cls in ends)
        raise StrategyError(f"{path}: holds {len(ends)} strategies ({names}); a file holds one, so move the others out")
    (cls,) = ends
    if "__attrs_attrs__" not in vars(cls):
        raise StrategyError(
            f"{path}: {cls.__name__} lacks @define above its class line, so its parameters aren't known"
        )
    strategy_parameters(cls)
    return cls


def _samples() -> Path:
    package = Path(__file__).parents[1]
    installed = package / "samples"
    return installed if installed.is_dir() else package.parent / "strategies"


def _import(path: Path) -> types.ModuleType:
    whole = path.resolve()
    # Two files of one name must not become one module.
    name = f"strategykit_file_{hashlib.sha256(str(whole).encode()).hexdigest()[:8]}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, whole)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Annotations are resolved through `sys.modules`, so the module stays there. What lies next to the file comes last
    # on the path: it can't stand in for a library.
    sys.modules[name] = module
    sys.path.append(str(whole.parent))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as exc:
        del sys.modules[name]
        raise StrategyError(f"{path}, line {_line(exc, whole)}: doesn't import: {_words(exc)}") from exc
    finally:
        sys.path.remove(str(whole.parent))
    return module


def _line(error: BaseException, path: Path) -> int | str:
    """Give the line of `path` at which its import failed."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno or "?"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return (lines[-1] if lines else None) or "?"


def _words(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error.msg}"
    first = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__

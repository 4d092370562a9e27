"""Outcomes on the disk, each in a file named by the identity of its run: what is there as a whole isn't run again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import attrs

from strategykit.disk import in_words, shown
from strategykit.errors import ResultError
from strategykit.sweep.work import Outcome

__all__ = ["Kept"]

_VERSION: Final = 2
"""Version 1 didn't keep warnings: what they were is known only from another run."""
_MOST: Final = 1 << 20
"""Bytes of one outcome."""


@attrs.frozen
class Kept:
    """A folder of outcomes.

    Raises:
        ResultError: It can't be made.
    """

    folder: Path

    def __attrs_post_init__(self) -> None:
        try:
            (self.folder / "runs").mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise ResultError(f"{shown(self.folder)} can't be made: {in_words(exc, self.folder)}") from exc

    def get(self, identity: str) -> Outcome | None:
        """Give an outcome; None if there is none, or what is there isn't whole."""
        try:
            with self._path(identity).open("rb") as file:
                found = json.loads(file.read(_MOST))
            if found["version"] != _VERSION or found["identity"] != identity:
                return None
            return _outcome(found["outcome"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def put(self, identity: str, outcome: Outcome) -> None:
        """Keep an outcome: it is there as a whole, or not at all.

        Raises:
            ResultError: It can't be written.
        """
        path = self._path(identity)
        text = json.dumps({"version": _VERSION, "identity": identity, "outcome": attrs.asdict(outcome)})
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        try:
            path.parent.mkdir(exist_ok=True)
            with partial.open("wb") as file:
                file.write(text.encode("utf-8", "backslashreplace"))
                file.flush()
                os.fsync(file.fileno())
            partial.rename(path)
        except OSError as exc:
            with suppress(OSError):
                partial.unlink()
            raise ResultError(f"{shown(path)} can't be written: {in_words(exc, path)}") from exc

    def _path(self, identity: str) -> Path:
        return self.folder / "runs" / identity[:2] / f"{identity}.json"


def _outcome(found: Mapping[str, Any]) -> Outcome:
    parameters = {str(name): str(value) for name, value in found["parameters"].items()}
    metrics = {str(name): None if value is None else 0 + value for name, value in found["metrics"].items()}
    warnings = tuple(str(line) for line in found["warnings"])
    return Outcome(
        parameters=parameters,
        metrics=metrics,
        digest=str(found["digest"]),
        error=str(found["error"]),
        warnings=warnings,
    )

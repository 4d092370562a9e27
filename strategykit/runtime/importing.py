"""Files of others, brought in: frames of venues that are spoken here become tapes, all else archives."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, Literal

import attrs
import trio

from strategykit.disk import new_folder
from strategykit.errors import ConfigError
from strategykit.foreign.refusals import MOST_REFUSED, Refusals
from strategykit.tape.importers.binance import import_frames
from strategykit.tape.importers.coinapi import import_flat_files
from strategykit.tape.importers.hftbacktest import read_hftbacktest
from strategykit.venues.streams import Stream

__all__ = ["FORMATS", "ImportPlan", "ImportReport", "import_files"]


@attrs.frozen(kw_only=True)
class ImportPlan:
    """What is to be brought in."""

    format: str
    paths: Sequence[Path]
    to: Path
    """Folder to be made."""
    symbol: str | None = None
    """Whose the data are, where files don't tell; where they do, the only one that is meant."""
    most_refused: int = MOST_REFUSED
    now: Callable[[], int] = time.time_ns
    tell: Callable[[str], None] = lambda _: None
    """Takes a line for each row that can't be taken."""
    on_progress: Callable[[float, int], None] = lambda _, __: None
    """Told the part that is done, and how many rows that is."""


@attrs.frozen(kw_only=True)
class ImportReport:
    """What has been brought in."""

    made: Literal["tape", "archive"]
    path: Path
    messages: int
    """Frames, or rows."""
    refused: int
    first: int
    """Nanoseconds UTC."""
    last: int
    streams: Sequence[Stream]


def import_files(plan: ImportPlan) -> ImportReport:
    """Bring files in. They get the name that is wanted when all is there; after an error nothing is left.

    Raises:
        ConfigError: There is no such format; a file or an option that it needs is missing; or the folder is there.
        TapeError: A file is damaged or of another format, too many rows can't be taken, or the disk fails.
    """
    take = FORMATS.get(plan.format)
    if take is None:
        raise ConfigError(f"no format {plan.format!r}; there are: {', '.join(FORMATS)}")
    if not plan.paths:
        raise ConfigError("no file was named")
    return take(plan)


def _coinapi(plan: ImportPlan) -> ImportReport:
    with new_folder(plan.to) as folder:
        found = trio.run(partial(import_flat_files, plan.paths, folder, now=plan.now, symbol=plan.symbol))
    return ImportReport(
        made="tape",
        path=plan.to,
        messages=found.messages,
        refused=0,
        first=found.first,
        last=found.last,
        streams=found.streams,
    )


def _hftbacktest(plan: ImportPlan) -> ImportReport:
    with new_folder(plan.to) as folder:
        found = trio.run(
            partial(
                import_frames,
                plan.paths,
                folder,
                read=read_hftbacktest,
                refusals=Refusals(plan.tell, plan.most_refused),
                now=plan.now,
                symbol=plan.symbol,
                on_progress=plan.on_progress,
            )
        )
    return ImportReport(
        made="tape",
        path=plan.to,
        messages=found.messages,
        refused=found.refused,
        first=found.first,
        last=found.last,
        streams=found.streams,
    )


FORMATS: Final[Mapping[str, Callable[[ImportPlan], ImportReport]]] = {
    "coinapi": _coinapi,
    "hftbacktest": _hftbacktest,
}
"""By the name that they are asked for by."""

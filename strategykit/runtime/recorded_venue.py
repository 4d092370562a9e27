"""In whose language a tape was recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from strategykit.errors import ConfigError, TapeError
from strategykit.registry.table import find_venue
from strategykit.tape.reader import Tape
from strategykit.venues.dialect import Dialect

__all__ = ["recorded_venue"]


def recorded_venue(tape: Tape) -> tuple[Dialect, Mapping[str, Any]]:
    """Give the language, with the options that it was spoken with, and all that the header says of the run.

    Raises:
        TapeError: There is no such venue, or an option of it can't be.
    """
    facts = tape.header.session
    try:
        venue = find_venue(str(facts.get("venue", tape.header.venue)))
        said = facts.get("options", facts)  # Tapes of before had them among the other facts.
        if not isinstance(said, dict):
            raise ConfigError("its header's options are no table")
        dialect = venue.dialect({key: said[key] for key in venue.options if key in said})
    except ConfigError as exc:
        raise TapeError(f"{tape.path}: {exc}") from exc
    return dialect, facts

"""From the words of a command line to a checked session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from strategykit.config import Session, load_session, make_session
from strategykit.config_values import parse_duration
from strategykit.errors import ConfigError
from strategykit.runtime.load import SAMPLE

__all__ = ["check_live", "check_seed", "is_strategy", "read_options", "session_from"]


_PLAIN: Final[Mapping[str, object]] = {"true": True, "false": False}


def read_options(given: Sequence[str]) -> dict[str, object]:
    """Read further keys of the [venue] table, as ``KEY=VALUE``; numbers and true or false are what TOML has them for.

    Raises:
        ConfigError: One isn't of this form.
    """
    values: dict[str, object] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not key or not equals:
            # What stands there may be a secret: it isn't repeated.
            raise ConfigError("--option should look like KEY=VALUE, such as trades=aggTrade")
        values[key] = _PLAIN.get(value, int(value) if value.isascii() and value.isdigit() else value)
    return values


def is_strategy(what: str) -> bool:
    """Whether `what` names a strategy; else it is a session file."""
    return what.endswith(".py") or what.startswith(SAMPLE)


def session_from(
    what: str,
    *,
    venue: Mapping[str, object],
    run: Mapping[str, Any],
    params: Mapping[str, object],
) -> Session:
    """Make the session that a command line asks for.

    Args:
        what: A strategy, or a session file.
        venue: Values of the [venue] table, by key; None where nothing was said. For strategies only.
        run: Values of the [run] table, by key; None where nothing was said. They go before a file's own.
        params: The strategy's.

    Raises:
        ConfigError: Something in it is wrong.
    """
    said = {key: value for key, value in run.items() if value is not None}
    if is_strategy(what):
        table = {"name": "alor", **{key: value for key, value in venue.items() if value is not None}}
        strategy = {"file": what, "params": dict(params)}
        return make_session({"venue": table, "run": said, "strategy": [strategy]}, folder=Path(), source="command line")
    for key, value in venue.items():
        if value is not None:
            raise ConfigError(f"--{'venue' if key == 'name' else key}: {what} names its venue itself; change it there")
    session = load_session(what)
    changes: dict[str, Any] = {key: value for key, value in said.items() if key in ("seed", "on_stop")}
    check_seed(said.get("seed"))
    if "for" in said:
        changes["duration"] = parse_duration(said["for"])
    if "tape" in said:
        changes["tape"] = None if said["tape"] is False else Path(said["tape"])
    if "journal" in said:
        changes["journal"] = Path(said["journal"])
    return attrs.evolve(session, run=attrs.evolve(session.run, **changes))


def check_seed(seed: int | None) -> None:
    """Make sure of a seed that no [run] table checks.

    Raises:
        ConfigError: It is below 0.
    """
    if seed is not None and seed < 0:
        raise ConfigError(f"--seed {seed}: a seed is a whole number, at least 0")


def check_live(session: Session, *, live: bool) -> None:
    """Make sure that real money is meant twice: in the file and on the command line.

    Raises:
        ConfigError: It is meant once.
    """
    if live and not session.venue.known.takes_orders:
        raise ConfigError(
            f"--live: {session.venue.known.title} takes no orders here, strategies trade on paper there; leave it out"
        )
    if session.venue.loopback:
        return
    if live and not session.run.live:
        raise ConfigError("--live: real orders need a session file with live = true in its [run] table, too")
    if session.run.live and not live:
        raise ConfigError("run.live = true sends real orders: say --live on the command line, too, or set it to false")

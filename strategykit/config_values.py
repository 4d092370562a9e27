"""Values of a session file: what each may be, and how a wrong one is told.

Each checker takes what TOML gave and gives what the field holds. None of them repeats what might be a secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, cast

from cattrs.errors import IterableValidationError, IterableValidationNote

from strategykit.errors import ConfigError
from strategykit.model.risk_limits import zone_of
from strategykit.net.endpoints import is_loopback_host, split_url
from strategykit.venues.streams import PRIVATE, StreamKind

__all__ = [
    "EVERY",
    "Check",
    "Mistakes",
    "WrongValue",
    "amount",
    "between",
    "duration",
    "exactly",
    "folder",
    "instrument",
    "is_loopback",
    "matching",
    "one_of",
    "parse_duration",
    "positions",
    "public_kind",
    "reference",
    "step",
    "symbol",
    "table",
    "time_zone",
    "url",
]

Check = Callable[[Any, Any], Any]
"""Takes a value and, for cattrs, the field's type."""

_SHOWN: Final = 80
"""Characters of a wrong value that a message repeats."""

_UNITS: Final = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3_600 * 10**9,
    "d": 86_400 * 10**9,
}
_PART: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([num]s|[smhd])")
_DURATION: Final = re.compile(f"(?:{_PART.pattern})+")
_VARIABLE: Final = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*")


class Mistakes(Exception):
    """What is wrong with a session, one line a mistake, each with its key in front."""

    def __init__(self, *lines: str) -> None:
        self.lines = lines
        super().__init__(*lines)


class WrongValue(Exception):
    """A value can't be what it should be; which key it stands at is known further out."""


def parse_duration(text: str) -> int:
    """Read ``"2m"``, ``"1h30m"``, ``"20s"``, ``"500ms"``, ``"250us"`` as nanoseconds; a number alone says no unit.

    Raises:
        ConfigError: It is something else, or nothing.
    """
    total = 0
    if _DURATION.fullmatch(text):
        for number, unit in _PART.findall(text):
            total += round(float(number) * _UNITS[unit])
    if total <= 0:
        raise ConfigError(f"duration {text!r} should look like 20s, 2m, 1h30m or 500ms, and be above 0")
    return total


def is_loopback(url: str) -> bool:
    """Whether `url` stays on this machine."""
    return is_loopback_host(split_url(url).host)


_WORDS: Final[Mapping[type, str]] = {
    bool: "true or false",
    int: "a whole number",
    str: 'text in quotes, such as "SBER"',
}


def _shown(value: object) -> str:
    """Write a value as the file has it, shortened."""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, bool | str) else str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def exactly(kind: type) -> Callable[[Any, Any], Any]:
    def check(value: Any, _: Any) -> Any:
        if type(value) is not kind:  # `isinstance` would take True for 1.
            raise WrongValue(f"= {_shown(value)} should be {_WORDS[kind]}")
        return value

    return check


_text: Final = exactly(str)
_number: Final = exactly(int)


def between(low: int, high: int | None) -> Callable[[Any, Any], int]:
    def check(value: Any, kind: Any) -> int:
        number = cast("int", _number(value, kind))
        if number < low or (high is not None and number > high):
            wanted = f"at least {low}" if high is None else f"from {low} to {high}"
            raise WrongValue(f"= {number} should be a whole number, {wanted}")
        return number

    return check


def one_of(choices: tuple[str, ...]) -> Callable[[Any, Any], str]:
    def check(value: Any, kind: Any) -> str:
        text = cast("str", _text(value, kind))
        for choice in choices:
            if choice.lower() == text.lower():
                return choice
        raise WrongValue(f"= {_shown(text)} should be {' or '.join(_shown(choice) for choice in choices)}")

    return check


def matching(pattern: re.Pattern[str], wanted: str) -> Callable[[Any, Any], str]:
    def check(value: Any, kind: Any) -> str:
        text = cast("str", _text(value, kind))
        if not pattern.fullmatch(text):
            raise WrongValue(f"= {_shown(text)} should be {wanted}")
        return text

    return check


def url(value: Any, kind: Any) -> str:
    text = cast("str", _text(value, kind))
    if "@" in text:  # First of all, so that no message below can repeat a password.
        raise WrongValue("must not carry a user name or password; give secrets by reference, as env:NAME")
    split_url(text)
    return text.rstrip("/")


instrument: Final = matching(re.compile(r"\S(?:[^\r\n\t]{0,98}\S)?"), "a symbol, such as 'SBER'")
symbol: Final = matching(re.compile(r"\S{1,64}"), "a symbol without spaces, such as 'SBER'")


def step(value: Any, _: Any) -> str:
    """Check a step of prices or sizes; it stays text, so that nothing of it is lost on the way."""
    text = value if isinstance(value, str) else repr(value)
    try:
        number = Decimal("NaN") if isinstance(value, bool) else Decimal(text)
    except ArithmeticError:  # What `Decimal("abc")` raises is no ValueError.
        number = Decimal("NaN")
    if not number.is_finite() or number <= 0:
        raise WrongValue(f'= {_shown(value)} should be a number above 0, such as "0.01"')
    return text


def amount(value: Any, kind: Any) -> Decimal:
    return Decimal(step(value, kind))


EVERY: Final = "*"
"""The key that stands for all instruments that have none of their own."""


def positions(value: Any, kind: Any) -> Mapping[str, int]:
    """Check lots for all instruments, or a table of lots for some; give them by symbol, those of all by `EVERY`."""
    if not isinstance(value, dict):
        return {EVERY: between(0, None)(value, kind)}
    found: dict[str, int] = {}
    wrong: list[Exception] = []
    for symbol, lots in value.items():
        try:
            found[symbol] = between(0, None)(lots, kind)
        except WrongValue as exc:
            exc.add_note(IterableValidationNote("", symbol, int))
            wrong.append(exc)
    if wrong:
        raise IterableValidationError("positions", wrong, dict)
    return found


def time_zone(value: Any, kind: Any) -> str:
    name = cast("str", _text(value, kind))
    try:
        zone_of(name)
    except ConfigError as exc:
        raise WrongValue(f"= {_shown(name)}: {exc}") from None
    return name


def reference(what: str, example: str) -> Callable[[Any, Any], str]:
    """Make the check of a secret's place; `what` it is, in words, and an `example` of where."""

    def check(value: Any, _: Any) -> str:
        # Whatever is wrong with it, it may be the secret itself: no message shows it.
        if isinstance(value, str) and (_VARIABLE.fullmatch(value) or (value.startswith("file:") and len(value) > 5)):
            return value
        raise WrongValue(f"should name where the {what} is, as {example} or file:PATH, never be the {what}")

    return check


def duration(value: Any, _: Any) -> int:
    if not isinstance(value, str):
        raise WrongValue(f'= {_shown(value)} should be a duration in quotes, such as "2m" or "1h30m"')
    try:
        return parse_duration(value)
    except ConfigError:
        raise WrongValue(f"= {_shown(value)} should look like 20s, 2m or 1h30m, and be above 0") from None


def folder(value: Any, _: Any) -> Path | None:
    if value is False:
        return None
    if not isinstance(value, str) or not value:
        raise WrongValue(f'= {_shown(value)} should be a folder, such as "tapes", or false')
    return Path(value).expanduser()


def public_kind(value: Any, kind: Any) -> StreamKind:
    public = tuple(item.value for item in StreamKind if item not in PRIVATE)
    return StreamKind(one_of(public)(value, kind))


def table(value: Any, _: Any) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise WrongValue(f"= {_shown(value)} should be a table, with keys of its own")
    return value

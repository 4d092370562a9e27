"""A string that no log, tape, repr or exception can show."""

from __future__ import annotations

import hmac
import os
import stat
from pathlib import Path
from typing import NoReturn

from strategykit.errors import ConfigError

__all__ = ["REDACTED", "Secret", "read_secret"]

REDACTED = "***"
"""What stands in tapes where a secret stood."""


class Secret:
    """Hold a credential; only `reveal` gives it, and it is called where the bytes leave."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        if not value:
            raise ConfigError("a secret is empty; give the refresh token or key itself")
        self._value = value

    def reveal(self) -> str:
        """Give the text. For the wire only: never keep, print or format what this returns."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        # An error in encoding would carry the text; what isn't UTF-8 in the environment comes as surrogates.
        mine, theirs = (secret.reveal().encode("utf-8", "surrogatepass") for secret in (self, other))
        return hmac.compare_digest(mine, theirs)

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret can't be pickled")


def read_secret(reference: str) -> Secret:
    """Fetch a secret by reference: ``env:NAME`` or ``file:PATH``.

    Raises:
        ConfigError: The reference is malformed, the variable unset, the file missing, or open to others.
    """
    scheme, _, name = reference.partition(":")
    if scheme == "env" and name:
        value = os.environ.get(name, "")
        if not value:
            raise ConfigError(f"environment variable {name} is not set; export it, or use file:PATH")
        return Secret(value)
    if scheme == "file" and name:
        path = Path(name).expanduser()
        try:
            mode = path.stat().st_mode
            content = path.read_bytes()
        except (OSError, ValueError) as exc:  # A path with a NUL in it is a ValueError.
            raise ConfigError(f"secret file {name!r} can't be read: {_why(exc)}") from exc
        if stat.S_IMODE(mode) & 0o077:
            raise ConfigError(f"secret file {name} is open to others (mode {stat.S_IMODE(mode):04o}); chmod 600 it")
        text = _decoded(content)
        if text is None:
            raise ConfigError(f"secret file {name} isn't UTF-8 text")
        if not text:
            raise ConfigError(f"secret file {name} is empty")
        return Secret(text)
    raise ConfigError("a secret must be given by reference, as env:NAME or file:PATH, never as the value itself")


def _why(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _decoded(content: bytes) -> str | None:
    """Give the text, or None. No error leaves here: a `UnicodeDecodeError` shows the bytes that it failed on."""
    try:
        return content.decode("utf-8").strip()
    except UnicodeDecodeError:
        return None

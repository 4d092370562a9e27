"""Taking secrets out of what is about to be recorded or shown."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar, cast
from urllib.parse import quote, quote_plus

import attrs
import msgspec

from strategykit.errors import LocalProtocolError
from strategykit.secret import REDACTED

__all__ = ["Redactor"]

T = TypeVar("T")

_HIDDEN: Final = REDACTED.encode()

_PASSING: Final = 8
"""Passing secrets that are looked for. A venue's access token is replaced every half hour; looking for all those of a
month in every frame would take a hundred times as long as recording it."""

_BEGINNING: Final = 12
"""Characters of a secret by which a piece of it is known, where words quote what was cut. Fewer would be found in
texts that have nothing to do with it, and are of no use to anybody."""


def _spellings(secret: str) -> set[str]:
    """Give the ways in which a text can stand in a frame or a URL. For most tokens they are all the same."""
    escaped, unescaped = json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]
    slashed = {text.replace("/", "\\/") for text in (escaped, unescaped)}  # Some venues' JSON is written by PHP.
    known = {secret, escaped, unescaped, *slashed, quote(secret, safe=""), quote(secret), quote_plus(secret)}
    return known | {repr(text)[1:-1] for text in known}  # As our own messages quote them.


class Redactor:
    """Replaces every protected text by `REDACTED`.

    Attributes:
        texts: All spellings of all secrets, longest first: one secret can be a part of another.
        blobs: The same, encoded.
    """

    __slots__ = ("_lasting", "_passing", "blobs", "texts")

    def __init__(self) -> None:
        self.texts: tuple[str, ...] = ()
        self.blobs: tuple[bytes, ...] = ()
        self._lasting: set[str] = set()
        self._passing: deque[set[str]] = deque(maxlen=_PASSING)

    def protect(self, secret: str, *, passing: bool = False) -> None:
        """Hide `secret` from now on.

        Args:
            secret: What to hide.
            passing: Whether it dies soon, as access tokens do: then it is forgotten after the next few of its kind.

        Raises:
            LocalProtocolError: It is empty.
        """
        if not secret:
            raise LocalProtocolError("an empty text can't be kept secret")
        if passing:
            self._passing.append(_spellings(secret))
        else:
            self._lasting |= _spellings(secret)
        known = self._lasting.union(*self._passing)
        self.texts = tuple(sorted(known, key=lambda text: (-len(text), text)))
        self.blobs = tuple(text.encode("utf-8", "surrogatepass") for text in self.texts)

    def text(self, text: str) -> str:
        for secret in self.texts:
            if secret in text:
                text = text.replace(secret, REDACTED)
        return text

    def binary(self, frame: bytes) -> bytes:
        """Redact a binary message at its length: it counts those of its parts, and is read again."""
        for secret in self.blobs:
            if secret in frame:
                frame = frame.replace(secret, b"*" * len(secret))
        return frame

    def bytes(self, body: bytes) -> bytes:
        for secret in self.blobs:
            if secret in body:
                body = body.replace(secret, _HIDDEN)
        return body

    def words(self, text: str) -> str:
        """Redact a text for people, who may be shown a frame that was cut: beginnings of secrets go, too."""
        text = self.text(text)
        for secret in self.texts:
            beginning = secret[:_BEGINNING]
            at = text.find(beginning) if len(secret) > _BEGINNING else -1
            while at >= 0:
                end = at + _BEGINNING
                while text[end : end + 1] == secret[end - at : end - at + 1] != "":
                    end += 1
                text = f"{text[:at]}{REDACTED}{text[end:]}"
                at = text.find(beginning, at + len(REDACTED))
        return text

    def value(self, value: Any) -> Any:
        """Give `value` as plain JSON values, with all texts redacted.

        Texts only: hiding a secret of digits in a number's middle would leave no JSON.
        """
        return _mapped(msgspec.to_builtins(value, enc_hook=repr, str_keys=True), self.text)

    def report(self, report: T) -> T:
        """Give a copy of an attrs object, such as a run's report, with the words in it redacted, however deep."""
        return cast("T", _mapped(report, self.words))

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Redact the words of whatever is raised inside, as `error` does."""
        try:
            yield
        except (Exception, BaseExceptionGroup) as exc:
            self.error(exc)
            raise

    def error(self, error: BaseException | None) -> None:
        """Redact the words of an error, its causes and its notes: a traceback shows them all."""
        self._error(error, set())

    def _error(self, error: BaseException | None, seen: set[int]) -> None:
        if error is None or id(error) in seen:
            return
        seen.add(id(error))
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                self._error(inner, seen)
        else:
            error.args = tuple(self.words(arg) if isinstance(arg, str) else arg for arg in error.args)
        if isinstance(error, OSError) and error.strerror:  # It shows this and not its arguments.
            error.strerror = self.words(error.strerror)
        if notes := getattr(error, "__notes__", None):
            notes[:] = map(self.words, notes)
        self._error(error.__cause__, seen)
        self._error(error.__context__, seen)


def _mapped(value: Any, hide: Callable[[str], str]) -> Any:
    """Give a copy of a nest of values with `hide` done to its texts."""
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, Mapping):
        return {_mapped(key, hide): _mapped(item, hide) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(_mapped(item, hide) for item in value)
    if isinstance(value, list):
        return [_mapped(item, hide) for item in value]
    if attrs.has(type(value)):
        fields = attrs.fields(type(value))
        return attrs.evolve(value, **{field.name: _mapped(getattr(value, field.name), hide) for field in fields})
    return value

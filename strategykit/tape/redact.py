"""Taking secrets out of what is about to be recorded."""

from __future__ import annotations

import json
from collections import deque
from typing import Any, Final
from urllib.parse import quote, quote_plus

import msgspec

from strategykit.errors import LocalProtocolError
from strategykit.secret import REDACTED

__all__ = ["Redactor"]

_HIDDEN: Final = REDACTED.encode()

_PASSING: Final = 8
"""Passing secrets that are looked for. A venue's access token is replaced every half hour; looking for all those of a
month in every frame would take a hundred times as long as recording it."""


def _spellings(secret: str) -> set[str]:
    """Give the ways in which a text can stand in a frame or a URL. For most tokens they are all the same."""
    escaped, unescaped = json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]
    slashed = {text.replace("/", "\\/") for text in (escaped, unescaped)}  # Some venues' JSON is written by PHP.
    return {secret, escaped, unescaped, *slashed, quote(secret, safe=""), quote(secret), quote_plus(secret)}


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

    def bytes(self, body: bytes) -> bytes:
        for secret in self.blobs:
            if secret in body:
                body = body.replace(secret, _HIDDEN)
        return body

    def value(self, value: Any) -> Any:
        """Give `value` as plain JSON values, with all texts redacted.

        Texts only: hiding a secret of digits in a number's middle would leave no JSON.
        """
        return self._value(msgspec.to_builtins(value, enc_hook=repr, str_keys=True))

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self._value(key): self._value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._value(item) for item in value]
        return value

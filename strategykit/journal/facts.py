"""The body of a record: facts as JSON, with nothing in it that nobody may see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

__all__ = ["decode_facts", "encode_facts"]

_encode = msgspec.json.Encoder(enc_hook=str).encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def encode_facts(facts: Mapping[str, Any], redact: Callable[[str], str]) -> bytes:
    """Give facts as JSON. Whatever a venue made us put in there, this doesn't fail: odd texts and numbers become words.

    Args:
        facts: Plain values; Decimals become texts, enums their values.
        redact: Hides secrets in a text. It is shown the whole as JSON first, which is quick, and each text alone only
            if it would change that: hiding digits in a number's middle would leave no JSON.
    """
    try:
        body = _encode(facts)
    except (ValueError, OverflowError, RecursionError, TypeError):  # Lone surrogates, numbers of many digits, loops.
        body = _encode(_mapped(facts, _tame, 0))
    text = body.decode()
    if redact(text) != text:
        body = _encode(_mapped(_decode(body), redact, 0))
    return body


def decode_facts(body: bytes) -> dict[str, Any]:
    """Give back the facts.

    Raises:
        ValueError: It isn't a JSON object.
    """
    try:
        return _decode(body)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise ValueError(str(exc)) from exc


_DEEPEST = 100
"""Levels of a value that are kept; what is deeper becomes a text."""


def _mapped(value: Any, change: Callable[[str], str], depth: int) -> Any:
    """Give a copy of plain values with `change` done to their texts."""
    if depth > _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        return {change(str(key)): _mapped(item, change, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mapped(item, change, depth + 1) for item in value]
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 1 << 63):
        return value
    return change(str(value))


def _tame(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()

"""A tape as lines for people and for other programs."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import msgspec

from strategykit.tape.format import Kind
from strategykit.tape.reader import Record, Tape

__all__ = ["tape_lines"]


def tape_lines(tape: Tape) -> Iterator[dict[str, Any]]:
    """Yield every record as a dict that JSON can hold: ``seq``, ``time``, ``kind``, ``connection``, and its content.

    A frame's content is ``frame``: parsed where it is a JSON object or list, else the text; a binary frame's is
    ``base64``. An answer has ``ask``, ``status`` and ``body``, a mark ``reading`` and ``count``, all else ``facts``.

    Raises:
        TapeError: It is damaged; all lines before the damage have been given.
    """
    for record in tape:
        yield {
            "seq": record.seq,
            "time": record.time,
            "kind": record.kind.name.lower(),
            "connection": record.connection,
            **_content(record),
        }


def _content(record: Record) -> dict[str, Any]:
    match record.kind:
        case Kind.IN | Kind.OUT:
            return {"frame": _parsed(record.body)}
        case Kind.IN_BINARY | Kind.OUT_BINARY:
            return {"base64": base64.b64encode(record.body).decode("ascii")}
        case Kind.ANSWER:
            answer = record.answer()
            return {"ask": answer.ask, "status": answer.status, "body": _parsed(answer.body)}
        case Kind.MARK:
            reading, count = record.mark()
            return {"reading": reading, "count": count}
        case _:
            return {"facts": record.facts()}


def _parsed(body: bytes) -> Any:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = None
    if isinstance(value, dict | list):
        return value
    return body.decode("utf-8", "backslashreplace")

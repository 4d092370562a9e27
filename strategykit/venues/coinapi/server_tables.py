"""REST answers as text: JSON, or tables of comma-separated values.

Source: CoinAPI protocol sheet, section 8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

__all__ = ["CONTENT_TYPES", "encode_csv", "encode_json"]

CONTENT_TYPES: Final = {"json": "application/json; charset=utf-8", "csv": "text/csv; charset=utf-8"}
"""By what ``output_format`` may be."""

_ENCODER: Final = msgspec.json.Encoder()


def encode_json(value: Any) -> bytes:
    """Word an item, a list of them, or anything else."""
    return _ENCODER.encode(value)


def encode_csv(rows: Sequence[Any], options: Mapping[str, str]) -> bytes:
    """Word items as lines, the first with the names; lists within an item are JSON in their cell.

    Args:
        rows: Items, all of one kind.
        options: The query's ``csv_set_delimiter`` (default ``;``), ``csv_set_dec_mark``, ``csv_exclude_col``,
            ``csv_include_header`` and ``csv_include_quotes``.
    """
    delimiter = options.get("csv_set_delimiter") or ";"
    mark = options.get("csv_set_dec_mark") or "."
    left_out = set(options.get("csv_exclude_col", "").split(","))
    quotes = _is_on(options.get("csv_include_quotes", "false"))

    def cell(value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, float):
            return repr(value).replace(".", mark)
        text = value if isinstance(value, str) else _ENCODER.encode(value).decode()
        if quotes or delimiter in text or '"' in text:
            return '"' + text.replace('"', '""') + '"'
        return text

    lines = []
    for number, row in enumerate(rows):
        fields = msgspec.to_builtins(row)
        names = [name for name in fields if name not in left_out]
        if not number and _is_on(options.get("csv_include_header", "true")):
            lines.append(delimiter.join(map(cell, names)))
        lines.append(delimiter.join(cell(fields[name]) for name in names))
    return "".join(f"{line}\r\n" for line in lines).encode()


def _is_on(text: str) -> bool:
    return text.lower() in ("true", "1")

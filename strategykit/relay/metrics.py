"""A relay's counts as text that monitoring reads: one ``name value`` a line, as Prometheus has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["metrics_text"]


def metrics_text(statistics: Mapping[str, Any]) -> bytes:
    """Write all that are numbers; lists as how many they hold, tables with a label."""
    lines = []
    for name, value in statistics.items():
        if isinstance(value, Mapping):
            for label, count in value.items():
                text = str(label).replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
                lines.append(f'strategykit_relay_{name}{{reason="{text}"}} {count}')
        elif isinstance(value, list):
            lines.append(f"strategykit_relay_{name} {len(value)}")
        elif isinstance(value, bool):
            lines.append(f"strategykit_relay_{name} {int(value)}")
        elif isinstance(value, int | float):
            lines.append(f"strategykit_relay_{name} {value}")
    return ("\n".join(lines) + "\n").encode()

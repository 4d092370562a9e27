"""The libraries of the extra ``archive``: imported here, so that one that is missing is named the same everywhere."""

from __future__ import annotations

from strategykit.errors import ConfigError

try:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.ipc as ipc
    import pyarrow.parquet as pq
except ImportError as exc:  # pragma: no cover - tests have them
    raise ConfigError(f"archives need {exc.name}: pip install 'strategykit[archive]'") from exc

__all__ = ["ipc", "np", "pa", "pc", "pq"]

"""Results of independent engines on the shared recordings; what takes long runs by ``make agreement`` alone."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "agreement" not in config.option.markexpr:
        skip = pytest.mark.skip(reason="takes long: `make agreement` runs it")
        for item in items:
            if "agreement" in item.keywords:
                item.add_marker(skip)

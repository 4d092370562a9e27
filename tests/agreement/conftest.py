"""Results of independent engines on the shared recordings; what takes long runs by ``make agreement`` alone."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "agreement" not in config.option.markexpr:
        skip = pytest.mark.skip(reason="takes long: `make agreement` runs it")
        for item in items:
            if item.get_closest_marker("agreement") is not None:  # The folder of that name is a keyword, too.
                item.add_marker(skip)

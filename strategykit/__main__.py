"""``python -m strategykit``: the same as the command ``strategykit``."""

import sys

from strategykit.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(main())

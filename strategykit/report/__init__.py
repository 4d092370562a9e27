"""What a run left, and what it comes to: figures, tables, pages. `Result` is the door; it needs the extra `report`."""

from strategykit.report.result import Result

__all__ = ["Result"]

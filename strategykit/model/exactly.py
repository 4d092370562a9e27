"""Decimal arithmetic with digits enough that nothing is rounded."""

from __future__ import annotations

from decimal import Context, getcontext, setcontext

__all__ = ["Exactly"]


class Exactly:
    """Count in `context` inside, whatever a strategy has set for itself.

    As `decimal.localcontext`, without a copy of the context: that costs more than the sums do.
    """

    __slots__ = ("_before", "_context")

    def __init__(self, context: Context) -> None:
        self._context = context

    def __enter__(self) -> None:
        self._before = getcontext()
        setcontext(self._context)

    def __exit__(self, *_: object) -> None:
        setcontext(self._before)

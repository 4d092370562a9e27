"""Fewer points of a series that look the same: each pixel keeps its lowest and its highest."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from strategykit.report.metrics import Floats, Times

__all__ = ["PIXELS", "thin_out"]

PIXELS: Final = 1_500
"""Across a drawing: more can't be told apart on most screens."""


def thin_out(times: Times, values: Floats, pixels: int = PIXELS) -> NDArray[np.intp]:
    """Give which points to draw: all, if there are few; else the lowest, highest and last of each pixel, in order.

    Args:
        times: Rising.
        values: At these; NaN is left out.
        pixels: Parts of equal length into which the time is cut.
    """
    known = np.flatnonzero(~np.isnan(values))
    if len(known) <= 3 * pixels:
        return known
    at, seen = times[known], values[known]
    first, span = int(at[0]), max(int(at[-1]) - int(at[0]), 1)
    pixel = np.minimum(((at - first) * (pixels / span)).astype(np.int64), pixels - 1)
    # Sorted by pixel, then value: the first of each run is its lowest, the last its highest.
    order = np.lexsort((seen, pixel))
    ends = np.flatnonzero(np.diff(pixel[order])) if len(order) else order
    lowest, highest = order[np.concatenate(([0], ends + 1))], order[np.concatenate((ends, [len(order) - 1]))]
    last = np.concatenate((np.flatnonzero(np.diff(pixel)), [len(pixel) - 1]))
    return np.asarray(known[np.unique(np.concatenate((lowest, highest, last)))])

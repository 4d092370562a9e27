"""What a benchmark gives back: a ratio taken in one run, beside what it must be and what it should be."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

__all__ = ["Figure", "Incomplete", "figure", "misses"]


class Figure(TypedDict):
    """One ratio. Absolute figures vary with the machine; ratios of the same run much less."""

    ratio: float
    must: float
    goal: float
    better: Literal["higher", "lower"]
    what: NotRequired[str]
    """For people: what is compared with what."""
    figure: NotRequired[str]
    """For people: the absolute figure, with its unit."""


class Incomplete(Exception):
    """A benchmark couldn't measure all that it was to.

    Args:
        figures: What it could.
        reasons: What is missing, and why; a line each.
    """

    def __init__(self, figures: dict[str, Figure], reasons: list[str]) -> None:
        super().__init__("; ".join(reasons))
        self.figures = figures
        self.reasons = reasons


def figure(
    what: str,
    absolute: str,
    ratio: float,
    *,
    must: float,
    goal: float,
    better: Literal["higher", "lower"] = "higher",
) -> Figure:
    """Make a figure."""
    return {"what": what, "figure": absolute, "ratio": ratio, "must": must, "goal": goal, "better": better}


def misses(item: Figure) -> bool:
    """Say whether a ratio misses `must` by more than half: another machine, or a busy one, mustn't fail a gate."""
    if item["better"] == "higher":
        return item["ratio"] < item["must"] * 0.5
    return item["ratio"] > item["must"] * 1.5

"""Invented facts: how much a text says that it was not to say."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from smalltune.measures import slots
from smalltune.metrics import Gold, Stats, TextMetric, of_two

__all__ = ["SlotsInvented"]


class SlotsInvented(TextMetric):
    """The facts invented or said with a wrong value, over the facts asked for.

    See `slot_error_rate`; a wrong value counts both here and in `slots_missing`.
    """

    name: ClassVar[str] = "slots_invented"
    title: ClassVar[str] = "Invented facts"
    version: ClassVar[int] = slots.VERSION
    needs_facts: ClassVar[bool] = True
    percent: ClassVar[bool] = True
    better: ClassVar[str] = "lower"
    bounds: ClassVar[tuple[float, float]] = (0.0, np.inf)

    @staticmethod
    def items(texts: Sequence[str], gold: Sequence[Gold]) -> Stats:
        """Return [items, 2]: the facts made up and the facts asked for."""
        found = slots.errors(texts, [one.facts() for one in gold])
        rows = [[len(one.wrong) + len(one.invented), one.facts] for one in found]
        return np.array(rows, dtype=np.float64).reshape(-1, 2)

    @staticmethod
    def combine(stats: Stats) -> Stats:
        """Return the one over the other; NaN where nothing is asked for."""
        return of_two(stats)

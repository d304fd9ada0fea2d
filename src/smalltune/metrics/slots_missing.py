"""Missing facts: the share of facts that a text does not say."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from smalltune.measures import slots
from smalltune.metrics import Gold, Stats, TextMetric, of_two

__all__ = ["SlotsMissing"]


class SlotsMissing(TextMetric):
    """The facts missing or said with a wrong value, over all facts; see `slot_error_rate`."""

    name: ClassVar[str] = "slots_missing"
    title: ClassVar[str] = "Missing facts"
    version: ClassVar[int] = slots.VERSION
    needs_facts: ClassVar[bool] = True
    percent: ClassVar[bool] = True
    better: ClassVar[str] = "lower"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)

    @staticmethod
    def items(texts: Sequence[str], gold: Sequence[Gold]) -> Stats:
        """Return [items, 2]: the facts not said and the facts asked for."""
        found = slots.errors(texts, [one.facts() for one in gold])
        rows = [[len(one.missing) + len(one.wrong), one.facts] for one in found]
        return np.array(rows, dtype=np.float64).reshape(-1, 2)

    @staticmethod
    def combine(stats: Stats) -> Stats:
        """Return the one over the other; NaN where nothing is asked for."""
        return of_two(stats)

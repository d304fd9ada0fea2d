"""Slots: errors about facts over the facts asked for, whichever errors are counted."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from smalltune.measures import slots
from smalltune.metrics import Gold, Stats, TextMetric, of_two

__all__ = ["SlotMetric"]


class SlotMetric(TextMetric):
    """What `counted` counts in a text, over all facts; see `measures/slots.py`."""

    version: ClassVar[int] = slots.VERSION
    needs_facts: ClassVar[bool] = True
    percent: ClassVar[bool] = True
    better: ClassVar[str] = "lower"
    bounds: ClassVar[tuple[float, float]] = (0.0, np.inf)

    @staticmethod
    @abstractmethod
    def counted(found: slots.Errors) -> int:
        """Return how many of a text's errors count."""

    @classmethod
    def items(cls, texts: Sequence[str], gold: Sequence[Gold]) -> Stats:
        """Return [items, 2]: the errors that count and the facts asked for."""
        found = slots.errors(texts, [one.facts() for one in gold])
        rows = [[cls.counted(one), one.facts] for one in found]
        return np.array(rows, dtype=np.float64).reshape(-1, 2)

    @staticmethod
    def combine(stats: Stats) -> Stats:
        """Return the one over the other; NaN where nothing is asked for."""
        return of_two(stats)

"""Distinct-2: how varied the pairs of words of all texts are."""

from typing import ClassVar

from smalltune.measures.words import Distinct
from smalltune.metrics import Stats, TextMetric, of_two

__all__ = ["Distinct2"]


class Distinct2(Distinct, TextMetric):
    """Different pairs of neighbouring words over all pairs; see `measures/words.py` for items."""

    name: ClassVar[str] = "distinct_2"
    title: ClassVar[str] = "Distinct-2"
    length: ClassVar[int] = 2

    @staticmethod
    def combine(stats: Stats) -> Stats:
        """Return different over all; NaN where there are none."""
        return of_two(stats)

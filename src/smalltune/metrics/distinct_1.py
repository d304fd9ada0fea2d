"""Distinct-1: how varied the words of all texts are."""

from typing import ClassVar

from smalltune.measures.words import Distinct
from smalltune.metrics import Stats, TextMetric, of_two

__all__ = ["Distinct1"]


class Distinct1(Distinct, TextMetric):
    """Different words over all words; see `measures/words.py` for what that is over items."""

    name: ClassVar[str] = "distinct_1"
    title: ClassVar[str] = "Distinct-1"
    length: ClassVar[int] = 1

    @staticmethod
    def combine(stats: Stats) -> Stats:
        """Return different over all; NaN where there are none."""
        return of_two(stats)

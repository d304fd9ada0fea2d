"""ROUGE-1: the words that a text shares with a reference."""

from collections.abc import Sequence
from typing import ClassVar

from smalltune.measures import rouge
from smalltune.metrics import Gold, Stats, TextMetric

__all__ = ["Rouge1"]


class Rouge1(TextMetric):
    """The mean F of single words (Lin 2004); see `measures/rouge.py` for the options."""

    name: ClassVar[str] = "rouge1"
    title: ClassVar[str] = "ROUGE-1"
    version: ClassVar[int] = rouge.VERSION
    percent: ClassVar[bool] = True
    better: ClassVar[str] = "higher"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)

    @staticmethod
    def items(texts: Sequence[str], gold: Sequence[Gold]) -> Stats:
        """Return [items, 1]: F in the best reference."""
        return rouge.f_measures("rouge1", texts, [one.required() for one in gold])[:, None]

    @staticmethod
    def signature(gold: Sequence[Gold]) -> str:
        """Return the package, its version and options."""
        return rouge.signature("rouge1")

"""ROUGE-Lsum: the common subsequences of words, sentence by sentence."""

from collections.abc import Sequence
from typing import ClassVar

from smalltune.measures import rouge
from smalltune.metrics import Gold, Stats, TextMetric

__all__ = ["RougeLsum"]


class RougeLsum(TextMetric):
    """The mean F of the union of common subsequences, each line a sentence (Lin 2004, section 3.2).

    Of texts in one line it is ROUGE-L. The options stand in `measures/rouge.py`.
    """

    name: ClassVar[str] = "rougeLsum"
    title: ClassVar[str] = "ROUGE-Lsum"
    version: ClassVar[int] = rouge.VERSION
    percent: ClassVar[bool] = True
    better: ClassVar[str] = "higher"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)

    @staticmethod
    def items(texts: Sequence[str], gold: Sequence[Gold]) -> Stats:
        """Return [items, 1]: F in the best reference."""
        return rouge.f_measures("rougeLsum", texts, [one.required() for one in gold])[:, None]

    @staticmethod
    def signature(gold: Sequence[Gold]) -> str:
        """Return the package, its version and options."""
        return rouge.signature("rougeLsum")

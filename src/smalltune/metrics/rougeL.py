"""ROUGE-L: the longest common subsequence of words with a reference."""

from collections.abc import Sequence
from typing import ClassVar

from smalltune.measures import rouge
from smalltune.metrics import Gold, Stats, TextMetric

__all__ = ["RougeL"]


class RougeL(TextMetric):
    """The mean F of the longest common subsequence of the whole texts (Lin 2004).

    Line breaks count as spaces; `rougeLsum` takes sentence by sentence. The options stand in
    `measures/rouge.py`.
    """

    name: ClassVar[str] = "rougeL"
    title: ClassVar[str] = "ROUGE-L"
    version: ClassVar[int] = rouge.VERSION
    percent: ClassVar[bool] = True
    better: ClassVar[str] = "higher"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)

    @staticmethod
    def items(texts: Sequence[str], gold: Sequence[Gold]) -> Stats:
        """Return [items, 1]: F in the best reference."""
        return rouge.f_measures("rougeL", texts, [one.required() for one in gold])[:, None]

    @staticmethod
    def signature(gold: Sequence[Gold]) -> str:
        """Return the package, its version and options."""
        return rouge.signature("rougeL")

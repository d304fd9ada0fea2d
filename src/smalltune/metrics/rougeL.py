"""ROUGE-L: the longest common subsequence of words with a reference."""

from typing import ClassVar

from smalltune.measures.rouge import Rouge
from smalltune.metrics import TextMetric

__all__ = ["RougeL"]


class RougeL(Rouge, TextMetric):
    """The mean F of the longest common subsequence of the whole texts (Lin 2004).

    Line breaks count as spaces; `rougeLsum` takes sentence by sentence. The options stand in
    `measures/rouge.py`.
    """

    name: ClassVar[str] = "rougeL"
    title: ClassVar[str] = "ROUGE-L"

"""ROUGE-Lsum: the common subsequences of words, sentence by sentence."""

from typing import ClassVar

from smalltune.measures.rouge import Rouge
from smalltune.metrics import TextMetric

__all__ = ["RougeLsum"]


class RougeLsum(Rouge, TextMetric):
    """The mean F of the union of common subsequences, each line a sentence (Lin 2004, section 3.2).

    Of texts in one line it is ROUGE-L. The options stand in `measures/rouge.py`.
    """

    name: ClassVar[str] = "rougeLsum"
    title: ClassVar[str] = "ROUGE-Lsum"

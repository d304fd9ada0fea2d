"""ROUGE-2: the pairs of words that a text shares with a reference."""

from typing import ClassVar

from smalltune.measures.rouge import Rouge
from smalltune.metrics import TextMetric

__all__ = ["Rouge2"]


class Rouge2(Rouge, TextMetric):
    """The mean F of neighbouring words (Lin 2004); see `measures/rouge.py` for the options."""

    name: ClassVar[str] = "rouge2"
    title: ClassVar[str] = "ROUGE-2"

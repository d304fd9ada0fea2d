"""ROUGE-1: the words that a text shares with a reference."""

from typing import ClassVar

from smalltune.measures.rouge import Rouge
from smalltune.metrics import TextMetric

__all__ = ["Rouge1"]


class Rouge1(Rouge, TextMetric):
    """The mean F of single words (Lin 2004); see `measures/rouge.py` for the options."""

    name: ClassVar[str] = "rouge1"
    title: ClassVar[str] = "ROUGE-1"

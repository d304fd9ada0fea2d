"""Exact match: the share of answers that are one of the right answers, as SQuAD compares them."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from smalltune.measures.answers import ShortAnswers, matches
from smalltune.metrics import Gold, Stats, TextMetric

__all__ = ["ExactMatch"]


class ExactMatch(ShortAnswers, TextMetric):
    """The share of items whose text equals a reference but for case, punctuation and articles.

    Rajpurkar et al. (2016), version 1.1 of the official evaluation: a text of which nothing is left
    matches a reference of which nothing is left. An item without references, which that version
    does not know, is a question without an answer: right is to write nothing (Rajpurkar et al.
    2018).
    """

    name: ClassVar[str] = "exact_match"
    title: ClassVar[str] = "Exact match"

    @staticmethod
    def items(texts: Sequence[str], gold: Sequence[Gold]) -> Stats:
        """Return [items, 1]: one where the text is a right answer, else zero."""
        pairs = zip(texts, gold, strict=True)
        right = [matches(text, one.references) for text, one in pairs]
        return np.array(right, dtype=np.float64).reshape(-1, 1)

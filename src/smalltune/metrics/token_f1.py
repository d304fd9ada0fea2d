"""Token F1: how many words an answer shares with the nearest right answer, as SQuAD counts."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from smalltune.measures.answers import ShortAnswers, f1
from smalltune.metrics import Gold, Stats, TextMetric

__all__ = ["TokenF1"]


class TokenF1(ShortAnswers, TextMetric):
    """The mean of the best F1 of words over an item's references.

    Words are compared without case, punctuation and articles: Rajpurkar et al. (2016), version 1.1
    of the official evaluation. A reference without a word, as "." or "the", gives no text an F1
    above zero, though `exact_match` may hold. An item without references, which that version does
    not know, is a question without an answer: right is to write nothing (Rajpurkar et al. 2018).
    """

    name: ClassVar[str] = "token_f1"
    title: ClassVar[str] = "Token F1"

    @staticmethod
    def items(texts: Sequence[str], gold: Sequence[Gold]) -> Stats:
        """Return [items, 1]: the F1 with the reference that is nearest."""
        pairs = zip(texts, gold, strict=True)
        best = [f1(text, one.references) for text, one in pairs]
        return np.array(best, dtype=np.float64).reshape(-1, 1)

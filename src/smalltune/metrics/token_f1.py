"""Token F1: how many words an answer shares with the nearest right answer, as SQuAD counts."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from smalltune.measures.answers import VERSION, bare, overlap, rights
from smalltune.metrics import Gold, Stats, TextMetric

__all__ = ["TokenF1"]


class TokenF1(TextMetric):
    """The mean of the best F1 of words over an item's references.

    Words are compared without case, punctuation and articles: Rajpurkar et al. (2016), version 1.1
    of the official evaluation. An item without references is a question without an answer: right
    is to write nothing (Rajpurkar et al. 2018).
    """

    name: ClassVar[str] = "token_f1"
    title: ClassVar[str] = "Token F1"
    version: ClassVar[int] = VERSION
    percent: ClassVar[bool] = True
    better: ClassVar[str] = "higher"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)

    @staticmethod
    def items(texts: Sequence[str], gold: Sequence[Gold]) -> Stats:
        """Return [items, 1]: the F1 with the reference that is nearest."""
        pairs = [
            (bare(text), rights(one.references)) for text, one in zip(texts, gold, strict=True)
        ]
        best = [max(overlap(said, right) for right in known) for said, known in pairs]
        return np.array(best, dtype=np.float64).reshape(-1, 1)

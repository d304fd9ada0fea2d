"""Length ratio: how long the texts are, measured by their references."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from smalltune.measures.words import VERSION, words
from smalltune.metrics import Gold, Stats, TextMetric, of_two

__all__ = ["LengthRatio"]


class LengthRatio(TextMetric):
    """All words written over all words of the references; marks of punctuation count as words.

    Of several references the one nearest in length counts, of two as near the shorter, as in BLEU
    (Papineni et al. 2002). One is right and neither more nor less is better: it tells why other
    scores are low, and no method wins by it.
    """

    name: ClassVar[str] = "length_ratio"
    title: ClassVar[str] = "Length ratio"
    version: ClassVar[int] = VERSION
    percent: ClassVar[bool] = False
    better: ClassVar[str] = "neither"
    bounds: ClassVar[tuple[float, float]] = (0.0, np.inf)

    @staticmethod
    def items(texts: Sequence[str], gold: Sequence[Gold]) -> Stats:
        """Return [items, 2]: the words of the text and of its reference."""
        rows = []
        for text, one in zip(texts, gold, strict=True):
            long = len(words(text))
            known = sorted(len(words(reference)) for reference in one.required())
            apart = [abs(length - long) for length in known]
            rows.append([long, known[apart.index(min(apart))]])
        return np.array(rows, dtype=np.float64).reshape(-1, 2)

    @staticmethod
    def combine(stats: Stats) -> Stats:
        """Return written over asked; NaN where the references are empty."""
        return of_two(stats)

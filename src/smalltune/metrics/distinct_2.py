"""Distinct-2: how varied the pairs of words of all texts are."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from smalltune.measures.words import VERSION, new_shares
from smalltune.metrics import Gold, Stats, TextMetric, ratio

__all__ = ["Distinct2"]


class Distinct2(TextMetric):
    """Different pairs of words over all pairs of words, in all texts together (Li et al. 2016).

    How many are different is no sum over items. Each pair of neighbours counts 1/k in each of the k
    texts that hold it, which sums to that number: the value over all items is exact, and the
    interval takes it that leaving out a text loses its shares. More texts repeat more, so only
    scores on the same items can be compared.
    """

    name: ClassVar[str] = "distinct_2"
    title: ClassVar[str] = "Distinct-2"
    version: ClassVar[int] = VERSION
    percent: ClassVar[bool] = False
    better: ClassVar[str] = "higher"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)

    @staticmethod
    def items(texts: Sequence[str], gold: Sequence[Gold]) -> Stats:
        """Return [items, 2]: the text's share in the different pairs, and its number of pairs."""
        return np.array(new_shares(texts, 2), dtype=np.float64).reshape(-1, 2)

    @staticmethod
    def combine(stats: Stats) -> Stats:
        """Return different over all; NaN where there are none."""
        return ratio(*np.moveaxis(np.asarray(stats, dtype=np.float64), -1, 0))

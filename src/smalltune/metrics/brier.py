"""Brier score: the squared distance of the probabilities from what was right."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from smalltune.metrics import LabelMetric, Stats

__all__ = ["Brier"]


class Brier(LabelMetric):
    """The mean of the squared differences, summed over all labels as in Brier (1950).

    Zero is certain and right, two is certain and wrong. With two labels it is twice the value
    that scikit-learn's `brier_score_loss` has by default, which looks at one of them.
    """

    name: ClassVar[str] = "brier"
    title: ClassVar[str] = "Brier score"
    percent: ClassVar[bool] = False
    better: ClassVar[str] = "lower"
    bounds: ClassVar[tuple[float, float]] = (0.0, 2.0)

    @staticmethod
    def items(gold: Sequence[int], log_probs: Any, names: Sequence[str]) -> Stats:
        """Return [items, 1]: the sum over labels of (probability - gold)^2."""
        probs = np.exp(np.asarray(log_probs, dtype=np.float64).reshape(len(gold), len(names)))
        is_gold = np.asarray(gold, dtype=np.int64)[:, None] == np.arange(len(names))
        stats: Stats = ((probs - is_gold) ** 2).sum(axis=1, keepdims=True)
        return stats

"""Accuracy: the share of items whose answer is the gold label."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from smalltune.metrics import AnswerMetric, Stats, answered

__all__ = ["Accuracy"]


class Accuracy(AnswerMetric):
    """The share of right answers.

    An output that is none of the labels is a wrong answer.
    """

    name: ClassVar[str] = "accuracy"
    title: ClassVar[str] = "Accuracy"
    version: ClassVar[int] = 2
    percent: ClassVar[bool] = True
    better: ClassVar[str] = "higher"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)

    @staticmethod
    def items(gold: Sequence[int], log_probs: Any, names: Sequence[str]) -> Stats:
        """Return [items, 1]: one where the prediction is right, else zero."""
        right = answered(log_probs, len(names)) == np.asarray(gold, dtype=np.int64)
        stats: Stats = right.astype(np.float64)[:, None]
        return stats

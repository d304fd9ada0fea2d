"""Accuracy: the share of items whose most likely label is the gold label."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from smalltune.metrics import Stats

__all__ = ["Accuracy"]


class Accuracy:
    """The share of right answers; of equally likely labels the first one is the answer."""

    name: ClassVar[str] = "accuracy"
    title: ClassVar[str] = "Accuracy"
    version: ClassVar[int] = 1
    percent: ClassVar[bool] = True
    better: ClassVar[str] = "higher"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)

    @staticmethod
    def items(gold: Sequence[int], log_probs: Any, names: Sequence[str]) -> Stats:
        """Return [items, 1]: one where the prediction is right, else zero."""
        scores = np.asarray(log_probs, dtype=np.float64).reshape(len(gold), len(names))
        right = scores.argmax(axis=1) == np.asarray(gold, dtype=np.int64)
        stats: Stats = right.astype(np.float64)[:, None]
        return stats

    @staticmethod
    def combine(stats: Stats) -> Stats:
        """Return the mean itself."""
        value: Stats = np.asarray(stats, dtype=np.float64)[..., 0]
        return value

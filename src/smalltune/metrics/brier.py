"""Brier score: the squared distance of the probabilities from what was right."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from smalltune.measures import calibration
from smalltune.metrics import LabelMetric, Stats

__all__ = ["Brier"]


class Brier(LabelMetric):
    """The mean of the squared differences, summed over all labels as in Brier (1950).

    Zero is certain and right, two is certain and wrong. With two labels it is twice the value
    that scikit-learn's `brier_score_loss` has by default, which looks at one of them. An item whose
    labels have no probabilities (see `calibration.weighed`) is left out; NaN where all are.
    """

    name: ClassVar[str] = "brier"
    title: ClassVar[str] = "Brier score"
    version: ClassVar[int] = calibration.VERSION
    percent: ClassVar[bool] = False
    better: ClassVar[str] = "lower"
    bounds: ClassVar[tuple[float, float]] = (0.0, 2.0)

    @staticmethod
    def items(gold: Sequence[int], log_probs: Any, names: Sequence[str]) -> Stats:
        """Return [items, 2]: the sum over labels of (probability - gold)^2, one if it counts."""
        scores = np.asarray(log_probs, dtype=np.float64).reshape(len(gold), len(names))
        counts = calibration.weighed(scores, len(names))[:, None]
        is_gold = np.asarray(gold, dtype=np.int64)[:, None] == np.arange(len(names))
        apart = ((np.exp(scores) - is_gold) ** 2).sum(axis=1, keepdims=True)
        return np.concatenate([np.where(counts, apart, 0.0), counts], axis=1)

    @staticmethod
    def combine(stats: Stats) -> Stats:
        """Return the mean over the items that count."""
        return calibration.of_weighed(stats)[..., 0]

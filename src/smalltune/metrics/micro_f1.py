"""Micro-averaged F1: one F1 over all labels' hits and misses together."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from smalltune.metrics import AnswerMetric, Stats, answered, ratio

__all__ = ["MicroF1"]


class MicroF1(AnswerMetric):
    """2TP / (2TP + FP + FN), each counted over all labels (van Rijsbergen 1979; Yang 1999).

    With one label per item a wrong label is a false positive and a false negative, so the value is
    the accuracy, except where an output is none of the labels: it is missed and not false.
    """

    name: ClassVar[str] = "micro_f1"
    title: ClassVar[str] = "Micro-F1"
    version: ClassVar[int] = 2
    percent: ClassVar[bool] = True
    better: ClassVar[str] = "higher"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)

    @staticmethod
    def items(gold: Sequence[int], log_probs: Any, names: Sequence[str]) -> Stats:
        """Return [items, 3]: true positives, false positives, false negatives."""
        said = answered(log_probs, len(names))
        right = said == np.asarray(gold, dtype=np.int64)
        parts = (right, ~right & (said >= 0), ~right)
        return np.stack(parts, axis=1).astype(np.float64)

    @staticmethod
    def combine(stats: Stats) -> Stats:
        """Return the F1 of the mean counts; NaN where there are none."""
        hit, false, missed = np.moveaxis(np.asarray(stats, dtype=np.float64), -1, 0)
        return ratio(2 * hit, 2 * hit + false + missed)

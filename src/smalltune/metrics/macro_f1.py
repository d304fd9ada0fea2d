"""Macro-averaged F1: the mean of the labels' F1 scores, each label counting the same."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from smalltune.metrics import AnswerMetric, Stats, answered

__all__ = ["MacroF1"]


class MacroF1(AnswerMetric):
    """The mean over labels of 2TP / (2TP + FP + FN).

    A label that neither the gold labels nor the predictions hold has no F1 and is left out of the
    mean, as scikit-learn's `f1_score(average="macro")` does when it is given no list of labels.
    A label that occurs and is never right counts as zero. An output that is none of the labels
    misses the gold label and is no label of its own.
    """

    name: ClassVar[str] = "macro_f1"
    title: ClassVar[str] = "Macro-F1"
    version: ClassVar[int] = 2
    percent: ClassVar[bool] = True
    better: ClassVar[str] = "higher"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)

    @staticmethod
    def items(gold: Sequence[int], log_probs: Any, names: Sequence[str]) -> Stats:
        """Return [items, 3 * labels]: true positives, false positives, false negatives."""
        label = np.arange(len(names))
        is_gold = np.asarray(gold, dtype=np.int64)[:, None] == label
        is_said = answered(log_probs, len(names))[:, None] == label
        parts = (is_gold & is_said, ~is_gold & is_said, is_gold & ~is_said)
        return np.concatenate(parts, axis=1).astype(np.float64)

    @staticmethod
    def combine(stats: Stats) -> Stats:
        """Return the mean F1 over the labels that occur; NaN when there are none."""
        hit, false, missed = np.split(np.asarray(stats, dtype=np.float64), 3, axis=-1)
        below = 2 * hit + false + missed
        occurs = below > 0
        f1 = np.divide(2 * hit, below, out=np.zeros_like(below), where=occurs)
        labels = occurs.sum(axis=-1)
        value: Stats = np.full(labels.shape, np.nan)
        np.divide(f1.sum(axis=-1), labels, out=value, where=labels > 0)
        return value

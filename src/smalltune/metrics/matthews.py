"""Matthews correlation: how gold labels and answers go together, beyond their frequencies."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from smalltune.metrics import AnswerMetric, Stats, answered, ratio

__all__ = ["Matthews"]

TINY = 1e-15  # below it a spread is rounding


class Matthews(AnswerMetric):
    """The correlation of gold and predicted labels: one is perfect, zero is chance.

    For two labels Matthews (1975), for more Gorodkin (2004); GLUE's measure for CoLA. An output
    that is none of the labels is a label of its own that is never gold. Where all gold labels or
    all answers are the same it is undefined, and not zero as scikit-learn has it.
    """

    name: ClassVar[str] = "matthews"
    title: ClassVar[str] = "Matthews correlation"
    version: ClassVar[int] = 2
    percent: ClassVar[bool] = False
    better: ClassVar[str] = "higher"
    bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    @staticmethod
    def items(gold: Sequence[int], log_probs: Any, names: Sequence[str]) -> Stats:
        """Return [items, 1 + 2 * labels]: right or not, the gold label and the answer as ones."""
        label = np.arange(len(names))
        wanted = np.asarray(gold, dtype=np.int64)
        said = answered(log_probs, len(names))
        parts = ((said == wanted)[:, None], wanted[:, None] == label, said[:, None] == label)
        return np.concatenate(parts, axis=1).astype(np.float64)

    @staticmethod
    def combine(stats: Stats) -> Stats:
        """Return the covariance over both deviations; NaN where one does not vary."""
        mean = np.asarray(stats, dtype=np.float64)
        right, (wanted, said) = mean[..., 0], np.split(mean[..., 1:], 2, axis=-1)
        nothing = 1 - said.sum(axis=-1)
        spread = (1 - (wanted**2).sum(axis=-1)) * (1 - (said**2).sum(axis=-1) - nothing**2)
        spread = np.where(spread > TINY, spread, 0.0)
        return ratio(right - (wanted * said).sum(axis=-1), np.sqrt(spread))

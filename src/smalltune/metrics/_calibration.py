"""Calibration error: how far confidence and accuracy lie apart, whatever the probabilities are."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from smalltune.measures import calibration
from smalltune.metrics import LabelMetric, Stats

__all__ = ["CalibrationError"]


class CalibrationError(LabelMetric):
    """The sum over bins of |mean of right - confidence|; see `measures/calibration.py`."""

    version: ClassVar[int] = calibration.VERSION
    percent: ClassVar[bool] = True
    better: ClassVar[str] = "lower"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)

    @staticmethod
    def items(gold: Sequence[int], log_probs: Any, names: Sequence[str]) -> Stats:
        """Return [items, bins + 1]: right less confidence in its bin, and one if it counts."""
        return calibration.gaps(gold, log_probs, len(names))

    @staticmethod
    def combine(stats: Stats) -> Stats:
        """Return the sum over bins of the absolute mean of the items that count."""
        value: Stats = np.abs(calibration.of_weighed(stats)).sum(axis=-1)
        return value

"""Calibration error after temperature scaling: what one number fitted on dev does not mend."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from smalltune.measures import calibration
from smalltune.metrics import LabelMetric, Stats

__all__ = ["ScaledCalibrationError"]


class ScaledCalibrationError(LabelMetric):
    """The calibration error of `ece`, of probabilities at a temperature (Guo et al. 2017).

    The temperature is the one under which the gold labels of dev are most likely; it changes no
    answer. Judged on dev itself it is fitted on what it judges. An item whose labels have no
    probabilities (see `calibration.weighed`) is left out, of dev as well; NaN where all are.
    """

    name: ClassVar[str] = "ece_scaled"
    title: ClassVar[str] = "Expected calibration error, temperature scaled"
    version: ClassVar[int] = calibration.VERSION
    percent: ClassVar[bool] = True
    better: ClassVar[str] = "lower"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    judges: ClassVar[str] = "scaled labels"
    fitted: ClassVar[bool] = True

    @staticmethod
    def items(gold: Sequence[int], log_probs: Any, names: Sequence[str]) -> Stats:
        """Return [items, bins + 1]: right less confidence in its bin, and one if it counts."""
        return calibration.gaps(gold, log_probs, len(names))

    @staticmethod
    def combine(stats: Stats) -> Stats:
        """Return the sum over bins of the absolute mean of the items that count."""
        value: Stats = np.abs(calibration.of_weighed(stats)).sum(axis=-1)
        return value

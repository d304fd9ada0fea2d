"""Expected calibration error: how far confidence and accuracy lie apart."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from smalltune.measures import calibration
from smalltune.metrics import LabelMetric, Stats

__all__ = ["ExpectedCalibrationError"]


class ExpectedCalibrationError(LabelMetric):
    """The mean over items of |accuracy - confidence| in the item's bin (Naeini et al. 2015).

    There are 15 bins with equally many items each, not of equal width: where a model is nearly
    always sure, bins of equal width are nearly all empty (Nguyen and O'Connor 2015; Nixon et al.
    2019). The bins are those of the items that were scored and stay when items are left out, so
    that the value is a function of means: the sum over bins of |mean of right - confidence|. It
    is biased upwards when a bin holds few items. An item whose labels have no probabilities (see
    `calibration.weighed`) is left out; NaN where all are.
    """

    name: ClassVar[str] = "ece"
    title: ClassVar[str] = "Expected calibration error"
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

"""Negative log-likelihood: how improbable the gold label was, in nats per item."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from smalltune.measures import calibration
from smalltune.metrics import LabelMetric, Stats

__all__ = ["NegativeLogLikelihood"]


class NegativeLogLikelihood(LabelMetric):
    """The mean of minus the natural logarithm of the gold label's probability.

    The log-probabilities are taken as they are: the prediction has normalised them over the
    labels. Unlike accuracy it sees confidence, so it tells methods apart where accuracy ties. An
    item whose labels have no probabilities (see `calibration.weighed`: broken numbers, or an answer
    that was written) has none, NaN, and with it the mean; `invalid_rate` tells how many broke.
    """

    name: ClassVar[str] = "nll"
    title: ClassVar[str] = "Negative log-likelihood"
    version: ClassVar[int] = calibration.VERSION
    percent: ClassVar[bool] = False
    better: ClassVar[str] = "lower"
    bounds: ClassVar[tuple[float, float]] = (0.0, float("inf"))

    @staticmethod
    def items(gold: Sequence[int], log_probs: Any, names: Sequence[str]) -> Stats:
        """Return [items, 1]: the negative log-likelihood of each item's gold label, in nats."""
        scores = np.asarray(log_probs, dtype=np.float64).reshape(len(gold), len(names))
        at = np.asarray(gold, dtype=np.int64)[:, None]
        counts = calibration.weighed(scores, len(names))[:, None]
        return np.where(counts, 0.0 - np.take_along_axis(scores, at, axis=1), np.nan)

"""Calibration: does a confidence of 80 % mean right in 80 of 100 cases?"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BINS", "VERSION", "gaps", "scaled", "temperature"]

VERSION = 1
BINS = 15
LEAST, MOST = 0.01, 100.0
FLOOR = -1e9  # what has no chance at any temperature

Array = NDArray[np.float64]


def gaps(gold: Sequence[int], log_probs: Any, labels: int, bins: int = BINS) -> Array:
    """Return [items, bins]: in the column of its bin, whether an item is right less its confidence.

    The confidence is the probability of the most likely label. The bins hold equally many items:
    the item with r of n confidences below its own is in bin r * bins // n, so equal confidences
    share a bin and the order of the items does not matter. With few items some bins are empty. An
    item without a valid answer is NaN.
    """
    scores = np.asarray(log_probs, dtype=np.float64).reshape(-1, labels)
    right = scores.argmax(axis=1) == np.asarray(gold, dtype=np.int64)
    confidence = np.exp(scores.max(axis=1))
    below = np.searchsorted(np.sort(confidence), confidence, side="left")
    placed: Array = np.zeros((len(scores), bins))
    at = below * bins // max(len(scores), 1)
    placed[np.arange(len(scores)), np.minimum(at, bins - 1)] = right - confidence
    return placed


def temperature(gold: Sequence[int], log_probs: Any, labels: int) -> float:
    """Return the temperature under which the gold labels are most likely (Guo et al. 2017).

    The loss is convex in the inverse of the temperature, so its slope is bisected. It is kept
    between 1/100 and 100: where every answer is right, no temperature would be low enough. Items
    without a valid answer are left out; NaN when none is left.
    """
    scores = np.maximum(np.asarray(log_probs, dtype=np.float64).reshape(-1, labels), FLOOR)
    valid = ~np.isnan(scores).any(axis=1)
    scores, wanted = scores[valid], np.asarray(gold, dtype=np.int64)[valid]
    if not len(scores):
        return float("nan")
    reached = np.take_along_axis(scores, wanted[:, None], axis=1).mean()

    def slope(sharpness: float) -> float:
        weights = np.exp(scaled(scores, 1 / sharpness))
        return float((weights * scores).sum(axis=1).mean() - reached)

    low, high = np.log(1 / MOST), np.log(1 / LEAST)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if slope(np.exp(middle)) > 0 else (middle, high)
    return float(np.exp(-(low + high) / 2))


def scaled(log_probs: Any, degree: float) -> Array:
    """Return log_probs [items, labels] at a temperature, normalised again; above one is milder."""
    sharp = np.maximum(np.asarray(log_probs, dtype=np.float64), FLOOR) / degree
    sharp = sharp - sharp.max(axis=1, keepdims=True)
    even: Array = sharp - np.log(np.exp(sharp).sum(axis=1, keepdims=True))
    return even

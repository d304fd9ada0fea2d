"""Calibration: does a confidence of 80 % mean right in 80 of 100 cases?

It is asked of items whose labels were weighed. Where numbers broke (NaN) there is no probability to
judge, and an answer that was written, which has all the weight and leaves none to the others, was
not weighed. Such items are left out, here and in every metric of probabilities, so that one of them
does not take the value from all; `invalid_rate` and accuracy tell of them.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BINS", "VERSION", "gaps", "of_weighed", "scaled", "temperature", "weighed"]

VERSION = 2
BINS = 15
LEAST, MOST = 0.01, 100.0
FLOOR = -1e9  # what has no chance at any temperature

Array = NDArray[np.float64]


def weighed(log_probs: Any, labels: int) -> NDArray[np.bool_]:
    """Return for each item whether its labels have probabilities.

    They have none where one of them is NaN, or where one label has all the weight to the last bit,
    as an answer that was written has; a model's own weights, even of a sure one, never do.
    """
    scores = np.asarray(log_probs, dtype=np.float64).reshape(-1, labels)
    alone = (scores == -np.inf).sum(axis=1) == labels - 1
    found: NDArray[np.bool_] = ~np.isnan(scores).any(axis=1) & ~(alone & (labels > 1))
    return found


def of_weighed(stats: Any) -> Array:
    """Return the means [..., k] of the items that count, of means [..., k + 1] of all items.

    The last column says which count, as one or zero; where none does the means are NaN.
    """
    means = np.asarray(stats, dtype=np.float64)
    count = means[..., -1:]
    found: Array = np.full(means[..., :-1].shape, np.nan)
    np.divide(means[..., :-1], count, out=found, where=count > 0)
    return found


def gaps(gold: Sequence[int], log_probs: Any, labels: int, bins: int = BINS) -> Array:
    """Return [items, bins + 1]: in the column of its bin, whether an item is right less confidence.

    The confidence is the probability of the most likely label. The bins hold equally many items:
    the item with r of n confidences below its own is in bin r * bins // n, so equal confidences
    share a bin and the order of the items does not matter. With few items some bins are empty. The
    last column is one for the items that were `weighed`; the others are in no bin.
    """
    scores = np.asarray(log_probs, dtype=np.float64).reshape(-1, labels)
    counts = weighed(scores, labels)
    placed: Array = np.zeros((len(scores), bins + 1))
    placed[:, -1] = counts
    scores, wanted = scores[counts], np.asarray(gold, dtype=np.int64)[counts]
    right = scores.argmax(axis=1) == wanted
    confidence = np.exp(scores.max(axis=1))
    below = np.searchsorted(np.sort(confidence), confidence, side="left")
    at = below * bins // max(len(scores), 1)
    placed[np.flatnonzero(counts), np.minimum(at, bins - 1)] = right - confidence
    return placed


def temperature(gold: Sequence[int], log_probs: Any, labels: int) -> float:
    """Return the temperature under which the gold labels are most likely (Guo et al. 2017).

    The loss is convex in the inverse of the temperature, so its slope is bisected. It is kept
    between 1/100 and 100: where every answer is right, no temperature would be low enough. Items
    that were not `weighed` are left out; NaN when none is left.
    """
    scores = np.asarray(log_probs, dtype=np.float64).reshape(-1, labels)
    counts = weighed(scores, labels)
    scores, wanted = scores[counts], np.asarray(gold, dtype=np.int64)[counts]
    scores = np.maximum(scores, FLOOR)
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
    """Return log_probs [items, labels] at a temperature, normalised again; above one is milder.

    An item that was not `weighed` stays as it is.
    """
    before = np.asarray(log_probs, dtype=np.float64)
    sharp = np.maximum(before, FLOOR) / degree
    sharp = sharp - sharp.max(axis=1, keepdims=True)
    even: Array = sharp - np.log(np.exp(sharp).sum(axis=1, keepdims=True))
    return np.where(weighed(before, before.shape[1])[:, None], even, before)

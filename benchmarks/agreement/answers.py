"""Answers: what one side said of one set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Answers", "Asked", "log_softmax"]

Asked = tuple[tuple[int, ...], tuple[int, ...]]
"""The tokens of a prompt and of a choice after it."""


@dataclass(frozen=True)
class Answers:
    """Of n items with C choices each.

    asked       [n][C]; a side that cuts what is too long may give it before the cut
    sums        log-likelihoods [n, C] in nats of each choice after its prompt
    log_probs   the same normalised over the choices [n, C]
    predicted   places of the chosen [n], by lm-eval's name of the metric
    right       whether that side counts an item as right [n], by metric
    cut         how many items that side says it cut; None where it does not say
    """

    asked: Sequence[Sequence[Asked]]
    sums: NDArray[np.float64]
    log_probs: NDArray[np.float64]
    predicted: Mapping[str, NDArray[np.int64]]
    right: Mapping[str, NDArray[np.bool_]]
    cut: int | None = None


def log_softmax(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sums [n, C] less what makes each row's exponentials add up to one."""
    less = sums - sums.max(axis=1, keepdims=True)
    found: NDArray[np.float64] = less - np.log(np.exp(less).sum(axis=1, keepdims=True))
    return found

"""Metrics: one file each. A metric keeps statistics per item, so that it can be resampled.

A corpus metric such as macro-F1 is no mean over items, but it is a function of means over items.
So every metric comes in two steps: `items` turns predictions into a row of sufficient statistics
per item (that is what the store keeps), `combine` turns the means of those rows into the value.
A jackknife or a bootstrap over items then costs sums, never a second look at the predictions.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Metric", "Stats"]

Stats = NDArray[np.float64]
"""Statistics [..., items, k] or their means [..., k], always in float64."""


class Metric(Protocol):
    """What a file of this room offers: a class with these constants and two pure functions.

    `percent` says that the value is printed times 100, `better` is "higher" or "lower", `bounds`
    are the least and the greatest value that can be, `version` rises when a value can change.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    version: ClassVar[int]
    percent: ClassVar[bool]
    better: ClassVar[str]
    bounds: ClassVar[tuple[float, float]]

    @staticmethod
    def items(gold: Sequence[int], log_probs: Any, names: Sequence[str]) -> Stats:
        """Return the statistics [items, k] of gold labels [items] and log_probs [items, labels].

        `gold` holds positions in `names`, the label names in the order of the columns.
        """
        ...

    @staticmethod
    def combine(stats: Stats) -> Stats:
        """Return the value [...] from mean statistics [..., k]; undefined is NaN."""
        ...

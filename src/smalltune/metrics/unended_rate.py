"""Unended rate: the share of outputs that came to no end."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from smalltune.metrics import EndingMetric, Stats

__all__ = ["UnendedRate"]


class UnendedRate(EndingMetric):
    """The share of items whose text was cut off, because it was as long as may be written.

    A text has ended with the token that ends an answer, or with its line where the task reads a
    line. One that has not is judged as it is; where many have not, the model has not learned to
    stop, or `longest` is too small.
    """

    name: ClassVar[str] = "unended_rate"
    title: ClassVar[str] = "Unended-output rate"
    percent: ClassVar[bool] = True
    better: ClassVar[str] = "lower"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)

    @staticmethod
    def items(ended: Sequence[bool]) -> Stats:
        """Return [items, 1]: one where the text did not end, else zero."""
        stats: Stats = 1.0 - np.asarray(ended, dtype=np.float64).reshape(-1, 1)
        return stats

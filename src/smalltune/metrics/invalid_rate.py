"""Invalid-output rate: the share of outputs that are no answer at all."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from smalltune.metrics import Stats, ValidityMetric

__all__ = ["InvalidRate"]


class InvalidRate(ValidityMetric):
    """The share of items whose output is none of the answers that the task allows.

    Such an output counts as wrong wherever answers are judged; here it is seen. A model that
    weighs labels always answers, unless its numbers broke (NaN). A text of the model's own must
    hold a letter or a figure; where labels are to be written it must begin with a label's word.
    """

    name: ClassVar[str] = "invalid_rate"
    title: ClassVar[str] = "Invalid-output rate"
    percent: ClassVar[bool] = True
    better: ClassVar[str] = "lower"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)

    @staticmethod
    def items(valid: Sequence[bool]) -> Stats:
        """Return [items, 1]: one where there is no answer, else zero."""
        stats: Stats = 1.0 - np.asarray(valid, dtype=np.float64).reshape(-1, 1)
        return stats

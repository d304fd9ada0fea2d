"""Majority: the most frequent label of the training rows, always."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from smalltune.methods import Classical

__all__ = ["Majority"]


@dataclass(frozen=True)
class Majority(Classical):
    """Answer with the label frequencies of the training rows, whatever the text."""

    title: ClassVar[str] = "Majority"
    rationale: ClassVar[str] = (
        "The floor: what is right without reading the text. A method that does not clear it has "
        "learned nothing of use."
    )

    def log_probs(
        self, texts: Sequence[str], labels: Sequence[int], classes: int, asked: Sequence[str]
    ) -> NDArray[np.float64]:
        """Return the smoothed log-frequencies of the labels (one added to each count)."""
        counts = np.bincount(labels, minlength=classes) + 1.0
        return np.tile(np.log(counts / counts.sum()), (len(asked), 1))

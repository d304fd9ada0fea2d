"""Bits per byte: how many bits a model needs for a byte of text, whatever its tokeniser."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from smalltune.metrics import Likelihood, LikelihoodMetric, Stats, of_two

__all__ = ["BitsPerByte"]


class BitsPerByte(LikelihoodMetric):
    """All bits over all bytes, so that a long document counts as its length."""

    name: ClassVar[str] = "bits_per_byte"
    title: ClassVar[str] = "Bits per byte"
    percent: ClassVar[bool] = False
    better: ClassVar[str] = "lower"
    bounds: ClassVar[tuple[float, float]] = (0.0, np.inf)

    @staticmethod
    def items(likelihoods: Sequence[Likelihood]) -> Stats:
        """Return [items, 2]: bits and bytes of each document."""
        bits = -np.array([one.log_prob for one in likelihoods], dtype=np.float64) / np.log(2)
        sizes = np.array([one.bytes for one in likelihoods], dtype=np.float64)
        return np.stack([bits, sizes], axis=1)

    @staticmethod
    def combine(stats: Stats) -> Stats:
        """Return bits over bytes."""
        return of_two(stats)

"""Bits per byte: how many bits a model needs for a byte of text, whatever its tokeniser."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from smalltune.metrics import Stats

__all__ = ["BitsPerByte"]


class BitsPerByte:
    """All bits over all bytes, so that a long document counts as its length.

    The "gold label" of a document is its number of bytes in UTF-8; its only column of
    `log_probs` is the log-likelihood of the whole document in nats.
    """

    name: ClassVar[str] = "bits_per_byte"
    title: ClassVar[str] = "Bits per byte"
    version: ClassVar[int] = 1
    percent: ClassVar[bool] = False
    better: ClassVar[str] = "lower"
    bounds: ClassVar[tuple[float, float]] = (0.0, np.inf)

    @staticmethod
    def items(gold: Sequence[int], log_probs: Any, names: Sequence[str]) -> Stats:
        """Return [items, 2]: bits and bytes of each document."""
        bits = -np.asarray(log_probs, dtype=np.float64).reshape(len(gold)) / np.log(2)
        return np.stack([bits, np.asarray(gold, dtype=np.float64)], axis=1)

    @staticmethod
    def combine(stats: Stats) -> Stats:
        """Return bits over bytes."""
        mean = np.asarray(stats, dtype=np.float64)
        value: Stats = mean[..., 0] / mean[..., 1]
        return value

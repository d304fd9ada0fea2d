"""Perplexity: among how many equally likely tokens a model hesitates, on average."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from smalltune.metrics import Likelihood, LikelihoodMetric, Stats, of_two

__all__ = ["Perplexity"]


class Perplexity(LikelihoodMetric):
    """The exponential of the nats per token, over all tokens (Jelinek et al. 1977).

    It depends on the tokeniser: only models with the same one can be compared by it. Others are
    compared by bits per byte. NaN where the predictions do not say how many tokens they are of.
    """

    name: ClassVar[str] = "perplexity"
    title: ClassVar[str] = "Perplexity per token"
    percent: ClassVar[bool] = False
    better: ClassVar[str] = "lower"
    bounds: ClassVar[tuple[float, float]] = (1.0, np.inf)

    @staticmethod
    def items(likelihoods: Sequence[Likelihood]) -> Stats:
        """Return [items, 2]: nats and tokens of each document."""
        nats = -np.array([one.log_prob for one in likelihoods], dtype=np.float64)
        tokens = np.array([one.tokens for one in likelihoods], dtype=np.float64)
        return np.stack([nats, tokens], axis=1)

    @staticmethod
    def combine(stats: Stats) -> Stats:
        """Return exp(nats over tokens)."""
        value: Stats = np.exp(of_two(stats))
        return value

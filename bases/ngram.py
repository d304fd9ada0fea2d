"""An n-gram model of tokens with interpolated modified Kneser-Ney smoothing, in numpy alone.

Chen and Goodman (1999), "An empirical study of smoothing techniques for language modeling",
section 4.1.6: three discounts an order, estimated from the counts of counts; the lower orders
count in how many different places an n-gram stands; all orders are interpolated, down to the
uniform distribution, so that every token has a probability after every context.

An n-gram is one 64-bit number (its tokens are the digits), an order one sorted array of them: 16
million tokens take seconds and about 2 GB.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ORDER", "KneserNey", "discounts_of", "packed"]

ORDER = 5
USUAL = (0.5, 1.0, 1.5)
"""The discounts where a text is too small to estimate them, as KenLM falls back to them."""

Packed = NDArray[np.uint64]
Tokens = NDArray[np.int32]


@dataclass(frozen=True)
class Level:
    """One order: its distinct n-grams [n], sorted, their counts [n], and discounts by count."""

    grams: Packed
    counts: NDArray[np.int64]
    discounts: NDArray[np.float64]


class KneserNey:
    """The model of a text; `log_probs` says how probable other texts are.

    Where a text begins, a mark that is no token stands for what came before it.
    """

    def __init__(self, texts: Sequence[Tokens], vocabulary: int, order: int = ORDER):
        """Count every token of every text but its first, which is context only."""
        self.vocabulary, self.order = vocabulary, order
        grams, counts = np.unique(packed(texts, vocabulary, order), return_counts=True)
        levels = [Level(grams, counts, discounts_of(counts))]
        for shorter in range(order - 1, 0, -1):
            endings = levels[0].grams % self._power(shorter)
            grams, counts = np.unique(endings, return_counts=True)
            levels.insert(0, Level(grams, counts, discounts_of(counts)))
        self.levels = tuple(levels)

    def log_probs(self, texts: Sequence[Tokens]) -> list[NDArray[np.float64]]:
        """Return the log-probability in nats of each token [n - 1] of each text after its first."""
        found = np.log(self.probabilities(packed(texts, self.vocabulary, self.order)))
        return np.split(found, np.cumsum([len(text) - 1 for text in texts])[:-1])

    def probabilities(self, events: Packed) -> NDArray[np.float64]:
        """Return the probability of the last token of each packed n-gram, given the others."""
        found = np.full(len(events), 1 / self.vocabulary)
        for length, level in enumerate(self.levels, 1):
            found = self._interpolated(level, events % self._power(length), found)
        return found

    def _interpolated(self, level: Level, grams: Packed, lower: Any) -> NDArray[np.float64]:
        base = np.uint64(self.vocabulary + 1)
        first = grams // base * base
        low, high = (np.searchsorted(level.grams, edge) for edge in (first, first + base))
        at = np.minimum(np.searchsorted(level.grams, grams), len(level.grams) - 1)
        counts = np.where(level.grams[at] == grams, level.counts[at], 0)
        kinds = np.minimum(level.counts, 3)
        freed = np.zeros(len(grams))
        for kind in (1, 2, 3):
            freed += level.discounts[kind] * _within(kinds == kind, low, high)
        total = _within(level.counts, low, high)
        kept = counts - level.discounts[np.minimum(counts, 3)]
        return np.where(total > 0, (kept + freed * lower) / np.maximum(total, 1), lower)

    def _power(self, length: int) -> np.uint64:
        return np.uint64(min((self.vocabulary + 1) ** length, 2**64 - 1))


def packed(texts: Sequence[Tokens], vocabulary: int, order: int) -> Packed:
    """Return the n-gram that ends at each token of the texts but their first, as one number.

    The digits are the tokens; the digit `vocabulary` stands for what lies before a text. Raises
    ValueError when so many tokens do not fit into 64 bits.
    """
    base = vocabulary + 1
    if base**order >= 2**64:
        raise ValueError(f"{order} tokens of {vocabulary} do not fit into 64 bits")
    before = np.full(max(order - 2, 0), vocabulary, dtype=np.uint16)
    parts = [part for text in texts for part in (before, text.astype(np.uint16))]
    flat = np.concatenate(parts)
    lengths = np.array([len(text) for text in texts]) + len(before)
    predicted = np.ones(len(flat), dtype=bool)
    starts = np.cumsum(lengths) - lengths
    for i in range(len(before) + 1):
        predicted[starts + i] = False
    count = len(flat) - order + 1
    grams = np.zeros(max(count, 0), dtype=np.uint64)
    for i in range(order if count > 0 else 0):
        grams *= np.uint64(base)
        grams += flat[i : i + count]
    return grams[predicted[order - 1 :]] if order > 1 else flat[predicted].astype(np.uint64)


def discounts_of(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return what is taken off a count of 0, 1, 2, and 3 or more (Chen and Goodman, eq. 26)."""
    n1, n2, n3, n4 = (int((counts == i).sum()) for i in (1, 2, 3, 4))
    if not (n1 and n2 and n3 and n4):
        return np.array([0.0, *USUAL])
    y = n1 / (n1 + 2 * n2)
    found = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
    if any(not 0 <= d <= i for i, d in enumerate(found, 1)):
        return np.array([0.0, *USUAL])
    return np.array([0.0, *found])


def _within(values: Any, low: Any, high: Any) -> NDArray[np.int64]:
    """Return the sums of values [n] from each `low` up to, not including, each `high`."""
    sums = np.concatenate([[0], np.cumsum(values, dtype=np.int64)])
    return sums[high] - sums[low]

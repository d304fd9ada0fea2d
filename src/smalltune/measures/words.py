"""Words and runs of them, as the metrics of length and variety count them."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["VERSION", "Distinct", "new_shares", "runs", "words"]

VERSION = 1
_TOKEN = re.compile(r"\w+(?:['\N{RIGHT SINGLE QUOTATION MARK}]\w+)*|[^\w\s]")


def words(text: str) -> list[str]:
    """Return the words and punctuation marks of a text in lower case.

    >>> words("It isn't far, is it?")
    ['it', "isn't", 'far', ',', 'is', 'it', '?']
    """
    return _TOKEN.findall(text.lower())


def runs(text: str, length: int) -> list[tuple[str, ...]]:
    """Return the runs of so many words of a text, in order, each as often as it occurs."""
    found = words(text)
    return [tuple(found[i : i + length]) for i in range(len(found) - length + 1)]


def new_shares(texts: Sequence[str], length: int) -> list[tuple[float, int]]:
    """Return for each text its share in the distinct runs of all texts, and its number of runs.

    A run that k texts hold counts 1/k in each, so the shares sum to the number of distinct runs
    and do not depend on the order of the texts.
    """
    found = [runs(text, length) for text in texts]
    holders = Counter(run for each in found for run in set(each))
    return [(sum(1 / holders[run] for run in set(each)), len(each)) for each in found]


class Distinct:
    """Different runs of `length` words over all such runs, in all texts together (Li et al. 2016).

    How many are different is no sum over items. Each run counts 1/k in each of the k texts that
    hold it, which sums to that number: the value over all items is exact, and the interval takes
    it that leaving out a text loses its shares. More texts repeat more, so only scores on the same
    items can be compared. It stands before `TextMetric` among a metric's bases.
    """

    length: ClassVar[int]
    version: ClassVar[int] = VERSION
    percent: ClassVar[bool] = False
    better: ClassVar[str] = "higher"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)

    @classmethod
    def items(cls, texts: Sequence[str], gold: Sequence[Any]) -> NDArray[np.float64]:
        """Return [items, 2]: the text's share in the different runs, and its number of runs."""
        return np.array(new_shares(texts, cls.length), dtype=np.float64).reshape(-1, 2)

"""Words and runs of them, as the metrics of length and variety count them."""

import re
from collections import Counter
from collections.abc import Sequence

__all__ = ["VERSION", "new_shares", "runs", "words"]

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

"""Short answers as SQuAD compares them: case, punctuation, articles and spaces do not count.

The rules are those of the official evaluation, version 1.1 (Rajpurkar et al. 2016), and for
questions without an answer those of version 2.0 (Rajpurkar et al. 2018): a reference that holds
nothing but punctuation and articles is none, where there is another.
"""

import re
import string
from collections import Counter
from collections.abc import Sequence

__all__ = ["VERSION", "bare", "overlap", "rights"]

VERSION = 1
_ARTICLE = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def bare(text: str) -> str:
    """Return the text in lower case without punctuation and articles, one space between words.

    >>> bare("The  Eiffel-Tower, a landmark!")
    'eiffeltower landmark'
    """
    return " ".join(_ARTICLE.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def rights(references: Sequence[str]) -> tuple[str, ...]:
    """Return the bare right answers; where none is left, the right answer is no answer: ("",)."""
    found = tuple(dict.fromkeys(bare(text) for text in references))
    return tuple(text for text in found if text) or ("",)


def overlap(said: str, right: str) -> float:
    """Return the F1 of the words of two bare answers, each word as often as it occurs.

    Where either is no answer, it is one when both are and zero otherwise.
    """
    words, wanted = said.split(), right.split()
    if not words or not wanted:
        return float(words == wanted)
    same = sum((Counter(words) & Counter(wanted)).values())
    return 2 * same / (len(words) + len(wanted))

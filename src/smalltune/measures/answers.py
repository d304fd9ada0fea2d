"""Short answers as SQuAD compares them: case, punctuation, articles and spaces do not count.

The rules are those of the official evaluation, version 1.1 (Rajpurkar et al. 2016), to the letter:
of an answer that holds nothing but punctuation and articles nothing is left, so that it matches any
other such answer exactly, and shares no word with it. Where no reference is given, which version
1.1 does not know, it is version 2.0 (Rajpurkar et al. 2018): the right answer is no answer.
"""

import re
import string
from collections import Counter
from collections.abc import Sequence
from typing import ClassVar

__all__ = ["VERSION", "ShortAnswers", "bare", "f1", "matches"]

VERSION = 2
_ARTICLE = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def bare(text: str) -> str:
    """Return the text in lower case without punctuation and articles, one space between words.

    >>> bare("The  Eiffel-Tower, a landmark!")
    'eiffeltower landmark'
    """
    return " ".join(_ARTICLE.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def matches(said: str, references: Sequence[str]) -> bool:
    """Tell whether a text is one of the references, both bare; without references, if it is "".

    >>> matches("The Broncos.", ["Denver", "broncos"]), matches("the", ["."]), matches("a", [])
    (True, True, True)
    """
    return bare(said) in ([bare(text) for text in references] or [""])


def f1(said: str, references: Sequence[str]) -> float:
    """Return the F1 of the words of a text with the nearest reference, both bare.

    Each word counts as often as both have it. Without a word in common it is zero, also where
    neither has a word; without references it is one for a text without words.
    """
    if not references:
        return float(matches(said, references))
    return max(_overlap(bare(said).split(), bare(text).split()) for text in references)


def _overlap(said: list[str], right: list[str]) -> float:
    same = sum((Counter(said) & Counter(right)).values())
    return 2 * same / (len(said) + len(right)) if same else 0.0


class ShortAnswers:
    """What the metrics that compare so share; it stands before `TextMetric` among their bases."""

    version: ClassVar[int] = VERSION
    percent: ClassVar[bool] = True
    better: ClassVar[str] = "higher"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)

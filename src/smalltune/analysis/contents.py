"""Contents: what a written answer takes from its source, and what it adds or leaves out.

The rules look at words only and know no sense. A word is what `measures/words.py` says, in lower
case. A number is a run of digits with points and commas inside, compared without its commas. A
name is a word with a capital that does not begin a text or a sentence; the source has it when it
has the word in any case. So a paraphrase of a number ("three") is not seen, and a language that
writes all nouns with a capital has more names than people.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from smalltune.core.errors import DataError
from smalltune.measures import slots
from smalltune.measures.words import runs, words

__all__ = ["COUNTED", "NEGATIONS", "SLOTS", "Source", "facts_of", "negates", "slot_errors"]

_NUMBER = re.compile(r"(?<![\w.,])\d+(?:[.,]\d+)*(?!\w)")
_NAME = re.compile(r"(?<![.!?:]\s)(?<!^)(?<![\w'\N{RIGHT SINGLE QUOTATION MARK}])[^\W\d_]\w+")

_NEGATIONS = """no not never nothing nobody none nor neither nowhere hardly barely scarcely without
cannot cant dont doesnt didnt isnt wasnt wont wouldnt couldnt shouldnt"""
NEGATIONS = frozenset(_NEGATIONS.split())
"""English words that negate; so does every word that ends in n't."""

COUNTED = {
    "new bigrams": "pairs of neighbouring words that the source does not have",
    "new numbers": "answers with a number that the source does not have",
    "new names": "answers with a capitalised word that the source does not have",
    "verbatim": "answers that stand in the source word for word",
}
"""What `Source.count` counts, in words."""

SLOTS = {
    "missing": "facts that are not said",
    "wrong": "facts that are said with another value",
    "invented": "facts that are said and not asked for",
}
"""What `slot_errors` counts, in words; each of the facts asked for."""


@dataclass(frozen=True)
class Source:
    """The text that an item gives: its fields, one after the other."""

    text: str

    @cached_property
    def _words(self) -> list[str]:
        return words(self.text)

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self._words)

    @cached_property
    def _pairs(self) -> frozenset[tuple[str, ...]]:
        return frozenset(runs(self.text, 2))

    @cached_property
    def _numbers(self) -> frozenset[str]:
        return frozenset(_numbers(self.text))

    @cached_property
    def _spaced(self) -> str:
        return f" {' '.join(self._words)} "

    def count(self, answer: str) -> dict[str, tuple[int, int]]:
        """Return how many of how many, by the names of COUNTED; an empty answer counts nowhere."""
        said = words(answer)
        if not said:
            return dict.fromkeys(COUNTED, (0, 0))
        pairs = runs(answer, 2)
        numbers = any(number not in self._numbers for number in _numbers(answer))
        names = any(name not in self._known for name in _names(answer))
        return {
            "new bigrams": (sum(pair not in self._pairs for pair in pairs), len(pairs)),
            "new numbers": (int(numbers), 1),
            "new names": (int(names), 1),
            "verbatim": (int(f" {' '.join(said)} " in self._spaced), 1),
        }


def facts_of(fields: Mapping[str, str]) -> dict[str, str]:
    """Return the facts of the fields that are meaning representations; {} where none is.

    One in which a slot stands twice cannot be counted, and is read as any other text.
    """
    try:
        return {k: v for text in fields.values() for k, v in slots.parse(text).items()}
    except DataError:
        return {}


def slot_errors(
    texts: Sequence[str], facts: Sequence[Mapping[str, str]]
) -> dict[str, tuple[int, int]]:
    """Return the errors of all texts over the facts asked for, by the names of SLOTS."""
    found = slots.errors(texts, facts)
    asked = sum(one.facts for one in found)
    return {kind: (sum(len(getattr(one, kind)) for one in found), asked) for kind in SLOTS}


def _numbers(text: str) -> list[str]:
    return [found.replace(",", "") for found in _NUMBER.findall(text)]


def _names(text: str) -> list[str]:
    return [found.lower() for found in _NAME.findall(" ".join(text.split())) if found[0].isupper()]


def negates(text: str) -> bool:
    """Whether a word of an English text negates."""
    plain = (word.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'") for word in words(text))
    return any(word in NEGATIONS or word.endswith("n't") for word in plain)

"""Naming: which words make up the name of a number, and how things are called in a sentence."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from smalltune.paper.escape import Tex, escape
from smalltune.paper.numbers import macro_name
from smalltune.paper.view import StudyView

__all__ = ["MANY", "Names", "enumerate_words", "grouped", "heading", "inline"]

T = TypeVar("T")

MANY = 6
"""Sentences on one cell each that a section holds; of more, cells share a sentence."""

PEOPLE = frozenset({"Brier", "Matthews"})
"""Names of people that begin the title of a measure."""


class Names:
    """Names of numbers in one study: a model is named only where there are several."""

    def __init__(self, view: StudyView):
        """Take the study."""
        self.several_models = len(view.models) > 1

    def of(self, *words: str, task: str = "", model: str = "") -> str:
        """Return `accuracyLoraReviews` for ("accuracy", "lora") on the task `reviews`."""
        where = [task] if task else []
        if self.several_models and model and model != "-":
            where.append(model)
        return macro_name(*words, *where)


def inline(title: str) -> str:
    """Return a title as it stands within a sentence: `Full fine-tuning` loses its capital.

    A first word with another capital or a digit in it (LoRA, TF-IDF, SST-2) keeps its own, and so
    does a person's name.
    """
    first, _, rest = title.partition(" ")
    if first in PEOPLE or first[1:].lower() != first[1:] or any(c.isdigit() for c in first):
        return title
    return " ".join([first.lower(), rest]) if rest else first.lower()


def heading(title: str) -> str:
    """Return a title as it begins a line: a plain lower-case word gets a capital."""
    return title[:1].upper() + title[1:] if title.isalpha() and title.islower() else title


def grouped(found: Sequence[T], place: Callable[[T], Any]) -> dict[Any, list[T]]:
    """Return by its place what is found; nothing where a sentence each is not too many."""
    groups: dict[Any, list[T]] = {}
    for one in found if len(found) > MANY else ():
        groups.setdefault(place(one), []).append(one)
    return groups


def enumerate_words(words: Iterable[object]) -> Tex:
    """Return escaped words as `a`, `a and b`, or `a, b and c`."""
    texts = [escape(word) for word in words]
    if len(texts) < 2:
        return Tex("".join(texts))
    return Tex(", ".join(texts[:-1]) + " and " + texts[-1])

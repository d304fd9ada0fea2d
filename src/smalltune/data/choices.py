"""Choices: the texts among which a row chooses, and the letter of the right one."""

import string
from collections.abc import Mapping, Sequence
from typing import Any

from smalltune.core.errors import DataError
from smalltune.data.labels import spellings
from smalltune.data.tables import column_of

__all__ = ["choices_of", "letter_of", "letters"]


def letters(count: int) -> list[str]:
    """Return the letters of the first `count` choices, at most 26."""
    return list(string.ascii_uppercase[:count])


def choices_of(
    raw: Mapping[str, Any], columns: str | Sequence[str], most: int, where: str
) -> tuple[str, ...]:
    """Return a row's choices, from the one column that lists them or from a column each.

    Raises DataError, naming the row by `where`, unless they are 2 to `most` different texts.
    """
    if isinstance(columns, str):
        found = column_of(raw, columns)
    else:
        found = [column_of(raw, column) for column in columns]
    if not isinstance(found, list) or not all(isinstance(c, str) and c.strip() for c in found):
        raise DataError(f"{where}: the choices are {found!r}, and must be texts")
    if not 2 <= len(found) <= most:
        raise DataError(f"{where}: {len(found)} choices, where 2 to {most} can be: raise `most`")
    texts = tuple(text.strip() for text in found)
    if len(set(texts)) < len(texts):
        raise DataError(f"{where}: two choices are the same text: drop the row")
    return texts


def letter_of(value: Any, choices: Sequence[str], first: int, where: str) -> str:
    """Return the letter of the right choice, from its letter, its place or its text.

    Places are counted from `first`. Raises DataError where the value is none of these.
    """
    names = letters(len(choices))
    places = {str(first + n): name for n, name in enumerate(names)}
    texts = dict(zip(choices, names, strict=True))
    for known in ({name: name for name in names}, places, texts):
        for spelt in spellings(value):
            if spelt.strip() in known:
                return known[spelt.strip()]
    raise DataError(
        f"{where}: the answer {value!r} is none of the letters {', '.join(names)}, of the "
        f"places {', '.join(places)}, or of the choices: where places count from one, say "
        "`first: 1`"
    )

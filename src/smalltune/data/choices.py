"""Choices: the texts among which a row chooses, and the letter of the right one."""

import json
import string
from collections.abc import Mapping, Sequence
from typing import Any

from smalltune.core.errors import DataError
from smalltune.data.cells import brief
from smalltune.data.labels import is_missing, spellings
from smalltune.data.tables import column_of

__all__ = ["choices_of", "letter_of", "letters"]


def letters(count: int) -> list[str]:
    """Return the letters of the first `count` choices, at most 26."""
    return list(string.ascii_uppercase[:count])


def choices_of(
    raw: Mapping[str, Any], columns: str | Sequence[str], most: int, where: str
) -> tuple[str, ...]:
    """Return a row's choices, from the one column that lists them or from a column each.

    In a CSV a list is JSON text. Raises DataError, naming the row by `where`, unless they are 2 to
    `most` different texts.
    """
    if isinstance(columns, str):
        found = _listed(column_of(raw, columns))
    else:
        found = [column_of(raw, column) for column in columns]
    if not isinstance(found, list) or not all(isinstance(c, str) and c.strip() for c in found):
        raise DataError(
            f"{where}: the choices are {brief(found)}, and must be texts: a list of them in one "
            'column (in a CSV as JSON text such as ["a", "b"]), or a column for each'
        )
    if not 2 <= len(found) <= most:
        raise DataError(f"{where}: {len(found)} choices, where 2 to {most} can be: raise `most`")
    texts = tuple(text.strip() for text in found)
    if len(set(texts)) < len(texts):
        raise DataError(f"{where}: two choices are the same text: drop the row")
    return texts


def _listed(value: Any) -> Any:
    """Return the list that a JSON text is; anything else as it is."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except (json.JSONDecodeError, RecursionError):
            return value
    return value


def letter_of(
    value: Any, choices: Sequence[str], first: int, where: str, answer_is: str | None = None
) -> str:
    """Return the letter of the right choice, from its letter (small too), its place or its text.

    Places are counted from `first`. With `answer_is`, which is "letter", "place" or "text", the
    value is read in that way only. Raises DataError where the value is none of these, and where
    two ways of reading it mean two choices, as "2" does with the choices "2", "3" and "4".
    """
    names = letters(len(choices))
    ways = {
        "letter": {spelt: name for name in names for spelt in (name, name.lower())},
        "place": {str(first + n): name for n, name in enumerate(names)},
        "text": dict(zip(choices, names, strict=True)),
    }
    if answer_is:
        ways = {answer_is: ways[answer_is]}
    spelt = [each.strip() for each in spellings(value)]
    meant = {
        way: next(known[each] for each in spelt if each in known)
        for way, known in ways.items()
        if any(each in known for each in spelt)
    }
    if not meant:
        raise DataError(f"{where}: {_unknown(value, ways, first + len(choices))}")
    if len(set(meant.values())) > 1:
        read = " but ".join(f"as {way} the choice {name}" for way, name in meant.items())
        advice = " or ".join(f"`answer_is: {way}`" for way in meant)
        raise DataError(
            f"{where}: the answer {value!r} can be read in two ways, {read}: say {advice} in the "
            "study"
        )
    return next(iter(meant.values()))


def _unknown(value: Any, ways: Mapping[str, Mapping[str, str]], beyond: int) -> str:
    """Return what is wrong with an answer; `beyond` is the place behind the last choice."""
    if is_missing(value):
        return "no answer says which choice is right: fill it in or drop the row"
    said = {
        "letter": f"of the letters {', '.join(dict.fromkeys(ways.get('letter', {}).values()))}",
        "place": f"of the places {', '.join(ways.get('place', ()))}",
        "text": "of the choices",
    }
    *others, last = [said[way] for way in ways]
    listed = f"{', '.join(others)}, or {last}" if others else last
    past = "place" in ways and str(beyond) in spellings(value)
    hint = "where places count from one, say `first: 1`" if past else "mend it or drop the row"
    return f"the answer {brief(value)} is none {listed}: {hint}"

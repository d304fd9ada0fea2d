"""Recognising: what kind of task a table is for, by the names and the shapes of its columns.

Labels are looked for last: a table with few short values that repeat is for classification unless
its columns say otherwise by name. What a person names (`--label`, `--target`, `--choices`) decides.
"""

import re
from collections.abc import Sequence
from typing import Final

from smalltune.data.choices import letters
from smalltune.data.profile import Column, Table

__all__ = ["answer_column", "bare", "choice_columns", "is_exchange", "says_which", "target_column"]

_EXCHANGES: Final = (
    ("instruction", "output"), ("instruction", "response"), ("prompt", "completion"),
    ("prompt", "response"),
)  # fmt: skip
_TALKS: Final = ("messages", "conversations", "conversation")
_CHOICES: Final = ("choices", "options", "endings", "candidates")
_NUMBERED: Final = re.compile(r"(choice|option|ending|sol|solution|answer|distractor)s?_?\d$")
_LETTERS: Final = ("a", "b", "c", "d", "e")
_ANSWERS: Final = (
    "answer", "answerkey", "answer_key", "answer_index", "correct", "correct_answer",
    "correct_option", "correct_choice", "right", "right_answer", "label", "gold", "target",
)  # fmt: skip
_TARGETS: Final = (
    "summary", "highlights", "abstract", "headline", "human_reference", "reference", "references",
    "target", "translation", "response", "completion", "output", "answer", "answers",
)  # fmt: skip


def is_exchange(table: Table) -> bool:
    """Tell whether the columns are those of a format of instruction data."""
    named = {bare(column.name): column for column in table.columns.values()}
    if any(name in named and named[name].nested for name in _TALKS):
        return True
    return any(a in named and b in named and _free(named[b], table) for a, b in _EXCHANGES)


def choice_columns(table: Table) -> tuple[str, ...]:
    """Return the columns of the choices of a multiple choice, () where there are none."""
    for column in table.columns.values():
        if column.nested and bare(column.name) in _CHOICES:
            within = _first(table, column.name)
            texts = isinstance(within, dict) and isinstance(within.get("text"), list)
            return (f"{column.name}.text" if texts else column.name,)
    spelt = {bare(name): name for name in table.columns}
    lettered = [spelt[letter] for letter in _LETTERS if letter in spelt]
    numbered = [name for known, name in spelt.items() if _NUMBERED.match(known)]
    if len(lettered) > 2:
        return tuple(lettered)
    return tuple(numbered) if len(numbered) > 1 else ()


def answer_column(table: Table, taken: Sequence[str]) -> str | None:
    """Return the column that says which choice is right: by its name, or since it holds letters.

    Places are not enough without a name: many a column counts something.
    """
    spelt = {bare(name): name for name in table.columns if name not in taken}
    named = next((spelt[name] for name in _ANSWERS if name in spelt), None)
    if named is not None:
        return named
    known = set(letters(len(_LETTERS)))
    return next((name for name in spelt.values() if _holds(table.columns[name], known)), None)


def says_which(column: Column, choices: int) -> bool:
    """Tell whether a column holds nothing but letters of so many choices, or their places."""
    places = [{str(n + first) for n in range(choices)} for first in (0, 1)]
    return any(_holds(column, known) for known in (set(letters(choices)), *places))


def target_column(table: Table, taken: Sequence[str]) -> str | None:
    """Return the column of the texts to be written, by its name, or None."""
    named = {bare(name): column for name, column in table.columns.items() if name not in taken}
    for name in _TARGETS:
        column = named.get(name)
        if column is None:
            continue
        if column.nested:
            within = _first(table, column.name)
            if isinstance(within, dict) and "text" in within:
                return f"{column.name}.text"
            if isinstance(within, list) and all(isinstance(each, str) for each in within):
                return column.name
        elif _free(column, table):
            return column.name
    return None


def bare(name: str) -> str:
    """Return a column's name in lower case, with underscores for its blanks."""
    return name.strip().lower().replace(" ", "_")


def _holds(column: Column, known: set[str]) -> bool:
    """Tell whether a column has two values or more, all of them among the known ones."""
    values = {value.strip() for value in column.values or ()}
    return len(values) > 1 and values <= known


def _free(column: Column, table: Table) -> bool:
    """Tell whether a column holds texts that hardly repeat."""
    some = column.values is None or len(column.values) * 2 > column.filled
    return not column.nested and column.letters * 2 > column.filled > 0 and some


def _first(table: Table, name: str) -> object:
    return next((row[name] for row in table.samples if row.get(name)), None)

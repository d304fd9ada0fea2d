"""Guessing: which columns of a table are the texts, what is right of them, and the ids.

By what they hold first, by their names second; a person confirms it before anything is written.
"""

from collections.abc import Sequence
from shlex import quote
from typing import Final

from smalltune.core.errors import DataError
from smalltune.core.plugins import nearest
from smalltune.data.profile import MOST_LABELS, Column, Columns, Table
from smalltune.data.tables import has_column
from smalltune.planning.recognising import (
    answer_column,
    bare,
    choice_columns,
    is_exchange,
    says_which,
    target_column,
)

__all__ = ["check_labels", "guess", "unused_choices"]

_LABELS: Final = (
    "label", "labels", "class", "category", "target", "gold", "y", "sentiment", "intent", "topic",
    "polarity", "stars", "rating", "tag", "answer",
)  # fmt: skip
_TEXTS: Final = (
    "text", "body", "sentence", "review", "content", "message", "comment", "document", "question",
    "utterance", "tweet", "post", "description", "email", "prompt", "input",
)  # fmt: skip
_PAIRS: Final = (
    ("premise", "hypothesis"), ("sentence1", "sentence2"), ("question1", "question2"),
    ("text_a", "text_b"), ("text1", "text2"), ("question", "sentence"), ("question", "passage"),
    ("context", "question"),
)  # fmt: skip
_IDS: Final = ("id", "uid", "uuid", "guid", "idx", "index", "key", "nr", "no", "number", "")
LONGEST_LABEL: Final = 60
LONGEST_ID: Final = 40
LONGEST_NAME: Final = 80


def guess(
    table: Table,
    *,
    text: Sequence[str],
    label: str | None,
    id: str | None,
    target: str | None = None,
    choices: Sequence[str] = (),
) -> Columns:
    """Return the columns to learn from, and the kind of task; those that are given stay.

    Raises DataError when the table has no rows, no such column, or none that could be guessed.
    """
    _check_names(table)
    given = (*text, *choices, *(name for name in (label, target, id) if name))
    for name in given:
        if not any(has_column(row, name) for row in (table.columns, *table.samples)):
            near = nearest(name, [str(column) for column in table.columns])
            raise DataError(f"{table.path}: no column {name!r}. {near}")
    named = label is not None or _named_label(table) is not None
    if not (text or target or choices or named) and is_exchange(table):
        return Columns((), "", id or _id(table, ()), "instructions")
    listed = tuple(choices) or (() if target or label else choice_columns(table))
    answer = (label or answer_column(table, (*text, *listed))) if listed else None
    if listed and answer:
        texts = tuple(text) or _texts(table, (answer, *listed))
        return Columns(texts, answer, id or _id(table, given), "multiple_choice", listed)
    goal = target or (None if named else target_column(table, text))
    if goal:
        texts = tuple(text) or _texts(table, (goal.partition(".")[0], goal))
        return Columns(texts, goal, id or _id(table, (*texts, goal)), "generation")
    if choices:
        raise DataError(f"{table.path}: no column says which choice is right: name it with --label")
    texts = tuple(text) or _texts(table, (label,))
    if not label and _holds_only(table, texts):
        return Columns(texts, "", None, "language_modelling")
    found = label or _label(table, texts)
    return Columns(texts, found, id or _id(table, (*texts, found)))


def unused_choices(table: Table, columns: Columns) -> list[str]:
    """Return a remark where labels look like the right ones of choices that are left out.

    So it is where a person names the labels and not the choices: a model would not read them.
    """
    label = table.columns.get(columns.label)
    left = [name for name in choice_columns(table) if name not in columns.all]
    if columns.kind != "classification" or label is None or len(left) < 2:
        return []
    if not says_which(label, len(left)):
        return []
    give = " ".join(f"--choices {quote(name)}" for name in left)
    return [
        f"the columns {', '.join(left)} are not used, and {columns.label!r} seems to say which of "
        f"them is right: for a multiple choice give {give}"
    ]


def check_labels(path: object, column: str, labels: Sequence[str], rows: int) -> None:
    """Raise DataError when a column's values are no classes: one, too many, or hardly repeated."""
    if len(labels) == 1:
        raise DataError(
            f"{path}: every row has the label {labels[0]!r} in the column {column!r}: there is "
            "nothing to tell apart; choose another with --label"
        )
    reason = ""
    if len(labels) * 2 > rows:
        reason = "labels repeat, and these hardly do"
    elif len(labels) > MOST_LABELS:
        reason = f"classes are 2 to {MOST_LABELS:,}"
    if reason:
        raise DataError(
            f"{path}: {len(labels):,} different values in {rows:,} rows of the column {column!r}: "
            f"{reason}; choose another with --label"
        )


def _check_names(table: Table) -> None:
    if not table.rows:
        raise DataError(
            f"{table.path}: no rows: a table needs a line of column names and rows below it"
        )
    long = next((name for name in table.columns if len(name) > LONGEST_NAME), None)
    if long is not None:
        raise DataError(
            f"{table.path}: {long[:40]!r}... looks like a text, not a column's name: put a line "
            "with the columns' names above the first row"
        )


def _holds_only(table: Table, texts: Sequence[str]) -> bool:
    """Tell whether a table has one column of texts and nothing else, or ids beside it."""
    others = [name for name in table.columns if name not in texts]
    named = any(bare(name) in _LABELS for name in others)
    return len(texts) == 1 and not named and (not others or others == [_id(table, texts)])


def _named_label(table: Table) -> str | None:
    """Return a column that is called and looks like labels."""
    columns = table.columns.values()
    return next((c.name for c in columns if bare(c.name) in _LABELS and _is_label(c, table)), None)


def _texts(table: Table, taken: Sequence[str | None]) -> tuple[str, ...]:
    """Return the column of the longest texts, or both of a pair that is known by its names."""
    columns = [c for c in table.columns.values() if _is_text(c) and c.name not in taken]
    named = {bare(column.name): column.name for column in columns}
    for pair in _PAIRS:
        if all(name in named for name in pair):
            return tuple(named[name] for name in pair)
    hinted = [column for column in columns if bare(column.name) in _TEXTS]
    if not columns:
        raise DataError(
            f"{table.path}: no column holds texts; the columns are: {_listed(list(table.columns))}"
        )
    several = [column for column in columns if column.values is None or len(column.values) > 2]
    return (max(hinted or several or columns, key=lambda column: column.mean).name,)


def _label(table: Table, texts: Sequence[str]) -> str:
    """Return the column with few short values that repeat; a telling name wins, then the fewest."""
    columns = [c for c in table.columns.values() if c.name not in texts and _is_label(c, table)]
    if not columns:  # one that is called label is looked at closely, and refused with the reason
        named = [name for name in table.columns if bare(name) in _LABELS and name not in texts]
        if named:
            return named[0]
        raise DataError(
            f"{table.path}: no column looks like labels (2 to {MOST_LABELS:,} short values that "
            "repeat): name it with --label, or texts to be written with --target; the columns are: "
            f"{_listed(list(table.columns))}"
        )
    places = {name: place for place, name in enumerate(_LABELS)}
    order = {column.name: place for place, column in enumerate(columns)}
    best = min(
        columns,
        key=lambda column: (
            places.get(bare(column.name), len(places)),
            len(column.values or ()),
            -order[column.name],
        ),
    )
    return best.name


def _id(table: Table, taken: Sequence[str]) -> str | None:
    """Return a column without gaps whose short values all differ: by its name, or the first one."""
    for place, column in enumerate(table.columns.values()):
        fits = column.unique and column.filled == table.rows and column.mean <= LONGEST_ID
        if column.name in taken or column.nested or not fits or " " in column.first:
            continue
        known = bare(column.name)
        if known in _IDS or known.endswith(("_id", "-id")) or (place == 0 and table.rows > 2):
            return column.name
    return None


def _is_text(column: Column) -> bool:
    return not column.nested and column.letters * 2 > column.filled > 0


def _is_label(column: Column, table: Table) -> bool:
    values = column.values
    if column.nested or not values or column.mean > LONGEST_LABEL:
        return False
    return 2 <= len(values) <= min(MOST_LABELS, table.rows / 2) and column.filled * 2 > table.rows


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")

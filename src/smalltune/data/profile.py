"""Profile: what the columns of a table hold, and whether chosen ones can be learned from."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from smalltune.core.errors import DataError
from smalltune.core.plugins import nearest
from smalltune.core.plural import plural
from smalltune.data.documents import documents, is_plain
from smalltune.data.labels import is_missing, no_label, spellings
from smalltune.data.splits import Row
from smalltune.data.tables import read_rows, read_table

__all__ = ["MOST_LABELS", "Column", "Columns", "Survey", "Table", "profile", "survey"]

MOST_LABELS: Final = 1000
"""A column with more different values is no label column."""
SHORT: Final = 200
"""A cell with more characters is neither a label nor an id."""

_LETTER = re.compile(r"[^\W\d_]")


@dataclass
class Column:
    """What one column holds. `values` counts its values while they are few and short."""

    name: str
    filled: int = 0
    letters: int = 0
    characters: int = 0
    nested: bool = False
    values: Counter[str] | None = field(default_factory=Counter)
    unique: bool = True
    first: str = ""
    _seen: set[int] = field(default_factory=set, repr=False)

    def add(self, value: Any) -> None:
        """Take one cell."""
        if value is None or value != value or value == "":
            return
        text = value if isinstance(value, str) else spellings(value)[0]
        self.filled += 1
        self.characters += len(text)
        self.nested |= isinstance(value, list | dict)
        self.letters += isinstance(value, str) and _LETTER.search(text) is not None
        self.first = self.first or text[:SHORT]
        if len(text) > SHORT:
            self.values, self.unique = None, False
        if self.values is not None:
            self.values[text] += 1
            if len(self.values) > MOST_LABELS:
                self.values = None
        if self.unique:
            mark = hash(text)
            self.unique = mark not in self._seen
            self._seen.add(mark)
        if not self.unique:
            self._seen.clear()

    @property
    def mean(self) -> float:
        """Characters of a filled cell on average."""
        return self.characters / self.filled if self.filled else 0.0


@dataclass
class Table:
    """A table as a person wants to see it: how many rows, which columns, the first rows."""

    path: Path
    rows: int = 0
    columns: dict[str, Column] = field(default_factory=dict)
    samples: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Columns:
    """Which columns a task of a `kind` reads.

    `label` is the column of what is right: the labels, the texts to be written (generation), or
    which of the `choices` it is (multiple choice). It is "" for running text, and where the columns
    tell a format of instruction data, which has neither texts nor answers to name.
    """

    text: tuple[str, ...]
    label: str
    id: str | None = None
    kind: str = "classification"
    choices: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Every column named."""
        return (*self.text, *self.choices, *(name for name in (self.label, self.id) if name))

    @property
    def roles(self) -> dict[str, str]:
        """What each column is to the task, in a word."""
        right = {"generation": "target", "multiple_choice": "answer"}.get(self.kind, "label")
        found = {**dict.fromkeys(self.text, "text"), **dict.fromkeys(self.choices, "choice")}
        found |= {self.label: right} if self.label else {}
        return found | ({self.id: "id"} if self.id is not None else {})


@dataclass
class Survey:
    """The labels of a table that can be learned from: rows of each, and the order of all rows.

    `keys` holds for each row the hash of its `Row.key`, by which rows that repeat are dropped.
    """

    labels: Counter[str] = field(default_factory=Counter)
    order: list[str] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)


def profile(path: Path) -> Table:
    """Return what a table holds, reading it once without keeping its rows.

    Plain text is a table of documents, with one column, `text`.
    """
    table = Table(path)
    columns = table.columns
    plain = ({"text": text} for _, text in documents(path, "text")) if is_plain(path) else None
    for row in plain or read_table(path):
        table.rows += 1
        if table.rows <= 2:
            table.samples.append(row)
        for name, value in row.items():
            column = columns.get(name)
            if column is None:
                column = columns[name] = Column(name)
            column.add(value)
    return table


def survey(path: Path, chosen: Columns) -> Survey:
    """Return the labels of a table after looking at every chosen cell, reading it once.

    Raises DataError with the first row that cannot be used, and how many more there are.
    """
    found, problems = Survey(), Counter[str]()
    first: dict[str, str] = {}
    ids: dict[str, str] = {}
    names: dict[str, str] = {}  # one string for each label, however many rows have it
    for where, row in read_rows(path):
        for problem, said in _problems(where, row, chosen, ids):
            problems[problem] += 1
            first.setdefault(problem, said)
        if not problems:
            label = spellings(row[chosen.label])[0]
            label = names.setdefault(label, label)
            found.labels[label] += 1
            found.order.append(label)
            found.keys.append(hash(Row("", {name: row[name] for name in chosen.text}, label).key))
    if problems:
        problem = next(iter(first))
        more = problems[problem] - 1
        raise DataError(first[problem] + (f" ({plural(more, 'more row')} like it)" if more else ""))
    if not found.order:
        raise DataError(f"{path}: no rows: a table needs a line of column names and rows below it")
    return found


def _problems(
    where: str, row: dict[str, Any], chosen: Columns, ids: dict[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield the kind and the sentence of what keeps a row from being used."""
    for column in chosen.all:
        if column not in row:
            yield column, f"{where}: no column {column!r}. {nearest(column, [str(n) for n in row])}"
            return
    for column in chosen.text:
        text = row[column]
        if isinstance(text, str) and text.strip():
            continue
        empty = text is None or text != text or not str(text).strip()
        held = "holds no text: " + ("fill it in or drop the row" if empty else f"it holds {text!r}")
        yield f"{column} {empty}", f"{where}: the column {column!r} {held}"
    if is_missing(row[chosen.label]):
        yield "label", f"{where}: the column {chosen.label!r} {no_label(row[chosen.label])}"
    if chosen.id is not None:
        name = str(row[chosen.id])
        before = ids.setdefault(name, where)
        if before is not where:
            before = before.partition(", ")[2] or before
            said = f"the id {name!r} is that of {before} too: ids must differ; or leave --id away"
            yield "id", f"{where}: {said}"

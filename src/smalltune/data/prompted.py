"""Prompted: rows whose text columns fill a prompt; how they are read and kept apart."""

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from smalltune.core.errors import DataError, StudyError
from smalltune.core.plural import plural
from smalltune.data.apart import Apart
from smalltune.data.cells import no_column, no_text
from smalltune.data.groups import group_name
from smalltune.data.remarks import remarks
from smalltune.data.splits import DevRule, Row, Splits
from smalltune.data.tables import column_of, has_column, read_rows

__all__ = ["NOTHING", "Prompted"]

_PLACE = re.compile(r"\{\w+\}")
NOTHING = "without a text or an answer"
"""Why a row is dropped of which nothing can be learned."""


@dataclass(frozen=True)
class Prompted(ABC):
    """Rows with text columns, put to a model as a prompt. Abstract: kinds of task build on it.

    text        the columns that the prompt holds; a prompt that is too long is cut at the end of
                the longest of them (with `keep_end` at the start of it), and never those in
                `uncut`, as a question, nor the prompt's own words
    id          a column of names, else rows are numbered
    group       a column that says what a row belongs to (an article, a dialogue): a group is never
                in two splits
    dev, test   how they are carved from train, seeded: dev where there is no file of it, test where
                train and test are one file and `test` says how
    prompt      the text with each column as {column}; without one the columns and `ending`

    Train rows that repeat a dev or test row are dropped and counted, and so are those of a group
    that is in dev or test. In the same way dev loses what is in test: it chooses hyperparameters
    and temperatures, so that a test item in it would be seen before it is asked.
    """

    text: str | tuple[str, ...] = "text"
    id: str | None = None
    group: str | None = None
    dev: Mapping[str, Any] = field(default_factory=dict)
    test: Mapping[str, Any] = field(default_factory=dict)
    prompt: str = ""
    uncut: tuple[str, ...] = ()
    keep_end: bool = False

    roles: ClassVar[tuple[str, ...]] = ("train", "dev", "test")
    later: ClassVar[tuple[str, ...]] = ("group", "test", "uncut", "keep_end")
    ending: ClassVar[str] = "Answer:"
    extra: ClassVar[tuple[str, ...]] = ()
    """What a prompt may hold beside the text columns."""

    def __post_init__(self) -> None:
        """Refuse a prompt without its text columns, and a rule for no column."""
        held = {found for found in self._places.findall(self.template)}
        odd = held - set(self.extra) != set(self.columns)
        if odd or _PLACE.search(self._places.sub("", self.template)):
            wanted = ", ".join(f"{{{c}}}" for c in self.columns)
            raise StudyError(f"the prompt {self.prompt!r} must hold exactly {wanted}")
        for column in self.uncut:
            if column not in self.columns:
                raise StudyError(f"uncut: {column!r} is no text column")

    @property
    def columns(self) -> tuple[str, ...]:
        """The text columns."""
        return (self.text,) if isinstance(self.text, str) else tuple(self.text)

    @property
    def template(self) -> str:
        """The prompt, or the text columns and `ending` where the study gives none."""
        return self.prompt or "\n".join(f"{{{c}}}" for c in self.columns) + f"\n{self.ending}"

    @property
    def _places(self) -> re.Pattern[str]:
        """Where the template names a text column; a column's name may hold any character."""
        names = (*self.columns, *self.extra)
        return re.compile(r"\{(" + "|".join(re.escape(name) for name in names) + r")\}")

    @property
    def _stub(self) -> str:
        """The prompt with a letter for each text: what stands before an answer ends like it."""
        return self._places.sub("a", self.template)

    # Data

    def look(self, files: Mapping[str, Sequence[Path]]) -> Mapping[str, Row]:
        """Refuse data by the first row of each role; one that is empty is refused by `split`."""
        first: dict[str, Row] = {}
        for role in (role for role in self.roles if role in files):
            for where, raw in read_rows(files[role][0]):
                self._look(files[role], raw, role)
                row = self._row(raw, where, f"{role}-1")
                first |= {} if isinstance(row, str) else {role: row}
                break
        return first

    def first_rows(self, files: Sequence[Path], role: str, most: int) -> list[Row]:
        """Return the first rows of a role's first file, without those that are dropped."""
        found: list[Row] = []
        for number, (where, raw) in enumerate(read_rows(files[0]), 1):
            self._check_columns(raw, where)
            row = self._row(raw, where, f"{role}-{number}")
            found += [] if isinstance(row, str) else [row]
            if len(found) == most:
                break
        return found

    def split(self, files: Mapping[str, Sequence[Path]]) -> Splits:
        """Read the files; drop train and dev rows that would leak; carve what has no file.

        What occurs in test leaves train and dev first, so that a carved dev does not hold it
        either, and train keeps what only a dropped dev row repeated.
        """
        one = bool(self.test) and files["test"] == files["train"]
        dropped: dict[str, int] = {}
        notes: list[str] = []
        rows = {
            role: self._read(files[role], role, dropped)
            for role in self.roles
            if role in files and not (one and role == "test")
        }
        apart = Apart(rows, self.group, dropped, notes)
        parts = False
        for role in ("test", "dev"):
            if role in rows:
                apart.drop("train", role, files["train"][0])
            else:
                rule = DevRule(**(self.dev if role == "dev" else self.test))
                apart.carve(role, rule, files["train"][0], in_groups=self._in_groups)
                parts |= rule.whole
            if role == "test" and "dev" in rows:
                apart.drop("dev", role, files["dev"][0])
        for role in ("train", "dev"):
            if not rows[role]:
                raise DataError(f"{files.get(role, files['train'])[0]}: the {role} split is empty")
        rows = {role: self._settled(role, rows[role]) for role in self.roles}
        notes += remarks(rows, self._names, parts=parts)
        return Splits(rows["train"], rows["dev"], rows["test"], dropped, notes)

    @property
    def _in_groups(self) -> bool:
        """Whether splits are carved by group and not row by row."""
        return self.group is not None

    @property
    def _names(self) -> list[str]:
        """The labels that a row can have; none where the answer is free text."""
        return []

    def _settled(self, role: str, rows: list[Row]) -> list[Row]:
        """Return the rows of a split as they are kept."""
        return rows

    def _read(self, paths: Sequence[Path], role: str, dropped: dict[str, int]) -> list[Row]:
        rows: list[Row] = []
        first: dict[str, str] = {}
        lost: Counter[str] = Counter()
        number = 0
        for path in paths:
            for where, raw in read_rows(path):
                number += 1
                if number == 1:
                    self._look(paths, raw, role)
                else:
                    self._check_columns(raw, where)
                row = self._row(raw, where, f"{role}-{number}")
                if isinstance(row, str):
                    lost[row] += 1
                    continue
                if self.id and first.setdefault(row.id, where) != where:
                    before = first[row.id].removeprefix(f"{path}, ")
                    raise DataError(f"{where}: the id {row.id!r} is that of {before} too")
                rows.append(row)
        dropped |= {f"{role} rows {reason}": count for reason, count in lost.items()}
        if not rows:
            why = ", ".join(f"{plural(count, 'row')} {reason}" for reason, count in lost.items())
            said = f"dropped were {why}" if why else "give a file with rows"
            raise DataError(f"{paths[0]}: the {role} split is empty: {said}")
        return rows

    def _look(self, paths: Sequence[Path], raw: Mapping[str, Any], role: str) -> None:
        """Refuse a split by its first row."""
        self._check_columns(raw, str(paths[0]))

    @abstractmethod
    def _row(self, raw: Mapping[str, Any], where: str, name: str) -> Row | str:
        """Return a row, called `name` where it has no id, or why it is dropped and counted.

        The reason follows the words "train rows", as `NOTHING` does.
        """

    @property
    def _needed(self) -> tuple[str, ...]:
        """The columns that every row must have."""
        given = (self.id, self.group)
        return (*self.columns, *(column for column in given if column))

    def _check_columns(self, raw: Mapping[str, Any], where: str) -> None:
        for column in self._needed:
            if not has_column(raw, column):
                raise DataError(f"{where}: {no_column(raw, column)}")

    def _named(self, raw: Mapping[str, Any], name: str) -> str:
        return str(raw[self.id]) if self.id else name

    def _group_of(self, raw: Mapping[str, Any], where: str) -> str:
        if not self.group:
            return ""
        value = column_of(raw, self.group)
        if value is None or not str(value).strip():
            raise DataError(f"{where}: the column {self.group!r}, which groups the rows, is empty")
        return group_name(str(value))

    def _texts(self, raw: Mapping[str, Any], where: str) -> dict[str, str]:
        """Return the text columns; raise DataError where one holds no text."""
        fields = {column: column_of(raw, column) for column in self.columns}
        for column, text in fields.items():
            if not isinstance(text, str) or not text.strip():
                raise DataError(f"{where}: {no_text(column, text)}")
        return fields

    # What a model reads

    def _render(self, fields: Mapping[str, str]) -> str:
        return self._places.sub(lambda found: fields[found[1]], self.template)

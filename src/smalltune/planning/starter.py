"""Starters: a commented study file for someone who begins, on embedded or on their own data."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from smalltune.core.errors import DataError, StudyError
from smalltune.core.plural import plural
from smalltune.data.labels import alike, words_for
from smalltune.data.profile import Columns, Survey, survey
from smalltune.data.splits import draw
from smalltune.data.tables import read_rows
from smalltune.planning.guessing import check_labels
from smalltune.planning.reading import read_study
from smalltune.planning.template import CHOOSE, DEV, OWN, REVIEWS, TEMPLATE, WORDS

__all__ = ["Own", "Written", "new_folder", "own_study", "starter_study"]

FEWEST: Final = 10
"""Rows below which no test and dev part can be set apart."""


@dataclass(frozen=True)
class Own:
    """Tables of the user's own by role (`train`, perhaps `test` and `dev`), and their columns."""

    files: Mapping[str, Path]
    columns: Columns


@dataclass(frozen=True)
class Written:
    """A study file that was written: its words by label, rows by label, and what to know of it."""

    file: Path
    words: dict[str, str] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def starter_study(name: str) -> Written:
    """Write a study on the embedded base and reviews."""
    return Written(_write(new_folder(name), task="reviews", tasks=REVIEWS))


def own_study(name: str, own: Own) -> Written:
    """Write a study on the user's tables; without a test table a fifth of the rows is set apart.

    Raises DataError naming file and row when a chosen column cannot be learned from, and when
    no row of train is left once those that test or dev repeats are dropped, as a run drops them.
    """
    folder, train, columns = new_folder(name), own.files["train"], own.columns
    surveys = {role: survey(path, columns) for role, path in own.files.items()}
    held = surveys["train"]
    check_labels(train, columns.label, list(held.labels), len(held.order))
    if len(set(held.keys)) == 1:
        raise DataError(
            f"{train}: all texts in {_columns(columns.text)} are alike: there is nothing to learn "
            "from; choose another column with --text"
        )
    notes = _unseen(surveys)
    labels = sorted({label for each in surveys.values() for label in each.labels}, key=_in_order)
    twins = alike(labels)
    if twins:
        raise DataError(
            f"{train}: the labels {twins[0]!r} and {twins[1]!r} in the column {columns.label!r} "
            "differ only in case or blanks: write them alike in the file"
        )
    words, guessed = words_for(labels)
    if guessed:
        notes.append("the words of the labels are a guess: open the file and choose better ones")
    written: list[Path] = []
    try:
        if "test" in own.files:
            left = _left(train, surveys)
            files = {
                role: os.path.relpath(p.resolve(), folder.resolve())
                for role, p in own.files.items()
            }
        else:
            written, count, left = _set_apart(folder, train, held)
            files = {p.stem: f"data/{p.name}" for p in written}
            notes.append(f"test is a fifth of the rows, {count} of them, drawn by label")
        task = _name(train)
        tasks = _task(task, files, columns, words, guessed, left)
        return Written(_write(folder, task=task, tasks=tasks), words, dict(held.labels), notes)
    except BaseException:
        _remove(written)
        raise


def _task(
    task: str,
    files: Mapping[str, str],
    columns: Columns,
    words: Mapping[str, str],
    guessed: bool,
    count: int,
) -> str:
    """Return the lines of the task's entry."""
    text = ", ".join(map(_quoted, columns.text))
    asked = columns.label.replace("_", " ").strip().capitalize()
    tail = asked if re.fullmatch(r"[A-Za-z][A-Za-z ]{2,30}", asked) else "Label"
    texts = "\n".join(f"{{{column}}}" for column in columns.text)
    return OWN.format(
        task=task,
        files="\n".join(f"      {role}: {_quoted(path)}" for role, path in files.items()),
        text=f"[{text}]" if len(columns.text) > 1 else text,
        label=_quoted(columns.label),
        id=f"    id: {_quoted(columns.id)}\n" if columns.id is not None else "",
        hint=CHOOSE if guessed else WORDS,
        labels="\n".join(f"      {_quoted(v)}: {_quoted(w)}" for v, w in words.items()),
        prompt=_quoted(f"{texts}\n{tail}:"),
        dev="" if "dev" in files else DEV.format(rows=max(1, min(500, count // 5))),
    )


def _left(train: Path, surveys: Mapping[str, Survey]) -> int:
    """Return how many rows of train no other table repeats; raise DataError when there are none."""
    keys = surveys["train"].keys
    for role in ("test", "dev"):
        if role in surveys:
            there = set(surveys[role].keys)
            keys = [key for key in keys if key not in there]
        if not keys:
            raise DataError(
                f"{train}: every row of it is repeated in {role}, which leaves none to train on: "
                "are they one file?"
            )
    return len(keys)


def _unseen(surveys: Mapping[str, Survey]) -> list[str]:
    """Return a sentence for each table with labels that train lacks."""
    said = []
    for role, found in surveys.items():
        new = sorted(set(found.labels) - set(surveys["train"].labels))
        if new:
            shown = ", ".join(map(repr, new[:5])) + (" ..." if new[5:] else "")
            rows = plural(sum(found.labels[label] for label in new), "row")
            said.append(f"{role} has labels that train lacks, in {rows}: {shown}: none is learned")
    return said


def new_folder(name: str) -> Path:
    """Return the folder that a study of this name gets; raise StudyError when one is there."""
    folder = Path(name) if os.sep in name or name.startswith(".") else Path("studies") / name
    if (folder / "study.yaml").exists():
        raise StudyError(f"{folder / 'study.yaml'} is there already: choose another name")
    return folder


def _write(folder: Path, *, task: str, tasks: str) -> Path:
    named = folder.resolve().name
    name = re.sub(r"^[^A-Za-z0-9]+|[^A-Za-z0-9._-]+", "-", named).strip("-") or "study"
    title = named.replace("-", " ").replace("_", " ").capitalize()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "study.yaml"
    file.write_text(
        TEMPLATE.format(name=_plain(name), title=_plain(title), task=task, tasks=tasks),
        encoding="utf-8",
    )
    try:
        read_study(file)
    except StudyError:
        file.unlink()
        raise
    return file


def _set_apart(folder: Path, table: Path, held: Survey) -> tuple[list[Path], int, int]:
    """Write data/train.jsonl and data/test.jsonl; a fifth of each label is test.

    A label that occurs once stays in train. Returns the files, the number of rows of test, and
    how many rows of train test does not repeat.
    """
    order, counts = held.order, held.labels
    if len(order) < FEWEST:
        raise DataError(
            f"{table}: {plural(len(order), 'row')}, too few to set test and dev rows apart: "
            f"give {FEWEST} or more, or a test table with --test"
        )
    numbers = {value: number for number, value in enumerate(sorted(counts))}
    pool = [index for index, label in enumerate(order) if counts[label] > 1]
    drawn = draw([numbers[order[index]] for index in pool], max(1, len(order) // 5), 0)
    chosen = {pool[index] for index in drawn.tolist()}
    there = {held.keys[index] for index in chosen}
    left = sum(key not in there for key in held.keys)
    if not left:
        raise DataError(
            f"{table}: {plural(len(there), 'different text')} in {len(order):,} rows: every row of "
            "train would be repeated in test: drop the repeats, or give a test table with --test"
        )
    parts = [folder / "data" / f"{role}.jsonl" for role in ("train", "test")]
    for part in parts:
        if part.exists():
            raise StudyError(f"{part} is there already: choose another name, or give --test")
    parts[0].parent.mkdir(parents=True, exist_ok=True)
    try:
        with (
            parts[0].open("x", encoding="utf-8") as train,
            parts[1].open("x", encoding="utf-8") as test,
        ):
            for index, (_, row) in enumerate(read_rows(table)):
                line = json.dumps(row, ensure_ascii=False, default=str)
                (test if index in chosen else train).write(line + "\n")
    except BaseException:
        _remove(parts)
        raise
    return parts, len(chosen), left


def _remove(files: list[Path]) -> None:
    """Remove files that were half written, and their folder if it is empty then."""
    for file in files:
        file.unlink(missing_ok=True)
        if not any(file.parent.iterdir()):
            file.parent.rmdir()
            return


def _columns(names: Sequence[str]) -> str:
    return f"the column{'s' if names[1:] else ''} {' and '.join(map(repr, names))}"


def _in_order(label: str) -> tuple[bool, float, str]:
    """Sort numbers by size and before other labels."""
    number = re.fullmatch(r"[+-]?\d+(\.\d*)?", label.strip())
    return (number is None, float(label) if number else 0.0, label)


def _name(path: Path) -> str:
    stem = path.name.partition(".")[0]
    return "".join(c if c.isalnum() and c.isascii() else "-" for c in stem).strip("-") or "own"


def _plain(text: str) -> str:
    """Return text as YAML reads it back: bare where it can be, else quoted."""
    import yaml

    return text if yaml.safe_load(text) == text else _quoted(text)


def _quoted(text: str) -> str:
    """Return text as YAML's double quotes hold it; what cannot be printed as its code."""
    inside = "".join(
        f"\\{c}" if c in '\\"' else c if c.isprintable() else _escaped(c) for c in text
    )
    return f'"{inside}"'


def _escaped(char: str) -> str:
    short = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return short.get(char, f"\\U{ord(char):08x}")

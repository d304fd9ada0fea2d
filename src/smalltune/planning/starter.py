"""Starters: a commented study file for someone who begins, on embedded or on their own data."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from smalltune.core.errors import DataError, StudyError
from smalltune.core.plugins import load
from smalltune.core.plural import plural
from smalltune.data.labels import alike, words_for
from smalltune.data.profile import Columns, Survey, survey
from smalltune.planning.apart import remove, set_apart
from smalltune.planning.guessing import check_labels
from smalltune.planning.open_tasks import open_task
from smalltune.planning.quoting import plain, quoted
from smalltune.planning.reading import read_study
from smalltune.planning.template import (
    CHOOSE,
    DEV,
    FLOORS,
    OPEN,
    OWN,
    REVIEWS,
    TEMPLATE,
    WORDS,
)

__all__ = ["Own", "Written", "new_folder", "open_study", "own_study", "starter_study"]


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


def open_study(name: str, own: Own) -> Written:
    """Write a study on the user's tables whose answers are texts, choices, exchanges or no more.

    Raises DataError naming file and row when the columns cannot be used.
    """
    folder, kind = new_folder(name), own.columns.kind
    found = open_task(own.files, own.columns)
    places = {role: os.path.relpath(p.resolve(), folder.resolve()) for role, p in own.files.items()}
    if kind != "language_modelling":
        places.setdefault("test", places["train"])
    elif len(places) == 1:
        places = {"text": places["train"]}
    task = _name(own.files["train"])
    tasks = OPEN.format(task=task, kind=kind, files=_files(places), options=found.lines)
    plugin = load("smalltune.tasks", kind)
    floors = ("majority",) if kind == "multiple_choice" else ()
    primary = (found.metrics or plugin.metrics)[0]
    file = _write(folder, task=task, tasks=tasks, floors=floors, primary=primary)
    return Written(file, notes=found.notes)


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
            written, count, left = set_apart(folder, train, held)
            files = {p.stem: f"data/{p.name}" for p in written}
            notes.append(f"test is a fifth of the rows, {count} of them, drawn by label")
        task = _name(train)
        tasks = _task(task, files, columns, words, guessed, left)
        return Written(_write(folder, task=task, tasks=tasks), words, dict(held.labels), notes)
    except BaseException:
        remove(written)
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
    text = ", ".join(map(quoted, columns.text))
    asked = columns.label.replace("_", " ").strip().capitalize()
    tail = asked if re.fullmatch(r"[A-Za-z][A-Za-z ]{2,30}", asked) else "Label"
    texts = "\n".join(f"{{{column}}}" for column in columns.text)
    return OWN.format(
        task=task,
        files=_files(files),
        text=f"[{text}]" if len(columns.text) > 1 else text,
        label=quoted(columns.label),
        id=f"    id: {quoted(columns.id)}\n" if columns.id is not None else "",
        hint=CHOOSE if guessed else WORDS,
        labels="\n".join(f"      {quoted(v)}: {quoted(w)}" for v, w in words.items()),
        prompt=quoted(f"{texts}\n{tail}:"),
        dev="" if "dev" in files else DEV.format(rows=max(1, min(500, count // 5))),
    )


def _files(files: Mapping[str, str]) -> str:
    return "\n".join(f"      {role}: {quoted(path)}" for role, path in files.items())


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


def _write(
    folder: Path,
    *,
    task: str,
    tasks: str,
    floors: Sequence[str] = ("majority", "tfidf"),
    primary: str = "accuracy",
) -> Path:
    named = folder.resolve().name
    name = re.sub(r"^[^A-Za-z0-9]+|[^A-Za-z0-9._-]+", "-", named).strip("-") or "study"
    title = named.replace("-", " ").replace("_", " ").capitalize()
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "study.yaml"
    file.write_text(
        TEMPLATE.format(
            name=plain(name),
            title=plain(title),
            task=task,
            tasks=tasks,
            floors="".join(FLOORS[method] for method in floors),
            primary=primary,
        ),
        encoding="utf-8",
    )
    try:
        read_study(file)
    except StudyError:
        file.unlink()
        raise
    return file


def _columns(names: Sequence[str]) -> str:
    return f"the column{'s' if names[1:] else ''} {' and '.join(map(repr, names))}"


def _in_order(label: str) -> tuple[bool, float, str]:
    """Sort numbers by size and before other labels."""
    number = re.fullmatch(r"[+-]?\d+(\.\d*)?", label.strip())
    return (number is None, float(label) if number else 0.0, label)


def _name(path: Path) -> str:
    stem = path.name.partition(".")[0]
    return "".join(c if c.isalnum() and c.isascii() else "-" for c in stem).strip("-") or "own"

"""Open tasks: starter entries for texts to be written, instructions, choices and running text.

The rows stay in the user's file: where no test table is given, the task itself parts the rows, by
the rules `test` and `dev`. Before anything is written the task splits the files as a run will, so
that what cannot be used is said now, with its row.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from smalltune.core.errors import DataError
from smalltune.core.plugins import load
from smalltune.core.plural import plural
from smalltune.data.profile import Columns
from smalltune.data.splits import Row, Splits
from smalltune.data.tables import column_of, read_table
from smalltune.planning.apart import FEWEST
from smalltune.planning.quoting import quoted
from smalltune.planning.recognising import bare

__all__ = ["OpenTask", "open_task"]

MOST: Final = 500
"""Rows of dev or test that are drawn from a table, a fifth of it at most."""

HELD_OUT: Final = (0.01, 0.05, 0.1, 0.2)
"""Shares of the documents that are tried for dev and test, until each has enough."""

EXTRACTED: Final = 0.95
"""Share of rows from which an answer stands in the text where answers are parts of it."""

_WHOLE: Final = ("question", "query", "hypothesis")
_SAID: Final = ("summary", "highlights", "abstract", "headline", "translation", "title")

ABOUT: Final = {
    "text": "What the model reads.",
    "reference": "The texts that would be right, a column or several; they are learned from.",
    "prompt": "What stands before the answer; every text column in braces.",
    "longest": "Tokens of an answer with its end: twice the words of nearly all of the file's.",
    "extractive": "Answers are words of the text; so token F1 and exact match score them.",
    "stop": "An answer is read up to the first line's end; `end` reads until the model ends it.",
    "uncut": "Where a prompt is too long the other texts lose their end, never this one.",
    "choices": "Where the choices stand, and the column of the right one: letter, place or text.",
    "first": "The right choice is given by its place, counted from here.",
    "test": "Test and dev are drawn from the file, the same rows for every method and seed.",
    "held_out": "This share of the documents is dev, and as much test: which, their words decide.",
    "dev": "Dev is drawn from train; what repeats a dev or test row leaves train.",
    "metrics": "The usual ones without those that cannot see most of these answers.",
}
"""What stands above an option in the study file."""


@dataclass(frozen=True)
class OpenTask:
    """A task's options as the study file shall have them, what they part, and remarks.

    `metrics` are those that score it, the one to judge it by first.
    """

    options: Mapping[str, Any]
    splits: Splits
    notes: list[str] = field(default_factory=list)
    metrics: tuple[str, ...] = ()

    @property
    def lines(self) -> str:
        """The options as lines of YAML, four blanks deep, each below what it is."""
        shown = []
        for name, value in self.options.items():
            if name in ABOUT and not (name == "dev" and "test" in self.options):
                shown.append(f"    # {ABOUT[name]}")
            shown.append(f"    {name}: {_yaml(value)}")
        return "\n".join(shown) + "\n"


def open_task(files: Mapping[str, Path], columns: Columns) -> OpenTask:
    """Return the task of these columns on these files, parted as a run will part them.

    `files` are by role; without a test table test is a part of train. Raises DataError naming file
    and row when they cannot be used.
    """
    if columns.kind == "language_modelling":
        return _running_text(files, columns)
    rows = list(read_table(files["train"]))
    options = _options(rows, columns)
    absent = [role for role in ("test", "dev") if role not in files]
    if absent and len(rows) < FEWEST:
        raise DataError(
            f"{files['train']}: {plural(len(rows), 'row')}, too few to set {' and '.join(absent)} "
            f"rows apart: give {FEWEST} or more, or tables of their own"
        )
    fifth = max(1, min(MOST, len(rows) // 5))
    options |= {role: {"rows": fifth, "seed": 0} for role in absent}
    given = {role: [path] for role, path in files.items()}
    given.setdefault("test", given["train"])
    splits = load("smalltune.tasks", columns.kind)(**options).split(given)
    if "reference" in options or columns.kind == "instructions":
        options = _with_answers(options, splits)
    notes = [*_dropped(splits), *splits.notes]
    if "test" in absent:
        notes.insert(0, f"test is {len(splits.test)} rows of the table, drawn by a seed")
    usual = load("smalltune.tasks", columns.kind)(**options).usual_metrics
    metrics = _counting(usual, splits)
    if metrics != usual:
        options |= {"metrics": list(metrics)}
    return OpenTask(options, splits, notes, metrics)


def _counting(metrics: Sequence[str], splits: Splits) -> tuple[str, ...]:
    """Return the metrics without those that cannot see most of test's references."""
    texts = [text for row in splits.test for text in row.references]
    return tuple(name for name in metrics if not load("smalltune.metrics", name).blind_to(texts))


def _running_text(files: Mapping[str, Path], columns: Columns) -> OpenTask:
    """Return the task of running text; without tables of dev and test documents are held out."""
    options: dict[str, Any] = {"text": columns.text[0]}
    if len(files) > 1:
        if set(files) != {"train", "dev", "test"}:
            raise DataError(
                f"{files['train']}: running text has files of train, dev and test, or one file of "
                "which a part is held out: give both --dev and --test, or neither"
            )
        splits = _split(columns.kind, options, files)
        return OpenTask(options, splits, _dropped(splits))
    for share in HELD_OUT:
        options["held_out"] = share
        try:
            splits = _split(columns.kind, options, {"text": files["train"]})
        except DataError as error:
            problem = error
            continue
        if share == HELD_OUT[-1] or min(len(splits.dev), len(splits.test)) >= FEWEST:
            held = f"dev is {plural(len(splits.dev), 'document')}, test {len(splits.test)}"
            return OpenTask(options, splits, [held, *_dropped(splits)])
    raise DataError(
        f"{files['train']}: too few documents to hold dev and test out of them ({problem}): give "
        "more, or files of dev and test"
    )


def _split(kind: str, options: Mapping[str, Any], files: Mapping[str, Path]) -> Splits:
    task = load("smalltune.tasks", kind)(**options)
    splits: Splits = task.split({role: [path] for role, path in files.items()})
    return splits


def _dropped(splits: Splits) -> list[str]:
    return [f"{count} {reason}" for reason, count in splits.dropped.items() if count]


def _options(rows: Sequence[Mapping[str, Any]], columns: Columns) -> dict[str, Any]:
    """Return what the columns decide."""
    options: dict[str, Any] = {}
    if columns.text:
        options["text"] = list(columns.text) if columns.text[1:] else columns.text[0]
    if columns.kind == "generation":
        options |= {"reference": columns.label}
    if columns.kind == "multiple_choice":
        options |= _choices(rows, columns)
    if columns.text:
        options["prompt"] = _prompt(columns)
        whole = [name for name in columns.text if bare(name) in _WHOLE]
        if whole and len(whole) < len(columns.text):
            options["uncut"] = whole
    return options | ({"id": columns.id} if columns.id is not None else {})


def _choices(rows: Sequence[Mapping[str, Any]], columns: Columns) -> dict[str, Any]:
    several = len(columns.choices) > 1
    found: dict[str, Any] = {"choices": list(columns.choices) if several else columns.choices[0]}
    most = len(columns.choices)
    if not several:
        lists = [column_of(row, columns.choices[0]) for row in rows]
        most = max((len(each) for each in lists if isinstance(each, list)), default=2)
    found["answer"] = columns.label
    if not several:
        found["most"] = most
    places = {str(row.get(columns.label)).strip() for row in rows}
    if all(re.fullmatch(r"\d+", place) for place in places):
        numbers = {int(place) for place in places}
        if 0 not in numbers and max(numbers) == most:
            found["first"] = 1
    return found


def _prompt(columns: Columns) -> str:
    texts = "\n".join(f"{{{column}}}" for column in columns.text)
    asked = bare(columns.label)
    named = columns.kind == "generation" and asked in _SAID
    return f"{texts}\n{asked.replace('_', ' ').capitalize() if named else 'Answer'}:"


def _with_answers(options: Mapping[str, Any], splits: Splits) -> dict[str, Any]:
    """Return the options with what the references tell of answers: their length and whence."""
    said = [text for row in splits.train for text in row.references]
    words = float(np.quantile([len(text.split()) for text in said], 0.98))
    longest = 8 * math.ceil(min(256, max(16, 2 * words + 8)) / 8)
    line = not any("\n" in text for text in said)
    shown: dict[str, Any] = {}
    for name, value in options.items():
        if name in ("id", "test", "dev"):
            shown.setdefault("longest", longest)
            if "reference" in options and np.mean([*map(_quoted_from, splits.train)]) >= EXTRACTED:
                shown.setdefault("extractive", True)
            if line and "reference" in options:
                shown.setdefault("stop", "line")
        shown[name] = value
    return shown


def _quoted_from(row: Row) -> bool:
    """Tell whether an answer stands word for word in one of the row's texts."""
    texts = [" ".join(text.split()) for text in row.fields.values()]
    answers = [" ".join(text.split()) for text in row.references]
    return any(answer in text for answer in answers for text in texts)


def _yaml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return f"[{', '.join(map(quoted, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {inner}" for name, inner in value.items()) + "}"
    return str(value)

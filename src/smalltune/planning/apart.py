"""Setting rows apart: a test table out of the one table that a user has, in files of their own."""

import json
from pathlib import Path
from typing import Final

from smalltune.core.errors import DataError, StudyError
from smalltune.core.plural import plural
from smalltune.data.profile import Survey
from smalltune.data.splits import draw
from smalltune.data.tables import read_rows

__all__ = ["FEWEST", "remove", "set_apart"]

FEWEST: Final = 10
"""Rows below which no test and dev part can be set apart."""


def set_apart(folder: Path, table: Path, held: Survey) -> tuple[list[Path], int, int]:
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
        remove(parts)
        raise
    return parts, len(chosen), left


def remove(files: list[Path]) -> None:
    """Remove files that were half written, and their folder if it is empty then."""
    for file in files:
        file.unlink(missing_ok=True)
        if not any(file.parent.iterdir()):
            file.parent.rmdir()
            return

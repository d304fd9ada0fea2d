"""Texts: rows of public data sets, asked as smalltune's own tasks ask them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["SOURCES", "TITLES", "Asked", "ask", "demonstrations", "draw_rows", "task_of", "written"]

_COLUMN = re.compile(r"\{(\w+)\}")

SOURCES: Mapping[str, Mapping[str, str]] = {
    "sst2": {"train": "glue_sst2/train", "test": "glue_sst2/validation"},
    "ag_news": {"train": "ag_news/test", "test": "ag_news/test"},
    "boolq": {"train": "boolq/train_1886_subset", "test": "boolq/validation"},
}
"""Files by role. AG News: the split whose texts have their titles; nothing is scored on it here
but speed, and the rows of train and test are different draws."""
TITLES = {"sst2": "SST-2", "ag_news": "AG News", "boolq": "BoolQ"}


@dataclass(frozen=True)
class Asked:
    """Rows as tokens: the prompts, the label words, and the prompts followed by their answers."""

    rows: list[Any]
    prompts: Any
    answers: Any
    supervised: Any


def task_of(name: str) -> Any:
    """Return one of smalltune's own tasks."""
    from smalltune.core.plugins import load

    return load("smalltune.tasks", name)()


def draw_rows(data: Path, name: str, role: str, count: int, seed: int = 0) -> list[Any]:
    """Return `count` rows drawn at random, the same for the same arguments.

    Raises FileNotFoundError where the data are not there, ValueError when there are fewer rows.
    """
    import pyarrow.parquet

    from smalltune.data.splits import Row

    path = data / f"{SOURCES[name][role]}.parquet"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; name the folder of the data with --data")
    task = task_of(name)
    table = pyarrow.parquet.read_table(path)
    if count > table.num_rows:
        raise ValueError(f"{path} holds {table.num_rows} rows, not {count}")
    order = np.random.default_rng([seed, role == "test"]).permutation(table.num_rows)
    found = table.take(np.sort(order[:count])).to_pylist()
    return [
        Row(str(n), {c: row[c] for c in task.columns}, task.labels[str(row[task.label]).lower()])
        for n, row in enumerate(found)
    ]


def ask(task: Any, rows: list[Any], tokeniser: Any, length: int) -> Asked:
    """Return rows as tokens, at most `length` of them each."""
    encoded = task.encode(rows, tokeniser, length=length, chat=False).segments
    answers = task.answers(tokeniser, chat=False)
    return Asked(rows, encoded, answers, task.training(encoded, answers))


def written(task: Any, row: Any) -> str:
    """Return the prompt of a row as text."""
    return _COLUMN.sub(lambda found: row.fields.get(found[1], found[0]), task.template)


def demonstrations(task: Any, rows: list[Any]) -> str:
    """Return answered rows as the text before a prompt, an empty line after each."""
    return "".join(f"{written(task, row)} {row.label}\n\n" for row in rows)

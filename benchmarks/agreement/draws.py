"""Draws: the rows of each set as files, the same for the same seed; both sides read them."""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["DRAWN", "SOURCES", "draw", "four_choices"]

SEED = 20
LEARNED = 40
"""Rows of train and of dev, which a study file needs and which nobody here learns from."""

SOURCES: Mapping[str, tuple[str, str]] = {
    "sst2": ("glue_sst2/train.parquet", "glue_sst2/validation.parquet"),
    "boolq": ("boolq/train_1886_subset.parquet", "boolq/validation.parquet"),
    "squad": ("squad/validation.parquet", "squad/validation.parquet"),
}
"""The files that train and dev, and that test are drawn from."""

DRAWN: Mapping[str, int | None] = {"sst2": None, "boolq": 400, "squad": 350}
"""Test rows of each; None for all."""

Rows = list[dict[str, Any]]


def draw(data: Path, name: str, folder: Path, rows: int | None) -> dict[str, Path]:
    """Write train, dev and test of a set, at most `rows` of test; return the files by role.

    Raises FileNotFoundError where the data are not there.
    """
    learned, tested = (_read(data / source) for source in SOURCES[name])
    make: Callable[[Rows], Rows] = four_choices if name == "squad" else list
    test = _some(make(tested), rows)
    held = {json.dumps(row, sort_keys=True) for row in test}
    spare = [row for row in make(learned) if json.dumps(row, sort_keys=True) not in held]
    rest = _some(spare, 2 * LEARNED)
    made = {}
    for role, part in (("train", rest[::2]), ("dev", rest[1::2]), ("test", test)):
        made[role] = folder / f"{name}-{role}.jsonl"
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in part)
        made[role].write_text("".join(lines), encoding="utf-8")
    return made


def four_choices(questions: Rows) -> Rows:
    """Return SQuAD's questions, each with its answer among those to three others of its article.

    A wrong choice neither holds nor is held by a right answer, in lower case. Questions of an
    article with too few such answers are left out.
    """
    known: dict[str, list[str]] = defaultdict(list)
    for row in questions:
        known[row["title"]].append(_answers(row)[0])
    made = []
    for row in questions:
        rng = np.random.default_rng([SEED, *row["id"].encode()])
        right = _answers(row)
        choices = {right[0].lower(): right[0]}
        for place in rng.permutation(len(known[row["title"]])):
            other = known[row["title"]][place]
            if len(choices) < 4 and not any(_alike(other, each) for each in right):
                choices.setdefault(other.lower(), other)
        texts = list(choices.values())
        if len(texts) == 4:
            order = rng.permutation(4)
            made.append(
                {
                    "id": row["id"],
                    "context": row["context"],
                    "question": row["question"],
                    "choices": [texts[i] for i in order],
                    "answer": int(np.flatnonzero(order == 0)[0]),
                }
            )
    return made


def _answers(row: Mapping[str, Any]) -> list[str]:
    return [text.strip() for text in row["answers"]["text"]]


def _alike(one: str, other: str) -> bool:
    return one.lower() in other.lower() or other.lower() in one.lower()


def _some(rows: Rows, count: int | None) -> Rows:
    """Return `count` rows drawn without replacement, in their order."""
    if count is None or count >= len(rows):
        return rows
    order = np.random.default_rng(SEED).permutation(len(rows))[:count]
    return [rows[i] for i in np.sort(order)]


def _read(path: Path) -> Rows:
    import pyarrow.parquet

    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; name the folder of the data with --data")
    rows: Rows = pyarrow.parquet.read_table(path).to_pylist()
    return rows

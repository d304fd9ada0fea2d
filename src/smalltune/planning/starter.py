"""Starters: a commented study file for someone who begins, on embedded or on their own data."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from smalltune.core.errors import DataError, StudyError
from smalltune.core.plugins import nearest
from smalltune.data.splits import draw
from smalltune.data.tables import read_table
from smalltune.planning.reading import read_study

__all__ = ["own_study", "starter_study"]

MOST_LABELS = 20

TEMPLATE = """\
# A study: every model with every method on every task with every seed.
# `smalltune plan` shows what it means, `smalltune run` runs what is missing, `smalltune paper`
# writes it up. An unknown key is an error, so nothing in here is ignored.
name: {name}
title: {title}
question: How do the methods compare on {task} when each sees the same rows?

models:
  # Another model: {{source: Qwen/Qwen2.5-0.5B, why: ...}} (a hub id; `smalltune lock` pins it), or
  # {{source: ./folder, why: ...}} with config.json, safetensors and a tokeniser.
  micro-llama:
    why: The base that comes with smalltune; it trains in seconds without a GPU.

tasks:
{tasks}
methods:
  # Each method's own hyperparameters stand here; `tune: {{learning_rate: [1e-4, 1e-3]}}` would
  # choose on dev. A method under a name of your own: lora4: {{method: lora, rank: 4}}.
  majority:
    why: The floor, right without reading the text.
  tfidf:
    why: The linear baseline that a language model has to beat.
  zero_shot:
    why: What the base knows before any training.
  full:
    why: The reference that trains every weight.
  lora:
    rank: 8
    why: The parameter-efficient method in question.

# Shared by all methods that train; a method's own value wins.
training:
  epochs: 3
  batch_size: 16

# Six paired seeds 0 to 5: with five, an exact paired test can never reach p < .05.
seeds: 6
# Declared before the runs; others are exploration.
contrasts: ["lora - full"]
primary: accuracy
"""

REVIEWS = """\
  reviews:
    why: Short reviews that come with smalltune; nothing has to be fetched.
"""

OWN = """\
  {task}:
    kind: classification
    files:
      train: {train}
      test: {test}
    text: {text}
    label: {label}
    # Each value of the label column and the word that stands for it; choose common, short words.
    labels:
{labels}
    # What the model reads before it answers with a label's word.
    prompt: {prompt}
    # Dev is drawn from train; rows of train that repeat a dev or test row are dropped.
    dev: {{rows: {dev}, seed: 0}}
    # A paper needs to say why this data answers the question; it prints licence and link too.
    # why: ...
    # licence: ...
"""


def starter_study(name: str) -> Path:
    """Write a study on the embedded base and reviews; return its file."""
    folder = _folder(name)
    return _write(folder, task="reviews", tasks=REVIEWS)


def own_study(name: str, data: Path, test: Path | None, *, text: str, label: str) -> Path:
    """Write a study on the user's table; without a test table a fifth of the rows is set apart.

    Raises DataError when the table lacks a column or its labels are too many to be classes.
    """
    rows = _rows(data, text, label)
    labels = Counter(str(row[label]) for row in rows)
    if not 2 <= len(labels) <= MOST_LABELS:
        raise DataError(
            f"{data}: {len(labels)} different values in the column {label!r}; "
            f"classes are 2 to {MOST_LABELS}"
        )
    folder = _folder(name)
    if test is None:
        train_at, test_at, count = _set_apart(folder, rows, label)
    else:
        _rows(test, text, label)
        train_at, test_at = _relative(data, folder), _relative(test, folder)
        count = len(rows)
    words = {value: value.lower().replace("_", " ") for value in sorted(labels)}
    tasks = OWN.format(
        task=_name(data),
        train=_quoted(train_at),
        test=_quoted(test_at),
        text=_quoted(text),
        label=_quoted(label),
        labels="\n".join(f"      {_quoted(v)}: {_quoted(w)}" for v, w in words.items()),
        prompt=_quoted(f"{{{text}}}\nLabel:"),
        dev=max(1, min(500, count // 5)),
    )
    return _write(folder, task=_name(data), tasks=tasks)


def _folder(name: str) -> Path:
    folder = Path(name) if os.sep in name or name.startswith(".") else Path("studies") / name
    if (folder / "study.yaml").exists():
        raise StudyError(f"{folder / 'study.yaml'} is there already: choose another name")
    return folder


def _write(folder: Path, *, task: str, tasks: str) -> Path:
    name = "".join(c if c.isalnum() or c in "._-" else "-" for c in folder.resolve().name)
    title = name.replace("-", " ").replace("_", " ").capitalize()
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


def _rows(path: Path, *columns: str) -> list[dict[str, Any]]:
    rows = list(read_table(path))
    for column in columns:
        if not rows or column not in rows[0]:
            there = [str(name) for name in rows[0]] if rows else []
            near = nearest(column, there) if there else "The file has no rows."
            raise DataError(f"{path}: no column {column!r}. {near}")
    return rows


def _set_apart(folder: Path, rows: list[dict[str, Any]], label: str) -> tuple[str, str, int]:
    """Write train.jsonl and test.jsonl into the study; a fifth of each label is test."""
    numbers = {value: n for n, value in enumerate(sorted({str(row[label]) for row in rows}))}
    labels = [numbers[str(row[label])] for row in rows]
    chosen = set(draw(labels, max(1, len(rows) // 5), 0).tolist())
    parts: dict[str, list[dict[str, Any]]] = {"train": [], "test": []}
    for index, row in enumerate(rows):
        parts["test" if index in chosen else "train"].append(row)
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for role, part in parts.items():
        lines = [json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in part]
        (folder / "data" / f"{role}.jsonl").write_text("".join(lines), encoding="utf-8")
    return "data/train.jsonl", "data/test.jsonl", len(parts["train"])


def _relative(path: Path, folder: Path) -> str:
    return os.path.relpath(path.resolve(), folder.resolve())


def _name(path: Path) -> str:
    stem = path.name.partition(".")[0]
    return "".join(c if c.isalnum() and c.isascii() else "-" for c in stem).strip("-") or "own"


def _plain(text: str) -> str:
    """Return text as YAML reads it back: bare where it can be, else quoted."""
    import yaml

    return text if yaml.safe_load(text) == text else _quoted(text)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)

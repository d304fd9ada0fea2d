"""Prepare: data files to rows of train, dev and test, and the facts a reader wants of them."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from smalltune.core.errors import DataError
from smalltune.core.keys import file_digest
from smalltune.core.plugins import load
from smalltune.core.store import write_json
from smalltune.data.splits import Row
from smalltune.models.sources import locate_file
from smalltune.stages.bench import Bench, Inputs

__all__ = ["prepare"]

VERSION = 1


def prepare(spec: Mapping[str, Any], inputs: Inputs, out: Path, bench: Bench) -> None:
    """Write train.jsonl, dev.jsonl, test.jsonl (id, fields, label) and facts.json."""
    task = load("smalltune.tasks", spec["task"]["kind"])(**spec["task"]["options"])
    files = {role: locate_file(ref) for role, ref in inputs.sources.items()}
    for role, path in files.items():
        if file_digest(path) != spec["files"][role]:
            raise DataError(f"{path}: changed since study.lock: `smalltune lock STUDY` accepts it")
    splits = task.split(files)
    parts = {"train": splits.train, "dev": splits.dev, "test": splits.test}
    for name, rows in parts.items():
        with (out / f"{name}.jsonl").open("w", encoding="utf-8") as file:
            for row in rows:
                file.write(json.dumps(asdict(row), ensure_ascii=False) + "\n")
    facts = {name: _facts(rows) for name, rows in parts.items()}
    write_json(
        out / "facts.json", {"splits": facts, "dropped": splits.dropped, "notes": splits.notes}
    )


def _facts(rows: list[Row]) -> dict[str, Any]:
    words = [sum(len(text.split()) for text in row.fields.values()) for row in rows]
    return {
        "rows": len(rows),
        "labels": dict(sorted(Counter(row.label for row in rows).items())),
        "words_mean": sum(words) / len(words),
        "words_max": max(words),
    }

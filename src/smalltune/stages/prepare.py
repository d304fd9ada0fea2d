"""Prepare: data files to rows of train, dev and test, and the facts a reader wants of them."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smalltune.core.errors import DataError
from smalltune.core.keys import file_digest
from smalltune.core.plugins import load
from smalltune.core.store import write_json
from smalltune.data.duplicates import METHOD, THRESHOLD, duplicates
from smalltune.data.limits import limited
from smalltune.data.splits import Row, Splits
from smalltune.models.sources import locate_file
from smalltune.stages.bench import Bench, Inputs

__all__ = ["prepare"]

VERSION = 2


def prepare(spec: Mapping[str, Any], inputs: Inputs, out: Path, bench: Bench) -> None:
    """Write train.jsonl, dev.jsonl, test.jsonl (see `Row.stored`) and facts.json.

    The facts hold rows, labels and words of each split, the rows that repeat another one within a
    split and across two (see `data/duplicates.py`), what was dropped, and remarks; where there are
    reference texts or groups, also those. With a `limit` dev and test have no more rows than it
    says.
    """
    task = load("smalltune.tasks", spec["task"]["kind"])(**spec["task"]["options"])
    files = {
        role: [_file(inputs.sources[f"{role}/{n}"], digest) for n, digest in enumerate(digests)]
        for role, digests in spec["files"].items()
    }
    splits = task.split(files)
    parts = _fewer(splits, spec.get("limit", {}))
    for name, rows in parts.items():
        with (out / f"{name}.jsonl").open("w", encoding="utf-8") as file:
            for row in rows:
                file.write(json.dumps(row.stored, ensure_ascii=False) + "\n")
    bench.meter.phase("duplicates")
    within, across = duplicates(parts)
    facts = {
        "splits": {
            name: _facts(rows) | {"duplicates": within[name]} for name, rows in parts.items()
        },
        "across": across,
        "near": {"method": METHOD, "threshold": THRESHOLD},
        "dropped": splits.dropped,
        "notes": splits.notes,
    }
    write_json(out / "facts.json", facts)


def _fewer(splits: Splits, limit: Mapping[str, int]) -> dict[str, list[Row]]:
    """Return the rows by split, of dev and test at most as many as the limit says; count the rest.

    Train keeps what it has: a trial's own seed draws from it.
    """
    parts = {"train": splits.train, "dev": splits.dev, "test": splits.test}
    for name in (name for name in parts if name in limit):
        kept = limited(parts[name], limit[name], limit["seed"])
        if beyond := len(parts[name]) - len(kept):
            splits.dropped[f"{name} rows beyond the limit"] = beyond
        parts[name] = kept
    return parts


def _file(ref: str, digest: str) -> Path:
    """Return the path of a data file whose bytes are those that were locked."""
    path = locate_file(ref)
    if file_digest(path) != digest:
        raise DataError(f"{path}: changed since study.lock: `smalltune lock STUDY` accepts it")
    return path


def _facts(rows: list[Row]) -> dict[str, Any]:
    words = [sum(len(text.split()) for text in row.fields.values()) for row in rows]
    facts: dict[str, Any] = {
        "rows": len(rows),
        "labels": dict(sorted(Counter(row.label for row in rows).items())),
        "words_mean": sum(words) / len(words),
        "words_max": max(words),
    }
    said = [len(text.split()) for row in rows for text in row.references]
    if said:
        facts |= {"references": len(said), "reference_words_mean": sum(said) / len(said)}
    if groups := {row.group for row in rows if row.group}:
        facts["groups"] = len(groups)
    return facts

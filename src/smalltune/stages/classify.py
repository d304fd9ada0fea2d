"""Classify: a classical model is fitted and asked in one step.

It is cheaper to fit again than to store, and nothing that can run code is ever unpickled.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from smalltune.core.plugins import load
from smalltune.core.store import write_json
from smalltune.data.splits import Row, draw
from smalltune.models.lines import has_words
from smalltune.stages.bench import Bench, Inputs

__all__ = ["classify"]

VERSION = 2


def classify(spec: Mapping[str, Any], inputs: Inputs, out: Path, bench: Bench) -> None:
    """Write predictions.jsonl, labels.json and facts.json for one split."""
    method = load("smalltune.methods", spec["method"]["name"])(**spec["method"]["options"])
    if method.answers == "texts":
        _copy(method, _rows(inputs["data"] / f"{spec['split']}.jsonl"), out)
        return
    names = list(spec["labels"])
    train, asked = (
        _rows(inputs["data"] / "train.jsonl"),
        _rows(inputs["data"] / f"{spec['split']}.jsonl"),
    )
    labels = [names.index(row.label) for row in train]
    kept = draw(labels, spec["limit"], spec["seed"] or 0)
    bench.meter.phase("train")
    scores = method.log_probs(
        [_text(train[i]) for i in kept],
        [labels[i] for i in kept],
        len(names),
        [_text(row) for row in asked],
    )
    with (out / "predictions.jsonl").open("w", encoding="utf-8") as file:
        for row, values in zip(asked, scores, strict=True):
            prediction = {
                "id": row.id,
                "log_probs": [float(f"{v:.7g}") for v in values],
                "predicted": names[int(np.argmax(values))],
            }
            file.write(json.dumps(prediction, ensure_ascii=False) + "\n")
    write_json(out / "labels.json", {"names": names})
    write_json(out / "facts.json", {"examples": len(asked), "train_examples": len(kept)})


def _copy(method: Any, asked: list[Row], out: Path) -> None:
    """Write the answers of a method that takes them out of the items."""
    with (out / "predictions.jsonl").open("w", encoding="utf-8") as file:
        for row in asked:
            text = method.text(row.fields)
            prediction = {
                "id": row.id,
                "text": text,
                "ended": True,
                "predicted": text if has_words(text) else None,
            }
            file.write(json.dumps(prediction, ensure_ascii=False) + "\n")
    write_json(out / "labels.json", {"names": []})
    write_json(out / "facts.json", {"examples": len(asked), "train_examples": 0})


def _rows(path: Path) -> list[Row]:
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    return [Row.of(json.loads(line)) for line in lines]


def _text(row: Row) -> str:
    return "\n".join(row.fields.values())

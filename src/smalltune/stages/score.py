"""Score: predictions and gold labels to statistics per item; means are taken later."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from smalltune.core.errors import EngineError
from smalltune.core.plugins import load
from smalltune.core.store import write_json
from smalltune.stages.bench import Bench, Inputs

__all__ = ["score"]

VERSION = 1


def score(spec: Mapping[str, Any], inputs: Inputs, out: Path, bench: Bench) -> None:
    """Write scores.jsonl (one row per item with each metric's statistics) and facts.json."""
    rows = _lines(inputs["data"] / f"{spec['split']}.jsonl")
    predictions = _lines(inputs["predictions"] / "predictions.jsonl")
    if [row["id"] for row in rows] != [p["id"] for p in predictions]:
        raise EngineError("predictions and data are not about the same items")
    names = json.loads((inputs["predictions"] / "labels.json").read_text())["names"]
    gold = [_gold(row, names) for row in rows]
    log_probs = np.array([p["log_probs"] for p in predictions], dtype=np.float64)
    stats, values = {}, {}
    for name in spec["metrics"]:
        metric = load("smalltune.metrics", name)
        stats[name] = metric.items(gold, log_probs, names)
        values[name] = float(metric.combine(stats[name].mean(axis=0)))
    with (out / "scores.jsonl").open("w", encoding="utf-8") as file:
        for index, (row, prediction) in enumerate(zip(rows, predictions, strict=True)):
            line = {
                "id": row["id"],
                "gold": row["label"],
                "predicted": prediction["predicted"],
                "stats": {name: stats[name][index].tolist() for name in stats},
            }
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    facts = {"split": spec["split"], "metrics": spec["metrics"], "values": values}
    write_json(out / "facts.json", facts)


def _gold(row: Mapping[str, Any], names: list[str]) -> int:
    """Return the position of the label; for free text, which has no labels, its bytes."""
    if names:
        return names.index(row["label"])
    return sum(len(text.encode()) for text in row["fields"].values())


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]

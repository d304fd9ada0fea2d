"""Predict: a base, with or without trained weights, to raw scores for every item of a split."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smalltune.core.plugins import load
from smalltune.core.store import write_json
from smalltune.engine.precision import precision
from smalltune.stages.bench import Bench, Inputs

__all__ = ["predict"]

VERSION = 1


def predict(spec: Mapping[str, Any], inputs: Inputs, out: Path, bench: Bench) -> None:
    """Write predictions.jsonl, labels.json and facts.json; gold labels are not looked at."""
    method = load("smalltune.methods", spec["method"]["name"])(**spec["method"]["options"])
    task = load("smalltune.tasks", spec["task"])
    encoded, answers = bench.tokens(inputs, spec["split"]), bench.answers(inputs)
    trained = "weights" in inputs.folders
    changes = trained and method.changes_base
    with bench.base(inputs.sources["model"], spec["model"], spec["seed"] or 0, changes) as model:
        if trained:
            method.load(model, inputs["weights"] / "weights")
        model.eval()
        bench.meter.phase("predict")
        with precision(spec["dtype"], bench.device):
            rows = list(task.predict(model, encoded, answers))
        if trained:
            method.detach(model)
    ids = _ids(inputs["data"] / f"{spec['split']}.jsonl")
    with (out / "predictions.jsonl").open("w", encoding="utf-8") as file:
        for name, row in zip(ids, rows, strict=True):
            file.write(json.dumps({"id": name, **row}, ensure_ascii=False) + "\n")
    write_json(out / "labels.json", {"names": answers.names})
    write_json(out / "facts.json", {"examples": len(rows), "tokens": int(encoded.starts[-1])})


def _ids(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    return [json.loads(line)["id"] for line in lines]

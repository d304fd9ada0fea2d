"""Predict: a base, with or without trained weights, to raw scores for every item of a split."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smalltune.core.plugins import load
from smalltune.core.store import write_json
from smalltune.engine.fitting import telling
from smalltune.engine.flops import asking, flops_of, learning
from smalltune.engine.precision import precision
from smalltune.engine.segments import Segments
from smalltune.kinds import Answers
from smalltune.stages._shown import Shown, calibrated
from smalltune.stages.bench import Bench, Inputs

__all__ = ["predict"]

VERSION = 1


def predict(spec: Mapping[str, Any], inputs: Inputs, out: Path, bench: Bench) -> Mapping[str, Any]:
    """Write predictions.jsonl, labels.json and facts.json; gold labels are not looked at."""
    method = load("smalltune.methods", spec["method"]["name"])(**spec["method"]["options"])
    task = load("smalltune.tasks", spec["task"])
    encoded, answers = bench.tokens(inputs, spec["split"]), bench.answers(inputs)
    shown = Shown(spec, inputs, bench, answers) if "asked" in spec else None
    short = 0
    if shown:
        encoded, short = shown.before(encoded)
    trained = "weights" in inputs.folders
    changes = trained and method.changes_base
    ref, digest, seed = inputs.sources["model"], spec["model"], spec["seed"] or 0
    stored = spec.get("base_dtype", "float32")
    with bench.base(ref, digest, seed, changes, stored) as model:
        if trained:
            method.load(model, inputs["weights"] / "weights")
        model.eval()
        bench.meter.phase("predict")
        with precision(spec["dtype"], bench.device), telling(bench.say):
            rows = list(
                task.predict(model, encoded, answers, **_writing(task, spec, inputs, bench))
            )
            if shown and method.calibrated:
                rows = calibrated(rows, shown.bias(model), answers)
        bench.meter.phase("save")
        flops = _flops(model, encoded, answers)
        if trained:
            method.detach(model)
    ids = _ids(inputs["data"] / f"{spec['split']}.jsonl")
    with (out / "predictions.jsonl").open("w", encoding="utf-8") as file:
        for name, row in zip(ids, rows, strict=True):
            file.write(json.dumps({"id": name, **row}, ensure_ascii=False) + "\n")
    write_json(out / "labels.json", {"names": answers.names}, synced=False)
    tokens = int(encoded.starts[-1])
    facts = {"examples": len(rows), "tokens": tokens, "flops": flops}
    facts |= {"shown_fewer": short} if shown else {}
    write_json(out / "facts.json", facts, synced=False)  # as all files are when it is committed
    return bench.cost("predict", dtype=spec["dtype"], tokens=tokens, flops=flops)


def _flops(model: Any, encoded: Segments, answers: Answers) -> float | None:
    """Return the operations that label words or running text need; None for other questions.

    What a choice among texts or a text of the model's own needs is not known in closed form.
    """
    if answers.names and answers.tokens:
        one = all(len(tokens) == 1 for tokens in answers.tokens)
        rows = len(answers.tokens) if one else None
        return flops_of(model, rows=rows).of(asking(encoded, answers.tokens))
    if not answers.tokens and not answers.names:
        return flops_of(model).of(learning(encoded))
    return None


def _writing(task: Any, spec: Mapping[str, Any], inputs: Inputs, bench: Bench) -> dict[str, Any]:
    """Return what a task needs that writes or measures texts: how, and the tokeniser."""
    if not task.decoding_fields:
        return {}
    tokeniser = bench.tokeniser(inputs.sources["model"], spec["tokeniser"])
    return {"decoding": spec["decoding"], "tokeniser": tokeniser}


def _ids(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    return [json.loads(line)["id"] for line in lines]

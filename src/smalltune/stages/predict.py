"""Predict: a base, with or without trained weights, to raw scores for every item of a split."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalltune.core.plugins import load
from smalltune.core.store import write_json
from smalltune.engine.fitting import telling
from smalltune.engine.flops import Work, asking, flops_of, learning
from smalltune.engine.fronts import fed_by, front_of
from smalltune.engine.precision import precision
from smalltune.engine.prefixes import shared_tokens
from smalltune.engine.segments import Segments
from smalltune.kinds import Answers
from smalltune.stages._probed import probed
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
    (ref, digest), seed = inputs.model(spec["model"]), spec["seed"] or 0
    stored = spec.get("base_dtype", "float32")
    with bench.base(ref, digest, seed, changes, stored, method.quantised()) as model:
        if trained:
            method.load(model, inputs["weights"] / "weights")
        model.eval()
        bench.meter.phase("predict")
        with precision(spec["dtype"], bench.device), telling(bench.say):
            if method.answers == "labels":
                rows = probed(method, model, spec, inputs, bench)
            elif spec.get("ask") == "likelihood":
                rows = list(task.likelihoods(model, encoded))
            else:
                how = _writing(task, spec, inputs, bench)
                rows = list(task.predict(model, encoded, answers, **how))
            if shown and method.calibrated:
                rows = calibrated(rows, shown.bias(model), answers)
        bench.meter.phase("save")
        flops = None if {"decoding", "ask"} & spec.keys() else _flops(model, encoded, answers)
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

    What a choice among texts or a text of the model's own needs is not known in closed form, and
    the few questions of a calibration are not counted.
    """
    front = front_of(model)
    once, before = Work.of(fed_by(model)), front.length if front else 0
    if answers.names and answers.tokens:
        one = all(len(tokens) == 1 for tokens in answers.tokens)
        shared = _shared(encoded, encoded.lengths)
        work = asking(encoded, answers.tokens, shared=shared, front=before)
        return flops_of(model, rows=len(answers.tokens) if one else None).of(once + work)
    if not answers.tokens and not answers.names:
        shared = _shared(encoded, np.maximum(encoded.answers, 1))
        return flops_of(model).of(once + learning(encoded, shared=shared, front=before))
    return None


def _shared(segments: Segments, read: NDArray[Any]) -> int:
    """Return how many tokens all segments begin with, before the first place that is read.

    `read` [n] are these places, counted from one.
    """
    return len(shared_tokens(segments, int(read.min(initial=len(segments.ids))) - 1))


def _writing(task: Any, spec: Mapping[str, Any], inputs: Inputs, bench: Bench) -> dict[str, Any]:
    """Return what a task needs that writes or measures texts: how, and the tokeniser.

    A task that may write, but does not here, has no `decoding` in its question.
    """
    if not task.decoding_fields or "decoding" not in spec:
        return {}
    tokeniser = bench.tokeniser(inputs.sources["model"], spec["tokeniser"])
    return {"decoding": spec["decoding"], "tokeniser": tokeniser}


def _ids(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    return [json.loads(line)["id"] for line in lines]

"""Fitted: a base that a method trains on given segments, and what it stores of that."""

import json
from collections.abc import Mapping
from importlib import metadata
from math import prod
from pathlib import Path
from typing import Any

from smalltune.core.plugins import load
from smalltune.core.provenance import Meter
from smalltune.core.store import write_json
from smalltune.data.splits import draw
from smalltune.engine.checkpoint import NAME
from smalltune.engine.held import shape_of
from smalltune.engine.segments import Segments
from smalltune.engine.training import Training
from smalltune.engine.training import train as fit
from smalltune.stages.bench import Bench, Inputs

__all__ = ["fitted", "lessons"]


def lessons(spec: Mapping[str, Any], inputs: Inputs, bench: Bench) -> Segments:
    """Return the training rows that the seed draws, with their answers."""
    task = load("smalltune.tasks", spec["task"])
    answers, pool = bench.answers(inputs), bench.tokens(inputs, "train")
    kept: Segments = task.training(
        pool.take(draw(pool.labels.tolist(), spec["limit"], spec["seed"])), answers
    )
    return kept


def fitted(
    spec: Mapping[str, Any],
    data: Segments,
    dev: Segments | None,
    base: tuple[str, str],
    out: Path,
    bench: Bench,
) -> Mapping[str, Any]:
    """Train as a train job's spec says; write weights/, log.jsonl and facts.json.

    `base` is the model that training starts from: its reference and its content key.

    The seed draws the order of the segments, new parameters and dropout. What is returned goes
    into the provenance.
    """
    import torch

    seed = spec["seed"]
    method = load("smalltune.methods", spec["method"]["name"])(**spec["method"]["options"])
    stored = spec.get("base_dtype", "float32")
    with bench.base(*base, seed, method.changes_base, stored, method.quantised()) as model:
        torch.manual_seed(seed)
        method.attach(model)
        counts = _counts(model)
        bench.meter.phase("train")
        log, facts = fit(
            model,
            data,
            dev,
            Training(**spec["training"]),
            seed=seed,
            dtype=spec["dtype"],
            work=out,
            checkpoint_seconds=bench.checkpoint_seconds,
            progress=bench.progress,
            micro_batch=bench.micro_batch,
            before_step=method.before_step,
            after_step=method.after_step,
            factor=method.factor,
        )
        bench.meter.phase("save")
        (out / "weights").mkdir(exist_ok=True)
        method.save(model, out / "weights")
        method.detach(model)
    (out / NAME).unlink(missing_ok=True)
    resumed, spent = facts.pop("resumed_from"), facts.pop("spent")
    _count_phases(bench.meter, spent)
    with (out / "log.jsonl").open("w") as file:
        file.writelines(json.dumps(line) + "\n" for line in log)
    write_json(out / "facts.json", facts | counts, synced=False)  # committing syncs
    cost = bench.cost("train", dtype=spec["dtype"], tokens=facts["tokens"], flops=facts["flops"])
    needs = {name: metadata.version(name) for name in method.needs}
    return {
        "resumed_from": resumed,
        "micro_batch": spent["micro_batch"],
        **({"needs": needs} if needs else {}),
        **cost,
    }


def _count_phases(meter: Meter, spent: Mapping[str, Any]) -> None:
    """Count earlier attempts, and what was spent on the dev loss apart from training."""
    earlier = spent["earlier"]
    meter.add("train", earlier["train"], earlier["cpu"])
    if spent["judge"] or earlier["judge"]:
        meter.add("judge", earlier["judge"])
        meter.move(spent["judge"], "train", "judge")


def _counts(model: Any) -> dict[str, int]:
    """Return trained and all parameters; the base's count leaves out what the method added."""
    parameters = list(model.parameters())
    trained = sum(p.numel() for p in parameters if p.requires_grad)
    frozen = sum(prod(shape_of(p)) for p in parameters if not p.requires_grad)
    return {"trainable_parameters": trained, "total_parameters": trained + frozen}

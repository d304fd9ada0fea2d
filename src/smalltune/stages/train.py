"""Train: a base, a method and tokens to weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smalltune.core.plugins import load
from smalltune.engine.training import Training
from smalltune.stages._fitted import fitted, lessons
from smalltune.stages.bench import Bench, Inputs

__all__ = ["train"]

VERSION = 1


def train(spec: Mapping[str, Any], inputs: Inputs, out: Path, bench: Bench) -> Mapping[str, Any]:
    """Write weights/ (as the method saves them), log.jsonl and facts.json.

    The seed draws the training rows, their order, new parameters and dropout.
    """
    dev = None
    if Training(**spec["training"]).early_stopping:
        task = load("smalltune.tasks", spec["task"])
        dev = task.training(bench.tokens(inputs, "dev"), bench.answers(inputs))
    data = lessons(spec, inputs, bench)
    return fitted(spec, data, dev, inputs.model(spec["model"]), out, bench)

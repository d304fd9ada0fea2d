"""Merge: a base and what was trained on it to a model of its own, from which others start."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smalltune.core.plugins import load
from smalltune.models.sources import locate
from smalltune.models.whole import write_model
from smalltune.stages.bench import Bench, Inputs

__all__ = ["merge"]

VERSION = 1


def merge(spec: Mapping[str, Any], inputs: Inputs, out: Path, bench: Bench) -> None:
    """Write model/, a folder that Transformers loads, in float32, with the base's tokeniser."""
    method = load("smalltune.methods", spec["method"]["name"])(**spec["method"]["options"])
    ref, digest = inputs.model(spec["model"])
    with bench.base(ref, digest, spec["seed"], True) as model:
        method.load(model, inputs["weights"] / "weights")
        bench.meter.phase("merge")
        method.merge(model)
        bench.meter.phase("save")
        write_model(model, locate(ref), out / "model")

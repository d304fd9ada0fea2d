"""Measure: what a trial's jobs take on this machine, learnt from a few steps and a few items.

The stages themselves run, in the same kind of process as in a study, on real rows. What they took
is scaled in closed form: by tokens, by steps, and, for a model too large to be measured quickly, by
layers. Such a model is built at two small depths with random weights; time, memory and bytes are
linear in the number of layers. The place (machine, threads, versions) is part of this job's spec,
because it is part of the question.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smalltune.core.errors import EngineError
from smalltune.core.plugins import load
from smalltune.core.store import write_json
from smalltune.engine.memory import (
    activation_bytes,
    budget_of,
    free_memory,
    needed_bytes,
    too_large,
    whole_memory,
)
from smalltune.models.loading import empty_model
from smalltune.models.shallow import depth_of, first_depth, write_shallow
from smalltune.models.sources import locate
from smalltune.stages._asked import Asked
from smalltune.stages._bases import COPIED
from smalltune.stages._sampled import sampled
from smalltune.stages._timed import timed, written
from smalltune.stages.bench import Bench, Inputs
from smalltune.stages.classify import classify
from smalltune.stages.score import score

__all__ = ["measure"]

VERSION = 1

WHOLE = 40_000_000
"""Parameters beside the embeddings up to which a model is measured as it is."""

DEEPER = 2
"""How many layers the second of two depths has more than the first."""

SHORT = 512
"""Tokens of a step at a small depth: one micro-batch, at any depth, on a processor."""

ROWS = 1000
"""Rows on which a method without a model is measured."""


def measure(spec: Mapping[str, Any], inputs: Inputs, out: Path, bench: Bench) -> None:
    """Write measured.json: of each kind of job, what it takes once and for each unit of work.

    `train`: seconds once, for each step and each judging of the dev loss; `predict`, and `loss` for
    the likelihood of dev's references where the study asks for it: once and for each token;
    `score` and `classify`: once and for each item. Bytes are those that are stored; `peak` is the
    highest memory of the process. `splits` says how many rows and tokens there are, `load` what a
    worker needs once for the base. Raises EngineError where not even the weights and what trains
    them would fit.
    """
    work = out / "work"
    shutil.rmtree(work, ignore_errors=True)
    try:
        found = _modelled(spec, inputs, work, bench) if "predict" in spec else {}
        if "classify" in spec:
            found = _classical(spec, inputs, work, bench)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    write_json(out / "measured.json", found)


def _modelled(spec: Mapping[str, Any], inputs: Inputs, work: Path, bench: Bench) -> dict[str, Any]:
    """Return what the jobs of a method on a model take."""
    ref = inputs.sources["model"]
    folder = locate(ref)
    empty = empty_model(folder)
    layers, first = depth_of(empty), first_depth(empty)
    size = _inner(empty)
    facts = json.loads((inputs["tokens"] / "facts.json").read_text())["splits"]
    splits = {name: {k: each[k] for k in ("rows", "tokens")} for name, each in facts.items()}
    _refuse(spec, empty, whole_memory(), "this machine has")
    if size <= WHOLE or layers <= first + DEEPER:
        weights = any(folder.glob("*.safetensors")) or ref.startswith("config:")
        there = ref if weights else f"config:{folder}"
        found = _whole(Asked(spec, inputs, there, size, work, bench))
        depths = [layers]
    else:
        depths = [first, first + DEEPER]
        found = _by_depth(spec, inputs, empty, depths, work, bench)
    return {**found, "splits": splits, "layers": layers, "depths": depths}


def _whole(asked: Asked) -> dict[str, Any]:
    """Return what the jobs take with the model as it is."""
    seconds = asked.load()
    found = asked.measured()
    if "train" in found:
        found["train"]["peak"] = max(found["train"]["peak"], asked.heaviest())
    drawn = asked.ref.startswith("config:")
    return {**found, "load": seconds, "drawn": drawn}


def _by_depth(
    spec: Mapping[str, Any],
    inputs: Inputs,
    empty: Any,
    depths: list[int],
    work: Path,
    bench: Bench,
) -> dict[str, Any]:
    """Return what the jobs would take with all layers, from two depths."""
    layers = depth_of(empty)
    found: list[dict[str, Any]] = []
    tokens: int | None = None
    for heavy in (False, True):
        for place, depth in enumerate(depths):
            folder = work / f"{depth}-{heavy}"
            write_shallow(locate(inputs.sources["model"]), depth, folder / "model")
            own = Bench(threads=bench.threads, device=bench.device, micro_batch=tokens)
            shallow = empty_model(folder / "model")
            _refuse(spec, shallow, free_memory(), "free are now")
            ref = f"config:{folder / 'model'}"
            asked = Asked(spec, inputs, ref, _inner(shallow), folder, own)
            asked.load()
            if not heavy:
                found.append(asked.measured(tokens=SHORT))
            elif "train" in found[place]:
                found[place]["train"]["peak"] = asked.heaviest(tokens)
        whole = _grown(found[0], found[1], [*depths, layers])
        if "train" in whole and not heavy:
            tokens = _budget(empty, whole["train"]["trained"], asked)
    if "train" in whole and _uncopied(spec, empty):
        whole["train"]["peak"] -= _bytes(empty)
    return {**whole, "load": None, "drawn": False}


def _budget(empty: Any, trained: float, asked: Asked) -> int:
    """Return the tokens of a micro-batch of the whole model."""
    found = budget_of(
        int(trained),
        activation_bytes(empty),
        activation_bytes(empty, checkpointing=True),
        asked.longest,
        free_memory() - _bytes(empty),
        on_cpu=asked.bench.device == "cpu",
    )
    if found.checkpointing:
        raise EngineError("memory is scarce: each layer will be computed twice, which is not known")
    return found.tokens


def _refuse(spec: Mapping[str, Any], empty: Any, room: int, there: str) -> None:
    """Raise EngineError where weights, and what trains them all, take more than the room."""
    count = sum(p.numel() for p in empty.parameters())
    every = "train" in spec and getattr(_method(spec), "trains_all", False)
    how = {"base_dtype": spec["predict"].get("base_dtype", "float32")}
    if "train" in spec:
        how["optimiser"] = spec["train"]["training"]["optimiser"]
    if said := too_large(count, count if every else 0, room=room, there=there, **how):
        raise EngineError(said)


def _uncopied(spec: Mapping[str, Any], empty: Any) -> bool:
    """Tell whether the bench keeps a copy of a shallow base but not of the whole one."""
    return (
        bool(getattr(_method(spec), "changes_base", False))
        and _bytes(empty) > COPIED * free_memory()
    )


def _inner(empty: Any) -> int:
    """Return the parameters beside the embedding."""
    table = empty.get_input_embeddings().weight
    return sum(p.numel() for p in empty.parameters() if p is not table)


def _bytes(empty: Any) -> int:
    return needed_bytes(sum(p.numel() for p in empty.parameters()))


def _method(spec: Mapping[str, Any]) -> Any:
    return load("smalltune.methods", spec["predict"]["method"]["name"])


def _grown(low: Any, high: Any, depths: list[int]) -> Any:
    """Return each number as it is on the line through two depths at a third."""
    if isinstance(low, dict):
        return {name: _grown(low[name], high[name], depths) for name in low}
    if isinstance(low, int | float) and not isinstance(low, bool):
        small, large, whole = depths
        return low + (high - low) * (whole - small) / (large - small)
    return low


def _classical(spec: Mapping[str, Any], inputs: Inputs, work: Path, bench: Bench) -> dict[str, Any]:
    """Return what a method without a model takes for each row of train and the split."""
    few = sampled(inputs, ROWS, None, work, bench)
    out, scored = work / "out", work / "scored"
    out.mkdir()
    scored.mkdir()
    counts = {name: _rows(inputs["data"] / f"{name}.jsonl") for name in ("train", "dev", "test")}
    asked = {**spec["classify"], "split": "dev", "seed": 0}
    timed(bench, lambda: classify(asked, few, out, bench))  # imports
    took = timed(bench, lambda: classify(asked, few, out, bench))
    rows = _rows(few["data"] / "dev.jsonl")
    made = _rows(few["data"] / "train.jsonl") + rows
    inside = took.phase("train")
    limit = spec["classify"].get("limit")
    learnt = counts["train"] if limit is None else min(limit, counts["train"])
    read = Inputs({"data": few["data"], "predictions": out, "dev": out})
    judged = timed(
        bench, lambda: score({"split": "dev", "metrics": spec["metrics"]}, read, scored, bench)
    )
    return {
        "classify": {
            "once": took.seconds - inside,
            "item": inside / made,
            "learnt": learnt,
            "peak": took.peak,
            "bytes": took.record,
            "item_bytes": written(out) / rows,
        },
        "score": {
            "once": 0.0,
            "item": judged.seconds / rows,
            "bytes": judged.record,
            "item_bytes": written(scored) / rows,
        },
        "splits": {name: {"rows": count, "tokens": None} for name, count in counts.items()},
        "load": 0.0,
        "drawn": False,
    }


def _rows(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)

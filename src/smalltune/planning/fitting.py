"""Fitting: whether a model, and what trains it, can be had in a machine's memory at all.

Counted is the least that is needed: weights, and where all of them are trained their gradients and
the optimiser's state. So what is refused cannot run, whatever the data.
"""

from collections.abc import Iterable, Mapping

from smalltune.core.job import Job
from smalltune.core.plugins import load
from smalltune.engine.memory import too_large
from smalltune.planning.lock import Lock, LockedModel

__all__ = ["least_parameters", "unfit"]


def unfit(jobs: Iterable[Job], lock: Lock, room: int) -> dict[str, str]:
    """Return for each job, by key, that cannot run in `room` bytes why, and what to do."""
    models = {model.digest: model for model in lock.models.values()}
    names = {model.digest: name for name, model in lock.models.items()}
    found = {}
    for job in jobs:
        model = models.get(str(job.spec.get("model")))
        if model is None or job.stage not in ("train", "predict"):
            continue
        count = least_parameters(model)
        every = job.stage == "train" and _trains_all(job)
        how = {"base_dtype": job.spec.get("base_dtype", "float32")}
        if every:
            how["optimiser"] = job.spec["training"]["optimiser"]
        if said := too_large(count, count if every else 0, room=room, **how):
            method = f", {job.spec['method']['name']}" if every else ""
            found[job.key] = f"{names[model.digest]}{method}: {said}"
    return found


def least_parameters(model: LockedModel) -> int:
    """Return a model's parameters; without weights to count, those of its attention and MLPs.

    That is what a dense decoder of its shape has at least: an embedding, the matrices of each
    layer, and an output head where the configuration says that it is one of its own.
    """
    if model.parameters:
        return model.parameters
    shape: Mapping[str, int] = model.config
    hidden = shape.get("hidden_size", shape.get("n_embd", 0))
    layers = shape.get("num_hidden_layers", shape.get("n_layer", 0))
    heads = max(1, shape.get("num_attention_heads", shape.get("n_head", 1)))
    width = shape.get("head_dim") or hidden // heads
    shared = shape.get("num_key_value_heads") or heads
    gated = "intermediate_size" in shape
    mlp = (3 if gated else 2) * hidden * shape.get("intermediate_size", 4 * hidden)
    attention = 2 * hidden * width * (heads + shared)
    tables = 1 if shape.get("tie_word_embeddings", not gated) else 2
    return int(tables * hidden * shape.get("vocab_size", 0) + layers * (attention + mlp))


def _trains_all(job: Job) -> bool:
    method = load("smalltune.methods", job.spec["method"]["name"])
    return bool(getattr(method, "trains_all", False))

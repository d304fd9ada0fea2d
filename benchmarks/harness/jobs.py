"""Jobs: what one training run is given, the same on every side, and who runs it."""

import copy
import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.timing import Seconds, clock

__all__ = [
    "ALL", "LIKE", "Job", "Plan", "job_of", "order_kind", "order_of", "prepare", "rate_of",
    "runner_of",
]  # fmt: skip

ALL = ("smalltune", "trainer", "trainer_packed", "sft", "sft_packed")
LIKE = ("smalltune_like", "trainer_like")
"""Variants on shuffled batches, and those on batches of like length."""


@dataclass(frozen=True)
class Plan:
    """A pair of trainings: what is trained on what, for how long, against whom."""

    shape: str
    method: str
    task: str
    batch: int = 16
    steps: int = 10
    warm: int = 2
    length: int = 512
    variants: tuple[str, ...] = ALL + LIKE
    rounds: tuple[int, int] = (3, 7)
    seconds: float = 60.0

    @property
    def all_steps(self) -> int:
        """The steps of one run."""
        return self.warm + self.steps


@dataclass
class Job:
    """One run: a model of its own, rows as tokens, and the batches of `batch` rows in order.

    `batches` are what smalltune draws itself when it is told the `kind` of order.
    `marks` gets the clock at the end of every step; `dtype` is that of smalltune's `precision`.
    """

    model: Any
    data: Any
    tokeniser: Any
    batches: list[Any]
    batch: int
    kind: str
    rate: float
    dtype: str = "float32"
    marks: list[Seconds] = field(default_factory=list)

    @property
    def mark(self) -> Callable[..., None]:
        """A callback that notes the time, whatever it is called with."""
        return lambda *_, **__: self.marks.append(clock())

    @property
    def device(self) -> str:
        """Where the model lies: cpu or cuda."""
        return str(next(self.model.parameters()).device.type)


def prepare(plan: Plan, data: Path, checkpoints: Path) -> tuple[Any, Any, Any]:
    """Return the base model, its tokeniser and the supervised segments of a plan."""
    from harness.shapes import SHAPES
    from harness.texts import ask, draw_rows, task_of

    shape = SHAPES[plan.shape]
    base, tokeniser = shape.model(checkpoints), shape.words(checkpoints)
    rows = draw_rows(data, plan.task, "train", plan.batch * plan.all_steps)
    return base, tokeniser, ask(task_of(plan.task), rows, tokeniser, plan.length).supervised


def job_of(
    plan: Plan, name: str, base: Any, tokeniser: Any, segments: Any, *, copied: bool = True
) -> Job:
    """Return what a variant is given: a model ready to train, and the batches in its order."""
    model = _attached(copy.deepcopy(base) if copied else base, plan.method, name)
    return Job(
        model,
        segments,
        tokeniser,
        order_of(segments.lengths, plan.batch, order_kind(name)),
        plan.batch,
        order_kind(name),
        rate=rate_of(plan.method),
        dtype="bfloat16" if base.device.type == "cuda" else "float32",
    )


def rate_of(method: str) -> float:
    """Return the learning rate of a method."""
    return 3e-4 if method == "full" else 3e-3


def order_kind(name: str) -> str:
    """Return which batches a variant gets: rows as they are drawn, or rows of like length."""
    return "by_length" if name.endswith("_like") else "shuffled"


def order_of(lengths: Any, batch: int, kind: str) -> list[Any]:
    """Return the batches of one epoch as smalltune draws them: `shuffled` or `by_length`."""
    from smalltune.engine.batching import epoch_order

    return list(epoch_order(lengths, batch, 0, 0, order=kind))


def runner_of(name: str) -> Callable[[Job], float]:
    """Return what trains a job as the variant does and returns its mean loss."""
    from harness import sft, trainers

    return {
        "smalltune": _smalltune,
        "smalltune_like": _smalltune,
        "trainer": trainers.default,
        "trainer_like": trainers.label_only,
        "trainer_packed": trainers.packed,
        "sft": sft.default,
        "sft_packed": sft.packed,
    }[name]


def _smalltune(job: Job) -> float:
    """Train by smalltune's engine; return the mean loss."""
    from smalltune.engine.training import Training, train

    options = Training(
        learning_rate=job.rate,
        epochs=1,
        batch_size=job.batch,
        batches=job.kind,
        warmup=0.0,
        weight_decay=0.01,
    )
    with tempfile.TemporaryDirectory() as work:
        log, _ = train(
            job.model, job.data, None, options, seed=0, dtype=job.dtype, work=Path(work),
            checkpoint_seconds=math.inf, progress=job.mark,
        )  # fmt: skip
    return sum(line["loss"] for line in log) / len(log)


def _attached(model: Any, method: str, name: str) -> Any:
    """Return the model ready to train: all of it, or LoRA on all linear layers."""
    import torch

    torch.manual_seed(0)
    if method == "full":
        return model.requires_grad_(True)
    if name.startswith("smalltune"):
        from smalltune.methods.lora import LoRA

        LoRA().attach(model)
        return model
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    return get_peft_model(model, config)

"""Training: steps over batches of segments, resumable to the bit, judged on dev when asked."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from smalltune.core.errors import EngineError
from smalltune.core.plugins import nearest
from smalltune.engine.batching import epoch_order, to_tensors
from smalltune.engine.checkpoint import read_checkpoint, stored_buffers, write_checkpoint
from smalltune.engine.forward import answer_loss
from smalltune.engine.optimisers import OPTIMISERS, optimiser_of
from smalltune.engine.precision import precision
from smalltune.engine.schedule import SCHEDULES, rate
from smalltune.engine.scoring import log_likelihoods
from smalltune.engine.segments import Segments

__all__ = ["Training", "train"]

Progress = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Training:
    """How long and how fast a model is trained; every field is part of a trial's identity.

    Either `steps` or whole `epochs` count. `optimiser` is "adamw" (Loshchilov and Hutter, 2019)
    or "muon" (Jordan et al., 2024; its step matched to AdamW's as in Liu et al., 2025), which
    takes the same learning rates; `beta2` is AdamW's. `warmup` is a share of all steps.
    `weight_decay` applies to matrices only. `early_stopping` is the number of epochs without a
    lower dev loss after which training ends; the weights of the best epoch are kept.
    """

    learning_rate: float = 1e-3
    epochs: int = 3
    steps: int | None = None
    batch_size: int = 16
    optimiser: str = "adamw"
    schedule: str = "linear"
    warmup: float = 0.1
    weight_decay: float = 0.01
    beta2: float = 0.999
    clip: float = 1.0
    early_stopping: int | None = None

    def __post_init__(self) -> None:
        """Refuse values that no training can have; raises EngineError."""
        for name in ("learning_rate", "epochs", "steps", "batch_size", "clip", "early_stopping"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise EngineError(f"{name} must be above 0, not {value:g}")
        for name in ("warmup", "beta2", "weight_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise EngineError(f"{name} must be at least 0 and below 1")
        if self.optimiser not in OPTIMISERS:
            near = nearest(self.optimiser, OPTIMISERS)
            raise EngineError(f"no optimiser {self.optimiser!r}. {near}")
        if self.schedule not in SCHEDULES:
            raise EngineError(f"no schedule {self.schedule!r}. {nearest(self.schedule, SCHEDULES)}")


def train(
    model: Any,
    data: Segments,
    dev: Segments | None,
    options: Training,
    *,
    seed: int,
    dtype: str,
    work: Path,
    checkpoint_seconds: float,
    progress: Progress,
    after_step: Callable[[Any], None] = lambda model: None,
) -> tuple[list[dict[str, float]], dict[str, Any]]:
    """Train what requires a gradient; return the log of all steps and the facts of the run.

    Of the facts, `resumed_from` (steps) and `spent_earlier` (wall and CPU seconds of the attempts
    before, up to their last checkpoints) depend on the moment; the arguments decide the others.

    `after_step(model)` is called after each step of the optimiser.

    Goes on from the checkpoint in `work` if there is one; the caller deletes it once the weights
    are saved. On the CPU in float32 the result has
    the same bits with and without interruptions. Raises EngineError when the loss stops being a
    number.
    """
    loop = _Loop(
        model, data, dev, options, seed, dtype, work, checkpoint_seconds, progress, after_step
    )
    return loop.run()


class _Loop:
    """The state of one training."""

    def __init__(
        self,
        model: Any,
        data: Segments,
        dev: Segments | None,
        options: Training,
        seed: int,
        dtype: str,
        work: Path,
        checkpoint_seconds: float,
        progress: Progress,
        after_step: Callable[[Any], None],
    ):
        self.model, self.data, self.dev, self.options = model, data, dev, options
        self.seed, self.work, self.progress = seed, work, progress
        self.checkpoint_seconds, self.after_step = checkpoint_seconds, after_step
        self.device = next(model.parameters()).device.type
        self.cast = precision(dtype, self.device)
        self.per_epoch = math.ceil(len(data) / options.batch_size)
        self.steps = options.steps or options.epochs * self.per_epoch
        self.optimiser = optimiser_of(
            model,
            options.optimiser,
            learning_rate=options.learning_rate,
            weight_decay=options.weight_decay,
            beta2=options.beta2,
        )
        self.best: dict[str, Any] = {}
        self.state: dict[str, Any] = {
            "step": 0, "tokens": 0, "padded": 0, "log": [], "dev": [], "stopped": False,
            "resumed": [], "spent": [0.0, 0.0],
        }  # fmt: skip
        self.began = time.monotonic(), time.process_time()
        found = read_checkpoint(work, model, self.optimiser)
        if found:
            self.state, self.best = found
            self.state["resumed"].append(self.state["step"])
            progress({"event": "resumed", "step": self.state["step"], "steps": self.steps})
        self.earlier = self.state["spent"]

    def run(self) -> tuple[list[dict[str, float]], dict[str, Any]]:
        self.model.train()
        saved, epoch = time.monotonic(), -1
        batches: list[Any] = []
        while self.state["step"] < self.steps and not self.state["stopped"]:
            step = self.state["step"]
            if step // self.per_epoch != epoch:
                epoch = step // self.per_epoch
                size = self.options.batch_size
                batches = epoch_order(self.data.lengths, size, self.seed, epoch)
            self._step(batches[step % self.per_epoch])
            if self.options.early_stopping and self.state["step"] % self.per_epoch == 0:
                self._judge()
            if time.monotonic() - saved >= self.checkpoint_seconds:
                self._save()
                saved = time.monotonic()
        self._restore_best()
        self.model.eval()
        return self.state["log"], self._facts()

    def _save(self) -> None:
        spent = [time.monotonic() - self.began[0], time.process_time() - self.began[1]]
        spent = [now + earlier for now, earlier in zip(spent, self.earlier, strict=True)]
        state = self.state | {"spent": spent}
        write_checkpoint(self.work, self.model, self.optimiser, state, self.best)

    def _step(self, batch: Any) -> None:
        import torch

        step, options = self.state["step"], self.options
        ids, positions, targets = to_tensors(self.data, batch, self.device)
        share = rate(step, self.steps, schedule=options.schedule, warmup=options.warmup)
        for group in self.optimiser.param_groups:
            group["lr"] = options.learning_rate * share
        with self.cast:
            loss = answer_loss(self.model, ids, positions, targets)
        loss.backward()
        trained = [p for group in self.optimiser.param_groups for p in group["params"]]
        torch.nn.utils.clip_grad_norm_(trained, options.clip)
        self.optimiser.step()
        self.after_step(self.model)
        self.optimiser.zero_grad(set_to_none=True)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise EngineError(
                f"the loss is {value} at step {step + 1} of {self.steps}: "
                f"lower the learning rate ({options.learning_rate:g})"
            )
        self.state["step"] = step + 1
        self.state["tokens"] += int(self.data.lengths[batch].sum())
        self.state["padded"] += ids.numel()
        line = {"step": step + 1, "loss": float(f"{value:.7g}"), "learning_rate": group["lr"]}
        self.state["log"].append(line)
        self.progress({"event": "step", "steps": self.steps, **line})

    def _judge(self) -> None:
        """Measure the dev loss after an epoch; keep the best weights; stop when patience ends."""
        if self.dev is None:
            raise EngineError("early_stopping needs a dev split")
        self.model.eval()
        with self.cast:
            loss = -float(np.mean(log_likelihoods(self.model, self.dev)))
        self.model.train()
        losses = self.state["dev"]
        losses.append(float(f"{loss:.7g}"))
        if losses[-1] <= min(losses):
            self.best = {name: t.detach().clone() for name, t in _changing(self.model)}
        waited = len(losses) - 1 - int(np.argmin(losses))
        self.state["stopped"] = waited >= (self.options.early_stopping or 0)

    def _restore_best(self) -> None:
        import torch

        with torch.no_grad():
            for name, tensor in _changing(self.model):
                if name in self.best:
                    tensor.copy_(self.best[name])

    def _facts(self) -> dict[str, Any]:
        log, state = self.state["log"], self.state
        return {
            "steps": state["step"],
            "epochs": state["step"] / self.per_epoch,
            "examples": len(self.data),
            "tokens": state["tokens"],
            "padding_share": 1 - state["tokens"] / max(1, state["padded"]),
            "first_loss": log[0]["loss"],
            "final_loss": float(f"{np.mean([row['loss'] for row in log[-20:]]):.7g}"),
            "dev_losses": state["dev"],
            "stopped_early": state["stopped"],
            "resumed_from": state["resumed"],
            "spent_earlier": self.earlier,
        }


def _changing(model: Any) -> list[tuple[str, Any]]:
    """Return what training may change: trained parameters and stored buffers."""
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    return trained + stored_buffers(model)

"""Training: steps over batches of segments, resumable to the bit, judged on dev when asked."""

import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any

import numpy as np

from smalltune.core.errors import EngineError
from smalltune.engine.accumulation import Accumulation
from smalltune.engine.batching import epoch_order
from smalltune.engine.checkpoint import Pace, read_checkpoint, write_checkpoint
from smalltune.engine.dropout import dropout_per_item
from smalltune.engine.fitting import telling
from smalltune.engine.flops import Work, flops_of
from smalltune.engine.fronts import fed_by
from smalltune.engine.memory import Budget, budget_for, is_out_of_memory
from smalltune.engine.optimisers import optimiser_of
from smalltune.engine.options import Training
from smalltune.engine.precision import precision
from smalltune.engine.schedule import rate
from smalltune.engine.segments import Segments
from smalltune.engine.stopping import EarlyStopping

__all__ = ["Training", "train"]

Progress = Callable[[dict[str, Any]], None]


def _nothing(model: Any) -> None:
    """What a method does around a step if it says nothing else."""


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
    micro_batch: int | None = None,
    before_step: Callable[[Any], None] = _nothing,
    after_step: Callable[[Any], None] = _nothing,
    factor: Callable[[str], float] | None = None,
) -> tuple[list[dict[str, float]], dict[str, Any]]:
    """Train what requires a gradient; return the log of all steps and the facts of the run.

    Of the facts, `resumed_from` (steps) and `spent` depend on the moment; the arguments decide
    the others. `spent` holds the `train`, `judge` and `cpu` seconds of interrupted attempts up to
    their last checkpoints (`earlier`), the `judge` seconds of this one, and the `micro_batch` that
    was found to fit.

    `micro_batch` is the most tokens that are computed at a time (placement; None finds it).
    `before_step(model)` is called before each attempt at a step, `after_step(model)` after each
    step of the optimiser; `factor(name)` multiplies a parameter's learning rate.

    Goes on from the checkpoint in `work` if there is one; the caller deletes it once the weights
    are saved. On the CPU in float32 the result has the same bits with and without interruptions.
    Raises EngineError when the loss stops being a number or memory does not suffice.
    """
    with ExitStack() as stack:
        masks = stack.enter_context(dropout_per_item(model, seed))
        longest = int(data.lengths.max())
        given = micro_batch and Budget(micro_batch)

        def tell(text: str) -> None:
            progress({"event": "memory", "said": text})

        stack.enter_context(telling(tell))
        accumulation = Accumulation(
            model,
            data,
            given or budget_for(model, longest),
            masks,
            cast=precision(dtype, next(model.parameters()).device.type),
            before=before_step,
            tell=tell,
        )
        stack.callback(accumulation.close)
        optimiser = optimiser_of(
            model,
            options.optimiser,
            learning_rate=options.learning_rate,
            weight_decay=options.weight_decay,
            beta2=options.beta2,
            **({"factor": factor} if factor else {}),
        )
        loop = _Loop(
            model, data, dev, options, seed, work, accumulation, optimiser, progress, after_step
        )
        return loop.run(Pace(checkpoint_seconds))


class _Loop:
    """The state of one training."""

    def __init__(
        self,
        model: Any,
        data: Segments,
        dev: Segments | None,
        options: Training,
        seed: int,
        work: Path,
        gradient: Accumulation,
        optimiser: Any,
        progress: Progress,
        after_step: Callable[[Any], None],
    ):
        self.model, self.lengths, self.options = model, data.lengths, options
        self.seed, self.work, self.gradient = seed, work, gradient
        self.progress, self.after_step = progress, after_step
        self.per_epoch = math.ceil(len(data) / options.batch_size)
        self.steps = options.steps or options.epochs * self.per_epoch
        self.optimiser = optimiser
        self.trained = [p for group in self.optimiser.param_groups for p in group["params"]]
        self.stopping = EarlyStopping(model, dev, options.early_stopping, gradient.cast)
        self.state: dict[str, Any] = {
            "step": 0, "tokens": 0, "work": [0, 0, 0, 0], "padded": 0, "log": [], "dev": [],
            "stopped": False, "resumed": [], "spent": {"train": 0.0, "judge": 0.0, "cpu": 0.0},
        }  # fmt: skip
        self.began = time.monotonic(), time.process_time()
        found = read_checkpoint(work, model, self.optimiser)
        if found:
            self.state, self.stopping.best = found
            self.state["resumed"].append(self.state["step"])
            gradient.use(Budget(**self.state["budget"]))
            progress({"event": "resumed", "step": self.state["step"], "steps": self.steps})
        self.earlier = self.state["spent"]

    def run(self, pace: Pace) -> tuple[list[dict[str, float]], dict[str, Any]]:
        """Take all steps that are left, with a checkpoint now and then."""
        self.model.train()
        epoch, batches = -1, []
        while self.state["step"] < self.steps and not self.state["stopped"]:
            step = self.state["step"]
            if step // self.per_epoch != epoch:
                epoch, batches = step // self.per_epoch, self._batches(step // self.per_epoch)
            self._step(batches[step % self.per_epoch])
            if self.state["step"] % self.per_epoch == 0:
                self.state["stopped"] = self.stopping.judge(self.state["dev"])
            if pace.due():
                with pace.writing():
                    self._save()
        self.stopping.restore()
        self.model.eval()
        return self.state["log"], self._facts()

    def _batches(self, epoch: int) -> list[Any]:
        size, order = self.options.batch_size, self.options.batches
        return epoch_order(self.lengths, size, self.seed, epoch, order=order)

    def _save(self) -> None:
        budget = asdict(self.gradient.budget)
        state = self.state | {"spent": self._spent(), "budget": budget}
        write_checkpoint(self.work, self.model, self.optimiser, state, self.stopping.best)

    def _step(self, batch: Any) -> None:
        step, options = self.state["step"], self.options
        share = rate(step, self.steps, schedule=options.schedule, warmup=options.warmup)
        usual = options.learning_rate * share
        for group in self.optimiser.param_groups:
            group["lr"] = usual * group["factor"]
        value, work, computed = self.gradient(step, batch)
        self._change()
        if not math.isfinite(value):
            raise EngineError(
                f"the loss is {value} at step {step + 1} of {self.steps}: "
                f"lower the learning rate ({options.learning_rate:g})"
            )
        self.state["step"] = step + 1
        self.state["tokens"] += int(self.lengths[batch].sum())
        self.state["work"] = [a + b for a, b in zip(self.state["work"], astuple(work), strict=True)]
        self.state["padded"] += computed
        line = {"step": step + 1, "loss": float(f"{value:.7g}"), "learning_rate": usual}
        self.state["log"].append(line)
        self.progress({"event": "step", "steps": self.steps, **line})

    def _change(self) -> None:
        """Take one step of the optimiser; its state is made at the first."""
        import torch

        try:
            torch.nn.utils.clip_grad_norm_(self.trained, self.options.clip)
            self.optimiser.step()
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            count = sum(p.numel() for p in self.trained)
            raise EngineError(
                f"memory does not suffice for the optimiser's state of {count:,} parameters: "
                "train fewer of them (such as by lora), take a smaller model, or run fewer workers"
            ) from None
        self.after_step(self.model)
        self.optimiser.zero_grad(set_to_none=True)

    def _spent(self) -> dict[str, float]:
        """Return the seconds of this attempt and of those before it."""
        wall = time.monotonic() - self.began[0]
        now = {"train": wall - self.stopping.seconds, "judge": self.stopping.seconds}
        now["cpu"] = time.process_time() - self.began[1]
        return {name: seconds + self.earlier[name] for name, seconds in now.items()}

    def _facts(self) -> dict[str, Any]:
        log, state = self.state["log"], self.state
        work, padded = Work(*state["work"]), max(1, state["padded"])
        needed, front = flops_of(self.model, backward=True), Work.of(fed_by(self.model))
        return {
            "steps": state["step"],
            "epochs": state["step"] / self.per_epoch,
            "examples": len(self.lengths),
            "tokens": state["tokens"],
            "padding_share": 1 - work.tokens / padded,
            "flops": needed.of(work) + state["step"] * needed.of(front),
            "first_loss": log[0]["loss"],
            "final_loss": float(f"{np.mean([row['loss'] for row in log[-20:]]):.7g}"),
            "dev_losses": state["dev"],
            "stopped_early": state["stopped"],
            "resumed_from": state["resumed"],
            "spent": {
                "earlier": self.earlier,
                "judge": self.stopping.seconds,
                "micro_batch": asdict(self.gradient.budget),
            },
        }

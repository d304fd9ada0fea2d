"""Losses: each method that PEFT has, trained by smalltune and by Trainer with PEFT, step by step.

Both begin with the same numbers, those that smalltune stored before the first step, and see the
same batches. PiSSA is begun by PEFT itself, as what smalltune stores of it is a LoRA of twice the
rank; its factors are the same but for signs, which no step of the optimiser looks at. LoRA+ has the
optimiser that PEFT makes for it. Without weight decay: Trainer decays DoRA's lengths, smalltune no
vector.
"""

import copy
import math
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.jobs import Job, order_of, prepare
from harness.jobs import Plan as Steps
from harness.timing import refuse_unequal

__all__ = ["METHODS", "Plan", "run_pair"]

METHODS = (
    "lora", "rslora", "dora", "pissa", "lora_plus", "ia3", "norm_tuning", "prompt_tuning",
    "prefix_tuning",
)  # fmt: skip

LIMIT = {"loss": 1e-4}
"""The largest relative difference of a step's loss."""


@dataclass(frozen=True)
class Plan:
    """A method with its own defaults, for so many steps."""

    method: str
    shape: str = "micro"
    task: str = "sst2"
    batch: int = 16
    steps: int = 50


def run_pair(plan: Plan, data: Path, checkpoints: Path, device: str) -> dict[str, Any]:
    """Train on both sides; raises Unequal when the losses part."""
    import torch

    from smalltune.core.plugins import load

    steps = Steps(plan.shape, plan.method, plan.task, plan.batch, plan.steps, warm=0)
    base, tokeniser, segments = prepare(steps, data, checkpoints)
    method = load("smalltune.methods", plan.method)()
    rate = method.training["learning_rate"]
    batches = order_of(segments.lengths, plan.batch, "shuffled")

    def job(model: Any) -> Job:
        return Job(model, segments, tokeniser, batches, plan.batch, "shuffled", rate)

    ours = copy.deepcopy(base).to(device)
    torch.manual_seed(0)
    method.attach(ours)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        method.save(ours, folder)
        theirs = _peft(plan.method, method, copy.deepcopy(base), folder).to(device)
        found = {
            "smalltune": _ours(job(ours), method, folder),
            "trainer": _theirs(job(theirs), _optimiser(method, theirs, rate)),
        }
    pairs = list(zip(found["smalltune"], found["trainer"], strict=True))
    apart = {"loss": max(abs(a / b - 1) for a, b in pairs)}
    refuse_unequal("trainer", apart, LIMIT)
    return {"plan": asdict(plan), "losses": found, "apart": apart["loss"]}


def _ours(job: Job, method: Any, work: Path) -> list[float]:
    """Return the loss of each step by smalltune's engine."""
    from smalltune.engine.training import Training, train

    options = Training(
        learning_rate=job.rate, epochs=1, batch_size=job.batch, warmup=0.0, weight_decay=0.0
    )
    log, _ = train(
        job.model, job.data, None, options, seed=0, dtype="float32", work=work,
        checkpoint_seconds=math.inf, progress=job.mark, factor=method.factor,
    )  # fmt: skip
    return [line["loss"] for line in log]


def _theirs(job: Job, optimiser: Any) -> list[float]:
    """Return the loss of each step by Trainer, on padded batches with all logits.

    `optimiser` is None for the one that Trainer makes.
    """
    from transformers import Trainer, TrainingArguments

    from harness.trainers import arguments, fixed_order, padding, rows_of

    seen: list[float] = []

    class Noting(Trainer):  # type: ignore[misc]
        def compute_loss(self, *given: Any, **more: Any) -> Any:
            loss = super().compute_loss(*given, **more)
            seen.append(float(loss[0] if isinstance(loss, tuple) else loss))
            return loss

    with tempfile.TemporaryDirectory() as folder:
        trainer = fixed_order(Noting, job)(
            model=job.model,
            args=TrainingArguments(folder, **{**arguments(job), "weight_decay": 0.0}),
            train_dataset=rows_of(job),
            data_collator=padding(job),
            optimizers=(optimiser, None),
        )
        trainer.train()
    return seen


def _optimiser(method: Any, model: Any, rate: float) -> Any:
    """Return the optimiser that PEFT makes for a method of several rates, None for others."""
    from peft.optimizers import create_loraplus_optimizer
    from torch.optim import AdamW

    if (ratio := getattr(method, "ratio", None)) is None:
        return None
    return create_loraplus_optimizer(model, AdamW, lr=rate, loraplus_lr_ratio=ratio, fused=True)


def _peft(name: str, method: Any, base: Any, folder: Path) -> Any:
    """Return PEFT's model of a method, with the numbers that smalltune stored."""
    from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model

    if (folder / "adapter_config.json").is_file():
        config = PeftConfig.from_pretrained(folder)
        if config.is_prompt_learning:  # PEFT opens these for answering only
            return _with_front(base, config, folder)
    if name != "pissa":
        return PeftModel.from_pretrained(base, folder, is_trainable=True)
    config = LoraConfig(
        r=method.rank, lora_alpha=method.alpha, target_modules="all-linear",
        init_lora_weights="pissa", task_type="CAUSAL_LM",
    )  # fmt: skip
    return get_peft_model(base, config)


def _with_front(base: Any, config: Any, folder: Path) -> Any:
    """Return PEFT's model with virtual tokens that are trained, begun with those in a folder."""
    import torch
    from peft import get_peft_model
    from safetensors.torch import load_file

    config.inference_mode = False
    model = get_peft_model(base, config)
    begun = load_file(folder / "adapter_model.safetensors")["prompt_embeddings"]
    with torch.no_grad():
        model.prompt_encoder["default"].embedding.weight.copy_(begun)
    return model

"""TRL's SFTTrainer: its defaults, and the best settings for a CPU that we found.

default   padded batches, gradient checkpointing, a log line every ten steps
packed    padding_free, no checkpointing, no log

These are what SFTConfig of TRL 1.16 sets otherwise than TrainingArguments does
(`gradient_checkpointing=True`, `logging_steps=10`), besides bfloat16, its default even on a
processor without units for it: not the same work, so both run in float32.
The loss is on the completion only, its default for prompts with completions. Its head goes through
the vocabulary in pieces, on a CPU at every position: what has no label is left out only where
Triton runs, and entropy and token accuracy are always computed. No setting changes that.
"""

import tempfile
from typing import Any

from harness.jobs import Job
from harness.trainers import arguments, callback, fixed_order, rows_of

__all__ = ["default", "packed"]


def default(job: Job) -> float:
    """Train as SFTTrainer does by default, in float32."""
    return _train(job)


def packed(job: Job) -> float:
    """Train on rows laid end to end, everything kept for the backward pass."""
    return _train(
        job,
        gradient_checkpointing=False,
        padding_free=True,
        max_length=None,
        logging_strategy="no",
    )


def _train(job: Job, **more: Any) -> float:
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    kind = fixed_order(SFTTrainer, job)
    with tempfile.TemporaryDirectory() as folder:
        settings = {**arguments(job), "dataset_kwargs": {"skip_prepare_dataset": True}, **more}
        trainer = kind(
            model=job.model,
            args=SFTConfig(folder, **settings),
            train_dataset=Dataset.from_list(rows_of(job)),
            processing_class=job.tokeniser,
            callbacks=[callback(job)],
        )
        return float(trainer.train().training_loss)

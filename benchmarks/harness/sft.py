"""TRL's SFTTrainer: its defaults, and the best settings for a CPU that we found.

default   padded batches, gradient checkpointing, a log line every ten steps
packed    padding_free, no checkpointing, no log

Both in float32: SFTTrainer's default is bfloat16 even on a processor without units for it, which
is several times slower and not the same work. Its loss is on the completion only, its default for
prompts with completions.
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

"""Trainer with PEFT: its defaults, and the best settings for a CPU that we found.

default      padded batches, logits of the whole vocabulary at every position
label_only   batches of like length (what group_by_length draws), the head only where a label is
packed       DataCollatorWithFlattening (no padding), the head only where a label is

All have Trainer's own default optimiser, which is the fused AdamW. The order of rows is given,
so that every variant sees the same batches; schedule, decay and clipping are Trainer's own.
"""

import functools
import tempfile
from typing import Any

from harness.jobs import Job

__all__ = ["arguments", "default", "fixed_order", "label_only", "packed", "padding", "rows_of"]


def default(job: Job) -> float:
    """Train as Trainer does without being told anything."""
    return _train(job, padding(job), label_only=False)


def label_only(job: Job) -> float:
    """Train on padded batches, the head only at supervised positions."""
    return _train(job, padding(job), label_only=True)


def packed(job: Job) -> float:
    """Train on rows laid end to end, the head only at supervised positions."""
    from transformers import DataCollatorWithFlattening

    return _train(job, DataCollatorWithFlattening(), label_only=True)


def rows_of(job: Job) -> list[dict[str, list[int]]]:
    """Return the rows as Trainer takes them: labels are -100 where nothing is learned."""
    found = []
    for index in range(len(job.data)):
        ids, answer = job.data[index].tolist(), int(job.data.answers[index])
        found.append({"input_ids": ids, "labels": [-100] * answer + ids[answer:]})
    return found


def arguments(job: Job) -> dict[str, Any]:
    """Return the arguments that all peers share: equal work, and nothing written to disk."""
    return {
        "per_device_train_batch_size": job.batch,
        "num_train_epochs": 1,
        "learning_rate": job.rate,
        "lr_scheduler_type": "linear",
        "weight_decay": 0.01,
        "max_grad_norm": 1.0,
        "use_cpu": job.device == "cpu",
        "bf16": job.dtype == "bfloat16",
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }


def fixed_order(kind: type, job: Job) -> type:
    """Return the trainer class with a sampler that gives the job's batches in their order."""

    class Ordered(kind):  # type: ignore[misc]
        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            return [int(index) for batch in job.batches for index in batch]

    return Ordered


def callback(job: Job) -> Any:
    """Return the callback that notes the end of each step."""
    from transformers import TrainerCallback

    class Marks(TrainerCallback):
        on_step_end = staticmethod(job.mark)

    return Marks()


def padding(job: Job) -> Any:
    """Return the collator that pads a batch on the right to its longest row."""
    from transformers import DataCollatorForSeq2Seq

    return DataCollatorForSeq2Seq(job.tokeniser)


def _train(job: Job, collator: Any, *, label_only: bool) -> float:
    from transformers import Trainer, TrainingArguments

    kind = fixed_order(_label_only_trainer() if label_only else Trainer, job)
    with tempfile.TemporaryDirectory() as folder:
        trainer = kind(
            model=job.model,
            args=TrainingArguments(folder, **arguments(job)),
            train_dataset=rows_of(job),
            data_collator=collator,
            callbacks=[callback(job)],
        )
        return float(trainer.train().training_loss)


@functools.cache
def _label_only_trainer() -> type:
    """Return a Trainer that computes logits only where there is a label."""
    from peft import PeftModel
    from torch.nn.functional import cross_entropy
    from transformers import Trainer

    class LabelOnly(Trainer):
        def compute_loss(
            self,
            model: Any,
            inputs: Any,
            return_outputs: bool = False,
            num_items_in_batch: Any = None,
        ) -> Any:
            labels = inputs.pop("labels")[:, 1:]
            plain = model.get_base_model() if isinstance(model, PeftModel) else model
            states = plain.get_decoder()(**inputs, use_cache=False).last_hidden_state[:, :-1]
            read = labels != -100
            return cross_entropy(plain.lm_head(states[read]).float(), labels[read])

    return LabelOnly

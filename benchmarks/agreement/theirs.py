"""Theirs: lm-evaluation-harness on the same rows and weights, by tasks in its own words."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agreement.answers import Answers, log_softmax
from agreement.sets import Set

__all__ = ["answers", "harness_model", "run_harness", "task_config"]

BATCH = 16


def harness_model(folder: Path, length: int) -> Any:
    """Return lm-eval's Transformers model of a folder: float32, on the CPU."""
    from lm_eval.models.huggingface import HFLM

    return HFLM(
        pretrained=str(folder), dtype="float32", device="cpu", batch_size=BATCH, max_length=length
    )


def task_config(each: Set) -> dict[str, Any]:
    """Return what lm-eval is told of a set, all but its rows."""
    return {
        "task": each.name,
        "test_split": "test",
        "output_type": "multiple_choice",
        **each.asked,
        "num_fewshot": 0,
        "metric_list": [{"metric": metric} for metric in each.metrics],
    }


def run_harness(
    lm: Any, sets: Sequence[Set], files: Mapping[str, Mapping[str, Path]]
) -> dict[str, list[Any]]:
    """Return lm-eval's samples of each set, in the order of the rows."""
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.evaluator import evaluate

    tasks = {
        each.name: ConfigurableTask(
            config=task_config(each) | {"custom_dataset": _rows(files[each.data]["test"])}
        )
        for each in sets
    }
    found = evaluate(lm, {"tasks": tasks}, bootstrap_iters=0)["samples"]
    return {
        name: sorted(samples, key=lambda sample: sample["doc_id"])
        for name, samples in found.items()
    }


def answers(lm: Any, each: Set, samples: Sequence[Mapping[str, Any]]) -> Answers:
    """Return what lm-eval said of a set, with the tokens that it made of the texts."""
    sums = np.array([[reply[0] for reply in sample["filtered_resps"]] for sample in samples])
    space = each.asked.get("target_delimiter", " ")
    texts = [[said.removeprefix(space) for _, said in s["arguments"]] for s in samples]
    sizes = {
        "acc": [[1 for _ in choices] for choices in texts],
        "acc_norm": [[len(text) for text in choices] for choices in texts],
        "acc_bytes": [[len(text.encode()) for text in choices] for choices in texts],
    }
    return Answers(
        asked=[[_tokens(lm, *pair) for pair in sample["arguments"]] for sample in samples],
        sums=sums,
        log_probs=log_softmax(sums),
        predicted={m: (sums / np.array(sizes[m])).argmax(axis=1) for m in each.metrics},
        right={m: np.array([sample[m] == 1 for sample in samples]) for m in each.metrics},
    )


def _tokens(lm: Any, context: str, continuation: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    before, after = lm._encode_pair(context, continuation)
    return tuple(before), tuple(after)


def _rows(path: Path) -> Any:
    """Return a function that reads the rows, as `custom_dataset` wants it."""
    from datasets import Dataset

    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    return lambda **_: {"test": Dataset.from_list(rows)}

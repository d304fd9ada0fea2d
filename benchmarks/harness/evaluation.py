"""Evaluation: label words scored by smalltune and by lm-evaluation-harness, from text to scores.

Both tokenise, score and keep a log-likelihood per label and row; the harness counts accuracy too,
without its bootstrap. `best` is its best setting here: of several sizes of its batches, where its
default is one row, each is tried once and the quickest takes part (its cache of logits, on by
default, already scores all one-token labels in one forward). With demonstrations, every prompt
begins with the same answered rows.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.machine import allocate_as, peak_now
from harness.measures import clock_of
from harness.timing import clock, in_turn, quickest, refuse_unequal

__all__ = ["Plan", "run_pair"]

LIMITS = {"log-probabilities": 1e-4, "predictions": 0.0}
"""The largest difference in nats over labels and rows; the share of other predictions."""


@dataclass(frozen=True)
class Plan:
    """A pair of evaluations: which model scores how many rows, after how many demonstrations.

    `batches` are the sizes that are tried for the harness.
    """

    shape: str
    task: str
    rows: int
    shots: int = 0
    variants: tuple[str, ...] = ("smalltune", "lm_eval", "lm_eval_best")
    batches: tuple[int, ...] = (1, 4, 8, 16, 32)
    rounds: tuple[int, int] = (3, 7)
    seconds: float = 30.0


@dataclass(frozen=True)
class Run:
    """What one run took, and its log-probabilities [rows, labels] over the labels."""

    cpu: float
    wall: float
    scores: Any


def run_pair(plan: Plan, data: Path, checkpoints: Path, device: str) -> dict[str, Any]:
    """Measure a pair; raises Unequal when scores or predictions differ."""
    from harness.shapes import SHAPES
    from harness.texts import demonstrations, draw_rows, task_of

    shape, task = SHAPES[plan.shape], task_of(plan.task)
    model, tokeniser = shape.model(checkpoints).to(device), shape.words(checkpoints)
    rows = draw_rows(data, plan.task, "test", plan.rows)
    shown = demonstrations(task, draw_rows(data, plan.task, "train", plan.shots, seed=1))
    task = dataclasses.replace(task, prompt=shown + task.template)

    batched = {size: _harness(model, tokeniser, task, rows, size) for size in {*plan.batches, 1}}
    _harness(model, tokeniser, task, rows[:1], 1)()  # what is set up once is no size's time
    counts = clock_of({"device": device})
    best, chosen = quickest(
        plan.batches, lambda size: getattr(_timed("lm_eval_best", batched[size]), counts)
    )
    scorers = {
        "smalltune": _smalltune(model, tokeniser, task, rows),
        "lm_eval": batched[1],
        "lm_eval_best": batched[best],
    }
    peaks: list[float] = []
    runs = in_turn(
        {name: functools.partial(_timed, name, scorers[name]) for name in plan.variants},
        rounds=plan.rounds,
        seconds=plan.seconds,
        before=lambda: peaks.append(peak_now(device)),
    )
    found = _record(plan, runs, _gold(task, rows)) | _operations(model, task, rows, tokeniser)
    return found | {"chosen": {"lm_eval_best": chosen}, "peaks": peaks}


def _timed(name: str, score: Callable[[], Any]) -> Run:
    allocate_as(name)
    cpu, wall = clock()
    scores = score()
    now = clock()
    return Run(now[0] - cpu, now[1] - wall, scores)


def _smalltune(model: Any, tokeniser: Any, task: Any, rows: list[Any]) -> Callable[[], Any]:
    from harness.texts import ask
    from smalltune.engine.scoring import label_log_probs

    def score() -> Any:
        asked = ask(task, rows, tokeniser, model.config.max_position_embeddings)
        return label_log_probs(model, asked.prompts, asked.answers.tokens)

    return score


def _harness(
    model: Any, tokeniser: Any, task: Any, rows: list[Any], batch: int
) -> Callable[[], Any]:
    """Return a run of lm-evaluation-harness on the same texts, as a task of its own."""
    import torch
    from datasets import Dataset
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.evaluator import evaluate
    from lm_eval.models.huggingface import HFLM

    from harness.texts import written

    names = list(task.labels.values())
    docs = Dataset.from_list(
        [{"text": written(task, row), "target": names.index(row.label)} for row in rows]
    )
    config = {
        "task": "local",
        "custom_dataset": lambda **_: {"test": docs},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "{{text}}",
        "doc_to_target": "target",
        "doc_to_choice": names,
        "num_fewshot": 0,
        "metric_list": [{"metric": "acc"}],
    }
    local = ConfigurableTask(config=config)
    lm = HFLM(pretrained=model, tokenizer=tokeniser, batch_size=batch, device=str(model.device))

    def score() -> Any:
        found = evaluate(lm, {"tasks": {"local": local}}, bootstrap_iters=0)
        samples = sorted(found["samples"]["local"], key=lambda sample: sample["doc_id"])
        raw = [[reply[0] for reply in sample["filtered_resps"]] for sample in samples]
        return torch.log_softmax(torch.tensor(raw), dim=-1).numpy()

    return score


def _operations(model: Any, task: Any, rows: list[Any], tokeniser: Any) -> dict[str, float]:
    """Return the operations that scoring the labels needs, and those of what need not be done.

    `flop` is what is needed, `beginning_flop` the part of it that is done once for all prompts,
    `plain_flop` what the harness does, padding aside: every prompt whole, all its states, and the
    whole vocabulary at each, once for all labels that differ in their last token only.
    """
    from harness.texts import ask
    from smalltune.engine.flops import Work, asking, flops_of
    from smalltune.engine.prefixes import shared_tokens

    asked = ask(task, rows, tokeniser, model.config.max_position_embeddings)
    prompts, labels = asked.prompts, asked.answers.tokens
    shared = len(shared_tokens(prompts, int(prompts.lengths.min()) - 1))
    starts = {tuple(tokens[:-1]) for tokens in labels}
    fed = np.concatenate([prompts.lengths + len(start) for start in starts])
    tokens, pairs = int(fed.sum()), int((fed * (fed + 1) // 2).sum())
    needed = flops_of(model, rows=len(labels))
    return {
        "flop": needed.of(asking(prompts, labels, shared=shared)),
        "beginning_flop": needed.of(Work.of(shared)),
        "plain_flop": flops_of(model).of(Work(tokens, pairs, tokens, pairs)),
    }


def _gold(task: Any, rows: list[Any]) -> Any:
    names = list(task.labels.values())
    return np.array([names.index(row.label) for row in rows])


def _record(plan: Plan, runs: Mapping[str, list[Run]], gold: Any) -> dict[str, Any]:
    ours = runs["smalltune"][0].scores
    found: dict[str, Any] = {}
    for name, each in runs.items():
        scores = each[0].scores
        distances = {
            "log-probabilities": float(np.abs(scores - ours).max()),
            "predictions": float((scores.argmax(1) != ours.argmax(1)).mean()),
        }
        refuse_unequal(name, distances, LIMITS)
        found[name] = {
            "cpu": [run.cpu for run in each],
            "wall": [run.wall for run in each],
            "accuracy": float((scores.argmax(1) == gold).mean()),
            "distances": distances,
        }
    return {"plan": asdict(plan), "rows": plan.rows, "runs": found}

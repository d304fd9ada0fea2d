"""Generation: greedy and beam search by smalltune and by Transformers' `generate`.

`generate` gets batches of `BATCH` rows as they come (plain use of it), and rows sorted by length in
batches of the best size (its best setting here: each size is tried once and the quickest takes
part), padded on the left as it wants them. All write the same texts: where
two continuations are equally likely to the last bit, another one may be chosen, so the share of
other texts has a limit just above zero.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.machine import allocate_as, peak_now
from harness.measures import clock_of
from harness.timing import clock, in_turn, quickest, refuse_unequal

__all__ = ["BATCH", "Plan", "run_pair", "sizes"]

LIMITS = {"texts": 0.02}
BATCH = 16
"""Rows in a batch of plain use."""


@dataclass(frozen=True)
class Plan:
    """A pair of generations: which model continues how many rows, by how many tokens.

    `batches` are the sizes that are tried for sorted rows; one above all rows is that of all.
    """

    shape: str
    task: str
    rows: int
    tokens: int = 32
    beams: int = 1
    variants: tuple[str, ...] = ("smalltune", "generate", "generate_best")
    batches: tuple[int, ...] = (8, 16, 32, 64)
    rounds: tuple[int, int] = (3, 7)
    seconds: float = 30.0


@dataclass(frozen=True)
class Run:
    """What one run took, and the tokens it wrote after each prompt, end tokens left out."""

    cpu: float
    wall: float
    texts: list[tuple[int, ...]]


def run_pair(plan: Plan, data: Path, checkpoints: Path, device: str) -> dict[str, Any]:
    """Measure a pair; raises Unequal when the texts differ."""
    from harness.shapes import SHAPES
    from harness.texts import ask, draw_rows, task_of

    shape = SHAPES[plan.shape]
    model, tokeniser = shape.model(checkpoints).to(device), shape.words(checkpoints)
    rows = draw_rows(data, plan.task, "test", plan.rows)
    prompts = ask(task_of(plan.task), rows, tokeniser, 512).prompts
    given = np.arange(len(prompts))
    by_length = np.argsort(-prompts.lengths, kind="stable")
    end = int(tokeniser.eos_token_id)
    write = functools.partial(_generate, model, prompts, plan, end)
    _generate(model, prompts, replace(plan, tokens=2), end, given[:1], 1)  # set up once
    counts = clock_of({"device": device})

    def taken(size: int) -> float:
        run = _timed("generate_best", functools.partial(write, by_length, size))
        return float(getattr(run, counts))

    best, chosen = quickest(sizes(plan.batches, plan.rows), taken)
    writers = {
        "smalltune": functools.partial(_smalltune, model, prompts, plan, end),
        "generate": functools.partial(write, given, BATCH),
        "generate_best": functools.partial(write, by_length, best),
    }
    peaks: list[float] = []
    runs = in_turn(
        {name: functools.partial(_timed, name, writers[name]) for name in plan.variants},
        rounds=plan.rounds,
        seconds=plan.seconds,
        before=lambda: peaks.append(peak_now(device)),
    )
    found = _record(plan, runs) | _operations(model, prompts, plan, runs["smalltune"][0].texts)
    return found | {"chosen": {"generate_best": chosen}, "peaks": peaks}


def sizes(batches: Sequence[int], rows: int) -> list[int]:
    """Return the sizes of batches that differ for so many rows."""
    return sorted({min(size, rows) for size in batches})


def _operations(
    model: Any, prompts: Any, plan: Plan, texts: list[tuple[int, ...]]
) -> dict[str, float]:
    """Return the operations that writing needs; nothing where a text ended before its longest.

    Each prompt is fed once, and each beam's tokens but the last after it.
    """
    from smalltune.engine.flops import asking, flops_of

    if any(len(text) < plan.tokens for text in texts):
        return {}
    written = [[0] * plan.tokens] * plan.beams
    return {"flop": flops_of(model).of(asking(prompts, written))}


def _timed(name: str, write: Callable[[], list[tuple[int, ...]]]) -> Run:
    allocate_as(name)
    cpu, wall = clock()
    texts = write()
    now = clock()
    return Run(now[0] - cpu, now[1] - wall, texts)


def _smalltune(model: Any, prompts: Any, plan: Plan, end: int) -> list[tuple[int, ...]]:
    from smalltune.engine.generation import Decoding, generate

    decoding = Decoding(longest=plan.tokens, beams=plan.beams)
    return [found.tokens for found in generate(model, prompts, decoding, ends=[end])]


def _generate(
    model: Any, prompts: Any, plan: Plan, end: int, order: Any, size: int
) -> list[tuple[int, ...]]:
    """Return what Transformers writes after the prompts of `order`, `size` of them at a time."""
    import torch

    texts: list[tuple[int, ...]] = [()] * len(prompts)
    for start in range(0, len(order), size):
        batch = order[start : start + size]
        width = int(prompts.lengths[batch].max())
        ids = torch.full((len(batch), width), end, dtype=torch.int64)
        mask = torch.zeros_like(ids)
        for row, index in enumerate(batch):
            ids[row, width - prompts.lengths[index] :] = torch.from_numpy(prompts[index])
            mask[row, width - prompts.lengths[index] :] = 1
        with torch.inference_mode():
            made = model.generate(
                input_ids=ids.to(model.device),
                attention_mask=mask.to(model.device),
                max_new_tokens=plan.tokens,
                num_beams=plan.beams,
                do_sample=False,
                use_cache=True,
                eos_token_id=end,
                pad_token_id=end,
            )
        for index, tokens in zip(batch, made[:, width:].tolist(), strict=True):
            texts[index] = tuple(tokens[: tokens.index(end)] if end in tokens else tokens)
    return texts


def _record(plan: Plan, runs: Mapping[str, list[Run]]) -> dict[str, Any]:
    ours = runs["smalltune"][0].texts
    found: dict[str, Any] = {}
    for name, each in runs.items():
        other = sum(a != b for a, b in zip(ours, each[0].texts, strict=True))
        distances = {"texts": other / len(ours)}
        refuse_unequal(name, distances, LIMITS)
        found[name] = {
            "cpu": [run.cpu for run in each],
            "wall": [run.wall for run in each],
            "tokens": sum(len(text) for text in each[0].texts),
            "distances": distances,
        }
    return {"plan": asdict(plan), "rows": plan.rows, "runs": found}

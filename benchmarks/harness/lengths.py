"""Lengths: time of a training step against the length of its rows and the size of the model.

Lengths: every row has the same number of tokens, so that no side pads; a batch holds as many rows
as make `tokens` tokens, and the last token of a row is learned. Sizes: rows of AG News. Each point
is a pair of trainings as in `training`, with the same proof that the work was equal.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness import jobs
from harness.training import measure

__all__ = ["Plan", "run_pair"]


@dataclass(frozen=True)
class Plan:
    """Either `lengths` of rows for one shape, or several `shapes` on one task."""

    method: str
    shapes: tuple[str, ...]
    lengths: tuple[int, ...] = ()
    tokens: int = 2048
    batch: int = 8
    steps: int = 2
    variants: tuple[str, ...] = ("smalltune", "trainer", "trainer_packed")
    rounds: tuple[int, int] = (2, 2)
    seconds: float = 25.0


def run_pair(plan: Plan, data: Path, checkpoints: Path, device: str) -> dict[str, Any]:
    """Measure all points; raises Unequal when two variants did not do the same work."""
    points = []
    for shape in plan.shapes:
        for length in plan.lengths or (0,):
            batch = max(1, plan.tokens // length) if length else plan.batch
            one = jobs.Plan(
                shape, plan.method, "boolq" if length else "ag_news", batch, plan.steps, 1,
                length or 512, plan.variants, plan.rounds, plan.seconds,
            )  # fmt: skip
            points.append(_point(one, length, data, checkpoints, device))
    peaks = [peak for point in points for peak in point.pop("peaks")]
    return {"plan": asdict(plan), "points": points, "peaks": peaks}


def _point(
    plan: jobs.Plan, length: int, data: Path, checkpoints: Path, device: str
) -> dict[str, Any]:
    if not length:
        base, tokeniser, segments = jobs.prepare(plan, data, checkpoints)
    else:
        rows = replace(plan, batch=16, steps=24, warm=0, length=1024)
        base, tokeniser, source = jobs.prepare(rows, data, checkpoints)
        segments = _cut(source, length, plan.batch * plan.all_steps)
    found = measure(plan, base.to(device), tokeniser, segments)
    size = sum(p.numel() for p in base.parameters())
    return found | {"length": length, "parameters": size}


def _cut(source: Any, length: int, count: int) -> Any:
    """Return `count` rows of `length` tokens out of running text; the last token is learned."""
    from smalltune.engine.segments import Segments

    flat = np.resize(source.ids, count * length).reshape(count, length)
    return Segments.of(list(flat), [length - 1] * count, [0] * count)

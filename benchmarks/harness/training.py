"""Training: smalltune's engine and its peers take the same steps on the same batches.

Each run starts from the same weights and takes `warm + steps` steps of one epoch; the time is
that between the end of step `warm` and the end of the last, so that set-up is left out on every
side. Two orders of the same rows are run: shuffled batches, the default of all, and batches of rows
of like length, which smalltune draws with `batches: by_length` and Trainer with group_by_length. A
variant is compared with smalltune on its own batches: same mean loss, same trained weights.
"""

import functools
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.jobs import Plan, job_of, order_kind, order_of, prepare, runner_of
from harness.machine import allocate_as, peak_now
from harness.timing import in_turn, refuse_unequal

__all__ = ["Plan", "Run", "measure", "run_pair"]

LIMITS = {"loss": 1e-5, "weights": 1e-2}
"""The mean loss, relative; the trained weights, relative to how far training moved them."""

LIMITS_BF16 = {"loss": 1e-2, "weights": math.inf}
"""With bfloat16 products the sides round differently; Adam makes signs of small differences."""


@dataclass(frozen=True)
class Run:
    """What one run took and how it ended: CPU and wall seconds, mean loss, distances."""

    cpu: float
    wall: float
    loss: float
    distances: Mapping[str, float]


def run_pair(plan: Plan, data: Path, checkpoints: Path, device: str) -> dict[str, Any]:
    """Measure a pair; raises Unequal when two variants did not do the same work."""
    base, tokeniser, segments = prepare(plan, data, checkpoints)
    return measure(plan, base.to(device), tokeniser, segments)


def measure(plan: Plan, base: Any, tokeniser: Any, segments: Any) -> dict[str, Any]:
    """Measure a pair on rows that are tokens already, one epoch of them."""
    judge = _Judge(LIMITS if base.device.type == "cpu" else LIMITS_BF16)
    needed: dict[str, float] = {}
    peaks: list[float] = []

    def once(name: str) -> Run:
        job = job_of(plan, name, base, tokeniser, segments)
        if name.startswith("smalltune"):
            kind = name.replace("smalltune", "flop")
            needed[kind] = _flop(job.model, segments, job.batches[plan.warm :])
        judge.before(name, job.model)
        allocate_as(name)
        loss = runner_of(name)(job)
        if len(job.marks) != plan.all_steps or not math.isfinite(loss):
            raise RuntimeError(f"{name}: {len(job.marks)} of {plan.all_steps} steps, loss {loss}")
        (cpu, wall), (cpu_0, wall_0) = job.marks[-1], job.marks[plan.warm - 1]
        return Run(cpu - cpu_0, wall - wall_0, loss, judge.after(name, job.model, loss))

    runs = in_turn(
        {name: functools.partial(once, name) for name in plan.variants},
        rounds=plan.rounds,
        seconds=plan.seconds,
        before=lambda: peaks.append(peak_now(base.device.type)),
    )
    return _record(plan, runs, segments) | needed | {"peaks": peaks}


class _Judge:
    """Compares how each variant's first run ends with how smalltune's ended on the same batches."""

    def __init__(self, limits: Mapping[str, float]):
        self.limits = limits
        self.judged: set[str] = set()
        self.starts: dict[str, Mapping[str, Any]] = {}
        self.ends: dict[str, tuple[Mapping[str, Any], float]] = {}

    def before(self, name: str, model: Any) -> None:
        """Raise RuntimeError unless a variant starts from the weights of smalltune's run."""
        kind, now = order_kind(name), _trained(model)
        if kind not in self.starts:
            self.starts[kind] = {n: p.clone() for n, p in now.items()}
        elif name not in self.judged:
            start = self.starts[kind]
            if now.keys() != start.keys() or _distance(now, start) > 0:
                raise RuntimeError(f"{name} did not start from the weights of smalltune's run")

    def after(self, name: str, model: Any, loss: float) -> dict[str, float]:
        """Return the distances of a variant's first run from smalltune's, which comes first."""
        if name in self.judged:
            return {}
        self.judged.add(name)
        kind, now = order_kind(name), _trained(model)
        if kind not in self.ends:
            self.ends[kind] = now, loss
            return {"loss": 0.0, "weights": 0.0}
        end, wanted = self.ends[kind]
        distances = {
            "loss": abs(loss / wanted - 1),
            "weights": _distance(now, end) / _distance(end, self.starts[kind]),
        }
        refuse_unequal(name, distances, self.limits)
        return distances


def _trained(model: Any) -> dict[str, Any]:
    """Return what is trained, under the base's own names."""
    return {
        name.removeprefix("base_model.model.").replace(".default.", ".smalltune."): p.detach()
        for name, p in model.named_parameters()
        if p.requires_grad
    }


def _distance(a: Mapping[str, Any], b: Mapping[str, Any]) -> float:
    return math.sqrt(sum(float((a[n] - b[n]).double().square().sum()) for n in b))


def _flop(model: Any, segments: Any, batches: list[Any]) -> float:
    """Return the operations that learning from these batches needs, nothing in vain."""
    from smalltune.engine.flops import flops_of, learning

    needs = flops_of(model, backward=True)
    return sum(needs.of(learning(segments, batch)) for batch in batches)


def _record(plan: Plan, runs: Mapping[str, list[Run]], segments: Any) -> dict[str, Any]:
    batches = order_of(segments.lengths, plan.batch, "shuffled")[plan.warm :]
    timed = [segments.lengths[batch] for batch in batches]
    return {
        "plan": asdict(plan),
        "rows": plan.steps * plan.batch,
        "tokens": int(sum(lengths.sum() for lengths in timed)),
        "padded_tokens": int(sum(lengths.max() * len(lengths) for lengths in timed)),
        "runs": {
            name: {
                "cpu": [run.cpu for run in found],
                "wall": [run.wall for run in found],
                "loss": found[0].loss,
                "distances": found[0].distances,
            }
            for name, found in runs.items()
        },
    }

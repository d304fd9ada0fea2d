"""Memory: the most that training holds, each variant in a process of its own.

The peak is the kernel's high-water mark of resident memory (or what PyTorch allocated on a GPU)
during the steps, beginning once the model is ready to train. It holds Python, the libraries and
the weights, which are the same for all; `rest` says how much was held before the first step.
smalltune runs with its workers' setting of the allocator, the peers, tuned or not, with the
system's as it comes: kept blocks would save them time, not memory.
"""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.timing import refuse_unequal

__all__ = ["Plan", "run_pair"]

LIMITS = {"loss": 1e-5}


@dataclass(frozen=True)
class Plan:
    """A pair of trainings of two steps each, measured by what they hold."""

    shape: str
    method: str
    task: str
    batch: int = 16
    length: int = 512
    variants: tuple[str, ...] = ("smalltune", "trainer", "trainer_packed", "sft", "sft_packed")


def run_pair(plan: Plan, data: Path, checkpoints: Path, device: str) -> dict[str, Any]:
    """Measure each variant once: peaks hardly differ from one run to the next."""
    runs: dict[str, Any] = {}
    for name in plan.variants:
        asked = json.dumps([asdict(plan) | {"variants": [name]}, str(data), str(checkpoints)])
        command = [sys.executable, "-m", "harness.memory", asked]
        done = subprocess.run(
            command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, text=True, check=True
        )
        runs[name] = json.loads(done.stdout.splitlines()[-1])
        runs[name]["distances"] = {"loss": abs(runs[name]["loss"] / runs["smalltune"]["loss"] - 1)}
        refuse_unequal(name, runs[name]["distances"], LIMITS)
    return {"plan": asdict(plan), "rows": 2 * plan.batch, "runs": runs}


def _measure(plan: Plan, data: Path, checkpoints: Path) -> dict[str, float]:
    """Return the loss of two steps, and the bytes held before them and at most."""
    from harness import jobs
    from harness.machine import peak_bytes, reset_peak, steady
    from smalltune.core.blocks import keep_large_blocks

    name = plan.variants[0]
    if name == "smalltune":
        keep_large_blocks()
    device = steady(1)
    steps = jobs.Plan(
        plan.shape, plan.method, plan.task, plan.batch, steps=1, warm=1, length=plan.length
    )
    base, tokeniser, segments = jobs.prepare(steps, data, checkpoints)
    job = jobs.job_of(steps, name, base.to(device), tokeniser, segments, copied=False)
    run = jobs.runner_of(name)
    reset_peak()
    rest = peak_bytes()
    loss = run(job)
    return {"loss": loss, "rest": rest, "peak": peak_bytes()}


if __name__ == "__main__":
    asked, data, checkpoints = json.loads(sys.argv[1])
    plan = Plan(**asked | {"variants": tuple(asked["variants"])})
    print(json.dumps(_measure(plan, Path(data), Path(checkpoints))))

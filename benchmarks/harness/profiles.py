"""Profiles: where the time of one training step goes, and of one small study.

A step: PyTorch's profiler names the operators, grouped here by what they are for; what the steps
took without the profiler, less the operators, is Python and dispatch, as far as this tells: the
operators are means over all steps, the seconds those of the timed ones. Beside it, what counting
the work (tokens, operations, the meter) costs. A study: the seconds that its jobs note by stage and
phase; what all processes took beyond that is starting them, planning and scheduling. It is run
`rounds` times, and the parts are those of the run in the middle. What its meters take is the
measuring of the machine's own speed, once for each worker.
"""

import statistics
import tempfile
import timeit
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.jobs import Plan as Steps
from harness.jobs import job_of, prepare, runner_of

__all__ = ["Plan", "group_of", "run_pair"]

GROUPS: Mapping[str, tuple[str, ...]] = {
    "matrix products": ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm", "mkldnn"),
    "attention": ("attention",),
    "optimiser": ("adamw", "foreach"),
    "lookups and moves": (
        "index", "embedding", "gather", "scatter", "sparse", "copy_", "clone", "cat", "fill_",
    ),
}  # fmt: skip
REST = "element by element"


@dataclass(frozen=True)
class Plan:
    """Steps of one shape, method and task; with `seeds` a study of so many short runs."""

    shape: str
    method: str
    task: str = "sst2"
    batch: int = 16
    steps: int = 10
    warm: int = 3
    rounds: int = 3
    seeds: int = 0


def run_pair(plan: Plan, data: Path, checkpoints: Path, device: str) -> dict[str, Any]:
    """Profile a step or a study; the largest part comes first."""
    found = _study(plan, data) if plan.seeds else _step(plan, data, checkpoints, device)
    return {"plan": asdict(plan), **found}


def group_of(operator: str) -> str:
    """Return what an operator is for."""
    low = operator.lower()
    found = (group for group, marks in GROUPS.items() if any(mark in low for mark in marks))
    return next(found, REST)


def _step(plan: Plan, data: Path, checkpoints: Path, device: str) -> dict[str, Any]:
    """Return the shares of a step by group, its seconds, and those of counting its work."""
    from torch.profiler import ProfilerActivity, profile

    from harness.machine import allocate_as

    steps = Steps(plan.shape, plan.method, plan.task, plan.batch, plan.steps, plan.warm)
    base, tokeniser, segments = prepare(steps, data, checkpoints)
    base = base.to(device)
    clock = 0 if device == "cpu" else 1
    allocate_as("smalltune")

    run = runner_of("smalltune")

    def new() -> Any:
        return job_of(steps, "smalltune", base, tokeniser, segments)

    def step(job: Any) -> float:
        run(job)
        return float(job.marks[-1][clock] - job.marks[plan.warm - 1][clock]) / plan.steps

    seconds = statistics.median(step(new()) for _ in range(plan.rounds))
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if clock else [])]
    job = new()  # outside: it copies the base
    with profile(activities=activities) as watched:
        run(job)
    operators: Counter[str] = Counter()
    for event in watched.key_averages():
        own = event.self_device_time_total if clock else event.self_cpu_time_total
        if "::" in event.key and not event.key.startswith("autograd::"):
            operators[group_of(event.key)] += own / 1e6 / steps.all_steps
    spent = {**operators, "Python and dispatch": max(0.0, seconds - sum(operators.values()))}
    total = sum(spent.values())
    parts = [{"part": name, "share": value / total} for name, value in spent.items()]
    counting = _counting(job)
    return {
        "taken": seconds,
        "counting": counting / seconds,
        "parts": sorted(parts, key=lambda part: -part["share"]),
    }


def _counting(job: Any) -> float:
    """Return the seconds that a step's meters take: counting its work, and the energy's clock."""
    from smalltune.core.provenance import Meter
    from smalltune.engine.flops import learning

    meter, batch, times = Meter(), job.batches[0], 200

    def count() -> None:
        learning(job.data, batch)
        int(job.data.lengths[batch].sum())
        meter.tick()

    return min(timeit.repeat(count, number=times, repeat=5)) / times


def _study(plan: Plan, data: Path) -> dict[str, Any]:
    """Return the parts of the run of a study in the middle, and the wall seconds of every run."""
    found = sorted((_one_study(plan, data) for _ in range(plan.rounds)), key=lambda f: f["taken"])
    return found[len(found) // 2] | {"totals": [one["taken"] for one in found]}


def _one_study(plan: Plan, data: Path) -> dict[str, Any]:
    """Return the shares of a study's wall time, over all its workers, by stage and phase."""
    from harness import studies

    short = studies.Plan(plan.method, many=plan.seeds)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        studies.write_rows(short, data, folder)
        wall = studies.run_study(short, folder, plan.seeds)["wall"]
        phases = _phases(folder / f"study-{plan.seeds}" / "store")
    rest = wall * studies.cores() - sum(phases.values())
    phases["starting processes, planning, waiting"] = max(0.0, rest)
    total = sum(phases.values())
    parts = [{"part": part, "share": value / total} for part, value in phases.most_common()]
    counting = sum(value for part, value in phases.items() if part.endswith(": peak"))
    return {"taken": wall, "counting": counting / total, "parts": parts}


def _phases(store: Path) -> Counter[str]:
    import json

    found: Counter[str] = Counter()
    for path in store.glob("artifacts/*/*/provenance.json"):
        stage = json.loads((path.parent / "manifest.json").read_text())["stage"]
        for phase, seconds in json.loads(path.read_text())["phases"].items():
            found[f"{stage}: {phase}"] += seconds
    return found

"""Studies: many short runs by smalltune, and by one process per run as scripts are usually run.

smalltune runs a study of `few` seeds and one of `many`, each on a fresh store: the difference
between them is what a run costs, the rest is what a study costs once. All of it is done `rounds`
times, smalltune and peers in turn; a ratio is taken within a round. The peer is
`single_run.py`, which trains with Trainer and PEFT: `one_by_one` with all cores each, the usual
way, and `side_by_side` with as many processes at once as there are cores, of one thread each;
`side_by_side_packed` is that with rows laid end to end and the head only where it is read. All
start from the same weights, see the same rows in the same batches, and are scored on the same
rows; the mean loss over the training steps of each seed and its accuracy must be the same up to
`LIMITS`. (Runs this short end near chance, so it is the loss that shows equal work.) The time of a
larger study is computed from these measurements, and says so. `start` is what a peer's process
takes to import what it needs, before it does anything.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.timing import refuse_unequal

__all__ = [
    "Plan", "apart", "cores", "cost_of", "run_pair", "run_study", "seconds_for", "write_rows"
]  # fmt: skip

LIMITS = {"accuracy": 0.01, "loss": 1e-4}
"""The largest difference of a seed's accuracy on the test rows, and of its loss, relative."""

SINGLE_RUN = str(Path(__file__).with_name("single_run.py"))

STUDY = """
name: short
title: "Many short runs"
questions: ["What does a run cost?"]
models: {{micro-llama: {{}}}}
tasks:
  sst2:
    files: {{train: train.jsonl, dev: dev.jsonl, test: test.jsonl}}
methods: {{{method}: {{}}}}
training: {{epochs: 1, batch_size: {batch}, schedule: linear, warmup: 0.0}}
seeds: {seeds}
metrics: [accuracy]
primary: accuracy
"""


@dataclass(frozen=True)
class Plan:
    """Short runs of micro-llama on SST-2: `few` and `many` seeds, `peers` processes."""

    method: str
    rows: int = 320
    dev: int = 100
    test: int = 200
    batch: int = 16
    few: int = 2
    many: int = 12
    peers: int = 8
    rounds: int = 2
    asked: tuple[int, ...] = (8, 200)
    variants: tuple[str, ...] = (
        "smalltune", "one_by_one", "side_by_side", "side_by_side_packed",
    )  # fmt: skip


def run_pair(plan: Plan, data: Path, checkpoints: Path, device: str) -> dict[str, Any]:
    """Measure all; raises Unequal when a seed's loss or accuracy differs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_rows(plan, data, folder)
        rounds = [_round(plan, folder, number) for number in range(plan.rounds)]
    computed = {
        str(count): {
            name: {
                clock: [seconds_for(count, found[name][clock]) for found in rounds]
                for clock in ("wall", "cpu")
            }
            for name in plan.variants
        }
        for count in plan.asked
    }
    runs = {name: [found[name] for found in rounds] for name in plan.variants}
    start = [_run([sys.executable, SINGLE_RUN], {}) for _ in range(plan.rounds)]
    losses = {name: found[0]["loss"] for name, found in runs.items()}
    return {
        "plan": asdict(plan), "rows": plan.rows, "runs": runs, "losses": losses,
        "computed": computed, "start": start,
    }  # fmt: skip


def _round(plan: Plan, folder: Path, number: int) -> dict[str, Any]:
    """Run both studies and all peers once, the peers first in every second round."""
    found: dict[str, Any] = {}

    def ours() -> None:
        few, many = (run_study(plan, folder / f"round-{number}", n) for n in (plan.few, plan.many))
        found["smalltune"] = {
            clock: cost_of(plan.few, plan.many, (few[clock], many[clock]))
            for clock in ("wall", "cpu")
        } | {what: many[what] for what in LIMITS}

    def peers() -> None:
        for name in plan.variants[1:]:
            found[name] = _processes(plan, folder, name)

    for part in (ours, peers) if number % 2 == 0 else (peers, ours):
        part()
    for name, one in found.items():
        one["distances"] = apart(one, found["smalltune"])
        refuse_unequal(name, one["distances"], LIMITS)
    return found


def apart(one: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, float]:
    """Return how far the seeds that two sides ran lie apart at most: accuracy, relative loss."""
    both = {what: list(zip(one[what], ours[what], strict=False)) for what in LIMITS}
    return {
        "accuracy": max(abs(a - b) for a, b in both["accuracy"]),
        "loss": max(abs(a / b - 1) for a, b in both["loss"]),
    }


def cores() -> int:
    """Return how many cores this process may use."""
    few = hasattr(os, "sched_getaffinity")
    return len(os.sched_getaffinity(0)) if few else os.cpu_count() or 1


def seconds_for(count: int, measured: dict[str, Any]) -> float:
    """Return the seconds of `count` runs: what is paid once, and each run."""
    return float(measured["once"] + count * measured["each"])


def cost_of(few: int, many: int, seconds: tuple[float, float]) -> dict[str, Any]:
    """Return what is paid once and for each run, from the `seconds` of `few` and of `many`."""
    each = (seconds[1] - seconds[0]) / (many - few)
    return {"once": seconds[0] - few * each, "each": each, "measured": list(seconds)}


def write_rows(plan: Plan, data: Path, folder: Path) -> None:
    """Write rows as files for both sides, and the order of the training rows by seed."""
    from harness.shapes import SHAPES
    from harness.texts import ask, draw_rows, task_of, written
    from smalltune.engine.batching import epoch_order

    task, tokeniser = task_of("sst2"), SHAPES["micro"].words(Path())
    pool = draw_rows(data, "sst2", "train", plan.rows + plan.dev)
    parts = {
        "train": pool[: plan.rows],
        "dev": pool[plan.rows :],
        "test": draw_rows(data, "sst2", "test", plan.test),
    }
    for role, rows in parts.items():
        with (folder / f"{role}.jsonl").open("w") as file:
            for row in rows:
                label = next(key for key, word in task.labels.items() if word == row.label)
                line = {"sentence": row.fields["sentence"], "label": int(label)}
                line |= {"prompt": written(task, row), "word": row.label}
                file.write(json.dumps(line) + "\n")
    lengths = ask(task, parts["train"], tokeniser, 512).supervised.lengths
    orders = [
        [int(i) for batch in epoch_order(lengths, plan.batch, seed, 0) for i in batch]
        for seed in range(plan.many)
    ]
    (folder / "orders.json").write_text(json.dumps(orders))


def run_study(plan: Plan, folder: Path, seeds: int) -> dict[str, Any]:
    """Run a study in a process of its own, as the command line does; return cost and scores."""
    import smalltune

    place = folder / f"study-{seeds}"
    place.mkdir(parents=True)
    rows = next(each for each in (folder, *folder.parents) if (each / "train.jsonl").is_file())
    for role in ("train", "dev", "test"):
        (place / f"{role}.jsonl").symlink_to(rows / f"{role}.jsonl")
    text = STUDY.format(method=plan.method, batch=plan.batch, seeds=seeds)
    (place / "study.yaml").write_text(text)
    command = [sys.executable, "-m", "smalltune", "run", str(place), "--json"]
    cost = _run(command, {"SMALLTUNE_STORE": str(place / "store")})
    study = smalltune.load(place, store=place / "store")
    trials = sorted(study.trials(), key=lambda each: each.trial.seed)
    return cost | {
        "accuracy": [each.scores("test")["accuracy"] for each in trials],
        "loss": [statistics.fmean(line["loss"] for line in each.training_log()) for each in trials],
    }


def _processes(plan: Plan, folder: Path, name: str) -> dict[str, Any]:
    """Run one process per seed; return the cost of each, their losses and accuracies."""
    at_once = cores() if name.startswith("side_by_side") else 1
    packed = ["packed"] if name.endswith("_packed") else []
    threads = {"OMP_NUM_THREADS": str(1 if at_once > 1 else cores())}

    def one(seed: int) -> dict[str, Any]:
        out = folder / f"{name}-{seed}"
        command = [sys.executable, SINGLE_RUN, plan.method, str(folder), str(seed), str(out)]
        return _run([*command, str(plan.batch), *packed], threads) | json.loads(
            (out / "scores.json").read_text()
        )

    start = time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        found = list(pool.map(one, range(plan.peers)))
    wall = time.perf_counter() - start
    return {
        "wall": {"once": 0.0, "each": wall / plan.peers, "measured": [f["wall"] for f in found]},
        "cpu": {
            "once": 0.0,
            "each": statistics.fmean(f["cpu"] for f in found),
            "measured": [f["cpu"] for f in found],
        },
        **{what: [f[what] for f in found] for what in LIMITS},
    }


def _run(command: list[str], environment: dict[str, str]) -> dict[str, float]:
    """Run a command; return its wall seconds, and the CPU seconds of it and its children."""
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            command, env=os.environ | environment, stdout=said, stderr=subprocess.STDOUT
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"{' '.join(command)} failed:\n{said.read()[-3000:]}")
    return {"wall": time.perf_counter() - start, "cpu": used.ru_utime + used.ru_stime}

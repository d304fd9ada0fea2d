"""What a trial costs besides its own work, for studies of 10, 100 and 1,000 trials.

    .venv/bin/python benchmarks/scaling.py [--trials 10 100 1000] [--json FILE] [--folder FOLDER]

A study of one method with as many seeds runs through the real planner, runner, claims, worker
processes and store. Only the stages are stand-ins: they copy small files that look like answers,
and their own CPU time is left out. Five jobs make a trial (train, predict and score twice). All
numbers are CPU milliseconds per trial, of the parent and its workers together:

    planner    trials to jobs and their keys, and the record of the plan
    scheduler  what is missing, the order of the jobs, claims, weights that are dropped
    dispatch   jobs and news through the pipes, at both ends
    store      commits (digests, manifest, provenance, fsync) and the looks at inputs
    again      the whole of a second run, which finds everything stored
    status     `plan` once all is stored
    results    scores and costs read, estimates, and the files of `results`
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["stand_in"]

AIM = 50.0
"""CPU milliseconds per trial that planner, scheduler, dispatch and store may take together."""

TRIAL = ("planner", "scheduler", "dispatch", "store")
WORKERS = 2
MODULE = "benchmarks.scaling"
WARM = ("name=warm", "training.steps=1")
"""What makes another study of the same file: it runs first, so that all is imported."""

STUDY = """
name: scaling
question: What does a trial cost besides its own work?
models: {{micro-llama: {{why: It is there.}}}}
tasks:
  own:
    kind: classification
    files: {{train: train.csv, dev: dev.csv, test: test.csv}}
    labels: {{0: bad, 1: good}}
    prompt: "{{text}} was"
    why: It is short.
methods: {{{method}: {{why: To count.}}}}
seeds: {seeds}
metrics: [accuracy, nll]
"""

spent: dict[str, float] = defaultdict(float)
"""CPU seconds of this process by what they were spent on."""


def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function so that its CPU seconds are added to `spent`."""

    def inner(*args: Any, **options: Any) -> Any:
        start = time.process_time()
        try:
            return function(*args, **options)
        finally:
            spent[name] += time.process_time() - start

    return inner


def stand_in(spec: Mapping[str, Any], inputs: Any, out: Path, bench: Any) -> Mapping[str, Any]:
    """Copy the files of an answer: the stage that takes the place of all stages in a worker."""
    shutil.copytree(inputs.sources["answer"], out, dirs_exist_ok=True)
    return {"pid": os.getpid(), "store_seconds": spent["store"]}


def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--json", type=Path, help="where to write the table")
    parser.add_argument("--folder", type=Path, help="on which disk to measure")
    asked = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parents[1]))
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    rows = []
    for trials in asked.trials:
        with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
            rows.append(measure(Path(folder), trials))
        if len(rows) == 1:
            print("".join(f"{name:>11}" for name in rows[0]))
        print("".join(f"{value:>11}" for value in rows[-1].values()), flush=True)
    print(f"CPU ms per trial; aim: {' + '.join(TRIAL)} below {AIM:g}, and flat")
    if asked.json:
        asked.json.write_text(
            json.dumps({"unit": "CPU ms per trial", "rows": rows, "trial": [*TRIAL]}, indent=1)
        )


def measure(folder: Path, trials: int) -> dict[str, float]:
    """Return one row of the table."""
    from smalltune import runner
    from smalltune.api.study import load

    backend_type = _stand_ins(_answers(folder))
    study = load(_write(folder / "study", trials), store=folder / "store")
    warm = load(_write(folder / "warm", 2 * WORKERS), folder / "store", WARM)
    backend = backend_type(study.store, workers=WORKERS)
    warm.run(backend=backend)
    warm.export_results()
    before = _workers(backend)
    spent.clear()
    plain = runner.plan, runner.record
    runner.plan, runner.record = (timed("planner", function) for function in plain)
    whole = _cpu(lambda: study.run(backend=backend))
    runner.plan, runner.record = plain
    inside = {key: after - before[key] for key, after in _workers(backend).items()}
    again = _cpu(lambda: study.run(backend=backend))
    backend.close()
    stages, stored = _provenance(study, warm)
    parts = {
        "planner": spent["planner"],
        "scheduler": whole - spent["planner"] - spent["dispatch"],
        "dispatch": spent["dispatch"] + sum(inside.values()) - stages - stored,
        "store": stored,
    }
    parts |= {
        "together": sum(parts.values()),
        "again": again,
        "status": _cpu(study.status),
        "results": _cpu(study.export_results),
    }
    return {"trials": trials} | {n: round(1000 * s / trials, 2) for n, s in parts.items()}


def _write(folder: Path, seeds: int, method: str = "full") -> Path:
    """Write a study of one method; the rows are the same in each."""
    folder.mkdir()
    for split in ("train", "dev", "test"):
        rows = [f"{split} review number {n},{n % 2}" for n in range(20)]
        (folder / f"{split}.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    (folder / "study.yaml").write_text(STUDY.format(method=method, seeds=seeds))
    return folder


def _answers(folder: Path) -> dict[tuple[str, str], Path]:
    """Return a folder of files for each stage and split, those of a real run where it is light."""
    from smalltune.api.study import load

    study = load(_write(folder / "answers", 1, "majority"), folder / "answers" / "store")
    if not study.run(workers=1).ok:
        sys.exit("the run that makes the answers failed")
    found = {}
    for job in study.plan().jobs():
        stage = "predict" if job.stage == "classify" else job.stage
        found[stage, str(job.spec.get("split", ""))] = study.store.folder(job.key)
    for stage, files in {
        "tokens": {"facts.json": b"{}"},
        "train": {"weights/model.safetensors": bytes(1 << 16), "facts.json": b"{}"},
    }.items():
        found[stage, ""] = folder / "answers" / stage
        for name, content in files.items():
            path = found[stage, ""] / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return {key: _plain(path, folder / "answers" / "-".join(key)) for key, path in found.items()}


def _plain(source: Path, target: Path) -> Path:
    """Return a copy of an answer's files without the store's records."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("manifest.json", "prov*.json"))
    return target


def _stand_ins(answers: Mapping[tuple[str, str], Path]) -> type[Any]:
    """Return a local backend whose workers copy these answers, and that is timed."""
    from smalltune.backends.local import Local
    from smalltune.core.job import Job

    def replaced(job: Job) -> Job:
        answer = answers[job.stage, str(job.spec.get("split", ""))]
        other = Job(MODULE, 1, job.spec, job.inputs, {"answer": str(answer)}, job.label)
        other.__dict__.update(key=job.key, question=job.question)  # it answers the same question
        return other

    class StandIns(Local):
        def expect(self, jobs: Sequence[Job], largest: int) -> None:
            """No stand-in has a model, so no worker is warmed for one."""

        def submit(self, jobs: Sequence[Job]) -> None:
            super().submit([replaced(job) for job in jobs])

    for name in ("submit", "wait", "choose"):
        setattr(StandIns, name, timed("dispatch", getattr(StandIns, name)))
    return StandIns


def _provenance(study: Any, warm: Any) -> tuple[float, float]:
    """Return the CPU seconds of the stages of `study` and of its workers in the store."""
    before = _made(warm)
    made = {key: one for key, one in _made(study).items() if key not in before}
    stored = 0.0
    for pid in {one["pid"] for one in made.values()}:
        first, last = (
            max((one["store_seconds"] for one in each.values() if one["pid"] == pid), default=0.0)
            for each in (before, made)
        )
        stored += last - first
    return sum(one["cpu_seconds"] for one in made.values()), stored


def _made(study: Any) -> dict[str, Mapping[str, Any]]:
    return {job.key: study.store.provenance(job.key) for job in study.plan().jobs()}


def _workers(backend: Any) -> dict[int, float]:
    """Return the CPU seconds of each worker so far."""
    import psutil

    return {pid: sum(psutil.Process(pid).cpu_times()[:2]) for pid in backend.processes}


def _cpu(call: Callable[[], Any]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


if __name__ == MODULE:  # in a worker, which asks for the stage by this name
    from smalltune.core.store import Store

    for method in ("commit", "path"):
        setattr(Store, method, timed("store", getattr(Store, method)))

if __name__ == "__main__":
    main()

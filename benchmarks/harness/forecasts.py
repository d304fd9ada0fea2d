"""Forecasts: what `plan` says of a study never run before, against what its trials then take.

The store is cold, the shape is one that nothing was calibrated on, and `plan` and `run` are used as
a user does, in processes of their own, with one worker. A trial's ratio is forecast over actual;
the wall seconds of its jobs count, and their processor's stand beside them for a busy machine.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Plan", "run_pair"]

STUDY = """
name: forecast
title: "A study never run before"
questions: ["What will it take?"]
models: {{base: {{{source}}}}}
tasks:
  {task}:
    files: {{train: train.jsonl, dev: dev.jsonl, test: test.jsonl}}
methods: {methods}
training: {{steps: {steps}, batch_size: 16}}
seeds: {seeds}
metrics: [{metric}]
primary: {metric}
"""

FILES = {
    "sst2": ("glue_sst2/train", "glue_sst2/validation"),
    "ag_news": ("ag_news/test", "ag_news/test"),
    "e2e_nlg": ("e2e_nlg/train_reconstructed", "e2e_nlg/validation"),
}


@dataclass(frozen=True)
class Plan:
    """A study on a Llama of this `config`, or where it is empty on micro-llama itself."""

    task: str
    methods: tuple[str, ...]
    config: Mapping[str, int] = field(default_factory=dict)
    metric: str = "accuracy"
    steps: int = 40
    rows: int = 640
    asked: int = 200
    seeds: int = 3


def run_pair(plan: Plan, data: Path, checkpoints: Path, device: str) -> dict[str, Any]:
    """Plan and run the study in a cold store; return each trial's ratios."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(plan, data, folder)
        planned = json.loads(_smalltune("plan", folder, "--workers", "1"))
        _smalltune("run", folder, "--workers", "1")
        again = json.loads(_smalltune("plan", folder, "--workers", "1"))
        costs = _costs(folder)
    found = {cost["trial"]: _ratios(cost) for cost in costs}
    return {
        "plan": asdict(plan),
        "forecasts": found,
        "costs": costs,
        "total": planned["forecast"]["total"],
        "left": again["forecast"]["total"],
    }


def _ratios(cost: Mapping[str, Any]) -> dict[str, float]:
    """Return forecast over actual of each kind."""
    return {
        "wall": cost["forecast_seconds"] / cost["seconds"],
        "cpu": cost["forecast_seconds"] / cost["cpu_seconds"],
        "memory": cost["forecast_peak_memory_bytes"] / cost["peak_memory_bytes"],
        "stored": cost["forecast_stored_bytes"] / cost["stored_bytes"],
    }


def _write(plan: Plan, data: Path, folder: Path) -> None:
    """Write the study, rows of its task, and the model's configuration with a tokeniser."""
    import numpy as np
    import pyarrow.parquet

    from smalltune.models.sources import embedded_folder

    base = embedded_folder() / "models" / "micro-llama"
    source = "source: 'embedded:micro-llama'"
    if plan.config:
        source = "config: ./model"
        shutil.copytree(base, folder / "model", ignore=shutil.ignore_patterns("*.safetensors"))
        written = json.loads((base / "config.json").read_text()) | dict(plan.config)
        (folder / "model" / "config.json").write_text(json.dumps(written))
    rng = np.random.default_rng(0)
    learnt, judged = (pyarrow.parquet.read_table(data / f"{f}.parquet") for f in FILES[plan.task])
    mine, others = (rng.permutation(table.num_rows) for table in (learnt, judged))
    parts = {
        "train": learnt.take(mine[: plan.rows]),
        "dev": judged.take(others[: plan.asked]),
        "test": judged.take(others[plan.asked : 2 * plan.asked]),
    }
    for role, table in parts.items():
        with (folder / f"{role}.jsonl").open("w") as file:
            file.writelines(json.dumps(row) + "\n" for row in table.to_pylist())
    text = STUDY.format(
        source=source, task=plan.task, methods=json.dumps({m: {} for m in plan.methods}),
        steps=plan.steps, seeds=plan.seeds, metric=plan.metric,
    )  # fmt: skip
    (folder / "study.yaml").write_text(text)


def _smalltune(verb: str, folder: Path, *words: str) -> str:
    """Run a verb on the study; return what it printed, as JSON."""
    command = [sys.executable, "-m", "smalltune", verb, str(folder), "--json", *words]
    environment = os.environ | {"SMALLTUNE_STORE": str(folder / "store")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout


def _costs(folder: Path) -> list[dict[str, Any]]:
    """Return what each trial cost, and what had been forecast of it."""
    import smalltune

    names = ("seconds", "cpu_seconds", "peak_memory_bytes", "stored_bytes")
    told = ("forecast_seconds", "forecast_peak_memory_bytes", "forecast_stored_bytes")
    study = smalltune.load(folder, store=folder / "store")
    costs = study.results().costs
    return [{name: getattr(c, name) for name in ("trial", *names, *told)} for c in costs]

"""Trials: what planning, store and scheduling cost per trial, as `benchmarks/scaling.py` finds."""

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["Plan", "run_pair"]

SCRIPT = Path(__file__).parents[1] / "scaling.py"


@dataclass(frozen=True)
class Plan:
    """Studies of so many trials each."""

    trials: tuple[int, ...] = (10, 100, 1000)


def run_pair(plan: Plan, data: Path, checkpoints: Path, device: str) -> dict[str, Any]:
    """Run the script and return what it measured."""
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder) / "trials.json"
        counts = map(str, plan.trials)
        subprocess.run(
            [sys.executable, str(SCRIPT), "--json", str(into), "--trials", *counts], check=True
        )
        found: dict[str, Any] = json.loads(into.read_text())
    return {"plan": asdict(plan), "trials": found}

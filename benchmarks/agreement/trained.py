"""Trained: the embedded base after a short training on SST-2, as a folder that both sides read.

A base that answers nearly always alike agrees easily. This one has learned one of the sets; it is
trained and exported by smalltune, so that what `smalltune export` writes is compared as well.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

__all__ = ["NAME", "TRAINING", "train_base"]

NAME = "micro-llama-sst2"
TRAINING: Mapping[str, Any] = {
    "steps": 200,
    "batch_size": 16,
    "schedule": "linear",
    "warmup": 0.1,
    "learning_rate": 1.0e-3,
}


def train_base(folder: Path, train: Path, files: Mapping[str, Path], threads: int) -> Path:
    """Train on the rows of `train`, write the whole model to `folder`/NAME, return that.

    `files` are the drawn dev and test rows of SST-2: what is judged there leaves train. Raises
    RuntimeError when a job failed.
    """
    import smalltune

    rate = TRAINING["learning_rate"]
    study = {
        "name": "trained",
        "title": "A base that has learned a task",
        "questions": ["What does it answer?"],
        "models": {"micro-llama": {}},
        "tasks": {
            "sst2": {
                "files": {"train": str(train), "dev": str(files["dev"]), "test": str(files["test"])}
            }
        },
        "methods": {"full": {"learning_rate": rate}},
        "training": {name: TRAINING[name] for name in TRAINING if name != "learning_rate"},
        "seeds": 1,
        "evaluations": ["test"],
        "keep_weights": True,
        "dtype": "float32",
    }
    home = folder / "trained"
    home.mkdir(parents=True)
    (home / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    found = smalltune.load(home, store=home / "store")
    report = found.run(workers=1, threads=threads)
    trials = list(found.trials())
    if not all(trial.done for trial in trials):
        raise RuntimeError(f"the base was not trained: {report}")
    return Path(found.export(trials[0].id, folder / NAME))

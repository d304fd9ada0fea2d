"""Ours: a study of smalltune, run from its file; its answers are read from its store."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from agreement.answers import Answers, Asked
from agreement.sets import Set

__all__ = ["answers", "run_study", "study_file", "template"]

BORDER = -1
"""Stands before each choice in a stored item of multiple choice."""


def study_file(
    source: str, sets: Sequence[Set], files: Mapping[str, Mapping[str, Path]], length: int
) -> str:
    """Return study.yaml: a base, as it is, on every entry of every set."""
    tasks = {
        f"{each.name}-{metric}": {
            **entry,
            "files": {role: str(path) for role, path in files[each.data].items()},
        }
        for each in sets
        for metric, entry in each.entries.items()
    }
    study = {
        "name": "agreement",
        "title": "Agreement with another harness",
        "questions": ["Are the scores the same?"],
        "models": {"base": {"source": source}},
        "tasks": tasks,
        "methods": {"zero_shot": {}},
        "seeds": 1,
        "metrics": ["accuracy"],
        "primary": "accuracy",
        "max_length": length,
        "dtype": "float32",
    }
    return yaml.safe_dump(study, sort_keys=False)


def template(each: Set) -> str:
    """Return smalltune's prompt of a set, with its columns in braces."""
    from smalltune.core.plugins import load

    options = {name: value for name, value in each.task.items() if name != "kind"}
    for name in ("text", "uncut"):
        if isinstance(options.get(name), list):
            options[name] = tuple(options[name])
    return str(load("smalltune.tasks", each.task["kind"])(**options).template)


def run_study(folder: Path, text: str, threads: int) -> Any:
    """Write a study and run it on a store of its own; return it.

    Raises RuntimeError when a job failed.
    """
    import smalltune

    folder.mkdir(parents=True)
    (folder / "study.yaml").write_text(text)
    study = smalltune.load(folder, store=folder / "store")
    report = study.run(workers=1, threads=threads)
    if not all(trial.done for trial in study.trials()):
        raise RuntimeError(f"the study did not finish: {report}")
    return study


def answers(study: Any, each: Set, model: Any) -> Answers:
    """Return what the store holds of a set.

    Of texts to choose among it keeps the log-likelihoods, of label words what they are over the
    labels only: their log-likelihoods are asked of the engine anew, on the stored tokens.
    """
    trials = {metric: study.trial(task=f"{each.name}-{metric}") for metric in each.metrics}
    said = {metric: trial.predictions("test") for metric, trial in trials.items()}
    right = {metric: _right(study, trial) for metric, trial in trials.items()}
    asked, names, cut = _asked(study, trials["acc"])
    rows = said["acc"]
    kept = "sums" in rows[0]
    return Answers(
        asked=asked,
        sums=np.array([row["sums"] for row in rows]) if kept else _sums(model, asked),
        log_probs=np.array([row["log_probs"] for row in rows]),
        predicted={
            metric: np.array([names.index(row["predicted"]) for row in lines])
            for metric, lines in said.items()
        },
        right=right,
        cut=cut,
    )


def _right(study: Any, trial: Any) -> Any:
    """Return whether the stored score counts each item as right."""
    key = trial.trial.evaluations["test"].key
    lines = study.store.read_lines(key, "scores.jsonl")
    return np.array([line["stats"]["accuracy"][0] == 1 for line in lines])


def _asked(study: Any, trial: Any) -> tuple[list[list[Asked]], list[str], int]:
    """Return the stored tokens of prompts and choices, the choices' names, and the items cut."""
    from smalltune.engine.segments import Segments

    key = trial.trial.job("tokens").key
    labels = study.store.read_json(key, "labels.json")
    segments = Segments.load(study.store.path(key) / "test.safetensors")
    words = [tuple(tokens) for tokens in labels["tokens"]]
    found = []
    for i, begin in enumerate(segments.answers.tolist()):
        ids = segments[i].tolist()
        choices = words or [tuple(part) for part in _parts(ids[begin:])]
        found.append([(tuple(ids[:begin]), choice) for choice in choices])
    facts = study.store.read_json(key, "facts.json")
    return found, labels["names"], facts["splits"]["test"]["truncated"]


def _parts(ids: list[int]) -> list[list[int]]:
    """Return the tokens after each BORDER."""
    parts: list[list[int]] = []
    for token in ids:
        if token == BORDER:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _sums(model: Any, asked: Sequence[Sequence[Asked]]) -> Any:
    from smalltune.engine.scoring import ending_log_probs
    from smalltune.engine.segments import Segments

    prompts = [choices[0][0] for choices in asked]
    segments = Segments.of(prompts, [len(prompt) for prompt in prompts], [0] * len(prompts))
    endings = [[ending for _, ending in choices] for choices in asked]
    return np.stack(ending_log_probs(model, segments, endings))

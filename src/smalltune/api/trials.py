"""One trial of a study as a user holds it: its data, predictions and scores."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from smalltune.core.errors import StudyError
from smalltune.core.job import Job, Trial
from smalltune.core.plugins import nearest
from smalltune.core.store import Store

__all__ = ["StudyTrial", "find_trial"]


class StudyTrial:
    """A trial and the store with its answers; what is not stored yet is a StoreError."""

    def __init__(self, trial: Trial, store: Store):
        """Bind a trial to its answers."""
        self.trial, self.store = trial, store

    @property
    def id(self) -> str:
        """The trial's name, such as `micro-llama/lora/reviews/3`."""
        return self.trial.id

    @property
    def done(self) -> bool:
        """Tell whether all its scores are stored."""
        return all(self.store.known(job.key) for job in self.trial.goals)

    def data(self, split: str = "test") -> list[dict[str, Any]]:
        """Return the rows of a split: `id`, `fields`, `label`."""
        return self.store.read_lines(self._job("prepare").key, f"{split}.jsonl")

    def scores(self, split: str = "test") -> dict[str, float]:
        """Return the value of each metric on a split, or on `also TASK`, a task asked too."""
        values: dict[str, float] = self.store.read_json(self._score(split).key, "facts.json")[
            "values"
        ]
        return values

    def predictions(self, split: str = "test") -> list[dict[str, Any]]:
        """Return what the trial answered: `id`, `log_probs`, `predicted`."""
        key = self._score(split).inputs["predictions"].key
        return self.store.read_lines(key, "predictions.jsonl")

    def training_log(self) -> list[dict[str, Any]]:
        """Return `step`, `loss`, `learning_rate` of each step; nothing where nothing is trained."""
        train = self.trial.job("train")
        return self.store.read_lines(train.key, "log.jsonl") if train else []

    def weights(self) -> Path:
        """Return the folder of the trained weights."""
        self.need_weights()
        return self.store.path(self._job("train").key) / "weights"

    def need_weights(self) -> None:
        """Raise StudyError unless the trial has trained weights and they are stored."""
        train = self.trial.job("train")
        if train is None:
            raise StudyError(f"{self.id} trains no weights, so there is no model to give out")
        if not self.store.has(train.key):
            why = "were dropped after use" if self.store.known(train.key) else "are not trained yet"
            raise StudyError(
                f"the weights of {self.id} {why}: set `keep_weights: true` in the study file and "
                "run again"
            )

    def _score(self, split: str) -> Job:
        known = {**self.trial.evaluations}
        known |= {f"also {task}": score for task, score in self.trial.also.items()}
        if split not in known:
            raise StudyError(f"{self.id} is not scored on {split!r}. {nearest(split, list(known))}")
        return known[split]

    def _job(self, stage: str) -> Job:
        job = self.trial.job(stage)
        if job is None:
            raise StudyError(f"{self.id} has no stage {stage!r}")
        return job


def find_trial(
    trials: Sequence[StudyTrial], id: str | None, **coordinates: str | int | None
) -> StudyTrial:
    """Return the one trial that is meant; raises StudyError when there is none or several."""
    if id is not None:
        found = [trial for trial in trials if trial.id == id]
        if not found:
            raise StudyError(f"no trial {id!r}. {nearest(id, [trial.id for trial in trials])}")
        return found[0]
    wanted = {name: value for name, value in coordinates.items() if value is not None}
    found = [t for t in trials if all(getattr(t.trial, n) == v for n, v in wanted.items())]
    said = ", ".join(f"{name}={value!r}" for name, value in wanted.items()) or "no coordinates"
    if not found:
        raise StudyError(f"no trial with {said}")
    if len(found) > 1:
        ids = ", ".join(trial.id for trial in found[:3])
        raise StudyError(f"{said} means {len(found)} trials ({ids}, ...): say more")
    return found[0]

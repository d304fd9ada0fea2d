"""Planned: the trials that a study's plan record names, and which of them the store has."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from smalltune.analysis.records import Gap, TrialRecord
from smalltune.core.errors import DataError
from smalltune.core.plugins import nearest
from smalltune.core.store import Store

__all__ = ["Planned"]


class Planned:
    """The trials of a plan record, and what is missing of them.

    Raises DataError where a name is unknown.
    """

    def __init__(self, store: Store, record: Mapping[str, Any]):
        """Take the store and the plan record: `study`, `trials`, `tuning` and `analysis` if any.

        `record["analysis"]` holds what the study declares about its analysis: `primary`, `metrics`,
        `contrasts`, `alpha`, `sesoi`, and `base`, the method that asks the base as it is; each may
        be left out.
        """
        self.store, self.study = store, str(record["study"])
        self.declared: Mapping[str, Any] = record.get("analysis") or {}
        self.trials = tuple(_trial(row) for row in record["trials"])
        self.searches: tuple[Mapping[str, Any], ...] = tuple(record.get("tuning") or ())

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods in the order of the study."""
        return tuple(dict.fromkeys(trial.method for trial in self.trials))

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks in the order of the study."""
        return tuple(dict.fromkeys(trial.task for trial in self.trials))

    @property
    def models(self) -> tuple[str, ...]:
        """The models in the order of the study, without "-"."""
        return tuple(dict.fromkeys(t.model for t in self.trials if t.model != "-"))

    @property
    def cells(self) -> tuple[tuple[str, str, str], ...]:
        """Each (model, method, task) once; the model is "-" where the method uses none."""
        return tuple(dict.fromkeys((t.model, t.method, t.task) for t in self.trials))

    @property
    def elsewhere(self) -> tuple[tuple[str, str, str, str], ...]:
        """Each (model, method, task, other task) of which the other was asked too, once."""
        return tuple(
            dict.fromkeys((t.model, t.method, t.task, o) for t in self.trials for o in t.also)
        )

    @property
    def read(self) -> tuple[str, ...]:
        """The tasks whose rows some trial reads: to be asked them, or to learn."""
        others = (task for trial in self.trials for task in trial.reads)
        return tuple(dict.fromkeys((*self.tasks, *others)))

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that any trial is evaluated on."""
        return tuple(dict.fromkeys(split for trial in self.trials for split in trial.score))

    @cached_property
    def missing(self) -> tuple[Gap, ...]:
        """Every planned score that the store does not have."""
        return tuple(
            Gap(trial.id, split, key, self._reason(trial, predict, key))
            for trial in self.trials
            for split, predict, key in _scores(trial)
            if not self.store.known(key)
        )

    @property
    def complete(self) -> bool:
        """Tell whether every planned score is stored."""
        return not self.missing

    def stored(self) -> Iterator[tuple[TrialRecord, str]]:
        """Yield each trial and split whose score is stored, in the order of the plan."""
        for trial in self.trials:
            for split, key in trial.score.items():
                if self.store.known(key):
                    yield trial, split

    def trial(self, id: str) -> TrialRecord:
        """Return the trial called `id`, such as `micro-llama/lora/reviews/3`."""
        known = {trial.id: trial for trial in self.trials}
        if id not in known:
            raise DataError(f"study {self.study!r} has no trial {id!r}. {nearest(id, list(known))}")
        return known[id]

    # Inside

    def _trials(self, model: str, method: str, task: str) -> list[TrialRecord]:
        found = [
            t
            for t in self.trials
            if (t.method, t.task) == (method, task) and t.model in (model, "-")
        ]
        if not found:
            wanted, there = f"{model}/{method}/{task}", ["/".join(cell) for cell in self.cells]
            raise DataError(
                f"study {self.study!r} has no trials {wanted}. {nearest(wanted, there)}"
            )
        return found

    def _reason(self, trial: TrialRecord, predict: str | None, score: str) -> str:
        data = [keys[0] for keys in trial.reads.values()]
        keys: Sequence[str | None] = (*data, *trial.built, trial.train, predict, score)
        failures = (self.store.failure(key) for key in keys if key)
        return next((f"failed: {failure['reason']}" for failure in failures if failure), "not run")


def _scores(trial: TrialRecord) -> Iterator[tuple[str, str | None, str]]:
    """Yield the name of each evaluation with the keys of its predictions and its score."""
    for split, key in trial.score.items():
        yield split, trial.predict.get(split), key
    for task, one in trial.also.items():
        yield f"also {task}", one["predict"], one["score"]


def _trial(row: Mapping[str, Any]) -> TrialRecord:
    known = {name: row[name] for name in TrialRecord.__dataclass_fields__ if name in row}
    return TrialRecord(**known)

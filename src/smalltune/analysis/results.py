"""Results: everything of a study that is stored, from its plan record and the artifacts only.

Nothing here runs, trains or guesses. What a plan names and the store does not have is a gap, and a
gap is carried along by name until it is printed: a mean over five of six seeds must say so.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np

from smalltune.analysis.alike import check_metric, same_items
from smalltune.analysis.costs import Cost, Spent, cost, mixtures, spent
from smalltune.analysis.fewer import Fewer, fewer
from smalltune.analysis.foretold import forecast_before
from smalltune.analysis.learning import Learned, learned
from smalltune.analysis.planned import Planned
from smalltune.analysis.records import Prediction, Sample, Scored, TokenFacts, TrialRecord
from smalltune.analysis.tuning import Budget, Tuned, budgets, tuned
from smalltune.core.errors import DataError
from smalltune.core.plugins import load, nearest
from smalltune.core.store import Store
from smalltune.metrics import Metric

__all__ = ["Results", "read"]


def read(store: Store, record: Mapping[str, Any]) -> "Results":
    """Return the results of the study whose plan record this is; see `Store.read_plan`."""
    return Results(store, record)


class Results(Planned):
    """The stored answers of a study, read when asked for and kept.

    Raises StoreError where an artifact is damaged, and DataError where a name is unknown or where
    two methods were scored on different items.
    """

    def __init__(self, store: Store, record: Mapping[str, Any]):
        """Take the store and the plan record; see `Planned`."""
        super().__init__(store, record)
        self._scored: dict[str, Scored] = {}
        self._texts: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}

    # Scores

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of the study: those declared, else all that the stored scores hold."""
        if self.declared.get("metrics"):
            return tuple(self.declared["metrics"])
        found = (
            name for trial, split in self._firsts() for name in self.scored(trial, split).stats
        )
        return tuple(dict.fromkeys(found))

    def measured(self, task: str) -> tuple[str, ...]:
        """Return the study's metrics that the scores of a task hold; () when none is stored."""
        own = (self.scored(trial, split) for trial, split in self._firsts() if trial.task == task)
        others = (t.also[task]["score"] for t in self.trials if task in t.also)
        also = (self.read_score(key) for key in others if self.store.known(key))
        first = next(chain(own, also), None)
        return tuple(m for m in self.metrics if m in first.stats) if first else ()

    @property
    def primary(self) -> str:
        """The metric that the study's question is about: the one declared, else the first."""
        if self.declared.get("primary"):
            return str(self.declared["primary"])
        if not self.metrics:
            raise DataError(f"study {self.study!r} has no stored score yet: run it first")
        return self.metrics[0]

    def primary_of(self, task: str) -> str:
        """Return the metric that a task is judged by: the study's, where the task is scored by it.

        Else it is the first of the task's metrics that says which of two values is better, and the
        study's again while nothing of the task is stored.
        """
        own = self.measured(task)
        if not own or self.primary in own:
            return self.primary
        directed = [m for m in own if load("smalltune.metrics", m).better != "neither"]
        return (directed or list(own))[0]

    def scored(self, trial: TrialRecord, split: str) -> Scored:
        """Return the stored score of a trial on a split."""
        return self.read_score(trial.score[split])

    def read_score(self, key: str) -> Scored:
        """Return the stored score of a key."""
        if key not in self._scored:
            self._scored[key] = Scored.read(self.store, key)
        return self._scored[key]

    def sample(self, model: str, method: str, task: str, split: str, metric: str) -> Sample:
        """Return all seeds of a method on a task; a method without a model is found under any.

        Raises DataError when the study has no such trials, when a score lacks the metric or was
        made by another version of it, or when trials of the task were scored on different items.
        """
        kind: type[Metric] = load("smalltune.metrics", metric)
        trials = self._trials(model, method, task)
        here = [t for t in trials if split in t.score and self.store.known(t.score[split])]
        parts = [self._checked(trial, split, metric, kind) for trial in here]
        return Sample(
            model=trials[0].model,
            method=method,
            task=task,
            split=split,
            metric=kind,
            stats=np.stack([p.stats[metric] for p in parts]) if parts else np.empty((0, 0, 0)),
            seeds=tuple(trial.seed for trial in here),
            items=parts[0].ids if parts else (),
            keys=tuple(part.key for part in parts),
            gaps=tuple(trial.id for trial in trials if trial not in here),
            groups=self.groups(task, split, parts[0].ids) if parts else (),
        )

    def groups(self, task: str, split: str, items: Sequence[str]) -> tuple[str, ...]:
        """Return what each item belongs to, in their order; () where each stands by itself.

        An item without a group is a group of its own. Raises DataError where the prepared rows lack
        an item.
        """
        known = any(trial.reads.get(task, (None, None))[0] for trial in self.trials)
        if not (known and self.data_facts(task)["splits"].get(split, {}).get("groups")):
            return ()
        rows = self._texts_of(self._data(task), split)
        if lost := [item for item in items if item not in rows]:
            raise DataError(f"{task}: the {split} data has no item {lost[0]!r}: run again")
        named = tuple(rows[item].get("group") or f"\0{item}" for item in items)
        return named if len(set(named)) < len(named) else ()

    # Beside the scores

    @cached_property
    def costs(self) -> tuple[Cost, ...]:
        """What each trial cost, as far as it is stored, in the order of the plan."""
        told = self.store.forecasts(self.study) or {}
        return tuple(cost(self.store, trial, forecast_before(told, trial)) for trial in self.trials)

    @cached_property
    def spent(self) -> Spent:
        """What all that is stored of the trials cost, each job once."""
        return spent(self.store, self.trials)

    @cached_property
    def mixed(self) -> tuple[str, ...]:
        """One line for each of device, precision and library versions that is not the same."""
        return mixtures(self.store, self.trials)

    @cached_property
    def tuning(self) -> tuple[Tuned, ...]:
        """The searches for hyperparameters, with what is stored of them; () where none was."""
        return tuned(self.store, self.searches)

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """What tuning took of each method: runs, steps, tokens, seconds."""
        return budgets(self.tuning)

    @cached_property
    def learning(self) -> tuple[Learned, ...]:
        """Each trained trial's loss on dev beside the base's, and whether it has learned."""
        return learned(self.store, self.trials)

    def fewer(self, split: str) -> tuple[Fewer, ...]:
        """Return where answers to a split were given with fewer solved items than asked for."""
        return fewer(self.store, self.trials, split)

    def predictions(self, id: str, split: str) -> tuple[Prediction, ...]:
        """Return a trial's predictions joined with the rows of the data, in the task's order."""
        trial = self.trial(id)
        key = trial.predict[split]
        texts = self._rows(trial, split)
        names = self.store.read_json(key, "labels.json")["names"]
        joined = []
        for said in self.store.read_lines(key, "predictions.jsonl"):
            row = texts.get(said["id"])
            if row is None:
                raise DataError(f"{id}: the {split} data has no item {said['id']!r}: run again")
            joined.append(Prediction.of(said, row, names))
        return tuple(joined)

    def data_facts(self, task: str) -> dict[str, Any]:
        """Return what the preparation of a task counted: rows, labels, lengths, what it dropped."""
        facts: dict[str, Any] = self.store.read_json(self._data(task), "facts.json")
        return facts

    def token_facts(self, task: str, model: str) -> TokenFacts | None:
        """Return what was counted when a model's tokeniser read a task; None when nothing was."""
        for trial in self.trials:
            key = trial.reads.get(task, (None, None))[1]
            if key and trial.model == model and self.store.known(key):
                spec = self.store.manifest(key)["spec"]
                splits = self.store.read_json(key, "facts.json")["splits"]
                return TokenFacts(key, splits, spec.get("max_length"))
        return None

    def settings(self, trial: TrialRecord) -> dict[str, Any]:
        """Return the hyperparameters that a stored trial was run with; {} when it is not stored."""
        keys = [trial.train] if trial.train else list(trial.predict.values())
        known = [key for key in keys if self.store.known(key)]
        spec: dict[str, Any] = self.store.manifest(known[0])["spec"] if known else {}
        return {**spec.get("training", {}), **(spec.get("method") or {}).get("options", {})}

    def training_log(self, id: str) -> list[dict[str, Any]]:
        """Return a trial's rows of `step`, `loss`, `learning_rate`; [] when nothing was trained."""
        key = self.trial(id).train
        return self.store.read_lines(key, "log.jsonl") if key and self.store.known(key) else []

    # Inside

    def _firsts(self) -> Iterator[tuple[TrialRecord, str]]:
        first = {trial.task: (trial, split) for trial, split in reversed(list(self.stored()))}
        yield from (first[task] for task in self.tasks if task in first)

    def _checked(self, trial: TrialRecord, split: str, metric: str, kind: type[Metric]) -> Scored:
        scored = self.scored(trial, split)
        check_metric(trial.id, split, scored, metric, kind)
        first = next(t for t, s in self.stored() if s == split and t.task == trial.task)
        same_items(first.id, self.scored(first, split), trial.id, scored, split)
        return scored

    def _data(self, task: str) -> str:
        keys = (trial.reads.get(task, (None, None))[0] for trial in self.trials)
        found = next((key for key in keys if key), None)
        if found is None:
            raise DataError(
                f"study {self.study!r} has no task {task!r}. {nearest(task, list(self.read))}"
            )
        return found

    def _rows(self, trial: TrialRecord, split: str) -> dict[str, dict[str, Any]]:
        return self._texts_of(trial.data or self._data(trial.task), split)

    def _texts_of(self, key: str, split: str) -> dict[str, dict[str, Any]]:
        if (key, split) not in self._texts:
            rows = self.store.read_lines(key, f"{split}.jsonl")
            self._texts[key, split] = {row["id"]: row for row in rows}
        return self._texts[key, split]

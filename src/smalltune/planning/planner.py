"""The planner: a study, its lock and the tuning answers known so far become trials and jobs.

A pure function: no file is read, nothing is run, and the same arguments give the same plan. A
study with tuning is planned to a fixed point. The first pass holds the tuning runs and one
`select` job for each; once the answers are known, the next pass writes the winning *values* into
the final specs, so a final job depends on its hyperparameters and not on how they were found.

What a method declares decides, never its name: `uses_model` gives it the model axis, `trains` or
drawn rows give it the seed axis.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from itertools import product
from typing import Any, NamedTuple

from smalltune.core.job import Job, Plan, Search, Trial
from smalltune.core.plugins import load
from smalltune.engine import VERSION as ENGINE
from smalltune.planning.lock import Lock
from smalltune.planning.pairs import asked_by, meets
from smalltune.planning.searching import beyond, edge
from smalltune.planning.spec import MethodSpec, ModelSpec, StudySpec, TaskSpec

__all__ = ["Builder", "Cell", "Known", "cells", "job_of", "plan"]

ANSWER = 16
"""Tokens that are left for a label's word behind demonstrations."""

Known = Callable[[str], Mapping[str, Any] | None]
"""Returns a finished select job's choice (`options`, `index`, `value`, ...) by key, or None."""


class Cell(NamedTuple):
    """A trial's coordinates; the model is None where the method asks none."""

    model: ModelSpec | None
    method: MethodSpec
    task: TaskSpec
    seed: int | None

    @property
    def id(self) -> str:
        """The trial's id, with "-" for an axis that the method does not use."""
        model = self.model.name if self.model else "-"
        seed = "-" if self.seed is None else str(self.seed)
        return f"{model}/{self.method.name}/{self.task.name}/{seed}"


def cells(study: StudySpec) -> Iterator[Cell]:
    """Yield the coordinates of every trial of a study, tuned or not."""
    for task, method in product(study.tasks, study.methods):
        if not meets(method, task):
            continue
        models = asked_by(method, study.models) if method.kind.uses_model else (None,)
        seeds = study.seeds if _draws(method, task) else (None,)
        for model, seed in product(models, seeds):
            yield Cell(model, method, task, seed)


def plan(study: StudySpec, lock: Lock, known: Known = lambda key: None) -> Plan:
    """Return the trials whose hyperparameters are known, and the searches of all tuning."""
    builder = Builder(study, lock)
    trials: list[Trial] = []
    found: dict[str, tuple[Search, Mapping[str, Any] | None]] = {}
    for cell in cells(study):
        chosen: Mapping[str, Any] | None = {}
        if cell.method.candidates:
            where = cell.id.rpartition("/")[0]
            if where not in found:
                found[where] = builder.tuned(cell, known)
            chosen = found[where][1]
        if chosen is not None:
            trials.append(builder.trial(cell, chosen))
    return Plan(study.name, tuple(trials), tuple(search for search, _ in found.values()))


def _draws(method: MethodSpec, task: TaskSpec) -> bool:
    """Tell whether a trial's seed can change its answer."""
    kind = method.kind
    draws = getattr(kind, "draws", kind.trains)
    return bool(draws or (kind.uses_rows and task.limit is not None))


class Builder:
    """Builds the jobs of one plan; what two trials share is built once."""

    def __init__(self, study: StudySpec, lock: Lock):
        """Take the study and what its names mean."""
        self.study, self.lock = study, lock
        self.prepare = cache(self._prepare)
        self.tokens = cache(self._tokens)
        self.names = {task.name: task for task in study.tasks}
        self.bases = {model.name: model for model in study.models}

    def trial(self, cell: Cell, chosen: Mapping[str, Any]) -> Trial:
        """Return a trial with a score job for each evaluation."""
        metrics = self.study.metrics_of(cell.task)
        scores = {
            split: self._score(cell, chosen, split, metrics, cell.id)
            for split in self.study.evaluations
        }
        model = cell.model.name if cell.model else "-"
        loss = self._loss(cell, chosen) if self.study.dev_loss else None
        return Trial(model, cell.method.name, cell.task.name, cell.seed, scores, loss)

    def tuned(self, trial: Cell, known: Known) -> tuple[Search, Mapping[str, Any] | None]:
        """Return the search with the last `select` job that there is to ask, and what it chose.

        Where a choice lies at the edge of what was tried, another job follows that has one
        candidate more, beyond that edge, at most `extend` times. None: nothing is chosen yet.
        """
        drawn = _draws(trial.method, trial.task)
        cell = trial._replace(seed=self.study.tuning_seed if drawn else None)
        candidates = list(cell.method.candidates)
        budget, extend = len(candidates), self.study.extend
        for left in range(extend, -1, -1):
            select = self.select(cell, candidates)
            answer = known(select.key)
            more = beyond(candidates, answer["index"]) if answer and left else None
            if more is None:
                break
            candidates.append(more)
        option, at = edge(candidates, answer["index"]) if answer else ("", "")
        model, method, task, _ = cell.id.split("/")
        search = Search(model, method, task, cell.seed, select, budget, extend, option, at)
        return search, answer and answer["options"]

    def select(self, cell: Cell, candidates: Sequence[Mapping[str, Any]]) -> Job:
        """Return the job that names the best of the tuning runs on dev."""
        metric = self.study.selects_by(cell.task)
        where = cell.id.rpartition("/")[0]
        scores = {
            str(n): self._score(cell, chosen, "dev", (metric,), f"{where} tuning {n + 1}")
            for n, chosen in enumerate(candidates)
        }
        better = load("smalltune.metrics", metric).better
        spec = {"metric": metric, "better": better, "candidates": list(candidates)}
        return job_of("select", spec, scores, label=f"select {where}")

    def _prepare(self, task_name: str) -> Job:
        task = self.names[task_name]
        files = self.lock.tasks[task_name].files
        spec = {
            "task": _task(task, task.task.data_options()),
            "files": {role: [file.sha256 for file in each] for role, each in files.items()},
        }
        sources = {
            f"{role}/{n}": self.study.place_of(file.path)
            for role, each in files.items()
            for n, file in enumerate(each)
        }
        return job_of("prepare", spec, {}, sources, f"prepare {task_name}")

    def _tokens(self, model_name: str, task_name: str) -> Job:
        task, locked = self.names[task_name], self.lock.models[model_name]
        spec = {
            "task": _task(task, task.task.prompt_options()),
            "chat": self.bases[model_name].chat,
            "tokeniser": locked.tokeniser,
            "max_length": self._length(locked),
        }
        inputs, sources = {"data": self.prepare(task_name)}, self._source(model_name)
        return job_of("tokens", spec, inputs, sources, f"tokens {model_name}/{task_name}")

    def _score(
        self,
        cell: Cell,
        chosen: Mapping[str, Any],
        split: str,
        metrics: tuple[str, ...],
        label: str,
    ) -> Job:
        versions = {name: load("smalltune.metrics", name).version for name in metrics}
        inputs = {
            "data": self.prepare(cell.task.name),
            "predictions": self._predictions(cell, chosen, split, label),
        }
        if any(load("smalltune.metrics", name).fitted for name in metrics):
            inputs["dev"] = self._predictions(cell, chosen, "dev", label)
        spec = {"split": split, "metrics": versions}
        return job_of("score", spec, inputs, label=f"score {label} {split}")

    def _loss(self, cell: Cell, chosen: Mapping[str, Any]) -> Job | None:
        """Return the job that asks for the likelihood of dev's references.

        None where another answers that already, or where rows would have to be shown before it.
        """
        kind, writes = cell.method.kind, "beams" in cell.task.task.decoding_options()
        if cell.model is None or not writes or (kind.uses_rows and not kind.trains):
            return None
        return self._predictions(cell, chosen, "dev", cell.id, likelihood=True)

    def _predictions(
        self,
        cell: Cell,
        chosen: Mapping[str, Any],
        split: str,
        label: str,
        *,
        likelihood: bool = False,
    ) -> Job:
        method, training = cell.method.settled(chosen)
        data = self.prepare(cell.task.name)
        how = {"name": cell.method.method, "version": method.version, "options": method.options()}
        drawn: dict[str, Any] = {"limit": cell.task.limit, "seed": cell.seed}
        if cell.model is None:
            labels = list(getattr(cell.task.task, "labels", {}).values())
            spec = {"method": how, "labels": labels, "split": split, **drawn}
            return job_of("classify", spec, {"data": data}, label=f"classify {label} {split}")
        asked: dict[str, Any] = {
            "model": self.lock.models[cell.model.name].digest,
            "method": how,
            "task": cell.task.kind,
            "dtype": self.lock.dtype,
            "engine": ENGINE,
        }
        if self.study.base_dtype != "float32":  # so that other studies keep their keys
            asked["base_dtype"] = self.study.base_dtype
        inputs = {"tokens": self.tokens(cell.model.name, cell.task.name)}
        sources = self._source(cell.model.name)
        if method.trains:
            spec = {**asked, "training": training, **drawn}
            weights = job_of("train", spec, inputs, sources, f"train {label}")
            inputs = {**inputs, "weights": weights}
        spec = {**asked, "split": split, "seed": cell.seed}
        if method.uses_rows and not method.trains:
            spec |= {"limit": cell.task.limit}
        if getattr(method, "shots", 0):
            spec |= {"asked": self._asked(cell)}
        if likelihood:
            spec |= {"ask": "likelihood"}
        elif decoding := cell.task.task.decoding_options():
            tokeniser = self.lock.models[cell.model.name].tokeniser
            spec |= {"decoding": decoding, "tokeniser": tokeniser}
        inputs = {"data": data, **inputs}
        what = "loss" if likelihood else "predict"
        return job_of("predict", spec, inputs, sources, f"{what} {label} {split}")

    def _asked(self, cell: Cell) -> dict[str, Any]:
        """Return how prompts are made, for what stands before them; `room` is for both."""
        assert cell.model is not None
        locked = self.lock.models[cell.model.name]
        longest = cell.task.task.decoding_options().get("longest", ANSWER)
        return {
            "options": {**cell.task.task.data_options(), **cell.task.task.prompt_options()},
            "chat": cell.model.chat,
            "tokeniser": locked.tokeniser,
            "max_length": self._length(locked),
            "room": (locked.context or 2 * self.study.max_length) - longest,
        }

    def _length(self, locked: Any) -> int:
        return min(self.study.max_length, locked.context or self.study.max_length)

    def _source(self, model: str) -> dict[str, str]:
        """Return where a model lies; folders of the study become absolute."""
        ref = self.lock.models[model].ref
        scheme, _, rest = ref.partition(":")
        return {"model": f"{scheme}:{self.study.place_of(rest)}" if _is_folder(scheme) else ref}


def _is_folder(scheme: str) -> bool:
    return scheme in ("path", "config")


def _task(task: TaskSpec, options: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": task.kind, "version": task.task.version, "options": dict(options)}


def job_of(
    stage: str,
    spec: Mapping[str, Any],
    inputs: Mapping[str, Job],
    sources: Mapping[str, str] | None = None,
    label: str = "",
) -> Job:
    """Return the job of a stage, with the version that its file states."""
    return Job(stage, _version(stage), spec, inputs, sources or {}, label)


@cache
def _version(stage: str) -> int:
    """Return the version that the stage's file states."""
    return int(getattr(import_module(f"smalltune.stages.{stage}"), "VERSION", 1))

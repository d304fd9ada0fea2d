"""Jobs: the steps from data files to a score, each as a `Job` with all that may change its answer.

What two trials share is built once.
"""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

from smalltune.core.job import Job
from smalltune.core.plugins import load
from smalltune.engine import VERSION as ENGINE
from smalltune.planning.cells import Cell
from smalltune.planning.lock import Lock
from smalltune.planning.spec import StudySpec, TaskSpec

__all__ = ["Jobs", "job"]

ANSWER = 16
"""Tokens that are left for a label's word behind demonstrations."""


class Jobs:
    """Builds the jobs of one study."""

    def __init__(self, study: StudySpec, lock: Lock):
        """Take what was asked and what its names mean."""
        self.study, self.lock = study, lock
        self.prepare = cache(self._prepare)
        self.tokens = cache(self._tokens)
        self.names = {task.name: task for task in study.tasks}
        self.bases = {model.name: model for model in study.models}

    def _prepare(self, task_name: str) -> Job:
        task = self.names[task_name]
        files = self.lock.tasks[task_name].files
        spec: dict[str, Any] = {
            "task": _task(task, task.task.data_options()),
            "files": {role: [file.sha256 for file in each] for role, each in files.items()},
        }
        if task.held:
            spec["limit"] = dict(task.held)
        sources = {
            f"{role}/{n}": self.study.place_of(file.path)
            for role, each in files.items()
            for n, file in enumerate(each)
        }
        return job("prepare", spec, {}, sources, f"prepare {task_name}")

    def _tokens(self, model_name: str, task_name: str) -> Job:
        task, locked = self.names[task_name], self.lock.models[model_name]
        spec = {
            "task": _task(task, task.task.prompt_options()),
            "chat": self.bases[model_name].chat,
            "tokeniser": locked.tokeniser,
            "max_length": self._length(locked),
        }
        inputs, sources = {"data": self.prepare(task_name)}, self._source(model_name)
        return job("tokens", spec, inputs, sources, f"tokens {model_name}/{task_name}")

    def score(
        self,
        cell: Cell,
        chosen: Mapping[str, Any],
        split: str,
        metrics: tuple[str, ...],
        label: str,
    ) -> Job:
        """Return the job that scores what a cell answers on a split."""
        versions = {name: load("smalltune.metrics", name).version for name in metrics}
        inputs = {
            "data": self.prepare(cell.task.name),
            "predictions": self._predictions(cell, chosen, split, label),
        }
        if any(load("smalltune.metrics", name).fitted for name in metrics):
            inputs["dev"] = self._predictions(cell, chosen, "dev", label)
        spec = {"split": split, "metrics": versions}
        return job("score", spec, inputs, label=f"score {label} {split}")

    def _predictions(self, cell: Cell, chosen: Mapping[str, Any], split: str, label: str) -> Job:
        method, training = cell.method.settled(chosen)
        data = self.prepare(cell.task.name)
        how = {"name": cell.method.method, "version": method.version, "options": method.options()}
        drawn: dict[str, Any] = {"limit": cell.task.limit, "seed": cell.seed}
        if cell.model is None:
            labels = list(getattr(cell.task.task, "labels", {}).values())
            spec = {"method": how, "labels": labels, "split": split, **drawn}
            return job("classify", spec, {"data": data}, label=f"classify {label} {split}")
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
            weights = job("train", spec, inputs, sources, f"train {label}")
            inputs = {**inputs, "weights": weights}
        spec = {**asked, "split": split, "seed": cell.seed}
        if method.uses_rows and not method.trains:
            spec |= {"limit": cell.task.limit}
        if getattr(method, "shots", 0):
            spec |= {"asked": self._asked(cell)}
        if decoding := cell.task.task.decoding_options():
            tokeniser = self.lock.models[cell.model.name].tokeniser
            spec |= {"decoding": decoding, "tokeniser": tokeniser}
        inputs = {"data": data, **inputs}
        return job("predict", spec, inputs, sources, f"predict {label} {split}")

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


def job(
    stage: str,
    spec: Mapping[str, Any],
    inputs: Mapping[str, Job],
    sources: Mapping[str, str] | None = None,
    label: str = "",
) -> Job:
    """Return a job of a stage, with the version that its file states."""
    return Job(stage, _version(stage), spec, inputs, sources or {}, label)


@cache
def _version(stage: str) -> int:
    """Return the version that the stage's file states."""
    return int(getattr(import_module(f"smalltune.stages.{stage}"), "VERSION", 1))

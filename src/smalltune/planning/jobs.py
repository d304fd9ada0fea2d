"""Jobs: the steps from data files to a score, each as a `Job` with all that may change its answer.

What two trials share is built once.
"""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

from smalltune.core.job import Job
from smalltune.core.plugins import load
from smalltune.data.limits import VERSION as LIMITS
from smalltune.engine import VERSION as ENGINE
from smalltune.planning.cells import Cell
from smalltune.planning.lock import Lock
from smalltune.planning.spec import StudySpec, TaskSpec

__all__ = ["Jobs", "Learner", "job"]

ANSWER = 16
"""Tokens that are left for a label's word behind demonstrations."""

WRITTEN = frozenset({"beams", "answered"})
"""What says of a task's decoding that a model writes texts."""


class Learner(NamedTuple):
    """Who is asked: a cell with its hyperparameters, and the model that it starts from.

    `start` is a `merge` job, None for the base as it is. `label` is what its jobs are called.
    """

    cell: Cell
    chosen: Mapping[str, Any]
    start: Job | None
    label: str


class Jobs:
    """Builds the jobs of one study."""

    def __init__(self, study: StudySpec, lock: Lock):
        """Take what was asked and what its names mean."""
        self.study, self.lock = study, lock
        self.prepare = cache(self._prepare)
        self.tokens = cache(self._tokens)
        self.names = {task.name: task for task in study.tasks}
        self.bases = {model.name: model for model in study.models}

    def learned(self, cell: Cell) -> TaskSpec:
        """Return the task that a cell is trained on: the one it is asked, or the method's own."""
        return self.names[cell.method.on] if cell.method.on else cell.task

    def score(self, who: Learner, asked: TaskSpec, split: str, metrics: tuple[str, ...]) -> Job:
        """Return the job that scores what a learner answers on a split of a task."""
        versions = {name: load("smalltune.metrics", name).version for name in metrics}
        inputs = {
            "data": self.prepare(asked.name),
            "predictions": self._predictions(who, asked, split),
        }
        if any(load("smalltune.metrics", name).fitted for name in metrics):
            inputs["dev"] = self._predictions(who, asked, "dev")
        spec = {"split": split, "metrics": versions}
        return job("score", spec, inputs, label=f"score {who.label} {split}")

    def merge(self, who: Learner) -> Job:
        """Return the job that makes a model of what was trained, for others to start from."""
        cell = who.cell
        assert cell.model is not None
        method = cell.method.settled(who.chosen)[0]
        spec = {
            "model": self.lock.models[cell.model.name].digest,
            "method": _method(cell, method),
            "seed": cell.seed,
        }
        inputs = {"weights": self._train(who)} | _start(who)
        return job("merge", spec, inputs, self._source(cell.model.name), f"merge {who.label}")

    # Data

    def _prepare(self, task_name: str) -> Job:
        task = self.names[task_name]
        files = self.lock.tasks[task_name].files
        spec: dict[str, Any] = {
            "task": _task(task, task.task.data_options()),
            "files": {role: [file.sha256 for file in each] for role, each in files.items()},
        }
        if task.held:
            spec["limit"] = {**task.held, "version": LIMITS}
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

    # Learning and answering

    def _train(self, who: Learner) -> Job:
        cell, task = who.cell, self.learned(who.cell)
        assert cell.model is not None
        method, training = cell.method.settled(who.chosen)
        drawn = {"limit": task.limit, "seed": cell.seed}
        spec = {**self._asked(cell, method, task), "training": training, **drawn}
        inputs = {"tokens": self.tokens(cell.model.name, task.name)} | _start(who)
        label = who.label if task == cell.task else cell._replace(task=task).id
        return job("train", spec, inputs, self._source(cell.model.name), f"train {label}")

    def loss(self, who: Learner) -> Job | None:
        """Return the job that asks for the likelihood of dev's references.

        None where another answers that already, or where rows would have to be shown before it.
        """
        cell, kind = who.cell, who.cell.method.kind
        writes = "beams" in cell.task.task.decoding_options()
        if cell.model is None or not writes or (kind.uses_rows and not kind.trains):
            return None
        return self._predictions(who, cell.task, "dev", likelihood=True)

    def _predictions(
        self, who: Learner, asked: TaskSpec, split: str, *, likelihood: bool = False
    ) -> Job:
        cell, data = who.cell, self.prepare(asked.name)
        method = cell.method.settled(who.chosen)[0]
        if cell.model is None:
            labels = list(getattr(asked.task, "labels", {}).values())
            drawn = {"limit": asked.limit, "seed": cell.seed}
            spec = {"method": _method(cell, method), "labels": labels, "split": split, **drawn}
            return job("classify", spec, {"data": data}, label=f"classify {who.label} {split}")
        inputs = {"data": data, "tokens": self.tokens(cell.model.name, asked.name)} | _start(who)
        if method.trains:
            inputs["weights"] = self._train(who)
        spec = {**self._asked(cell, method, asked), "split": split, "seed": cell.seed}
        if method.uses_rows and not method.trains:
            spec |= {"limit": asked.limit}
        if getattr(method, "shots", 0):
            spec |= {"asked": self._shown(cell, asked)}
        if likelihood:
            spec |= {"ask": "likelihood"}
        elif decoding := asked.task.decoding_options():
            tokeniser = self.lock.models[cell.model.name].tokeniser
            if cell.model.chat and WRITTEN & decoding.keys():
                decoding["thoughts"] = "left out"  # a plain prompt keeps its key
            spec |= {"decoding": decoding, "tokeniser": tokeniser}
        sources = self._source(cell.model.name)
        what = "loss" if likelihood else "predict"
        return job("predict", spec, inputs, sources, f"{what} {who.label} {split}")

    def _asked(self, cell: Cell, method: Any, task: TaskSpec) -> dict[str, Any]:
        """Return what a training and a prediction have in common."""
        assert cell.model is not None
        common: dict[str, Any] = {
            "model": self.lock.models[cell.model.name].digest,
            "method": _method(cell, method),
            "task": task.kind,
            "dtype": self.lock.dtype,
            "engine": ENGINE,
        }
        if self.study.base_dtype != "float32":  # so that other studies keep their keys
            common["base_dtype"] = self.study.base_dtype
        return common

    def _shown(self, cell: Cell, task: TaskSpec) -> dict[str, Any]:
        """Return how prompts are made, for what stands before them; `room` is for both."""
        assert cell.model is not None
        locked = self.lock.models[cell.model.name]
        longest = task.task.decoding_options().get("longest", ANSWER)
        turns = {"turns": 2} if cell.model.chat else {}  # so that plain prompts keep their keys
        return {
            "options": {**task.task.data_options(), **task.task.prompt_options()},
            "chat": cell.model.chat,
            **turns,
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


def _start(who: Learner) -> dict[str, Job]:
    return {"base": who.start} if who.start else {}


def _method(cell: Cell, method: Any) -> dict[str, Any]:
    name = cell.method.method
    return {"name": name, "version": method.version, "options": method.options()}


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

"""Jobs, trials, searches, plans: one stage with its exact inputs, one cell of a study, the tuning
of one method, and all of them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from smalltune.core.keys import key_of

__all__ = ["HEAVY", "UNPLANNED", "Job", "Plan", "Search", "Trial"]

HEAVY = {"train": "weights", "merge": "model"}
"""The stages that leave large files, and the folder in which these lie."""

UNPLANNED = "-"
"""Stands for the key of a job that is not planned yet."""


@dataclass(frozen=True)
class Job:
    """One stage and everything that may change its answer.

    The key is a Merkle hash: it covers the keys of the inputs, so two jobs have one key exactly
    when they ask the same question. `sources` says where files and models lie (their digests
    stand in `spec`) and `label` names the job for a reader; neither is in the key.
    """

    stage: str
    version: int
    spec: Mapping[str, Any]
    inputs: Mapping[str, "Job"] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    label: str = ""

    @cached_property
    def question(self) -> dict[str, Any]:
        """What the key is the hash of."""
        return {
            "stage": self.stage,
            "version": self.version,
            "spec": dict(self.spec),
            "inputs": {name: job.key for name, job in self.inputs.items()},
        }

    @cached_property
    def key(self) -> str:
        """The name of this job's artifact in the store."""
        return key_of(self.question)

    def walk(self, seen: set[str]) -> Iterator["Job"]:
        """Yield this job and all behind it once, inputs first; `seen` holds the keys passed."""
        if self.key in seen:
            return
        seen.add(self.key)
        for needed in self.inputs.values():
            yield from needed.walk(seen)
        yield self


@dataclass(frozen=True)
class Trial:
    """A model, a method, a task and a seed, with a score job for each split it is evaluated on.

    An axis that the method does not use is "-" (the model) or None (the seed). `loss` asks for the
    likelihood of dev's references, where a study wants it beside what the model writes. `also` has
    a score job for each other task that the same trained thing answers, `on` names the task that it
    was trained on, where that is another one.
    """

    model: str
    method: str
    task: str
    seed: int | None
    evaluations: Mapping[str, Job]
    loss: Job | None = None
    also: Mapping[str, Job] = field(default_factory=dict)
    on: str | None = None

    @property
    def id(self) -> str:
        """The trial's name, for example `micro-llama/lora/sst2/3`."""
        seed = "-" if self.seed is None else str(self.seed)
        return f"{self.model}/{self.method}/{self.task}/{seed}"

    @property
    def goals(self) -> tuple[Job, ...]:
        """The jobs whose answers are wanted of the trial, those on other tasks included."""
        loss = [self.loss] if self.loss else []
        return (*self.evaluations.values(), *loss, *self.also.values())

    def job(self, stage: str) -> Job | None:
        """Return the trial's own job of a stage, such as `train`, not of what it starts from."""
        near = list(self.evaluations.values())
        for job in near:  # grows on the way: the nearest to a score is found first
            if job.stage == stage:
                return job
            near += [needed for name, needed in job.inputs.items() if name != "base"]
        return None

    @property
    def built(self) -> list[Job]:
        """The jobs that made what its own training starts from, the first to run first."""
        own, seen = self.job("train"), set[str]()
        behind = (job for score in self.evaluations.values() for job in score.walk(seen))
        made = (job for job in behind if job.stage in HEAVY)
        return [job for job in made if own is None or job.key != own.key]

    def record(self) -> dict[str, Any]:
        """Return the trial's coordinates and keys as JSON; no code is needed to read it."""
        train, data, tokens = (self.job(stage) for stage in ("train", "prepare", "tokens"))
        more = {
            "built": [job.key for job in self.built],
            "also": {task: _answer(score) for task, score in self.also.items()},
            "learned": _learned(self.on, train) if self.on and train else {},
        }
        return {
            "id": self.id,
            "model": self.model,
            "method": self.method,
            "task": self.task,
            "seed": self.seed,
            "data": data.key if data else None,
            "tokens": tokens.key if tokens else None,
            "train": train.key if train else None,
            "predict": {s: j.inputs["predictions"].key for s, j in self.evaluations.items()},
            "score": {split: job.key for split, job in self.evaluations.items()},
            **({"loss": self.loss.key} if self.loss else {}),
            **{name: value for name, value in more.items() if value},
        }


@dataclass(frozen=True)
class Search:
    """The tuning of one method on one task with one model: its runs, and the job that chooses.

    The inputs of `select` are the runs' scores on dev. The first `trials` runs are those of every
    method's budget, later ones lie beyond an edge of what was tried, and there can be `extend` of
    them. `edge` says at which end of the values of `option` the choice lies: "lowest" or "highest",
    "" where it lies inside or is not known.
    """

    model: str
    method: str
    task: str
    seed: int | None
    select: Job
    trials: int
    extend: int = 0
    option: str = ""
    edge: str = ""

    def record(self) -> dict[str, Any]:
        """Return the search as JSON: what was tried, and the keys of each run."""
        spec, where = self.select.spec, f"{self.model}/{self.method}/{self.task}"
        runs = []
        for place, options in enumerate(spec["candidates"]):
            scores = {"dev": self.select.inputs[str(place)]}
            run = Trial(self.model, self.method, self.task, self.seed, scores).record()
            runs.append({**run, "id": f"{where}/tuning {place + 1}", "options": dict(options)})
        return {
            "model": self.model,
            "method": self.method,
            "task": self.task,
            "metric": spec["metric"],
            "better": spec["better"],
            "select": self.select.key,
            "trials": self.trials,
            "extend": self.extend,
            "option": self.option,
            "edge": self.edge,
            "runs": runs,
        }


def _answer(score: Job) -> dict[str, Any]:
    """Return the split of a score, its key and the keys of what it was made from, as JSON."""
    predict = score.inputs["predictions"]
    return {
        "split": score.spec["split"],
        "data": score.inputs["data"].key,
        "tokens": predict.inputs["tokens"].key,
        "predict": predict.key,
        "score": score.key,
    }


def _learned(task: str, train: Job) -> dict[str, str]:
    """Return the task that a trial was trained on and the keys of its rows and tokens."""
    tokens = train.inputs["tokens"]
    return {"task": task, "data": tokens.inputs["data"].key, "tokens": tokens.key}


@dataclass(frozen=True)
class Plan:
    """All trials of a study whose hyperparameters are known, and the searches that decide them.

    `starts` are models that trials will start from which are not planned yet.
    """

    study: str
    trials: tuple[Trial, ...]
    searches: tuple[Search, ...] = ()
    starts: tuple[Job, ...] = ()

    @property
    def open(self) -> tuple[Job, ...]:
        """The jobs whose answers decide how the plan goes on, each once."""
        return tuple({each.select.key: each.select for each in self.searches}.values())

    def goals(self) -> Iterator[Job]:
        """Yield the jobs whose answers are wanted."""
        yield from self.open
        yield from self.starts
        for trial in self.trials:
            yield from trial.goals

    def readers(self) -> dict[str, list[str]]:
        """Return by the key of each job that leaves a model or weights the jobs that read them.

        What trials will start from that are not planned yet has UNPLANNED among its readers, which
        no store has.
        """
        found: dict[str, list[str]] = {}
        for job in self.jobs():
            for needed in job.inputs.values():
                if needed.stage in HEAVY:
                    found.setdefault(needed.key, []).append(job.key)
        for start in self.starts:
            found.setdefault(start.key, []).append(UNPLANNED)
        return found

    def jobs(self) -> Iterator[Job]:
        """Yield each distinct job once, inputs before the jobs that need them."""
        seen: set[str] = set()
        for goal in self.goals():
            yield from goal.walk(seen)

    def record(self) -> dict[str, Any]:
        """Return the plan as JSON: coordinates and keys of every trial, keys of every job."""
        return {
            "study": self.study,
            "trials": [trial.record() for trial in self.trials],
            "tuning": [search.record() for search in self.searches],
            "keys": sorted(job.key for job in self.jobs()),
            "readers": self.readers(),
        }

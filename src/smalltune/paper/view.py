"""The view: what a paper has to know of a study, as plain values.

The paper does not read study files and does not import the planner; whoever holds a study
(smalltune's API) fills in these dataclasses. All text in them is plain text, never LaTeX.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = [
    "ANSWERS",
    "MODEL_FACTS",
    "ContrastView",
    "MethodView",
    "MetricView",
    "ModelView",
    "PublishedView",
    "StudyView",
    "TaskView",
]


# What a model may tell of itself, in the order of the paper's table.
MODEL_FACTS: Mapping[str, str] = {
    "parameters": "parameters",
    "embedding_parameters": "of these in the embedding",
    "layers": "layers",
    "hidden": "hidden size",
    "heads": "attention heads",
    "context": "context (tokens)",
    "vocabulary": "vocabulary",
    "pretraining_tokens": "tokens of pre-training",
}

ANSWERS = ("labels", "written labels", "choices", "text", "likelihood", "running text")
"""How a model can answer a task."""


@dataclass(frozen=True)
class ModelView:
    """A base model: `source` as the study names it, `digest` or commit as the lock pins it.

    `facts` are its architecture and size, by the names of `MODEL_FACTS`:
    parameters, embedding_parameters, vocabulary, hidden, layers, heads, context, dtype,
    pretraining_tokens. What is unknown is left out and prints as a dash. A `chat` is asked in its
    chat template.
    """

    name: str
    title: str
    source: str
    why: str
    description: str = ""
    digest: str = ""
    licence: str = ""
    link: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    cite: tuple[str, ...] = ()
    chat: bool = False


@dataclass(frozen=True)
class TaskView:
    """A task: where its rows come from, how a model is asked, and what the lock pins.

    `files` maps a role (train, dev, test; `train 2` for the second of several files) to where the
    file lies, `digests` to its SHA-256, `labels` a label's value in the data to the word that the
    model is asked for. `hub` names the data set on the hub and its commit, where it is from there.
    `answers` says how a model answers: it weighs "labels" or the texts of "choices", it writes one
    of the "written labels" or a "text", or it is asked for the likelihood of a right text or of
    "running text" (see ANSWERS). `decoding` says how it writes or compares, `metrics` are those
    that the task is scored by, `selects` the one that decides tuning and `ties` between equals.
    `limit` is how many training rows a seed draws, `held` how many rows dev and test have at most.
    `also` names the tasks that whatever was trained for this one answers too; on a task that is not
    `trained` no weights are trained, and one that no method `met` has no trials of its own.
    Where it `talks`, a chat template writes the turns of its conversations.
    """

    name: str
    title: str
    kind: str
    why: str
    description: str = ""
    prompt: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    hub: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    limit: Mapping[str, int] = field(default_factory=dict)
    held: Mapping[str, int] = field(default_factory=dict)
    language: str = ""
    licence: str = ""
    link: str = ""
    cite: tuple[str, ...] = ()
    answers: str = "labels"
    decoding: Mapping[str, Any] = field(default_factory=dict)
    metrics: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    trained: bool = True
    met: bool = True
    selects: str = ""
    ties: str = ""
    talks: bool = False


@dataclass(frozen=True)
class MethodView:
    """A method as the study uses it: `name` in the study, `method` the plug-in behind it.

    `options` are all its hyperparameters, `training` the shared training settings with the
    method's own values filled in (empty where nothing is trained by gradients); `tuned` are the
    values that were tried, by hyperparameter of either, in `candidates` combinations; a search
    spread them between the ends of `ranges`.
    `keeps_base` is False for a method that takes a model's architecture and draws its weights
    anew. `draws` says that its seed decides something. `on` names the task that it is trained on,
    where that is another than the one it is asked, `after` the method that it starts from.
    `remarks` say what holds on some models alone: the end of a sentence, and their titles.
    """

    name: str
    method: str
    title: str
    why: str
    rationale: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    trains: bool = False
    uses_model: bool = False
    uses_rows: bool = False
    keeps_base: bool = True
    draws: bool = False
    on: str | None = None
    after: str | None = None
    tuned: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    candidates: int = 0
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    remarks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    cite: tuple[str, ...] = ()


@dataclass(frozen=True)
class ContrastView:
    """A difference declared before the runs: `a` minus `b`; None stands for all of them."""

    a: str
    b: str
    metric: str
    task: str | None = None
    model: str | None = None


@dataclass(frozen=True)
class MetricView:
    """A metric: `percent` prints times 100, `better` is "higher", "lower" or "neither"."""

    name: str
    title: str
    percent: bool
    better: str
    version: int = 1


@dataclass(frozen=True)
class PublishedView:
    """A score that somebody else published: a percentage where the metric is printed as one.

    `where` says which rows it was measured on, `note` what else differs from this study.
    """

    task: str
    model: str
    metric: str
    value: float
    where: str
    citation: str
    note: str = ""


@dataclass(frozen=True)
class StudyView:
    """A study as its paper tells it.

    `models` are those that one of its methods asks.

    `folder` is the study's folder and `text` the author's prose in it (None when there is none);
    `files` are the study file and the lock, for the bundle; `lock` holds the lock's digest and
    date, `environment` the packages that it pins; `tuned` says whether hyperparameters were
    searched for (else they were fixed beforehand), `extend` how many runs may go beyond an edge.
    """

    name: str
    title: str
    questions: tuple[str, ...]
    models: tuple[ModelView, ...]
    tasks: tuple[TaskView, ...]
    methods: tuple[MethodView, ...]
    seeds: tuple[int, ...]
    contrasts: tuple[ContrastView, ...]
    metrics: tuple[MetricView, ...]
    primary: str
    published: tuple[PublishedView, ...] = ()
    author: str = "The smalltune contributors"
    training: Mapping[str, Any] = field(default_factory=dict)
    tuned: bool = False
    extend: int = 0
    keywords: tuple[str, ...] = ()
    folder: Path | None = None
    text: Path | None = None
    files: tuple[Path, ...] = ()
    lock: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    version: str = ""

    @property
    def seeded(self) -> tuple[MethodView, ...]:
        """The methods that draw something at random, and so run once with each seed."""
        drawing = (m for m in self.methods if m.trains or m.draws or (m.uses_rows and self.drawn))
        return tuple(drawing)

    @property
    def several_seeds(self) -> bool:
        """Tell whether scores vary over seeds that intervals can cover."""
        return bool(self.seeded) and len(self.seeds) > 1

    @property
    def paired(self) -> bool:
        """Tell whether there are seeds to pair: several, of more than one method."""
        return len(self.seeds) > 1 and len(self.seeded) > 1

    @property
    def drawn(self) -> bool:
        """Tell whether seeds draw training rows, in some task."""
        return any(task.limit for task in self.tasks)

    @property
    def base(self) -> MethodView | None:
        """The method that asks a base as it is; None where the study has none."""
        asking = (m for m in self.methods if m.uses_model and m.after is None)
        return next((m for m in asking if not m.trains and not m.uses_rows), None)

    def metric(self, name: str) -> MetricView:
        """Return a metric by name; raises KeyError for one that the study does not report."""
        return {metric.name: metric for metric in self.metrics}[name]

    def task(self, name: str) -> TaskView:
        """Return a task by its name."""
        return {task.name: task for task in self.tasks}[name]

    def metrics_of(self, task: str) -> tuple[MetricView, ...]:
        """Return the metrics that a task is scored by, its primary one first."""
        own = self.task(task).metrics or tuple(metric.name for metric in self.metrics)
        first = self.primary_of(task)
        return tuple(self.metric(name) for name in dict.fromkeys((first, *own)))

    def primary_of(self, task: str) -> str:
        """Return the metric that a task is judged by; the rule of `Results.primary_of`."""
        own = self.task(task).metrics
        if not own or self.primary in own:
            return self.primary
        directed = [name for name in own if self.metric(name).better != "neither"]
        return (directed or list(own))[0]

    def method(self, name: str) -> MethodView:
        """Return a method by the name that the study gives it."""
        return {method.name: method for method in self.methods}[name]

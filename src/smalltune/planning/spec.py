"""The study file, checked and with every short form spelt out: what was asked, as plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from smalltune.core.errors import StudyError
from smalltune.core.plugins import load
from smalltune.engine.training import Training
from smalltune.planning.published import Published
from smalltune.planning.yaml_lines import Document

__all__ = ["Contrast", "MethodSpec", "ModelSpec", "Said", "StudySpec", "TaskSpec"]


@dataclass(frozen=True)
class Said:
    """What the author says of a model, task or method; none of it is part of a key."""

    title: str
    why: str = ""
    about: str = ""
    licence: str = ""
    link: str = ""
    citation: tuple[str, ...] = ()
    language: str = ""


@dataclass(frozen=True)
class ModelSpec:
    """A base model. `source` is `embedded:NAME`, `hub:ID`, `path:FOLDER` or `config:FOLDER`.

    Folders are as the study file writes them: relative to it.
    """

    name: str
    source: str
    revision: str | None
    chat: bool
    said: Said


@dataclass(frozen=True)
class TaskSpec:
    """A task: the plug-in `kind` with its options, where its data are, a limit on rows.

    `files` are the data files by role, as the study writes them, those found in a folder `source`
    included. With a `source` on the hub, `splits` says which of its splits the other roles are;
    those in `perhaps` are taken where the source has them.

    `limit` is how many training rows a trial's seed draws; `held` how many rows dev and test have
    at most, with the `seed` that draws them, {} for all. `scored_by` are the metrics that the study
    names for this task. `also` names the other tasks that whatever was trained for this one answers
    too; on a task that is not `trained` no weights are trained.
    """

    name: str
    kind: str
    options: Mapping[str, Any]
    files: Mapping[str, tuple[str, ...]]
    limit: int | None
    said: Said
    source: str | None = None
    config: str | None = None
    revision: str | None = None
    splits: Mapping[str, str] = field(default_factory=dict)
    perhaps: Mapping[str, str] = field(default_factory=dict)
    held: Mapping[str, int] = field(default_factory=dict)
    scored_by: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    trained: bool = True

    @property
    def hub(self) -> str | None:
        """The data set's name on the hub, None when the data lie on this machine."""
        scheme, _, name = (self.source or "").partition(":")
        return name if scheme == "hub" else None

    @property
    def task(self) -> Any:
        """The task object (see `smalltune.kinds.Task`)."""
        return load("smalltune.tasks", self.kind)(**self.options)

    @property
    def metrics(self) -> tuple[str, ...]:
        """All metrics that can judge this task, those that are used by default first."""
        kind = load("smalltune.tasks", self.kind)
        return (*kind.metrics, *kind.more_metrics)

    def judged_by(self, shared: Sequence[str]) -> tuple[str, ...]:
        """Return the metrics that score this task: those that its entry names, else of the study's
        `shared` ones those that can judge it, and where it shares none its own.
        """
        if self.scored_by or not shared:
            return self.scored_by or self.task.usual_metrics
        return tuple(name for name in shared if name in self.metrics or "." in name)


@dataclass(frozen=True)
class MethodSpec:
    """A method: the plug-in `method`, the values that the study gives, and what is tuned.

    `options` are the method's own; `training` are the engine's, the study's shared values under
    the method's. `candidates` are what tuning tries, values of options of either kind, `ranges`
    between which they were spread by a search. `tasks` and `models` name those that it is for; ()
    are all (see `pairs`). `on` names the task that it is trained on, whatever it is asked, and
    `after` the method whose weights it starts from (see `links`). `approach` is the plug-in that
    the study names where that leaves open which `method` trains.
    """

    name: str
    method: str
    options: Mapping[str, Any]
    training: Mapping[str, Any]
    candidates: tuple[Mapping[str, Any], ...]
    said: Said
    tasks: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    approach: str = ""
    on: str | None = None
    after: str | None = None

    @property
    def tune(self) -> dict[str, tuple[Any, ...]]:
        """The values of each tuned option that are tried, each once."""
        names = dict.fromkeys(name for each in self.candidates for name in each)
        return {n: tuple(dict.fromkeys(each[n] for each in self.candidates)) for n in names}

    @property
    def kind(self) -> Any:
        """The method's class (see `smalltune.methods.Method`)."""
        return load("smalltune.methods", self.method)

    @property
    def told(self) -> Any:
        """The class that says what the method is for: its approach, else itself."""
        return load("smalltune.methods", self.approach or self.method)

    def settled(self, chosen: Mapping[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Return the method object and all training values, with tuned values filled in.

        Order of precedence: tuned values, the method's entry, the study's `training`, the
        method's own defaults, the engine's. Methods that train nothing have no training values.
        """
        chosen, kind = dict(chosen or {}), self.kind
        shared = asdict(Training())
        training = {
            **shared,
            **getattr(kind, "training", {}),
            **self.training,
            **{name: value for name, value in chosen.items() if name in shared},
        }
        own = {name: value for name, value in chosen.items() if name not in shared}
        return kind(**{**self.options, **own}), training if kind.trains else {}


@dataclass(frozen=True)
class Contrast:
    """A difference declared before the runs; None stands for each task or model."""

    a: str
    b: str
    metric: str
    task: str | None
    model: str | None


@dataclass(frozen=True)
class StudySpec:
    """A study: every model with every method on every task with every seed, and its purpose.

    `sesoi` is the smallest difference of interest, as the primary metric counts. `dtype` is the
    number format in which models compute, `base_dtype` the one in which a frozen base is held.
    `dev_loss` also asks how likely dev's references are, where texts are written.
    """

    name: str
    title: str
    questions: tuple[str, ...]
    author: str
    keywords: tuple[str, ...]
    models: tuple[ModelSpec, ...]
    tasks: tuple[TaskSpec, ...]
    methods: tuple[MethodSpec, ...]
    training: Mapping[str, Any]
    seeds: tuple[int, ...]
    tuning_seed: int
    extend: int
    tuning_metric: str
    contrasts: tuple[Contrast, ...]
    published: tuple[Published, ...]
    metrics: tuple[str, ...]
    shared_metrics: tuple[str, ...]
    primary: str
    alpha: float
    sesoi: float | None
    evaluations: tuple[str, ...]
    max_length: int
    keep_weights: bool
    dev_loss: bool
    dtype: str
    base_dtype: str
    folder: Path
    document: Document = field(repr=False, compare=False)

    @property
    def base(self) -> MethodSpec | None:
        """The method that asks a base as it is, behind nothing; None where the study has none."""
        asking = (m for m in self.methods if m.kind.uses_model and m.after is None)
        return next((m for m in asking if not m.kind.trains and not m.kind.uses_rows), None)

    def metrics_of(self, task: TaskSpec) -> tuple[str, ...]:
        """Return the metrics that this task is scored by."""
        return task.judged_by(self.shared_metrics)

    def selects_by(self, task: TaskSpec) -> str:
        """Return the metric that decides tuning on this task's dev split."""
        own = self.metrics_of(task)
        return self.tuning_metric if self.tuning_metric in own else own[0]

    def ties_by(self, task: TaskSpec) -> str:
        """Return the metric that decides between equal candidates of tuning, "" for none.

        Shares of right answers on a small dev split are often equal, likelihoods hardly ever.
        """
        known = "nll" in task.metrics and self.selects_by(task) != "nll"
        return "nll" if known else ""

    def place_of(self, source: str) -> str:
        """Return a file or folder of the study file as an absolute path; the others stay."""
        if source.startswith(("embedded:", "hub:")):
            return source
        return str((self.folder / Path(source).expanduser()).resolve())

    def need_reasons(self) -> None:
        """Raise StudyError unless each task, model and method says why it was chosen."""
        problems = []
        rooms: dict[str, tuple[ModelSpec | TaskSpec | MethodSpec, ...]] = {
            "tasks": self.tasks, "models": self.models, "methods": self.methods,
        }  # fmt: skip
        for room, entries in rooms.items():
            for entry in entries:
                if not entry.said.why.strip():
                    line = self.document.line((room, entry.name))
                    text = (
                        f"{room}.{entry.name} has no `why:`, and a paper must say why it was chosen"
                    )
                    problems.append((line or 0, f"{self.document.path.name}:{line}: {text}"))
        if problems:
            raise StudyError("\n".join(text for _, text in sorted(problems)))

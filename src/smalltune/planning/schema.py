"""The study file's shape: what may stand where.

`shape` holds a file against it; names and plug-ins are looked up in `entries` and `reading`.

Everything is strict: no key that is not listed here, no text where a number is meant. Task and
method entries are open only because their remaining keys belong to the plug-in that they name.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from smalltune.planning.published import PublishedEntry

__all__ = [
    "ContrastEntry", "Limit", "MethodEntry", "ModelEntry", "RangeEntry", "StudyFile", "TaskEntry",
    "TuningEntry",
]  # fmt: skip

Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Files = Annotated[list[str], Field(min_length=1)]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, frozen=True, allow_inf_nan=False)

    @property
    def options(self) -> dict[str, Any]:
        """The keys that belong to the plug-in."""
        return dict(self.model_extra or {})


class ModelEntry(_Closed):
    """A base model: an embedded one by its name, or a `source` (hub id or folder).

    `config` is a folder with a configuration and a tokeniser but no weights: each trial draws its
    own from its seed.
    """

    source: str | None = None
    config: str | None = None
    revision: str | None = None
    chat: bool = False
    title: str | None = None
    about: str = ""
    licence: str = ""
    link: str = ""
    citation: list[str] = Field(default_factory=list)
    why: str = ""


class Limit(_Closed):
    """How many rows there are at most.

    Those of `train` are drawn by each trial's seed; those of `dev` and `test` once, by `seed`, so
    that every trial answers the same ones.
    """

    train: Count | None = None
    dev: Count | None = None
    test: Count | None = None
    seed: Seed = 0


class TaskEntry(_Open):
    """A task: one of smalltune's by its name, or a `kind` with data of one's own.

    The data are `files` by role, or a `source` (hub id or folder) whose `splits` the roles are;
    `config` and `revision` choose among what a hub id has. `metrics` are those that this task is
    scored by, instead of the study's or its own. `also` names other tasks that whatever is trained
    for this one answers too. With `trained: false` no weights are trained on it: it is only asked.
    """

    kind: str | None = None
    source: str | None = None
    config: str | None = None
    revision: str | None = None
    splits: dict[Word, str] = Field(default_factory=dict)
    files: dict[Word, Files] = Field(default_factory=dict)
    limit: Limit = Limit()
    metrics: list[str] = Field(default_factory=list)
    also: list[str] = Field(default_factory=list)
    trained: bool = True
    title: str | None = None
    about: str = ""
    language: str = ""
    licence: str = ""
    link: str = ""
    citation: list[str] = Field(default_factory=list)
    why: str = ""


class RangeEntry(_Closed):
    """Two bounds between which values are searched, instead of the method's own."""

    low: float
    high: float


Tried = Annotated[list[Any], Field(min_length=1)] | RangeEntry


class MethodEntry(_Open):
    """A method by its name or, under a name of one's own, by `method:`; its hyperparameters.

    `tune` gives some of them several values, of which the best combination on dev is used, or a
    range for the search that `tuning.trials` asks for. `tasks` and `models` name those that the
    method is for, where it is not for all. It is trained on the task it is asked, or `on` another
    one; from the base, or from what it comes `after`. `with` names the method that does the
    training, where an approach such as `instruct` leaves that open.
    """

    method: str | None = None
    with_: str | None = Field(default=None, alias="with")
    on: str | None = None
    after: str | None = None
    title: str | None = None
    tasks: Annotated[list[str], Field(min_length=1)] | None = None
    models: Annotated[list[str], Field(min_length=1)] | None = None
    tune: dict[str, Tried] = Field(default_factory=dict)
    why: str = ""


class ContrastEntry(_Closed):
    """A difference declared before the runs."""

    a: str
    b: str
    metric: str | None = None
    task: str | None = None
    model: str | None = None


class TuningEntry(_Closed):
    """How hyperparameters are chosen: the metric on dev, and the seed that no final trial uses.

    With `trials` every method that trains is tuned, each on each model and task with as many
    candidates; `extend` is how often one more is tried where the best lies at an edge.
    """

    metric: str | None = None
    seed: Seed = 1_000_003
    trials: Annotated[int, Field(ge=2)] | None = None
    extend: Annotated[int, Field(ge=0)] = 2


class StudyFile(_Closed):
    """A whole study file."""

    name: Word | None = None
    title: str | None = None
    question: str | None = None
    questions: list[str] = Field(default_factory=list)
    author: str = "The smalltune contributors"
    keywords: list[str] = Field(default_factory=list)
    models: dict[Word, ModelEntry] = Field(default_factory=dict)
    tasks: Annotated[dict[Word, TaskEntry], Field(min_length=1)]
    methods: Annotated[dict[Word, MethodEntry], Field(min_length=1)]
    training: dict[str, Any] = Field(default_factory=dict)
    tuning: TuningEntry = TuningEntry()
    seeds: Annotated[list[Seed], Field(min_length=1)]
    contrasts: list[ContrastEntry] = Field(default_factory=list)
    published: list[PublishedEntry] = Field(default_factory=list)
    metrics: list[str] = Field(default_factory=list)
    primary: str | None = None
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    sesoi: Annotated[float, Field(gt=0)] | None = None
    evaluations: list[str] = Field(default_factory=lambda: ["dev", "test"], min_length=1)
    max_length: Annotated[int, Field(ge=8)] = 512
    keep_weights: bool = False
    dev_loss: bool = False
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    base_dtype: Literal["float32", "bfloat16"] = "float32"

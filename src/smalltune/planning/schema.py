"""The study file's shape: what may stand where. Names and plug-ins are checked in `spec`.

Everything is strict: no key that is not listed here, no text where a number is meant. Task and
method entries are open only because their remaining keys belong to the plug-in that they name.
"""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from smalltune.core.plugins import nearest
from smalltune.planning.published import PublishedEntry
from smalltune.planning.yaml_lines import Problems

__all__ = ["MethodEntry", "ModelEntry", "StudyFile", "TaskEntry", "check_shape", "in_words"]

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
    """How many rows a trial may learn from; its seed draws them."""

    train: Count | None = None


class TaskEntry(_Open):
    """A task: one of smalltune's by its name, or a `kind` with data of one's own.

    The data are `files` by role, or a `source` (hub id or folder) whose `splits` the roles are;
    `config` and `revision` choose among what a hub id has.
    """

    kind: str | None = None
    source: str | None = None
    config: str | None = None
    revision: str | None = None
    splits: dict[Word, str] = Field(default_factory=dict)
    files: dict[Word, Files] = Field(default_factory=dict)
    limit: Limit = Limit()
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
    range for the search that `tuning.trials` asks for. `tasks` and
    `models` name those that the method is for, where it is not for all.
    """

    method: str | None = None
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


def check_shape(data: dict[str, Any], problems: Problems) -> StudyFile | None:
    """Return the study file's values, or None after noting what is wrong with them."""
    try:  # as JSON, where a whole number is a number too although everything else is strict
        return StudyFile.model_validate_json(json.dumps(_spelt_out(data)), strict=True)
    except ValidationError as error:
        for wrong in error.errors(include_url=False):
            _note(dict(wrong), problems)
    return None


def _spelt_out(data: dict[str, Any]) -> dict[str, Any]:
    """Return the data with short forms written out: `majority:`, `seeds: 6`, "lora - full"."""
    data = dict(data)
    for room in ("models", "tasks", "methods"):
        if isinstance(data.get(room), dict):
            data[room] = {name: _entry(entry) for name, entry in data[room].items()}
    seeds = data.get("seeds")
    if isinstance(seeds, int) and not isinstance(seeds, bool) and seeds > 0:
        data["seeds"] = list(range(min(seeds, 10_000)))
    if isinstance(data.get("contrasts"), list):
        data["contrasts"] = [_contrast(each) for each in data["contrasts"]]
    return data


def _entry(entry: Any) -> Any:
    if entry is None:
        return {}
    if not isinstance(entry, dict):
        return entry
    entry = dict(entry)
    if isinstance(entry.get("citation"), str):
        entry["citation"] = [entry["citation"]]
    if isinstance(entry.get("tasks"), str):
        entry["tasks"] = [entry["tasks"]]
    if isinstance(entry.get("files"), dict):
        files = entry["files"].items()
        entry["files"] = {role: [p] if isinstance(p, str) else p for role, p in files}
    return entry


def _contrast(entry: Any) -> Any:
    found = re.fullmatch(r"\s*(\S+)\s+-\s+(\S+)\s*", entry) if isinstance(entry, str) else None
    return {"a": found[1], "b": found[2]} if found else entry


_MEANT = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "dict_type": "`key: value` lines",
    "model_type": "`key: value` lines",
    "list_type": "a list",
    "tuple_type": "a list",
    "literal_error": "one of {expected}",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "greater_than": "more than {gt}",
    "less_than": "less than {lt}",
    "too_short": "given at least one entry",
    "string_pattern_mismatch": "a name of letters, digits, '.', '_' and '-'",
    "finite_number": "a finite number",
}


def _note(wrong: dict[str, Any], problems: Problems) -> None:
    """Turn one error of pydantic into a sentence at its place."""
    place = tuple(str(part) for part in wrong["loc"])
    within = f" in {'.'.join(place[:-1])}" if place[1:] else ""
    if wrong["type"] == "extra_forbidden":
        known = _keys_at(place[:-1])
        problems.add(place, f"unknown key {place[-1]!r}{within}. {nearest(place[-1], known)}")
    elif wrong["type"] == "missing":
        problems.add(place[:-1], f"{place[-1]!r} is missing{within}")
    elif place[-1] == "[key]":
        problems.add(place[:-1], f"{place[-2]!r} must be {in_words(wrong)}")
    elif place[0] == "contrasts" and len(place) == 2:
        problems.add(place, f'a contrast is two methods, "a - b", not {wrong["input"]!r}')
    else:
        value = f", not {wrong['input']!r}" if wrong["type"] != "too_short" else ""
        problems.add(place, f"{'.'.join(place)} must be {in_words(wrong)}{value}")


def in_words(wrong: Mapping[str, Any]) -> str:
    """Return what a value must be by an error of pydantic."""
    if wrong["type"] == "list_type" and wrong.get("loc") == ("seeds",):
        above = " above 0" if isinstance(wrong.get("input"), int) else ""
        return f"a list or a whole number{above}"
    meant = _MEANT.get(wrong["type"])
    return meant.format_map(wrong.get("ctx", {})) if meant else str(wrong["msg"])


def _keys_at(place: tuple[str, ...]) -> list[str]:
    """Return the keys that may stand at a place."""
    classes: dict[str, type[BaseModel]] = {
        "models": ModelEntry, "contrasts": ContrastEntry, "tuning": TuningEntry,
        "published": PublishedEntry,
    }  # fmt: skip
    if not place:
        return list(StudyFile.model_fields)
    if place[-1] == "limit":
        return list(Limit.model_fields)
    return list(classes[place[0]].model_fields)

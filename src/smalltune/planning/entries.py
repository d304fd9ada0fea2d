"""Entries of a study file: each model, task and method against what smalltune has.

An entry that names nothing, or gives an option that its plug-in does not have, is noted with its
line and the nearest right name; the others are read on, so that one call shows every problem.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from smalltune.core.errors import MethodError, StudyError
from smalltune.core.plugins import load, names, nearest
from smalltune.engine.training import Training
from smalltune.methods import Range
from smalltune.models.sources import embedded_folder
from smalltune.planning.data_sources import DataReader
from smalltune.planning.options import build, check, names_of
from smalltune.planning.schema import MethodEntry, ModelEntry, RangeEntry, TaskEntry, TuningEntry
from smalltune.planning.searching import spread
from smalltune.planning.spec import MethodSpec, ModelSpec, Said, TaskSpec
from smalltune.planning.yaml_lines import Place, Problems

__all__ = ["Entries"]


class Entries:
    """Reads the entries of one study file whose folder is `folder`."""

    def __init__(self, folder: Path, tuning: TuningEntry, problems: Problems):
        """Note problems in `problems`."""
        self.folder, self.tuning, self.problems = folder, tuning, problems

    # Models

    def model(self, name: str, entry: ModelEntry) -> ModelSpec:
        """Return one model; its source must be embedded, a folder, or look like a hub id."""
        place = ("models", name)
        if entry.source and entry.config:
            self.problems.add(place, f"models.{name} has both a source and a config")
        if entry.config:
            source = f"config:{self._folder(entry.config, (*place, 'config'))}"
        else:
            source = self._source(name, entry.source, place)
        said = Said(
            entry.title or name, entry.why, entry.about, entry.licence, entry.link,
            tuple(entry.citation),
        )  # fmt: skip
        return ModelSpec(name, source, entry.revision, entry.chat, said)

    def _source(self, name: str, source: str | None, place: Place) -> str:
        if source is None or source.startswith("embedded:"):
            return self._embedded((source or name).removeprefix("embedded:"), place)
        at = (*place, "source")
        if source.startswith("hub:"):
            return source
        if source.startswith((".", "/", "~")) or (self.folder / source).is_dir():
            return f"path:{self._folder(source, at)}"
        if re.fullmatch(r"[\w.-]+/[\w.-]+", source):
            return f"hub:{source}"
        self.problems.add(
            at, f"no model {source!r}: a hub id is owner/name, a folder begins with ./ or /"
        )
        return source

    def _embedded(self, name: str, place: Place) -> str:
        known = sorted(p.parent.name for p in embedded_folder().glob("models/*/config.json"))
        if name not in known:
            near = nearest(name, known) if known else ""
            text = (
                f"no embedded model {name!r}. {near} For another, give `source:` (hub id or folder)"
            )
            self.problems.add(place, text)
        return f"embedded:{name}"

    def _folder(self, path: str, place: Place) -> str:
        if not (self.folder / Path(path).expanduser() / "config.json").is_file():
            self.problems.add(place, f"no config.json in {path!r}: a model's folder holds one")
        return path

    # Tasks

    def task(self, name: str, entry: TaskEntry) -> TaskSpec | None:
        """Return one task, or None when its kind or options are wrong."""
        place = ("tasks", name)
        kind = self.plugin("task", entry.kind or name, (*place, "kind"))
        if kind is None:
            return None
        beside = list(TaskEntry.model_fields)
        options = check(
            kind, entry.options, place, self.problems, owner=f"tasks.{name}", beside=beside
        )
        task = build(kind, options, place, self.problems)
        if task is None:
            return None
        if not getattr(task, "labels", True):
            text = "'labels' is missing: it maps each value of the label column to a word"
            self.problems.add(place, f"tasks.{name}: {text}")
        data = DataReader(self.folder, self.problems, place, kind).read(entry)
        said = Said(
            title=entry.title or getattr(kind, "title", "") or name,
            why=entry.why,
            about=entry.about or kind.about,
            licence=entry.licence or kind.licence,
            link=entry.link or kind.link,
            citation=tuple(entry.citation) or ((kind.citation,) if kind.citation else ()),
            language=entry.language or kind.language,
        )
        limits = entry.limit.model_dump(include={"dev", "test"}, exclude_none=True)
        return TaskSpec(
            name, entry.kind or name, options, data.files, entry.limit.train, said,
            data.source, data.config, data.revision, data.splits, data.perhaps,
            held=limits | {"seed": entry.limit.seed} if limits else {},
            scored_by=self._scored_by(name, entry, kind),
            also=tuple(dict.fromkeys(entry.also)), trained=entry.trained,
        )  # fmt: skip

    def _scored_by(self, name: str, entry: TaskEntry, kind: Any) -> tuple[str, ...]:
        """Return the metrics that a task's entry names; each must be able to judge its kind."""
        known = [*kind.metrics, *kind.more_metrics]
        for number, metric in enumerate(entry.metrics):
            place = ("tasks", name, "metrics", str(number))
            if "." not in metric and metric not in known:
                text = f"{name} cannot be scored by {metric!r}. {nearest(metric, known)}"
                self.problems.add(place, text)
            else:
                self.plugin("metric", metric, place)
        return tuple(dict.fromkeys(entry.metrics))

    # Methods

    def method(self, name: str, entry: MethodEntry, shared: Mapping[str, Any]) -> MethodSpec | None:
        """Return one method, or None when its plug-in or options are wrong."""
        place = ("methods", name)
        approach = self.plugin("method", entry.method or name, (*place, "method"))
        kind = self._trainer(name, approach, entry.with_) if entry.with_ else approach
        if kind is None:
            return None
        keys = [field.alias or key for key, field in MethodEntry.model_fields.items()]
        beside = [*keys, *(names_of(Training) if kind.trains else [])]
        own, training = self._options(kind, entry.options, place, beside)
        candidates = self._candidates(kind, entry, place, beside)
        build(kind, own, place, self.problems)
        if kind.trains and training:
            build(Training, {**kind.training, **shared, **training}, place, self.problems)
        title, cite = kind.title, kind.cite
        if entry.with_:
            title, cite = f"{approach.title} with {kind.title}", (*approach.cite, *kind.cite)
        said = Said(entry.title or title, entry.why, citation=tuple(cite))
        named = entry.method or name
        return MethodSpec(
            name, entry.with_ or named, own, {**shared, **training}, candidates, said,
            tuple(entry.tasks or ()), named if entry.with_ else "", entry.on, entry.after,
        )  # fmt: skip

    def _trainer(self, name: str, approach: Any, trainer: str) -> Any:
        """Return the method that trains for an approach, or None after noting why it cannot."""
        place = ("methods", name, "with")
        kind = self.plugin("method", trainer, place)
        if kind is None or approach is None:
            return None
        if not getattr(approach, "instructs", False):
            text = f"methods.{name}: `with` names what instruct trains with, and this is another"
            self.problems.add(place, f"{text} method: name it by `method:`")
        elif not kind.trains or getattr(kind, "instructs", False):
            text = f"methods.{name}: instruct cannot train with {trainer}: name a method that "
            self.problems.add(place, f"{text}trains weights, such as lora")
        else:
            return kind
        return None

    def _candidates(
        self, kind: Any, entry: MethodEntry, place: Place, beside: Sequence[str]
    ) -> tuple[dict[str, Any], ...]:
        """Return what tuning tries: all combinations of listed values, or points of a search."""
        at = (*place, "tune")
        bounds = {n: v for n, v in entry.tune.items() if isinstance(v, RangeEntry)}
        listed = {n: v for n, v in entry.tune.items() if n not in bounds}
        trials = self.tuning.trials if kind.trains else None
        if bounds and (listed or trials is None):
            text = (
                f"{'.'.join(place)} has ranges: give `tuning: {{trials: 6}}`, and no lists beside"
            )
            self.problems.add(at, text)
            return ()
        if listed or trials is None:
            found = [dict(zip(listed, each, strict=True)) for each in product(*listed.values())]
            if listed and trials is not None and len(found) != trials:
                text = f"{'.'.join(place)} lists {len(found)} candidates, and every method has"
                self.problems.add(at, f"{text} {trials} (tuning.trials)")
            found = found if listed else []
        else:
            found = self._searched(kind, entry, bounds, at)
        for each in found:
            for option, value in each.items():
                self._options(kind, {option: value}, at, beside)
        return tuple(found)

    def _searched(
        self, kind: Any, entry: MethodEntry, bounds: Mapping[str, RangeEntry], at: Place
    ) -> list[dict[str, Any]]:
        """Return the points of a search over the method's ranges and those of its entry."""
        ranges = {n: r for n, r in kind.ranges().items() if n not in entry.options}
        for name, given in bounds.items():
            own = kind.ranges().get(name)
            try:
                ranges[name] = Range(given.low, given.high, whole=bool(own and own.whole))
            except MethodError as error:
                self.problems.add((*at, name), str(error))
        return spread(ranges, self.tuning.trials or 0, self.tuning.seed)

    def _options(
        self,
        kind: Any,
        values: Mapping[str, Any],
        place: Place,
        beside: Sequence[str],
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the values that are the method's own and those that are the engine's."""
        engine = [n for n in names_of(Training) if n not in names_of(kind)]
        own = {n: v for n, v in values.items() if n not in engine}
        rest = {n: v for n, v in values.items() if n in engine}
        owner = ".".join(place[:2])
        for option in {} if kind.trains else rest:
            text = f"{owner} trains no weights, so it has no {option!r}"
            self.problems.add((*place, option), text)
        return (
            check(kind, own, place, self.problems, owner=owner, beside=beside),
            check(Training, rest, place, self.problems, owner=owner),
        )

    # Names

    def among(self, name: str, known: Iterable[str], place: Place, what: str) -> str:
        """Return the name, after noting when it is not among the study's own."""
        there = list(known)
        if name not in there:
            text = f"no {what} {name!r} in this study. {nearest(name, there)}"
            self.problems.add(place, text)
        return name

    def plugin(self, what: str, name: str, place: Place) -> Any:
        """Return a plug-in's class, or None after noting that there is none of this name."""
        room = f"smalltune.{what}s"
        known = names(room)
        if "." not in name and name not in known:
            more = " For data of your own, give `kind:` and `files:`" if what == "task" else ""
            self.problems.add(place, f"no {what} {name!r}. {nearest(name, known)}{more}")
            return None
        try:
            return load(room, name)
        except StudyError as error:
            self.problems.add(place, str(error))
            return None

"""Entries of a study file: each model and task against what smalltune has.

An entry that names nothing, or gives an option that its plug-in does not have, is noted with its
line and the nearest right name; the others are read on, so that one call shows every problem.
"""

import re
from pathlib import Path
from typing import Any

from smalltune.core.plugins import nearest
from smalltune.models.sources import embedded_folder
from smalltune.planning.data_sources import DataReader
from smalltune.planning.naming import Naming
from smalltune.planning.options import build, check
from smalltune.planning.schema import ModelEntry, TaskEntry
from smalltune.planning.spec import ModelSpec, Said, TaskSpec
from smalltune.planning.yaml_lines import Place, Problems

__all__ = ["Entries"]


class Entries(Naming):
    """Reads the model and task entries of one study file whose folder is `folder`."""

    def __init__(self, folder: Path, problems: Problems):
        """Note problems in `problems`."""
        super().__init__(problems)
        self.folder = folder

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

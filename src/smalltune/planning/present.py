"""Present: what a study's names of models and data mean now, here and on the hub."""

import dataclasses
from pathlib import Path

from smalltune.core.errors import DataError, EngineError, ModelError, StudyError
from smalltune.core.keys import file_digest, key_of
from smalltune.core.plugins import load
from smalltune.hub import pin_data, pin_model
from smalltune.metrics import Gold
from smalltune.models.sources import embedded_folder, locate_file
from smalltune.planning.checkpoints import TOKENISER_FILES, read_checkpoint, read_config
from smalltune.planning.contents import check_references
from smalltune.planning.lock import LockedFile, LockedModel, LockedTask
from smalltune.planning.spec import ModelSpec, StudySpec, TaskSpec

__all__ = ["data_here", "data_now", "model_now", "where"]


def model_now(study: StudySpec, model: ModelSpec) -> LockedModel:
    """Return a model as it is now."""
    scheme, _, rest = model.source.partition(":")
    try:
        if scheme == "hub":
            return _hub_model(model, rest)
        folder = Path(study.place_of(rest))
        if scheme == "embedded":
            folder = embedded_folder() / "models" / rest
        found = read_checkpoint(folder, weights=scheme != "config")
    except ModelError as error:
        raise StudyError(f"{where(study, 'models', model.name)}: {error}") from error
    return LockedModel(
        source=model.source,
        ref=model.source,
        revision=None,
        digest=found.digest,
        tokeniser=found.tokeniser,
        parameters=found.parameters,
        dtype=found.dtype,
        config=found.config,
    )


def _hub_model(model: ModelSpec, name: str) -> LockedModel:
    """Return a hub model as it is now, its digests made of the same parts as a folder's."""
    pinned = pin_model(name, model.revision)
    tokeniser = {file: pinned.files[file] for file in TOKENISER_FILES if file in pinned.files}
    if not tokeniser:
        raise ModelError(f"{name}: no tokenizer.json on the hub: name a folder with both")
    weights = {file: d for file, d in pinned.files.items() if file.endswith(".safetensors")}
    whole = {"config.json": pinned.files["config.json"], **tokeniser, **weights}
    return LockedModel(
        source=model.source,
        ref=f"hub:{name}@{pinned.commit}",
        revision=model.revision,
        digest=key_of(whole),
        tokeniser=key_of(tokeniser),
        parameters=pinned.parameters,
        dtype=pinned.dtype,
        config=read_config(pinned.folder),
        files=pinned.files,
    )


def data_now(study: StudySpec, task: TaskSpec) -> LockedTask:
    """Return a task's data as they are now, the hub's included."""
    here = data_here(study, task)
    if task.hub is None:
        return here
    roles: dict[str, str] = {}

    def wanted(there: list[str]) -> list[str]:
        used = set(task.splits.values())
        more = {r: s for r, s in task.perhaps.items() if s in there and s not in used}
        roles.update({**task.splits, **more})
        return list(dict.fromkeys(roles.values()))

    try:
        pinned = pin_data(task.hub, task.config, task.revision, wanted)
    except DataError as error:
        raise StudyError(f"{where(study, 'tasks', task.name)}: {error}") from error
    start = f"hub:{pinned.name}@{pinned.commit}/"
    files = {
        role: tuple(LockedFile(start + f.path, f.sha256, f.bytes) for f in pinned.splits[split])
        for role, split in roles.items()
    }
    in_order = dict(sorted({**files, **here.files}.items()))
    return dataclasses.replace(here, files=in_order, commit=pinned.commit)


def data_here(study: StudySpec, task: TaskSpec) -> LockedTask:
    """Return a task's data files on this machine as they are now, after a look at their rows.

    The first row of test must be one that the task's metrics can judge, and the references of its
    first rows must be of letters that they count.
    """
    found, here = {}, {}
    try:
        for role, sources in sorted(task.files.items()):
            here[role] = [locate_file(study.place_of(source)) for source in sources]
            found[role] = tuple(
                LockedFile(source, file_digest(path), path.stat().st_size)
                for source, path in zip(sources, here[role], strict=True)
            )
        first = task.task.look(here).get("test")
        if first and any(load("smalltune.metrics", m).needs_facts for m in study.metrics_of(task)):
            Gold(first.id, first.references, first.label, first.fields).facts()
        if "test" in here:
            check_references(study, task, here["test"])
    except EngineError as error:
        place = where(study, "tasks", task.name)
        raise StudyError(f"{place}: {here['test'][0]}: {error}") from error
    except DataError as error:
        raise StudyError(f"{where(study, 'tasks', task.name)}: {error}") from error
    except OSError as error:
        said = f"{error.filename}: {error.strerror}"
        raise StudyError(f"{where(study, 'tasks', task.name)}: {said}") from error
    asked = {**task.perhaps, **task.splits}
    return LockedTask(found, task.source, task.config, task.revision, asked)


def where(study: StudySpec, *place: str) -> str:
    """Return the study's file and the line of a place in it, as an error names it."""
    line = study.document.line(place)
    return f"{study.document.path.name}:{line}" if line else study.document.path.name

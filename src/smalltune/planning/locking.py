"""Locking: from a study's names to digests, and from a lock to what has changed since."""

import dataclasses
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from smalltune.core.errors import DataError, EngineError, ModelError, SmalltuneError, StudyError
from smalltune.core.keys import file_digest, key_of
from smalltune.core.plugins import load
from smalltune.hub import pin_data, pin_model
from smalltune.metrics import Gold
from smalltune.models.sources import embedded_folder, locate_file
from smalltune.planning.checkpoints import TOKENISER_FILES, read_checkpoint, read_config
from smalltune.planning.lock import (
    Lock,
    LockedFile,
    LockedModel,
    LockedTask,
    fingerprint,
    lock_path,
    read_lock,
    write_lock,
)
from smalltune.planning.spec import ModelSpec, StudySpec, TaskSpec

__all__ = ["changes", "lock_anew", "lock_in_force"]

GPU_QUESTION = "import torch; print(torch.cuda.is_available() and torch.cuda.is_bf16_supported())"


def lock_anew(study: StudySpec) -> Lock:
    """Ask what every name means now, the hub included, and write `study.lock`."""
    path = lock_path(study.document.path)
    try:
        before = read_lock(path)
    except StudyError:
        before = None
    lock = Lock(
        models={model.name: _model(study, model) for model in study.models},
        tasks=_each(study, lambda task: _data(study, task)),
        dtype=_dtype(study.dtype),
        environment=fingerprint(),
    )
    return before if before == lock else write_lock(path, lock)


def lock_in_force(study: StudySpec) -> tuple[Lock, list[str]]:
    """Return the study's lock and warnings; local names that are new in the study are added.

    Raises StudyError when a locked file has changed or a name of the hub is not locked yet.
    """
    path = lock_path(study.document.path)
    before = read_lock(path)
    lock = Lock(
        models={m.name: _still(study, m, before) for m in study.models},
        tasks=_each(study, lambda task: _unchanged(study, task, before)),
        dtype=_locked_dtype(study, before),
        environment=before.environment if before else fingerprint(),
    )
    if before is None or before != lock:
        lock = write_lock(path, lock)
    else:
        lock = dataclasses.replace(lock, date=before.date)
    return lock, changes(lock.environment, fingerprint())


def changes(locked: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return how the environment differs from the locked one, one line each."""
    said = [
        f"{name} is {now[name]}, locked with {locked.get(name)}"
        for name in ("python", "platform")
        if now[name] != locked.get(name)
    ]
    before, after = locked.get("packages", {}), now["packages"]
    return said + [
        f"{name} is {after.get(name, 'missing')}, locked with {before.get(name, 'none')}"
        for name in sorted({*before, *after} - {"smalltune"})
        if before.get(name) != after.get(name)
    ]


def _model(study: StudySpec, model: ModelSpec) -> LockedModel:
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
        raise StudyError(f"{_where(study, 'models', model.name)}: {error}") from error
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


def _still(study: StudySpec, model: ModelSpec, before: Lock | None) -> LockedModel:
    """Return the locked model after comparing it with what lies there; lock a new local one."""
    locked = before.models.get(model.name) if before else None
    same = locked and (locked.source, locked.revision) == (model.source, _revision(model))
    if model.source.startswith("hub:"):
        if locked and same:
            return locked
        raise _unlocked(study, model.source, "models", model.name)
    now = _model(study, model)
    if locked and same and locked.digest != now.digest:
        raise _changed(study, f"the model {model.name!r} ({model.source})")
    return now


def _revision(model: ModelSpec) -> str | None:
    return model.revision if model.source.startswith("hub:") else None


def _data(study: StudySpec, task: TaskSpec) -> LockedTask:
    """Return a task's data as they are now, the hub's included."""
    here = _here(study, task)
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
        raise StudyError(f"{_where(study, 'tasks', task.name)}: {error}") from error
    start = f"hub:{pinned.name}@{pinned.commit}/"
    files = {
        role: tuple(LockedFile(start + f.path, f.sha256, f.bytes) for f in pinned.splits[split])
        for role, split in roles.items()
    }
    in_order = dict(sorted({**files, **here.files}.items()))
    return dataclasses.replace(here, files=in_order, commit=pinned.commit)


def _each(study: StudySpec, ask: Callable[[TaskSpec], LockedTask]) -> dict[str, LockedTask]:
    """Return what is asked of each task; what is wrong with several is said at once."""
    found: dict[str, LockedTask] = {}
    wrong: list[StudyError] = []
    for task in study.tasks:
        try:
            found[task.name] = ask(task)
        except StudyError as error:
            wrong.append(error)
    if len(wrong) > 1:
        raise StudyError("\n".join(map(str, wrong)))
    if wrong:
        raise wrong[0]
    return found


def _here(study: StudySpec, task: TaskSpec) -> LockedTask:
    """Return a task's data files on this machine as they are now, after a look at their rows.

    The first row of test must be one that the task's metrics can judge.
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
    except EngineError as error:
        place = _where(study, "tasks", task.name)
        raise StudyError(f"{place}: {here['test'][0]}: {error}") from error
    except DataError as error:
        raise StudyError(f"{_where(study, 'tasks', task.name)}: {error}") from error
    except OSError as error:
        said = f"{error.filename}: {error.strerror}"
        raise StudyError(f"{_where(study, 'tasks', task.name)}: {said}") from error
    asked = {**task.perhaps, **task.splits}
    return LockedTask(found, task.source, task.config, task.revision, asked)


def _unchanged(study: StudySpec, task: TaskSpec, before: Lock | None) -> LockedTask:
    """Return a task's data after comparing them with the lock; lock new local ones."""
    locked, now = before.tasks.get(task.name) if before else None, _here(study, task)
    same = locked is not None and locked.same_question(now)
    for role, files in (locked.files if locked else {}).items():
        for old, new in zip(files, now.files.get(role, ()), strict=False):
            if old.path == new.path and old != new:
                raise _changed(study, f"the {role} data of {task.name!r} ({old.path})")
    if task.hub is None:
        if locked and same and task.source and locked.files != now.files:
            raise _changed(study, f"the data of {task.name!r} (the files in {task.source})")
        return now
    if locked is None or not same:
        raise _unlocked(study, task.source or "", "tasks", task.name)
    pinned = {role: files for role, files in locked.files.items() if role not in now.files}
    in_order = dict(sorted({**pinned, **now.files}.items()))
    return dataclasses.replace(locked, files=in_order)


def _unlocked(study: StudySpec, source: str, *place: str) -> SmalltuneError:
    return StudyError(
        f"{_where(study, *place)}: {source.removeprefix('hub:')} is not locked yet: run "
        "`smalltune lock STUDY` once (it asks the hub which commit is meant)"
    )


def _changed(study: StudySpec, what: str) -> SmalltuneError:
    path = lock_path(study.document.path)
    return StudyError(
        f"{path.name}: {what} has changed since the study was locked. "
        "`smalltune lock STUDY` accepts the change; what it changes is then run again"
    )


def _where(study: StudySpec, *place: str) -> str:
    line = study.document.line(place)
    return f"{study.document.path.name}:{line}" if line else study.document.path.name


def _locked_dtype(study: StudySpec, before: Lock | None) -> str:
    if study.dtype == "auto" and before:
        return before.dtype
    return _dtype(study.dtype)


def _dtype(asked: str) -> str:
    """Return the number format that `auto` means here; a GPU is asked in a process of its own."""
    if asked != "auto":
        return asked
    if shutil.which("nvidia-smi") is None:
        return "float32"
    command = [sys.executable, "-c", GPU_QUESTION]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "float32"
    return "bfloat16" if said.stdout.strip() == "True" else "float32"

"""Locking: from a study's names to digests, and from a lock to what has changed since."""

import dataclasses
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smalltune.core.errors import DataError, ModelError, SmalltuneError, StudyError
from smalltune.core.keys import file_digest
from smalltune.models.sources import embedded_folder, locate_file
from smalltune.planning.checkpoints import read_checkpoint
from smalltune.planning.hub import pin
from smalltune.planning.lock import (
    Lock,
    LockedFile,
    LockedModel,
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
        tasks={task.name: _files(study, task) for task in study.tasks},
        dtype=_dtype(study.dtype),
        environment=fingerprint(),
    )
    return before if before == lock else write_lock(path, lock)


def lock_in_force(study: StudySpec) -> tuple[Lock, list[str]]:
    """Return the study's lock and warnings; local names that are new in the study are added.

    Raises StudyError when a locked file has changed or a hub model is not locked yet.
    """
    path = lock_path(study.document.path)
    before = read_lock(path)
    lock = Lock(
        models={m.name: _still(study, m, before) for m in study.models},
        tasks={t.name: _unchanged(study, t, before) for t in study.tasks},
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
            pinned = pin(rest, model.revision)
            return LockedModel(
                source=model.source,
                ref=f"hub:{rest}@{pinned.commit}",
                revision=model.revision,
                digest=pinned.commit,
                tokeniser=pinned.tokeniser,
                parameters=pinned.parameters,
                dtype="",
                config=pinned.config,
            )
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


def _still(study: StudySpec, model: ModelSpec, before: Lock | None) -> LockedModel:
    """Return the locked model after comparing it with what lies there; lock a new local one."""
    locked = before.models.get(model.name) if before else None
    same = locked and (locked.source, locked.revision) == (model.source, _revision(model))
    if model.source.startswith("hub:"):
        if locked and same:
            return locked
        where = _where(study, "models", model.name)
        raise StudyError(
            f"{where}: {model.source.removeprefix('hub:')} is not locked yet: run "
            "`smalltune lock STUDY` once (it asks the hub which commit is meant)"
        )
    now = _model(study, model)
    if locked and same and locked.digest != now.digest:
        raise _changed(study, f"the model {model.name!r} ({model.source})")
    return now


def _revision(model: ModelSpec) -> str | None:
    return model.revision if model.source.startswith("hub:") else None


def _files(study: StudySpec, task: TaskSpec) -> dict[str, LockedFile]:
    """Return a task's data files as they are now."""
    found = {}
    for role, source in task.files.items():
        try:
            path = locate_file(study.place_of(source))
            found[role] = LockedFile(source, file_digest(path), path.stat().st_size)
        except (DataError, OSError) as error:
            raise StudyError(f"{_where(study, 'tasks', task.name)}: {error}") from error
    return found


def _unchanged(study: StudySpec, task: TaskSpec, before: Lock | None) -> dict[str, LockedFile]:
    """Return a task's data files after comparing them with the lock."""
    now = _files(study, task)
    for role, file in (before.tasks.get(task.name, {}) if before else {}).items():
        if role in now and now[role].path == file.path and now[role] != file:
            raise _changed(study, f"the {role} data of {task.name!r} ({file.path})")
    return now


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

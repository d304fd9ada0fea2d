"""Locking: from a study's names to digests, and from a lock to what has changed since."""

import dataclasses
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

from smalltune.core.errors import SmalltuneError, StudyError
from smalltune.planning.lock import (
    Lock,
    LockedModel,
    LockedTask,
    fingerprint,
    lock_path,
    read_lock,
    write_lock,
)
from smalltune.planning.present import data_here, data_now, model_now, where
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
        models={model.name: model_now(study, model) for model in study.models},
        tasks=_each(study, lambda task: data_now(study, task)),
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


def _still(study: StudySpec, model: ModelSpec, before: Lock | None) -> LockedModel:
    """Return the locked model after comparing it with what lies there; lock a new local one."""
    locked = before.models.get(model.name) if before else None
    same = locked and (locked.source, locked.revision) == (model.source, _revision(model))
    if model.source.startswith("hub:"):
        if locked and same:
            return locked
        raise _unlocked(study, model.source, "models", model.name)
    now = model_now(study, model)
    if locked and same and locked.digest != now.digest:
        raise _changed(study, f"the model {model.name!r} ({model.source})")
    return now


def _revision(model: ModelSpec) -> str | None:
    return model.revision if model.source.startswith("hub:") else None


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


def _unchanged(study: StudySpec, task: TaskSpec, before: Lock | None) -> LockedTask:
    """Return a task's data after comparing them with the lock; lock new local ones."""
    locked, now = before.tasks.get(task.name) if before else None, data_here(study, task)
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
        f"{where(study, *place)}: {source.removeprefix('hub:')} is not locked yet: run "
        "`smalltune lock STUDY` once (it asks the hub which commit is meant)"
    )


def _changed(study: StudySpec, what: str) -> SmalltuneError:
    path = lock_path(study.document.path)
    return StudyError(
        f"{path.name}: {what} has changed since the study was locked. "
        "`smalltune lock STUDY` accepts the change; what it changes is then run again"
    )


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

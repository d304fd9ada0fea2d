"""Contents: what the rows themselves rule out, said before anything long runs.

A metric may see little of a language's references. A chat template may refuse the turns of a
conversation, or end an answer with a mark that is no token, and demonstrations cannot stand before
a conversation that begins with the system's turn. Of each sequence of roles one row is tried, by a
child process, so that this one loads no tokeniser; what was found is kept in the store by the
digests of data and tokeniser. Files of the hub that are not fetched yet are looked at when they
are.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from smalltune.core.errors import DataError, ModelError
from smalltune.core.keys import file_digest, key_of
from smalltune.core.plugins import load
from smalltune.core.plural import plural
from smalltune.core.store import Store
from smalltune.data.instructions import exchange
from smalltune.data.tables import read_rows
from smalltune.models import families
from smalltune.models.sources import locate, locate_file
from smalltune.planning.lock import Lock
from smalltune.planning.pairs import asked_by, meets
from smalltune.planning.spec import ModelSpec, StudySpec, TaskSpec
from smalltune.planning.yaml_lines import Problems

__all__ = ["check_contents", "check_references"]

READ = 100
"""Rows of test whose references are read for what a metric can count."""

MOST_SECONDS = 600

Shapes = Mapping[str, str]
"""The first row of each sequence of roles, which are written with a comma between two."""

END: Shapes = {"": ""}
"""What asks for the end of an answer instead."""

Taken = tuple[str, str]
"""Why a template refuses such turns, "" where it does not, and whose turn comes first then."""


def check_references(study: StudySpec, task: TaskSpec, paths: Sequence[Path]) -> None:
    """Raise DataError where a metric cannot see most of what the references of test hold."""
    if said := _unseen(study, task, paths):
        raise DataError(said)


def _unseen(study: StudySpec, task: TaskSpec, paths: Sequence[Path]) -> str:
    """Return which metrics cannot see most of the references of test, and what to do; else ""."""
    kinds = {name: load("smalltune.metrics", name) for name in study.metrics_of(task)}
    texts = [name for name, kind in kinds.items() if kind.judges == "texts"]
    if not texts:
        return ""
    rows = task.task.first_rows(paths, "test", READ)
    references = [text for row in rows for text in row.references]
    blind = {name: why for name in texts if (why := kinds[name].blind_to(references))}
    for why in dict.fromkeys(blind.values()):
        names = ", ".join(name for name in blind if blind[name] == why)
        return (
            f"{paths[0]}: of the letters in the references of the first "
            f"{plural(len(rows), 'test row')}, {names} can count less than half. {why}"
        )
    return ""


def check_contents(study: StudySpec, lock: Lock, store: Store) -> None:
    """Refuse what rows rule out, as far as their files are here.

    Raises StudyError with the lines of tasks and methods and the rows in question.
    """
    problems = Problems(study.document)
    _check_ends(study, lock, store, problems)
    for task in study.tasks:
        files = _files(study, lock, task)
        if task.hub is not None and "test" in files:
            with suppress(DataError):  # what cannot be read is fetched again, or told by its job
                said = _unseen(study, task, [path for path, _ in files["test"]])
                if said:
                    problems.add(("tasks", task.name), said)
        if task.task.talks and any(model.chat for model in study.models):
            shapes = _shapes(store, [each for role in files.values() for each in role])
            for model in (model for model in study.models if model.chat):
                taken = _taken(study, lock, store, model, shapes)
                _note(study, task, model, shapes, taken, problems)
    problems.stop()


def _check_ends(study: StudySpec, lock: Lock, store: Store, problems: Problems) -> None:
    """Refuse chat templates whose mark at an answer's end is no token, where ends are learned."""
    ended = any(task.task.ended for task in study.tasks)
    for model in (model for model in study.models if model.chat and ended):
        reason, _ = _taken(study, lock, store, model, END).get("", ("", ""))
        if reason:
            problems.add(("models", model.name, "chat"), reason)
    problems.stop()


def _files(study: StudySpec, lock: Lock, task: TaskSpec) -> dict[str, list[tuple[Path, str]]]:
    """Return path and digest of a task's files by role; no role that is not fetched yet."""
    found = {}
    for role, files in lock.tasks[task.name].files.items():
        try:
            found[role] = [(locate_file(study.place_of(f.path)), f.sha256) for f in files]
        except DataError:
            continue
    return found


def _shapes(store: Store, files: Sequence[tuple[Path, str]]) -> Shapes:
    """Return what sequences of roles the conversations have, each with the place of a row."""
    found: dict[str, str] = {}
    for path, sha256 in dict.fromkeys(files):
        name = key_of(["turns", sha256])
        own = store.read_fits(name).get("turns")
        if own is None:
            own = {}
            with suppress(DataError):
                own = dict(_read(path))
                store.write_fits(name, {"turns": own})
        for roles, where in sorted(own.items(), key=lambda item: _place(item[1])):
            found.setdefault(roles, f"{path}{where}")
    return found


def _place(where: str) -> int:
    """Return the number of the row that `where` names, since the store keeps no order."""
    return int("".join(filter(str.isdigit, where)) or 0)


def _read(path: Path) -> Iterator[tuple[str, str]]:
    """Yield roles and place in a file, the first row of each sequence only."""
    seen = set()
    for where, raw in read_rows(path):
        said = exchange(raw, where)
        roles = "" if isinstance(said, str) else ",".join(role for role, _ in said.turns)
        if roles and roles not in seen:
            seen.add(roles)
            yield roles, where.removeprefix(str(path))


def _taken(
    study: StudySpec, lock: Lock, store: Store, model: ModelSpec, shapes: Shapes
) -> Mapping[str, Taken]:
    """Return what a model's template makes of turns; nothing while its files are not here."""
    locked = lock.models[model.name]
    scheme, _, rest = locked.ref.partition(":")
    place = study.place_of(rest) if scheme in ("path", "config") else rest
    try:
        folder = locate(f"{scheme}:{place}")
    except ModelError:
        return {}
    name = key_of(["template", locked.tokeniser, file_digest(Path(str(families.__file__)))])
    known: dict[str, Taken] = store.read_fits(name)
    if asked := sorted(shapes.keys() - known.keys()):
        known |= _answers(folder, asked)
        store.write_fits(name, known)
    return known


def _answers(folder: Path, shapes: Sequence[str]) -> dict[str, Taken]:
    """Ask a child process; where it breaks, nothing is known, and the run will tell."""
    try:
        said = subprocess.run(
            [sys.executable, "-m", "smalltune.planning.contents"],
            input=json.dumps([sys.path, str(folder), list(shapes)]), capture_output=True, text=True,
            timeout=MOST_SECONDS, check=True,
        )  # fmt: skip
        found: dict[str, Taken] = json.loads(said.stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return {}
    return found


def _note(
    study: StudySpec,
    task: TaskSpec,
    model: ModelSpec,
    shapes: Shapes,
    taken: Mapping[str, Taken],
    problems: Problems,
) -> None:
    """Note the first row that a template refuses, and the first that bars demonstrations."""
    answers = {where: taken[roles] for roles, where in shapes.items() if roles in taken}
    for where, (reason, _) in answers.items():
        if reason:
            text = f"{where}: {reason}, or drop the rows whose turns are like those of this one"
            problems.add(("tasks", task.name), text)
            return
    first = next((w for w, (_, role) in answers.items() if role != "user"), None)
    for method in study.methods:
        shown = getattr(method.kind, "shots", 0) and meets(method, task)
        if first and shown and model in asked_by(method, study.models):
            text = (
                f"{method.name} on {task.name}: {first}: the conversation begins with the "
                f"{answers[first][1]}'s turn, and no solved items can stand before it: keep the "
                "method off this task by `tasks:`, or say `chat: false`"
            )
            problems.add(("methods", method.name), text)


def _ask() -> None:
    """Answer the question on stdin as one line of JSON: the child process."""
    from smalltune.models.loading import load_tokeniser

    path, folder, shapes = json.loads(sys.stdin.read())
    sys.path[:] = path
    found: dict[str, Any] = {}
    prompts = families.Prompts(load_tokeniser(Path(folder)), chat=True)
    for roles in shapes:
        turns = [(role, "a") for role in (roles or "user").split(",")]
        try:
            if not roles:
                _ = prompts.ends
            prompts.encode([turns])
            found[roles] = "", prompts.settled(turns)[0][0]
        except ModelError as error:
            found[roles] = str(error), ""
    print(json.dumps(found))


if __name__ == "__main__":
    _ask()

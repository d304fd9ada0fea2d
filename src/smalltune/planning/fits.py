"""Fits: whether each method can be applied to each model, found out before anything long starts.

A method says so itself when it counts its parameters (`Gradient.parameters`): a target that does
not exist, a rank larger than a matrix, biases that are not there. It is asked in a child process,
about a model without numbers (PyTorch's meta device), so that this process stays without PyTorch;
answers are kept in the store by the model's configuration and the method's options and code. What
is stored already is not asked about.
"""

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from smalltune.core.errors import MethodError, ModelError
from smalltune.core.job import Plan
from smalltune.core.keys import file_digest, key_of
from smalltune.core.plugins import load
from smalltune.core.store import Store
from smalltune.methods import Gradient, WholeModel
from smalltune.models.families import NO_TEMPLATE
from smalltune.models.sources import locate
from smalltune.planning.cells import cells
from smalltune.planning.checkpoints import has_chat_template
from smalltune.planning.lock import Lock
from smalltune.planning.spec import MethodSpec, ModelSpec, StudySpec
from smalltune.planning.yaml_lines import Problems

__all__ = ["check_fits"]

MOST_SECONDS = 600

Answer = tuple[str, str] | None
"""Of which room of the study file ("models" or "methods") something is wrong, and what."""


class _Question(NamedTuple):
    """A method with its options for a model, whose configuration lies in `folder`."""

    model: ModelSpec
    method: MethodSpec
    options: Mapping[str, Any]
    folder: Path
    config: str
    key: str


def check_fits(study: StudySpec, lock: Lock, store: Store, plan: Plan) -> list[str]:
    """Return remarks on what could not be looked at.

    Raises StudyError with the lines of models and methods that do not go together, of methods
    whose packages are not installed, and of models that are to chat and have no template for it.
    """
    problems = Problems(study.document)
    for model in study.models:
        folder = _folder(study, lock, model) if model.chat else None
        if folder and not has_chat_template(folder):
            text = f"{model.source.partition(':')[2]}: {NO_TEMPLATE}"
            problems.add(("models", model.name, "chat"), text)
    pairs = list(_open_pairs(study, store, plan))
    for method in dict.fromkeys(method.name for _, method in pairs):
        _note_packages(next(m for _, m in pairs if m.name == method), problems)
    problems.stop()
    questions = [q for model, method in pairs for q in _questions(study, lock, model, method)]
    answers, remarks = _answers(store, questions)
    told: set[tuple[str, str]] = set()
    for question in questions:
        answer = answers.get(question.key)
        pair = question.model.name, question.method.name
        if answer and pair not in told:
            told.add(pair)
            _note(study, question, answer, problems)
    problems.stop()
    return remarks


def _open_pairs(study: StudySpec, store: Store, plan: Plan) -> Iterator[tuple[ModelSpec, Any]]:
    """Yield each model and method that trains, of which something is not stored."""
    done = {t.id for t in plan.trials if all(map(store.known, _keys(t)))}
    seen = set()
    for cell in cells(study):
        if cell.model is None or not cell.method.kind.trains or cell.id in done:
            continue
        if (pair := (cell.model.name, cell.method.name)) not in seen:
            seen.add(pair)
            yield cell.model, cell.method


def _keys(trial: Any) -> list[str]:
    return [job.key for job in trial.goals]


def _note_packages(method: MethodSpec, problems: Problems) -> None:
    for package, extra in getattr(method.kind, "needs", {}).items():
        if importlib.util.find_spec(package) is None:
            text = (
                f"{method.name} needs {package}, which is not installed: "
                f"`pip install 'smalltune[{extra}]'`"
            )
            problems.add(("methods", method.name), text)


def _questions(
    study: StudySpec, lock: Lock, model: ModelSpec, method: MethodSpec
) -> Iterator[_Question]:
    """Yield a question for each setting of the method's own options; none about whole models."""
    if not issubclass(method.kind, Gradient) or issubclass(method.kind, WholeModel):
        return
    folder = _folder(study, lock, model)
    if folder is None:
        return
    config, seen = file_digest(folder / "config.json"), set()
    for chosen in method.candidates or ({},):
        options = method.settled(chosen)[0].options()
        key = key_of([method.method, method.kind.version, options, _code(method.kind)])
        if key not in seen:
            seen.add(key)
            yield _Question(model, method, options, folder, config, f"{config}/{key}")


def _folder(study: StudySpec, lock: Lock, model: ModelSpec) -> Path | None:
    """Return where a model's files lie; None on the hub where they are not fetched yet."""
    scheme, _, rest = lock.models[model.name].ref.partition(":")
    place = study.place_of(rest) if scheme in ("path", "config") else rest
    try:
        return locate(f"{scheme}:{place}")
    except ModelError:
        return None


@cache
def _code(kind: Any) -> str:
    """Return the digest of the code that answers."""
    import smalltune

    rooms = Path(str(smalltune.__file__)).parent
    shared = [*sorted((rooms / "methods").glob("_*.py")), rooms / "models" / "targets.py"]
    own = sys.modules[kind.__module__].__file__
    return key_of([file_digest(path) for path in [*shared, Path(str(own))]])


def _answers(store: Store, questions: Sequence[_Question]) -> tuple[dict[str, Answer], list[str]]:
    """Return what is known or found out, by question, and remarks."""
    known: dict[str, Answer] = {}
    for config in {q.config for q in questions}:
        known |= {f"{config}/{key}": each for key, each in store.read_fits(config).items()}
    asked = [q for q in questions if q.key not in known]
    if not asked or importlib.util.find_spec("torch") is None:
        return known, []
    lines = [[q.key, str(q.folder), q.method.method, dict(q.options)] for q in asked]
    command = [sys.executable, "-m", "smalltune.planning.fits"]
    try:
        said = subprocess.run(
            command, input=json.dumps([sys.path, lines]), capture_output=True, text=True,
            timeout=MOST_SECONDS, check=True,
        )  # fmt: skip
        found: dict[str, Answer] = json.loads(said.stdout.splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        reason = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1:]
        return known, [f"methods were not compared with models beforehand: {' '.join(reason)}"]
    known |= found
    for config in {q.config for q in asked}:
        new = {k.partition("/")[2]: v for k, v in known.items() if k.startswith(f"{config}/")}
        store.write_fits(config, new)
    return known, []


def _note(study: StudySpec, question: _Question, answer: Sequence[str], problems: Problems) -> None:
    """Note what is wrong at the line of the option that it names, or of the entry."""
    room, text = answer
    if room == "models":
        problems.add((room, question.model.name), text)
        return
    place = (room, question.method.name)
    words = re.findall(r"\w+", text)
    given = study.document.data.get(room, {}).get(question.method.name)
    options = [n for n in words if isinstance(given, dict) and n in given]
    where = (*place, options[0]) if options else place
    problems.add(where, f"{question.method.name} on {question.model.name}: {text}")


def _ask() -> None:
    """Answer the questions on stdin as one line of JSON: the child process."""
    from smalltune.models.loading import empty_model

    path, lines = json.loads(sys.stdin.read())
    sys.path[:] = path
    models: dict[str, Any] = {}
    found: dict[str, Answer] = {}
    for key, folder, name, options in lines:
        if folder not in models:
            try:
                models[folder] = empty_model(Path(folder))
            except ModelError as error:
                models[folder] = error
        model = models[folder]
        if isinstance(model, ModelError):
            found[key] = ("models", str(model))
            continue
        try:
            load("smalltune.methods", name)(**options).parameters(model)
            found[key] = None
        except (MethodError, ModelError) as error:
            found[key] = ("methods", str(error))
        except Exception:  # a fault in code of the user's own shows where it is trained
            found[key] = None
    print(json.dumps(found))


if __name__ == "__main__":
    _ask()

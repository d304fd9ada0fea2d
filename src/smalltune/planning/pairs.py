"""Pairs: which methods of a study meet which of its tasks and models.

Each method meets each task and model, with three exceptions. A method may name its `tasks` and its
`models`. On a task that is not `trained` nothing is trained. And a method that asks no model
answers with labels, or with texts, so that tasks of the other sort are not for it; where the study
has some that are, it meets those, and what was left out is told with the plan. Nor are
demonstrations for running text, which asks nothing.
"""

from collections.abc import Sequence
from dataclasses import replace

from smalltune.core.plugins import nearest
from smalltune.planning.spec import Contrast, MethodSpec, ModelSpec, StudySpec, TaskSpec
from smalltune.planning.yaml_lines import Problems

__all__ = ["able", "asked_by", "check_pairs", "left_out", "meets", "shared_contrasts"]


def meets(method: MethodSpec, task: TaskSpec) -> bool:
    """Tell whether trials of this method on this task are part of the study."""
    return _wanted(method, task) and able(method, task)


def asked_by(method: MethodSpec, models: Sequence[ModelSpec]) -> tuple[ModelSpec, ...]:
    """Return the models that a method is for, in the order of the study."""
    return tuple(model for model in models if not method.models or model.name in method.models)


def left_out(study: StudySpec) -> list[tuple[str, str, str]]:
    """Return method, task and reason of each pair that is not there though nobody excluded it."""
    return [
        (method.name, task.name, f"it {_offers(method)}, and {task.name} {_asks(task)}")
        for task in study.tasks
        for method in study.methods
        if _wanted(method, task) and not able(method, task)
    ]


def check_pairs(
    tasks: Sequence[TaskSpec],
    methods: Sequence[MethodSpec],
    models: Sequence[ModelSpec],
    problems: Problems,
) -> None:
    """Note a task or model that there is not, and methods and tasks that nothing is left for."""
    known = [task.name for task in tasks]
    for method in methods:
        place = ("methods", method.name, "tasks")
        _check_names(method, "task", method.tasks, known, problems)
        _check_names(method, "model", method.models, [m.name for m in models], problems)
        _check_asked(tasks, method, problems)
        asked = [task for task in tasks if _wanted(method, task)]
        unable = [f"{task.name} {_asks(task)}" for task in asked if not able(method, task)]
        if unable and (method.tasks or len(unable) == len(asked)):
            text = f"{method.name} {_offers(method)}, and {', and '.join(unable)}"
            problems.add(place if method.tasks else place[:2], text)
    problems.stop()
    beside = {name for task in tasks for name in task.also} | {m.on for m in methods}
    for task in tasks:
        if task.name not in beside and not any(meets(method, task) for method in methods):
            text = (
                f"no method of this study meets the task {task.name!r}: add one, or drop the task"
            )
            problems.add(("tasks", task.name), text)


def _check_asked(tasks: Sequence[TaskSpec], method: MethodSpec, problems: Problems) -> None:
    """Note a method that would train only where nothing is trained."""
    named = [task for task in tasks if not method.tasks or task.name in method.tasks]
    closed = [task.name for task in named if _only_asked(method, task)]
    if closed and (method.tasks or len(closed) == len(named)):
        text = f"{method.name} trains weights, and {', '.join(closed)} says `trained: false`"
        problems.add(("methods", method.name, "tasks"), text)


def shared_contrasts(
    contrasts: Sequence[Contrast],
    tasks: Sequence[TaskSpec],
    methods: Sequence[MethodSpec],
    models: Sequence[ModelSpec],
    problems: Problems,
) -> tuple[Contrast, ...]:
    """Return the contrasts, one on each task or model that its methods share where not on all.

    A contrast whose methods share none, or not the task or model that it names, is noted.
    """
    by_name = {method.name: method for method in methods}
    found: list[Contrast] = []
    for number, one in enumerate(contrasts):
        sides = [by_name[name] for name in (one.a, one.b) if name in by_name]
        asked = [side for side in sides if side.kind.uses_model]
        named = [task.name for task in tasks if one.task in (None, task.name)]
        both = [t.name for t in tasks if t.name in named and all(meets(s, t) for s in sides)]
        of = [model.name for model in models if one.model in (None, model.name)]
        shared = [m for m in of if all(not s.models or m in s.models for s in asked)]
        each_task: list[str | None] = [one.task] if both == named else [*both]
        each_model: list[str | None] = [one.model] if shared == of else [*shared]
        found += [replace(one, task=t, model=m) for t in each_task for m in each_model]
        for what, where, there in (("task", one.task, both), ("model", one.model, shared)):
            if not there and (named if what == "task" else of):
                at = f"the {what} {where!r}" if where else f"any {what}"
                text = f"{one.a} and {one.b} are not both asked {at}: there is nothing to compare"
                problems.add(("contrasts", str(number)), text)
    return tuple(found)


def _check_names(
    method: MethodSpec, what: str, named: Sequence[str], known: Sequence[str], problems: Problems
) -> None:
    for name in named:
        if name not in known:
            text = f"no {what} {name!r} in this study. {nearest(name, known)}"
            problems.add(("methods", method.name, f"{what}s"), text)
    if named and what == "model" and not method.kind.uses_model:
        problems.add(("methods", method.name, "models"), f"{method.name} asks no model")


def able(method: MethodSpec, task: TaskSpec) -> bool:
    """Tell whether a method can answer a task, by what both declare."""
    answers = _answers(method)
    if answers == "any":
        shows = method.kind.uses_rows and not method.kind.trains
        return not shows or bool(getattr(task.task, "asks", True))
    if answers == "texts":
        return getattr(task.task, "judged", None) == "text"
    labelled = bool(getattr(task.task, "labels", None))
    return labelled and (not method.kind.uses_model or getattr(task.task, "one_prompt", False))


def _offers(method: MethodSpec) -> str:
    """Return in words what a method that cannot answer every task does."""
    answers = _answers(method)
    return "shows solved items" if answers == "any" else f"answers with {answers}"


def _asks(task: TaskSpec) -> str:
    """Return in words what a task asks for, as the rest of a sentence that its name begins."""
    if not getattr(task.task, "asks", True):
        return "is running text, which asks nothing"
    if judged := getattr(task.task, "judged", None):
        return "wants texts" if judged == "text" else "asks how likely its own texts are"
    one = getattr(task.task, "one_prompt", False)
    return "wants labels" if one else "weighs several choices behind each prompt"


def _wanted(method: MethodSpec, task: TaskSpec) -> bool:
    return (not method.tasks or task.name in method.tasks) and not _only_asked(method, task)


def _only_asked(method: MethodSpec, task: TaskSpec) -> bool:
    """Tell whether a method would train on a task that is only asked."""
    return bool(method.kind.trains) and not task.trained and method.on is None


def _answers(method: MethodSpec) -> str:
    usual = "any" if method.kind.uses_model else "labels"
    return str(getattr(method.kind, "answers", usual))

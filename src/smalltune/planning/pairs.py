"""Pairs: which methods of a study meet which of its tasks.

Each method meets each task, with two exceptions. A method may name its `tasks`. And one that asks
no model answers with labels, or with texts, so that tasks of the other sort are not for it; where
the study has some that are, it meets those, and what was left out is told with the plan. Nor
are demonstrations for running text, which asks nothing.
"""

from collections.abc import Sequence
from dataclasses import replace

from smalltune.core.plugins import nearest
from smalltune.planning.spec import Contrast, MethodSpec, StudySpec, TaskSpec
from smalltune.planning.yaml_lines import Problems

__all__ = ["check_pairs", "left_out", "meets", "shared_contrasts"]


def meets(method: MethodSpec, task: TaskSpec) -> bool:
    """Tell whether trials of this method on this task are part of the study."""
    return _wanted(method, task) and _able(method, task)


def left_out(study: StudySpec) -> list[tuple[str, str]]:
    """Return method and task of each pair that is not there though nobody excluded it."""
    return [
        (method.name, task.name)
        for task in study.tasks
        for method in study.methods
        if _wanted(method, task) and not _able(method, task)
    ]


def check_pairs(
    tasks: Sequence[TaskSpec], methods: Sequence[MethodSpec], problems: Problems
) -> None:
    """Note a task that there is not, and methods and tasks that nothing is left for."""
    known = [task.name for task in tasks]
    for method in methods:
        place = ("methods", method.name, "tasks")
        for name in method.tasks:
            if name not in known:
                text = f"no task {name!r} in this study. {nearest(name, known)}"
                problems.add(place, text)
        asked = [task for task in tasks if _wanted(method, task)]
        unable = [repr(task.name) for task in asked if not _able(method, task)]
        if unable and (method.tasks or len(unable) == len(asked)):
            has = f"task {unable[0]} has" if len(unable) == 1 else f"tasks {', '.join(unable)} have"
            answers = _answers(method)
            what = "questions" if answers == "any" else answers
            text = f"{method.name} answers with {what}, and the {has} none"
            problems.add(place if method.tasks else place[:2], text)
    problems.stop()
    for task in tasks:
        if not any(meets(method, task) for method in methods):
            text = (
                f"no method of this study meets the task {task.name!r}: add one, or drop the task"
            )
            problems.add(("tasks", task.name), text)


def shared_contrasts(
    contrasts: Sequence[Contrast],
    tasks: Sequence[TaskSpec],
    methods: Sequence[MethodSpec],
    problems: Problems,
) -> tuple[Contrast, ...]:
    """Return the contrasts, one on each task that its methods share where these are not all.

    A contrast whose methods share none, or not the task that it names, is noted.
    """
    by_name = {method.name: method for method in methods}
    found: list[Contrast] = []
    for number, one in enumerate(contrasts):
        sides = [by_name[name] for name in (one.a, one.b) if name in by_name]
        named = [task for task in tasks if one.task in (None, task.name)]
        both = [task.name for task in named if all(meets(side, task) for side in sides)]
        if both == [task.name for task in named]:
            found.append(one)
        elif both:
            found += [replace(one, task=name) for name in both]
        else:
            where = f"the task {one.task!r}" if one.task else "any task"
            text = f"{one.a} and {one.b} are not both asked {where}: there is nothing to compare"
            problems.add(("contrasts", str(number)), text)
    return tuple(found)


def _wanted(method: MethodSpec, task: TaskSpec) -> bool:
    return not method.tasks or task.name in method.tasks


def _able(method: MethodSpec, task: TaskSpec) -> bool:
    answers = _answers(method)
    if answers == "any":
        shows = method.kind.uses_rows and not method.kind.trains
        return not shows or bool(getattr(task.task, "asks", True))
    if answers == "texts":
        return getattr(task.task, "judged", None) == "text"
    labelled = bool(getattr(task.task, "labels", None))
    return labelled and (not method.kind.uses_model or getattr(task.task, "one_prompt", False))


def _answers(method: MethodSpec) -> str:
    usual = "any" if method.kind.uses_model else "labels"
    return str(getattr(method.kind, "answers", usual))

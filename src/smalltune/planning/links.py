"""Links: entries of a study that name each other.

    tasks.X.also     other tasks, whose rows whatever was trained for X answers too
    methods.X.on     the task that X is trained on, whatever it is asked
    methods.X.after  the method whose weights X starts from, seed by seed

What a method can do here it declares: that it `trains`, that its weights can be made a model
(`merge`), that it `keeps_base` and so would keep what it starts from.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from smalltune.core.plugins import nearest
from smalltune.planning.pairs import able, meets
from smalltune.planning.spec import MethodSpec, TaskSpec
from smalltune.planning.yaml_lines import Problems

__all__ = ["answers_too", "check_links"]


def answers_too(method: MethodSpec, other: TaskSpec) -> bool:
    """Tell whether what a method trained for one task can be asked another one too."""
    return bool(method.kind.trains) and able(method, other)


def check_links(
    tasks: Sequence[TaskSpec], methods: Sequence[MethodSpec], problems: Problems
) -> None:
    """Note what names nothing, names itself, or cannot be done."""
    named = {task.name: task for task in tasks}
    for task in tasks:
        for number, name in enumerate(task.also):
            if wrong := _also(task, name, named, methods):
                problems.add(("tasks", task.name, "also", str(number)), wrong)
    known = {method.name: method for method in methods}
    for method in methods:
        place = ("methods", method.name)
        if wrong := _on(method, named):
            problems.add((*place, "on"), f"{method.name}: {wrong}")
        if wrong := _after(method, known):
            problems.add((*place, "after"), f"{method.name}: {wrong}")


def _also(
    task: TaskSpec, name: str, named: Mapping[str, TaskSpec], methods: Sequence[MethodSpec]
) -> str:
    """Return what is wrong with asking another task too, or nothing."""
    if name == task.name:
        return f"{name} names itself under `also`: every trial of a task answers it anyway"
    if name not in named:
        return (
            f"no task {name!r} in this study. {nearest(name, [n for n in named if n != task.name])}"
        )
    here = [method for method in methods if meets(method, task)]
    if not any(method.kind.trains for method in here):
        return (
            f"no method of this study trains weights for {task.name}, and `also: {name}` is asked "
            "of trained weights: add such a method, or leave it out"
        )
    if not any(answers_too(method, named[name]) for method in here):
        return f"no method that is trained for {task.name} can answer {name!r}"
    return ""


def _on(method: MethodSpec, named: Mapping[str, TaskSpec]) -> str:
    """Return what is wrong with the task that a method is trained on, or nothing."""
    wants_texts = getattr(method.told, "instructs", False)
    texts = [name for name, task in named.items() if _has_texts(task)]
    if method.on is None:
        if not wants_texts:
            return ""
        there = f" This study has: {', '.join(texts)}" if texts else ""
        return f"`on` is missing: it names the task whose instructions are learned.{there}"
    if not method.kind.trains:
        return f"`on` names what weights are trained on, and {method.method} trains none"
    if method.on not in named:
        return f"no task {method.on!r} in this study. {nearest(method.on, texts or list(named))}"
    if wants_texts and method.on not in texts:
        return (
            f"it learns to write answers, and the task {method.on!r} has none: name instruction "
            f"data or another task of texts{': ' + ', '.join(texts) if texts else ''}"
        )
    if not able(method, named[method.on]):
        return f"it cannot be trained on the task {method.on!r}"
    return ""


def _after(method: MethodSpec, known: Mapping[str, MethodSpec]) -> str:
    """Return what is wrong with what a method starts from, or nothing."""
    if method.after is None:
        return ""
    if method.after not in known:
        others = [name for name in known if name != method.name]
        return f"no method {method.after!r} in this study. {nearest(method.after, others)}"
    first = known[method.after]
    if not method.kind.uses_model:
        return f"{method.method} asks no model, so there is nothing that it could start from"
    if not getattr(method.kind, "keeps_base", True):
        return f"{method.method} draws all weights anew, so nothing of {first.name} would be left"
    if not first.kind.trains:
        return f"{first.name} trains no weights, so there is nothing to start from"
    if _quantised(first):
        return (
            f"{first.name} trains over a base in fewer bits, and what it trains would be merged "
            "into other weights than those: start after a method that keeps the base whole"
        )
    if not hasattr(first.kind, "merge"):
        return (
            f"what {first.name} trains cannot be made part of the model's own weights, so nothing "
            "can start from it"
        )
    return _circle(method, known)


def _circle(method: MethodSpec, known: Mapping[str, MethodSpec]) -> str:
    """Return how a method comes after itself, or nothing."""
    way, at = [method.name], method.after
    while at is not None and at in known and at not in way:
        way.append(at)
        at = known[at].after
    return f"it comes after itself: {' after '.join([*way, at])}" if at == method.name else ""


def _quantised(method: MethodSpec) -> bool:
    """Tell whether a method trains over a base that is held in fewer bits."""
    held = getattr(method.settled()[0], "quantised", None)
    return bool(held and held())


def _has_texts(task: TaskSpec) -> bool:
    """Tell whether a task's answers are texts, as those of instructions are."""
    judged: Any = getattr(task.task, "judged", None)
    return judged is not None

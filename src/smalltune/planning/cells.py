"""Cells: the coordinates of a study's trials: model, method, task and seed.

What a method declares decides, never its name: `uses_model` gives it the model axis, `trains` or
drawn rows give it the seed axis.
"""

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from smalltune.planning.pairs import asked_by, meets
from smalltune.planning.spec import MethodSpec, ModelSpec, StudySpec, TaskSpec

__all__ = ["Cell", "cells", "draws"]


class Cell(NamedTuple):
    """A trial's coordinates; the model is None where the method asks none."""

    model: ModelSpec | None
    method: MethodSpec
    task: TaskSpec
    seed: int | None

    @property
    def id(self) -> str:
        """The trial's id, with "-" for an axis that the method does not use."""
        model = self.model.name if self.model else "-"
        seed = "-" if self.seed is None else str(self.seed)
        return f"{model}/{self.method.name}/{self.task.name}/{seed}"


def cells(study: StudySpec) -> Iterator[Cell]:
    """Yield the coordinates of every trial of a study, tuned or not."""
    for task, method in product(study.tasks, study.methods):
        if not meets(method, task):
            continue
        models = asked_by(method, study.models) if method.kind.uses_model else (None,)
        seeds = study.seeds if draws(method, task) else (None,)
        for model, seed in product(models, seeds):
            yield Cell(model, method, task, seed)


def draws(method: MethodSpec, task: TaskSpec) -> bool:
    """Tell whether a trial's seed can change its answer."""
    kind = method.kind
    draws = method.after is not None or getattr(kind, "draws", kind.trains)
    return bool(draws or (kind.uses_rows and task.limit is not None))

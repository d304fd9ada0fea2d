"""Fewer: how many answers were given with fewer solved items before them than were asked for.

Solved items stand before a prompt as far as they have room in what the model reads; where they have
not, the first ones are left out. A method is then another one than its name says, so it is told.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from smalltune.analysis.records import TrialRecord
from smalltune.core.store import Store

__all__ = ["Fewer", "fewer"]


@dataclass(frozen=True)
class Fewer:
    """The answers of a method to a task on one split, all its runs together.

    Of `answers` there were `short` with fewer solved items; `keys` are those of the predictions.
    """

    model: str
    method: str
    task: str
    short: int
    answers: int
    keys: tuple[str, ...]
    trials: tuple[str, ...]


def fewer(store: Store, trials: Sequence[TrialRecord], split: str) -> tuple[Fewer, ...]:
    """Return where some answers to a split had fewer solved items, as far as it is stored."""
    cells: dict[tuple[str, str, str], list[tuple[int, int, str, str]]] = {}
    for trial in trials:
        key = trial.predict.get(split)
        facts = store.read_json(key, "facts.json") if key and store.known(key) else {}
        if key and "shown_fewer" in facts:
            one = facts["shown_fewer"], facts["examples"], key, trial.id
            cells.setdefault((trial.model, trial.method, trial.task), []).append(one)
    found = []
    for (model, method, task), runs in cells.items():
        short, answers, keys, ids = zip(*runs, strict=True)
        if any(short):
            found.append(Fewer(model, method, task, sum(short), sum(answers), keys, ids))
    return tuple(found)

"""Tuning: what a search tried, what it chose, and what it cost.

A search is the tuning of one method on one task with one model, its runs are trials with a seed of
their own. What the store does not have is NaN, and a search is complete when its choice is known.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from smalltune.analysis.costs import Cost, cost
from smalltune.analysis.records import TrialRecord
from smalltune.core.store import Store

__all__ = ["DECISIVE", "Budget", "Tuned", "TuningRun", "budget", "budgets", "tuned"]

DECISIVE = 6
"""Runs of a search below which the paper says that a claim rests on few."""

NAN = float("nan")


@dataclass(frozen=True)
class TuningRun:
    """One run of a search: its place from 1, what it tried, and its score on dev.

    `extended` says that it lies beyond the values of the budget, because the best lay at their
    edge; `key` is that of its score, `keys` are that, once stored, and what chose among the runs.
    """

    trial: int
    options: Mapping[str, Any]
    score: float
    chosen: bool
    extended: bool
    cost: Cost
    key: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Tuned:
    """A search: its runs in their order, of which the first `trials` are the budget's.

    `metric` decides on dev, `better` is its good direction. At most `extend` runs may follow beyond
    an edge. `edge` is "lowest" or "highest" where the choice lies at that end of the values of
    `option`, the one that is followed beyond it, "" inside; `edges` are those of all options.
    `seed` is that of all its runs, which no final trial has.
    """

    model: str
    method: str
    task: str
    seed: int | None
    metric: str
    better: str
    trials: int
    extend: int
    option: str
    edge: str
    complete: bool
    runs: tuple[TuningRun, ...]

    @property
    def chosen(self) -> TuningRun | None:
        """The run whose values the final trials have; None while nothing is chosen."""
        return next((run for run in self.runs if run.chosen), None)

    @property
    def edges(self) -> dict[str, str]:
        """Return of which numbers that were searched the choice is the lowest or the highest."""
        found = {self.option: self.edge} if self.edge else {}
        for option, value in (self.chosen.options if self.chosen else {}).items():
            tried = [run.options.get(option) for run in self.runs]
            numbers = [v for v in tried if isinstance(v, int | float) and not isinstance(v, bool)]
            if option == self.option or len(numbers) < len(tried) or len(set(numbers)) < 2:
                continue
            if value in (min(numbers), max(numbers)):
                found[option] = "lowest" if value == min(numbers) else "highest"
        return found

    @property
    def extended(self) -> int:
        """How many runs lie beyond the values of the budget."""
        return sum(run.extended for run in self.runs)

    @property
    def keys(self) -> tuple[str, ...]:
        """The artifacts that the search rests on, each once."""
        return tuple(dict.fromkeys(key for run in self.runs for key in run.keys))


@dataclass(frozen=True)
class Budget:
    """What the searches of one method took together; unknown is NaN.

    `trials` counts the runs, `extended` those of them beyond an edge, `stored` those that are
    there. `each` are the numbers of runs of its searches, each number once. Steps and tokens are
    those of training, seconds and joules hold everything.
    """

    method: str
    searches: int
    trials: int
    extended: int
    stored: int
    each: tuple[int, ...]
    steps: float
    tokens: float
    seconds: float
    cpu_seconds: float
    energy_joules: float
    keys: tuple[str, ...]


def tuned(store: Store, rows: Iterable[Mapping[str, Any]]) -> tuple[Tuned, ...]:
    """Return the searches of a plan record (`tuning`), with what the store has of them."""
    return tuple(_tuned(store, row) for row in rows)


def budgets(searches: Sequence[Tuned]) -> tuple[Budget, ...]:
    """Return what each tuned method spent, in the order of the searches."""
    names = dict.fromkeys(one.method for one in searches)
    return tuple(budget(name, [s for s in searches if s.method == name]) for name in names)


def _tuned(store: Store, row: Mapping[str, Any]) -> Tuned:
    select, metric = row["select"], row["metric"]
    known = store.known(select)
    best = store.read_json(select, "choice.json")["index"] if known else None
    runs = []
    for place, tried in enumerate(row["runs"]):
        record = TrialRecord(
            **{n: tried[n] for n in TrialRecord.__dataclass_fields__ if n in tried}
        )
        score = record.score["dev"]
        there = store.known(score)
        value = store.read_json(score, "facts.json")["values"].get(metric) if there else None
        runs.append(
            TuningRun(
                trial=place + 1,
                options=tried["options"],
                score=NAN if value is None else float(value),
                chosen=place == best,
                extended=place >= row["trials"],
                cost=cost(store, record),
                key=score,
                keys=((score,) if there else ()) + ((select,) if known else ()),
            )
        )
    return Tuned(
        model=row["model"],
        method=row["method"],
        task=row["task"],
        seed=row["runs"][0]["seed"],
        metric=metric,
        better=row["better"],
        trials=row["trials"],
        extend=row["extend"],
        option=row["option"],
        edge=row["edge"],
        complete=known,
        runs=tuple(runs),
    )


def budget(method: str, own: Sequence[Tuned]) -> Budget:
    """Return what some searches took together, under a name."""
    runs = [run for one in own for run in one.runs]
    costs = [run.cost for run in runs]
    return Budget(
        method=method,
        searches=len(own),
        trials=len(runs),
        extended=sum(run.extended for run in runs),
        stored=sum("predict dev" in run.cost.parts for run in runs),
        each=tuple(sorted({len(one.runs) for one in own})),
        steps=_sum(one.steps for one in costs),
        tokens=_sum(one.tokens for one in costs),
        seconds=_sum(one.seconds for one in costs),
        cpu_seconds=_sum(one.cpu_seconds for one in costs),
        energy_joules=_sum(one.energy_joules for one in costs),
        keys=tuple(dict.fromkeys(key for one in costs for key in one.keys)),
    )


def _sum(values: Iterable[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) if known else NAN

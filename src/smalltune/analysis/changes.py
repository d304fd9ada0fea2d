"""Changes: what training for one task does to the answers to another.

Forgetting is such a change, on text that nobody trained for. What a trained thing scores on
another task stands beside what the base as it is scores there, on the same items, and the
difference has the interval of any other difference (see `contrasts`).
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from smalltune.analysis.alike import check_metric, same_items
from smalltune.analysis.contrasts import contrast
from smalltune.analysis.intervals import LEVEL, Estimate, estimate
from smalltune.analysis.records import Sample, Scored, TrialRecord
from smalltune.analysis.results import Results
from smalltune.core.plugins import load

__all__ = ["Change", "change_rows", "changes", "elsewhere", "stored_elsewhere"]


@dataclass(frozen=True)
class Change:
    """A method in its trials of `task`, asked another one, `after.task`, by one metric.

    `before` is the base as it is and `difference` is after minus before, both None where the study
    does not ask the base that task. `better` is the metric's good direction.
    """

    task: str
    after: Estimate
    before: Estimate | None
    difference: Estimate | None
    better: str


def changes(results: Results, level: float = LEVEL) -> tuple[Change, ...]:
    """Return every answer to another task that is stored, for each metric of that task."""
    found = []
    for model, method, task, other in results.elsewhere:
        for metric in results.measured(other):
            after = elsewhere(results, (model, method, task), other, metric)
            if after.items:
                found.append(_change(results, task, after, level))
    return tuple(found)


def elsewhere(results: Results, cell: tuple[str, str, str], other: str, metric: str) -> Sample:
    """Return all seeds of a cell (model, method, task) asked another task, which the sample is of.

    Raises DataError where scores lack the metric or are not of the same items.
    """
    kind = load("smalltune.metrics", metric)
    mine = [t for t in results.trials if (t.model, t.method, t.task) == cell and other in t.also]
    here = [t for t in mine if results.store.known(t.also[other]["score"])]
    parts = [results.read_score(trial.also[other]["score"]) for trial in here]
    for trial, part in zip(here, parts, strict=True):
        check_metric(trial.id, other, part, metric, kind)
        same_items(here[0].id, parts[0], trial.id, part, other)
    return Sample(
        model=cell[0],
        method=cell[1],
        task=other,
        split=mine[0].also[other]["split"],
        metric=kind,
        stats=np.stack([p.stats[metric] for p in parts]) if parts else np.empty((0, 0, 0)),
        seeds=tuple(trial.seed for trial in here),
        items=parts[0].ids if parts else (),
        keys=tuple(part.key for part in parts),
        gaps=tuple(trial.id for trial in mine if trial not in here),
        groups=results.groups(other, mine[0].also[other]["split"], parts[0].ids) if parts else (),
    )


def stored_elsewhere(results: Results) -> Iterator[tuple[TrialRecord, str, Scored]]:
    """Yield each trial with another task that it answered too and the stored score of that."""
    for trial in results.trials:
        for other, one in trial.also.items():
            if results.store.known(one["score"]):
                yield trial, other, results.read_score(one["score"])


def change_rows(found: tuple[Change, ...]) -> list[dict[str, Any]]:
    """Return the changes as plain rows: the trials' task, the one `asked` too, three estimates."""
    return [
        {
            "model": one.after.model,
            "method": one.after.method,
            "task": one.task,
            "asked": one.after.task,
            "metric": one.after.metric,
            "split": one.after.split,
            "better": one.better,
            "after": asdict(one.after),
            "before": asdict(one.before) if one.before else None,
            "difference": asdict(one.difference) if one.difference else None,
        }
        for one in found
    ]


def _change(results: Results, task: str, after: Sample, level: float) -> Change:
    before = _before(results, after)
    told = contrast(after, before, level=level).estimate if before else None
    return Change(
        task=task,
        after=estimate(after, level),
        before=estimate(before, level) if before else None,
        difference=told,
        better=after.metric.better,
    )


def _before(results: Results, after: Sample) -> Sample | None:
    """Return what the base as it is scored on the same split, None where it was not asked."""
    base = str(results.declared.get("base") or "")
    if (after.model, base, after.task) not in results.cells:
        return None
    found = results.sample(after.model, base, after.task, after.split, after.metric.name)
    return found if found.items else None

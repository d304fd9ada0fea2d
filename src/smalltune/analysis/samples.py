"""Samples: test items to look at, chosen by a rule that is fixed before anyone looks.

Three kinds tell different things: where the methods part, what no method does well, and what an
item drawn at random looks like. Hand-picked examples would show whatever their picker wants.

What an item is worth to a method is one number. Where the answer is a label, it is the share of
the method's seeds that gave the right one. Elsewhere it is the task's primary metric of this item
alone, its mean over the seeds; a corpus metric such as BLEU is then computed as if the test split
were this item.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from smalltune.analysis.records import Prediction, TrialRecord
from smalltune.analysis.results import Results
from smalltune.core.keys import key_of
from smalltune.core.plugins import load

__all__ = ["KINDS", "RIGHT", "Example", "choose"]

KINDS = ("disagreement", "hardest", "random")
RIGHT = "right"
"""The `metric` where the answer is a label: the share of seeds that gave the right one."""


@dataclass(frozen=True)
class Example:
    """One item with what each method made of it.

    `gold` is the right label or the first reference, `references` are all right texts, `choices`
    those of a multiple choice. By method, `value` is what the item is worth (NaN where that is
    undefined) by `metric`, a metric's name or RIGHT; `said` is the share of its seeds for each
    answer that it gave, "" being no valid one; `text` what its first seed wrote, where it writes.
    `keys` are the predictions and scores behind them.
    """

    kind: str
    id: str
    fields: Mapping[str, str]
    gold: str
    references: tuple[str, ...]
    choices: tuple[str, ...]
    metric: str
    value: Mapping[str, float]
    said: Mapping[str, Mapping[str, float]]
    text: Mapping[str, str]
    keys: tuple[str, ...]


def choose(
    results: Results,
    model: str,
    task: str,
    *,
    each: int = 3,
    seed: int = 0,
    split: str = "test",
) -> tuple[Example, ...]:
    """Return up to `each` items of each of KINDS; no item twice, the same for the same seed.

    "random" is drawn first, of all items, so that it shows the split as it is; the others are of
    what that leaves. "disagreement": the methods' values vary most. "hardest": where answers are
    labels, those that every method gets wrong in most of its seeds, the worst first, and there may
    be none; elsewhere those with the least sum of the methods' values. Equal items are ordered by
    a hash of the seed and the item's id. By a metric without a good direction, or one that single
    items do not have, nothing is hard.
    """
    everything = _examples(results, model, task, split)
    drawn = sorted(everything, key=lambda e: key_of([seed, e.id]))
    rest = drawn[each:]
    parted = sorted((e for e in rest if _unlike(e) > 0), key=_unlike, reverse=True)[:each]
    shown = {example.id for example in parted}
    hardest = [example for example in _hardest(rest) if example.id not in shown][:each]
    of_each = zip(KINDS, (parted, hardest, drawn[:each]), strict=True)
    return tuple(replace(example, kind=kind) for kind, some in of_each for example in some)


def _examples(results: Results, model: str, task: str, split: str) -> list[Example]:
    """Return every item of the split that the stored trials of the task predicted."""
    trials: dict[str, list[TrialRecord]] = {}
    for trial, at in results.stored():
        if (at, trial.task) == (split, task) and trial.model in (model, "-"):
            trials.setdefault(trial.method, []).append(trial)
    if not trials:
        return []
    said = {m: [results.predictions(t.id, split) for t in ts] for m, ts in trials.items()}
    rows = next(iter(said.values()))[0]
    labelled = all(row.gold for row in rows)
    metric = RIGHT if labelled else results.primary_of(task)
    values = {
        method: _rights(said[method])
        if labelled
        else _values(results, trials[method], split, metric)
        for method in trials
    }
    keys = [key for ts in trials.values() for t in ts for key in (t.predict[split], t.score[split])]
    return [
        Example(
            kind="",
            id=row.id,
            fields=row.fields,
            gold=row.gold or "".join(row.references[:1]),
            references=row.references,
            choices=row.choices,
            metric=metric,
            value={method: float(each[at]) for method, each in values.items()},
            said={method: _answers(runs, at) for method, runs in said.items()},
            text={m: text for m, runs in said.items() if (text := runs[0][at].text) is not None},
            keys=tuple(keys),
        )
        for at, row in enumerate(rows)
    ]


def _rights(runs: Sequence[Sequence[Prediction]]) -> list[float]:
    """Return for each item the share of runs that gave the right label."""
    return [
        sum(p.predicted == p.gold for p in each) / len(runs) for each in zip(*runs, strict=True)
    ]


def _values(results: Results, trials: Iterable[TrialRecord], split: str, metric: str) -> np.ndarray:
    """Return for each item the metric of it alone, its mean over the trials."""
    kind = load("smalltune.metrics", metric)
    found = [kind.combine(results.scored(trial, split).stats[metric]) for trial in trials]
    mean: np.ndarray = np.mean(found, axis=0)
    return mean


def _answers(runs: Sequence[Sequence[Prediction]], at: int) -> dict[str, float]:
    names = [run[at].predicted or "" for run in runs]
    counts = {name: names.count(name) / len(names) for name in sorted(set(names))}
    return dict(sorted(counts.items(), key=lambda pair: -pair[1]))


def _hardest(examples: list[Example]) -> list[Example]:
    """Return the items that are hard, the hardest first."""
    if not examples:
        return []
    if examples[0].metric == RIGHT:
        return sorted((e for e in examples if max(e.value.values()) < 0.5), key=_sum)
    better = load("smalltune.metrics", examples[0].metric).better
    if better == "neither":
        return []
    known = [e for e in examples if not math.isnan(_sum(e))]
    return sorted(known, key=_sum, reverse=better == "lower")


def _sum(example: Example) -> float:
    return sum(example.value.values())


def _unlike(example: Example) -> float:
    """Return the variance over methods of what an item is worth to them; undefined is 0."""
    values = list(example.value.values())
    if not all(math.isfinite(value) for value in values):
        return 0.0
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / len(values)

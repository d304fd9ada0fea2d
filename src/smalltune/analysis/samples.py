"""Samples: test items to look at, chosen by a rule that is fixed before anyone looks.

Three kinds tell different things: where the methods part, what no method gets right, and what an
item drawn at random looks like. Hand-picked examples would show whatever their picker wants.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from smalltune.analysis.records import Prediction
from smalltune.analysis.results import Results
from smalltune.core.keys import key_of

__all__ = ["KINDS", "Example", "choose"]

KINDS = ("disagreement", "all wrong", "random")


@dataclass(frozen=True)
class Example:
    """One item with what each method made of it.

    `right` is the share of a method's seeds that gave the gold label, `said` the share of its
    seeds for each label that it gave, both by method; `keys` are the predictions behind them.
    """

    kind: str
    id: str
    fields: Mapping[str, str]
    gold: str
    right: Mapping[str, float]
    said: Mapping[str, Mapping[str, float]]
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

    "disagreement": the methods' shares of right seeds vary most. "all wrong": every method gives a
    wrong label in most of its seeds, the worst first; there may be fewer. "random": of the rest.
    Equal items are ordered by a hash of the seed and the item's id.
    """
    everything = _examples(results, model, task, split)
    drawn = sorted(everything, key=lambda e: key_of([seed, e.id]))
    ranked: dict[str, list[Example]] = {
        "disagreement": sorted((e for e in drawn if _unlike(e) > 0), key=_unlike, reverse=True),
        "all wrong": sorted((e for e in drawn if max(e.right.values()) < 0.5), key=_score),
        "random": drawn,
    }
    chosen: dict[str, Example] = {}
    for kind in KINDS:
        fresh = [example for example in ranked[kind] if example.id not in chosen]
        for example in fresh[:each]:
            chosen[example.id] = Example(**{**vars(example), "kind": kind})
    return tuple(chosen.values())


def _examples(results: Results, model: str, task: str, split: str) -> list[Example]:
    """Return every item of the split that all stored trials of the task predicted."""
    said: dict[str, list[dict[str, Prediction]]] = {}
    keys = []
    for trial, at in results.stored():
        if (at, trial.task) == (split, task) and trial.model in (model, "-"):
            rows = {row.id: row for row in results.predictions(trial.id, split)}
            said.setdefault(trial.method, []).append(rows)
            keys.append(trial.predict[split])
    if not said:
        return []
    first = next(iter(said.values()))[0]
    return [
        Example(
            kind="",
            id=id,
            fields=row.fields,
            gold=row.gold,
            right=_by_method(said, id, lambda p: float(p.predicted == p.gold)),
            said={method: _labels([rows[id] for rows in runs]) for method, runs in said.items()},
            keys=tuple(keys),
        )
        for id, row in first.items()
    ]


def _by_method(
    said: Mapping[str, list[dict[str, Prediction]]], id: str, value: Callable[[Prediction], float]
) -> dict[str, float]:
    return {m: sum(value(rows[id]) for rows in runs) / len(runs) for m, runs in said.items()}


def _labels(predictions: list[Prediction]) -> dict[str, float]:
    names = [p.predicted for p in predictions]
    counts = {name: names.count(name) / len(names) for name in sorted(set(names))}
    return dict(sorted(counts.items(), key=lambda pair: -pair[1]))


def _score(example: Example) -> float:
    return sum(example.right.values())


def _unlike(example: Example) -> float:
    """Return the variance over methods of the share of right seeds."""
    shares = list(example.right.values())
    mean = sum(shares) / len(shares)
    return sum((share - mean) ** 2 for share in shares) / len(shares)

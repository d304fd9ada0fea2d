"""Records: the plain values that are read from a store, as the rest of the analysis holds them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from smalltune.core.store import Store
from smalltune.metrics import Metric, Stats

__all__ = ["Gap", "Prediction", "Sample", "Scored", "TokenFacts", "TrialRecord"]


@dataclass(frozen=True)
class TrialRecord:
    """A trial as the plan record names it: its place in the study and the keys of its answers.

    `model` is "-" for a method that uses no model, `seed` None for one that uses no seed;
    `predict` and `score` map a split to a key, `loss` is the key of the likelihood of dev's
    references, where it is asked for. `tokens` is None for a method without a model, and in records
    written before it was kept.

    `also` has, by the name of another task that the same trained thing answered, the split and the
    keys of data, tokens, predictions and score; `learned` the task it was trained on with the keys
    of data and tokens, where that is another one; `built` the keys of the jobs that made what its
    own training started from.
    """

    id: str
    model: str
    method: str
    task: str
    seed: int | None
    data: str | None
    train: str | None
    predict: Mapping[str, str]
    score: Mapping[str, str]
    tokens: str | None = None
    loss: str | None = None
    also: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    learned: Mapping[str, str] = field(default_factory=dict)
    built: Sequence[str] = ()

    @property
    def made(self) -> dict[str, str]:
        """The key of each job that computed something for this trial, by what it did."""
        keys = {f"built {n}": key for n, key in enumerate(self.built, 1)}
        keys |= {"train": self.train} if self.train else {}
        keys |= {f"predict {split}": key for split, key in self.predict.items()}
        keys |= {"loss dev": self.loss} if self.loss else {}
        return keys | {f"predict also {task}": one["predict"] for task, one in self.also.items()}

    @property
    def scores(self) -> tuple[str, ...]:
        """The keys of all its scores, those on other tasks included."""
        return (*self.score.values(), *(one["score"] for one in self.also.values()))

    @property
    def reads(self) -> dict[str, tuple[str | None, str | None]]:
        """The keys of data and tokens of each task whose rows this trial reads."""
        others = {task: (one["data"], one["tokens"]) for task, one in self.also.items()}
        if self.learned:
            others[self.learned["task"]] = (self.learned["data"], self.learned["tokens"])
        return others | {self.task: (self.data, self.tokens)}


@dataclass(frozen=True)
class Gap:
    """A score that the plan names and the store does not have, and why, when that is known.

    `split` is "also TASK" for an answer to another task.
    """

    trial: str
    split: str
    key: str
    reason: str


@dataclass(frozen=True)
class Scored:
    """One score artifact: item ids, gold and predicted answers, and statistics per metric.

    An answer is a label's name or a text: `gold` is then the first reference, and "" where there is
    none. `predicted` is "" where the output was no valid answer. `stats` maps a metric to an array
    [items, k], `signatures` one that a library counts to how it did.
    """

    key: str
    ids: tuple[str, ...]
    gold: tuple[str, ...]
    predicted: tuple[str, ...]
    stats: Mapping[str, Stats]
    versions: Mapping[str, int]
    signatures: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, store: Store, key: str) -> "Scored":
        """Return the score that a store holds under a key."""
        rows = store.read_lines(key, "scores.jsonl")
        names = list(rows[0]["stats"]) if rows else []
        return cls(
            key=key,
            ids=tuple(row["id"] for row in rows),
            gold=tuple(row["gold"] for row in rows),
            predicted=tuple(row["predicted"] or "" for row in rows),
            stats={n: np.array([r["stats"][n] for r in rows], dtype=np.float64) for n in names},
            versions=store.manifest(key)["spec"]["metrics"],
            signatures=store.read_json(key, "facts.json").get("signatures", {}),
        )


@dataclass(frozen=True)
class Sample:
    """The per-item statistics of one method on one task: an array [seeds, items, k].

    `gaps` names the trials that are planned and not there; their seeds are not in `seeds`.
    `groups` names for each item what it belongs to (an article, a passage), so that items of one
    group are not independent of each other; () where each stands by itself.
    """

    model: str
    method: str
    task: str
    split: str
    metric: type[Metric]
    stats: Stats
    seeds: tuple[int | None, ...]
    items: tuple[str, ...]
    keys: tuple[str, ...]
    gaps: tuple[str, ...]
    groups: tuple[str, ...] = ()

    @property
    def seeded(self) -> bool:
        """Tell whether the method has a seed axis."""
        return self.seeds != (None,)

    @property
    def per_seed(self) -> Stats:
        """The metric's value for each seed, [seeds]."""
        if not self.seeds:
            return np.empty(0)
        return self.metric.combine(self.stats.mean(axis=1))


@dataclass(frozen=True)
class Prediction:
    """One item as the task gave it and what a trial said.

    `gold` is the right label, "" where the answer is a text; `references` are then the right texts.
    `choices` are those of a multiple choice, in the order of their letters. `predicted` is None
    where the output was no valid answer, "" where nothing is answered (running text). `text` is
    what a model wrote and `ended` whether it ended it, both None where it does not write.
    `log_probs` maps label to nats, where labels were weighed.
    """

    id: str
    fields: Mapping[str, str]
    gold: str
    predicted: str | None
    log_probs: Mapping[str, float]
    references: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    text: str | None = None
    ended: bool | None = None

    @classmethod
    def of(
        cls, said: Mapping[str, Any], row: Mapping[str, Any], names: Sequence[str]
    ) -> "Prediction":
        """Return what was said of an item joined with its row; `names` are those of the labels."""
        weighed = said.get("log_probs") if names else None
        return cls(
            id=said["id"],
            fields=row["fields"],
            gold=row["label"],
            predicted=said["predicted"],
            log_probs=dict(zip(names, weighed, strict=True)) if weighed else {},
            references=tuple(row.get("references", ())),
            choices=tuple(row.get("choices", ())),
            text=said.get("text"),
            ended=said.get("ended"),
        )


@dataclass(frozen=True)
class TokenFacts:
    """What was counted when a tokeniser read a task: the artifact, facts by split, and the limit.

    A split's facts are `rows`, `tokens`, `longest`, `truncated`; newer artifacts also have `mean`
    and `lengths` (a histogram of `edges` and `counts`). `limit` is the greatest number of tokens.
    """

    key: str
    splits: Mapping[str, Mapping[str, Any]]
    limit: int | None

"""Learning: whether what was trained ends below the base as it is, in loss on dev.

The loss is how unlikely the right answers of dev are: of labels and choices the mean of their
negative log-probability in nats per item, of texts the nats per token of the reference. For texts
that a model writes it is measured where the study says `dev_loss: true`. A trial that keeps what
the base has learned and does not end below it has not learned and is marked as failed; one that
gets clearly more items right all the same, without giving nearly all of them the same answer, is
marked as too sure.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from smalltune.analysis.records import TrialRecord
from smalltune.core.plugins import load
from smalltune.core.store import Store

__all__ = ["FAILED", "LEARNED", "OVERSURE", "UNKNOWN", "Learned", "learned"]

LEARNED, FAILED, OVERSURE, UNKNOWN = "learned", "failed", "oversure", "unknown"
BASE = "zero_shot"  # the method that asks the base as it is
NAN = float("nan")

ONE_SIDED = 0.98
"""The share of the same answer from which more that is right tells of that answer's frequency."""


@dataclass(frozen=True)
class Learned:
    """A trained trial's loss on dev beside the base's, and what follows; unknown is NaN.

    `right` and `base_right` are the shares of dev's items answered right, where labels are weighed.
    `status` is LEARNED, FAILED or OVERSURE (with the reason), or UNKNOWN: a loss is not stored, the
    study does not ask the base as it is, or the method draws its weights anew.
    """

    trial: str
    model: str
    method: str
    task: str
    seed: int | None
    loss: float
    base_loss: float
    right: float
    base_right: float
    status: str
    reason: str
    keys: tuple[str, ...]


class _Dev(NamedTuple):
    """What a trial's predictions on dev come to; `key` is "" where there are none.

    `right` is the share of `rows` answered right, `same` the share of the most frequent answer.
    """

    loss: float = NAN
    right: float = NAN
    same: float = NAN
    rows: int = 0
    key: str = ""


def learned(store: Store, trials: Sequence[TrialRecord]) -> tuple[Learned, ...]:
    """Return every trial that trains on the task it is asked, in the order of the plan."""
    base: dict[tuple[str, str], _Dev] = {}
    for trial in trials:
        if not trial.train and not trial.built and _asked(store, trial).get("name") == BASE:
            base[trial.model, trial.task] = _dev(store, trial)
    return tuple(
        _learned(store, trial, base.get((trial.model, trial.task), _Dev()))
        for trial in trials
        if trial.train and not trial.learned
    )


def _learned(store: Store, trial: TrialRecord, base: _Dev) -> Learned:
    own = _dev(store, trial)
    name = _asked(store, trial).get("name")
    kept = bool(name) and getattr(load("smalltune.methods", str(name)), "keeps_base", True)
    known = kept and own.key and base.key and not math.isnan(base.loss)
    status, reason = _judged(own, base) if known else (UNKNOWN, "")
    return Learned(
        trial=trial.id,
        model=trial.model,
        method=trial.method,
        task=trial.task,
        seed=trial.seed,
        loss=own.loss,
        base_loss=base.loss,
        right=own.right,
        base_right=base.right,
        status=status,
        reason=reason,
        keys=tuple(one.key for one in (own, base) if one.key),
    )


def _judged(own: _Dev, base: _Dev) -> tuple[str, str]:
    if own.loss < base.loss:
        return LEARNED, ""
    ends = "is no number" if math.isnan(own.loss) else f"is {own.loss:.4g}"
    reason = f"its dev loss {ends} at the end, not below the base's {base.loss:.4g}"
    if own.same >= ONE_SIDED:
        return FAILED, f"{reason}, and it (nearly) always gives the same answer"
    if own.right - base.right > _margin(own, base) and not math.isnan(own.loss):
        more = f"{100 * own.right:.1f} % of dev is right, of the base {100 * base.right:.1f} %"
        return OVERSURE, f"{reason}, while {more}"
    return FAILED, reason


def _margin(own: _Dev, base: _Dev) -> float:
    """Return the difference of two shares of right answers from which it is no chance alone.

    Twice the standard error of the difference, as of two independent samples of dev's items.
    """
    spread = own.right * (1 - own.right) + base.right * (1 - base.right)
    return 2 * math.sqrt(spread / own.rows) if own.rows else math.inf


def _asked(store: Store, trial: TrialRecord) -> Mapping[str, Any]:
    """Return how a stored trial's method was asked for: its plug-in's name and options."""
    keys = [trial.train, trial.loss, *trial.predict.values()]
    known = [key for key in keys if key and store.known(key)]
    found = store.manifest(known[0])["spec"].get("method") if known else {}
    return found if isinstance(found, Mapping) else {}


def _dev(store: Store, trial: TrialRecord) -> _Dev:
    """Return the loss on dev, the share that is right, and the artifact they are read from."""
    key = trial.loss or trial.predict.get("dev")
    if not key or not store.known(key) or not trial.data:
        return _Dev()
    names = store.read_json(key, "labels.json")["names"]
    rows = store.read_lines(key, "predictions.jsonl")
    if not rows or "log_probs" not in rows[0]:
        return _Dev()
    if names:
        gold = {row["id"]: row["label"] for row in store.read_lines(trial.data, "dev.jsonl")}
        of_gold = [row["log_probs"][names.index(gold[row["id"]])] for row in rows]
        right = sum(max(row["log_probs"]) == own for row, own in zip(rows, of_gold, strict=True))
        given = Counter(int(np.argmax(row["log_probs"])) for row in rows)
        same = given.most_common(1)[0][1] / len(rows)
        return _Dev(-sum(of_gold) / len(rows), right / len(rows), same, len(rows), key)
    tokens = sum(row.get("tokens", 0) for row in rows)
    loss = -sum(row["log_probs"][0] for row in rows) / tokens if tokens else NAN
    return _Dev(loss, key=key)

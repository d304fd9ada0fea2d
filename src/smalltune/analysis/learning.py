"""Learning: whether what was trained ends below the base as it is, in loss on dev.

The loss is how unlikely the right answers of dev are: of labels and choices the mean of their
negative log-probability in nats per item, of texts the nats per token of the reference. For texts
that a model writes it is measured where the study says `dev_loss: true`. A trial that starts at the
base and does not end below it has not learned, whatever its score, and is marked as failed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from smalltune.analysis.records import TrialRecord
from smalltune.core.plugins import load
from smalltune.core.store import Store

__all__ = ["FAILED", "LEARNED", "UNKNOWN", "Learned", "learned"]

LEARNED, FAILED, UNKNOWN = "learned", "failed", "unknown"
BASE = "zero_shot"  # the method that asks the base as it is
NAN = float("nan")


@dataclass(frozen=True)
class Learned:
    """A trained trial's loss on dev beside the base's, and what follows; unknown is NaN.

    `status` is LEARNED, FAILED (with the reason) or UNKNOWN: a loss is not stored, the study does
    not ask the base as it is, or the method does not start at it.
    """

    trial: str
    model: str
    method: str
    task: str
    seed: int | None
    loss: float
    base_loss: float
    status: str
    reason: str
    keys: tuple[str, ...]


def learned(store: Store, trials: Sequence[TrialRecord]) -> tuple[Learned, ...]:
    """Return every trial that trains on the task it is asked, in the order of the plan."""
    base: dict[tuple[str, str], tuple[float, str]] = {}
    for trial in trials:
        if not trial.train and not trial.built and _asked(store, trial).get("name") == BASE:
            base[trial.model, trial.task] = _loss(store, trial)
    nothing = (NAN, "")
    return tuple(
        _learned(store, trial, *base.get((trial.model, trial.task), nothing))
        for trial in trials
        if trial.train and not trial.learned
    )


def _learned(store: Store, trial: TrialRecord, base: float, base_key: str) -> Learned:
    loss, key = _loss(store, trial)
    name = _asked(store, trial).get("name")
    starts = bool(name) and getattr(load("smalltune.methods", str(name)), "starts_at_base", True)
    status, reason = UNKNOWN, ""
    if starts and key and base_key and not math.isnan(base):
        status = LEARNED if loss < base else FAILED
        if status == FAILED:
            ends = "is no number" if math.isnan(loss) else f"is {loss:.4g}"
            reason = f"its dev loss {ends} at the end, not below the base's {base:.4g}"
    return Learned(
        trial=trial.id,
        model=trial.model,
        method=trial.method,
        task=trial.task,
        seed=trial.seed,
        loss=loss,
        base_loss=base,
        status=status,
        reason=reason,
        keys=tuple(one for one in (key, base_key) if one),
    )


def _asked(store: Store, trial: TrialRecord) -> Mapping[str, Any]:
    """Return how a stored trial's method was asked for: its plug-in's name and options."""
    keys = [trial.train, trial.loss, *trial.predict.values()]
    known = [key for key in keys if key and store.known(key)]
    found = store.manifest(known[0])["spec"].get("method") if known else {}
    return found if isinstance(found, Mapping) else {}


def _loss(store: Store, trial: TrialRecord) -> tuple[float, str]:
    """Return the loss on dev and the artifact it is read from, "" where there is none."""
    key = trial.loss or trial.predict.get("dev")
    if not key or not store.known(key) or not trial.data:
        return NAN, ""
    names = store.read_json(key, "labels.json")["names"]
    rows = store.read_lines(key, "predictions.jsonl")
    if not rows or "log_probs" not in rows[0]:
        return NAN, ""
    if names:
        gold = {row["id"]: row["label"] for row in store.read_lines(trial.data, "dev.jsonl")}
        nats = [row["log_probs"][names.index(gold[row["id"]])] for row in rows]
        return -sum(nats) / len(rows), key
    tokens = sum(row.get("tokens", 0) for row in rows)
    return (-sum(row["log_probs"][0] for row in rows) / tokens if tokens else NAN), key

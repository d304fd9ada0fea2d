"""Status: what a plan's trials have in the store, without running or changing anything."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from smalltune.core.errors import StoreError
from smalltune.core.job import Job, Plan, Trial
from smalltune.core.store import Store
from smalltune.planning.cells import cells
from smalltune.planning.planner import Known
from smalltune.planning.spec import StudySpec

__all__ = ["STATES", "TrialStatus", "choices", "record", "status", "tally"]

STATES = ("done", "missing", "failed", "stale")


@dataclass(frozen=True)
class TrialStatus:
    """A trial's state: done, missing, failed (with the reason), or stale.

    Stale means that an answer is stored to what the study asked before it was changed.
    """

    id: str
    state: str
    reason: str = ""


def status(study: StudySpec, plan: Plan, store: Store) -> list[TrialStatus]:
    """Return the state of each trial, those whose tuning is still open included."""
    planned = {trial.id: trial for trial in plan.trials}
    before = _before(study.name, store)
    found = []
    for cell in cells(study):
        trial = planned.get(cell.id)
        if trial is None:
            found.append(TrialStatus(cell.id, "missing", "its tuning comes first"))
        else:
            found.append(_state(trial, before.get(cell.id, {}), store))
    return found


def tally(states: list[TrialStatus]) -> dict[str, int]:
    """Return how many trials are in each state."""
    counts = Counter(each.state for each in states)
    return {state: counts[state] for state in STATES}


def choices(store: Store) -> Known:
    """Return the function that tells the planner which tuning answers the store has."""

    def known(key: str) -> Mapping[str, Any] | None:
        return store.read_json(key, "choice.json") if store.known(key) else None

    return known


def record(study: StudySpec, plan: Plan) -> dict[str, Any]:
    """Return the plan as the store keeps it, with what the study declares for its analysis.

    `file` is the study file, so that two studies of one name are told apart; no key holds it.
    """
    return {
        **plan.record(),
        "file": str(study.document.path.resolve()),
        "keep_weights": study.keep_weights,
        "analysis": {
            "primary": study.primary,
            "metrics": list(study.metrics),
            "contrasts": [asdict(contrast) for contrast in study.contrasts],
            "alpha": study.alpha,
            "sesoi": study.sesoi,
            **({"base": base.name} if (base := study.base) else {}),
        },
    }


def _state(trial: Trial, before: Mapping[str, str], store: Store) -> TrialStatus:
    if all(store.known(goal.key) for goal in trial.goals):
        return TrialStatus(trial.id, "done")
    for job in _behind(trial, store):
        failure = store.failure(job.key)
        if failure:
            return TrialStatus(trial.id, "failed", f"{job.stage}: {failure['reason']}")
    now = {split: job.key for split, job in trial.evaluations.items()}
    older = [split for split, key in before.items() if key != now.get(split) and store.known(key)]
    if older:
        return TrialStatus(trial.id, "stale", "the study has changed since it was run")
    return TrialStatus(trial.id, "missing")


def _behind(trial: Trial, store: Store) -> Iterator[Job]:
    """Yield a trial's unfinished jobs, inputs first."""
    seen: set[str] = set()
    for goal in trial.goals:
        yield from (job for job in goal.walk(seen) if not store.known(job.key))


def _before(study: str, store: Store) -> dict[str, dict[str, str]]:
    """Return the score keys of each trial as the study was run the last time."""
    try:
        return {trial["id"]: trial["score"] for trial in store.read_plan(study)["trials"]}
    except StoreError:
        return {}

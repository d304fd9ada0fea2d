"""The runner: run what is missing, keep going when something fails, say what happened.

It plans, runs, and plans again until no tuning answer changes the plan (see `planning.planner`).
"""

from collections.abc import Callable, Iterable
from functools import partial

from smalltune.backends import Backend
from smalltune.core.errors import StudyError
from smalltune.core.job import Job, Plan
from smalltune.core.store import Store
from smalltune.planning.contents import check_contents
from smalltune.planning.fitting import unfit
from smalltune.planning.forecast import Needs, forecast
from smalltune.planning.foretold import foretell, measured_in
from smalltune.planning.lock import Lock
from smalltune.planning.measuring import measuring
from smalltune.planning.planner import Known, plan
from smalltune.planning.spec import StudySpec
from smalltune.planning.status import choices, record
from smalltune.runner.estimates import Estimates
from smalltune.runner.fetching import fetch
from smalltune.runner.missing import goals, missing
from smalltune.runner.passes import Pass
from smalltune.runner.reports import Event, Failed, Report

__all__ = ["Event", "Failed", "Report", "run"]


def run(
    study: StudySpec,
    lock: Lock,
    store: Store,
    backend: Backend,
    tell: Callable[[Event], None] = lambda event: None,
    *,
    until: str | None = None,
    check: Callable[[], object] = lambda: None,
) -> Report:
    """Run every job of the study that is not stored, tuning first; failed ones are tried again.

    With `until`, only as far as that stage: `prepare`, `tokens`, `train` or `predict`.

    `check` looks ahead and raises what is to end the run before it begins; the workers that models
    will need start meanwhile.

    What missing jobs need of the hub is fetched first; what cannot be had ends the run before it
    begins, and so do rows that rule something out (`planning/contents.py`) and a base that this
    machine's memory does not hold. A failed job stops only what depends on it. Whatever ends the
    run early (Ctrl-C, a full disk) leaves the store whole, and the next run goes on from there.
    """
    report, known, estimates = Report(study.name), choices(store), Estimates(lock, store)
    unanswered: set[str] | None = None
    while True:
        now = plan(study, lock, known)
        waiting_for = {job.key for job in now.open if known(job.key) is None}
        if waiting_for == unanswered:
            break
        unanswered = waiting_for
        store.write_plan(record(study, now))
        if store.forecasts(study.name) is not None:
            estimates.told = _told(study, lock, now, known, store, backend)
        for job in now.jobs():
            if store.known(job.key):
                store.glance(job.key)
        report.trials = len(now.trials)
        keep = study.keep_weights
        wanted = missing(goals(now, keep_weights=keep, until=until), store, keep_weights=keep)
        _refuse(wanted.values(), lock, backend)
        one = Pass(now, store, backend, report, tell, estimates, keep_weights=keep, until=until)
        one.go(partial(_ready, check, study, lock, store, wanted.values(), tell))
        if not unanswered:
            break
    return report


def _refuse(jobs: Iterable[Job], lock: Lock, backend: Backend) -> None:
    """Raise StudyError where a job's weights alone are beyond the memory, before any of them."""
    if backend.memory is not None and (found := unfit(jobs, lock, backend.memory)):
        raise StudyError("\n".join(dict.fromkeys(found.values())))


def _ready(
    check: Callable[[], object],
    study: StudySpec,
    lock: Lock,
    store: Store,
    jobs: Iterable[Job],
    tell: Callable[[Event], None],
) -> None:
    """Look ahead, fetch what the jobs need of the hub, and look at what is in it."""
    check()
    fetch(jobs, lock, lambda what: tell(Event("fetch", info={"what": what})))
    check_contents(study, lock, store)


def _told(
    study: StudySpec, lock: Lock, plan: Plan, known: Known, store: Store, backend: Backend
) -> dict[str, Needs]:
    """Return what was measured for these jobs; keep what that foretells of trials."""
    ones = measuring(study, lock, plan, known, backend.place)
    found = forecast(
        ones,
        measured_in(store),
        store.known,
        workers=lambda peak: 1,
        keep_weights=study.keep_weights,
    )
    foretell(store, plan, found.trials)
    return found.jobs

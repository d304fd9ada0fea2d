"""Forecasts: measure what is not known yet of a study's jobs, and say what it all will take."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from smalltune.core.errors import SmalltuneError
from smalltune.core.job import Job, Plan
from smalltune.models.sources import locate, locate_file
from smalltune.planning.fitting import unfit
from smalltune.planning.forecast import Forecast, forecast
from smalltune.planning.foretold import foretell, measured_in
from smalltune.planning.measuring import Measuring, measuring
from smalltune.planning.status import choices

if TYPE_CHECKING:
    from smalltune.api.study import Study
    from smalltune.runner import Event

__all__ = ["forecast_of"]

AWAY = "its files are not fetched yet: `smalltune run` fetches them"


def forecast_of(
    study: "Study",
    *,
    measure: bool,
    workers: int | None,
    threads: int,
    tell: "Callable[[Event], None]",
) -> Forecast:
    """Return what the missing jobs of a study will take; with `measure`, measure it first.

    Only what is on this machine is measured; rows and tokens that it needs are prepared, and kept.
    """
    from smalltune.backends.local import Local

    store, plan = study.store, study.plan()
    place = Local(store, workers=workers, threads=threads)
    ones = [
        one
        for one in measuring(study.spec, study.locked, plan, choices(store), place.place)
        if not all(store.known(job.key) for job in _jobs(one))
    ]
    large = _too_large(study, ones, place.memory)
    said: dict[str, str] = dict.fromkeys(large, "it does not fit")
    if measure:
        asked = (job for one in ones if one.where not in large for job in one.measures)
        todo = {job.key: job for job in asked if not store.known(job.key)}
        here = [job for job in todo.values() if _is_here(job)]
        away = dict.fromkeys(todo.keys() - {job.key for job in here}, AWAY)
        why = {**away, **_measured(study, here, workers, threads, tell)}
        for one in ones:
            if reasons := [why[job.key] for job in one.measures if job.key in why]:
                said[one.where] = reasons[0]
    found = forecast(
        ones,
        measured_in(store),
        store.known,
        keep_weights=study.spec.keep_weights,
        workers=place.fitting,
        memory=place.memory,
        said=said,
        large=tuple(large.values()),
    )
    foretell(store, plan, found.trials)
    return found


@dataclass(frozen=True)
class _Measures(Plan):
    """A plan of `measure` jobs alone."""

    wanted: tuple[Job, ...] = ()

    def goals(self) -> Iterator[Job]:
        """Yield the jobs."""
        yield from self.wanted


def _jobs(one: Measuring) -> Sequence[Job]:
    return [*(job for jobs in one.trials.values() for job in jobs), *one.tuning]


def _too_large(study: "Study", ones: Sequence[Measuring], room: int | None) -> dict[str, str]:
    """Return why a model cannot be had in this machine's memory, by where it would be."""
    found: dict[str, str] = {}
    for one in ones if room else ():
        assert room
        missing = (job for job in _jobs(one) if not study.store.known(job.key))
        for message in unfit(missing, study.locked, room).values():
            found.setdefault(one.where, message)
    return found


def _measured(
    study: "Study",
    jobs: Sequence[Job],
    workers: int | None,
    threads: int,
    tell: "Callable[[Event], None]",
) -> Mapping[str, str]:
    """Run `measure` jobs and what they read, as many at a time as in the study itself.

    So what jobs take from each other, such as the way to the memory, is measured with them. Returns
    the reasons of those that failed.
    """
    from smalltune.backends.local import Local
    from smalltune.runner.estimates import Estimates
    from smalltune.runner.passes import Pass
    from smalltune.runner.reports import Report

    if not jobs:
        return {}
    report, store = Report(study.name), study.store
    backend = Local(store, workers=workers, threads=threads)
    try:
        plan = _Measures(study.name, (), wanted=tuple(jobs))
        estimates = Estimates(study.locked, store)
        Pass(plan, store, backend, report, tell, estimates, keep_weights=False).go()
    finally:
        backend.close()
    behind = {job.key: next(iter(_failed(job, report.failed)), "") for job in jobs}
    return {key: reason for key, reason in behind.items() if reason}


def _failed(job: Job, failed: Mapping[str, Any]) -> list[str]:
    """Return the reasons for which a job, or what it reads, failed."""
    return [failed[each.key].reason for each in job.walk(set()) if each.key in failed]


def _is_here(job: Job) -> bool:
    """Tell whether the model's configuration and the data of a job are on this machine."""
    for each in job.walk(set()):
        for ref in each.sources.values():
            try:
                locate_file(ref) if each.stage == "prepare" else locate(ref)
            except SmalltuneError:
                return False
    return True

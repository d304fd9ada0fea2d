"""The study as a user holds it: each method is a verb of the command line."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smalltune.api.trials import StudyTrial, find_trial
from smalltune.core.errors import StudyError
from smalltune.core.job import Plan
from smalltune.core.plugins import nearest
from smalltune.core.store import Store
from smalltune.planning.lock import Lock
from smalltune.planning.locking import lock_anew, lock_in_force
from smalltune.planning.planner import plan
from smalltune.planning.reading import find_study, read_study
from smalltune.planning.spec import StudySpec
from smalltune.planning.status import TrialStatus, choices, record, status

if TYPE_CHECKING:
    from smalltune.analysis.results import Results
    from smalltune.backends import Backend
    from smalltune.paper.build import PaperReport
    from smalltune.paper.trace import Trace, TrialTrace
    from smalltune.planning.forecast import Forecast
    from smalltune.runner import Event, Report

__all__ = ["Study", "load", "store_of"]


def load(
    study: Path | str, store: Path | str | None = None, changes: Sequence[str] = ()
) -> "Study":
    """Return a study: its folder, its study.yaml, or its name in ./studies.

    `store` is where answers are kept: by default $SMALLTUNE_STORE, else `.smalltune` beside the
    studies. `changes` are `key=value` texts that replace values of the study file.
    """
    file = find_study(study)
    return Study(read_study(file, changes), Store(store_of(file, store)))


def store_of(file: Path, store: Path | str | None = None) -> Path:
    """Return the store's folder: the one named, $SMALLTUNE_STORE, or the one beside the studies."""
    import os

    named = store or os.environ.get("SMALLTUNE_STORE")
    if named:
        return Path(named).expanduser()
    folder = file.parent
    beside = folder.parent.parent if folder.parent.name == "studies" else folder
    return beside / ".smalltune"


class Study:
    """A study file and the store that holds its answers.

    `warnings` are remarks on the last lock that was read: packages that are not the locked ones.
    """

    def __init__(self, spec: StudySpec, store: Store):
        """Bind what is asked to where answers are kept."""
        self.spec, self.store = spec, store
        self.warnings: list[str] = []

    @property
    def name(self) -> str:
        """The study's name."""
        return self.spec.name

    @property
    def folder(self) -> Path:
        """The folder of the study file."""
        return self.spec.folder

    @cached_property
    def locked(self) -> Lock:
        """The lock in force; local names that it lacks are locked now.

        Raises StudyError when a locked file has changed or a hub model is not locked yet.
        """
        lock, self.warnings = lock_in_force(self.spec)
        return lock

    @cached_property
    def checked(self) -> tuple[str, ...]:
        """Remarks on a look ahead, before anything runs: does each method fit each model?

        Raises StudyError with the line of each that does not, and of data that rule something out.
        """
        from smalltune.planning.contents import check_contents
        from smalltune.planning.fits import check_fits

        check_contents(self.spec, self.locked, self.store)
        return tuple(check_fits(self.spec, self.locked, self.store, self.plan()))

    # Making numbers

    def lock(self) -> Lock:
        """Pin what every name means now, the hub's included, and return the lock.

        Raises StudyError when rows that are here rule something out (`planning/contents.py`).
        """
        from smalltune.planning.contents import check_contents

        self.__dict__["locked"] = lock_anew(self.spec)
        check_contents(self.spec, self.locked, self.store)
        return self.locked

    def plan(self) -> Plan:
        """Return the trials and their jobs as far as the tuning answers are known; runs nothing."""
        return plan(self.spec, self.locked, choices(self.store))

    def status(self) -> list[TrialStatus]:
        """Return the state of every trial: done, missing, failed or stale."""
        return status(self.spec, self.plan(), self.store)

    def forecast(
        self,
        *,
        measure: bool = True,
        workers: int | None = None,
        threads: int = 1,
        tell: "Callable[[Event], None]" = lambda event: None,
    ) -> "Forecast":
        """Return what the missing jobs will take: time, memory, stored bytes.

        With `measure`, a child process first measures, for some seconds, what is not known yet on
        this machine. The store keeps that, so that asking again measures nothing.
        """
        from smalltune.api.forecasts import forecast_of

        return forecast_of(self, measure=measure, workers=workers, threads=threads, tell=tell)

    def run(
        self,
        *,
        workers: int | None = None,
        threads: int = 1,
        checkpoint_seconds: float = 10.0,
        until: str | None = None,
        backend: "Backend | None" = None,
        tell: "Callable[[Event], None]" = lambda event: None,
    ) -> "Report":
        """Run what is missing; asking again runs nothing. First of all the study is `checked`.

        `until` ends early, after the stage `prepare`, `tokens`, `train` or `predict`. A `backend`
        of one's own is left open; the local one is closed.
        """
        from smalltune.backends.local import Local
        from smalltune.runner import run

        stages = ["prepare", "tokens", "train", "predict"]
        if until is not None and until not in stages:
            raise StudyError(f"no stage {until!r} to run until. {nearest(until, stages)}")
        lock = self.locked
        place = backend or Local(
            self.store, workers=workers, threads=threads, checkpoint_seconds=checkpoint_seconds
        )
        try:
            return run(
                self.spec, lock, self.store, place, tell, until=until, check=lambda: self.checked
            )
        finally:
            if backend is None:
                place.close()

    # Telling numbers

    def record(self) -> dict[str, Any]:
        """Return the plan as JSON: trials with their keys, and what is declared for analysis."""
        return record(self.spec, self.plan())

    def results(self) -> "Results":
        """Return what is stored of this study, gaps named."""
        from smalltune.analysis.results import read

        return read(self.store, self.record())

    def export_results(self) -> tuple[Path, ...]:
        """Write results/: scores, costs, a summary, items to read and errors; return the paths."""
        from smalltune.analysis.export import write

        languages = {task.name: task.said.language for task in self.spec.tasks}
        return write(self.results(), self.folder / "results", languages)

    def paper(self) -> "PaperReport":
        """Write paper/ with LaTeX, numbers and figures, and the PDF where LaTeX is installed.

        Raises StudyError unless each task, model and method has its `why:`.
        """
        from smalltune.api.papers import paper

        return paper(self)

    def bundle(self) -> Path:
        """Write submission.zip: the paper, the study, the source and scripts; return its path."""
        from smalltune.api.papers import bundle

        return bundle(self)

    def trace(self, what: str) -> "Trace | TrialTrace":
        """Return where a number of the paper comes from, or the jobs of a trial, by its id."""
        from smalltune.paper.trace import trace, trace_trial

        if "/" in what:
            return trace_trial(self.trial(what).trial, self.store)
        return trace(self.folder / "paper", what, self.store)

    # Single trials

    def trials(self) -> list[StudyTrial]:
        """Return all trials whose hyperparameters are known."""
        return [StudyTrial(trial, self.store) for trial in self.plan().trials]

    def trial(
        self,
        id: str | None = None,
        *,
        model: str | None = None,
        method: str | None = None,
        task: str | None = None,
        seed: int | None = None,
    ) -> StudyTrial:
        """Return one trial by its id, or by as many coordinates as tell it apart."""
        return find_trial(self.trials(), id, model=model, method=method, task=task, seed=seed)

    def export(self, id: str, folder: Path | str, *, merged: bool = False) -> Path:
        """Write a trained model's folder; its weights must have been kept (`keep_weights`).

        With `merged` the whole model, what was trained added to the base.
        """
        from smalltune.api.exports import export_trial

        export_trial(self, self.trial(id), Path(folder), merged=merged)
        return Path(folder)

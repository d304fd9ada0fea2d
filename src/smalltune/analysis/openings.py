"""Openings of a study's test splits, as the store recorded them (`core/openings.py`)."""

from smalltune.analysis.results import Results
from smalltune.core.openings import SEALED, Opened, digest, openings, tally

__all__ = ["opened"]


def opened(results: Results) -> dict[str, Opened]:
    """Return by its name how often each task's test split was opened, and by what.

    A task whose rows are not prepared yet is not there.
    """
    found, told = openings(results.store), {}
    for task in results.tasks:
        trials = [trial for trial in results.trials if trial.task == task]
        data = next((t.data for t in trials if t.data and results.store.known(t.data)), None)
        if data is not None:
            scores = [trial.score[SEALED] for trial in trials if SEALED in trial.score]
            stored = [key for key in scores if results.store.known(key)]
            told[task] = tally(found, digest(results.store, data), scores, stored)
    return told

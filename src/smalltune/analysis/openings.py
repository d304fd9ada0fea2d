"""Openings of a study's test splits, as the store recorded them (`core/openings.py`)."""

from collections.abc import Iterator

from smalltune.analysis.results import Results
from smalltune.core.openings import SEALED, Opened, digest, openings, tally

__all__ = ["opened"]


def opened(results: Results) -> dict[str, Opened]:
    """Return by its name how often each task's test split was opened, and by what.

    A task whose rows are not prepared yet is not there.
    """
    found, told = openings(results.store), {}
    for task in results.read:
        keys = (trial.reads.get(task, (None, None))[0] for trial in results.trials)
        data = next((key for key in keys if key and results.store.known(key)), None)
        if data is not None:
            scores = list(dict.fromkeys(_scores(results, task)))
            stored = [key for key in scores if results.store.known(key)]
            told[task] = tally(found, digest(results.store, data), scores, stored)
    return told


def _scores(results: Results, task: str) -> Iterator[str]:
    """Yield the scores that read the answers of a task's test split."""
    for trial in results.trials:
        if trial.task == task and SEALED in trial.score:
            yield trial.score[SEALED]
        if task in trial.also and trial.also[task]["split"] == SEALED:
            yield trial.also[task]["score"]

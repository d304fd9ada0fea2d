"""Openings of a study's test splits, as the store recorded them (`core/openings.py`)."""

from collections.abc import Iterator
from dataclasses import replace

from smalltune.analysis.results import Results
from smalltune.core.openings import SEALED, Opened, digest, openings, tally

__all__ = ["opened"]


def opened(results: Results) -> dict[str, Opened]:
    """Return by its name how often each task's test split was opened, and by what.

    Tasks with the same test rows have the same counts, with each other's scores in them. A task
    whose rows are not prepared yet is not there.
    """
    found, rows = openings(results.store), dict(_rows(results))
    told = {}
    for task, data in rows.items():
        alike = [other for other in rows if rows[other] == data]
        scores = list(dict.fromkeys(key for one in alike for key in _scores(results, one)))
        stored = [key for key in scores if results.store.known(key)]
        beside = tuple(other for other in alike if other != task)
        told[task] = replace(tally(found, data, scores, stored), beside=beside)
    return told


def _rows(results: Results) -> Iterator[tuple[str, str]]:
    """Yield each task whose rows are prepared, with the digest of those of its test split."""
    for task in results.read:
        keys = (trial.reads.get(task, (None, None))[0] for trial in results.trials)
        data = next((key for key in keys if key and results.store.known(key)), None)
        if data is not None:
            yield task, digest(results.store, data)


def _scores(results: Results, task: str) -> Iterator[str]:
    """Yield the scores that read the answers of a task's test split."""
    for trial in results.trials:
        if trial.task == task and SEALED in trial.score:
            yield trial.score[SEALED]
        if task in trial.also and trial.also[task]["split"] == SEALED:
            yield trial.also[task]["score"]

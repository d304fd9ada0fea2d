"""Opened: how often the answers of the test splits were read, by the record of the store."""

from smalltune.analysis.openings import opened
from smalltune.analysis.results import Results
from smalltune.paper import rounding
from smalltune.paper.numbers import Number, Numbers

__all__ = ["add_openings"]

COUNTED = {
    "times": "times that a score of the study read the right answers of a test split",
    "jobs": "scores of the study that did so",
    "others": "scores outside the study, or of it before it was changed, on the same rows",
    "unrecorded": "stored scores of the study without a line in the record",
}


def add_openings(results: Results, numbers: Numbers) -> None:
    """Add `openingsTimes`, `openingsJobs`, `openingsOthers` and `openingsUnrecorded`.

    Tasks on the same test rows are counted once.
    """
    told = opened(results)
    found = [one for task, one in told.items() if task == min((task, *one.beside))]
    for name, what in COUNTED.items():
        count = sum(getattr(one, name) for one in found)
        said = f"{what}, summed over the tasks, each split once"
        source = "store: opened.jsonl"
        text = rounding.count(count)
        numbers.add(Number(f"openings{name.title()}", count, text, said, source=source))

"""Published scores: what others measured, quoted in the study file to stand beside ours.

A quoted value is no result of the study: it is printed as quoted, with its citation and what
differs, and no test compares it with a score.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from smalltune.core.errors import StudyError
from smalltune.core.plugins import load, nearest
from smalltune.planning.yaml_lines import Document, Problems

__all__ = ["Published", "PublishedEntry", "check_citations", "read_published"]


class PublishedEntry(BaseModel):
    """A score that somebody else published, as the study file gives it."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    task: str
    model: str = Field(min_length=1)
    metric: str
    value: float
    where: str = Field(min_length=1)
    citation: str = Field(min_length=1)
    note: str = ""


@dataclass(frozen=True)
class Published:
    """A quoted score: `value` is a percentage where the metric is printed as one.

    `where` says on which rows it was measured, `note` what else differs from this study.
    """

    task: str
    model: str
    metric: str
    value: float
    where: str
    citation: str
    note: str


def read_published(
    entries: Sequence[PublishedEntry], metrics: Mapping[str, Collection[str]], problems: Problems
) -> tuple[Published, ...]:
    """Return the quoted scores; `metrics` are those that each task of the study is scored by.

    Notes, with its line, an entry whose task or metric the study does not have, a share where a
    percentage is meant, and one that stands there twice.
    """
    seen: dict[tuple[str, ...], int] = {}
    for number, one in enumerate(entries):
        place = ("published", str(number))
        if one.task not in metrics:
            text = f"no task {one.task!r} in this study. {nearest(one.task, list(metrics))}"
            problems.add((*place, "task"), text)
        elif one.metric not in metrics[one.task]:
            near = nearest(one.metric, list(metrics[one.task]))
            problems.add((*place, "metric"), f"{one.task} is not scored by {one.metric!r}. {near}")
        elif load("smalltune.metrics", one.metric).percent and not _percentage(one.value):
            share = f": write {100 * one.value:g}" if 0 < one.value <= 1 else ""
            text = f"{one.metric} is given in percent, from 0 to 100, not {one.value:g}{share}"
            problems.add((*place, "value"), text)
        name = (one.task, one.metric, "".join(c for c in one.model.lower() if c.isalnum()))
        if seen.setdefault(name, number) != number:
            text = f"{one.metric} of {one.model} on {one.task} stands in `published` twice"
            problems.add(place, text)
    return tuple(Published(**one.model_dump()) for one in entries)


def _percentage(value: float) -> bool:
    """Tell whether a value can be a percentage; what lies between 0 and 1 is a share."""
    return value == 0 or 1 < value <= 100


def check_citations(
    published: Sequence[Published], known: Collection[str], document: Document
) -> None:
    """Raise StudyError, with lines, for quoted scores whose work the bibliography does not have."""
    wrong = []
    for number, one in enumerate(published):
        if one.citation not in known:
            line = document.line(("published", str(number), "citation"))
            wrong.append(
                f"{document.path.name}:{line}: no entry {one.citation!r} in the bibliography. "
                f"{nearest(one.citation, sorted(known))} Entries of your own stand in "
                "text/references.bib"
            )
    if wrong:
        raise StudyError("\n".join(wrong))

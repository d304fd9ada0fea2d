"""Openings: each time the right answers of a test split were read, written down before the reading.

A test split tells the truth once: whoever looks, changes something and looks again has tuned on it.
So the store keeps one line for every job that reads those answers, in `opened.jsonl`, and nothing
removes a line. A job that is found in the store opens nothing. Tuning never asks for the test
split, which the planner sees to; the record shows what was asked.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

from smalltune.core.disk import disk_errors
from smalltune.core.job import Job
from smalltune.core.plural import plural
from smalltune.core.store import Store

__all__ = [
    "FILE",
    "Opened",
    "Opening",
    "add",
    "digest",
    "lines",
    "note",
    "openings",
    "parse",
    "tally",
]

FILE = "opened.jsonl"
SEALED = "test"
"""The split whose openings are recorded."""

LONGEST = 2000


@dataclass(frozen=True, order=True)
class Opening:
    """One reading: when (UTC), of which split of which data, by which job, and its label.

    `data` is the digest of the split's rows as they were prepared, so that the same rows are known
    again in another study; `task` is what this one calls them.
    """

    time: str
    task: str
    split: str
    data: str
    job: str
    label: str


@dataclass(frozen=True)
class Opened:
    """How often a test split was opened: by the scores of one study, and by others.

    `times` counts the openings by jobs of the study, `jobs` those jobs, `others` jobs that are not
    in it: of another study, or of this one before it was changed. `unrecorded` are scores of the
    study that the store has without a line, from before the record was kept or brought without it.
    `beside` are the study's other tasks on the same rows: their scores are counted here too.
    """

    times: int
    jobs: int
    others: int
    unrecorded: int
    beside: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The same in words."""
        said = "never opened by this study"
        if self.jobs:
            said = f"opened {_times(self.times)} by {plural(self.jobs, 'score')} of this study"
            if self.beside:
                said += f" (those of {', '.join(self.beside)} on the same rows included)"
        if self.others:
            said += f", and by {plural(self.others, 'score')} outside it"
        if self.unrecorded:
            said += f"; {plural(self.unrecorded, 'score')} stored without a record"
        return said


def note(store: Store, job: Job, split: str) -> None:
    """Write down that a job is about to read the right answers of a split, if it is a sealed one.

    Raises StoreError when the line cannot be written: then nothing is read either.
    """
    if split != SEALED:
        return
    data = job.inputs["data"]
    task = data.label.removeprefix(f"{data.stage} ")
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    rows = digest(store, data.key, split)
    _append(store, [Opening(now, task, split, rows, job.key, job.label)])


def digest(store: Store, key: str, split: str = SEALED) -> str:
    """Return the digest of a split's rows, by the key of the `prepare` job that made them."""
    return str(store.manifest(key)["files"][f"{split}.jsonl"]["sha256"])


def openings(store: Store) -> list[Opening]:
    """Return what is recorded, the earliest first, each once."""
    path = store.root / FILE
    return parse(path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else []


def unreadable(store: Store) -> int:
    """Return how many lines of the record say nothing: half written, or changed by hand."""
    path = store.root / FILE
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    return sum(bool(line.strip()) and _opening(line) is None for line in text.split("\n"))


def lines(store: Store, keys: Iterable[str]) -> str:
    """Return the lines on the rows that are in the artifacts of these keys."""
    files = (file for key in keys for file in store.manifest(key)["files"].values())
    rows = {file["sha256"] for file in files}
    return _text(one for one in openings(store) if one.data in rows)


def parse(text: str) -> list[Opening]:
    """Return the openings of such lines, sorted; a line that is none, as half a one, is passed."""
    return sorted({found for line in text.split("\n") if (found := _opening(line)) is not None})


def tally(
    found: Iterable[Opening], data: str, scores: Iterable[str], stored: Iterable[str]
) -> Opened:
    """Count the openings of rows, given by their digest, seen from a study.

    `scores` are the keys of the study's jobs that read its answers, `stored` those of them that
    are finished.
    """
    own = set(scores)
    there = [one for one in found if one.data == data]
    by_us = [one.job for one in there if one.job in own]
    others = {one.job for one in there} - own
    return Opened(len(by_us), len(set(by_us)), len(others), len(set(stored) - set(by_us)))


def add(store: Store, found: Iterable[Opening]) -> None:
    """Take what is not recorded yet, as from another store."""
    known = set(openings(store))
    _append(store, [one for one in found if one not in known])


def _opening(line: str) -> Opening | None:
    try:
        raw = json.loads(line)
    except ValueError:
        return None
    names = [field.name for field in fields(Opening)]
    if not isinstance(raw, Mapping) or set(raw) != set(names):
        return None
    if not all(_plain(raw[name]) for name in names):
        return None
    return Opening(**{name: str(raw[name]) for name in names})


def _plain(value: Any) -> bool:
    """Tell whether a value is a short text that a terminal shows as it is."""
    return isinstance(value, str) and len(value) < LONGEST and value.isprintable()


def _mend(file: Any) -> str:
    """Return the line break that a writer who was killed did not come to write, or nothing."""
    size = file.seek(0, os.SEEK_END)
    if not size:
        return ""
    file.seek(size - 1)
    return "" if file.read(1) == b"\n" else "\n"


def _append(store: Store, found: Iterable[Opening]) -> None:
    """Append a line each, whole, of several processes one after the other."""
    path = store.root / FILE
    if text := _text(found):
        with disk_errors(path), path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            os.write(file.fileno(), (_mend(file) + text).encode())
            os.fsync(file.fileno())


def _text(found: Iterable[Opening]) -> str:
    return "".join(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in found)


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")

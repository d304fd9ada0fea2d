"""Results: what is finished, kept in results.json after every pair, so that a run can go on.

A record that lacks what today's code writes of its kind is of an earlier form: its pair counts as
not measured, and the report leaves it out.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["NEEDED", "Results", "lacking", "trouble", "write_whole"]

NEEDED: Mapping[str, tuple[str, ...]] = {
    "train": ("flop", "flop_like"),
    "evaluate": ("flop", "chosen"),
    "generate": ("chosen",),
    "study": ("losses",),
    "profile:study": ("totals",),
}
"""What the report reads of a record, by the beginning of its pair's name, and once did not."""


class Results:
    """The records of finished pairs, by name, in the order in which they were asked for."""

    def __init__(self, path: Path):
        """Read what is there; a missing file holds nothing."""
        self.path = path
        self.pairs: dict[str, dict[str, Any]] = {}
        if path.is_file():
            self.pairs = json.loads(path.read_text())["pairs"]

    def finished(self, name: str, setting: dict[str, Any], place: Mapping[str, Any]) -> bool:
        """Tell whether a pair was measured as it stands now, in this place.

        `place` has the packages and, where it matters, the machine as a record describes them. A
        pair that failed was not measured, nor one of whose record something is lacking. One of
        another commit was: a commit may touch anything, and the report names it.
        """
        record = self.pairs.get(name, {})
        there = record.get("machine", {})
        there = {**there.get("machine", {}), **there}
        same = all(there.get(what) == value for what, value in place.items())
        whole = "failed" not in record and not lacking(name, record)
        return record.get("setting") == setting and same and whole

    def keep(self, name: str, record: dict[str, Any]) -> None:
        """Put a record in and write the file; one that failed does not replace one that did not."""
        before = self.pairs.get(name)
        if "failed" in record and before and "failed" not in before:
            return
        self.pairs[name] = record
        write_whole(self.path, {"pairs": self.pairs})


def lacking(name: str, record: Mapping[str, Any]) -> list[str]:
    """Return what a pair's record lacks; nothing for one that measured nothing.

    Batches of like length need operations of their own only where they were run.
    """
    runs = record.get("runs") or {}
    if not runs and "parts" not in record:
        return []
    needed = [one for start, each in NEEDED.items() if name.startswith(start) for one in each]
    like = any(variant.endswith("_like") for variant in runs)
    return [what for what in needed if what not in record and (like or not what.endswith("_like"))]


def trouble(name: str, record: Mapping[str, Any]) -> str:
    """Return why a pair's record is not published; nothing where it is."""
    if missing := lacking(name, record):
        return f"to be measured again: an earlier form of the record, without {', '.join(missing)}"
    return str(record.get("failed") or record.get("refused") or "")


def write_whole(path: Path, value: Any) -> None:
    """Write JSON so that a file of this name is always whole."""
    draft = path.with_suffix(".draft")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft.write_text(json.dumps(value, indent=1) + "\n")
    os.replace(draft, path)

"""Results: what is finished, kept in results.json after every pair, so that a run can go on."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["Results", "write_whole"]


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
        pair that failed was not measured. One of another commit was: a commit may touch anything,
        and the report names it.
        """
        record = self.pairs.get(name, {})
        there = record.get("machine", {})
        there = {**there.get("machine", {}), **there}
        same = all(there.get(what) == value for what, value in place.items())
        return record.get("setting") == setting and same and "failed" not in record

    def keep(self, name: str, record: dict[str, Any]) -> None:
        """Put a record in and write the file; one that failed does not replace one that did not."""
        before = self.pairs.get(name)
        if "failed" in record and before and "failed" not in before:
            return
        self.pairs[name] = record
        write_whole(self.path, {"pairs": self.pairs})


def write_whole(path: Path, value: Any) -> None:
    """Write JSON so that a file of this name is always whole."""
    draft = path.with_suffix(".draft")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft.write_text(json.dumps(value, indent=1) + "\n")
    os.replace(draft, path)

"""Results: what is finished, kept in results.json after every pair, so that a run can go on."""

import json
import os
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

    def finished(self, name: str, setting: dict[str, Any], packages: dict[str, str]) -> bool:
        """Tell whether a pair was measured as it stands now, with these packages.

        One that failed was not. One of another commit was: a commit may touch anything, and the
        report names it.
        """
        record = self.pairs.get(name, {})
        with_it = record.get("machine", {}).get("packages")
        return record.get("setting") == setting and with_it == packages and "failed" not in record

    def keep(self, name: str, record: dict[str, Any]) -> None:
        """Put a record in and write the file."""
        self.pairs[name] = record
        write_whole(self.path, {"pairs": self.pairs})


def write_whole(path: Path, value: Any) -> None:
    """Write JSON so that a file of this name is always whole."""
    draft = path.with_suffix(".draft")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft.write_text(json.dumps(value, indent=1) + "\n")
    os.replace(draft, path)

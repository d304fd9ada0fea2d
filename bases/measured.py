"""What was measured beside the stores: measured.json, one answer for each question's key.

The same question is measured once; its key holds everything that can change the answer.
"""

import json
from pathlib import Path
from typing import Any

from smalltune.core.store import write_json

__all__ = ["known", "note"]

NAME = "measured.json"


def known(root: Path, section: str, key: str) -> Any | None:
    """Return a stored answer, or None."""
    path = root / NAME
    return json.loads(path.read_text()).get(section, {}).get(key) if path.is_file() else None


def note(root: Path, section: str, key: str, answer: Any) -> None:
    """Store an answer; the others stay."""
    path = root / NAME
    everything = json.loads(path.read_text()) if path.is_file() else {}
    everything.setdefault(section, {})[key] = answer
    write_json(path, everything)

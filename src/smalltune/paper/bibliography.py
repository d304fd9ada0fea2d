"""Bibliography: entries of the package's and the study's .bib files, and only those cited."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from smalltune.core.errors import LatexError

__all__ = ["cited", "entries", "write"]

OWN = Path(__file__).with_name("references.bib")
CITE = re.compile(r"\\(?:cite\w*|nocite)\*?(?:\[[^]]*\])*\{([^}]*)\}")


def entries(study: Path | None = None) -> dict[str, str]:
    """Return BibTeX entries by key: smalltune's own, then those of a study's references.bib.

    Raises LatexError naming file and line when an entry is not closed.
    """
    found = _parse(OWN)
    if study is not None and study.is_file():
        found |= _parse(study)
    return found


def cited(texts: Iterable[str]) -> list[str]:
    """Return the keys that LaTeX texts cite, sorted."""
    keys = {
        key.strip()
        for text in texts
        for match in CITE.finditer(text)
        for key in match[1].split(",")
    }
    return sorted(keys - {""})


def write(path: Path, keys: Iterable[str], known: Mapping[str, str]) -> None:
    """Write the entries of these keys."""
    path.write_text("\n\n".join(known[key] for key in keys) + "\n", encoding="utf-8")


def _parse(path: Path) -> dict[str, str]:
    text = path.read_text(encoding="utf-8")
    found = {}
    for match in re.finditer(r"^@(\w+)\s*\{\s*([^,\s]+)\s*,", text, re.MULTILINE):
        if match[1].lower() in ("comment", "string", "preamble"):
            continue
        end = _close(text, match.end())
        if end < 0:
            line = text.count("\n", 0, match.start()) + 1
            raise LatexError(f"{path}:{line}: the entry {match[2]!r} is not closed with a brace")
        found[match[2]] = text[match.start() : end]
    return found


def _close(text: str, start: int) -> int:
    """Return the place after the brace that closes the entry whose body begins at `start`."""
    depth = 1
    for place in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return place + 1
    return -1

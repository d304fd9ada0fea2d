"""Documents: running text out of plain text files, JSON lines and tables."""

from collections.abc import Iterator
from pathlib import Path

from smalltune.core.errors import DataError
from smalltune.data.decoding import PACKED, numbered_lines
from smalltune.data.tables import read_table, stream_lines

__all__ = ["documents", "is_plain"]

_TABLES = (".csv", ".tsv", ".json", ".parquet")


def documents(path: Path, column: str) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each document of a file, one at a time.

    In a `.txt` a document is what stands between two blank lines, and is numbered from 1. In JSON
    lines it is the text in `column`, numbered by its line; in another table, by its row. Raises
    DataError for a document without text.
    """
    if is_plain(path):
        yield from _paragraphs(path)
        return
    whole = _kind(path) in _TABLES
    for number, raw in enumerate(read_table(path), 1) if whole else stream_lines(path):
        text = raw.get(column)
        if not isinstance(text, str) or not text.strip():
            raise DataError(f"{path}:{number}: the column {column!r} holds no text")
        yield number, text


def is_plain(path: Path) -> bool:
    """Tell whether a file is plain text, packed or not, by its name."""
    return _kind(path) == ".txt"


def _kind(path: Path) -> str:
    suffixes = [s.lower() for s in path.suffixes if s.lower() not in PACKED]
    return suffixes[-1] if suffixes else ""


def _paragraphs(path: Path) -> Iterator[tuple[int, str]]:
    number, lines = 0, list[str]()
    for _, line in numbered_lines(path):
        if line.strip():
            lines.append(line.rstrip("\r\n"))
        elif lines:
            number += 1
            yield number, "\n".join(lines)
            lines = []
    if lines:
        yield number + 1, "\n".join(lines)

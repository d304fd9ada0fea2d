"""Documents: running text out of plain text files, JSON lines and tables."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from smalltune.core.errors import DataError
from smalltune.data.cells import no_column, no_text
from smalltune.data.decoding import PACKED, first_text, numbered_lines
from smalltune.data.sniffing import plain_text, table_format
from smalltune.data.tables import column_of, has_column, read_rows, stream_lines

__all__ = ["documents", "is_plain"]


def documents(path: Path, column: str) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each document of a file, one at a time.

    In a `.txt` a document is what stands between two blank lines, and is numbered from 1. In JSON
    lines it is the text in `column`, numbered by its line; in another table, by its row. Raises
    DataError for a document without text, and for what is no such file (see `read_rows`).
    """
    if is_plain(path):
        plain_text(path)
        yield from _paragraphs(path)
        return
    for number, where, raw in _rows(path):
        if not has_column(raw, column):
            raise DataError(f"{where}: {no_column(raw, column)}")
        text = column_of(raw, column)
        if not isinstance(text, str) or not text.strip():
            raise DataError(f"{where}: {no_text(column, text)}")
        yield number, text


def is_plain(path: Path) -> bool:
    """Tell whether a file is plain text, packed or not, by its name."""
    return _kind(path) == ".txt"


def _kind(path: Path) -> str:
    suffixes = [s.lower() for s in path.suffixes if s.lower() not in PACKED]
    return suffixes[-1] if suffixes else ""


def _rows(path: Path) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    """Yield number, place and columns of each row of a table."""
    if table_format(path) == ".jsonl" and not first_text(path).startswith("["):
        for line, raw in stream_lines(path):
            yield line, f"{path}:{line}", raw
    else:
        for number, (where, raw) in enumerate(read_rows(path), 1):
            yield number, where, raw


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

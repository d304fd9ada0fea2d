"""Tables: CSV, TSV, JSON lines, JSON and Parquet files to rows, plain or compressed."""

import csv
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from smalltune.core.errors import DataError
from smalltune.core.plural import plural
from smalltune.data.cells import brief
from smalltune.data.decoding import first_text, numbered_lines, open_text
from smalltune.data.sniffing import FORMATS, table_format

__all__ = ["FORMATS", "column_of", "has_column", "read_rows", "read_table", "stream_lines"]

CHUNK = 1 << 16


def read_table(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table as dictionaries; see `read_rows`."""
    for _, row in read_rows(path):
        yield row


def read_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the place of each row, `train.csv, row 3 (line 5)`, and the row by column.

    Rows count from 1 without the header; the line is the one on which the row begins. The file's
    suffix says its format; `.gz`, `.zst`, `.bz2` and `.xz` may follow that of a text. A JSON file
    may hold a list or one object per line, a CSV may be separated by semicolons, tabs or bars as
    well: which, its content says without ambiguity. Nothing but the row at hand is held in memory.

    Raises DataError with the file (and row or line) when it is missing, of another format than its
    name says, not Unicode, ragged, or has two columns of one name.
    """
    kind = table_format(path)
    if kind == ".parquet":
        yield from _parquet(path)
    elif kind in (".csv", ".tsv"):
        yield from _separated(path, "," if kind == ".csv" else "\t")
    elif first_text(path).startswith("["):
        yield from _json_list(path)
    else:
        for number, (line, row) in enumerate(stream_lines(path), 1):
            yield _place(path, number, line), row


def has_column(row: Mapping[str, Any], name: str) -> bool:
    """Tell whether a row has a column; `answers.text` may name one within another."""
    head, dot, rest = name.partition(".")
    inner = row.get(head)
    return name in row or (bool(dot) and isinstance(inner, Mapping) and has_column(inner, rest))


def column_of(row: Mapping[str, Any], name: str) -> Any:
    """Return what a row that `has_column` holds there."""
    if name in row:
        return row[name]
    head, _, rest = name.partition(".")
    return column_of(row[head], rest)


def stream_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line number and object of a JSON-lines file without holding it in memory."""
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        try:
            row = json.loads(line.strip())
        except (json.JSONDecodeError, RecursionError) as error:
            hint = "Mend the line or drop it"
            if number == 1:
                hint = "Each line is one object; a CSV must be named .csv"
            raise DataError(f"{path}:{number}: {_not_json(error)}. {hint}") from None
        if not isinstance(row, dict):
            raise DataError(
                f'{path}:{number}: a row must be a JSON object, such as {{"text": "..."}}, and '
                f"this is {brief(row)}"
            )
        _whole(row, line, f"{path}:{number}")
        yield number, row


def _not_json(error: json.JSONDecodeError | RecursionError) -> str:
    said = getattr(error, "msg", "nested too deeply")
    return f"not JSON ({said.removesuffix(' at').removesuffix(' starting')})"


def _place(path: Path, number: int, line: int) -> str:
    return f"{path}, row {number}" + ("" if number == line else f" (line {line})")


def _separated(path: Path, delimiter: str) -> Iterator[tuple[str, dict[str, Any]]]:
    csv.field_size_limit(1 << 30)
    lines = (line for _, line in numbered_lines(path))
    first, skipped = next(lines, ""), 0
    chosen = re.fullmatch(r"sep=(.)\s*", first)  # Excel's way to name the separator
    while chosen is not None or (first and not first.strip()):
        delimiter, chosen = (chosen[1], None) if chosen else (delimiter, None)
        first, skipped = next(lines, ""), skipped + 1
    delimiter = _delimiter(path, first, delimiter, skipped + 1)
    reader = csv.reader(itertools.chain([first], lines), delimiter=delimiter, strict=True)
    begins = skipped + 1
    try:
        header = next(reader, [])
        _distinct(header, f"{path}:{begins}")
        number, begins = 0, skipped + reader.line_num + 1
        for cells in reader:
            if cells:
                number += 1
                place = _place(path, number, begins)
                if len(cells) != len(header):
                    raise DataError(_ragged(place, len(cells), len(header)))
                yield place, dict(zip(header, cells, strict=True))
            begins = skipped + reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}:{begins}: {_quotes(error)}") from None


def _delimiter(path: Path, header: str, delimiter: str, line: int) -> str:
    """Return what separates the columns; where the name's own does not occur, what else does."""
    bare = re.sub(r'"[^"]*"', "", header)
    others = [each for each in ",;\t|" if each in bare]
    if delimiter in others or not others:
        return delimiter
    if len(others) == 1:
        return others[0]
    raise DataError(
        f"{path}:{line}: what separates the columns of {header.strip()[:60]!r}? Use commas in a "
        ".csv and tabs in a .tsv"
    )


def _distinct(columns: list[str], place: str) -> None:
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{place}: two columns are named {twice!r}: give each its own name")


def _ragged(place: str, cells: int, columns: int) -> str:
    return (
        f"{place}: {plural(cells, 'cell')} where the header has {plural(columns, 'column')}: check "
        "quotes and separators (a cell that holds a separator or a line break stands in quotes)"
    )


def _quotes(error: csv.Error) -> str:
    """Return what a complaint of the csv module means for the row that begins here."""
    said = str(error)
    if "unexpected end" in said:
        return "a quote is opened in the row that begins here and never closed"
    if "expected after" in said:
        return 'a quote within a quoted cell of the row that begins here must be doubled: ""'
    return f"the row that begins here cannot be read ({said})"


def _whole(row: dict[str, Any], source: str, place: str) -> None:
    """Raise DataError for half a character: an escape such as \\ud83d without its second half."""
    if "\\ud" in source or "\\uD" in source:
        try:
            json.dumps(row, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            half = f"\\u{ord(error.object[error.start]):x}"
            raise DataError(
                f"{place}: half a character ({half} alone), as where a text was cut: mend it or "
                "drop the row"
            ) from None


_BLANK = re.compile(r"\s*")


def _json_list(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects of a JSON list one by one; only the one at hand is held."""
    decoder = json.JSONDecoder()
    with open_text(path) as file:
        text, at, line, number = file.read(CHUNK), 0, 1, 0
        wanted = "["
        while wanted:
            start = _BLANK.match(text, at).end()  # type: ignore[union-attr]
            line += text.count("\n", at, start)
            at = start
            if at == len(text):
                text, at = file.read(CHUNK), 0
                if not text:
                    raise DataError(f"{path}:{line}: the list ends too early: is the file whole?")
            elif wanted == "{" and text[at] == "{":
                try:
                    row, end = decoder.raw_decode(text, at)
                except json.JSONDecodeError as error:
                    more = file.read(max(CHUNK, len(text)))
                    if not more:
                        wrong = line + text.count("\n", at, error.pos)
                        raise DataError(
                            f"{path}:{wrong}: {_not_json(error)}: is the file whole? If so, mend "
                            "it there"
                        ) from None
                    text, at = text[at:] + more, 0
                    continue
                number += 1
                _whole(row, text[at:end], f"{path}:{line}")
                yield _place(path, number, line), row
                line += text.count("\n", at, end)
                at, wanted = end, ",]"
            elif text[at] in wanted or (text[at] == "]" and number == 0):
                wanted = "" if text[at] == "]" else "{"
                at += 1
            else:
                comma = wanted == ",]" and text[at] == "{"
                hint = ": a comma is missing before this row" if comma else ""
                raise DataError(f"{path}:{line}: must hold a list of JSON objects{hint}")


def _parquet(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    import pyarrow
    import pyarrow.parquet

    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            _distinct(file.schema_arrow.names, str(path))
            for batch in file.iter_batches(batch_size=1000):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path}, row {number}", row
    except (pyarrow.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DataError(
            f"{path}: not a readable Parquet file ({str(error).splitlines()[0]})"
        ) from None

"""Tables: CSV, TSV, JSON lines, JSON and Parquet files to rows, plain or compressed."""

import contextlib
import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from smalltune.core.errors import DataError

__all__ = ["FORMATS", "read_table", "stream_lines"]

FORMATS = (".csv", ".tsv", ".jsonl", ".json", ".parquet")


def read_table(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table as dictionaries; the file's suffix says its format.

    `.gz` and `.zst` may follow the suffix of a text format. Raises DataError with the file (and
    line) when it is missing, of another format than its name says, not UTF-8, or ragged.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    suffixes = [s for s in path.suffixes if s not in (".gz", ".zst")]
    kind = suffixes[-1].lower() if suffixes else ""
    if kind not in FORMATS:
        raise DataError(f"{path}: of what format? The name must end in one of {', '.join(FORMATS)}")
    try:
        yield from {
            ".csv": lambda: _separated(path, ","),
            ".tsv": lambda: _separated(path, "\t"),
            ".jsonl": lambda: _json_lines(path),
            ".json": lambda: _json(path),
            ".parquet": lambda: _parquet(path),
        }[kind]()
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not UTF-8 text (byte {error.start}); save it as UTF-8 and try again"
        ) from None


def stream_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line number and object of a JSON-lines file without holding it in memory."""
    with _open(path) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(f"{path}:{number}: not JSON ({error.msg})") from None
            if not isinstance(row, dict):
                raise DataError(f"{path}:{number}: a row must be a JSON object")
            yield number, row


@contextlib.contextmanager
def _open(path: Path) -> Iterator[IO[str]]:
    if path.suffix == ".gz":
        try:
            with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
                yield file
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DataError(f"{path}: not a whole gzip file ({error})") from None
    elif path.suffix == ".zst":
        import zstandard

        try:
            with path.open("rb") as raw:
                reader = zstandard.ZstdDecompressor().stream_reader(raw)
                yield io.TextIOWrapper(reader, encoding="utf-8-sig", newline="")
        except zstandard.ZstdError as error:
            raise DataError(f"{path}: not a whole zstd file ({error})") from None
    else:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield file


def _separated(path: Path, delimiter: str) -> Iterator[dict[str, Any]]:
    csv.field_size_limit(1 << 30)
    with _open(path) as file:
        reader = csv.DictReader(file, delimiter=delimiter, strict=True)
        try:
            header = reader.fieldnames or []
            if len(header) == 1 and re.search(r"[;,\t]", header[0]):
                raise DataError(
                    f"{path}:1: one column only, {header[0]!r}: separate columns by commas in a "
                    ".csv and by tabs in a .tsv"
                )
            for row in reader:
                if None in row or None in row.values():
                    raise DataError(
                        f"{path}:{reader.line_num}: this row does not have the header's "
                        f"{len(reader.fieldnames or [])} columns: check its quotes and separators"
                    )
                yield row
        except csv.Error as error:
            raise DataError(f"{path}:{reader.line_num}: {error}") from None


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    for _, row in stream_lines(path):
        yield row


def _json(path: Path) -> Iterator[dict[str, Any]]:
    with _open(path) as file:
        try:
            rows = json.load(file)
        except json.JSONDecodeError as error:
            raise DataError(f"{path}:{error.lineno}: not JSON ({error.msg})") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{path}: must hold a list of JSON objects")
    yield from rows


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches():
                yield from batch.to_pylist()
    except pyarrow.ArrowInvalid as error:
        raise DataError(
            f"{path}: not a readable Parquet file ({str(error).splitlines()[0]})"
        ) from None

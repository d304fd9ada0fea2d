"""Small files for the tests of this room."""

import json

import pyarrow
import pyarrow.parquet


def table(path, rows):
    """Write rows as JSON lines; return the path."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


def parquet(path, rows):
    """Write rows as Parquet; return the path."""
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path

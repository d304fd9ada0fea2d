"""Tables: the same rows from every format, each with its place, one at a time."""

import bz2
import gzip
import json
import lzma
import tracemalloc

import pytest

from smalltune.core.errors import DataError
from smalltune.data.tables import read_rows, read_table, stream_lines

ROWS = [{"text": f"number {n}", "label": "ab"[n % 2]} for n in range(5)]
CSV = "text,label\n" + "".join(f"{row['text']},{row['label']}\n" for row in ROWS)
FORMATS = [
    "csv", "crlf", "cr", "no last line break", "semicolons", "bars", "sep", "tsv", "utf-16",
    "utf-32", "gzip", "bzip2", "xz", "jsonl.xz", "jsonl", "json", "indented json",
]  # fmt: skip


def put(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def places(path):
    return [place.removeprefix(f"{path}, ") for place, _ in read_rows(path)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", CSV),
        ("t.csv", CSV.replace("\n", "\r\n")),
        ("t.csv", CSV.replace("\n", "\r")),
        ("t.csv", CSV.rstrip("\n")),
        ("t.csv", CSV.replace(",", ";")),
        ("t.csv", CSV.replace(",", "|")),
        ("t.csv", "sep=\t\n" + CSV.replace(",", "\t")),
        ("t.tsv", CSV.replace(",", "\t")),
        ("t.CSV", CSV.encode("utf-16")),
        ("t.csv", CSV.encode("utf-32")),
        ("t.csv.gz", gzip.compress(CSV.encode("utf-8-sig"), mtime=0)),
        ("t.csv.bz2", bz2.compress(CSV.encode())),
        ("t.csv.xz", lzma.compress(CSV.encode())),
        ("t.jsonl.xz", lzma.compress("\n".join(json.dumps(row) for row in ROWS).encode())),
        ("t.jsonl", "\n\n".join(json.dumps(row) for row in ROWS)),
        ("t.json", json.dumps(ROWS)),
        ("t.json", " \n" + json.dumps(ROWS, indent=3) + "\n"),
    ],
    ids=FORMATS,
)
def test_the_same_rows_are_read_from_every_format(tmp_path, name, content):
    assert list(read_table(put(tmp_path, name, content))) == ROWS


def test_a_place_is_the_row_and_the_line_on_which_it_begins(tmp_path):
    text = 'text,label\n"one\ntwo",a\n\n"a ""b""\r\n\r\nc",b\nlast,a\n'
    path = put(tmp_path, "t.csv", text)
    assert places(path) == ["row 1 (line 2)", "row 2 (line 5)", "row 3 (line 8)"]
    assert [row["text"] for row in read_table(path)] == ["one\ntwo", 'a "b"\r\n\r\nc', "last"]
    path = put(tmp_path, "t.json", json.dumps(ROWS[:2], indent=1))
    assert places(path) == ["row 1 (line 2)", "row 2 (line 6)"]
    assert places(put(tmp_path, "t.jsonl", "{}\n{}\n\n{}")) == ["row 1", "row 2", "row 3 (line 4)"]


def test_a_list_longer_than_what_is_read_at_a_time_comes_out_whole(tmp_path):
    """Rows lie across the borders of the pieces, and one is longer than several of them."""
    rows = [{"text": 'é{[,"' * (n if n != 7 else 90_000), "n": n} for n in range(900)]
    for indent in (None, 1):
        text = json.dumps(rows, indent=indent, ensure_ascii=False)
        path = put(tmp_path, "t.json", text)
        assert list(read_table(path)) == rows
    lines = text.splitlines()
    begins = [number for number, line in enumerate(lines, 1) if line == " {"]
    assert places(path)[5] == f"row 6 (line {begins[5]})"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[{}", ":1: the list ends too early"),
        ("[{}, ", ":1: the list ends too early"),
        ("[{}\n {}]", ":2: must hold a list of JSON objects"),
        ("[{},\n\n]", ":3: must hold a list of JSON objects"),
        ("[{},\n{'a': 1}]", ":2: not JSON (Expecting property name"),
        ('{"a": [\n1]}', ":1: not JSON (Expecting value)"),
        ("[[1]]", ":1: must hold a list of JSON objects"),
        ("1\n", ":1: a row must be a JSON object"),
        ('{"a": 1}\n{"a": }\n', ":2: not JSON (Expecting value)"),
        ("[" * 100_000, ":1: "),
        ('{"a": ' + "[" * 100_000, ":1: not JSON (nested too deeply)"),
    ],
)
def test_json_that_is_not_rows_is_refused_with_its_line(tmp_path, text, message):
    path = put(tmp_path, "t.json", text)
    with pytest.raises(DataError) as error:
        list(read_table(path))
    assert str(error.value).startswith(f"{path}{message}")


def test_an_empty_list_and_an_empty_file_have_no_rows(tmp_path):
    for name, text in (("t.json", "[]"), ("t.json", ""), ("t.jsonl", "\n"), ("t.csv", "\n \n")):
        assert list(read_table(put(tmp_path, name, text))) == []


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.json", "t.parquet"])
def test_memory_does_not_grow_with_the_number_of_rows(tmp_path, name):
    """40,000 rows of 200 characters are 8 MB; the reader holds far less of them at any time."""
    rows = [{"text": f"{n} " + "word " * 40, "label": "a"} for n in range(40_000)]
    path = tmp_path / name
    if name == "t.csv":
        path.write_text("text,label\n" + "".join(f"{r['text']},a\n" for r in rows))
    elif name == "t.parquet":
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        text = json.dumps(rows) if name == "t.json" else "\n".join(map(json.dumps, rows))
        path.write_text(text)
    del rows
    tracemalloc.start()
    try:
        count = sum(1 for _ in read_rows(path))
        assert tracemalloc.get_traced_memory()[1] < 3e6
    finally:
        tracemalloc.stop()
    assert count == 40_000


def test_lines_are_streamed_with_their_numbers(tmp_path):
    path = put(tmp_path, "t.jsonl", '{"a": 1}\n\n{"a": 2}\r\n')
    assert list(stream_lines(path)) == [(1, {"a": 1}), (3, {"a": 2})]

"""Documents of running text out of every format."""

import gzip
import json

import pytest

from smalltune.core.errors import DataError
from smalltune.core.plugins import load
from smalltune.data.documents import documents

TEXTS = ["One line.", "Two\nlines.", "A third one."]


def written(folder):
    """Yield the same documents in each format, and the number of the last."""
    plain = "\n\n".join(TEXTS)
    lines = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS)
    quoted = "text\n" + "".join(f'"{text}"\n' for text in TEXTS)
    for name, content in (
        ("a.txt", plain.encode()),
        ("b.txt", f"\n\n{plain}\n \n\n".replace("\n", "\r\n").encode()),
        ("c.txt.gz", gzip.compress(plain.encode())),
        ("d.jsonl", lines.encode()),
        ("e.json", json.dumps([{"text": text} for text in TEXTS]).encode()),
        ("f.csv", quoted.encode()),
    ):
        (folder / name).write_bytes(content)
        yield folder / name


def test_the_same_documents_are_read_from_every_format(tmp_path):
    for path in written(tmp_path):
        assert list(documents(path, "text")) == list(enumerate(TEXTS, 1)), path.name


def test_a_document_without_text_is_named(tmp_path):
    for path in written(tmp_path):
        if ".txt" not in path.name:
            with pytest.raises(DataError, match="no column 'body'; the columns are: text"):
                list(documents(path, "body"))


def test_a_place_in_a_table_is_its_row_with_the_line_and_in_lines_the_line(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('text\n"two\nlines"\n" "\n')
    with pytest.raises(
        DataError, match=r"a.csv, row 2 \(line 4\): the column 'text' holds no text"
    ):
        list(documents(path, "text"))
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a"}\n\n{"text": 7}\n')
    with pytest.raises(DataError, match=r"a.jsonl:3: the column 'text' holds 7, which is no text"):
        list(documents(path, "text"))


def test_a_list_named_as_lines_is_read_and_a_file_that_is_no_text_is_named(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps([{"text": text} for text in TEXTS]))
    assert [text for _, text in documents(path, "text")] == TEXTS
    for name, content, said in (
        ("b.txt", gzip.compress(b"text"), "packed with gzip: name it b.txt.gz"),
        ("c.jsonl.gz", b'{"text": "x"}', "not packed with gzip, as its name says: name it c.jsonl"),
        ("d.txt", b"%PDF-1.7", "a PDF"),
        ("e.md", b"text", r"of what format\? The name must end in one of .* \(or .txt, for"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(DataError, match=f"{name}: {said}"):
            list(documents(path, "text"))
    page = tmp_path / "f.txt"
    page.write_text("<html>\nis text of a sort")
    assert len(list(documents(page, "text"))) == 1


def test_a_plain_text_file_is_split_by_document(tmp_path):
    path = tmp_path / "book.txt"
    path.write_text("\n\n".join(f"Paragraph {n} of it." for n in range(90)))
    splits = load("smalltune.tasks", "language_modelling")(held_out=0.2).split({"text": [path]})
    assert len(splits.train) + len(splits.dev) + len(splits.test) == 90
    assert {row.fields["text"] for row in splits.train} < {
        f"Paragraph {n} of it." for n in range(90)
    }

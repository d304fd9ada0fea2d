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
            with pytest.raises(DataError, match=f"{path}:1: the column 'body' holds no text"):
                list(documents(path, "body"))


def test_a_plain_text_file_is_split_by_document(tmp_path):
    path = tmp_path / "book.txt"
    path.write_text("\n\n".join(f"Paragraph {n} of it." for n in range(90)))
    splits = load("smalltune.tasks", "language_modelling")(held_out=0.2).split({"text": [path]})
    assert len(splits.train) + len(splits.dev) + len(splits.test) == 90
    assert {row.fields["text"] for row in splits.train} < {
        f"Paragraph {n} of it." for n in range(90)
    }

import json

import numpy as np
import pytest
import zstandard
from corpus import FEWEST_WORDS, Source, make, widened

from smalltune.data.tables import stream_lines


def prose(seed, n=12):
    """Return n paragraphs of thirty made-up words each, as an article has them."""
    rng = np.random.default_rng(seed)
    letters = rng.integers(97, 123, size=(n, 30, 6))
    return ["It " + " ".join("".join(map(chr, w)) for w in p) + "." for p in letters]


def plain(text):
    return text.split("\n")


@pytest.fixture
def build(tmp_path):
    """Make a corpus of documents and evaluation sets; return the report and the documents."""

    def run(documents, held_out=0.0, folder="out", **sets):
        path = tmp_path / "docs.jsonl.zst"
        rows = "".join(
            json.dumps({"id": f"d{i}", "text": "\n".join(d)}) + "\n"
            for i, d in enumerate(documents)
        )
        path.write_bytes(zstandard.ZstdCompressor().compress(rows.encode()))
        report = make([Source("made", path, plain, held_out)], sets, tmp_path / folder)
        kept = {}
        for name in report["shards"]:
            for _, row in stream_lines(tmp_path / folder / name):
                kept[row["id"]] = (name.partition("-")[0], row["text"].split("\n"))
        return report, kept

    return run


def test_the_same_input_gives_the_same_bytes_and_keeps_every_new_document(build):
    documents = [prose(i) for i in range(5)]
    first, kept = build(documents)
    again, _ = build(documents, folder="again")
    assert first == again
    assert {name: text for name, (_, text) in kept.items()} == {
        f"d{i}": text for i, text in enumerate(documents)
    }


def test_a_shared_run_takes_its_paragraph_and_those_within_the_margin(build):
    document = prose(0, n=40)
    quiz = " ".join(document[5].split()[12:26]).upper()
    report, kept = build([document], quiz=[quiz], other=["nothing in common"])
    left = kept["d0"][1]
    assert document[5] not in left
    assert left == [p for i, p in enumerate(document) if i < 4 or i > 7]
    assert report["overlaps"]["quiz"]["spans removed"] == 1
    assert report["overlaps"]["quiz"]["words in spans"] == 14
    assert report["overlaps"]["other"] == {}


def test_a_document_that_overlaps_too_much_goes_whole(build):
    document, innocent = prose(0), prose(1)
    report, kept = build([document, innocent], quiz=[" ".join(document[3:9])])
    assert set(kept) == {"d1"}
    assert report["overlaps"]["quiz"]["documents removed"] == 1


def test_nothing_of_the_evaluation_data_is_left(build):
    documents = [prose(i) for i in range(6)]
    quiz = [" ".join(d[i].split()[5:20]) for i, d in enumerate(documents)]
    _, kept = build(documents, quiz=quiz)
    rest = " ".join(" ".join(text) for _, text in kept.values())
    for text in quiz:
        tokens = text.split()
        assert not any(" ".join(tokens[i : i + 13]) in rest for i in range(len(tokens) - 12))


def test_repeated_documents_and_paragraphs_count_once_also_when_a_word_differs(build):
    one, two = prose(0), prose(1)
    near = [p.replace(p.split()[2], "other", 1) for p in one]
    report, kept = build([one, [*two, one[3]], one, near])
    assert kept["d0"][1] == one
    assert kept["d1"][1] == two
    assert set(kept) == {"d0", "d1"}
    assert report["counts"]["repeated documents"] == 2


def test_short_documents_go(build):
    document = prose(0, n=1)
    assert len(document[0].split()) < FEWEST_WORDS
    _, kept = build([document])
    assert kept == {}


def test_about_the_right_share_of_documents_is_held_out_and_always_the_same_ones(build):
    _, kept = build([prose(i, n=3) for i in range(200)], held_out=0.2)
    splits = [split for split, _ in kept.values()]
    assert set(splits) == {"train", "dev", "test"}
    assert all(15 <= splits.count(split) <= 70 for split in ("dev", "test"))
    _, fewer = build([prose(i, n=3) for i in range(50)], held_out=0.2, folder="fewer")
    assert all(kept[name][0] == split for name, (split, _) in fewer.items())


def test_the_margin_reaches_as_far_as_it_says():
    mask = np.zeros(20, dtype=bool)
    mask[[4, 12]] = True
    assert np.flatnonzero(widened(mask, 2)).tolist() == [2, 3, 4, 5, 6, 10, 11, 12, 13, 14]

"""Prepare and tokens: the files they write and the facts a reader is told, on a real store."""

import json

import numpy as np
import pytest

from smalltune.core.errors import DataError
from smalltune.core.job import Job
from smalltune.core.keys import file_digest
from smalltune.core.store import Store
from smalltune.engine.segments import Segments
from smalltune.stages import Bench, execute

OPTIONS = {"text": "t", "label": "y", "labels": {"0": "bad", "1": "good"}, "dev": {"rows": 20}}


def table(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def files(tmp_path):
    texts = [
        {"t": f"text number {i} is about the {i * i} of things", "y": i % 2} for i in range(200)
    ]
    texts[7]["t"] = texts[3]["t"].upper() + "!"
    texts[9]["t"] = "word " * 300
    test = [{"t": "nothing like it", "y": 0}, texts[3], {"t": "again, nothing like it", "y": 1}]
    return {
        "train": [table(tmp_path / "1.jsonl", texts[:90]), table(tmp_path / "2.jsonl", texts[90:])],
        "test": [table(tmp_path / "test.jsonl", test)],
    }


def prepare(files):
    spec = {
        "task": {"kind": "classification", "version": 2, "options": OPTIONS},
        "files": {role: [file_digest(path) for path in paths] for role, paths in files.items()},
    }
    sources = {f"{role}/{n}": str(p) for role, paths in files.items() for n, p in enumerate(paths)}
    return Job("prepare", 2, spec, {}, sources)


def tokens(data, folder, length=64):
    prompt = {"text": "t", "labels": OPTIONS["labels"], "prompt": "{t}\nIt is"}
    task = {"kind": "classification", "version": 2, "options": prompt}
    spec = {"task": task, "chat": False, "tokeniser": "digest", "max_length": length}
    return Job("tokens", 2, spec, {"data": data}, {"model": f"path:{folder}"})


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def lines(store, job, name):
    return [json.loads(line) for line in (store.path(job.key) / name).read_text().splitlines()]


def test_the_facts_of_the_data_are_those_of_the_rows_written(files, store):
    job = prepare(files)
    execute(job, store, Bench())
    facts = store.read_json(job.key, "facts.json")
    rows = {split: lines(store, job, f"{split}.jsonl") for split in ("train", "dev", "test")}
    for split, said in facts["splits"].items():
        labels = [row["label"] for row in rows[split]]
        words = [len(row["fields"]["t"].split()) for row in rows[split]]
        assert said["rows"] == len(labels) == sum(said["labels"].values())
        assert said["labels"] == {label: labels.count(label) for label in sorted(set(labels))}
        assert said["words_mean"] == pytest.approx(np.mean(words))
        assert said["words_max"] == max(words)
        assert set(said["duplicates"]) == {"exact", "near"}
    assert facts["dropped"]["train rows repeated in test"] == 2
    assert len(rows["train"]) + len(rows["dev"]) + sum(facts["dropped"].values()) == 200
    assert set(facts["across"]) == {"train-dev", "train-test", "dev-test"}
    assert facts["across"]["train-test"]["exact"] == facts["across"]["dev-test"]["exact"] == 0
    assert facts["near"]["threshold"] == 0.8 and "MinHash" in facts["near"]["method"]
    assert facts["notes"] == []


def test_a_data_file_that_changed_since_the_lock_is_an_error(files, store):
    job = prepare(files)
    files["train"][1].write_text(files["train"][1].read_text() + "\n")
    with pytest.raises(DataError, match=r"2\.jsonl: changed since study\.lock"):
        execute(job, store, Bench())


def test_the_facts_of_the_tokens_are_those_of_the_segments_written(files, store, tiny_folder):
    job = tokens(prepare(files), tiny_folder)
    bench = Bench()
    execute(job.inputs["data"], store, bench)
    execute(job, store, bench)
    facts = store.read_json(job.key, "facts.json")["splits"]
    truncated = 0
    for split, said in facts.items():
        segments = Segments.load(store.path(job.key) / f"{split}.safetensors")
        assert said["rows"] == len(segments) == sum(said["lengths"]["counts"])
        assert said["tokens"] == segments.lengths.sum()
        assert said["longest"] == segments.lengths.max() <= 64
        edges = said["lengths"]["edges"]
        assert len(edges) == len(said["lengths"]["counts"]) + 1 and edges == sorted(set(edges))
        assert said["mean"] >= segments.lengths.mean()
        truncated += said["truncated"]
    assert truncated == 1
    longest = max(said["lengths"]["edges"][-1] for said in facts.values())
    assert longest > 300  # the lengths are told as they were before the cut


def test_the_same_question_on_the_same_data_is_not_prepared_again(files, store, tiny_folder):
    first, second = (tokens(prepare(files), tiny_folder) for _ in range(2))
    for job in (first.inputs["data"], first):
        execute(job, store, Bench())
    before = {path: path.stat().st_mtime_ns for path in store.root.rglob("*") if path.is_file()}
    for job in (second.inputs["data"], second):
        execute(job, store, Bench())
    assert before == {p: p.stat().st_mtime_ns for p in store.root.rglob("*") if p.is_file()}


def test_another_prompt_is_tokenised_on_the_same_rows(files, tiny_folder):
    one, other = tokens(prepare(files), tiny_folder), tokens(prepare(files), tiny_folder, 32)
    assert one.key != other.key and one.inputs["data"].key == other.inputs["data"].key


def test_a_limit_keeps_a_draw_of_dev_and_test_counts_the_rest_and_spares_train(
    tmp_path, files, store
):
    test = [{"t": f"number {i} of test is unlike", "y": i % 2} for i in range(40)]
    whole = prepare({**files, "test": [table(tmp_path / "more.jsonl", test)]})
    limit = {"dev": 6, "test": 10, "seed": 0}
    less = Job("prepare", 2, {**whole.spec, "limit": limit}, {}, whole.sources)
    for job in (whole, less):
        execute(job, store, Bench())
    for split, rows in (("train", None), ("dev", 6), ("test", 10)):
        before, after = (lines(store, job, f"{split}.jsonl") for job in (whole, less))
        assert len(after) == (rows or len(before))
        assert [row for row in before if row in after] == after
    facts = store.read_json(less.key, "facts.json")
    assert facts["dropped"]["test rows beyond the limit"] == 30
    assert facts["dropped"]["dev rows beyond the limit"] == 14
    assert facts["splits"]["test"]["labels"] == {"bad": 5, "good": 5}

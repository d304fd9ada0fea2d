"""Openings: each reading of a test split's right answers stands in the store before it happens."""

import multiprocessing
from dataclasses import replace

import pytest

from smalltune.core import openings
from smalltune.core.archive import export_store, import_store
from smalltune.core.errors import StoreError
from smalltune.core.job import Job
from smalltune.core.store import Store


def prepared(store, task="own", rows="a\n"):
    """Store a task's test rows; return the job that made them."""
    job = Job("prepare", 1, {"task": task}, label=f"prepare {task}")
    (store.work(job) / "test.jsonl").write_text(rows)
    store.commit(job, {"seconds": 1.0})
    return job


def score(data, number, split="test"):
    return Job(
        "score", 1, {"number": number, "split": split}, {"data": data}, {}, f"score {number}"
    )


def test_an_opening_says_what_was_read_and_by_which_job(store):
    data = prepared(store)
    openings.note(store, score(data, 1), "test")
    (one,) = openings.openings(store)
    rows = store.manifest(data.key)["files"]["test.jsonl"]["sha256"]
    assert (one.task, one.split, one.data) == ("own", "test", rows)
    assert (one.job, one.label) == (score(data, 1).key, "score 1")
    assert one.time.endswith("+00:00")


def test_reading_dev_or_train_is_no_opening(store):
    data = prepared(store)
    for split in ("dev", "train"):
        openings.note(store, score(data, 1, split), split)
    assert openings.openings(store) == []


def test_the_same_rows_are_known_again_under_another_name_and_others_are_not(store):
    for number, (task, rows) in enumerate([("a", "x\n"), ("b", "x\n"), ("c", "y\n")]):
        openings.note(store, score(prepared(store, task, rows), number), "test")
    first, again, other = openings.openings(store)
    assert first.data == again.data != other.data


def _write(root, data, first):
    store = Store(root)
    for number in range(first, first + 40):
        openings.note(store, score(data, number), "test")


def test_several_processes_write_whole_lines_beside_each_other(store):
    data = prepared(store)
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_write, args=(store.root, data, 40 * n)) for n in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert len({one.job for one in openings.openings(store)}) == 160
    assert openings.unreadable(store) == 0


def test_half_a_line_of_a_killed_writer_spoils_no_other_and_is_told(store):
    data = prepared(store)
    openings.note(store, score(data, 1), "test")
    path = store.root / openings.FILE
    path.write_bytes(path.read_bytes() + b'{"time": "2026-')
    openings.note(store, score(data, 2), "test")
    assert [one.label for one in openings.openings(store)] == ["score 1", "score 2"]
    assert openings.unreadable(store) == 1


def test_what_a_terminal_would_obey_is_no_opening(store):
    data = prepared(store)
    openings.note(store, score(data, 1), "test")
    text = (store.root / openings.FILE).read_text()
    assert len(openings.parse(text)) == 1
    assert openings.parse(text.replace("score 1", r"\u001b[2J")) == []
    assert openings.parse('[1]\n{"time": 1}\nno JSON\n') == []


def test_where_the_record_cannot_be_written_nothing_may_be_read(store):
    data = prepared(store)
    (store.root / openings.FILE).mkdir()
    with pytest.raises((StoreError, OSError)):
        openings.note(store, score(data, 1), "test")


def test_openings_are_counted_from_a_studys_side(store):
    data = prepared(store)
    mine, twice, unseen = score(data, 1), score(data, 2), score(data, 3)
    for job in (mine, twice, twice, score(data, 4), score(prepared(store, "b", "b\n"), 5)):
        openings.note(store, job, "test")
    keys = [job.key for job in (mine, twice, unseen)]
    rows = openings.digest(store, data.key)
    told = openings.tally(openings.openings(store), rows, keys, [unseen.key, mine.key])
    assert (told.times, told.jobs, told.others, told.unrecorded) == (3, 2, 1, 1)
    assert told.words == (
        "opened 3 times by 2 scores of this study, and by 1 score outside it; "
        "1 score stored without a record"
    )
    assert openings.tally([], rows, keys, []).words == "never opened by this study"
    assert replace(told, beside=("b", "c")).words.startswith(
        "opened 3 times by 2 scores of this study (those of b, c on the same rows included), and by"
    )


def test_the_record_travels_with_the_data_and_is_taken_once(store, tmp_path):
    data, other = prepared(store), prepared(store, "b", "b\n")
    openings.note(store, score(data, 1), "test")
    openings.note(store, score(other, 2), "test")
    export_store(store, [data.key], [], tmp_path / "work.tar.gz")
    there = Store(tmp_path / "there")
    for _ in range(2):
        import_store(there, tmp_path / "work.tar.gz")
    assert [one.label for one in openings.openings(there)] == ["score 1"]
    assert (there.root / openings.FILE).read_text().count("\n") == 1

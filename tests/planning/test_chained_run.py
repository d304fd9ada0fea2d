"""Running chains: a start is made once, stays while anything needs it, and goes afterwards."""

from collections import Counter

import pytest
from planning.test_links import STUDY

TUNED = ("fake.trainer, after: first", "fake.trainer, tune: {rank: [1, 3]}, after: first")


@pytest.fixture
def linked(bureau):
    (bureau.folder / "text.jsonl").write_text('{"text": "so it goes"}\n')
    (bureau.folder / "o.jsonl").write_text('{"instruction": "Say so.", "output": "So."}\n')
    return bureau.write(STUDY)


def left(store):
    return sorted(path.parent.name for path in store.root.glob("artifacts/*/*/*/model.safetensors"))


def trainings(here):
    return Counter(job.label for job in here.ran if job.stage in ("train", "merge"))


def test_a_start_is_made_once_a_seed_and_nothing_heavy_is_left(linked, go, here, store):
    report = go()
    assert report.ok and left(store) == []
    assert set(trainings(here).values()) == {1}
    assert sum(label.startswith("merge") for label in trainings(here)) == 2
    assert go().nothing


def test_a_start_waits_for_the_tuning_of_what_comes_after_it(linked, go, here, store):
    linked.replace("on: orders, tasks: own", "on: orders, tasks: own, tune: {rank: [2, 4]}")
    linked.replace(
        "  alone:", "  third: {method: fake.trainer, after: first, tasks: own}\n  alone:"
    )
    linked.replace(*TUNED)
    report = go()
    assert report.ok and left(store) == []
    assert set(trainings(here).values()) == {1}, "what was dropped too early is trained again"
    assert go().nothing


def test_a_start_that_fails_stops_what_comes_after_it_and_nothing_else(linked, go, here, store):
    here.broken = ["merge tiny/first/orders/0"]
    report = go()
    assert len(report.failed) == 1
    assert report.blocked and all("second/own/0" in label for label in report.blocked)
    assert left(store) == ["weights"]  # what could not be merged is still to be read
    here.broken, here.ran = [], []
    assert go().ok and left(store) == []
    assert not any("alone" in label for label in trainings(here))


def test_a_study_that_keeps_its_weights_keeps_what_they_start_from(linked, go, store):
    go("keep_weights=true")
    assert left(store) == ["model"] * 2 + ["weights"] * 6


def test_one_more_seed_makes_one_more_start(linked, go, here):
    go()
    here.ran = []
    go("seeds=3")
    assert {label.rpartition("/")[2] for label in trainings(here)} == {"2"}
    assert sum(trainings(here).values()) == 4


def test_another_study_that_still_has_to_read_a_start_keeps_it(linked, go, here, store):
    here.broken = ["second/own/0 also"]
    go()
    assert "model" in left(store)
    here.broken = []
    linked.replace("name: linked", "name: other")
    linked.replace("    also: [prose, orders]\n", "")
    assert go().ok
    assert "model" in left(store), "the first study still has to ask it other tasks"

"""Scaling: what the planner, the runner and the store do for a trial does not grow with a study."""

import os
import sys
import threading
import time
from collections import Counter

import pytest

from smalltune.core import claims, plugins
from smalltune.core.claims import claim
from smalltune.core.errors import StudyError
from smalltune.core.job import Job
from smalltune.planning.locking import lock_in_force
from smalltune.planning.planner import plan
from smalltune.planning.status import status

ROOMS = tuple(f"smalltune{os.sep}{room}{os.sep}" for room in ("core", "planning", "runner"))


@pytest.fixture
def calls():
    """Count the calls of functions of core, planning and runner while a function runs."""

    def count(function) -> int:
        counts: Counter[str] = Counter()

        def note(frame, event, argument):
            if event == "call":
                counts["all"] += any(room in frame.f_code.co_filename for room in ROOMS)

        sys.setprofile(note)
        try:
            function()
        finally:
            sys.setprofile(None)
        return counts["all"]

    return count


@pytest.fixture
def no_sync(monkeypatch):
    monkeypatch.setattr("smalltune.core.disk.sync", lambda path: None)
    monkeypatch.setattr("smalltune.core.store.sync", lambda path: None)


FEW, MANY = 10, 120


def per_trial(counts: dict[int, int]) -> float:
    """Return by what factor the calls per trial grow from few trials to many."""
    return (counts[MANY] / MANY) / (counts[FEW] / FEW)


def test_planning_a_trial_is_as_much_work_in_a_large_study(bureau, calls):
    counts = {}
    for seeds in (FEW, MANY):
        study = bureau.read(f"seeds={seeds}")
        lock = lock_in_force(study)[0]
        counts[seeds] = calls(lambda s=study, known=lock: list(plan(s, known).jobs()))
    assert per_trial(counts) < 1.1


def test_a_room_is_not_listed_for_a_plug_in_that_is_loaded(monkeypatch):
    loaded = plugins.load("smalltune.metrics", "accuracy")
    monkeypatch.setattr(plugins, "names", lambda room: pytest.fail(f"{room} was listed"))
    assert plugins.load("smalltune.metrics", "accuracy") is loaded
    monkeypatch.undo()
    with pytest.raises(StudyError, match="Did you mean 'accuracy'"):
        plugins.load("smalltune.metrics", "acuracy")


def test_running_a_trial_and_asking_again_is_as_much_work_in_a_large_study(
    go, here, calls, no_sync
):
    ran, again = {}, {}
    for seeds in (FEW, MANY):
        change = (f"seeds={seeds}", f"training.epochs={seeds}")
        ran[seeds] = calls(lambda change=change: go(*change))
        again[seeds] = calls(lambda change=change: go(*change))
        assert len([job for job in here.ran if job.stage == "train"]) == seeds
        here.stages()
    assert per_trial(ran) < 1.15
    assert per_trial(again) < 1.15


def test_the_status_of_a_trial_is_as_much_work_in_a_large_study(go, bureau, store, calls, no_sync):
    counts = {}
    for seeds in (FEW, MANY):
        go(f"seeds={seeds}")
        study = bureau.read(f"seeds={seeds}")
        now = plan(study, lock_in_force(study)[0])
        counts[seeds] = calls(lambda s=study, p=now: status(s, p, store))
    assert per_trial(counts) < 1.1


def test_few_jobs_are_offered_however_many_can_start(go, here, no_sync):
    offered = []
    here.choose = lambda ready: (offered.append(len(ready)), ready[0])[1]
    go("seeds=60")
    assert len(here.ran) > 300 and max(offered) <= 4


def test_the_plan_of_another_study_is_read_once_and_again_when_it_changes(
    go, bureau, store, monkeypatch, no_sync
):
    go("seeds=3")
    bureau.replace("name: little", "name: other")
    read, before = [], store.read_plan
    monkeypatch.setattr(store, "read_plan", lambda study: (read.append(study), before(study))[1])
    go("seeds=9", "training.epochs=3")
    assert read == ["little"]


def test_weights_that_another_study_has_come_to_keep_meanwhile_are_left_alone(
    go, here, bureau, store
):
    go("training.epochs=9", "seeds=6")
    bureau.replace("name: little", "name: other")
    gone = []

    def dropped():
        return {path.parent for path in store.root.glob("artifacts/*/*/dropped.json")}

    before = dropped()

    def keep(job):
        if not gone and dropped() - before:
            gone.extend(dropped() - before)
            record = store.read_plan("other")
            store.write_plan({**record, "study": "little", "keep_weights": True, "file": None})

    here.before = keep
    go("seeds=6")
    kept = list(store.root.glob("artifacts/*/*/weights/*.safetensors"))
    assert 0 < len(gone) < 6 and len(kept) == 6 - len(gone)


# Claims


def test_one_thread_keeps_all_claims_of_a_process_alive(store, monkeypatch):
    monkeypatch.setattr(claims, "HEARTBEAT", 0.02)
    before = threading.active_count()
    held = [claim(store, f"{n:064d}") for n in range(40)]
    try:
        assert threading.active_count() <= before + 1
        for one in held:
            os.utime(one.path, (0, 0))
        deadline = time.monotonic() + 10
        while any(one.path.stat().st_mtime == 0 for one in held) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert all(one.path.stat().st_mtime > 0 for one in held)
    finally:
        for one in held:
            one.release()
    assert not list((store.root / "claims").glob("*.json"))


def test_a_claim_that_was_given_back_is_touched_no_more(store, monkeypatch):
    monkeypatch.setattr(claims, "HEARTBEAT", 0.02)
    kept, given = claim(store, "a" * 64), claim(store, "b" * 64)
    given.release()
    given.path.write_text("another's")
    os.utime(given.path, (0, 0))
    os.utime(kept.path, (0, 0))
    deadline = time.monotonic() + 10
    while kept.path.stat().st_mtime == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert kept.path.stat().st_mtime > 0
    assert given.path.stat().st_mtime == 0
    kept.release()


# The store


def test_an_artifact_is_on_the_disk_before_it_has_its_name(store, monkeypatch):
    synced = []
    monkeypatch.setattr(
        "smalltune.core.store.sync", lambda path: synced.append((path, store.known(job.key)))
    )
    job = Job("fake", 1, {})
    out = store.work(job)
    (out / "answer.txt").write_text("42")
    store.commit(job, {"seconds": 1.0})
    names = {path.name for path, appeared in synced if not appeared}
    assert names == {"answer.txt", "manifest.json", "provenance.json"}
    assert synced[-1] == (store.folder(job.key).parent, True)


def test_what_a_kill_left_half_written_is_no_part_of_the_artifact(store):
    job = Job("fake", 1, {})
    out = store.work(job)
    (out / "answer.txt").write_text("42")
    (out / ".manifest.json.123.draft").write_text("{")
    store.commit(job, {"seconds": 1.0})
    assert set(store.manifest(job.key)["files"]) == {"answer.txt"}
    assert not list(store.folder(job.key).glob(".*"))
    assert store.verify(job.key) == []

"""Running: what is missing runs once, a failure stops only what needs it, weights come and go."""

import threading
import time

import pytest

from smalltune.backends import News
from smalltune.core.claims import claim
from smalltune.core.errors import StoreError, StudyError
from smalltune.planning.locking import lock_in_force
from smalltune.planning.planner import plan
from smalltune.planning.status import STATES, record, status, tally


def states(bureau, store, *changes):
    study = bureau.read(*changes)
    lock, _ = lock_in_force(study)
    found = status(study, plan(study, lock), store)
    return {each.id: (each.state, each.reason) for each in found}


def weights(store):
    return sorted(path.name for path in store.root.glob("artifacts/*/*/weights/*"))


def test_a_run_runs_each_job_once_and_a_second_run_runs_none(go, here):
    report = go()
    assert report.ok and not report.nothing
    assert len(report.done) == len(set(report.done)) == 20
    assert here.stages() == sorted(
        ["prepare", "tokens", *["train"] * 2, *["classify"] * 2, *["predict"] * 6, *["score"] * 8]
    )
    again = go()
    assert again.nothing and here.stages() == []
    assert again.stored == set(report.done)


def test_the_look_ahead_comes_when_workers_may_start_and_before_any_job(go, here):
    told = []
    here.expect = lambda jobs, largest: told.append(len(jobs))

    def refuse():
        assert told == [20] and here.ran == []
        raise StudyError("rank 17 is too large")

    with pytest.raises(StudyError, match="rank 17"):
        go(check=refuse)
    assert here.ran == []


def test_weights_go_once_everything_that_reads_them_is_stored(go, here, store):
    seen = []
    here.before = lambda job: seen.append((job.stage, len(weights(store))))
    go()
    assert ("predict", 1) in seen
    assert weights(store) == []


def test_dropped_weights_are_not_trained_again_for_another_metric(go, here):
    go()
    here.stages()
    go("metrics=[accuracy, macro_f1]")
    assert set(here.stages()) == {"score"}


def test_dropped_weights_are_trained_again_when_something_new_reads_them(go, here, store):
    go()
    here.stages()
    report = go("evaluations=[dev, test, train]")
    assert report.ok
    assert here.stages().count("train") == 2
    assert weights(store) == []


def test_weights_that_the_study_keeps_stay_and_lost_ones_are_trained_again(go, here, store):
    go("keep_weights=true")
    assert len(weights(store)) == 2
    assert go("keep_weights=true").nothing
    go()
    assert weights(store) == []
    here.stages()
    go("keep_weights=true")
    assert here.stages() == ["train", "train"]


def test_weights_that_another_study_keeps_are_left_alone(go, bureau, store):
    go("keep_weights=true")
    bureau.replace("name: little", "name: other")
    go()
    assert len(weights(store)) == 2


def test_a_failed_job_stops_only_what_depends_on_it_and_is_tried_again(go, here, bureau, store):
    here.broken = ["train tiny/tuned/own/1"]
    report = go()
    assert not report.ok
    assert [failed.label for failed in report.failed.values()] == ["train tiny/tuned/own/1"]
    assert len(report.done) == 15
    assert sorted(report.blocked) == [
        f"{stage} tiny/tuned/own/1 {split}"
        for stage in ("predict", "score")
        for split in ("dev", "test")
    ]
    found = states(bureau, store)
    assert found["tiny/tuned/own/1"] == ("failed", "train: it is broken")
    assert found["tiny/tuned/own/0"] == ("done", "")
    here.broken = []
    assert len(go().done) == 5
    assert states(bureau, store)["tiny/tuned/own/1"] == ("done", "")


def test_a_trial_is_missing_then_done_then_stale_when_the_study_changes(go, bureau, store):
    assert {state for state, _ in states(bureau, store).values()} == {"missing"}
    go()
    assert {state for state, _ in states(bureau, store).values()} == {"done"}
    after = states(bureau, store, "methods.tuned.rank=4")
    assert after["tiny/tuned/own/0"] == ("stale", "the study has changed since it was run")
    assert after["tiny/asked/own/-"] == ("done", "")
    study = bureau.read()
    found = status(study, plan(study, lock_in_force(study)[0]), store)
    assert tally(found) == dict.fromkeys(STATES, 0) | {"done": 4}


def test_a_run_may_stop_after_a_stage_and_go_on_later(go, here):
    assert go(until="prepare").ok and here.stages() == ["prepare"]
    assert go(until="train").ok and here.stages() == ["tokens", "train", "train"]
    assert go().ok and "train" not in here.stages()


TUNE = "tune: {learning_rate: [0.1, 0.2, 0.3]}"


def test_tuning_runs_to_a_fixed_point_and_its_winner_trains_the_final_seeds(go, here, bureau):
    bureau.replace("method: fake.trainer,", f"method: fake.trainer, {TUNE},")

    def value(job):
        train = next((j for j in job.walk(set()) if j.stage == "train"), None)
        rate = train.spec["training"]["learning_rate"] if train else 0
        return 1 - abs(rate - 0.2)

    here.value = value
    plans = []
    report = go(tell=lambda event: plans.append(event) if event.kind == "plan" else None)
    assert report.ok and report.trials == 4 and len(plans) == 2
    finals = [j for j in here.ran if j.stage == "train" and j.spec["seed"] in (0, 1)]
    assert [j.spec["training"]["learning_rate"] for j in finals] == [0.2, 0.2]
    assert sum(j.stage == "train" for j in here.ran) == 3 + 2
    assert sum(j.stage == "select" for j in here.ran) == 1
    assert go().nothing


def test_failed_tuning_leaves_the_other_methods_alone(go, here, bureau):
    bureau.replace("method: fake.trainer,", f"method: fake.trainer, {TUNE},")
    here.broken = ["train tiny/tuned/own tuning 2"]
    report = go()
    assert report.trials == 2 and len(report.failed) == 1
    assert "select tiny/tuned/own" in report.blocked


def test_a_job_that_another_process_runs_is_waited_for_and_taken_from_it(go, here, bureau, store):
    prepare = next(job for job in bureau.plan().jobs() if job.stage == "prepare")
    held = claim(store, prepare.key)
    assert held is not None
    told = []

    def finish():
        time.sleep(0.4)
        here.make(prepare)
        held.release()

    thread = threading.Thread(target=finish)
    thread.start()
    report = go(tell=lambda event: told.append((event.kind, event.job and event.job.stage)))
    thread.join()
    assert report.ok and report.found == [prepare.key]
    assert "prepare" not in here.stages()
    assert ("elsewhere", "prepare") in told and ("found", "prepare") in told


def test_a_job_that_another_process_gave_up_is_run_here(go, here, bureau, store):
    prepare = next(job for job in bureau.plan().jobs() if job.stage == "prepare")
    held = claim(store, prepare.key)
    assert held is not None
    threading.Timer(0.4, held.release).start()
    assert go().ok
    assert "prepare" in here.stages()


def test_an_input_that_was_dropped_before_it_was_read_is_made_again(go, here, store):
    lost = []

    def drop_once(job):
        if job.stage == "predict" and "weights" in job.inputs and not lost:
            lost.append(job.key)
            store.drop(job.inputs["weights"].key, ["weights/model.safetensors"])

    here.before = drop_once
    assert go().ok
    assert here.stages().count("train") == 3


def test_whatever_ends_a_run_ends_its_jobs_first_and_gives_its_claims_back(go, here, store):
    def stop(job):
        if job.stage == "train":
            raise KeyboardInterrupt

    here.before = stop
    with pytest.raises(KeyboardInterrupt):
        go()
    assert here.closed
    assert not list((store.root / "claims").glob("*.json"))
    here.before = lambda job: None
    here.queue.clear()
    assert go().ok


def test_the_record_of_a_plan_says_what_is_declared_for_the_analysis(bureau):
    study = bureau.read()
    said = record(study, bureau.plan())
    assert said["analysis"]["primary"] == "accuracy"
    assert said["analysis"]["contrasts"] == [
        {"a": "tuned", "b": "asked", "metric": "accuracy", "task": None, "model": None}
    ]
    trial = next(t for t in said["trials"] if t["id"] == "tiny/tuned/own/1")
    assert trial["train"] in said["keys"] and trial["score"]["test"] in said["keys"]


def test_what_stops_every_job_stops_the_run_with_one_message(go, here, store, monkeypatch):
    full = {"reason": "the disk is full", "fatal": True}
    monkeypatch.setattr(here, "wait", lambda s: [News("failed", here.queue.popleft().key, full)])
    with pytest.raises(StoreError, match="the disk is full"):
        go()
    assert here.closed
    assert not list((store.root / "claims").glob("*.json"))

"""Killed at any moment, nothing is lost: the same call goes on to the same bytes."""

import json
import os
import random
import signal
import subprocess
import time

KILLS = 10


def test_ten_kills_leave_the_scores_byte_identical(workshop, fits):
    workshop.write(
        methods={"full": {"why": "x"}, "lora": {"why": "x"}},
        training={"epochs": 800, "batch_size": 8},
        seeds=[0],
        contrasts=[],
    )
    calm, stormy = workshop.folder / "calm", workshop.folder / "stormy"
    for store in (calm, stormy):
        store.mkdir()
        (store / "fits").symlink_to(fits)
    workshop.run(store=calm)
    moments, after_checkpoint = random.Random(7), 0
    for kill in range(KILLS):
        process = subprocess.Popen(
            workshop.command("run", "--checkpoint-seconds", "0.2", store=stormy),
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if kill % 2:
            after_checkpoint += wait_for_a_new_checkpoint(stormy, process)
            time.sleep(moments.uniform(0.0, 0.5))
        else:
            time.sleep(moments.uniform(0.2, 4.0))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert after_checkpoint == KILLS // 2
    workshop.run(store=stormy)
    for stage, name in (("score", "scores.jsonl"), ("train", "log.jsonl")):
        assert workshop.files(stage, name, store=stormy) == workshop.files(stage, name, store=calm)
    made = workshop.files("train", "provenance.json", store=stormy).values()
    resumed = [json.loads(text)["resumed_from"] for text in made]
    assert max(max(steps, default=0) for steps in resumed) > 0, resumed


def wait_for_a_new_checkpoint(store, process):
    """Return True once a checkpoint is written that was not there before."""

    def seen():
        paths = store.glob("work/*/checkpoint.safetensors")
        return {(p, p.stat().st_mtime_ns) for p in paths if p.exists()}

    before, deadline = seen(), time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if seen() - before:
            return True
        time.sleep(0.02)
    return False


def test_two_runs_at_once_share_the_work_and_both_end(workshop):
    processes = [
        subprocess.Popen(
            workshop.command("run", "--json", "--workers", "1"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    ended = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], ended
    done = [key for out, _ in ended for key in json.loads(out)["done"]]
    assert len(done) == len(set(done)) == 1 + 1 + 4 + 10 + 4 + 14
    assert workshop("store", "check").returncode == 0
    assert not list((workshop.store / "claims").glob("*.json"))


def hear_ctrl_c():
    """Undo what a shell does to a job in the background, which ignores Ctrl-C from its start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_ends_cleanly_and_the_next_run_goes_on(workshop):
    workshop.write(training={"epochs": 500, "batch_size": 8}, methods={"full": {"why": "x"}})
    workshop.write(contrasts=[], seeds=[0])
    process = subprocess.Popen(
        workshop.command("run", "--checkpoint-seconds", "0.2"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=hear_ctrl_c,
    )
    assert wait_for_a_new_checkpoint(workshop.store, process)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in out + err
    assert "again" in out + err
    workshop.run()
    (made,) = workshop.files("train", "provenance.json").values()
    assert min(json.loads(made)["resumed_from"]) > 0


def test_a_failed_job_blocks_only_its_dependents_and_is_shown_with_its_reason(workshop):
    workshop.content["methods"]["full"] = {"why": "x", "learning_rate": 1e30}
    failed = workshop.write()("run", "--json")
    assert failed.returncode == 1
    report = json.loads(failed.stdout)
    assert len(report["failed"]) == 2
    assert all("lower the learning rate" in each["reason"] for each in report["failed"])
    assert len(workshop.files("score", "scores.jsonl")) == 14 - 4
    shown = workshop("plan", "--no-forecast").stdout
    assert "failed" in shown

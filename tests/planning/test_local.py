"""The local backend: warm processes, and what happens when one of them dies."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from smalltune.backends.local import Local
from smalltune.core.job import Job


def job(number: int = 0, **spec) -> Job:
    return Job("fake.stage", 1, {"number": number, **spec}, label=f"fake {number}")


@pytest.fixture
def local(store):
    backend = Local(store, workers=2)
    yield backend
    backend.close()


def ended(backend, count=1, seconds=60):
    """Return the news of `count` jobs that ended, and the progress before."""
    found, progress, deadline = [], [], time.monotonic() + seconds
    while len(found) < count and time.monotonic() < deadline:
        for news in backend.wait(0.5):
            (progress if news.kind == "progress" else found).append(news)
    return found, progress


def test_a_worker_stays_warm_for_the_next_job(local, store):
    said = []
    for number in range(3):
        local.submit([job(number)])
        ((news,), _) = ended(local)
        assert news.kind == "done"
        said.append((store.path(news.key) / "said.txt").read_text())
    assert len(set(said)) == 1
    assert len(local.processes) == 1


def test_several_jobs_run_at_a_time(local):
    assert local.room == 2
    local.submit([job(1, wait=0.5)])
    local.submit([job(2, wait=0.5)])
    assert local.room == 0
    found, progress = ended(local, 2)
    assert {news.kind for news in found} == {"done"}
    assert progress[0].info == {"event": "step", "step": 1, "steps": 2, "loss": 0.5}


def test_a_list_of_jobs_is_run_one_after_another(local, store):
    jobs = [job(n) for n in range(3)]
    local.submit(jobs)
    found, _ = ended(local, 3)
    assert [news.key for news in found] == [one.key for one in jobs]


def test_a_foreseen_error_is_one_line_and_another_keeps_its_traceback(local):
    local.submit([job(1, wrong=True)])
    ((news,), _) = ended(local)
    assert news.info == {"reason": "rows.csv: the file is upside down", "details": ""}
    local.submit([job(2, bug=True)])
    ((news,), _) = ended(local)
    assert news.info["reason"] == "KeyError: 'nobody thought of this'"
    assert "Traceback" in news.info["details"]


def test_a_worker_that_dies_fails_its_own_job_and_is_replaced(local):
    local.submit([job(1, die=True)])
    ((news,), _) = ended(local)
    assert (news.kind, news.key) == ("failed", job(1, die=True).key)
    assert news.info["reason"] == (
        "the worker process was ended by SIGKILL: out of memory, or killed from outside"
    )
    assert local.room == 2 and local.processes == []
    local.submit([job(2)])
    ((news,), _) = ended(local)
    assert news.kind == "done"


def test_a_worker_that_is_killed_from_outside_does_not_disturb_the_other(local):
    local.submit([job(1, wait=30)])
    local.submit([job(2, wait=1)])
    (first, _) = local.processes
    os.kill(first, signal.SIGKILL)
    found, _ = ended(local, 2)
    assert {news.key: news.kind for news in found} == {
        job(1, wait=30).key: "failed",
        job(2, wait=1).key: "done",
    }


def test_closing_ends_running_jobs_at_once(local):
    local.submit([job(1, wait=60)])
    (process,) = local.processes
    start = time.monotonic()
    local.close()
    assert time.monotonic() - start < 5
    assert not Path(f"/proc/{process}").exists()


def test_a_job_goes_to_the_worker_that_holds_what_it_reads(local):
    local.submit([job(1)])
    local.submit([job(2)])
    ended(local, 2)
    first, second = local._slots
    first.held, second.held = {"base a"}, {"base b"}
    on_b, on_a = job(3, model="base b"), job(4, model="base a")
    assert local.choose([on_b, on_a]) is on_b
    local.submit([on_b])
    assert second.jobs == [on_b.key]
    assert local.choose([job(5, model="base c"), on_a]) is on_a
    assert local.choose([on_a, job(6)]).spec["number"] == 6
    ended(local)


def test_workers_end_with_their_parent(store, tmp_path):
    plugins = str(Path(__file__).parent / "plugins")
    code = f"""
import sys, time
sys.path.insert(0, {plugins!r})
from smalltune.backends.local import Local
from smalltune.core.job import Job
from smalltune.core.store import Store
local = Local(Store({str(store.root)!r}), workers=1)
local.submit([Job("fake.stage", 1, {{"wait": 60}})])
while not local.wait(1.0):
    pass
print(local.processes[0], flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 5
    while Path(f"/proc/{worker}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{worker}").exists()


def test_there_are_no_more_workers_than_memory_allows(store):
    backend = Local(store)
    backend.expect([Job("train", 1, {})], 10**13)
    assert backend.workers == 1

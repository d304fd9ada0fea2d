"""What a run says while it goes on: what was done for memory, once."""

import io

import pytest

from smalltune.cli.live import _View, watch
from smalltune.core.job import Job
from smalltune.runner import Event

SAID = "out of memory: at most 64 tokens at a time from here on"
JOBS = [Job("train", 1, {"seed": n}, {}, {}, f"train tiny/lora/own/{n}") for n in range(2)]


def events():
    """Yield the events of two trainings that each say the same thing twice."""
    yield Event("plan", info={"missing": JOBS, "stored": 0, "trials": 2, "workers": 1})
    for job in JOBS:
        yield Event("start", job)
        for step in (1, 2):
            yield Event("progress", job, {"event": "memory", "said": SAID})
            yield Event("progress", job, {"event": "step", "step": step, "steps": 2, "loss": 1.0})
        yield Event("done", job)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Leave out how long it takes, which needs a study's jobs."""

    class Remaining:
        def __init__(self, *_): ...

        def __getattr__(self, name):
            return lambda *_: None

    monkeypatch.setattr("smalltune.runner.remaining.Remaining", Remaining)


def test_lines_say_once_for_each_job_what_was_done_for_memory(capsys):
    with watch() as hear:
        for event in events():
            hear(event)
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if SAID in line] == [f"{job.label}: {SAID}" for job in JOBS]


def test_the_moving_display_leaves_it_above_itself():
    from rich.console import Console

    view, screen = _View(), io.StringIO()
    view.console = Console(file=screen, width=200)
    for event in events():
        view.hear(event)
    assert screen.getvalue().splitlines() == [f"{job.label}: {SAID}" for job in JOBS]


def test_a_quiet_run_says_nothing(capsys):
    with watch(quiet=True) as hear:
        for event in events():
            hear(event)
    assert capsys.readouterr().err == ""

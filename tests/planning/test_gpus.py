"""Which GPUs are found, which of them each worker sees, and which number format they give."""

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from smalltune.backends.local import Local
from smalltune.backends.local.machine import gpus
from smalltune.core.job import Job
from smalltune.planning import locking

LISTED = """GPU 0: NVIDIA H200 (UUID: GPU-8a1b)
  MIG 1g.18gb     Device  0: (UUID: MIG-77c2)
GPU 1: NVIDIA H200 (UUID: GPU-93f0)
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return a function that lets `nvidia-smi` print a text, and PyTorch be a build."""

    def set_to(listed, build="2.13.0+cu130", visible=None):
        program = tmp_path / "nvidia-smi"
        program.write_text(f'#!/bin/sh\n[ "$1" = -L ] && printf "%s" "{listed}"\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr("importlib.metadata.version", lambda name: build)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    return set_to


def test_gpus_are_those_that_nvidia_smi_lists(machine):
    machine(LISTED)
    assert gpus() == ["0", "1"]
    machine("No devices found.\n")
    assert gpus() == []


def test_there_are_none_for_a_pytorch_without_cuda_and_none_without_a_driver(
    machine, tmp_path, monkeypatch
):
    machine(LISTED, build="2.13.0+cpu")
    assert gpus() == []
    machine(LISTED)
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert gpus() == []


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("1", ["1"]),
        ("3, 1", ["3", "1"]),
        ("GPU-93f0,MIG-77c2", ["GPU-93f0", "MIG-77c2"]),
        ("", []),
        (" ", []),
        ("-1", []),
        ("-2", []),
        ("NoDevFiles", []),
        ("0,-1,1", ["0"]),
    ],
)
def test_of_the_visible_ones_those_count_that_stand_before_an_entry_for_none(
    machine, visible, expected
):
    machine(LISTED, visible=visible)
    assert gpus() == expected


def seen_by(process: int) -> str | None:
    """Return the GPUs that a process was told of."""
    told = Path(f"/proc/{process}/environ").read_text().split("\0")
    found = dict(line.split("=", 1) for line in told if "=" in line)
    return found.get("CUDA_VISIBLE_DEVICES")


def started(store, **more):
    """Return the GPUs that the workers were told of, with a job for each worker that there is."""
    backend = Local(store, **more)
    try:
        for number in range(backend.workers):
            backend.submit([Job("fake.stage", 1, {"number": number, "wait": 60})])
        return [seen_by(process) for process in backend.processes]
    finally:
        backend.close()


def test_each_worker_sees_one_gpu_and_more_workers_share_them(machine, store):
    machine(LISTED, visible="GPU-93f0,0")
    assert started(store) == ["GPU-93f0", "0"]
    assert started(store, workers=3) == ["GPU-93f0", "0", "GPU-93f0"]


def test_with_gpus_hidden_there_is_a_worker_for_each_core_and_they_stay_hidden(
    machine, store, monkeypatch
):
    monkeypatch.setattr("smalltune.backends.local.cores", lambda: 3)
    monkeypatch.setattr("smalltune.backends.local.free_memory", lambda: 10**12)
    machine(LISTED, visible="-1")
    assert started(store) == ["-1"] * 3


@pytest.mark.parametrize(
    ("driver", "said", "expected"),
    [
        (True, "True\n", "bfloat16"),
        (True, "False\n", "float32"),
        (True, "", "float32"),
        (True, None, "float32"),
        (False, "True\n", "float32"),
    ],
)
def test_auto_is_bfloat16_where_the_gpu_says_that_it_has_it(monkeypatch, driver, said, expected):
    def run(command, **how):
        assert command[1:] == ["-c", locking.GPU_QUESTION]
        if said is None:
            raise subprocess.TimeoutExpired(command, how["timeout"])
        return SimpleNamespace(stdout=said)

    there = "/usr/bin/nvidia-smi" if driver else None
    monkeypatch.setattr(locking.shutil, "which", lambda name: there)
    monkeypatch.setattr(locking.subprocess, "run", run)
    assert locking._dtype("auto") == expected
    assert locking._dtype("float32") == "float32"

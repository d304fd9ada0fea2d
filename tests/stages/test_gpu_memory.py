"""The most memory that a job took on a GPU stands in its costs."""

import pytest
import torch

from smalltune.core.provenance import Meter
from smalltune.stages import Bench


@pytest.fixture
def allocator(monkeypatch):
    """What counts the bytes of a GPU: how many are taken now, and the most since it was reset."""
    bytes_of = {"now": 0, "most": 0}
    reset = torch.cuda, "reset_peak_memory_stats"
    monkeypatch.setattr(*reset, lambda: bytes_of.update(most=bytes_of["now"]))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: bytes_of["most"])
    monkeypatch.setattr("smalltune.stages.bench.matmul_peak", lambda device, dtype: 1e12)
    return bytes_of


def cost(bench, allocator, most):
    """Return what a job costs that takes so many bytes at most and leaves 50."""
    meter = Meter()
    bench.start(meter, None)
    meter.phase("train")
    allocator.update(now=50, most=max(most, allocator["most"]))
    return bench.cost("train", dtype="float32", tokens=7, flops=10.0)


def test_the_peak_on_a_gpu_is_that_of_each_job_alone(allocator):
    bench = Bench(device="cuda")
    found = [cost(bench, allocator, most)["peak_gpu_memory_bytes"] for most in (5000, 300, 0)]
    assert found == [5000, 300, 50]


def test_a_job_on_a_cpu_has_none(allocator):
    assert "peak_gpu_memory_bytes" not in cost(Bench(device="cpu"), allocator, 5000)

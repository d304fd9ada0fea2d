"""What the benchmark says of the machine: what others take, and the peak at the moment."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from benchmarks.made import MACHINE, TRAINED, pair
from harness import machine
from harness.report import report

BUSY = "import time\nend = time.process_time() + {}\nwhile time.process_time() < end: pass"


def test_what_others_take_is_all_that_the_cores_worked_less_what_is_ones_own(monkeypatch):
    now, busy, own = iter((10.0, 14.0)), iter((100.0, 110.0)), iter((5.0, 7.0))
    monkeypatch.setattr(machine, "time", SimpleNamespace(perf_counter=lambda: next(now)))
    monkeypatch.setattr(machine, "_busy", lambda: next(busy))
    monkeypatch.setattr(machine, "_own", lambda: next(own))
    assert machine.Load().others() == 2.0  # 8 seconds in 4


@pytest.mark.skipif(not Path("/proc/stat").is_file(), reason="the kernel does not tell it")
def test_the_work_of_a_child_is_ones_own_and_the_cores_worked():
    own, busy = machine._own(), machine._busy()
    subprocess.run([sys.executable, "-c", BUSY.format(0.2)], check=True)
    assert machine._own() - own >= 0.2
    assert machine._busy() - busy >= 0.1  # the kernel counts ticks


def test_without_a_kernel_that_tells_it_nothing_is_said_of_others(monkeypatch):
    monkeypatch.setattr(machine, "_busy", lambda: None)
    record = machine.Load().record()
    assert record["others"] is None and record["before"] >= 0


def test_the_peak_of_a_moment_is_that_of_large_products():
    assert 1e8 < machine.peak_now("cpu") < 1e14


def test_the_processors_units_are_named_and_the_page_says_them_where_they_are_known():
    assert set(machine._units()) <= set(machine.UNITS)
    page = report({"train:a": TRAINED}, [pair()])
    assert "units" not in page
    known = TRAINED | {"machine": {**MACHINE, "units": ["avx2", "avx512f"]}}
    assert "| Its units for products | avx2, avx512f |" in report({"train:a": known}, [pair()])

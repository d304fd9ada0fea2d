"""What a job took: phases, earlier attempts, energy from counters or as an estimate."""

import os

import pytest

from smalltune.core import energy as counters
from smalltune.core.energy import ASSUMED_WATTS_PER_CORE, Energy, Gpu, Packages
from smalltune.core.provenance import Meter

TICKS = os.sysconf("SC_CLK_TCK")


def zone(root, name, label, microjoules, longest=1_000_000_000):
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "name").write_text(f"{label}\n")
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    (folder / "max_energy_range_uj").write_text(f"{longest}\n")


def stat(path, busy_seconds):
    """Write what the kernel says of all processors: half of the time as user, half as nice."""
    half = round(busy_seconds * TICKS / 2)
    path.write_text(f"cpu  {half} {half} 0 999999 999999 0 0 999999 0 0\ncpu0 1 2 3\n")
    return path


class Library:
    """NVIDIA's management library with one GPU, which has taken `millijoules`."""

    def __init__(self, millijoules, fails=()):
        self.millijoules, self.fails, self.asked = millijoules, fails, []

    def __getattr__(self, name):
        if not name.startswith("nvml"):
            raise AttributeError(name)

        def call(*values):
            self.asked.append((name, values[0] if values else None))
            if name == "nvmlDeviceGetTotalEnergyConsumption":
                values[1]._obj.value = self.millijoules
            return 999 if name in self.fails else 0

        return call


@pytest.fixture
def powercap(tmp_path):
    root = tmp_path / "powercap"
    zone(root, "intel-rapl:0", "package-0", 5_000_000)
    zone(root, "intel-rapl:0:0", "core", 0)
    zone(root, "intel-rapl:1", "package-1", 900_000_000)
    zone(root, "intel-rapl-mmio:0", "package-0", 5_000_000)
    return root


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch):
    monkeypatch.setattr(counters, "_gpu", lambda: None)


def test_packages_are_added_and_a_counter_that_wraps_goes_on(powercap):
    packages = Packages(powercap)
    assert packages.read() == 0
    zone(powercap, "intel-rapl:0", "package-0", 8_000_000)
    zone(powercap, "intel-rapl:0:0", "core", 7_000_000)
    zone(powercap, "intel-rapl-mmio:0", "package-0", 8_000_000)
    assert packages.read() == pytest.approx(3)
    zone(powercap, "intel-rapl:1", "package-1", 50_000_000)
    assert packages.read() == pytest.approx(3 + 150)


def test_a_job_is_given_its_share_of_the_cpu_time(powercap, tmp_path):
    energy = Energy(powercap, stat(tmp_path / "stat", 100.0))
    zone(powercap, "intel-rapl:0", "package-0", 45_000_000)
    stat(tmp_path / "stat", 120.0)
    found = energy.record(5.0, 0.0, on_gpu=False)
    assert found["joules"] == pytest.approx(40 * 5 / 20)
    assert found["source"].startswith("RAPL")
    assert not found["estimate"]


def test_without_readable_counters_the_energy_is_an_estimate_and_says_so(powercap, tmp_path):
    (powercap / "intel-rapl:1" / "energy_uj").unlink()
    for root in (powercap, tmp_path / "nowhere"):
        found = Energy(root, stat(tmp_path / "stat", 1.0)).record(3.0, 0.0, on_gpu=False)
        assert found["joules"] == 3 * ASSUMED_WATTS_PER_CORE
        assert found["source"].startswith("estimate")
        assert found["estimate"]


def test_interrupted_attempts_are_counted_in_proportion(powercap, tmp_path):
    energy = Energy(powercap, stat(tmp_path / "stat", 0.0))
    zone(powercap, "intel-rapl:0", "package-0", 15_000_000)
    stat(tmp_path / "stat", 4.0)
    assert energy.record(4.0, 8.0, on_gpu=False)["joules"] == pytest.approx(30)
    estimate = Energy(tmp_path / "nowhere").record(4.0, 8.0, on_gpu=False)["joules"]
    assert estimate == 12 * ASSUMED_WATTS_PER_CORE


def test_a_gpu_is_counted_for_a_job_that_computes_on_it(powercap, tmp_path):
    library = Library(50_000)
    energy = Energy(powercap, stat(tmp_path / "stat", 0.0), Gpu(library, "1"))
    library.millijoules = 57_000
    stat(tmp_path / "stat", 1.0)
    found = energy.record(1.0, 0.0, on_gpu=True)
    assert found["joules"] == pytest.approx(7)
    assert found["source"].startswith("NVML")
    assert not found["estimate"]
    assert energy.record(1.0, 0.0, on_gpu=False)["joules"] == 0


def test_a_gpu_without_a_counter_is_not_counted_and_the_source_says_so(powercap, tmp_path):
    found = Energy(powercap, stat(tmp_path / "stat", 0.0)).record(1.0, 0.0, on_gpu=True)
    assert found["source"].endswith("the GPU is not counted")
    assert found["estimate"]


def test_a_gpu_is_found_by_number_or_by_name_and_must_answer():
    library = Library(1)
    Gpu(library, "3")
    Gpu(library, "GPU-8a1b")
    asked = dict(library.asked)
    assert asked["nvmlDeviceGetHandleByIndex_v2"].value == 3
    assert asked["nvmlDeviceGetHandleByUUID"] == b"GPU-8a1b"
    with pytest.raises(OSError, match="nvmlDeviceGetTotalEnergyConsumption answered 999"):
        Gpu(Library(1, fails=["nvmlDeviceGetTotalEnergyConsumption"]), "0")


def test_counters_are_read_now_and_then_so_that_none_wraps_twice(powercap, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(counters.time, "monotonic", lambda: now[0])
    energy = Energy(powercap)
    for seconds, value in ((10, 9), (40, 990), (50, 999), (80, 3)):
        now[0] = seconds
        zone(powercap, "intel-rapl:0", "package-0", value * 1_000_000)
        energy.tick()
    zone(powercap, "intel-rapl:0", "package-0", 4_000_000)
    assert energy.packages.read() == pytest.approx(985 + 14)


def test_phases_add_up_to_the_whole_and_earlier_attempts_join_theirs():
    meter = Meter()
    meter.phase("setup")
    meter.phase("train")
    meter.phase("save")
    meter.add("train", 100.0, 60.0)
    meter.move(30.0, "train", "judge")
    made = meter.record()
    assert set(made["phases"]) == {"setup", "train", "save", "judge"}
    assert made["phases"]["judge"] == 30.0
    assert 70 <= made["phases"]["train"] < 71
    assert sum(made["phases"].values()) == pytest.approx(made["seconds"], abs=0.5)
    assert made["cpu_seconds"] >= 60


def test_the_record_says_on_which_device_and_what_more_is_known():
    made = Meter().record(device="cuda", threads=3)
    assert (made["device"], made["threads"]) == ("cuda", 3)
    assert made["peak_memory_bytes"] > 0

"""Energy of one job: counters of the processor and the GPU where there are any, else an estimate.

RAPL (Linux) counts what each processor package takes, all processes together; a job is given the
share that its CPU time has in the machine's. NVML counts a whole GPU, which one worker has to
itself. Where the packages cannot be read, as in most virtual machines and without permission,
CPU seconds times an assumed power per core stand for them.
"""

import ctypes
import os
import time
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["ASSUMED_WATTS_PER_CORE", "Energy", "Gpu", "Packages"]

ASSUMED_WATTS_PER_CORE = 10.0
POWERCAP = Path("/sys/class/powercap")
STAT = Path("/proc/stat")
PACE = 30.0
"""Seconds between two readings: a counter of 32 bits wraps in minutes under load."""


class Energy:
    """What one job takes, from its start to its last reading."""

    def __init__(self, powercap: Path = POWERCAP, stat: Path = STAT, gpu: "Gpu | None" = None):
        """Start counting; the folder, the file and the GPU may be others for a test."""
        self.packages = Packages(powercap)
        self.gpu = gpu or _gpu()
        self.stat = stat
        self._busy, self._last = _busy(stat), time.monotonic()
        self._gpu_since = self.gpu.joules() if self.gpu else None

    def tick(self) -> None:
        """Read the counters if that is due; costs a look at the clock otherwise."""
        now = time.monotonic()
        if now - self._last >= PACE:
            self._last = now
            self.packages.read()

    def record(self, cpu_seconds: float, earlier: float, *, on_gpu: bool) -> dict[str, Any]:
        """Return joules, where they come from, and if anything in them is an estimate.

        `cpu_seconds` are this attempt's. `earlier` are those of interrupted attempts at the same
        job, whose energy nobody has kept: they are counted in proportion.
        """
        joules, source, estimate = self._processor(cpu_seconds)
        if on_gpu and self.gpu and self._gpu_since is not None:
            joules += self.gpu.joules() - self._gpu_since
            source = f"NVML: the GPU; {source}"
        elif on_gpu:
            source, estimate = f"{source}; the GPU is not counted", True
        if cpu_seconds > 0:
            joules *= 1 + earlier / cpu_seconds
        return {"joules": joules, "source": source, "estimate": estimate}

    def _processor(self, cpu_seconds: float) -> tuple[float, str, bool]:
        whole = self.packages.read()
        if whole is None:
            watts = ASSUMED_WATTS_PER_CORE
            source = f"estimate: CPU seconds x {watts:g} W per core, assumed"
            return cpu_seconds * watts, source, True
        busy, before = _busy(self.stat), self._busy
        if busy is None or before is None or busy <= before:
            return whole, "RAPL: the processor packages, whatever ran on them", False
        share = min(1.0, cpu_seconds / (busy - before))
        return whole * share, "RAPL: the processor packages, by share of the CPU time", False


class Packages:
    """The energy counters of the processor packages; a counter that wraps goes on."""

    def __init__(self, powercap: Path = POWERCAP):
        """Find the packages in the kernel's folder and take their first reading."""
        zones = sorted(powercap.glob("intel-rapl:*")) if powercap.is_dir() else []
        self._zones = [zone for zone in zones if _text(zone / "name").startswith("package")]
        self._last = [_microjoules(zone / "energy_uj") for zone in self._zones]
        self._joules = 0.0

    def read(self) -> float | None:
        """Return the joules since the start, or None where no package can be read."""
        if not self._zones or None in self._last:
            return None
        for place, zone in enumerate(self._zones):
            now, before = _microjoules(zone / "energy_uj"), self._last[place]
            if now is None or before is None:
                self._last[place] = None
                return None
            if now < before:
                before -= _microjoules(zone / "max_energy_range_uj") or before
            self._joules += (now - before) / 1e6
            self._last[place] = now
        return self._joules


class Gpu:
    """The energy counter of one GPU, through NVIDIA's management library."""

    def __init__(self, library: Any, device: str):
        """Open the GPU of a number or UUID; raises OSError when there is no counter."""
        self._library, self._handle = library, ctypes.c_void_p()
        by_number = device.isdigit()
        find = f"nvmlDeviceGetHandleBy{'Index' if by_number else 'UUID'}"
        find += "_v2" if by_number else ""
        name: Any = ctypes.c_uint(int(device)) if by_number else device.encode()
        self._call("nvmlInit_v2")
        self._call(find, name, ctypes.byref(self._handle))
        self.joules()

    def joules(self) -> float:
        """Return the joules since the driver was loaded."""
        found = ctypes.c_ulonglong()
        self._call("nvmlDeviceGetTotalEnergyConsumption", self._handle, ctypes.byref(found))
        return found.value / 1e3

    def _call(self, name: str, *values: Any) -> None:
        code = getattr(self._library, name)(*values)
        if code:
            raise OSError(f"{name} answered {code}")


@cache
def _gpu() -> Gpu | None:
    """Return the GPU that this process computes on; None where there is none to be read."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()
    try:
        return Gpu(ctypes.CDLL("libnvidia-ml.so.1"), chosen) if chosen else None
    except (OSError, AttributeError):
        return None


def _busy(stat: Path) -> float | None:
    """Return the seconds that all processors together have worked since the machine started."""
    try:
        values = [int(v) for v in stat.read_text().split("\n", 1)[0].split()[1:8]]
        user, nice, system, _, _, hard, soft = values
    except (OSError, ValueError):
        return None
    return float(user + nice + system + hard + soft) / os.sysconf("SC_CLK_TCK")


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _microjoules(path: Path) -> int | None:
    found = _text(path)
    return int(found) if found.isdigit() else None

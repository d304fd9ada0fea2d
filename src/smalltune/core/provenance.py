"""Provenance: where, with what and at what cost an answer was made. Never part of a key."""

import importlib.metadata
import os
import platform
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

from smalltune.core.energy import Energy

__all__ = ["PACKAGES", "Meter", "environment"]

PACKAGES = (
    "smalltune", "torch", "transformers", "peft", "tokenizers", "numpy", "scipy", "scikit-learn",
)  # fmt: skip


SOURCE = Path(__file__).parents[1]


@cache
def environment() -> dict[str, Any]:
    """Return Python, package versions, machine and git commit (of smalltune's own source).

    The commit ends in "-dirty" where the source is not what was committed.
    """
    return {
        "python": platform.python_version(),
        "packages": {name: v for name in PACKAGES if (v := _version(name))},
        "machine": {
            "cpu": _cpu(),
            "cores": os.cpu_count(),
            "memory_bytes": _memory(),
            "platform": platform.platform(),
        },
        "git": _commit(),
    }


class Meter:
    """Measures one job: wall and CPU seconds, phases, peak memory, energy.

    Peak memory is exact on Linux (the kernel's high-water mark, reset at the start); elsewhere it
    is the highest that the process ever had. Energy is measured where the machine has counters
    that can be read, and otherwise an estimate marked as such (see energy.py).
    """

    def __init__(self, energy: Energy | None = None) -> None:
        """Start measuring; `energy` may be another machine's counters."""
        self.started, self.cpu = time.monotonic(), time.process_time()
        self.phases: dict[str, float] = {}
        self.energy = energy or Energy()
        self._earlier = 0.0
        self._phase: tuple[str, float] | None = None
        self._exact = _reset_peak()

    def phase(self, name: str) -> None:
        """Say that the phase `name` begins, and so that the one before ends."""
        now = time.monotonic()
        if self._phase:
            before, since = self._phase
            self.phases[before] = self.phases.get(before, 0.0) + now - since
        self._phase = (name, now)

    def tick(self) -> None:
        """Look after counters that wrap; a job that takes long calls this now and then."""
        self.energy.tick()

    def add(self, phase: str, seconds: float, cpu_seconds: float = 0.0) -> None:
        """Count what earlier, interrupted attempts at this job spent in a phase."""
        self.phases[phase] = self.phases.get(phase, 0.0) + seconds
        self.started -= seconds
        self._earlier += cpu_seconds

    def move(self, seconds: float, source: str, target: str) -> None:
        """Count seconds of one phase, which has ended, as another's."""
        self.phases[source] -= seconds
        self.phases[target] = self.phases.get(target, 0.0) + seconds

    def record(self, *, device: str = "cpu", **more: Any) -> dict[str, Any]:
        """Return the provenance of the job that ends now."""
        self.phase("end")
        cpu = time.process_time() - self.cpu
        return {
            **environment(),
            "device": device,
            "seconds": time.monotonic() - self.started,
            "cpu_seconds": cpu + self._earlier,
            "phases": self.phases,
            "peak_memory_bytes": _peak(),
            "peak_memory_exact": self._exact,
            "energy": self.energy.record(cpu, self._earlier, on_gpu=device.startswith("cuda")),
            "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            **more,
        }


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit(source: Path = SOURCE) -> str | None:
    commit = _git(source, "rev-parse", "--short=12", "HEAD")
    changed = commit and _git(source, "status", "--porcelain", "--", ".")
    return f"{commit}-dirty" if changed else commit or None


def _git(folder: Path, *asked: str) -> str:
    """Return what git says in a folder; nothing where it is missing or knows of no repository."""
    command = ["git", "--no-optional-locks", "-C", str(folder), *asked]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def _reset_peak() -> bool:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _peak() -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        import resource

        unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, others kilobytes
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

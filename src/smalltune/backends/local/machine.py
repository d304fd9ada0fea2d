"""What this machine has room for: GPUs, cores, memory; a container's limits count."""

import importlib.metadata
import math
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

__all__ = ["cores", "free_memory", "gpus"]

GROUPS, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
"""Where Linux shows control groups, and which of them this process is in."""


def gpus() -> list[str]:
    """Return the GPUs that PyTorch could use, without asking it."""
    if shutil.which("nvidia-smi") is None or importlib.metadata.version("torch").endswith("+cpu"):
        return []
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [gpu for gpu in chosen.split(",") if gpu.strip()]
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return [str(n) for n, line in enumerate(listed.stdout.splitlines()) if line.startswith("GPU")]


def cores(groups: Path = GROUPS, own: Path = OWN) -> int:
    """Return how many cores this process may keep busy: its affinity, or its share of time."""
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    shares = [float(here or 1)]
    for group in _groups(groups, own):
        words = _words(group / "cpu.max")  # microseconds of each period, or "max"
        if len(words) == 2 and words[0] != "max":
            shares.append(int(words[0]) / int(words[1]))
        quota, period = _words(group / "cpu.cfs_quota_us"), _words(group / "cpu.cfs_period_us")
        if quota and period and int(quota[0]) > 0:
            shares.append(int(quota[0]) / int(period[0]))
    return max(1, math.floor(min(shares)))


def free_memory(groups: Path = GROUPS, own: Path = OWN) -> int:
    """Return the bytes that are free: the machine's, or those of a container if they are fewer.

    Files that a container has in its cache count as free: the kernel gives them up when asked.
    """
    import psutil

    free = [int(psutil.virtual_memory().available)]
    for group in _groups(groups, own):
        for limit, used in (
            ("memory.max", "memory.current"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            most, now = _words(group / limit), _words(group / used)
            if most and now and most[0] != "max":
                free.append(int(most[0]) - int(now[0]) + _cached(group / "memory.stat"))
    return max(0, min(free))


def _groups(root: Path, own: Path) -> Iterator[Path]:
    """Yield the folders that may hold limits of this process: its control groups and all above.

    Version 2 has one tree, version 1 a tree for each kind; inside a container the root is its own.
    """
    try:
        lines = own.read_text().splitlines()
    except OSError:
        lines = []
    seen = set()
    for _, kinds, path in (line.split(":", 2) for line in lines or ["0::/"]):
        for tree in [root / kind for kind in (kinds, *kinds.split(","))] if kinds else [root]:
            here = tree / path.lstrip("/")
            for folder in (here, *here.parents):
                if folder not in seen and folder.is_relative_to(root) and folder.is_dir():
                    seen.add(folder)
                    yield folder


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def _cached(path: Path) -> int:
    """Return the bytes of files in a group's cache; 0 where it does not say."""
    words = _words(path)
    counts = dict(zip(words[::2], words[1::2], strict=False))
    whole = "total_" if "total_active_file" in counts else ""  # version 1: with the groups below
    return sum(int(counts.get(f"{whole}{part}_file", 0)) for part in ("active", "inactive"))

"""What this machine has room for: GPUs, cores, memory."""

import importlib.metadata
import os
import shutil
import subprocess
from pathlib import Path

__all__ = ["gpus", "most_workers"]


def gpus() -> list[str]:
    """Return the GPUs that PyTorch could use, without asking it."""
    if shutil.which("nvidia-smi") is None or importlib.metadata.version("torch").endswith("+cpu"):
        return []
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [gpu for gpu in chosen.split(",") if gpu.strip()]
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return [str(n) for n, line in enumerate(listed.stdout.splitlines()) if line.startswith("GPU")]


def most_workers(gpus: list[str], job_bytes: int) -> int:
    """Return how many workers fit: one per GPU, else one per core, within the free memory."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(len(gpus) or cores or 1, int(_free_memory() * 0.8) // job_bytes))


def _free_memory() -> int:
    """Return the bytes that are free here: the machine's, or the container's if they are fewer."""
    import psutil

    free = int(psutil.virtual_memory().available)
    group = Path("/sys/fs/cgroup")
    try:
        limit = int((group / "memory.max").read_text())
        used = int((group / "memory.current").read_text())
        rows = (line.split() for line in (group / "memory.stat").read_text().splitlines())
        cached = {name: int(value) for name, value in rows}["file"]
    except (OSError, ValueError, KeyError):
        return free
    return min(free, limit - used + cached)

"""What this machine has to compute with: GPUs and cores; a container's limits count."""

import importlib.metadata
import math
import os
import shutil
import subprocess
from pathlib import Path

from smalltune.core.groups import GROUPS, OWN, core_shares

__all__ = ["cores", "gpus"]


def gpus() -> list[str]:
    """Return the GPUs that PyTorch could use, without asking it."""
    if shutil.which("nvidia-smi") is None or importlib.metadata.version("torch").endswith("+cpu"):
        return []
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [gpu for gpu in chosen.split(",") if gpu.strip()]
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return [str(n) for n, line in enumerate(listed.stdout.splitlines()) if line.startswith("GPU")]


def cores(root: Path = GROUPS, own: Path = OWN) -> int:
    """Return how many cores this process may keep busy: its affinity, or its share of time."""
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, math.floor(min([float(here or 1), *core_shares(root, own)])))

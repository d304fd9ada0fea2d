"""What this machine has to compute with: GPUs and cores; a container's limits count."""

import importlib.metadata
import math
import os
import shutil
import subprocess
from itertools import takewhile
from pathlib import Path

from smalltune.core.groups import GROUPS, OWN, core_shares

__all__ = ["cores", "gpus"]


def gpus() -> list[str]:
    """Return the GPUs that PyTorch could use, without asking it.

    As CUDA reads CUDA_VISIBLE_DEVICES, nothing counts from the first entry on that names no GPU,
    such as -1 or NoDevFiles.
    """
    if shutil.which("nvidia-smi") is None or importlib.metadata.version("torch").endswith("+cpu"):
        return []
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return list(takewhile(_names_one, (entry.strip() for entry in chosen.split(","))))
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    found = [line for line in listed.stdout.splitlines() if line.startswith("GPU")]
    return [str(number) for number in range(len(found))]  # the lines between are parts (MIG)


def _names_one(entry: str) -> bool:
    """Return whether this is a GPU's number, its UUID, or that of a part of one (MIG)."""
    return entry.isdecimal() or entry.startswith(("GPU-", "MIG-"))


def cores(root: Path = GROUPS, own: Path = OWN) -> int:
    """Return how many cores this process may keep busy: its affinity, or its share of time."""
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, math.floor(min([float(here or 1), *core_shares(root, own)])))

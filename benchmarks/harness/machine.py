"""Machine: what the benchmark ran on, and what memory a process took."""

import contextlib
import importlib.metadata
import os
from pathlib import Path
from typing import Any

__all__ = ["DEFAULTS", "allocate_as", "describe", "packages", "peak_bytes", "reset_peak", "steady"]

DEFAULTS = ("trainer", "sft", "lm_eval", "generate")
"""The variants that are a peer as it comes."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
PEERS = ("accelerate", "trl", "lm-eval", "datasets")


def allocate_as(variant: str) -> None:
    """Let glibc treat freed memory as it does where a variant is at home.

    smalltune's workers let large blocks stay with the process. So do the tuned settings of the
    peers here, as guides to PyTorch on a CPU advise by way of another allocator. A peer's default
    has the state that glibc's own rule ends in: blocks of up to 32 MiB stay, twice that at most
    unused.
    """
    import ctypes

    from smalltune.backends.local.memory import keep_large_blocks, return_free_blocks

    return_free_blocks()
    if variant not in DEFAULTS:
        keep_large_blocks()
        return
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(M_MMAP_THRESHOLD, 1 << 25)
        library.mallopt(M_TRIM_THRESHOLD, 1 << 26)


def steady(threads: int) -> str:
    """Fix threads and quiet the libraries of this process; return the device to measure on."""
    import torch
    import transformers

    torch.set_num_threads(threads)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return "cuda" if torch.cuda.is_available() else "cpu"


def packages() -> dict[str, str]:
    """Return the versions of smalltune, of what it stands on, and of the peers."""
    from smalltune.core.provenance import environment

    versions = {name: importlib.metadata.version(name) for name in PEERS}
    found: dict[str, str] = environment()["packages"]
    return found | versions


def describe(threads: int) -> dict[str, Any]:
    """Return packages, processor, cores, memory, commit, and the threads of each variant."""
    from smalltune.core.provenance import environment

    return {
        **environment(),
        "packages": packages(),
        "threads": threads,
        "gpu": _gpu(),
        "load": round(os.getloadavg()[0], 2),
    }


def reset_peak() -> None:
    """Begin to measure peak memory anew: of this process (Linux), or of the GPU."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    else:
        Path("/proc/self/clear_refs").write_text("5")


def peak_bytes() -> int:
    """Return the most memory that this process (or the GPU) held since `reset_peak`."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def _gpu() -> str | None:
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None

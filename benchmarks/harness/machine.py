"""Machine: what the benchmark ran on, how busy others kept it, and what memory a process took."""

import contextlib
import importlib.metadata
import os
import time
from pathlib import Path
from typing import Any

from harness.timing import clock

__all__ = [
    "DEFAULTS", "Load", "allocate_as", "describe", "packages", "peak_bytes", "peak_now",
    "reset_peak", "steady",
]  # fmt: skip

DEFAULTS = ("trainer", "sft", "lm_eval", "generate")
"""The variants that are a peer as it comes."""

UNITS = ("avx2", "avx512f", "avx512_bf16", "amx_tile", "amx_bf16")
"""What a processor may have for products of matrices, as /proc/cpuinfo names it."""

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

    from smalltune.core.blocks import keep_large_blocks, return_free_blocks

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
    """Return packages, processor, cores, memory, commit, and the threads of each variant.

    Its units for products are named where the kernel tells them.
    """
    from smalltune.core.provenance import environment

    return {
        **environment(),
        "packages": packages(),
        "threads": threads,
        "gpu": _gpu(),
        "units": _units(),
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


class Load:
    """How busy the machine is beside this process and its children, from now on."""

    def __init__(self) -> None:
        """Begin to watch."""
        self.before = os.getloadavg()[0]
        self.began = time.perf_counter(), _busy(), _own()

    def others(self) -> float | None:
        """Return how many cores other processes kept busy since; None where it is not told."""
        began, busy, own = self.began
        now = _busy()
        if busy is None or now is None:
            return None
        taken = (now - busy) - (_own() - own)
        return max(0.0, taken / (time.perf_counter() - began))

    def record(self) -> dict[str, float | None]:
        """Return the load average before and after, and what others took meanwhile."""
        return {"before": self.before, "after": os.getloadavg()[0], "others": self.others()}


def _own() -> float:
    """Return the CPU seconds of this process and of the children that it has waited for."""
    return sum(os.times()[:4])


def _busy() -> float | None:
    """Return the CPU seconds that all cores have worked since the machine started (Linux)."""
    try:
        words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    except OSError:
        return None
    user, nice, system, _, _, *interrupts = map(int, words)
    return float(user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def peak_now(device: str) -> float:
    """Return the most operations per second that products of matrices reach at this moment.

    Of float32, or bfloat16 on a GPU; takes about a tenth of a second.
    """
    import torch

    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    best = 0.0
    with torch.no_grad():
        for side in (512, 1024) if device == "cpu" else (4096, 8192):
            a = torch.ones(side, side, device=device, dtype=dtype)
            for _ in range(5):
                (cpu, wall) = clock()
                a @ a
                now = clock()
                alone = device == "cpu" and torch.get_num_threads() == 1
                took = now[0] - cpu if alone else now[1] - wall
                best = max(best, 2 * side**3 / took)
    return best


def _units() -> list[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    return [unit for unit in UNITS if unit in flags]


def _gpu() -> str | None:
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None

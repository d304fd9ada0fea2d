"""Peak: how many operations a second this machine reaches in a product of matrices, measured."""

import time
from functools import cache
from typing import Any

__all__ = ["matmul_peak"]

SECONDS = 0.1
SHORT = 2e-3
"""Seconds below which a product is too short to be timed and a larger one is taken."""

FIRST, MOST = 256, 8192


def matmul_peak(device: str, dtype: str) -> float:
    """Return the most operations per second in products of square matrices.

    Measured once per process for a device, a number format ("float32" or "bfloat16") and the
    number of threads that PyTorch has now; the best of a tenth of a second.
    """
    import torch

    return _measured(device, dtype, torch.get_num_threads())


@cache
def _measured(device: str, dtype: str, threads: int) -> float:
    import torch

    side, best = FIRST, 0.0
    with torch.no_grad():
        end = time.perf_counter() + SECONDS
        a = torch.ones(side, side, device=device, dtype=getattr(torch, dtype))
        while time.perf_counter() < end:
            seconds = _timed(a)
            best = max(best, 2 * side**3 / seconds)
            if seconds < SHORT and side < MOST:
                side *= 2
                a = torch.ones(side, side, device=device, dtype=a.dtype)
    return best


def _timed(a: Any) -> float:
    """Return the seconds of one product: the processor's where one thread computes.

    They do not count what other processes take meanwhile.
    """
    import torch

    alone = not a.is_cuda and torch.get_num_threads() == 1
    clock = time.thread_time if alone else time.perf_counter
    began = clock()
    a @ a
    if a.is_cuda:
        torch.cuda.synchronize()
    return clock() - began
